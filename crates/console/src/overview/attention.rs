//! What a person has to look at, grouped by reason, each with the one action that helps.

use super::super::fault::Fault;
use super::super::handles::Handles;
use super::super::markup::{encode, thousands};
use super::super::messages::OPEN;
use base::Timestamp;
use flow::Attention;
use store::journal::{Filter, Page, Sequence, State};
use web::App;

/// Messages of one flow that wait for a person for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) flow: String,
    pub(crate) state: State,
    pub(crate) reason: String,
    /// Stands for the reason in an address.
    pub(crate) handle: String,
    pub(crate) n: u64,
    /// Counting stopped: there are more.
    pub(crate) is_cut: bool,
    pub(crate) since: Timestamp,
    pub(crate) newest: Sequence,
}

/// So many messages of a state are counted.
const MAX_COUNTED: usize = 100_000;

/// The states that wait for a person.
const STATES: [State; 4] = [
    State::NeedsAttention,
    State::Dead,
    State::Held,
    State::Parked,
];

/// The list of everything that waits for a person: what the sum of the groups counts.
pub(crate) fn address() -> String {
    format!("/messages?state={}", encode(OPEN))
}

/// What rests, by flow, state and reason. A reason may hold what somebody typed, so addresses have a
/// handle of it; whoever only counts needs none.
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

/// When a message came; none where its day is pruned.
fn received(app: &App, sequence: Sequence) -> Result<Option<Timestamp>, Fault> {
    let page = Page {
        before: Some(Sequence::new(sequence.get().saturating_add(1))),
        limit: 1,
    };
    let newest = app.journal.list(&Filter::default(), page)?.rows;
    let found = newest.first().filter(|row| row.sequence == sequence);
    Ok(found.map(|row| row.received))
}

/// Changes when the list has to be shown anew.
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

    /// The messages of the group.
    pub(crate) fn address(&self) -> String {
        format!(
            "/messages?flow={}&state={}&reason={}",
            encode(&self.flow),
            encode(self.state.word()),
            encode(&self.handle)
        )
    }

    /// The newest of them, beside the others.
    pub(crate) fn first(&self) -> String {
        let query = self.address();
        let query = query.split_once('?').map_or("", |(_, query)| query);
        format!("/messages/{}?{query}", self.newest)
    }

    /// What helps.
    pub(crate) fn remedy(&self) -> &'static str {
        match self.state {
            State::NeedsAttention if self.is_in_chart() => "once the map is right; or settle each",
            State::NeedsAttention if self.is_senders_fault() => "once the sender knows",
            State::NeedsAttention => "once map or configuration is right",
            State::Dead => "the cause may have passed",
            State::Held => "once somebody has looked",
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
            // The disk's, but only its sender has it.
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

    /// The word on the button, where one click on all of them helps.
    pub(crate) fn action(&self) -> Option<(&'static str, &'static str)> {
        match self.state {
            // The same bytes would fail again: the sender has to send others.
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
