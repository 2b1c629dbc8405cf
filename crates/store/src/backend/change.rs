//! The meaning of a change, before any engine writes it.

use crate::backend::Fault;
use crate::backend::stored::Res;
use crate::chart::batch::{Change, Outcome};
use crate::chart::{ApplyError, Conflict, Expect, Written};
use base::Timestamp;
use search::Extraction;

/// The states in `resource.state`: only named by others, live, gone.
pub(crate) const NAMED: i64 = 0;
pub(crate) const LIVE: i64 = 1;
pub(crate) const DELETED: i64 = 2;

/// The state of a resource before a change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Before {
    pub(crate) res: Res,
    pub(crate) version: u32,
    pub(crate) updated: Timestamp,
    pub(crate) event: Option<i64>,
    pub(crate) digest: i64,
    pub(crate) live: bool,
}

/// The reason why a batch was not written: the batch itself, or the engine.
pub(crate) enum NotWritten {
    Refused(ApplyError),
    Fault(Fault),
}

/// Returns the compartments of a body. A Patient is only in its own: a link says that two records
/// may be one person, and access to one does not give access to the other.
pub(crate) fn compartments<'a>(id: &'a str, extraction: &'a Extraction) -> Vec<&'a str> {
    if extraction.resource_type == "Patient" {
        vec![id]
    } else {
        extraction.patients.iter().map(String::as_str).collect()
    }
}

pub(crate) fn latest(event: Option<Timestamp>, before: Option<&Before>) -> Option<i64> {
    event
        .map(Timestamp::micros)
        .max(before.and_then(|before| before.event))
}

/// Returns the result of a change that changed nothing.
pub(crate) fn unchanged(resource_type: &'static str, id: &str, before: &Before) -> Written {
    let Before {
        version, updated, ..
    } = *before;
    Written {
        resource_type,
        id: id.to_owned(),
        version,
        updated,
        outcome: Outcome::Unchanged,
    }
}

pub(crate) fn outcome_number(outcome: Outcome) -> i64 {
    match outcome {
        Outcome::Created => 1,
        Outcome::Updated => 2,
        Outcome::Deleted => 3,
        Outcome::Unchanged => 0,
    }
}

/// Checks what the change expects of the version before it.
pub(crate) fn check_expectation(
    change: &Change,
    before: Option<&Before>,
) -> Result<(), NotWritten> {
    let live = before.filter(|before| before.live);
    let found = live.map(|before| before.version);
    let holds = match change.expect {
        Expect::Anything => true,
        Expect::Absent => found.is_none(),
        Expect::Version(version) => found == Some(version),
    };
    let resource_type = change.resource_type();
    let id = change.id.clone();
    if !holds {
        return Err(conflict(Conflict::Version {
            resource_type,
            id,
            found,
        }));
    }
    let stored = before
        .and_then(|before| before.event)
        .map(Timestamp::from_micros);
    match (stored, change.event) {
        (Some(stored), Some(event)) if change.refuse_older && event < stored => {
            Err(conflict(Conflict::OlderNews {
                resource_type,
                id,
                stored,
            }))
        }
        _ => Ok(()),
    }
}

pub(crate) fn conflict(conflict: Conflict) -> NotWritten {
    NotWritten::Refused(ApplyError::Conflict(conflict))
}

pub(crate) fn invalid(what: &'static str) -> NotWritten {
    NotWritten::Refused(ApplyError::Invalid(what))
}

// === impl NotWritten ===

impl From<Fault> for NotWritten {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
