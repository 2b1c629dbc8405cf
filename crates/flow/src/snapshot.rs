//! What the console's picture shows. Every number comes from the journal and survives a restart.

use base::Timestamp;
use std::net::SocketAddr;

/// All flows at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The moment.
    pub at: Timestamp,
    /// One each, in the order of the configuration.
    pub flows: Vec<FlowSnapshot>,
}

/// One flow at one moment.
#[derive(Clone, Debug, Default)]
pub struct FlowSnapshot {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub address: Option<SocketAddr>,
    /// Its state.
    pub state: FlowState,
    /// Connections open now.
    pub connections: usize,
    /// Messages in the journal.
    pub received: u64,
    /// Of these, in the chart.
    pub applied: u64,
    /// Of these, on the way.
    pub waiting: u64,
    /// Of these, for a person to look at: refused, failed, dead.
    pub needs_attention: u64,
    /// Of these, held until somebody releases them.
    pub held: u64,
    /// When the last message came.
    pub last_received: Option<Timestamp>,
    /// The last 60 minutes, oldest first, the running one last.
    pub minutes: Vec<Minute>,
}

/// What happened in one minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Minute {
    /// Messages that came in.
    pub received: u32,
    /// Messages that reached the chart.
    pub applied: u32,
    /// Messages that began to need attention.
    pub failed: u32,
}

/// Whether a flow runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlowState {
    /// It takes messages.
    #[default]
    Running,
    /// It takes no new messages and finishes what it has.
    Draining,
    /// It takes no messages: a disk error or a full disk.
    Stopped,
}

// === impl Snapshot ===

impl Snapshot {
    /// The sum over all flows of one number, such as `snapshot.total(|flow| flow.received)`.
    pub fn total(&self, of: impl Fn(&FlowSnapshot) -> u64) -> u64 {
        self.flows.iter().map(of).sum()
    }
}

// === impl FlowState ===

impl FlowState {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
        }
    }
}
