//! One message: raw text, parsed fields, changes in the chart, and path.

use super::super::fault::Fault;
use super::super::frame::{Frame, Place, page};
use super::super::handles::Handles;
use super::super::markup::{Markup, Moment};
use super::super::query::Query;
use super::super::visitor::Visitor;
use super::super::words as reasons;
use super::became::{Change, changes};
use super::fields::{Line, Tree, place_of, words};
use super::filter::ListQuery;
use super::journey::{Step, steps};
use super::list::{MessagesPage, audited_list, flow_names};
use super::{raw, state_class};
use access::{Interaction, Permit};
use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use fhir::json::Document;
use flow::Resent;
use flow::attention::finding::{self as findings, Finding};
use hl7v2::Message;
use std::sync::Arc;
use store::chart::Read;
use store::journal::{Filter, Page, Sequence, State as MessageState, Stored, Summary};
use web::App;
use web::trail::Touched;

/// A message as its page shows it.
pub(super) struct Opened {
    pub(super) csrf: String,
    pub(super) summary: Summary,
    pub(super) title: String,
    pub(super) route: String,
    pub(super) structure: String,
    pub(super) raw: Markup,
    pub(super) lines: Vec<Line>,
    pub(super) issues: Vec<Shown>,
    pub(super) changes: Vec<Change>,
    pub(super) steps: Vec<Step>,
    /// The requested path, whose value the page shows.
    pub(super) path: String,
    pub(super) found: Option<Result<Vec<(String, String)>, String>>,
    /// The address of the patient's chart.
    pub(super) chart: Option<String>,
    pub(super) patients: Vec<String>,
    /// The original, if this message is a copy.
    pub(super) copy_of: Option<Resent>,
    /// The copies of this message, oldest first.
    pub(super) copies: Vec<(Sequence, Resent)>,
    /// The flows to which it could be redirected.
    pub(super) other_flows: Vec<String>,
    /// The address of the list that it was opened from.
    pub(super) back: String,
    /// The filters, for forms and links that keep them.
    pub(super) query: String,
}

/// A finding on the page.
pub(super) struct Shown {
    /// The anchor of the location on the page; empty if there is none.
    pub(super) anchor: String,
    pub(super) finding: Finding,
}

#[derive(Template)]
#[template(path = "messages/open.html")]
struct OpenedPart {
    open: Opened,
}

// === impl Opened ===

impl Opened {
    /// Reads the message. Blocks, so async code must not call it on its own thread.
    fn take(
        app: &App,
        permit: &Permit,
        sequence: Sequence,
        (wanted, csrf): (&ListQuery, String),
    ) -> Result<Self, Fault> {
        let stored = app
            .journal
            .read(sequence)?
            .ok_or_else(|| Fault::not_found("message"))?;
        let message = Message::parse(stored.body.clone());
        let report = findings::report(&app.engine, &app.maps, &stored, &message);
        let issues = issues(&message, findings::of(&stored, &report));
        let changes = changes(app, permit, &app.chart.key_of(sequence), &message)?;
        let patients = patients(app, permit, &changes)?;
        let person = patients
            .first()
            .map(|id| app.chart.person_of(permit, id))
            .transpose()?;
        let chart = person
            .flatten()
            .map(|person| format!("/patients/{}", person.id));
        let mut other_flows = flow_names(app);
        other_flows.retain(|flow| *flow != stored.summary.flow);
        let query = wanted.query();
        let mark = if query.is_empty() { "" } else { "?" };
        Ok(Self {
            csrf,
            title: title(&message, &stored),
            route: route(&message),
            structure: message.structure().name().to_owned(),
            raw: raw::raw(&message),
            lines: Tree::of(&message, &report),
            issues,
            changes,
            steps: steps(app, &stored)?,
            found: evaluate(&message, &wanted.path),
            path: wanted.path.clone(),
            chart,
            patients,
            copy_of: stored.summary.connection.parse().ok(),
            copies: copies(app, &stored)?,
            other_flows,
            back: format!("/messages{mark}{query}"),
            query: format!("{mark}{query}"),
            summary: stored.summary,
        })
    }

