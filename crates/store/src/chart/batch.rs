//! What a caller asks to be written, as one whole, and what came of it.
//!
//! Invariants:
//! - a [`Batch`] is written whole or not at all, in one transaction;
//! - extraction and compression happen in [`Prepared`], on the caller's thread, so that the one
//!   writer only writes;
//! - a change that would leave the body as it is makes no version.

use super::ListChange;
use crate::audit;
use access::RowFilter;
use base::Timestamp;
use search::{Extraction, Query};

/// How soon the writer takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Somebody waits for the acknowledgement of a message. Goes first.
    Acknowledging,
    /// A person or an app waits.
    Interactive,
    /// Large work that waits for nobody: taken in slices between the others.
    Import,
}

/// One whole of changes: a message, a FHIR transaction, one request.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Must all hold in the transaction that writes.
    pub conditions: Vec<Condition>,
    /// The resources. One resource may be changed once.
    pub changes: Vec<Change>,
    /// Business keys to be taken.
    pub keys: Vec<KeyClaim>,
    /// What changes in the lists of senders.
    pub lists: Vec<ListChange>,
    /// Marks a message as applied. Where it is marked already, nothing is written:
    /// [`Outcome::AlreadyApplied`](Receipt::already_applied).
    pub applied: Option<Applied>,
    /// The digest of an input that makes resources under new ids. Where it is kept already, nothing is
    /// written, as with [`Batch::applied`]: the same input twice would make them twice.
    pub imported: Option<[u8; 32]>,
    /// Where the values of changed resources came from.
    pub lineage: Vec<Lineage>,
    /// Audit entries that commit with the changes and are relayed to the audit log.
    pub audit: Vec<audit::Entry>,
}

/// Something that must hold in the transaction that writes (`If-None-Exist`, conditional update and
/// delete). Where it does not, the caller searches again and redoes its work.
#[derive(Clone, Debug)]
pub struct Condition {
    /// The criteria.
    pub query: Query,
    /// The id of the one resource that matches; `None`: no resource matches.
    pub matches: Option<String>,
    /// Among these rows: what the asker may not see does not match, so that nobody learns of it.
    pub rows: RowFilter,
}

/// A new state of one resource.
#[derive(Clone, Debug)]
pub struct Change {
    /// The logical id.
    pub id: String,
    /// The new state.
    pub state: NewState,
    /// What must be so before.
    pub expect: Expect,
    /// The time of the event it came from. The latest one is kept with the resource.
    pub event: Option<Timestamp>,
    /// True: refuse where the resource already has news of a later event.
    pub refuse_older: bool,
}

/// The state that a change leads to.
#[derive(Clone, Debug)]
pub enum NewState {
    /// This body. Creates the resource where there is none, also again after a delete.
    Body(Prepared),
    /// Deleted. Deleting what is not there changes nothing.
    Deleted {
        /// The resource type.
        resource_type: &'static str,
    },
}

/// What must be so before a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expect {
    /// Nothing.
    #[default]
    Anything,
    /// The resource is not there, or is deleted.
    Absent,
    /// The resource is there in this version (`If-Match: W/"3"`).
    Version(u32),
}

/// A body ready to be written: its postings extracted, its bytes compressed.
#[derive(Clone)]
pub struct Prepared {
    pub(crate) extraction: Extraction,
    pub(crate) body: Compressed,
    /// What the person of a Patient is made from.
    pub(crate) identity: Option<crate::chart::person::Identity>,
}

/// A compressed body.
#[derive(Clone)]
pub(crate) struct Compressed {
    /// Which dictionary; 0 is none.
    pub(crate) dictionary: u16,
    pub(crate) bytes: Box<[u8]>,
    /// The first eight bytes of the SHA-256 of the body: equal means unchanged.
    pub(crate) digest: i64,
}

/// A name that a source has for a resource: a record number, an order number. A key names one
/// resource for ever; a resource may have many.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BusinessKey {
    /// The system or assigning authority.
    pub system: String,
    /// What kind of number; may be empty.
    pub kind: String,
    /// The number.
    pub value: String,
}

