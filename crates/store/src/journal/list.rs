//! Lists and searches over the journal, newest first, paged by key.

use super::{Sequence, State, Summary};
use base::Timestamp;

/// Which messages. An empty filter takes all; each field narrows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The flow's name.
    pub flow: Option<String>,
    /// `ADT^A01`, or `ADT` for all its events.
    pub message_type: Option<String>,
    /// MSH-10.
    pub control_id: Option<String>,
    /// Any of the message's patient identifiers.
    pub patient: Option<String>,
    /// PV1-19.1.
    pub visit: Option<String>,
    /// Any of the message's order numbers.
    pub accession: Option<String>,
    /// Where it stands.
    pub state: Option<State>,
    /// The same for several: it stands in one of these. Empty takes all.
    pub any_of: Vec<State>,
    /// Why it stands there: the first entry of [`Summary::reason`] (up to `; `), or else of
    /// [`Summary::no_message`]; empty for those that have no reason.
    pub reason: Option<String>,
    /// Only those whose mapping reported issues.
    pub has_issues: bool,
    /// Received at or after.
    pub from: Option<Timestamp>,
    /// Received before.
    pub until: Option<Timestamp>,
    /// Words in the raw text; the index over it is built behind.
    pub text: Option<String>,
}

/// Which part of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Only messages before this one: the `next` of the page before.
    pub before: Option<Sequence>,
    /// At most so many.
    pub limit: usize,
}

/// One page.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Newest first.
    pub rows: Vec<Summary>,
    /// Ask with this for the next page; none at the end. A page may be short and have a next one:
    /// a search that finds little gives back after a bounded amount of work.
    pub next: Option<Sequence>,
    /// How many messages the text index is behind, where the filter asks for text.
    pub text_lag: Option<u64>,
}