    pub(super) fn state(&self) -> (&'static str, &'static str) {
        (state_class(self.summary.state), self.summary.state.word())
    }

    /// Returns true if a person may hold the message, because it is not applied yet.
    pub(super) fn can_wait(&self) -> bool {
        self.rests() && self.summary.state != MessageState::Held
            || self.summary.state == MessageState::Received
    }

    /// Returns true if the message has been through the maps once, or failed there.
    pub(super) fn can_be_replayed(&self) -> bool {
        self.summary.state != MessageState::Received
    }

    /// Returns true if a person may release or skip the message.
    pub(super) fn rests(&self) -> bool {
        match self.summary.state {
            MessageState::NeedsAttention => !self.is_in_chart(),
            MessageState::Held | MessageState::Parked | MessageState::Dead => true,
            MessageState::Received
            | MessageState::Mapped
            | MessageState::Delivered
            | MessageState::Filtered => false,
        }
    }

    /// Returns true if the message is in the chart and its result needs attention.
    pub(super) fn is_in_chart(&self) -> bool {
        let reason = self.summary.reason.as_deref().unwrap_or_default();
        self.summary.state == MessageState::NeedsAttention && flow::attention::in_chart(reason)
    }

    pub(super) fn n_changes(&self) -> usize {
        self.changes.len()
    }
}

/// Returns the issues of a message: first of its syntax, then those of the maps and the chart.
fn issues(message: &Message, findings: Vec<Finding>) -> Vec<Shown> {
    let written = message.issues().iter().chain(message.structure().issues());
    let written = written.map(|issue| {
        let (anchor, place) = place_of(issue);
        let finding = Finding {
            severity: base::Severity::Warning,
            place,
            why: words(issue),
            remedy: "",
        };
        Shown { anchor, finding }
    });
    let found = findings.into_iter().map(|finding| Shown {
        anchor: super::place::anchor(&finding.place, Some(message)).unwrap_or_default(),
        finding,
    });
    let mut shown: Vec<Shown> = written.chain(found).collect();
    shown.sort_by_key(|shown| std::cmp::Reverse(shown.finding.severity));
    shown
}

/// Returns the copies of a message. They share its control id, unless their editor changed it.
fn copies(app: &App, stored: &Stored) -> Result<Vec<(Sequence, Resent)>, Fault> {
    if stored.summary.header.control_id.is_empty() {
        return Ok(Vec::new());
    }
    let filter = Filter {
        control_id: Some(stored.summary.header.control_id.clone()),
        from: Some(stored.summary.received),
        ..Filter::default()
    };
    let page = Page {
        before: None,
        limit: 20,
    };
    let rows = app.journal.list(&filter, page)?.rows;
    let of_this = rows.into_iter().rev().filter_map(|row| {
        let mark: Resent = row.connection.parse().ok()?;
        (mark.of == stored.summary.sequence).then_some((row.sequence, mark))
    });
    Ok(of_this.collect())
}

fn title(message: &Message, stored: &Stored) -> String {
    if stored.summary.no_message.is_some() {
        return "Bytes that are not a message".to_owned();
    }
    let event = message.event();
    let meaning = message
        .dictionary()
        .table("0003")
        .and_then(|table| table.meaning(&event));
    match meaning.filter(|meaning| !meaning.is_empty()) {
        Some(meaning) => meaning
            .rsplit_once(" - ")
            .map_or(meaning, |(_, words)| words)
            .to_owned(),
        None => format!("{} message", message.code()),
    }
}

fn route(message: &Message) -> String {
    let place = |application: usize, facility: usize| {
        let parts = [message.header(application, 1), message.header(facility, 1)];
        let parts: Vec<&str> = parts
            .iter()
            .map(AsRef::as_ref)
            .filter(|part| !part.is_empty())
            .collect();
        if parts.is_empty() {
            "unnamed".to_owned()
        } else {
            parts.join(" at ")
        }
    };
    format!("{} → {}", place(3, 4), place(5, 6))
}

