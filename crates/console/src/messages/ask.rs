//! The confirmation of a bulk action: what it would affect, shown before anything is done.
//!
//! Invariants:
//! - nothing is done before somebody has seen how many messages it affects and given a reason;
//! - no message that arrived later, and no more than were shown, are affected: if more match by
//!   then, the new number is shown first.

use super::super::fault::Fault;
use super::super::frame::{Frame, Place, page};
use super::super::markup::{Moment, count, thousands};
use super::super::visitor::{Form, Visitor};
use super::act::Act;
use super::filter::{Chip, ListQuery};
use super::list::check_flow;
use super::state_class;
use askama::Template;
use axum::response::Response;
use base::Timestamp;
use std::collections::BTreeMap;
use store::journal::{Filter, Page, Sequence, State};
use web::App;

/// The messages of a bulk action.
pub(super) struct Selection {
    /// The messages, oldest first.
    pub(super) messages: Vec<Sequence>,
    oldest: Option<Timestamp>,
    newest: Option<Timestamp>,
    /// The number of messages in each state.
    states: BTreeMap<&'static str, (State, u64)>,
    /// The journal's last message at the time of the lookup; later ones are not part of the action.
    last: Sequence,
    /// True if more messages match than one action may affect.
    is_cut: bool,
}

/// The number that was shown, carried back by the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShownCount {
    pub(super) last: Sequence,
    pub(super) n: u64,
}

/// A bulk action that waits for its reason.
pub(super) struct Question {
    pub(super) act: Act,
    pub(super) wanted: ListQuery,
    pub(super) chips: Vec<Chip>,
    pub(super) chosen: Selection,
    pub(super) why: String,
    /// The reason for asking again.
    pub(super) notice: Option<&'static str>,
}

/// The decision on a bulk action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The action runs.
    Go,
    /// The confirmation is shown, again with a notice if there is one.
    Ask(Option<&'static str>),
}

#[derive(Template)]
#[template(path = "messages/ask.html")]
struct AskPage {
    frame: Frame,
    question: Question,
    map_version: String,
}

/// The largest number of messages that one action affects.
const MAX_MESSAGES: usize = 1_000_000;
const SLICE: usize = 1_000;

// === impl Selection ===

impl Selection {
    /// Returns everything that matches the filter, up to a message of the journal. Blocks, so async
    /// code must not call it on its own thread.
    pub(super) fn take(app: &App, filter: &Filter, last: Option<Sequence>) -> Result<Self, Fault> {
        check_flow(app, filter)?;
        let last = last.unwrap_or_else(|| app.journal.last());
        let mut chosen = Self {
            messages: Vec::new(),
            oldest: None,
            newest: None,
            states: BTreeMap::new(),
            last,
            is_cut: false,
        };
        let mut before = Some(Sequence::new(last.get().saturating_add(1)));
        while before.is_some() && !chosen.is_cut {
            let page = Page {
                before,
                limit: SLICE,
            };
            let listing = app.journal.list(filter, page)?;
            for row in listing.rows {
                chosen.newest.get_or_insert(row.received);
                chosen.oldest = Some(row.received);
                let counted = chosen.states.entry(row.state.word());
                counted.or_insert((row.state, 0)).1 += 1;
                chosen.messages.push(row.sequence);
            }
            before = listing.next;
            chosen.is_cut = MAX_MESSAGES <= chosen.messages.len();
        }
        chosen.messages.truncate(MAX_MESSAGES);
        chosen.messages.reverse();
        Ok(chosen)
    }

    pub(super) fn n(&self) -> u64 {
        self.messages.len() as u64
    }

    /// Returns the count, such as `1,204 messages`.
    pub(super) fn words(&self) -> String {
        count(self.n(), "message", "messages")
    }

    fn by_state(&self) -> Vec<(&'static str, &'static str, String)> {
        let line = |(word, (state, n)): (&&'static str, &(State, u64))| {
            (*word, state_class(*state), thousands(*n))
        };
        self.states.iter().map(line).collect()
    }
}

// === impl ShownCount ===

impl ShownCount {
    /// Reads the number from the form; none if nothing has been shown yet.
    pub(super) fn of(form: &Form) -> Option<Self> {
        Some(Self {
            last: Sequence::new(form.get("last").parse().ok()?),
            n: form.get("n").parse().ok()?,
        })
    }
}

// === impl Question ===

impl Question {
    /// Decides whether the action may run now.
    pub(super) fn answer(shown: Option<ShownCount>, n_now: u64, why: &str) -> Answer {
        match shown {
            None => Answer::Ask(None),
            Some(shown) if shown.n < n_now => Answer::Ask(Some(
                "More messages match now than you were shown, so nothing was done. Check the new \
                 number.",
            )),
            Some(_) if why.is_empty() => {
                Answer::Ask(Some("Nothing has been done yet: give a reason."))
            }
            Some(_) => Answer::Go,
        }
    }

    pub(super) fn page(self, app: &App, visitor: &Visitor) -> Result<Response, Fault> {
        let title = format!("{} {}?", self.act.word(), self.chosen.words());
        page(&AskPage {
            frame: Frame::new(visitor, Place::Messages, title),
            question: self,
            map_version: app.maps.current().version.clone(),
        })
    }

    fn back(&self) -> String {
        format!("/messages?{}", self.wanted.query())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_done_unseen_or_without_a_reason() {
        let shown = |n| {
            Some(ShownCount {
                last: Sequence::new(9),
                n,
            })
        };
        // No number was shown; more match by now; no reason was given.
        assert_eq!(Question::answer(None, 3, "why"), Answer::Ask(None));
        assert!(matches!(
            Question::answer(shown(3), 4, "why"),
            Answer::Ask(Some(_))
        ));
        assert!(matches!(
            Question::answer(shown(3), 3, ""),
            Answer::Ask(Some(_))
        ));
        // As many as were shown, or fewer because others were handled in the meantime.
        assert_eq!(Question::answer(shown(3), 3, "why"), Answer::Go);
        assert_eq!(Question::answer(shown(3), 2, "why"), Answer::Go);
    }
}
