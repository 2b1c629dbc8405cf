//! One entry of the audit log in plain words.

use super::super::markup::encode;
use store::audit::{ActorKind, Outcome, Recorded};

/// A line of the audit log in plain words.
pub(crate) struct Line {
    pub(crate) recorded: Recorded,
}

// === impl Line ===

impl Line {
    pub(crate) fn of(recorded: Recorded) -> Self {
        Self { recorded }
    }

    /// Returns the actor, with `user:admin` as `admin`.
    pub(crate) fn who(&self) -> String {
        let actor = self.recorded.entry.actor.as_str();
        let (_, name) = actor.split_once(':').unwrap_or(("", actor));
        match ActorKind::of(actor) {
            ActorKind::Person | ActorKind::Nobody => name.to_owned(),
            ActorKind::Application => format!("token {name}"),
            ActorKind::Program if name == "flow" => "the flows".to_owned(),
            ActorKind::Program => format!("the program: {name}"),
        }
    }

    pub(crate) fn actor_address(&self) -> String {
        format!("/audit?actor={}", encode(&self.recorded.entry.actor))
    }

    /// Returns the interaction in plain words.
    pub(crate) fn what(&self) -> &str {
        match self.recorded.entry.action.as_str() {
            "read" => "opened",
            "vread" => "opened a version of",
            "everything" => "opened the chart",
            "search-type" | "search" => "searched",
            "lineage" => "viewed the origin of",
            "create" => "created",
            "update" => "changed",
            "delete" => "deleted",
            "login" => "logged in",
            "logout" => "logged out",
            "replay" => "replayed",
            "release" => "released",
            "dismiss" | "skip" => "skipped",
            "settle" => "settled",
            "hold" => "held",
            "edit" => "edited and sent again",
            "redirect" => "sent on",
            "dry-run" => "tried in a dry run",
            "apply" => "applied to the chart",
            "emergency-access" => "began emergency access",
            "person" => "looked up the person of",
            "end-session" => "ended a session",
            "stop" => "stopped",
            "start" => "started",
            "choose-password" => "chose a password",
            "authenticate" => "sent an invalid token",
            "csrf" => "sent a form without a valid page token",
            other => other,
        }
    }

    pub(crate) fn on(&self) -> String {
        let entry = &self.recorded.entry;
        match (entry.resource_type.as_str(), entry.target.as_str()) {
            // The reason that the person gave.
            ("session", reason) if entry.action == "emergency-access" => format!("“{reason}”"),
            ("session" | "password", _) => String::new(),
            ("audit log", "") => "the audit log".to_owned(),
            ("audit log", by) => format!("the audit log by {}", by.replace('&', ", ")),
            (kind, "") => kind.to_owned(),
            ("", target) => target.to_owned(),
            // The patient is in the next column.
            ("Patient", target) => target
                .rsplit_once('/')
                .map_or(target, |(_, view)| view)
                .to_owned(),
            (kind, target) if target.starts_with(kind) => target.to_owned(),
            (kind, target) => format!("{kind} {target}"),
        }
    }

    /// Returns the id of the last patient, with its short form. The last one is the person, if the
    /// whole person was viewed.
    pub(crate) fn whom(&self) -> Option<(&str, String)> {
        let id = self.recorded.entry.patients.last()?;
        Some((id, super::super::patients::short(id)))
    }

    pub(crate) fn n_more(&self) -> usize {
        self.recorded.entry.patients.len().saturating_sub(1)
    }

    pub(crate) fn why(&self) -> &str {
        match self.recorded.entry.purpose.as_str() {
            "TREAT" => "treatment",
            "ETREAT" => "emergency treatment",
            "HOPERAT" => "operations",
            "PATRQT" => "patient request",
            "PUBHLTH" => "public health",
            other => other,
        }
    }

    pub(crate) fn outcome(&self) -> (&'static str, &'static str) {
        match self.recorded.entry.outcome {
            Outcome::Success => ("good", "done"),
            Outcome::Refused => ("bad", "refused"),
            Outcome::Failed => ("wait", "failed"),
            Outcome::Error => ("bad", "error"),
        }
    }

    pub(crate) fn is_emergency(&self) -> bool {
        self.recorded.entry.emergency
    }
}
