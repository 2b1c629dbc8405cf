//! The workers: they take runnable jobs, hand them to the destination, and record the outcomes.
//!
//! Invariants:
//! - the chart's transaction decides what was applied; the states recorded here are for display,
//!   may be lost in a crash, and are then restored by repeating the work;
//! - a parked partition is on disk before the next message of it is looked at;
//! - a message that makes a worker panic is set aside like any other that cannot be applied.

use super::board::{Board, Park, Taken};
use super::schedule::Key;
use crate::attention::{self, Attention, Concern};
use crate::destination::{Applied, Destination, Outcome, Task};
use crate::events::{Event, Events};
use crate::flow::Flow;
use crate::topology::FailingHead;
use base::{Clock, Timestamp};
use bytes::Bytes;
use hl7v2::Message;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use store::journal::{Change, Journal, Progress, ReadError, Sequence, State};
use tokio::sync::oneshot;

/// The channel for an outcome, in a flow that acknowledges mapped messages.
pub(crate) type Reply = oneshot::Sender<Finished>;

/// The outcome of a message, for its acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finished {
    /// The message is in the chart, with the concerns that a person still has to look at.
    Applied(Vec<Concern>),
    /// The message is refused and a person has to look.
    Refused(Refused),
    /// The message waits behind another one, or for a person.
    Waits,
}

/// The reason a message is not in the chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) reason: Attention,
    /// Unusable values, as far as they are reported: places and reasons, without PHI.
    pub(crate) issues: Vec<String>,
}

/// A message in progress.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) flow: Arc<Flow>,
    received: Timestamp,
    keys: Keys,
    /// Bytes; none where memory is short and they are read back from the journal.
    body: Option<Bytes>,
    reply: Option<Reply>,
    /// Map version that a person asked for.
    replay: Option<String>,
    /// True where a person released the message as it is.
    is_confirmed: bool,
    n_attempts: u32,
    /// True where an earlier run left the message.
    is_recovered: bool,
}

/// The keys that order a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Keys {
    /// Keys of its partition: the lines in which it queues.
    pub(crate) lines: Vec<Key>,
    /// Keys that later messages wait for if this one fails and parks them.
    pub(crate) parking: Vec<Key>,
}

/// The state that the workers share.
pub(crate) struct Work {
    pub(crate) board: Board<Job>,
    pub(crate) journal: Journal,
    pub(crate) events: Events,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) destination: Arc<dyn Destination>,
    bytes_in_memory: AtomicUsize,
    max_waiting: usize,
}

/// Limit in bytes for waiting messages' bodies; those beyond are read back from the journal.
const MAX_BYTES_IN_MEMORY: usize = 64 << 20;

// === impl Refused ===

impl Refused {
    /// Maximum number of issues that are reported.
    pub(crate) const MAX_REPORTED: usize = 3;

    /// Creates a refusal on receipt, before the message is processed.
    pub(crate) fn on_receipt(reason: Attention) -> Self {
        Self {
            reason,
            issues: Vec::new(),
        }
    }

    fn new(reason: Attention, issues: &[String]) -> Self {
        let issues = issues.iter().take(Self::MAX_REPORTED).cloned().collect();
        Self { reason, issues }
    }

    /// Parses the ledger's text about the message.
    pub(crate) fn parse(text: &str) -> Self {
        let mut parts = text.split("; ");
        let code = parts.next().unwrap_or_default();
        Self {
            reason: Attention::parse(code).unwrap_or(Attention::ChartRefused),
            issues: parts.map(str::to_owned).collect(),
        }
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.reason.code())?;
        self.issues
            .iter()
            .try_for_each(|issue| write!(f, "; {issue}"))
    }
}

// === impl Job ===

impl Job {
    pub(crate) fn new(
        flow: Arc<Flow>,
        received: Timestamp,
        keys: Keys,
        body: Option<Bytes>,
        reply: Option<Reply>,
    ) -> Self {
        flow.waiting.fetch_add(1, Ordering::Relaxed);
        Self {
            flow,
            received,
            keys,
            body,
            reply,
            replay: None,
            is_confirmed: false,
            n_attempts: 0,
            is_recovered: false,
        }
    }

