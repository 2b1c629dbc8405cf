//! Rebuilds the ledger's states: the journal knows what arrived, the chart what was applied.
//!
//! Invariants:
//! - a message in the chart is *mapped*, any other is not, whatever the ledger said;
//! - a person's decision that the ledger still records (held, skipped) stays;
//! - where the ledger lost its records, no message older than the chart's newest is applied automatically: a
//!   person may have held or skipped it, so it is *held* until a person decides.

use super::error::{ReadError, WriteError};
use super::ledger::Order;
use super::{Applied, Change, Journal, Progress, Sequence, State};
use rusqlite::Connection;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Messages per transaction.
const STEP: usize = 1_000;

/// The doubt about messages that the ledger does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Nothing was lost: they wait to be processed.
    None,
    /// The ledger lost its records. A person may have decided about messages up to this one; later ones wait
    /// to be processed.
    UpTo(Sequence),
}

/// The changes that a reconciliation made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Messages in the chart that the ledger did not record as mapped.
    pub n_mapped: u64,
    /// Messages that the ledger recorded as mapped and the chart does not have: they are received again.
    pub n_again: u64,
    /// Messages that a person may have decided about: they are held.
    pub n_held: u64,
    /// Messages that the ledger knew and the journal no longer has.
    pub n_gone: u64,
}

/// The journal's knowledge of a message without the ledger.
struct Known {
    sequence: Sequence,
    flow: String,
    no_message: Option<String>,
    state: Option<i64>,
    /// True if some version of the maps applied it to the chart.
    was_applied: bool,
}

/// Asks the chart for a message.
type Ask<'a> = &'a mut dyn FnMut(Sequence) -> Result<Option<Applied>, ReadError>;

impl Journal {
    /// Discards every message's state, before [`reconcile`](Self::reconcile): the ledger belongs to another
    /// journal.
    pub fn forget_states(&self) -> Result<(), WriteError> {
        self.ledger().order(Order::Clear).wait()
    }

    /// Makes the ledger's states agree with the journal and with the messages that the chart has applied.
    /// Messages that are not in the chart are unprocessed afterwards, unless there is doubt. Call it before
    /// anything is processed.
    pub fn reconcile(&self, applied: Ask<'_>, doubt: Doubt) -> Result<Reconciled, WriteError> {
        let mut done = Reconciled {
            n_gone: self.forget_gone()?,
            ..Reconciled::default()
        };
        for file in self.days().all() {
            let mut after = Sequence::ZERO;
            loop {
                let known = file.read(|connection| {
                    super::search::attach(connection, self.ledger().path())?;
                    known_after(connection, after)
                });
                let known = match known {
                    Ok(known) => known,
                    // A damaged entry cannot be reconciled; the others can.
                    Err(error) if error.is_damage() => {
                        self.damage().meet(&error.to_string());
                        break;
                    }
                    Err(error) => return Err(stopped(error)),
                };
                let Some(last) = known.last() else { break };
                after = last.sequence;
                let mut changes = Vec::new();
                for known in known {
                    changes.extend(done.change(&known, applied, doubt).map_err(stopped)?);
                }
                self.ledger().record(changes).wait()?;
            }
        }
        Ok(done)
    }

    /// Discards the states of messages that are no longer in the journal.
    fn forget_gone(&self) -> Result<u64, WriteError> {
        let (mut after, mut n_gone) = (Sequence::ZERO, 0);
        loop {
            let slice = self.ledger().known_after(after, STEP).map_err(stopped)?;
            let Some(last) = slice.last().copied() else {
                return Ok(n_gone);
            };
            let mut there = HashSet::new();
            for file in self.days().all() {
                let is_near = file.first.load(Ordering::Acquire) <= last.get()
                    && after.get() < file.last.load(Ordering::Acquire);
                if is_near {
                    there.extend(
                        file.read(|connection| between(connection, after, last))
                            .unwrap_or_default(),
                    );
                }
            }
            after = last;
            let gone: Vec<Sequence> = slice
                .into_iter()
                .filter(|sequence| !there.contains(sequence))
                .collect();
            n_gone += gone.len() as u64;
            if !gone.is_empty() {
                self.ledger()
                    .order(|promise| Order::Forget(gone, promise))
                    .wait()?;
            }
        }
    }
}

fn stopped(error: ReadError) -> WriteError {
    WriteError::Stopped(Arc::new(error))
}

fn between(
    connection: &Connection,
    after: Sequence,
    to: Sequence,
) -> rusqlite::Result<Vec<Sequence>> {
    let mut statement = connection
        .prepare_cached("SELECT seq FROM entry WHERE ?1 < seq AND seq <= ?2 ORDER BY seq")?;
    let rows = statement.query_map([after.get() as i64, to.get() as i64], |row| {
        Ok(Sequence::new(row.get::<_, i64>(0)? as u64))
    })?;
    rows.collect()
}

fn known_after(connection: &Connection, after: Sequence) -> rusqlite::Result<Vec<Known>> {
    let mut statement = connection.prepare_cached(
        "SELECT e.seq, e.flow, e.no_message, m.state, m.map_version IS NOT NULL FROM entry e
         LEFT JOIN ledger.message m ON m.seq = e.seq WHERE ?1 < e.seq ORDER BY e.seq LIMIT ?2",
    )?;
    let rows = statement.query_map([after.get() as i64, STEP as i64], |row| {
        Ok(Known {
            sequence: Sequence::new(row.get::<_, i64>(0)? as u64),
            flow: row.get(1)?,
            no_message: row.get(2)?,
            state: row.get(3)?,
            was_applied: row.get(4)?,
        })
    })?;
    rows.collect()
}

// === impl Reconciled ===

impl Reconciled {
    fn change(
        &mut self,
        known: &Known,
        applied: Ask<'_>,
        doubt: Doubt,
    ) -> Result<Option<Change>, ReadError> {
        let state = known.state.map(super::state::state_of);
        let put = |state, reason, map_version| {
            Ok(Some(Change::Progress(Progress {
                sequence: known.sequence,
                flow: known.flow.clone(),
                partition: String::new(),
                state,
                reason,
                n_issues: 0,
                map_version,
            })))
        };
        match (state, &known.no_message) {
            (None, Some(reason)) => put(State::NeedsAttention, Some(reason.clone()), None),
            (None | Some(State::Received), None) => {
                if let Some(applied) = applied(known.sequence)? {
                    self.n_mapped += 1;
                    let state = applied
                        .concerns
                        .as_ref()
                        .map_or(State::Mapped, |_| State::NeedsAttention);
                    return put(state, applied.concerns, Some(applied.map_version));
                }
                match doubt {
                    Doubt::UpTo(last) if state.is_none() && known.sequence <= last => {
                        self.n_held += 1;
                        put(State::Held, Some(UNKNOWN.to_owned()), None)
                    }
                    Doubt::UpTo(_) | Doubt::None => Ok(None),
                }
            }
            (Some(State::NeedsAttention), _) if !known.was_applied => Ok(None),
            // In the chart, even if only in part.
            (Some(State::Mapped | State::Delivered | State::NeedsAttention), _) => {
                if applied(known.sequence)?.is_some() {
                    return Ok(None);
                }
                self.n_again += 1;
                put(State::Received, None, None)
            }
            // A person, or the message itself, determined this.
            (
                Some(State::Received | State::Filtered | State::Held | State::Parked | State::Dead),
                _,
            ) => Ok(None),
        }
    }
}

/// The reason for holding a message whose earlier state is lost.
const UNKNOWN: &str =
    "the ledger was lost, and it is not known whether a person had held or skipped this message";
