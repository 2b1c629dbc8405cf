//! Commands of a person: replay, release, hold, dismiss, settle, edit, send to another flow or
//! dry-run a message; stop and start a flow.
//!
//! Invariant: nothing in the journal changes. An edited copy is a message of its own that names its
//! original; the original stays as it was received.

mod import;
mod resend;
mod switch;

pub use import::{Import, Imported};
pub use resend::{Resend, ResendResult, Resent};
pub use switch::Stopped;

use crate::attention::{self, Attention};
use crate::destination::{DryRun, Task};
use crate::engine::Engine;
use crate::flow::Flow;
use crate::recovery::job_of;
use crate::step::decode;
use crate::step::work::{Job, partition_of};
use bytes::Bytes;
use hl7v2::Message;
use std::net::SocketAddr;
use std::sync::Arc;
use store::journal::{Change, Progress, ReadError, Sequence, State, Stored, WriteError};

/// A command that could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The journal has no such message.
    #[error("the journal has no message {0}")]
    NoSuchMessage(Sequence),
    /// The message's flow is no longer configured.
    #[error("flow `{0}` is not configured; add it to the configuration and start again")]
    NoSuchFlow(String),
    /// The message is in a state that does not allow the command.
    #[error("the message is {state}, so it cannot be {wanted}")]
    WrongState {
        /// The current state.
        state: &'static str,
        /// The requested command.
        wanted: &'static str,
    },
    /// The flow would reject the copy on receipt.
    #[error("the flow would refuse the message: {}", .0.explain())]
    Refused(Attention),
    /// The body has several messages where one is expected.
    #[error("the input has {0} messages in one envelope; a dry run takes one: send one of them")]
    Batch(usize),
    /// The copy does not differ from the original.
    #[error("the copy does not differ from the original; replay the message instead")]
    Unchanged,
    /// The flow's address could not be bound again.
    #[error(
        "flow `{flow}` could not listen on {address}; stop what listens there, then start it again"
    )]
    Listen {
        /// The flow.
        flow: String,
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: std::io::Error,
    },
    /// The engine is shutting down.
    #[error("the flows are shutting down")]
    Draining,
    /// The journal could not be read.
    #[error("the journal could not be read")]
    Read(#[from] ReadError),
    /// The journal could not be written.
    #[error("the journal could not be written")]
    Write(#[from] WriteError),
}

/// The result of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The message.
    pub sequence: Sequence,
    /// The version of the maps that applied the message before; none where it was not applied.
    pub before: Option<String>,
    /// The version of the maps for the replay.
    pub map_version: String,
    /// False where the message is already queued.
    pub queued: bool,
}

// === impl Engine ===

impl Engine {
    /// Applies a message again under the current maps. Where these maps have already applied it,
    /// nothing changes. Blocks for an fsync.
    pub fn replay(&self, sequence: Sequence, by: &str) -> Result<Replayed, ControlError> {
        let (flow, stored) = self.find(sequence)?;
        may_pass(&flow, &stored)?;
        let map_version = self.work.destination.map_version();
        let before = stored.summary.map_version.clone();
        if self.work.board.contains(sequence.get()) {
            return Ok(Replayed {
                sequence,
                before,
                map_version,
                queued: false,
            });
        }
        let asked = Change::ReplayRequested {
            sequence,
            map_version: map_version.clone(),
            by: by.to_owned(),
        };
        self.work.journal.ledger().record(vec![asked]).wait()?;
        let is_head = self.work.board.behind(sequence.get()).is_some();
        if is_head {
            // A head that others wait for runs in its own place, and they follow it.
            self.let_go(&flow, &stored)?;
        } else {
            self.work
                .push(sequence, job_of(&flow, &stored).replay(map_version.clone()));
        }
        Ok(Replayed {
            sequence,
            before,
            map_version,
            queued: true,
        })
    }

    /// Releases a held, parked or failed message and everything waiting behind it. Blocks for an
    /// fsync.
    pub fn release(&self, sequence: Sequence) -> Result<(), ControlError> {
        let (flow, stored) = self.find(sequence)?;
        self.refuse_unless_waiting(sequence, "released")?;
        may_pass(&flow, &stored)?;
        self.let_go(&flow, &stored)
    }

