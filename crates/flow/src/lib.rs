//! From a source, through decode and map, to a destination.
//!
//! Invariants:
//! - a positive acknowledgement goes out only after the journal's fsync returned;
//! - what was applied to the chart is decided by the chart's own transaction, so a message that is
//!   taken up again after a crash changes nothing twice;
//! - the messages of one partition reach the chart in the order in which the journal numbered them;
//! - every message ends applied, or in a state that a person sees.

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
pub use control::{ControlError, Replayed, Resend, Resent, Resented};
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
