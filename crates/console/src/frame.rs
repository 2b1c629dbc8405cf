//! The frame around every page: navigation, search, the signed-in user and the time until logoff.

use super::fault::Fault;
use super::markup::thousands;
use super::visitor::Visitor;
use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use base::{Purpose, Timestamp};

/// The navigation entry that a page belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Overview,
    Flows,
    Messages,
    Patients,
    Queues,
    Maps,
    Audit,
    Settings,
    /// No entry.
    Elsewhere,
}

/// The data for the frame's template.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) title: String,
    pub(super) place: Place,
    pub(super) user: String,
    pub(super) csrf: String,
    pub(super) theme: &'static str,
    /// The purpose of use that the audit log records.
    pub(super) purpose: &'static str,
    pub(super) ends: Timestamp,
    /// The address to which the frame's forms return.
    pub(super) address: String,
    /// The state of the reserve while the disk is full.
    pub(super) disk_full: Option<DiskFull>,
    /// True if the person has asked for emergency access.
    pub(super) is_emergency: bool,
}

/// The number of reads that the audit log still has room for.
#[derive(Clone, Debug)]
pub(super) struct DiskFull {
    pub(super) n_reads: String,
    pub(super) n_emergency_reads: String,
}

/// A navigation entry: its label, and the key that opens it after `g`.
pub(super) struct Entry {
    pub(super) place: Place,
    pub(super) address: &'static str,
    pub(super) word: &'static str,
    /// The key that opens the page after `g`.
    pub(super) key: char,
}

pub(super) const RAIL: [Entry; 8] = [
    Entry {
        place: Place::Overview,
        address: "/",
        word: "Overview",
        key: 'o',
    },
    Entry {
        place: Place::Flows,
        address: "/flows",
        word: "Flows",
        key: 'f',
    },
    Entry {
        place: Place::Messages,
        address: "/messages",
        word: "Messages",
        key: 'm',
    },
    Entry {
        place: Place::Patients,
        address: "/patients",
        word: "Patients",
        key: 'p',
    },
    Entry {
        place: Place::Queues,
        address: "/queues",
        word: "Queues",
        key: 'q',
    },
    Entry {
        place: Place::Maps,
        address: "/maps",
        word: "Maps",
        key: 't',
    },
    Entry {
        place: Place::Audit,
        address: "/audit",
        word: "Audit",
        key: 'a',
    },
    Entry {
        place: Place::Settings,
        address: "/settings",
        word: "Settings",
        key: 's',
    },
];

// === impl Frame ===

impl Frame {
    pub(super) fn new(visitor: &Visitor, place: Place, title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            place,
            user: visitor.user().to_owned(),
            csrf: visitor.session.csrf.clone(),
            theme: visitor.theme,
            purpose: purpose(visitor),
            ends: visitor.session.ends,
            address: visitor.address.clone(),
            disk_full: visitor.reserve.map(|reserve| DiskFull {
                n_reads: thousands(reserve.n_ordinary_left()),
                n_emergency_reads: thousands(reserve.n_emergency_left()),
            }),
            is_emergency: visitor.caller.purpose == Purpose::EmergencyTreatment,
        }
    }

    /// Returns the time of the automatic logoff, for the countdown script.
    pub(super) fn ends_iso(&self) -> String {
        self.ends.to_fhir()
    }

    /// Returns the themes: code, label, and whether it is the current one.
    pub(super) fn themes(&self) -> [(&'static str, &'static str, bool); 3] {
        [
            ("system", "System", self.theme.is_empty()),
            ("light", "Light", self.theme == "light"),
            ("dark", "Dark", self.theme == "dark"),
        ]
    }
}

fn purpose(visitor: &Visitor) -> &'static str {
    match visitor.caller.purpose {
        Purpose::Treatment => "treatment",
        Purpose::Operations => "operations",
        Purpose::PatientRequest => "patient request",
        Purpose::PublicHealth => "public health",
        Purpose::EmergencyTreatment => "emergency treatment",
    }
}

/// Renders a template as a response.
pub(super) fn page(template: &impl Template) -> Result<Response, Fault> {
    Ok(Html(template.render()?).into_response())
}
