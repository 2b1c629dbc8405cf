//! What a person has to look at, grouped by reason, each with the one action that helps.

use super::super::fault::Fault;
use super::super::markup::{encode, thousands};
use super::super::words;
use crate::app::App;
use base::Timestamp;
use flow::Attention;
use std::collections::BTreeMap;
use store::journal::{Filter, Page, Sequence, State};

/// Messages of one flow that wait for a person for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::console) struct Group {
    pub(in crate::console) flow: String,
    pub(in crate::console) state: State,
    pub(in crate::console) reason: String,
    pub(in crate::console) n: u64,
    /// Counting stopped: there are more.
    pub(in crate::console) is_cut: bool,
    pub(in crate::console) since: Timestamp,
    pub(in crate::console) newest: Sequence,
}

/// So many messages of a state are looked at.
const MAX_SEEN: usize = 1000;

/// The states that wait for a person.
const STATES: [State; 4] = [
    State::NeedsAttention,
    State::Dead,
    State::Held,
    State::Parked,
];

pub(in crate::console) fn groups(app: &App, _at: Timestamp) -> Result<Vec<Group>, Fault> {
    let mut groups: BTreeMap<(u8, String, String), Group> = BTreeMap::new();
    for (order, state) in STATES.into_iter().enumerate() {
        let filter = Filter {
            state: Some(state),
            ..Filter::default()
        };
        let listing = app.journal.list(
            &filter,
            Page {
                before: None,
                limit: MAX_SEEN,
            },
        )?;
        let is_cut = listing.next.is_some();
        for row in listing.rows {
            let reason = row.reason.or(row.no_message).unwrap_or_default();
            let reason = words::kind(&reason).to_owned();
            let key = (order as u8, row.flow.clone(), reason.clone());
            let group = groups.entry(key).or_insert_with(|| Group {
                flow: row.flow,
                state,
                reason,
                n: 0,
                is_cut,
                since: row.received,
                newest: row.sequence,
            });
            group.n += 1;
            group.since = group.since.min(row.received);
        }
    }
    Ok(groups.into_values().collect())
}

/// Changes when the list has to be shown anew.
pub(in crate::console) fn digest(groups: &[Group]) -> String {
    groups
        .iter()
        .map(|group| format!("{}.{}.{}", group.newest, group.n, group.state.word()))
        .collect::<Vec<_>>()
        .join("-")
}

// === impl Group ===

impl Group {
    pub(in crate::console) fn count(&self) -> String {
        format!(
            "{}{}",
            thousands(self.n),
            if self.is_cut { "+" } else { "" }
        )
    }

    pub(in crate::console) fn class(&self) -> &'static str {
        super::super::messages::state_class(self.state)
    }

    /// The messages of the group.
    pub(in crate::console) fn address(&self) -> String {
        format!(
            "/messages?flow={}&state={}",
            encode(&self.flow),
            encode(self.state.word())
        )
    }

    /// The newest of them, beside the others.
    pub(in crate::console) fn first(&self) -> String {
        let query = self.address();
        let query = query.split_once('?').map_or("", |(_, query)| query);
        format!("/messages/{}?{query}", self.newest)
    }

    /// What helps.
    pub(in crate::console) fn remedy(&self) -> &'static str {
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
    pub(in crate::console) fn action(&self) -> Option<(&'static str, &'static str)> {
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
