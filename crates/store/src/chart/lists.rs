//! Lists of senders: the entries of one kind, for one patient or visit, as each sender last listed
//! them.
//!
//! A list is named by its subject (`allergies|Patient/9f…`) and its sender. It holds the resources
//! that the sender lists now, and the time of the latest event that listed them. A resource that
//! left the list records its own outcome.

use super::{Moment, ReadError};
use base::Timestamp;

/// The name of a list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListName {
    /// The subject of the list.
    pub of: String,
    /// The sender that owns the list.
    pub sender: String,
}

/// The current list of one sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SenderList {
    /// The sender that owns the list.
    pub sender: String,
    /// The latest event that the list reflects; `None` if no event had a time.
    pub at: Option<Timestamp>,
    /// The type and id of each entry.
    pub entries: Vec<(&'static str, String)>,
}

/// A change to one list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListChange {
    /// The list.
    pub list: ListName,
    /// The time of the event that causes the change; `None`, or an earlier time, keeps the known
    /// one.
    pub at: Option<Timestamp>,
    /// The type and id of each resource that enters the list.
    pub enters: Vec<(&'static str, String)>,
    /// The type and id of each resource that leaves the list.
    pub leaves: Vec<(&'static str, String)>,
}

// === impl Moment ===

impl Moment<'_> {
    /// Returns each sender's list for a subject, ordered by sender.
    pub fn lists_of(&self, of: &str) -> Result<Vec<SenderList>, ReadError> {
        let found = self.session.lists_of(of);
        found.map_err(|fault| self.chart.read_error(fault))
    }

    /// Returns the lists that contain a resource.
    pub fn lists_with(&self, resource_type: &str, id: &str) -> Result<Vec<ListName>, ReadError> {
        let number = self.chart.type_number(resource_type)?;
        let found = self.session.lists_with(number, id);
        found.map_err(|fault| self.chart.read_error(fault))
    }
}
