//! The chart as a destination: a message becomes drafts, and drafts become one batch.
//!
//! Invariants:
//! - one message is one batch, and the batch marks the message as applied: applying it again after
//!   a crash is idempotent, since the same message under the same maps finds the mark and writes
//!   nothing;
//! - every change expects the version from which it was computed (optimistic concurrency); where
//!   another message committed first, the whole computation is repeated on the current state;
//! - ids are random; a resource is found again by its business keys, which are scoped to the owner
//!   of the record.

mod apart;
mod cancel;
mod candidates;
mod concern;
mod find;
mod keys;
mod mark;
mod merge;
mod news;
mod patient;
mod people;
mod place;
mod plan;
mod replaced;
mod results;
mod slot;
mod snapshot;
mod turns;
mod whose;

use super::{Applied, Destination, DryRun, Outcome, Task};
use crate::attention::{self, Attention, Concern};
use crate::events::{Event, Events};
use crate::maps::{Edition, LiveMaps};
use crate::step::decode;
use crate::topology::MapConfig;
use access::{Permit, SystemCaller};
use base::LogThrottle;
use hl7v2::Message;
use mapping::{Conversion, Draft, Source};
use plan::{Plan, Unfit};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use store::chart::{ApplyError, Batch, Chart, Lane};
use turns::Turns;

/// The destination that applies messages to the chart.
pub struct ChartDestination {
    chart: Chart,
    maps: LiveMaps,
    permit: Permit,
    events: Events,
    sources: Mutex<HashMap<String, Arc<Source>>>,
    turns: Turns,
    /// Held while a message of many segments is computed: two at once would take twice the memory.
    large: Mutex<()>,
    /// Throttle for the log of lasting faults.
    unreadable: LogThrottle,
    unwritable: LogThrottle,
}

/// Maximum number of immediate repetitions after a write conflict with another message.
const MAX_CONFLICTS: usize = 20;

/// Number of segments above which a message is computed while no other such message is. Each
/// segment takes about 20 kB on its way into the chart.
const MANY_SEGMENTS: usize = 1_000;

/// A message with its changes computed.
struct Ready {
    batch: Batch,
    n_issues: u32,
    concerns: Vec<Concern>,
    map_version: String,
}

// === impl ChartDestination ===

impl ChartDestination {
    /// Creates a destination that applies messages to `chart` with the maps in use.
    pub fn new(chart: Chart, maps: impl Into<LiveMaps>, events: Events) -> Self {
        let permit = Permit::system(SystemCaller::Flow);
        Self {
            chart,
            maps: maps.into(),
            permit,
            events,
            sources: Mutex::default(),
            turns: Turns::new(),
            large: Mutex::default(),
            unreadable: LogThrottle::default(),
            unwritable: LogThrottle::default(),
        }
    }

    fn convert(&self, task: &Task<'_>, maps: &Edition) -> Result<Conversion, Outcome> {
        // A replay arrives here without that check.
        if let Some(reason) = decode::oversize(task.message, task.flow) {
            let issues = Vec::new();
            return Err(Outcome::Refused { reason, issues });
        }
        let source = self.source(&task.flow.name, &task.flow.map);
        let conversion = maps.forward(task.message, &source);
        if task.message.fragment().is_some() {
            return Err(refused(Attention::Fragment, &conversion));
        }
        if !conversion.supported {
            return Err(refused(Attention::NoMap, &conversion));
        }
        if conversion.drafts.iter().all(names_sender) {
            return Err(refused(Attention::MapFailed, &conversion));
        }
        Ok(conversion)
    }

    fn plan(&self, task: &Task<'_>, conversion: &Conversion) -> Result<Plan, Unfit> {
        let planned = self.chart.at_once(&self.permit, |moment| {
            Plan::make(&find::Finder::new(moment), task, conversion)
        });
        planned.unwrap_or_else(|error| Err(Unfit::Read(error)))
    }