/// Evaluates a path: each piece with its own text.
fn evaluate(message: &Message, path: &str) -> Option<Result<Vec<(String, String)>, String>> {
    let path = path.trim();
    if path.is_empty() {
        return None;
    }
    Some(match hl7v2::Path::parse(path) {
        Ok(parsed) => Ok(message
            .get_all(&parsed)
            .into_iter()
            .map(|piece| {
                (
                    format!("byte {}", piece.offset()),
                    piece.text().into_owned(),
                )
            })
            .collect()),
        Err(error) => Err(error.to_string()),
    })
}

/// Returns the source patients that the message's changes concern.
fn patients(app: &App, permit: &Permit, changes: &[Change]) -> Result<Vec<String>, Fault> {
    let mut found = Vec::new();
    for change in changes {
        if change.resource_type == "Patient" {
            found.push(change.id.clone());
            continue;
        }
        if let Read::Found(resource) =
            app.chart
                .vread(permit, change.resource_type, &change.id, change.version)?
            && let Ok(document) = Document::parse(&resource.body)
        {
            let root = document.root();
            let reference = ["subject", "patient"]
                .into_iter()
                .find_map(|name| root.get(name)?.text("reference"));
            let id = reference
                .as_deref()
                .and_then(|text| text.strip_prefix("Patient/"));
            found.extend(id.map(str::to_owned));
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Handles `GET /messages/{sequence}`.
pub(crate) async fn open(
    State(app): State<App>,
    Extension(handles): Extension<Arc<Handles>>,
    visitor: Visitor,
    Path(sequence): Path<u64>,
    Query(wanted): Query<ListQuery>,
) -> Result<Response, Fault> {
    let opened = audited_open(&app, &visitor, sequence, &wanted).await?;
    if visitor.wants_part {
        return page(&OpenedPart { open: opened });
    }
    let listed = audited_list(&app, &handles, &visitor, wanted).await?;
    page(&MessagesPage {
        frame: Frame::new(&visitor, Place::Messages, format!("Message {sequence}")),
        listed,
        opened: Some(opened),
    })
}

pub(super) async fn audited_open(
    app: &App,
    visitor: &Visitor,
    sequence: u64,
    wanted: &ListQuery,
) -> Result<Opened, Fault> {
    let permit = visitor.permit(app, Interaction::Messages, None).await?;
    let touched = |patients| Touched {
        resource_type: "message".to_owned(),
        target: sequence.to_string(),
        patients,
    };
    let (work, wanted, csrf) = (app.clone(), wanted.clone(), visitor.session.csrf.clone());
    let taken = tokio::task::spawn_blocking(move || {
        Opened::take(&work, &permit, Sequence::new(sequence), (&wanted, csrf))
    });
    match taken.await.map_err(|error| Fault::internal(&error))? {
        Ok(opened) => {
            visitor
                .record(app, "read", touched(opened.patients.clone()))
                .await?;
            Ok(opened)
        }
        Err(fault) => {
            visitor
                .record_failure(app, "read", touched(Vec::new()), &fault)
                .await?;
            Err(fault)
        }
    }
}

/// Handles `GET /messages/{sequence}/raw`: the bytes as received.
pub(crate) async fn download(
    State(app): State<App>,
    visitor: Visitor,
    Path(sequence): Path<u64>,
) -> Result<Response, Fault> {
    let opened = audited_open(&app, &visitor, sequence, &ListQuery::default()).await?;
    let work = app.clone();
    let stored = tokio::task::spawn_blocking(move || work.journal.read(opened.summary.sequence))
        .await
        .map_err(|error| Fault::internal(&error))??
        .ok_or_else(|| Fault::not_found("message"))?;
    let name = format!("attachment; filename=\"message-{sequence}.hl7\"");
    let headers = [
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_DISPOSITION, name),
    ];
    Ok((headers, stored.body).into_response())
}
