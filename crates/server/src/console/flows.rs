//! Flows: what each takes in, how it stands, and what a pasted message would change.

use super::fault::Fault;
use super::frame::{Frame, Place, page};
use super::markup::{Moment, thousands};
use super::messages::{Difference, differences};
use super::overview::Lane;
use super::visitor::{Form, Visitor};
use crate::app::App;
use crate::trail::Touched;
use access::Interaction;
use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use flow::{DryRun, FlowSnapshot, FlowState};

#[derive(Template)]
#[template(path = "flows/list.html")]
struct FlowsPage {
    frame: Frame,
    rows: Vec<Row>,
}

#[derive(Template)]
#[template(path = "flows/flow.html")]
struct FlowPage {
    frame: Frame,
    row: Row,
    /// What was pasted, to be run again.
    pasted: String,
    run: Option<Run>,
}

/// A flow at one moment.
struct Row {
    lane: Lane,
    flow: FlowSnapshot,
    at: base::Timestamp,
}

/// What a dry run found.
pub(super) struct Run {
    pub(super) refused: Option<String>,
    pub(super) issues: Vec<String>,
    pub(super) changes: Vec<Change>,
}

pub(super) struct Change {
    pub(super) resource_type: String,
    pub(super) is_new: bool,
    pub(super) rows: Vec<Difference>,
}

// === impl Row ===

impl Row {
    /// What the switch does now; none while the server shuts down.
    fn switch(&self) -> Option<(&'static str, &'static str)> {
        match self.flow.state {
            FlowState::Running | FlowState::Stopped => Some(("stop", "Stop this flow")),
            FlowState::Off => Some(("start", "Start this flow")),
            FlowState::Draining => None,
        }
    }

    fn received(&self) -> String {
        thousands(self.flow.received)
    }

    fn numbers(&self) -> [(&'static str, String, String); 6] {
        let flow = &self.flow;
        let query = |state: &str| format!("/messages?flow={}&state={state}", flow.name);
        [
            (
                "received",
                thousands(flow.received),
                format!("/messages?flow={}", flow.name),
            ),
            ("in the chart", thousands(flow.applied), query("mapped")),
            ("waiting", thousands(flow.waiting), query("received")),
            (
                "needs attention",
                thousands(flow.needs_attention),
                query("needs%20attention"),
            ),
            ("held or parked", thousands(flow.held), query("held")),
            ("set aside", thousands(flow.filtered), query("filtered")),
        ]
    }
}

async fn rows(app: &App) -> Result<Vec<Row>, Fault> {
    let app = app.clone();
    let snapshot = tokio::task::spawn_blocking(move || app.engine.snapshot())
        .await
        .map_err(|error| Fault::internal(&error))??;
    let at = snapshot.at;
    let row = |flow: FlowSnapshot| Row {
        lane: Lane::of(&flow, at),
        flow,
        at,
    };
    Ok(snapshot.flows.into_iter().map(row).collect())
}

async fn one(app: &App, name: &str) -> Result<Row, Fault> {
    let found = rows(app)
        .await?
        .into_iter()
        .find(|row| row.flow.name == name);
    found.ok_or_else(|| Fault::not_found("flow"))
}

/// `GET /flows`
pub(super) async fn list(State(app): State<App>, visitor: Visitor) -> Result<Response, Fault> {
    let rows = rows(&app).await?;
    page(&FlowsPage {
        frame: Frame::new(&visitor, Place::Flows, "Flows"),
        rows,
    })
}

/// `GET /flows/{name}`
pub(super) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Result<Response, Fault> {
    let row = one(&app, &name).await?;
    let frame = Frame::new(&visitor, Place::Flows, name);
    page(&FlowPage {
        frame,
        row,
        pasted: String::new(),
        run: None,
    })
}

/// `POST /flows/{name}/switch`: stop or start it.
pub(super) async fn switch(
    State(app): State<App>,
    Path(name): Path<String>,
    form: Form,
) -> Result<Response, Fault> {
    let visitor = &form.visitor;
    visitor.permit(&app, Interaction::Operate, None).await?;
    let starts = form.get("action") == "start";
    let touched = Touched {
        resource_type: "flow".to_owned(),
        target: name.clone(),
        patients: Vec::new(),
    };
    let what = if starts { "start" } else { "stop" };
    visitor.record(&app, what, touched).await?;
    let (work, flow, by) = (app.clone(), name.clone(), visitor.user().to_owned());
    let done = tokio::task::spawn_blocking(move || {
        if starts {
            work.engine.start_flow(&flow, &by)
        } else {
            work.engine.stop_flow(&flow, &by)
        }
    });
    done.await.map_err(|error| Fault::internal(&error))??;
    Ok(Redirect::to(&format!("/flows/{name}")).into_response())
}

/// `POST /flows/{name}`: what a pasted message would change; nothing is stored.
pub(super) async fn dry_run(
    State(app): State<App>,
    Path(name): Path<String>,
    form: Form,
) -> Result<Response, Fault> {
    let visitor = &form.visitor;
    visitor.permit(&app, Interaction::Operate, None).await?;
    let touched = Touched {
        resource_type: "flow".to_owned(),
        target: name.clone(),
        patients: Vec::new(),
    };
    visitor.record(&app, "dry-run", touched).await?;
    let pasted = form.get("message").to_owned();
    // A text field knows only line feeds; HL7 ends a segment with CR.
    let body = pasted.replace("\r\n", "\r").replace('\n', "\r");
    let (work, flow) = (app.clone(), name.clone());
    let run = tokio::task::spawn_blocking(move || work.engine.dry_run(&flow, body.as_bytes()))
        .await
        .map_err(|error| Fault::internal(&error))??;
    let row = one(&app, &name).await?;
    let frame = Frame::new(visitor, Place::Flows, name);
    page(&FlowPage {
        frame,
        row,
        pasted,
        run: Some(Run::of(run)),
    })
}

// === impl Run ===

impl Run {
    pub(super) fn of(run: DryRun) -> Self {
        let change = |change: flow::Change| Change {
            is_new: change.id.is_none() || change.before.is_none(),
            rows: differences(change.before.as_deref(), Some(&change.after)),
            resource_type: change.resource_type,
        };
        Self {
            refused: run.refused.map(|reason| reason.explain().to_owned()),
            issues: run.issues,
            changes: run.changes.into_iter().map(change).collect(),
        }
    }
}