    /// Returns the source facts from a flow's configuration, built once per flow.
    fn source(&self, flow: &str, config: &MapConfig) -> Arc<Source> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = sources.get(flow) {
            return Arc::clone(source);
        }
        let source = Arc::new(config.source());
        sources.insert(flow.to_owned(), Arc::clone(&source));
        source
    }

    /// Computes what the message changes, ready to be written.
    fn prepare(
        &self,
        task: &Task<'_>,
        (conversion, map_version): (&Conversion, &str),
    ) -> Result<Ready, Outcome> {
        let plan = match self.plan(task, conversion) {
            Ok(plan) => plan,
            Err(Unfit::Refused(reason)) => return Err(refused(reason, conversion)),
            // A retry would fail again: data that the message builds on is damaged on disk.
            Err(Unfit::Read(error)) if error.is_damage() => {
                let issues = vec![error.to_string()];
                let reason = Attention::ChartRefused;
                return Err(Outcome::Refused { reason, issues });
            }
            Err(Unfit::Read(error)) => {
                if let Some(n_unsaid) = self.unreadable.record(Instant::now()) {
                    tracing::error!(sequence = task.sequence.get(), %error, n_unsaid, "cannot read the chart");
                }
                return Err(Outcome::Unavailable);
            }
        };
        let n_issues = n_issues(conversion) + plan.n_notes + plan.concerns.len() as u32;
        let concerns = plan.all_concerns(conversion);
        let mark = crate::join::mark(&self.chart, task.sequence, map_version);
        match plan.batch(task, conversion, mark, &self.permit) {
            Ok(batch) => Ok(Ready {
                batch,
                n_issues,
                concerns,
                map_version: map_version.to_owned(),
            }),
            Err(error) => {
                tracing::error!(sequence = task.sequence.get(), %error, "a resource cannot be stored");
                Err(refused(Attention::ChartRefused, conversion))
            }
        }
    }

    /// Writes the changes and waits for the disk; none where another message committed first.
    fn write(&self, task: &Task<'_>, conversion: &Conversion, ready: Ready) -> Option<Outcome> {
        let Ready {
            batch,
            n_issues,
            concerns,
            map_version,
        } = ready;
        let answer = self
            .chart
            .apply(&self.permit, batch, Lane::Acknowledging)
            .wait();
        match answer {
            Ok(receipt) => {
                let n_changed = receipt
                    .written
                    .iter()
                    .filter(|written| is_change(written))
                    .count();
                let already = receipt.already_applied;
                // Contradictions that only the chart sees as it changes were recorded with the
                // mark.
                let kept = receipt.concerns.as_deref().map(attention::read);
                let mut concerns = kept.unwrap_or(concerns);
                let apart = receipt.contradictions.iter();
                concerns.extend(apart.map(Concern::of_contradiction));
                let n_issues = n_issues + receipt.contradictions.len() as u32;
                Some(Outcome::Applied(Applied {
                    n_changed,
                    n_issues,
                    concerns,
                    map_version,
                    already,
                }))
            }
            Err(ApplyError::Conflict(_)) => None,
            Err(ApplyError::Overloaded) => Some(Outcome::Unavailable),
            Err(error @ (ApplyError::Stopped { .. } | ApplyError::Closed(_))) => {
                if let Some(n_unsaid) = self.unwritable.record(Instant::now()) {
                    tracing::error!(sequence = task.sequence.get(), %error, n_unsaid, "the chart accepts no writes");
                }
                Some(Outcome::Unavailable)
            }
            Err(
                error @ (ApplyError::Invalid(_)
                | ApplyError::Failed(_)
                | ApplyError::NotPermitted { .. }),
            ) => {
                tracing::error!(sequence = task.sequence.get(), %error, "the chart refused a message");
                Some(refused(Attention::ChartRefused, conversion))
            }
        }
    }
}

/// Returns true for the header and what it names: if a message holds nothing else, nothing reaches
/// the chart.
fn names_sender(draft: &Draft) -> bool {
    matches!(
        draft.resource_type,
        "MessageHeader" | "Organization" | "Practitioner"
    )
}