/// Takes a key for a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyClaim {
    /// The key.
    pub key: BusinessKey,
    /// The type of the resource.
    pub resource_type: &'static str,
    /// Its id.
    pub id: String,
    /// The id that the key names now, where it is to be moved on purpose (A47 and its like).
    pub moved_from: Option<String>,
}

/// A message that is in the chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The message's key, such as its journal sequence.
    pub message: Vec<u8>,
    /// The version of the maps that read it.
    pub map_version: String,
    /// What a person has to look at in it, in the words of whoever applies it.
    pub concerns: Option<String>,
}

/// Where the values of one changed resource came from.
#[derive(Clone, Debug)]
pub struct Lineage {
    /// Which of the batch's changes.
    pub change: usize,
    /// The message's key, as in [`Applied`].
    pub message: Vec<u8>,
    /// One for each value.
    pub origins: Vec<Origin>,
}

/// Where one value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The element: `Patient.name[0].family`.
    pub element: String,
    /// The source field: `PID-5[1].1`.
    pub source: String,
    /// The field's value as the message had it.
    pub value: String,
    /// The map row: `adt.map:41`.
    pub row: String,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// One for each change, in order. Empty where the message was applied before.
    pub written: Vec<Written>,
    /// The message was applied before, or the input imported; nothing was written.
    pub already_applied: bool,
    /// What stood in [`Applied::concerns`] then.
    pub concerns: Option<String>,
    /// Records that the message brought under one identifier and that cannot be one person's. Each
    /// pair is told to one message only.
    pub contradictions: Vec<Contradiction>,
}

/// Two records of source Patients that share an identifier which names a person, and are kept apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// The ids of the two Patients, the older first.
    pub records: [String; 2],
    /// The identifier's type: `SS`, `NI`; empty where it has none. Its value is not told.
    pub kind: String,
    /// What they differ in: `birth date and sex`. Free of PHI.
    pub differ: String,
}

/// What became of one change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The resource type.
    pub resource_type: &'static str,
    /// The logical id.
    pub id: String,
    /// The version that is current now; 0 where a delete found nothing.
    pub version: u32,
    /// Its time.
    pub updated: Timestamp,
    /// What happened.
    pub outcome: Outcome,
}

/// What happened to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was not there and is now.
    Created,
    /// It has a new version.
    Updated,
    /// It was as asked already.
    Unchanged,
    /// It was there and is gone.
    Deleted,
}

// === impl Batch ===

impl Batch {
    /// One change and nothing else.
    pub fn of(change: Change) -> Self {
        Self {
            changes: vec![change],
            ..Self::default()
        }
    }
}

// === impl Change ===

impl Change {
    /// Creates or updates.
    pub fn put(id: impl Into<String>, body: Prepared) -> Self {
        Self {
            id: id.into(),
            state: NewState::Body(body),
            expect: Expect::Anything,
            event: None,
            refuse_older: false,
        }
    }

    /// Creates; a conflict where the resource is there.
    pub fn create(id: impl Into<String>, body: Prepared) -> Self {
        Self {
            expect: Expect::Absent,
            ..Self::put(id, body)
        }
    }

    /// Deletes.
    pub fn delete(resource_type: &'static str, id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            state: NewState::Deleted { resource_type },
            expect: Expect::Anything,
            event: None,
            refuse_older: false,
        }
    }

    /// Only if this holds before.
    #[must_use]
    pub fn expecting(mut self, expect: Expect) -> Self {
        self.expect = expect;
        self
    }

    /// Comes from an event at this time.
    #[must_use]
    pub fn of_event(mut self, at: Timestamp) -> Self {
        self.event = Some(at);
        self
    }

    /// The type of the resource.
    pub fn resource_type(&self) -> &'static str {
        match &self.state {
            NewState::Body(body) => body.extraction.resource_type,
            NewState::Deleted { resource_type } => resource_type,
        }
    }
}

// === impl Prepared ===

impl Prepared {
    /// The resource type.
    pub fn resource_type(&self) -> &'static str {
        self.extraction.resource_type
    }

    /// What the index will keep.
    pub fn extraction(&self) -> &Extraction {
        &self.extraction
    }
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared")
            .field("resource_type", &self.extraction.resource_type)
            .field("n_bytes", &self.body.bytes.len())
            .finish_non_exhaustive()
    }
}
