//! What an audit entry says.

use base::Timestamp;
use std::fmt;

/// An entry's place: the first is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(u64);

/// One access. The log adds place and time.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// Who: a user or client name.
    pub actor: String,
    /// The interaction or action in FHIR's words: `read`, `search-type`, `login`, `replay`.
    pub action: String,
    /// The resource type, or what kind of thing: `Patient`, `message`.
    pub resource_type: String,
    /// The resource's id, or the query's shape without values (`Observation?patient&code`).
    pub target: String,
    /// The patients whose data it touched.
    pub patients: Vec<String>,
    /// The purpose of use: `TREAT`.
    pub purpose: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The address that asked.
    pub source: String,
    /// The request's id, as in the logs.
    pub request_id: String,
    /// An emergency read: goes on when the disk is full and the reserve's part for others is used up.
    pub emergency: bool,
}

/// How an access ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    #[default]
    Success,
    /// Refused or hidden.
    Refused,
    /// Failed by the caller's fault.
    Failed,
    /// Failed by ours.
    Error,
}

/// An entry as it lies in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its place.
    pub position: Position,
    /// When; never before an earlier entry.
    pub at: Timestamp,
    /// The chart's relay number, if it came that way.
    pub relay: Option<u64>,
    /// What it says.
    pub entry: Entry,
}

/// What kind of actor: a person, an application with a token, or the program itself and whoever
/// nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorKind {
    /// Somebody who logged in.
    Person,
    /// Whoever holds a bearer token.
    Application,
    /// The flows and other work of the program.
    Program,
    /// Nobody who could be named: a login that failed at the door.
    Nobody,
}

/// Which entries; each field narrows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Entries that touched this patient.
    pub patient: Option<String>,
    /// Entries of this actor.
    pub actor: Option<String>,
    /// Entries of actors of these kinds; none asks for all.
    pub kinds: Vec<ActorKind>,
    /// Entries with one of these actions; none asks for all.
    pub actions: Vec<&'static str>,
    /// Entries about this: a resource type, or `message`, and the id.
    pub about: Option<(String, String)>,
    /// Only what was refused or failed.
    pub failed_only: bool,
    /// At or after.
    pub from: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

/// What entries are sorted by; those that are alike stay newest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Column {
    /// When.
    #[default]
    At,
    /// Who.
    Actor,
    /// What was done.
    Action,
    /// Whose data: the last patient that the entry names.
    Patient,
    /// The purpose of use.
    Purpose,
    /// From where.
    Source,
    /// How it ended.
    Outcome,
}

/// An order, and which part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sorted {
    /// What by.
    pub by: Column,
    /// From the end.
    pub descending: bool,
    /// So many are left out.
    pub skip: usize,
    /// At most so many.
    pub limit: usize,
}

/// Which part of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Only entries before this one: the `next` of the page before.
    pub before: Option<Position>,
    /// At most so many.
    pub limit: usize,
}

/// One page.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Newest first.
    pub rows: Vec<Recorded>,
    /// Ask with this for the next page.
    pub next: Option<Position>,
    /// How many entries the search index is behind.
    pub lag: u64,
}

// === impl ActorKind ===

impl ActorKind {
    /// Of an entry's actor.
    pub fn of(actor: &str) -> Self {
        match actor.split_once(':') {
            Some(("user", _)) => Self::Person,
            Some(("token", _)) => Self::Application,
            Some(("system", _)) => Self::Program,
            _ => Self::Nobody,
        }
    }

    /// Its number in the index.
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
    /// From its number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
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
    /// The code in `http://terminology.hl7.org/CodeSystem/audit-event-outcome` (R4 `AuditEvent.outcome`).
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Refused | Self::Failed => 4,
            Self::Error => 8,
        }
    }
}
