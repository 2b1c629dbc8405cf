//! The changes that the ledger (`flow.db`) records, and the records that it returns.

use super::Sequence;
use super::ledger::{Bulk, BulkProgress};
use base::Timestamp;

/// The states of a message. Each but the first is recorded with its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// On disk, not yet mapped.
    Received,
    /// In the chart.
    Mapped,
    /// Delivered to its destinations.
    Delivered,
    /// Rejected by a filter, which the reason names.
    Filtered,
    /// Waits for a person's decision (an order in doubt, a failing head that was skipped).
    Held,
    /// Waits behind a failing head of its own partition.
    Parked,
    /// Given up after its attempts.
    Dead,
    /// Needs a person: no map, not a message, wrong processing id.
    NeedsAttention,
}

/// One change in the life of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new state of a message.
    Progress(Progress),
    /// A message is queued for a destination.
    Enqueued {
        /// The message.
        sequence: Sequence,
        /// The destination's configured name.
        destination: String,
        /// The partition, within which order is kept.
        partition: String,
        /// The earliest time to send.
        due: Timestamp,
    },
    /// A send begins. Record this and wait before the first byte is sent.
    Attempt {
        /// The message.
        sequence: Sequence,
        /// The destination.
        destination: String,
        /// 1 for the first.
        n: u32,
    },
    /// The outcome of an attempt. May be written with the next batch.
    Outcome {
        /// The message.
        sequence: Sequence,
        /// The destination.
        destination: String,
        /// The number of the attempt.
        n: u32,
        /// The result.
        result: Delivery,
        /// The peer's answer or the cause, without PHI.
        detail: Option<String>,
    },
    /// A partition waits behind the head.
    PartitionParked {
        /// The flow.
        flow: String,
        /// The partition.
        partition: String,
        /// The failing head.
        head: Sequence,
        /// Why.
        reason: String,
    },
    /// A partition continues: its parked messages are received again.
    PartitionReleased {
        /// The flow.
        flow: String,
        /// The partition.
        partition: String,
    },
    /// A person asked to replay a message. Asking twice is idempotent.
    ReplayRequested {
        /// The message.
        sequence: Sequence,
        /// The version of the map set to use.
        map_version: String,
        /// The person who asked.
        by: String,
    },
    /// A replay is done.
    ReplayDone {
        /// The message.
        sequence: Sequence,
        /// The version of the map set that was asked for.
        map_version: String,
        /// The result.
        detail: String,
    },
    /// A person stopped a flow: it accepts no messages until it is started.
    FlowStopped {
        /// The flow.
        flow: String,
        /// The person.
        by: String,
    },
    /// A person asked for one action on many messages.
    BulkBegun(Box<Bulk>, Vec<Sequence>),
    /// Progress of a bulk request.
    BulkWent {
        /// The bulk request.
        id: String,
        /// The progress so far.
        progress: BulkProgress,
    },
    /// A bulk request ended.
    BulkEnded {
        /// The bulk request.
        id: String,
        /// The reason why it ended early, if it did.
        stopped: Option<String>,
    },
    /// A person started a flow again.
    FlowStarted {
        /// The flow.
        flow: String,
        /// The person.
        by: String,
    },
}

/// The current state of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The message.
    pub sequence: Sequence,
    /// The message's flow.
    pub flow: String,
    /// The message's partition in the flow.
    pub partition: String,
    /// The state.
    pub state: State,
    /// The reason.
    pub reason: Option<String>,
    /// The number of issues that the mapping reported.
    pub n_issues: u32,
    /// The version of the map set.
    pub map_version: Option<String>,
}

/// The state of one message at one destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// To be sent, when due.
    Queued,
    /// An attempt began and has no outcome: after a crash it is in doubt.
    Sending,
    /// The peer has it.
    Accepted,
    /// Failed for now; a later attempt may succeed.
    Deferred {
        /// The earliest time of the next attempt.
        due: Timestamp,
    },
    /// Rejected for good: an unchanged message will never succeed.
    Rejected,
    /// Waits for a person's decision.
    Held,
}

/// A message in a destination's queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// The message.
    pub sequence: Sequence,
    /// The destination.
    pub destination: String,
    /// The message's partition.
    pub partition: String,
    /// The number of attempts so far.
    pub n_attempts: u32,
    /// The state of the delivery.
    pub delivery: Delivery,
    /// The last answer or cause.
    pub detail: Option<String>,
}

/// A partition that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// The flow.
    pub flow: String,
    /// The partition.
    pub partition: String,
    /// The failing head.
    pub head: Sequence,
    /// The time since when.
    pub since: Timestamp,
    /// The reason.
    pub reason: String,
}

/// A flow that a person stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoppedFlow {
    /// The flow.
    pub flow: String,
    /// The time since when.
    pub since: Timestamp,
    /// The person.
    pub by: String,
}

/// A person's request to replay a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// The message.
    pub sequence: Sequence,
    /// The version of the map set to use.
    pub map_version: String,
    /// The person who asked.
    pub by: String,
    /// The time of the request.
    pub requested: Timestamp,
    /// The time it was done, and the result.
    pub done: Option<(Timestamp, String)>,
}

/// Messages of one flow that rest in one state for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resting {
    /// The flow.
    pub flow: String,
    /// The state.
    pub state: State,
    /// The first entry of the reason, which they share; empty for none.
    pub reason: String,
    /// The number of messages.
    pub n: u64,
    /// The oldest of them.
    pub oldest: Sequence,
    /// The newest of them.
    pub newest: Sequence,
}

/// The number of messages of a flow in one state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// The flow.
    pub flow: String,
    /// The state.
    pub state: State,
    /// The number of messages.
    pub n: u64,
}

/// The events that a rate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rated {
    /// Messages that arrived.
    Received,
    /// Messages that arrived again.
    Repeated,
    /// Messages that entered this state.
    Became(State),
}

/// The number of events in one minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The minute's start.
    pub minute: Timestamp,
    /// The flow.
    pub flow: String,
    /// The kind of event.
    pub rated: Rated,
    /// The number of events.
    pub n: u64,
}

// === impl State ===

impl State {
    /// Every state, in the order of a message's life.
    pub const ALL: [Self; 8] = [
        Self::Received,
        Self::Mapped,
        Self::Delivered,
        Self::Filtered,
        Self::Held,
        Self::Parked,
        Self::Dead,
        Self::NeedsAttention,
    ];

    /// Returns the word that the console, the command line and the file use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Mapped => "mapped",
            Self::Delivered => "delivered",
            Self::Filtered => "filtered",
            Self::Held => "held",
            Self::Parked => "parked",
            Self::Dead => "dead",
            Self::NeedsAttention => "needs attention",
        }
    }

    /// Parses the word of a state.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

// The numbers below are stored in the files: never change one.

pub(super) fn state_code(state: State) -> i64 {
    State::ALL
        .iter()
        .position(|known| *known == state)
        .unwrap_or_default() as i64
}

pub(super) fn state_of(code: i64) -> State {
    let index = usize::try_from(code).unwrap_or_default();
    State::ALL
        .get(index)
        .copied()
        .unwrap_or(State::NeedsAttention)
}

pub(super) fn rated_code(rated: Rated) -> i64 {
    match rated {
        Rated::Received => 100,
        Rated::Repeated => 101,
        Rated::Became(state) => state_code(state),
    }
}

pub(super) fn rated_of(code: i64) -> Rated {
    match code {
        100 => Rated::Received,
        101 => Rated::Repeated,
        state => Rated::Became(state_of(state)),
    }
}
