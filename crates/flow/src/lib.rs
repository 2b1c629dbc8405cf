//! Flows: from a source, through decoding and mapping, to a destination.
//!
//! Invariants:
//! - a positive acknowledgement goes out only after the journal's fsync returned;
//! - the chart's own transaction decides whether a message was applied, so applying a message again
//!   after a crash is idempotent;
//! - messages of one partition reach the chart in journal order;
//! - every message ends either applied or in a state that a person sees.

pub mod attention;
pub mod control;
pub mod destination;
pub mod engine;
pub mod events;
mod feed;
mod flow;
mod intake;
mod join;
pub mod maps;
pub mod metrics;
mod recovery;
pub mod snapshot;
mod source;
mod step;
pub mod topology;

pub use attention::{Attention, Concern};
pub use control::{ControlError, Replayed, Resend, ResendResult, Resent};
pub use control::{Import, Imported, Stopped};
pub use destination::{Applied, Change, ChartDestination, Destination, DryRun, Outcome, Task};
pub use engine::{Drained, Engine, Handles, Sources, StartError};
pub use events::{CloseReason, Event, Events};
pub use feed::{Feed, Sender};
pub use join::{JoinError, Joined, join, remember};
pub use maps::{Edition, LiveMaps, Maps, MapsRefused, ReadMaps, Reloaded};
pub use metrics::Metrics;
pub use snapshot::{FlowSnapshot, FlowState, Minute, Snapshot};
pub use step::decode::header as journal_header;
pub use topology::{
    AckPolicy, AttentionPolicy, EngineConfig, FailingHead, FlowConfig, MapConfig, MllpConfig,
    PartitionKey, Problem, ProcessingId, RecordScope, Refusal, Refusals, SourceConfig,
};
