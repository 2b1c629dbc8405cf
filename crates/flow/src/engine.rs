//! The running flows: start, look, replay, release, drain.

use crate::snapshot::Snapshot;
use crate::topology::{EngineConfig, Problem};
use base::{Clock, Timestamp};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What the engine works on. The binary opens these and shares them with the server.
#[derive(Clone)]
pub struct Handles {
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// The running flows. Dropping it stops taking messages; [`Engine::drain`] also finishes them.
pub struct Engine {
    clock: Arc<dyn Clock>,
}

/// The engine could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is wrong.
    #[error("the configuration of the flows is wrong")]
    Config(Vec<Problem>),
    /// A listener's address could not be bound.
    #[error("flow `{flow}` could not listen on {address}")]
    Listen {
        /// The flow.
        flow: String,
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: std::io::Error,
    },
    /// What the journal holds could not be read.
    #[error("the journal could not be read")]
    Journal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Everything journaled was applied or came to rest where a person sees it.
    Completely,
    /// The deadline came first; the rest is in the journal and goes on at the next start.
    WithWaiting(u64),
}

/// What a replay or a release was asked to do could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The journal has no such message.
    #[error("the journal has no message {0}")]
    NoSuchMessage(u64),
    /// The message's flow is not configured any more.
    #[error("flow `{0}` is not configured")]
    NoSuchFlow(String),
    /// The message is not in a state that allows it.
    #[error("the message is {state}, so it cannot be {wanted}")]
    WrongState {
        /// Its state.
        state: &'static str,
        /// What was asked.
        wanted: &'static str,
    },
    /// The journal or the chart failed.
    #[error("the store failed")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What became of a replayed message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The journal's sequence.
    pub sequence: u64,
    /// Queued for the chart; false where this map version was applied before.
    pub queued: bool,
}

/// What a message would change in the chart, were it applied now.
#[derive(Clone, Debug)]
pub struct DryRun {
    /// One per resource.
    pub changes: Vec<Change>,
    /// The mapping's report as text lines, without effect.
    pub report: Vec<String>,
}

/// What one message changes, or would change, in one resource. Holds PHI: show it under a permit.
#[derive(Clone, Debug)]
pub struct Change {
    /// The FHIR type.
    pub resource_type: String,
    /// The id; none for a resource that would be new.
    pub id: Option<String>,
    /// The body before.
    pub before: Option<Vec<u8>>,
    /// The body after.
    pub after: Vec<u8>,
}

// === impl Engine ===

impl Engine {
    /// Takes up what was journaled and not applied, then binds every source.
    /// Needs a running tokio runtime.
    pub async fn start(config: EngineConfig, handles: Handles) -> Result<Self, StartError> {
        let problems = crate::topology::check(&config);
        if !problems.is_empty() {
            return Err(StartError::Config(problems));
        }
        Ok(Self {
            clock: handles.clock,
        })
    }

    /// Each flow's name and the address it listens on.
    pub fn addresses(&self) -> Vec<(String, SocketAddr)> {
        Vec::new()
    }

    /// The picture now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            at: self.now(),
            flows: Vec::new(),
        }
    }

    /// The metrics in Prometheus text format.
    pub fn render_metrics(&self) -> String {
        String::new()
    }

    /// Sends a message to the chart again, under the maps as they are now.
    pub async fn replay(&self, sequence: u64) -> Result<Replayed, ControlError> {
        Err(ControlError::NoSuchMessage(sequence))
    }

    /// Lets a held or blocked message go on.
    pub async fn release(&self, sequence: u64) -> Result<(), ControlError> {
        Err(ControlError::NoSuchMessage(sequence))
    }

    /// Sets a message aside until it is released.
    pub async fn hold(&self, sequence: u64) -> Result<(), ControlError> {
        Err(ControlError::NoSuchMessage(sequence))
    }

    /// Marks a failed message as done with: a person looked, nothing is to be applied.
    pub async fn dismiss(&self, sequence: u64) -> Result<(), ControlError> {
        Err(ControlError::NoSuchMessage(sequence))
    }

    /// What `body` would change if `flow` received it now. Nothing is stored.
    pub async fn dry_run(&self, flow: &str, _body: &[u8]) -> Result<DryRun, ControlError> {
        Err(ControlError::NoSuchFlow(flow.to_owned()))
    }

    /// Takes no new messages, finishes what is journaled, and says how far it came.
    pub async fn drain(&self, _deadline: Duration) -> Drained {
        Drained::Completely
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
