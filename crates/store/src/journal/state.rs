//! What the ledger (`flow.db`) is told, and what it tells.

use super::Sequence;
use super::ledger::{Bulk, BulkProgress};
use base::Timestamp;

/// Where a message stands. Each but the first is written down with its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// On disk, not yet mapped.
    Received,
    /// In the chart.
    Mapped,
    /// At its destinations.
    Delivered,
    /// A filter said no, and the reason says which.
    Filtered,
    /// Waits for a person's word (an order in doubt, a failing head that was skipped).
    Held,
    /// Waits behind a failing head of its own partition.
    Parked,
    /// Given up after its attempts.
    Dead,
    /// A person has to look: no map, not a message, wrong processing id.
    NeedsAttention,
}

/// One thing that happened to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It stands there now.
    Progress(Progress),
    /// It is to be sent to that destination.
    Enqueued {
        /// The message.
        sequence: Sequence,
        /// The destination's configured name.
        destination: String,
        /// Its partition: one is in order.
        partition: String,
        /// Not before.
        due: Timestamp,
    },
    /// A send begins. Record this and wait before the first byte goes out.
    Attempt {
        /// The message.
        sequence: Sequence,
        /// The destination.
        destination: String,
        /// 1 for the first.
        n: u32,
    },
    /// What came of it. May ride with the next write.
    Outcome {
        /// The message.
        sequence: Sequence,
        /// The destination.
        destination: String,
        /// The attempt that it answers.
        n: u32,
        /// The result.
        result: Delivery,
        /// The peer's answer or the cause, without PHI.
        detail: Option<String>,
    },
    /// A partition waits behind that message.
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
    /// A partition goes on: its parked messages are received again.
    PartitionReleased {
        /// The flow.
        flow: String,
        /// The partition.
        partition: String,
    },
    /// Somebody asked that a message go through a map again. Asking twice is asking once.
    ReplayRequested {
        /// The message.
        sequence: Sequence,
        /// Through this version of the map set.
        map_version: String,
        /// Who asked.
        by: String,
    },
    /// A replay is done.
    ReplayDone {
        /// The message.
        sequence: Sequence,
        /// The version that it was asked for with.
        map_version: String,
        /// What came of it.
        detail: String,
    },
    /// A person stopped a flow: it takes no messages until it is started.
    FlowStopped {
        /// The flow.
        flow: String,
        /// Who.
        by: String,
    },
    /// Somebody asked for the same with many messages.
    BulkBegun(Box<Bulk>, Vec<Sequence>),
    /// It is so far.
    BulkWent {
        /// Which.
        id: String,
        /// How far.
        progress: BulkProgress,
    },
    /// It is over.
    BulkEnded {
        /// Which.
        id: String,
        /// Why early, where it is.
        stopped: Option<String>,
    },
    /// A person started it again.
    FlowStarted {
        /// The flow.
        flow: String,
        /// Who.
        by: String,
    },
}

/// Where a message stands now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The message.
    pub sequence: Sequence,
    /// Its flow.
    pub flow: String,
    /// Its partition in the flow.
    pub partition: String,
    /// Where it stands.
    pub state: State,
    /// Why.
    pub reason: Option<String>,
    /// How many issues its mapping reported.
    pub n_issues: u32,
    /// The version of the map set.
    pub map_version: Option<String>,
}

/// Where one message stands with one destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// To be sent, at its time.
    Queued,
    /// An attempt began and has no outcome: after a crash it is in doubt.
    Sending,
    /// The peer has it.
    Accepted,
    /// It may work later.
    Deferred {
        /// Not before.
        due: Timestamp,
    },
    /// It will never work as it is.
    Rejected,
    /// A person decides.
    Held,
}

/// A message in a destination's queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// The message.
    pub sequence: Sequence,
    /// The destination.
    pub destination: String,
    /// Its partition.
    pub partition: String,
    /// Attempts so far.
    pub n_attempts: u32,
    /// Where it stands.
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
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: String,
}

/// A flow that a person stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoppedFlow {
    /// The flow.
    pub flow: String,
    /// Since when.
    pub since: Timestamp,
    /// Who.
    pub by: String,
}

/// Somebody's wish that a message go through a map again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// The message.
    pub sequence: Sequence,
    /// Through this version.
    pub map_version: String,
    /// Who asked.
    pub by: String,
    /// When.
    pub requested: Timestamp,
    /// When it was done and what came of it.
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
    /// How many.
    pub n: u64,
    /// The oldest of them.
    pub oldest: Sequence,
    /// The newest of them.
    pub newest: Sequence,
}

/// How many messages of a flow stand somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// The flow.
    pub flow: String,
    /// Where they stand.
    pub state: State,
    /// How many.
    pub n: u64,
}

/// What a rate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rated {
    /// Messages that came.
    Received,
    /// Messages that came again.
    Repeated,
    /// Messages that went into this state.
    Became(State),
}

/// How many in one minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The minute's start.
    pub minute: Timestamp,
    /// The flow.
    pub flow: String,
    /// What is counted.
    pub rated: Rated,
    /// How many.
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

    /// The word that the console, the command line and the file use.
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

    /// The state of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

// The numbers below are in the files: never change one.

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
