//! Lists and searches over the journal, newest first, paged by key.

use super::{Sequence, State, Summary};
use base::Timestamp;

/// Selects messages. An empty filter selects all; each field narrows the selection.
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
    /// The message's state.
    pub state: Option<State>,
    /// Several states, any of which matches. Empty matches all.
    pub any_of: Vec<State>,
    /// The reason for the state: the first entry of [`Summary::reason`] (up to `; `), or else of
    /// [`Summary::no_message`]; empty for messages without a reason.
    pub reason: Option<String>,
    /// Only messages whose mapping reported issues.
    pub has_issues: bool,
    /// Received at or after.
    pub from: Option<Timestamp>,
    /// Received before.
    pub until: Option<Timestamp>,
    /// Words in the raw text; its index is built behind the writes.
    pub text: Option<String>,
}

/// The part of the result to return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Only messages before this one: the `next` of the previous page.
    pub before: Option<Sequence>,
    /// The largest number of rows.
    pub limit: usize,
}

/// One page of the result.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Newest first.
    pub rows: Vec<Summary>,
    /// The position to ask for the next page; none at the end. A page may be short and still have a next one:
    /// a search that finds little returns after a bounded amount of work.
    pub next: Option<Sequence>,
    /// The number of messages that the text index is behind, if the filter asks for text.
    pub text_lag: Option<u64>,
}
