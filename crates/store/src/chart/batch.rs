//! Batches: changes that are written as one unit, and the receipt for them.
//!
//! Invariants:
//! - a [`Batch`] is written completely or not at all, in one transaction;
//! - extraction and compression happen in [`Prepared`], on the caller's thread, so that the single
//!   writer only writes;
//! - a change that leaves the body unchanged creates no version.

use super::ListChange;
use crate::audit;
use access::RowFilter;
use base::Timestamp;
use search::{Extraction, Query};

/// The priority with which the writer takes a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// A sender waits for the acknowledgement of a message. Served first.
    Acknowledging,
    /// A person or an app is waiting.
    Interactive,
    /// Bulk work that nobody waits for, written in slices between the other lanes.
    Import,
}

/// One unit of changes: a message, a FHIR transaction or a single request.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Conditions that must all hold in the transaction that writes the batch.
    pub conditions: Vec<Condition>,
    /// The changes. A batch may change a resource only once.
    pub changes: Vec<Change>,
    /// Business keys to claim.
    pub keys: Vec<KeyClaim>,
    /// Changes to the lists of senders.
    pub lists: Vec<ListChange>,
    /// Marks a message as applied. If it is already marked, nothing is written, and
    /// [`Receipt::already_applied`] is set.
    pub applied: Option<Applied>,
    /// The digest of an input that creates resources under new ids. If the digest is already
    /// stored, nothing is written, as with [`Batch::applied`]: the same input twice would create
    /// them twice.
    pub imported: Option<[u8; 32]>,
    /// The sources of the values in changed resources.
    pub lineage: Vec<Lineage>,
    /// Audit entries that commit with the changes and are then relayed to the audit log.
    pub audit: Vec<audit::Entry>,
}

/// A condition that must hold in the transaction that writes (`If-None-Exist`, conditional update
/// and delete). If it does not, the caller searches again and redoes its work.
#[derive(Clone, Debug)]
pub struct Condition {
    /// The search criteria.
    pub query: Query,
    /// The id of the only resource that matches; `None` if no resource may match.
    pub matches: Option<String>,
    /// The rows to search. A resource that the caller may not see does not match, so the result
    /// does not reveal it.
    pub rows: RowFilter,
}

/// A new state of one resource.
#[derive(Clone, Debug)]
pub struct Change {
    /// The logical id.
    pub id: String,
    /// The new state.
    pub state: NewState,
    /// The required state before the change.
    pub expect: Expect,
    /// The time of the event that caused the change. The latest one is kept with the resource.
    pub event: Option<Timestamp>,
    /// True to refuse the change if the resource already reflects a later event.
    pub refuse_older: bool,
}

/// The state that a change leads to.
#[derive(Clone, Debug)]
pub enum NewState {
    /// The resource has this body. Creates it if it does not exist, or recreates it after a delete.
    Body(Prepared),
    /// The resource is deleted. Deleting a resource that does not exist changes nothing.
    Deleted {
        /// The resource type.
        resource_type: &'static str,
    },
}

/// The state that a change requires of the resource beforehand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expect {
    /// No requirement.
    #[default]
    Anything,
    /// The resource does not exist or is deleted.
    Absent,
    /// The resource exists in this version (`If-Match: W/"3"`).
    Version(u32),
}

/// A body ready to write, with postings extracted and bytes compressed.
#[derive(Clone)]
pub struct Prepared {
    pub(crate) extraction: Extraction,
    pub(crate) body: Compressed,
    /// The elements of a Patient from which its person is built.
    pub(crate) identity: Option<crate::chart::person::Identity>,
}

/// A compressed body.
#[derive(Clone)]
pub(crate) struct Compressed {
    /// The number of the dictionary; 0 means none.
    pub(crate) dictionary: u16,
    pub(crate) bytes: Box<[u8]>,
    /// The first eight bytes of the SHA-256 of the body. Equal digests mean that nothing changed.
    pub(crate) digest: i64,
}

/// A source's name for a resource, such as a record number or an order number. A key names one
/// resource for ever; a resource may have many keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BusinessKey {
    /// The system or assigning authority.
    pub system: String,
    /// The kind of number; may be empty.
    pub kind: String,
    /// The number.
    pub value: String,
}