    /// Sets a message aside that is not applied yet, until it is released. Others continue. Blocks
    /// for an fsync.
    pub fn hold(&self, sequence: Sequence, by: &str, why: &str) -> Result<(), ControlError> {
        let (_, stored) = self.find(sequence)?;
        if !self.work.board.withdraw(sequence.get()) {
            self.refuse_unless_waiting(sequence, "held")?;
        }
        let held = Change::Progress(at_rest(&stored, State::Held, &said("held", by, why)));
        self.work.journal.ledger().record(vec![held]).wait()?;
        Ok(())
    }

    /// Marks a message as dismissed: a person looked, and nothing of it is to be applied. Messages
    /// waiting behind it continue. Blocks for an fsync.
    pub fn dismiss(&self, sequence: Sequence, by: &str, why: &str) -> Result<(), ControlError> {
        let (flow, stored) = self.find(sequence)?;
        self.refuse_unless_waiting(sequence, "skipped")?;
        self.set_aside(&flow, &stored, &said("skipped", by, why))
    }

    /// Marks a message that is in the chart as reviewed: nothing is left to do. Blocks for an
    /// fsync.
    pub fn settle(&self, sequence: Sequence, by: &str, why: &str) -> Result<(), ControlError> {
        let stored = self.work.journal.read(sequence)?;
        let stored = stored.ok_or(ControlError::NoSuchMessage(sequence))?;
        if !is_in_chart(&stored) {
            return Err(ControlError::WrongState {
                state: stored.summary.state.word(),
                wanted: "settled: only a message in the chart that needs attention can be",
            });
        }
        let settled = Change::Progress(at_rest(&stored, State::Mapped, &said("settled", by, why)));
        self.work.journal.ledger().record(vec![settled]).wait()?;
        Ok(())
    }

    /// Returns what `body` would change if `flow` received it now, including rejection on receipt
    /// or by the chart. Nothing is stored.
    pub fn dry_run(&self, flow: &str, body: &[u8]) -> Result<DryRun, ControlError> {
        let flow = self.flow(flow)?;
        let body = Bytes::copy_from_slice(body);
        if hl7v2::batch::is_batch(&body) {
            return Err(ControlError::Batch(hl7v2::batch::read(body).messages.len()));
        }
        let message = Message::parse(body);
        let header = decode::header(&message);
        let is_message = message.first("MSH").is_some();
        let refused = decode::refusal_on_receipt(
            (&message, &header, is_message),
            &flow.config,
            &*self.work.destination,
        );
        let body = message.bytes().clone();
        let entry = import::entry(&flow, (header, body), "nobody");
        let repeats = self.known(&[&entry])?.pop().flatten();
        if refused.is_some() {
            return Ok(DryRun {
                repeats,
                refused,
                ..DryRun::default()
            });
        }
        let task = Task {
            sequence: Sequence::ZERO,
            received: self.work.clock.now(),
            flow: &flow.config,
            message: &message,
            replay: true,
            confirmed: false,
        };
        Ok(DryRun {
            repeats,
            ..self.work.destination.dry_run(&task)
        })
    }

    /// Sets a message aside without applying it; messages waiting behind it continue.
    fn set_aside(
        &self,
        flow: &Arc<Flow>,
        stored: &Stored,
        reason: &str,
    ) -> Result<(), ControlError> {
        let sequence = stored.summary.sequence;
        let state = if is_in_chart(stored) {
            State::Mapped
        } else {
            State::Filtered
        };
        let mut changes = vec![Change::Progress(at_rest(stored, state, reason))];
        changes.extend(self.unpark(flow, sequence));
        self.work.journal.ledger().record(changes).wait()?;
        self.go_on_behind(flow, sequence, None);
        Ok(())
    }

    fn let_go(&self, flow: &Arc<Flow>, stored: &Stored) -> Result<(), ControlError> {
        let sequence = stored.summary.sequence;
        let mut changes = vec![Change::Progress(at_rest(
            stored,
            State::Received,
            "released",
        ))];
        changes.extend(self.unpark(flow, sequence));
        self.work.journal.ledger().record(changes).wait()?;
        self.go_on_behind(flow, sequence, Some(job_of(flow, stored).confirmed()));
        Ok(())
    }