impl Destination for ChartDestination {
    fn refuses(&self, message: &Message) -> Option<Attention> {
        if message.fragment().is_some() {
            return Some(Attention::Fragment);
        }
        let version = message.header(12, 1);
        if !version.is_empty() && !version.trim_start().starts_with("2.") {
            return Some(Attention::UnknownVersion);
        }
        // The event usually names the structure, so the groups need not be examined for it.
        let by_event = message
            .dictionary()
            .structure_of(&message.code(), &message.event());
        let structure = by_event.unwrap_or_else(|| message.structure().name());
        let supported = self.maps.current().supports(structure);
        (!supported).then_some(Attention::NoMap)
    }

    fn apply(&self, task: &Task<'_>) -> Outcome {
        let is_large = MANY_SEGMENTS < task.message.segments().len();
        let _alone = is_large.then(|| self.large.lock().unwrap_or_else(PoisonError::into_inner));
        let mut turn = self.turns.take();
        // One edition for the whole message, whatever is put into use meanwhile.
        let maps = self.maps.current();
        let conversion = match self.convert(task, &maps) {
            Ok(conversion) => conversion,
            Err(outcome) => return outcome,
        };
        for _ in 0..MAX_CONFLICTS {
            let ready = match self.prepare(task, (&conversion, &maps.version)) {
                Ok(ready) => ready,
                Err(outcome) => return outcome,
            };
            drop(turn);
            if let Some(outcome) = self.write(task, &conversion, ready) {
                return outcome;
            }
            self.events.emit(Event::Conflict {
                flow: &task.flow.name,
                sequence: task.sequence.get(),
            });
            turn = self.turns.take();
        }
        Outcome::Deferred
    }

    fn dry_run(&self, task: &Task<'_>) -> DryRun {
        let refused_with = |outcome: &Outcome| match outcome {
            Outcome::Refused { reason, issues } => DryRun {
                refused: Some(*reason),
                issues: issues.clone(),
                ..DryRun::default()
            },
            Outcome::Applied(_) | Outcome::Deferred | Outcome::Unavailable => DryRun::default(),
        };
        let maps = self.maps.current();
        let conversion = match self.convert(task, &maps) {
            Ok(conversion) => conversion,
            Err(outcome) => return refused_with(&outcome),
        };
        let issues = issues(&conversion);
        match self.plan(task, &conversion) {
            Ok(plan) => {
                let (changes, concerns) = (plan.changes(), plan.all_concerns(&conversion));
                // A batch that could not be written is refused here as it would be there.
                let mark = crate::join::mark(&self.chart, task.sequence, &maps.version);
                let batch = plan.batch(task, &conversion, mark, &self.permit);
                DryRun {
                    changes,
                    concerns,
                    refused: batch.is_err().then_some(Attention::ChartRefused),
                    issues,
                    ..DryRun::default()
                }
            }
            Err(Unfit::Refused(reason)) => DryRun {
                refused: Some(reason),
                issues,
                ..DryRun::default()
            },
            Err(Unfit::Read(error)) => DryRun {
                issues: vec![error.to_string()],
                ..DryRun::default()
            },
        }
    }

    fn map_version(&self) -> String {
        self.maps.current().version.clone()
    }
}

impl std::fmt::Debug for ChartDestination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChartDestination")
            .field("version", &self.map_version())
            .finish_non_exhaustive()
    }
}

fn is_change(written: &store::chart::Written) -> bool {
    match written.outcome {
        store::chart::Outcome::Created
        | store::chart::Outcome::Updated
        | store::chart::Outcome::Deleted => true,
        store::chart::Outcome::Unchanged => false,
    }
}

fn refused(reason: Attention, conversion: &Conversion) -> Outcome {
    Outcome::Refused {
        reason,
        issues: issues(conversion),
    }
}

fn n_issues(conversion: &Conversion) -> u32 {
    let report = &conversion.report;
    u32::try_from(report.unusable.len() + report.issues.len()).unwrap_or(u32::MAX)
}

/// Formats the values that the map could not use, without PHI: places and reasons.
fn issues(conversion: &Conversion) -> Vec<String> {
    let unusable = conversion.report.unusable.iter();
    unusable
        .map(|unusable| format!("{}: {}", unusable.place, unusable.why))
        .collect()
}