/// A claim of a key for a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyClaim {
    /// The key.
    pub key: BusinessKey,
    /// The type of the resource.
    pub resource_type: &'static str,
    /// The id of the resource.
    pub id: String,
    /// The id that the key names now, if the key is moved on purpose (A47 and similar events).
    pub moved_from: Option<String>,
}

/// The mark that a message has been applied to the chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The message's key, such as its journal sequence.
    pub message: Vec<u8>,
    /// The version of the maps that translated it.
    pub map_version: String,
    /// Findings in the message that a person has to look at, as worded by the code that applies it.
    pub concerns: Option<String>,
}

/// The sources of the values of one changed resource.
#[derive(Clone, Debug)]
pub struct Lineage {
    /// The index of the change in the batch.
    pub change: usize,
    /// The message's key, as in [`Applied`].
    pub message: Vec<u8>,
    /// One origin for each value.
    pub origins: Vec<Origin>,
}

/// The source of one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The element: `Patient.name[0].family`.
    pub element: String,
    /// The field's value as it was in the message.
    pub source: String,
    /// The field's value as the message had it.
    pub value: String,
    /// The map row: `adt.map:41`.
    pub row: String,
}

/// The result of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// One entry for each change, in order. Empty if the message was already applied.
    pub written: Vec<Written>,
    /// True if the message was already applied, or the input already imported. Nothing was written.
    pub already_applied: bool,
    /// The [`Applied::concerns`] that were stored at that time.
    pub concerns: Option<String>,
    /// Records that the message brought under one identifier but that cannot belong to one person.
    /// Each pair is reported for one message only.
    pub contradictions: Vec<Contradiction>,
}

/// Two source Patients that share an identifier which names a person, but are kept apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// The ids of the two Patients, the older first.
    pub records: [String; 2],
    /// The identifier's type: `SS`, `NI`; empty if it has none. Its value is not included.
    pub kind: String,
    /// The differences, such as `birth date and sex`. Free of PHI.
    pub differ: String,
}

/// The result of one change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The resource type.
    pub resource_type: &'static str,
    /// The logical id.
    pub id: String,
    /// The current version; 0 if a delete found nothing.
    pub version: u32,
    /// The time of that version.
    pub updated: Timestamp,
    /// The effect of the change.
    pub outcome: Outcome,
}

/// The effect of a change on a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The resource was created.
    Created,
    /// The resource has a new version.
    Updated,
    /// The resource already was as requested.
    Unchanged,
    /// The resource was deleted.
    Deleted,
}

// === impl Batch ===

impl Batch {
    /// Returns a batch of a single change.
    pub fn of(change: Change) -> Self {
        Self {
            changes: vec![change],
            ..Self::default()
        }
    }
}

// === impl Change ===

impl Change {
    /// Returns a change that creates or updates a resource.
    pub fn put(id: impl Into<String>, body: Prepared) -> Self {
        Self {
            id: id.into(),
            state: NewState::Body(body),
            expect: Expect::Anything,
            event: None,
            refuse_older: false,
        }
    }

    /// Returns a change that creates a resource, and conflicts if it already exists.
    pub fn create(id: impl Into<String>, body: Prepared) -> Self {
        Self {
            expect: Expect::Absent,
            ..Self::put(id, body)
        }
    }

    /// Returns a change that deletes a resource.
    pub fn delete(resource_type: &'static str, id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            state: NewState::Deleted { resource_type },
            expect: Expect::Anything,
            event: None,
            refuse_older: false,
        }
    }

    /// Applies the change only if this expectation holds beforehand.
    #[must_use]
    pub fn expecting(mut self, expect: Expect) -> Self {
        self.expect = expect;
        self
    }

    /// Sets the time of the event that caused the change.
    #[must_use]
    pub fn of_event(mut self, at: Timestamp) -> Self {
        self.event = Some(at);
        self
    }

    /// Returns the type of the resource.
    pub fn resource_type(&self) -> &'static str {
        match &self.state {
            NewState::Body(body) => body.extraction.resource_type,
            NewState::Deleted { resource_type } => resource_type,
        }
    }
}

// === impl Prepared ===

impl Prepared {
    /// Returns the resource type.
    pub fn resource_type(&self) -> &'static str {
        self.extraction.resource_type
    }

    /// Returns the extracted postings that the index will store.
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
