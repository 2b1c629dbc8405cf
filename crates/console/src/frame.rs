//! What every page has around it: rail, search, who is signed in, time until logoff.

use super::fault::Fault;
use super::markup::thousands;
use super::visitor::Visitor;
use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use base::{Purpose, Timestamp};

/// Which entry of the rail a page belongs to.
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
    /// None of them.
    Elsewhere,
}

/// What the frame's template needs.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) title: String,
    pub(super) place: Place,
    pub(super) user: String,
    pub(super) csrf: String,
    pub(super) theme: &'static str,
    /// The purpose of use that the audit log will say.
    pub(super) purpose: &'static str,
    pub(super) ends: Timestamp,
    /// Where a form of the frame comes back to.
    pub(super) address: String,
    /// What is so while the disk is full.
    pub(super) disk_full: Option<DiskFull>,
    /// The person has asked for emergency access.
    pub(super) is_emergency: bool,
}

/// How many more reads the audit log has room for.
#[derive(Clone, Debug)]
pub(super) struct DiskFull {
    pub(super) n_reads: String,
    pub(super) n_emergency_reads: String,
}

/// An entry of the rail: a word, and the key that goes there after `g`.
pub(super) struct Entry {
    pub(super) place: Place,
    pub(super) address: &'static str,
    pub(super) word: &'static str,
    /// `g` and this key goes there.
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

    /// The instant of the automatic logoff, for the script that counts down.
    pub(super) fn ends_iso(&self) -> String {
        self.ends.to_fhir()
    }

    /// The theme that the switch leads to, and what it is called.
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

/// A template as an answer.
pub(super) fn page(template: &impl Template) -> Result<Response, Fault> {
    Ok(Html(template.render()?).into_response())
}
