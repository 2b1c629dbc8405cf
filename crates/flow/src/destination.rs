//! Destinations of messages. The chart is one; others can implement the same trait.

mod chart;

pub use chart::ChartDestination;

use crate::attention::{Attention, Concern};
use crate::topology::FlowConfig;
use base::Timestamp;
use hl7v2::Message;
use store::journal::Sequence;

/// A receiver of messages: one at a time per partition, many partitions at once.
pub trait Destination: Send + Sync {
    /// Returns why a message would be refused, judged by its type and version alone. Called on
    /// receipt, before the acknowledgement.
    fn refuses(&self, message: &Message) -> Option<Attention>;

    /// Applies a message. Idempotent: the same message under the same maps changes nothing the
    /// second time. Blocks until the result is on disk.
    fn apply(&self, task: &Task<'_>) -> Outcome;

    /// Returns what the message would change. Nothing is stored.
    fn dry_run(&self, task: &Task<'_>) -> DryRun;

    /// Returns the version of the maps that would apply a message now.
    fn map_version(&self) -> String;
}

/// One message to apply.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// Position in the journal.
    pub sequence: Sequence,
    /// Time of receipt.
    pub received: Timestamp,
    /// Flow that received the message.
    pub flow: &'a FlowConfig,
    /// The message.
    pub message: &'a Message,
    /// True for a replay requested by a person.
    pub replay: bool,
    /// True where a person reviewed the message and released it: its patient data is confirmed.
    pub confirmed: bool,
}

/// The outcome of applying a message.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The message is applied and on disk.
    Applied(Applied),
    /// The message can never be applied as it is. A person has to look.
    Refused {
        /// The reason.
        reason: Attention,
        /// Issues that the map reported, without PHI: locations and codes.
        issues: Vec<String>,
    },
    /// A later attempt may succeed: too many write conflicts with other messages, or a timeout.
    Deferred,
    /// The destination is down for all messages; the cause is not this message.
    Unavailable,
}

/// The details of an applied message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Number of resources created or changed.
    pub n_changed: usize,
    /// Number of issues that the map reported.
    pub n_issues: u32,
    /// Concerns that a person has to look at although the message was applied.
    pub concerns: Vec<Concern>,
    /// Version of the map set.
    pub map_version: String,
    /// True where the message was applied before and nothing was done.
    pub already: bool,
}

/// The changes that a message would make if it were applied now. Holds PHI: show it under a permit.
#[derive(Clone, Debug, Default)]
pub struct DryRun {
    /// Changes, one per resource.
    pub changes: Vec<Change>,
    /// Concerns that a person would have to look at.
    pub concerns: Vec<Concern>,
    /// The same message in the journal: while the deduplication window is open, the stored answer
    /// would be sent and nothing would be done.
    pub repeats: Option<Sequence>,
    /// Reason for which the message would be refused, if any.
    pub refused: Option<Attention>,
    /// Issues that the map reported, without PHI: locations and codes.
    pub issues: Vec<String>,
}

/// A change that one message would make to one resource.
#[derive(Clone)]
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

impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Change")
            .field("resource_type", &self.resource_type)
            .finish_non_exhaustive()
    }
}
