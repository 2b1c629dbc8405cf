//! What comes out: resources, versions, pages.

use crate::chart::batch::{Origin, Outcome};
use base::Timestamp;
use std::collections::BTreeMap;

/// One version of one resource.
#[derive(Clone, PartialEq, Eq)]
pub struct Resource {
    /// The resource type.
    pub resource_type: &'static str,
    /// The logical id.
    pub id: String,
    /// The version, from 1.
    pub version: u32,
    /// `meta.lastUpdated`.
    pub updated: Timestamp,
    /// The place of this version in the order of commits, over all resources.
    pub rid: u64,
    /// The time of the latest event that the resource has news of.
    pub event: Option<Timestamp>,
    /// The bytes as sent, with `id`, `meta.versionId` and `meta.lastUpdated` put in.
    pub body: Vec<u8>,
}

/// The answer to a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// Here it is.
    Found(Box<Resource>),
    /// It was deleted: HTTP 410.
    Gone {
        /// The version that the delete made.
        version: u32,
        /// When.
        updated: Timestamp,
    },
    /// It is not there, or may not be seen: HTTP 404.
    Missing,
}

/// Whose history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryOf<'a> {
    /// One resource.
    Resource {
        /// The type.
        resource_type: &'a str,
        /// The id.
        id: &'a str,
    },
    /// All resources of a type.
    Type(&'a str),
    /// All.
    System,
}

/// Which part of a history. Newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryPage {
    /// `_since`: at or after.
    pub since: Option<Timestamp>,
    /// At most so many; 0 is 100.
    pub count: u32,
    /// [`History::next`] of the page before.
    pub cursor: Option<String>,
}

/// One page of a history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Newest first.
    pub entries: Vec<HistoryEntry>,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}

/// One version in a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// What was done: never [`Outcome::Unchanged`].
    pub outcome: Outcome,
    /// The version; its body is empty where it is a delete.
    pub resource: Resource,
}

/// One page of a search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// What matched, in order.
    pub matches: Vec<Resource>,
    /// What came along by `_include` and `_revinclude`, none of it among the matches.
    pub included: Vec<Resource>,
    /// The cursor of the next page (`_cursor`), if there is one.
    pub next: Option<String>,
    /// How many match in all, where it was asked for.
    pub total: Option<Count>,
    /// Includes were cut off at the limit.
    pub includes_cut: bool,
    /// In the person view: the id of each source Patient that the resources refer to, and the id of
    /// the person as whom it is answered. Empty in the plain view.
    pub persons: BTreeMap<String, String>,
}

/// A number of matches. Counting stops at a limit, so that no count holds a reader for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// So many.
    Exact(u64),
    /// So many or more.
    AtLeast(u64),
}

/// Limits of one search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The page size where the query names none.
    pub default_count: u32,
    /// The largest page.
    pub max_count: u32,
    /// Counting stops here.
    pub max_total: u64,
    /// Includes stop here.
    pub max_included: usize,
}

/// Which part of everything about patients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EverythingPage {
    /// Only these types; empty is all.
    pub types: Vec<String>,
    /// `_since`: changed at or after.
    pub since: Option<Timestamp>,
    /// At most so many; 0 is 100.
    pub count: u32,
    /// [`Page::next`] of the page before.
    pub cursor: Option<String>,
}

/// Where the value of an element came from, in one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traced {
    /// The version of the resource that the message made.
    pub version: u32,
    /// When.
    pub updated: Timestamp,
    /// The message's key.
    pub message: Vec<u8>,
    /// Field, value and map row.
    pub origin: Origin,
}

/// When a message was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedAt {
    /// The version of the maps.
    pub map_version: String,
    /// When.
    pub at: Timestamp,
    /// What a person has to look at in it.
    pub concerns: Option<String>,
    /// The records that it brought under one identifier and that are kept apart.
    pub contradictions: Vec<super::Contradiction>,
}

/// A person and the source records that are linked to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The id of the person's own Patient resource.
    pub id: String,
    /// The ids of the source Patients, the oldest first.
    pub members: Vec<String>,
}

/// Numbers for metrics and the console.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Current resources by type, deleted ones not counted.
    pub resources: Vec<(&'static str, u64)>,
    /// Versions ever written.
    pub versions: u64,
    /// Bytes on disk, write-ahead log included.
    pub bytes: u64,
    /// Batches that wait for the writer.
    pub queued: usize,
    /// The time of the newest version.
    pub updated: Option<Timestamp>,
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            default_count: 20,
            max_count: 1000,
            max_total: 10_000,
            max_included: 5_000,
        }
    }
}

// === impl Resource ===

impl std::fmt::Debug for Resource {
    // The body is PHI.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}/{} v{} rid {}",
            self.resource_type, self.id, self.version, self.rid
        )
    }
}
