//! Audit entries, and the filters, orders and pages that select them.

use base::Timestamp;
use std::fmt;

/// An entry's place in the log: the first is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(u64);

/// One access. The log adds its position and time.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// The user or client name.
    pub actor: String,
    /// The interaction or action in FHIR's words: `read`, `search-type`, `login`, `replay`.
    pub action: String,
    /// The resource type, or another kind of object: `Patient`, `message`.
    pub resource_type: String,
    /// The resource's id, or the query's shape without values (`Observation?patient&code`).
    pub target: String,
    /// The patients whose data was accessed.
    pub patients: Vec<String>,
    /// The purpose of use: `TREAT`.
    pub purpose: String,
    /// The outcome.
    pub outcome: Outcome,
    /// The address of the caller.
    pub source: String,
    /// The request's id, as in the logs.
    pub request_id: String,
    /// True for an emergency read: it continues when the disk is full and the ordinary part of the reserve is
    /// used up.
    pub emergency: bool,
}

/// The outcome of an access.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// Succeeded.
    #[default]
    Success,
    /// Refused or hidden.
    Refused,
    /// Failed because of the caller.
    Failed,
    /// Failed because of an internal error.
    Error,
}

/// An entry as it is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The entry's position.
    pub position: Position,
    /// The time; never before that of an earlier entry.
    pub at: Timestamp,
    /// The chart's relay number, if the entry came from the chart.
    pub relay: Option<u64>,
    /// The entry.
    pub entry: Entry,
}

/// The kind of an actor: a person, an application with a token, or the program itself and unknown callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorKind {
    /// A person who logged in.
    Person,
    /// An application that presented a bearer token.
    Application,
    /// The flows and other work of the program.
    Program,
    /// A caller who could not be named: a login that failed.
    Nobody,
}

/// Selects entries; each field narrows the selection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Entries that accessed this patient's data.
    pub patient: Option<String>,
    /// Entries of this actor.
    pub actor: Option<String>,
    /// Entries of actors of these kinds; empty matches all.
    pub kinds: Vec<ActorKind>,
    /// Entries with one of these actions; empty matches all.
    pub actions: Vec<&'static str>,
    /// Entries about this object: a resource type, or `message`, and the id.
    pub about: Option<(String, String)>,
    /// Only entries that were refused or failed.
    pub failed_only: bool,
    /// At or after.
    pub from: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

/// The column that entries are sorted by; equal ones stay newest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Column {
    /// The time.
    #[default]
    At,
    /// The actor.
    Actor,
    /// The action.
    Action,
    /// The last patient that the entry names.
    Patient,
    /// The purpose of use.
    Purpose,
    /// The source address.
    Source,
    /// The outcome.
    Outcome,
}

/// A sort order, and the part of the result to return.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sorted {
    /// The column to sort by.
    pub by: Column,
    /// True for descending order.
    pub descending: bool,
    /// The number of entries to skip.
    pub skip: usize,
    /// The largest number of entries.
    pub limit: usize,
}

/// The part of the result to return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Only entries before this one: the `next` of the previous page.
    pub before: Option<Position>,
    /// The largest number of entries.
    pub limit: usize,
}

/// One page of the result.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Newest first.
    pub rows: Vec<Recorded>,
    /// The position to ask for the next page.
    pub next: Option<Position>,
    /// The number of entries that the search index is behind.
    pub lag: u64,
}

// === impl ActorKind ===

impl ActorKind {
    /// Returns the kind of an entry's actor.
    pub fn of(actor: &str) -> Self {
        match actor.split_once(':') {
            Some(("user", _)) => Self::Person,
            Some(("token", _)) => Self::Application,
            Some(("system", _)) => Self::Program,
            _ => Self::Nobody,
        }
    }

    /// Returns the kind's number in the index.
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Person => 0,
            Self::Application => 1,
            Self::Program => 2,
            Self::Nobody => 3,
        }
    }
}

// === impl Position ===

impl Position {
    /// Makes a position from its number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

// === impl Entry ===

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("action", &self.action)
            .field("resource_type", &self.resource_type)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

// === impl Outcome ===

impl Outcome {
    /// Returns the code in `http://terminology.hl7.org/CodeSystem/audit-event-outcome` (R4
    /// `AuditEvent.outcome`).
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Refused | Self::Failed => 4,
            Self::Error => 8,
        }
    }
}
