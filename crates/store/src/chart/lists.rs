//! What senders list: of one kind, for one patient or visit, as each last said.
//!
//! A list is named by what it is of (`allergies|Patient/9f…`) and by whose it is. It holds the
//! resources that its sender lists now, and the time of the latest event that said so; what became
//! of a resource that left it stands in the resource.

use super::{Moment, ReadError};
use base::Timestamp;

/// Names a list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListName {
    /// What it is of.
    pub of: String,
    /// Whose it is.
    pub sender: String,
}

/// What one sender lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SenderList {
    /// Whose it is.
    pub sender: String,
    /// The latest event that it has news of; none where no event had a time.
    pub at: Option<Timestamp>,
    /// Type and id of what is in it.
    pub entries: Vec<(&'static str, String)>,
}

/// What a batch changes in one list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListChange {
    /// The list.
    pub list: ListName,
    /// The event that it comes from; none, or an earlier one, keeps the time that is known.
    pub at: Option<Timestamp>,
    /// Type and id of what comes into it.
    pub enters: Vec<(&'static str, String)>,
    /// Type and id of what leaves it.
    pub leaves: Vec<(&'static str, String)>,
}

// === impl Moment ===

impl Moment<'_> {
    /// What each sender lists of this, in the order of their names.
    pub fn lists_of(&self, of: &str) -> Result<Vec<SenderList>, ReadError> {
        let found = self.session.lists_of(of);
        found.map_err(|fault| self.chart.read_error(fault))
    }

    /// The lists that a resource is in.
    pub fn lists_with(&self, resource_type: &str, id: &str) -> Result<Vec<ListName>, ReadError> {
        let number = self.chart.type_number(resource_type)?;
        let found = self.session.lists_with(number, id);
        found.map_err(|fault| self.chart.read_error(fault))
    }
}
