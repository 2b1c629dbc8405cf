//! Messages that need attention, grouped by reason, each group with the one action that helps.

use super::super::fault::Fault;
use super::super::handles::Handles;
use super::super::markup::{encode, thousands};
use super::super::messages::OPEN;
use base::Timestamp;
use flow::Attention;
use store::journal::{Filter, Page, Sequence, State};
use web::App;

/// The messages of one flow that wait for a person for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) flow: String,
    pub(crate) state: State,
    pub(crate) reason: String,
    /// The handle of the reason, for addresses.
    pub(crate) handle: String,
    pub(crate) n: u64,
    /// True if counting stopped before the end.
    pub(crate) is_cut: bool,
    pub(crate) since: Timestamp,
    pub(crate) newest: Sequence,
}

/// The largest number of messages counted per state.
const MAX_COUNTED: usize = 100_000;

/// The states that wait for a person.
const STATES: [State; 4] = [
    State::NeedsAttention,
    State::Dead,
    State::Held,
    State::Parked,
];

/// Returns the address of the list of everything that waits for a person, which is what the groups'
/// total counts.
pub(crate) fn address() -> String {
    format!("/messages?state={}", encode(OPEN))
}

/// Returns the waiting messages by flow, state and reason. A reason may contain typed text, so
/// addresses use a handle for it; callers that only count need none.
pub(crate) fn groups(
    app: &App,
    at: Timestamp,
    kept: Option<(&Handles, &str)>,
) -> Result<Vec<Group>, Fault> {
    let (resting, cut) = app.journal.ledger().resting(&STATES, MAX_COUNTED)?;
    resting
        .into_iter()
        .map(|resting| {
            Ok(Group {
                handle: kept.map_or_else(String::new, |(handles, user)| {
                    handles.keep(user, &resting.reason)
                }),
                since: received(app, resting.oldest)?.unwrap_or(at),
                is_cut: cut.contains(&resting.state),
                flow: resting.flow,
                state: resting.state,
                reason: resting.reason,
                n: resting.n,
                newest: resting.newest,
            })
        })
        .collect()
}

/// Returns the time at which a message was received; none if its day is pruned.
fn received(app: &App, sequence: Sequence) -> Result<Option<Timestamp>, Fault> {
    let page = Page {
        before: Some(Sequence::new(sequence.get().saturating_add(1))),
        limit: 1,
    };
    let newest = app.journal.list(&Filter::default(), page)?.rows;
    let found = newest.first().filter(|row| row.sequence == sequence);
    Ok(found.map(|row| row.received))
}

/// Returns a digest that changes whenever the list has to be rendered again.
pub(crate) fn digest(groups: &[Group]) -> String {
    groups
        .iter()
        .map(|group| format!("{}.{}.{}", group.newest, group.n, group.state.word()))
        .collect::<Vec<_>>()
        .join("-")
}

// === impl Group ===

impl Group {
    pub(crate) fn count(&self) -> String {
        format!(
            "{}{}",
            thousands(self.n),
            if self.is_cut { "+" } else { "" }
        )
    }

    pub(crate) fn class(&self) -> &'static str {
        super::super::messages::state_class(self.state)
    }

    /// Returns the address of the group's messages.
    pub(crate) fn address(&self) -> String {
        format!(
            "/messages?flow={}&state={}&reason={}",
            encode(&self.flow),
            encode(self.state.word()),
            encode(&self.handle)
        )
    }

    /// Returns the address of the group's newest message beside the others.
    pub(crate) fn first(&self) -> String {
        let query = self.address();
        let query = query.split_once('?').map_or("", |(_, query)| query);
        format!("/messages/{}?{query}", self.newest)
    }

    /// Returns the remedy.
    pub(crate) fn remedy(&self) -> &'static str {
        match self.state {
            State::NeedsAttention if self.is_in_chart() => "once the map is right; or settle each",
            State::NeedsAttention if self.is_senders_fault() => "once the sender knows",
            State::NeedsAttention => "once map or configuration is right",
            State::Dead => "the cause may have passed",
            State::Held => "once somebody has reviewed them",
            State::Parked => "They go on when the message before them is released",
            State::Received | State::Mapped | State::Delivered | State::Filtered => "",
        }
    }

    fn is_senders_fault(&self) -> bool {
        Attention::parse(&self.reason).is_some_and(|reason| match reason {
            Attention::NoMessage
            | Attention::BatchEnvelope
            | Attention::Fragment
            | Attention::NoMessageType
            | Attention::NoControlId
            | Attention::NoProcessingId
            | Attention::WrongProcessingId
            | Attention::TooManyParts
            | Attention::TooLarge
            | Attention::MergeWithItself
            | Attention::MergeCircle
            | Attention::NoPatient
            | Attention::AnotherPerson
            // The disk is at fault, but only the sender has the message.
            | Attention::Damaged => true,
            Attention::NoMap
            | Attention::UnknownVersion
            | Attention::MapFailed
            | Attention::ChartRefused
            | Attention::Ambiguous
            | Attention::TooManyAttempts
            | Attention::NumberOfAnother
            | Attention::NamelessPatient
            | Attention::SharedIdentifier
            | Attention::FutureDated
            | Attention::UnclearCorrection
            | Attention::UnusableValue
            | Attention::Incomplete => false,
        })
    }

    fn is_in_chart(&self) -> bool {
        Attention::parse(&self.reason).is_some_and(Attention::in_chart)
    }

    /// Returns the label of the button, if one click on all messages helps.
    pub(crate) fn action(&self) -> Option<(&'static str, &'static str)> {
        match self.state {
            // The same bytes would fail again: the sender has to send other ones.
            State::NeedsAttention if self.is_senders_fault() => Some(("skip", "Skip")),
            State::NeedsAttention | State::Dead => Some(("replay", "Replay all")),
            State::Held => Some(("release", "Release all")),
            State::Parked
            | State::Received
            | State::Mapped
            | State::Delivered
            | State::Filtered => None,
        }
    }
}