    /// Marks the job as left by an earlier run, to be counted until it is done.
    pub(crate) fn recovered(mut self) -> Self {
        self.flow.recovered.fetch_add(1, Ordering::Relaxed);
        self.is_recovered = true;
        self
    }

    /// Marks the job as a replay under this map version.
    pub(crate) fn replay(mut self, map_version: String) -> Self {
        self.replay = Some(map_version);
        self
    }

    /// Marks the job as reviewed and released by a person.
    pub(crate) fn confirmed(mut self) -> Self {
        self.is_confirmed = true;
        self
    }

    /// Lets the job bypass parking: it takes the place of the head that others wait for.
    pub(crate) fn bypassing_parking(mut self) -> Self {
        self.keys.parking.clear();
        self
    }

    /// Returns the lines in which the job queues.
    pub(crate) fn lines(&self) -> Vec<Key> {
        self.keys.lines.clone()
    }

    fn answer(&mut self, finished: Finished) {
        if let Some(reply) = self.reply.take() {
            // The sender may be gone; its message is safe all the same.
            let _ = reply.send(finished);
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.flow.waiting.fetch_sub(1, Ordering::Relaxed);
        if self.is_recovered {
            self.flow.recovered.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Park for Job {
    fn parking_keys(&self) -> &[Key] {
        &self.keys.parking
    }
}

// === impl Work ===

impl Work {
    pub(crate) fn new(
        journal: Journal,
        events: Events,
        clock: Arc<dyn Clock>,
        destination: Arc<dyn Destination>,
        max_waiting: usize,
    ) -> Self {
        Self {
            board: Board::default(),
            journal,
            events,
            clock,
            destination,
            bytes_in_memory: AtomicUsize::new(0),
            max_waiting,
        }
    }

    /// Puts a message onto the board.
    pub(crate) fn push(&self, sequence: Sequence, mut job: Job) {
        let n_bytes = job.body.as_ref().map_or(0, Bytes::len);
        let full = MAX_BYTES_IN_MEMORY < self.bytes_in_memory.load(Ordering::Relaxed) + n_bytes
            || self.max_waiting < self.board.len();
        if full {
            job.body = None;
        } else {
            self.bytes_in_memory.fetch_add(n_bytes, Ordering::Relaxed);
        }
        let (keys, counted) = (
            job.keys.lines.clone(),
            job.body.as_ref().map_or(0, Bytes::len),
        );
        if !self.board.push(sequence.get(), keys, job) {
            // The message is already in progress.
            self.bytes_in_memory.fetch_sub(counted, Ordering::Relaxed);
        }
    }

    /// Runs a worker thread until the board closes.
    pub(crate) fn run(&self) {
        while let Some(taken) = self.board.take() {
            match taken {
                Taken::Run(number, mut job) => {
                    let sequence = Sequence::new(number);
                    let outcome = self.apply(sequence, &mut job);
                    self.settle(sequence, job, outcome);
                }
                Taken::Parked {
                    number,
                    mut job,
                    head,
                } => {
                    self.parked(Sequence::new(number), &mut job, Sequence::new(head));
                    self.forget(&job);
                }
            }
        }
    }

    fn apply(&self, sequence: Sequence, job: &mut Job) -> Outcome {
        let body = match self.body(sequence, job) {
            Ok(Some(body)) => body,
            // Pruned while it waited: nothing is left to apply.
            Ok(None) => {
                return Outcome::Refused {
                    reason: Attention::NoMessage,
                    issues: Vec::new(),
                };
            }
            Err(error) if error.is_damage() => {
                return Outcome::Refused {
                    reason: Attention::Damaged,
                    issues: Vec::new(),
                };
            }
            Err(error) => {
                tracing::error!(sequence = sequence.get(), %error, "cannot read back from the journal");
                return Outcome::Unavailable;
            }
        };
        let message = Message::parse(body);
        let task = Task {
            sequence,
            received: job.received,
            flow: &job.flow.config,
            message: &message,
            replay: job.replay.is_some(),
            confirmed: job.is_confirmed,
        };
        let applied = catch_unwind(AssertUnwindSafe(|| self.destination.apply(&task)));
        applied.unwrap_or_else(|_| {
            tracing::error!(sequence = sequence.get(), "applying a message panicked");
            Outcome::Refused {
                reason: Attention::MapFailed,
                issues: Vec::new(),
            }
        })
    }

    fn body(&self, sequence: Sequence, job: &Job) -> Result<Option<Bytes>, ReadError> {
        match &job.body {
            Some(body) => Ok(Some(body.clone())),
            None => Ok(self.journal.read(sequence)?.map(|stored| stored.body)),
        }
    }

    fn settle(&self, sequence: Sequence, mut job: Job, outcome: Outcome) {
        let outcome = match outcome {
            Outcome::Deferred if job.flow.config.max_attempts <= job.n_attempts + 1 => {
                Outcome::Refused {
                    reason: Attention::TooManyAttempts,
                    issues: Vec::new(),
                }
            }
            other => other,
        };
        match outcome {
            Outcome::Applied(applied) => self.applied(sequence, &mut job, applied),
            Outcome::Refused { reason, issues } => {
                self.refused(sequence, &mut job, reason, &issues);
            }
            Outcome::Deferred | Outcome::Unavailable => {
                job.n_attempts = job.n_attempts.saturating_add(1);
                let (n_attempts, wait) = (job.n_attempts, backoff(job.n_attempts));
                let flow = job.flow.name();
                self.events.emit(Event::Retried {
                    flow,
                    sequence: sequence.get(),
                    n_attempts,
                    wait,
                });
                return self.board.retry(sequence.get(), job, wait);
            }
        }
        self.forget(&job);
        self.board.finish(sequence.get());
    }

    fn applied(&self, sequence: Sequence, job: &mut Job, applied: Applied) {
        let took = Duration::from_micros(
            u64::try_from(self.clock.now().micros() - job.received.micros()).unwrap_or(0),
        );
        let n_changed = applied.n_changed;
        let what = match n_changed {
            0 => "nothing changed".to_owned(),
            1 => "1 resource changed".to_owned(),
            n => format!("{n} resources changed"),
        };
        let replay = self.replay_done(sequence, job, (&applied.map_version, &what));
        let concerns = job.flow.config.attention.filter(applied.concerns);
        let mut changes = Vec::new();
        // Replayed but not applied again: what a person settled stays settled.
        if !(applied.already && self.is_settled(sequence, job)) {
            let reason = attention::write(&concerns);
            let state = reason
                .as_ref()
                .map_or(State::Mapped, |_| State::NeedsAttention);
            changes.push(Change::Progress(Progress {
                n_issues: applied.n_issues,
                map_version: Some(applied.map_version),
                ..progress(sequence, job, state, reason)
            }));
        }
        changes.extend(replay);
        self.journal.ledger().note(changes);
        let flow = job.flow.name();
        self.events.emit(Event::MessageApplied {
            flow,
            sequence: sequence.get(),
            n_changed,
            took,
        });
        self.tell(flow, sequence, &concerns);
        job.answer(Finished::Applied(concerns));
    }

    /// Counts and logs each reason once.
    fn tell(&self, flow: &str, sequence: Sequence, concerns: &[Concern]) {
        for (idx, concern) in concerns.iter().enumerate() {
            let reason = concern.reason;
            if concerns
                .iter()
                .take(idx)
                .all(|other| other.reason != reason)
            {
                let sequence = sequence.get();
                self.events.emit(Event::NeedsAttention {
                    flow,
                    sequence,
                    reason,
                });
            }
        }
    }

    /// Returns true for a replay of a message that is in the chart and needs no attention.
    fn is_settled(&self, sequence: Sequence, job: &Job) -> bool {
        job.replay.is_some()
            && matches!(
                self.journal.ledger().progress(sequence),
                Ok(Some(progress)) if progress.state == State::Mapped
            )
    }

    fn refused(&self, sequence: Sequence, job: &mut Job, reason: Attention, issues: &[String]) {
        let hold = job.flow.config.failing_head == FailingHead::Hold;
        let state = match (
            reason == Attention::TooManyAttempts,
            reason.blocks() && hold,
        ) {
            (true, _) => State::Dead,
            (false, true) => State::Held,
            (false, false) => State::NeedsAttention,
        };
        let refused = Refused::new(reason, issues);
        let text = refused.to_string();
        let mut changes = vec![Change::Progress(Progress {
            n_issues: issues.len().max(1) as u32,
            ..progress(sequence, job, state, Some(text.clone()))
        })];
        let map_version = self.destination.map_version();
        changes.extend(self.replay_done(sequence, job, (&map_version, &text)));
        // A replay is outside the order, so nothing waits for it.
        let parks = job.replay.is_none() && reason.blocks() && !hold;
        if parks {
            self.park(sequence, job, reason, changes);
        } else {
            self.journal.ledger().note(changes);
        }
        let flow = job.flow.name();
        self.events.emit(Event::NeedsAttention {
            flow,
            sequence: sequence.get(),
            reason,
        });
        job.answer(Finished::Refused(refused));
    }

    /// Records a replay: the version of the maps it ran under, its outcome, and the version before.
    fn replay_done(
        &self,
        sequence: Sequence,
        job: &Job,
        (ran_under, what): (&str, &str),
    ) -> Option<Change> {
        // The request is identified by the version that was in use when it was made.
        let asked = job.replay.clone()?;
        let progress = self.journal.ledger().progress(sequence).ok().flatten();
        let before = progress.and_then(|progress| progress.map_version);
        let before = before.map_or_else(
            || "not applied before".to_owned(),
            |before| format!("previously by {before}"),
        );
        Some(Change::ReplayDone {
            sequence,
            map_version: asked,
            detail: format!("by maps {ran_under}, {before}: {what}"),
        })
    }

    fn park(&self, head: Sequence, job: &Job, reason: Attention, mut changes: Vec<Change>) {
        self.board.park(head.get(), job.parking_keys(), &[]);
        changes.push(Change::PartitionParked {
            flow: job.flow.name().to_owned(),
            partition: partition_of(head),
            head,
            reason: reason.code().to_owned(),
        });
        if let Err(error) = self.journal.ledger().record(changes).wait() {
            // It holds in memory until the end of this run; after that, the head fails again.
            tracing::error!(%error, "could not record a parked partition");
        }
    }

    fn parked(&self, sequence: Sequence, job: &mut Job, head: Sequence) {
        let parked = Progress {
            partition: partition_of(head),
            ..progress(
                sequence,
                job,
                State::Parked,
                Some(format!("behind message {head}")),
            )
        };
        self.journal.ledger().note(vec![Change::Progress(parked)]);
        self.events.emit(Event::MessageHeld {
            flow: job.flow.name(),
            sequence: sequence.get(),
        });
        job.answer(Finished::Waits);
    }

    /// Sets aside a message that was refused on receipt.
    pub(crate) fn show(&self, flow: &Flow, sequence: Sequence, reason: Attention) {
        let shown = Progress {
            sequence,
            flow: flow.name().to_owned(),
            partition: String::new(),
            state: State::NeedsAttention,
            reason: Some(reason.code().to_owned()),
            n_issues: 1,
            map_version: None,
        };
        // Bytes that are not a message are not recovered after a crash, so this is recorded at
        // once.
        drop(self.journal.ledger().record(vec![Change::Progress(shown)]));
        let flow = flow.name();
        self.events.emit(Event::NeedsAttention {
            flow,
            sequence: sequence.get(),
            reason,
        });
    }

    fn forget(&self, job: &Job) {
        if let Some(body) = &job.body {
            self.bytes_in_memory
                .fetch_sub(body.len(), Ordering::Relaxed);
        }
    }
}

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Work")
            .field("waiting", &self.board.len())
            .finish_non_exhaustive()
    }
}

/// Returns the ledger's name for what waits behind `head`. The name reveals nothing about the
/// patient.
pub(crate) fn partition_of(head: Sequence) -> String {
    format!("behind-{head}")
}

fn progress(sequence: Sequence, job: &Job, state: State, reason: Option<String>) -> Progress {
    Progress {
        sequence,
        flow: job.flow.name().to_owned(),
        partition: String::new(),
        state,
        reason,
        n_issues: 0,
        map_version: None,
    }
}

/// Returns the delay before a message is tried again.
fn backoff(n_attempts: u32) -> Duration {
    // Capped at half a minute: workers should notice soon when the chart comes back.
    Duration::from_millis((50 << n_attempts.min(10)).min(30_000))
}
