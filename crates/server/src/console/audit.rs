//! The audit log: who, what, whom, when, why, from where, and the state of the chain.

use super::fault::Fault;
use super::frame::{Frame, Place, page};
use super::markup::{Moment, encode, hex, thousands};
use super::visitor::Visitor;
use crate::app::App;
use crate::trail::Touched;
use access::Interaction;
use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use store::audit::{Filter, Outcome, Page, Position, Recorded};

/// A line of the log in words.
pub(super) struct Line {
    pub(super) recorded: Recorded,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    asked: Asked,
    lines: Vec<Line>,
    next: Option<String>,
    n_entries: String,
    hash: String,
    stopped: Option<String>,
    lag: u64,
    /// The addresses without one filter.
    without_actor: String,
    without_patient: String,
}

#[derive(Clone, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    actor: String,
    patient: String,
    before: Option<u64>,
}

const PAGE: usize = 100;

// === impl Line ===

impl Line {
    pub(super) fn of(recorded: Recorded) -> Self {
        Self { recorded }
    }

    /// `user:admin` as `admin`.
    pub(super) fn who(&self) -> &str {
        let actor = self.recorded.entry.actor.as_str();
        actor.strip_prefix("user:").unwrap_or(actor)
    }

    pub(super) fn actor_address(&self) -> String {
        format!("/audit?actor={}", encode(&self.recorded.entry.actor))
    }

    /// The interaction in words.
    pub(super) fn what(&self) -> &str {
        match self.recorded.entry.action.as_str() {
            "read" => "opened",
            "vread" => "opened a version of",
            "everything" => "opened the chart",
            "search-type" | "search" => "searched",
            "lineage" => "asked where from",
            "create" => "created",
            "update" => "changed",
            "delete" => "deleted",
            "login" => "logged in",
            "logout" => "logged out",
            "replay" => "replayed",
            "release" => "released",
            "dismiss" | "skip" => "skipped",
            "hold" => "held",
            "edit" => "edited and sent again",
            "redirect" => "sent on",
            "dry-run" => "tried out",
            "stop" => "stopped",
            "start" => "started",
            "choose-password" => "chose a password",
            "authenticate" => "came with a wrong token",
            "csrf" => "came with a form of another page",
            other => other,
        }
    }

    pub(super) fn on(&self) -> String {
        let entry = &self.recorded.entry;
        match (entry.resource_type.as_str(), entry.target.as_str()) {
            ("session" | "password", _) => String::new(),
            (kind, "") => kind.to_owned(),
            ("", target) => target.to_owned(),
            // The patient stands beside it.
            ("Patient", target) => target
                .rsplit_once('/')
                .map_or(target, |(_, view)| view)
                .to_owned(),
            (kind, target) if target.starts_with(kind) => target.to_owned(),
            (kind, target) => format!("{kind} {target}"),
        }
    }

    /// The first patients, and how many more.
    /// The last one is the person, where the whole person was looked at.
    pub(super) fn whom(&self) -> Option<(&str, String)> {
        let id = self.recorded.entry.patients.last()?;
        Some((id, super::patients::short(id)))
    }

    pub(super) fn n_more(&self) -> usize {
        self.recorded.entry.patients.len().saturating_sub(1)
    }

    pub(super) fn why(&self) -> &str {
        match self.recorded.entry.purpose.as_str() {
            "TREAT" => "treatment",
            "HOPERAT" => "operations",
            "PATRQT" => "patient request",
            "PUBHLTH" => "public health",
            other => other,
        }
    }

    pub(super) fn outcome(&self) -> (&'static str, &'static str) {
        match self.recorded.entry.outcome {
            Outcome::Success => ("good", "done"),
            Outcome::Refused => ("bad", "refused"),
            Outcome::Failed => ("wait", "failed"),
            Outcome::Error => ("bad", "error"),
        }
    }

    pub(super) fn is_emergency(&self) -> bool {
        self.recorded.entry.emergency
    }
}

/// `GET /audit`
pub(super) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    visitor.permit(&app, Interaction::Audit, None).await?;
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let filter = Filter {
        patient: given(&asked.patient),
        actor: given(&asked.actor),
        ..Filter::default()
    };
    let touched = Touched {
        resource_type: "audit log".to_owned(),
        target: String::new(),
        patients: filter.patient.iter().cloned().collect(),
    };
    visitor.record(&app, "search", touched).await?;
    let (work, before) = (app.clone(), asked.before.map(Position::new));
    let listing = tokio::task::spawn_blocking(move || {
        work.audit.entries(
            &filter,
            Page {
                before,
                limit: PAGE,
            },
        )
    })
    .await
    .map_err(|error| Fault::internal(&error))??;
    let head = app.audit.head();
    page(&AuditPage {
        frame: Frame::new(&visitor, Place::Audit, "Audit"),
        next: listing
            .next
            .map(|next| address(&asked.actor, &asked.patient, Some(next.get()))),
        without_actor: address("", &asked.patient, None),
        without_patient: address(&asked.actor, "", None),
        lines: listing.rows.into_iter().map(Line::of).collect(),
        n_entries: thousands(head.position),
        hash: hex(&head.hash, 8),
        stopped: app.audit.stopped().map(|error| error.to_string()),
        lag: listing.lag,
        asked,
    })
}

fn address(actor: &str, patient: &str, before: Option<u64>) -> String {
    let mut parts = Vec::new();
    for (name, value) in [("actor", actor), ("patient", patient)] {
        if !value.is_empty() {
            parts.push(format!("{name}={}", encode(value)));
        }
    }
    parts.extend(before.map(|before| format!("before={before}")));
    format!("/audit?{}", parts.join("&"))
}
