//! Where messages go. The chart is one; others come later behind the same seam.

mod chart;

pub use chart::ChartDestination;

use crate::attention::{Attention, Concern};
use crate::topology::FlowConfig;
use base::Timestamp;
use hl7v2::Message;
use store::journal::Sequence;

/// Takes messages, one at a time per partition, many partitions at once.
pub trait Destination: Send + Sync {
    /// What keeps a message out, as far as its type and version tell: asked at the door, before it
    /// is acknowledged.
    fn refuses(&self, message: &Message) -> Option<Attention>;

    /// Applies a message. The same message under the same maps changes nothing the second time.
    /// Blocks until what it says is on disk.
    fn apply(&self, task: &Task<'_>) -> Outcome;

    /// What it would change. Nothing is stored.
    fn dry_run(&self, task: &Task<'_>) -> DryRun;

    /// The version of what it would apply messages with now.
    fn map_version(&self) -> String;
}

/// One message to apply.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// Its place in the journal.
    pub sequence: Sequence,
    /// When it came.
    pub received: Timestamp,
    /// The flow that it came by.
    pub flow: &'a FlowConfig,
    /// The message.
    pub message: &'a Message,
    /// Asked for again by a person.
    pub replay: bool,
    /// A person looked at it and let it go on: what it says of its patient is meant.
    pub confirmed: bool,
}

/// What became of it.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is in, on disk.
    Applied(Applied),
    /// It will never go in as it is. A person has to look.
    Refused {
        /// Why.
        reason: Attention,
        /// What the map reported, without PHI: locations and codes.
        issues: Vec<String>,
    },
    /// It may work at another time: another message was quicker too often, a timeout.
    Deferred,
    /// The destination is down for everybody; it is no fault of this message.
    Unavailable,
}

/// How it went in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Resources made or changed.
    pub n_changed: usize,
    /// Issues that the map reported.
    pub n_issues: u32,
    /// What a person has to look at all the same.
    pub concerns: Vec<Concern>,
    /// The version of the map set.
    pub map_version: String,
    /// It was in before, and nothing was done.
    pub already: bool,
}

/// What a message would change, were it applied now. Holds PHI: show it under a permit.
#[derive(Clone, Debug, Default)]
pub struct DryRun {
    /// One per resource.
    pub changes: Vec<Change>,
    /// What a person would have to look at.
    pub concerns: Vec<Concern>,
    /// The same message is in the journal already: as long as the window for repeats is open it would
    /// get its stored answer, and nothing would be done.
    pub repeats: Option<Sequence>,
    /// Why it would be refused, if so.
    pub refused: Option<Attention>,
    /// What the map reported, without PHI: locations and codes.
    pub issues: Vec<String>,
}

/// What one message would change in one resource.
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
