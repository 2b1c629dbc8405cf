//! The message pages: a list with filters, and one message beside it.
//!
//! Invariant: a list or a message is in the audit log before its first byte, with the patients of
//! the message that the chart knows.

mod act;
mod ask;
mod became;
mod bulk;
mod document;
mod edit;
mod fields;
mod filter;
mod fresh;
mod journey;
mod list;
mod open;
mod place;
mod raw;

pub(super) use act::{act_on_one, redirect};
pub(super) use became::{Difference, differences, origin_of};
pub(super) use bulk::{Batches, Shown, begin, progress, stop};
pub(super) use document::{document_page, file, inline};
pub(super) use edit::{edit, send, text_of};
pub(super) use filter::{OPEN, narrow};
pub(super) use fresh::fresh;
pub(super) use list::{Row, list, some_rows};
pub(super) use open::{download, open};
pub(super) use place::link_to_field;

use super::fault::Fault;
use store::journal::{Sequence, State, Stored};
use web::App;

/// Returns the CSS class of a state.
pub(super) fn state_class(state: State) -> &'static str {
    match state {
        State::Received => "wait",
        State::Mapped | State::Delivered => "good",
        State::Filtered => "off",
        State::Held | State::Parked => "hold",
        State::Dead | State::NeedsAttention => "bad",
    }
}

/// Returns a message, or none if it is pruned or damaged, for callers that can do without it.
/// Opening a damaged message reports the damage.
pub(super) fn readable(app: &App, sequence: Sequence) -> Result<Option<Stored>, Fault> {
    match app.journal.read(sequence) {
        Err(error) if error.is_damage() => Ok(None),
        other => Ok(other?),
    }
}
