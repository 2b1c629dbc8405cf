//! Results of reads: resources, versions, pages.

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
    /// The position of this version in the commit order of all resources.
    pub rid: u64,
    /// The time of the latest event that the resource reflects.
    pub event: Option<Timestamp>,
    /// The bytes as sent, with `id`, `meta.versionId` and `meta.lastUpdated` inserted.
    pub body: Vec<u8>,
}

/// The result of a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// The resource.
    Found(Box<Resource>),
    /// The resource was deleted: HTTP 410.
    Gone {
        /// The version that the delete created.
        version: u32,
        /// The time of the delete.
        updated: Timestamp,
    },
    /// The resource does not exist or may not be seen: HTTP 404.
    Missing,
}

/// The subject of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryOf<'a> {
    /// One resource.
    Resource {
        /// The resource type.
        resource_type: &'a str,
        /// The logical id.
        id: &'a str,
    },
    /// All resources of a type.
    Type(&'a str),
    /// All resources.
    System,
}

/// The requested part of a history, which runs from the newest version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryPage {
    /// Only versions at or after this time (`_since`).
    pub since: Option<Timestamp>,
    /// The page size; 0 means 100.
    pub count: u32,
    /// The [`History::next`] of the previous page.
    pub cursor: Option<String>,
}

/// One page of a history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The entries, newest first.
    pub entries: Vec<HistoryEntry>,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}

/// One version in a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The effect that created the version; never [`Outcome::Unchanged`].
    pub outcome: Outcome,
    /// The version; its body is empty for a delete.
    pub resource: Resource,
}

/// One page of a search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The matches, in order.
    pub matches: Vec<Resource>,
    /// Resources added by `_include` and `_revinclude`; none of them is also a match.
    pub included: Vec<Resource>,
    /// The cursor of the next page (`_cursor`), if there is one.
    pub next: Option<String>,
    /// The total number of matches, if it was requested.
    pub total: Option<Count>,
    /// True if includes were cut off at the limit.
    pub includes_cut: bool,
    /// In the person view: the id of each source Patient that the resources refer to, mapped to the
    /// id of the person that stands for it. Empty in the plain view.
    pub persons: BTreeMap<String, String>,
}

/// A number of matches. Counting stops at a limit, so that no count occupies a reader for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Exactly this many.
    Exact(u64),
    /// This many or more.
    AtLeast(u64),
}

/// Limits of one search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The page size if the query names none.
    pub default_count: u32,
    /// The largest page size.
    pub max_count: u32,
    /// The limit at which counting stops.
    pub max_total: u64,
    /// The limit at which includes stop.
    pub max_included: usize,
}

/// The requested part of an `$everything` result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EverythingPage {
    /// Only these types; empty means all.
    pub types: Vec<String>,
    /// Only resources changed at or after this time (`_since`).
    pub since: Option<Timestamp>,
    /// The page size; 0 means 100.
    pub count: u32,
    /// The [`Page::next`] of the previous page.
    pub cursor: Option<String>,
}

/// The source of an element's value in one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traced {
    /// The version of the resource that the message created.
    pub version: u32,
    /// The time of that version.
    pub updated: Timestamp,
    /// The message's key.
    pub message: Vec<u8>,
    /// The field, value and map row.
    pub origin: Origin,
}

/// One application of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedAt {
    /// The version of the maps.
    pub map_version: String,
    /// The time of the application.
    pub at: Timestamp,
    /// Findings in the message that a person has to look at.
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

/// Statistics for metrics and the console.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// The number of current resources by type, without deleted ones.
    pub resources: Vec<(&'static str, u64)>,
    /// The number of versions ever written.
    pub versions: u64,
    /// The size on disk in bytes, including the write-ahead log.
    pub bytes: u64,
    /// The number of batches that wait for the writer.
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
