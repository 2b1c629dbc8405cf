//! The flow pages: what each flow receives, its state, and what a pasted message would change.

use super::fault::Fault;
use super::frame::{Frame, Place, page};
use super::markup::{Moment, count, encode, thousands};
use super::messages::{Difference, differences};
use super::overview::Lane;
use super::visitor::{Form, Visitor};
use access::Interaction;
use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use flow::{ControlError, DryRun, FlowSnapshot, FlowState};
use web::App;
use web::trail::Touched;

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
    /// The pasted message, kept so that it can be run again.
    pasted: String,
    run: Option<Run>,
}

#[derive(Template)]
#[template(path = "flows/stop.html")]
struct StopPage {
    frame: Frame,
    row: Row,
    why: String,
    notice: Option<&'static str>,
}

/// One flow at one moment.
struct Row {
    lane: Lane,
    flow: FlowSnapshot,
    at: base::Timestamp,
}

/// The result of a dry run.
pub(super) struct Run {
    /// The reason why the dry run failed.
    pub(super) failed: Option<String>,
    /// The sequence of the same message, if the journal already has it.
    pub(super) repeats: Option<u64>,
    pub(super) refused: Option<String>,
    pub(super) issues: Vec<String>,
    /// The concerns that a person would have to look at.
    pub(super) concerns: Vec<String>,
    pub(super) changes: Vec<Change>,
}

pub(super) struct Change {
    pub(super) resource_type: String,
    pub(super) is_new: bool,
    pub(super) rows: Vec<Difference>,
}

// === impl Row ===

impl Row {
    /// Returns true if a person may stop the flow.
    fn can_stop(&self) -> bool {
        matches!(self.flow.state, FlowState::Running | FlowState::Stopped)
    }

    /// Returns true if a person may start the flow again.
    fn can_start(&self) -> bool {
        self.flow.state == FlowState::Off
    }

    /// Describes the messages of the last hour.
    fn hour(&self) -> String {
        let minutes = self.flow.minutes.iter();
        let n = minutes.map(|minute| u64::from(minute.received)).sum();
        count(n, "message", "messages")
    }

    fn waiting(&self) -> String {
        count(self.flow.waiting, "message", "messages")
    }

    fn received(&self) -> String {
        thousands(self.flow.received)
    }

    fn numbers(&self) -> [(&'static str, String, String); 6] {
        let flow = &self.flow;
        let query = |states: &str| format!("/messages?flow={}&state={}", flow.name, encode(states));
        [
            (
                "received",
                thousands(flow.received),
                format!("/messages?flow={}", flow.name),
            ),
            (
                "in the chart",
                thousands(flow.applied),
                query("mapped,delivered"),
            ),
            ("waiting", thousands(flow.waiting), query("received")),
            (
                "needs attention",
                thousands(flow.needs_attention),
                query("needs attention,dead"),
            ),
            ("held or parked", thousands(flow.held), query("held,parked")),
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

/// Handles `GET /flows`.
pub(super) async fn list(State(app): State<App>, visitor: Visitor) -> Result<Response, Fault> {
    let rows = rows(&app).await?;
    page(&FlowsPage {
        frame: Frame::new(&visitor, Place::Flows, "Flows"),
        rows,
    })
}

/// Handles `GET /flows/{name}`.
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

/// Handles `GET /flows/{name}/stop`: shows what stopping affects and asks for the reason.
pub(super) async fn ask(
    State(app): State<App>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Result<Response, Fault> {
    stop_page(&app, &visitor, &name, None).await
}

async fn stop_page(
    app: &App,
    visitor: &Visitor,
    name: &str,
    notice: Option<&'static str>,
) -> Result<Response, Fault> {
    let row = one(app, name).await?;
    if !row.can_stop() {
        return Ok(Redirect::to(&format!("/flows/{name}")).into_response());
    }
    page(&StopPage {
        frame: Frame::new(visitor, Place::Flows, format!("Stop {name}?")),
        row,
        why: String::new(),
        notice,
    })
}

/// Handles `POST /flows/{name}/switch`: stops or starts the flow. Stopping requires a reason.
pub(super) async fn switch(
    State(app): State<App>,
    Path(name): Path<String>,
    form: Form,
) -> Result<Response, Fault> {
    let visitor = &form.visitor;
    visitor.permit(&app, Interaction::Operate, None).await?;
    let starts = form.get("action") == "start";
    let why = form.get("why").trim().to_owned();
    if !starts && why.is_empty() {
        let notice = Some("The flow is still running: give a reason for stopping it.");
        return stop_page(&app, visitor, &name, notice).await;
    }
    let target = match why.as_str() {
        "" => name.clone(),
        why => format!("{name}: {why}"),
    };
    let touched = Touched {
        resource_type: "flow".to_owned(),
        target,
        patients: Vec::new(),
    };
    let what = if starts { "start" } else { "stop" };
    visitor.record(&app, what, touched).await?;
    let (work, flow, by) = (app.clone(), name.clone(), visitor.user().to_owned());
    let done = tokio::task::spawn_blocking(move || {
        if starts {
            work.engine.start_flow(&flow, &by)
        } else {
            work.engine.stop_flow(&flow, &by, &why)
        }
    });
    done.await.map_err(|error| Fault::internal(&error))??;
    Ok(Redirect::to(&format!("/flows/{name}")).into_response())
}

/// Handles `POST /flows/{name}`: shows what a pasted message would change. Nothing is stored.
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
    // A text field uses line feeds; HL7 ends a segment with CR.
    let body = pasted.replace("\r\n", "\r").replace('\n', "\r");
    let (work, flow) = (app.clone(), name.clone());
    let run = tokio::task::spawn_blocking(move || work.engine.dry_run(&flow, body.as_bytes()))
        .await
        .map_err(|error| Fault::internal(&error))?;
    let row = one(&app, &name).await?;
    let frame = Frame::new(visitor, Place::Flows, name);
    // A failed dry run is reported beside the text, which is kept.
    let run = run.map_or_else(|error| Run::not_run(&error), Run::of);
    page(&FlowPage {
        frame,
        row,
        pasted,
        run: Some(run),
    })
}

/// Renders a concern such as `OBX[2]-5: no number. What helps`.
fn concern(concern: &flow::Concern) -> String {
    let parts = [concern.place.as_str(), concern.why.as_str()];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        [] => concern.reason.explain().to_owned(),
        parts => format!("{}: {}", parts.join(": "), concern.reason.explain()),
    }
}

// === impl Run ===

impl Run {
    /// Creates the result of a dry run that could not start.
    pub(super) fn not_run(error: &ControlError) -> Self {
        Self {
            failed: Some(error.to_string()),
            repeats: None,
            refused: None,
            issues: Vec::new(),
            concerns: Vec::new(),
            changes: Vec::new(),
        }
    }

    pub(super) fn of(run: DryRun) -> Self {
        let change = |change: flow::Change| Change {
            is_new: change.id.is_none() || change.before.is_none(),
            rows: differences(change.before.as_deref(), Some(&change.after)),
            resource_type: change.resource_type,
        };
        Self {
            failed: None,
            repeats: run.repeats.map(store::journal::Sequence::get),
            refused: run.refused.map(|reason| reason.explain().to_owned()),
            issues: run.issues,
            concerns: run.concerns.iter().map(concern).collect(),
            changes: run.changes.into_iter().map(change).collect(),
        }
    }
}