    fn unpark(&self, flow: &Flow, head: Sequence) -> Option<Change> {
        self.work.board.behind(head.get())?;
        let partition = partition_of(head);
        Some(Change::PartitionReleased {
            flow: flow.name().to_owned(),
            partition,
        })
    }

    fn go_on_behind(&self, flow: &Arc<Flow>, head: Sequence, job: Option<Job>) {
        let mut of_head = job;
        self.work.board.release(head.get(), |parked| {
            let behind = parked.behind.iter().filter_map(|number| {
                let stored = self
                    .work
                    .journal
                    .read(Sequence::new(*number))
                    .ok()
                    .flatten()?;
                // Somebody may have held or skipped it while it waited.
                let goes_on = matches!(stored.summary.state, State::Received | State::Parked);
                goes_on.then(|| (*number, job_of(flow, &stored)))
            });
            let first = of_head.take().map(|job| (head.get(), job));
            first
                .into_iter()
                .chain(behind)
                .map(|(number, job)| (number, job.lines(), job))
                .collect()
        });
    }

    /// Fails unless the message is at rest and not yet in the chart.
    fn refuse_unless_waiting(
        &self,
        sequence: Sequence,
        wanted: &'static str,
    ) -> Result<(), ControlError> {
        let progress = self.work.journal.ledger().progress(sequence)?;
        let (state, reason) = progress.map_or((State::Received, None), |progress| {
            (progress.state, progress.reason)
        });
        match state {
            State::NeedsAttention if reason.as_deref().is_some_and(attention::in_chart) => {
                Err(ControlError::WrongState {
                    state: "in the chart already",
                    wanted,
                })
            }
            State::Held | State::Parked | State::Dead | State::NeedsAttention => Ok(()),
            State::Received | State::Mapped | State::Delivered | State::Filtered => {
                Err(ControlError::WrongState {
                    state: state.word(),
                    wanted,
                })
            }
        }
    }

    fn find(&self, sequence: Sequence) -> Result<(Arc<Flow>, Stored), ControlError> {
        let stored = self
            .work
            .journal
            .read(sequence)?
            .ok_or(ControlError::NoSuchMessage(sequence))?;
        Ok((self.flow(&stored.summary.flow)?, stored))
    }

    fn flow(&self, name: &str) -> Result<Arc<Flow>, ControlError> {
        let found = self.flows.iter().find(|flow| flow.name() == name);
        found
            .cloned()
            .ok_or_else(|| ControlError::NoSuchFlow(name.to_owned()))
    }
}

/// Checks that the flow accepts the message. A person's command does not override the checks on
/// receipt: a training message stays out of a production chart however often it is replayed.
fn may_pass(flow: &Flow, stored: &Stored) -> Result<(), ControlError> {
    let summary = &stored.summary;
    let refusal = decode::refusal(&summary.header, summary.no_message.is_none(), &flow.config);
    refusal.map_or(Ok(()), |reason| Err(ControlError::Refused(reason)))
}

/// Returns true for a message that is in the chart and that somebody has to look at.
fn is_in_chart(stored: &Stored) -> bool {
    let summary = &stored.summary;
    let reason = summary.reason.as_deref().unwrap_or_default();
    summary.state == State::NeedsAttention && attention::in_chart(reason)
}

/// Formats a reason: `held by admin: wrong patient`.
fn said(what: &str, by: &str, why: &str) -> String {
    match why.trim() {
        "" => format!("{what} by {by}"),
        why => format!("{what} by {by}: {why}"),
    }
}

fn at_rest(stored: &Stored, state: State, reason: &str) -> Progress {
    Progress {
        sequence: stored.summary.sequence,
        flow: stored.summary.flow.clone(),
        partition: String::new(),
        state,
        reason: Some(reason.to_owned()),
        n_issues: stored.summary.n_issues,
        map_version: stored.summary.map_version.clone(),
    }
}
