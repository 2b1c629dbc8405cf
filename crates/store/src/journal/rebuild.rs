//! Makes the ledger's states again: the journal says what came, the chart what was applied.

use super::error::{ReadError, WriteError};
use super::ledger::Order;
use super::{Applied, Change, Journal, Progress, Sequence, State};
use std::sync::Arc;

/// Messages per transaction.
const STEP: usize = 1_000;

/// What the journal knows of a message without the ledger.
struct Known {
    sequence: Sequence,
    flow: String,
    no_message: Option<String>,
}

impl Journal {
    /// True where the journal has messages and the ledger knew of none when it was opened: it was
    /// lost, or never got further. Then [`rebuild`](Self::rebuild).
    pub fn needs_rebuild(&self) -> bool {
        self.ledger().was_empty() && Sequence::ZERO < self.last()
    }

    /// Makes the states of the ledger again from the journal and what the chart has applied; how
    /// many messages are done. Messages that are not in the chart are unprocessed afterwards, and
    /// queues to other destinations fill when those are processed. Call it before anything is
    /// processed.
    pub fn rebuild(
        &self,
        applied: &mut dyn FnMut(Sequence) -> Option<Applied>,
    ) -> Result<u64, WriteError> {
        self.ledger().order(Order::Clear).wait()?;
        let mut after = Sequence::ZERO;
        let mut n_done = 0;
        for file in self.days().all() {
            loop {
                let known = file.read(|connection| known_after(connection, after));
                let known = known.map_err(stopped)?;
                let Some(last) = known.last() else { break };
                after = last.sequence;
                let changes: Vec<Change> = known
                    .into_iter()
                    .filter_map(|known| change(known, applied))
                    .collect();
                n_done += changes.len() as u64;
                self.ledger().record(changes).wait()?;
            }
            after = Sequence::ZERO;
        }
        Ok(n_done)
    }
}

fn stopped(error: ReadError) -> WriteError {
    WriteError::Stopped(Arc::new(error))
}

fn known_after(connection: &rusqlite::Connection, after: Sequence) -> rusqlite::Result<Vec<Known>> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, flow, no_message FROM entry WHERE ?1 < seq ORDER BY seq LIMIT ?2",
    )?;
    let rows = statement.query_map([after.get() as i64, STEP as i64], |row| {
        Ok(Known {
            sequence: Sequence::new(row.get::<_, i64>(0)? as u64),
            flow: row.get(1)?,
            no_message: row.get(2)?,
        })
    })?;
    rows.collect()
}

fn change(known: Known, applied: &mut dyn FnMut(Sequence) -> Option<Applied>) -> Option<Change> {
    let (state, reason, map_version) = match known.no_message {
        Some(reason) => (State::NeedsAttention, Some(reason), None),
        None => (
            State::Mapped,
            None,
            Some(applied(known.sequence)?.map_version),
        ),
    };
    Some(Change::Progress(Progress {
        sequence: known.sequence,
        flow: known.flow,
        partition: String::new(),
        state,
        reason,
        n_issues: 0,
        map_version,
    }))
}
