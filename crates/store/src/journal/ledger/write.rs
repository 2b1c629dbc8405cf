//! The one thread that writes the ledger.

use super::{bulk, notice};
use crate::identity::{Identity, Position};
use crate::journal::Sequence;
use crate::journal::day::checkpoint;
use crate::journal::error::{ReadError, WriteError};
use crate::journal::inbox::Inbox;
use crate::journal::pending::Promise;
use crate::journal::state::{Change, Delivery, Progress, State, state_code};
use crate::wal;
use base::{Clock, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Notes kept in memory on a full disk. Messages are refused meanwhile, so there are few.
const MAX_OWED: usize = 100_000;
/// The time that notes wait for others.
const LINGER: Duration = Duration::from_millis(50);
/// The size from which a log is checkpointed.
const ENOUGH: u64 = 8 << 20;
/// The idle time after which it is checkpointed too.
const IDLE: Duration = Duration::from_secs(2);

/// The orders that the writer accepts.
#[derive(Debug)]
pub(in crate::journal) enum Order {
    /// Record changes.
    Changes(Vec<Change>, Option<Promise<(), WriteError>>),
    /// Discard messages that were pruned.
    Forget(Vec<Sequence>, Promise<(), WriteError>),
    /// Discard every message's state, before a rebuild.
    Clear(Promise<(), WriteError>),
    /// Remember the chart's position and the journal's identity.
    Remember(Position, Identity),
    /// Record a notice.
    Notice(String, Promise<(), WriteError>),
    /// Mark a notice as seen.
    Seen(i64, String, Promise<(), WriteError>),
}

pub(super) struct Writer {
    path: PathBuf,
    connection: Connection,
    inbox: Arc<Inbox<Order>>,
    failure: Arc<Mutex<Option<WriteError>>>,
    /// Transactions so far, over all runs: an older copy has fewer.
    mark: Arc<AtomicU64>,
    clock: Arc<dyn Clock>,
    is_dirty: bool,
}

/// One transaction.
struct Batch<'a> {
    connection: &'a Connection,
    now: Timestamp,
    counts: BTreeMap<(String, i64), i64>,
    minutes: BTreeMap<(String, i64), i64>,
}

/// The state of a message before a change.
struct Before {
    state: i64,
    /// True if some version of the maps delivered it to its destinations once.
    was_applied: bool,
}

// === impl Writer ===

impl Writer {
    pub(super) fn new(
        path: &Path,
        connection: Connection,
        inbox: Arc<Inbox<Order>>,
        (failure, mark): (Arc<Mutex<Option<WriteError>>>, Arc<AtomicU64>),
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            path: path.to_owned(),
            connection,
            inbox,
            failure,
            mark,
            clock,
            is_dirty: false,
        }
    }

    pub(super) fn run(mut self) {
        let mut owed: Vec<Order> = Vec::new();
        while let Some(new) = self
            .inbox
            .take_within(self.is_dirty.then_some(IDLE), LINGER)
        {
            if new.is_empty() && owed.is_empty() {
                self.checkpoint(0);
                continue;
            }
            self.is_dirty = true;
            let orders = std::mem::take(&mut owed).into_iter().chain(new);
            let orders: Vec<Order> = orders.collect();
            let done = match self.failed() {
                Some(error) => Err(error),
                None => self.write(&orders).map_err(|source| self.fail(source)),
            };
            let full = done.as_ref().is_err_and(WriteError::is_disk_full);
            for order in orders {
                match order {
                    // Nobody waits for it, but it is written once there is space again.
                    Order::Changes(_, None) if full && owed.len() < MAX_OWED => owed.push(order),
                    Order::Changes(_, None) | Order::Remember(..) => {}
                    Order::Changes(_, Some(promise))
                    | Order::Forget(_, promise)
                    | Order::Notice(_, promise)
                    | Order::Seen(_, _, promise)
                    | Order::Clear(promise) => promise.keep(done.clone()),
                }
            }
            self.checkpoint(ENOUGH);
        }
        if self.failed().is_none()
            && let Err(source) = checkpoint(&self.connection, "TRUNCATE")
        {
            self.fail(source);
        }
    }

    fn write(&mut self, orders: &[Order]) -> rusqlite::Result<()> {
        let transaction = self.connection.unchecked_transaction()?;
        let mut batch = Batch {
            connection: &self.connection,
            now: self.clock.now(),
            counts: BTreeMap::new(),
            minutes: BTreeMap::new(),
        };
        for order in orders {
            match order {
                Order::Changes(changes, _) => {
                    changes.iter().try_for_each(|change| batch.change(change))?;
                }
                Order::Forget(gone, _) => gone.iter().try_for_each(|gone| batch.forget(*gone))?,
                Order::Clear(_) => batch.clear()?,
                Order::Remember(chart, journal) => batch.remember(chart, journal)?,
                Order::Notice(text, _) => notice::add(batch.connection, text, batch.now)?,
                Order::Seen(id, by, _) => notice::see(batch.connection, *id, by, batch.now)?,
            }
        }
        batch.finish()?;
        // Remembering the positions of other stores changes nothing in this one.
        let counts = orders
            .iter()
            .any(|order| !matches!(order, Order::Remember(..)));
        if counts {
            self.connection
                .prepare_cached("UPDATE origin SET mark = mark + 1 WHERE what = 'ledger'")?
                .execute([])?;
        }
        transaction.commit()?;
        self.mark.fetch_add(u64::from(counts), Ordering::AcqRel);
        Ok(())
    }

    /// Checkpoints a log of at least that size.
    fn checkpoint(&mut self, enough: u64) {
        if wal::logged() < enough || self.failed().is_some() {
            return;
        }
        self.is_dirty = false;
        if let Err(source) = checkpoint(&self.connection, "PASSIVE") {
            self.fail(source);
        }
    }

    fn failed(&self) -> Option<WriteError> {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn fail(&self, source: rusqlite::Error) -> WriteError {
        tracing::error!(error = %source, "ledger stopped after a failed write");
        let cause = ReadError::File {
            path: self.path.clone(),
            source,
        };
        let error = WriteError::Stopped(Arc::new(cause));
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
        error
    }
}

// === impl Batch ===

impl Batch<'_> {
    fn change(&mut self, change: &Change) -> rusqlite::Result<()> {
        let now = self.now.micros();
        match change {
            Change::Progress(progress) => self.progress(progress),
            Change::Enqueued {
                sequence,
                destination,
                partition,
                due,
            } => self.run(
                "INSERT OR IGNORE INTO delivery(seq, destination, part, status, n_attempts, due)
                 VALUES(?1,?2,?3,0,0,?4)",
                params![sequence.get() as i64, destination, partition, due.micros()],
            ),
            Change::Attempt {
                sequence,
                destination,
                n,
            } => {
                let key = sequence.get() as i64;
                self.run(
                    "INSERT OR IGNORE INTO attempt(seq, destination, n, began) VALUES(?1,?2,?3,?4)",
                    params![key, destination, n, now],
                )?;
                self.run(
                    "UPDATE delivery SET status = 1, n_attempts = max(n_attempts, ?3)
                     WHERE seq = ?1 AND destination = ?2",
                    params![key, destination, n],
                )
            }
            Change::Outcome {
                sequence,
                destination,
                n,
                result,
                detail,
            } => {
                let (status, due) = delivery_code(*result);
                let key = sequence.get() as i64;
                self.run(
                    "UPDATE attempt SET ended = ?4, status = ?5, detail = ?6
                     WHERE seq = ?1 AND destination = ?2 AND n = ?3",
                    params![key, destination, n, now, status, detail],
                )?;
                self.run(
                    "UPDATE delivery SET status = ?3, due = ifnull(?4, due), detail = ?5
                     WHERE seq = ?1 AND destination = ?2",
                    params![key, destination, status, due, detail],
                )
            }
            Change::PartitionParked {
                flow,
                partition,
                head,
                reason,
            } => self.run(
                "INSERT OR IGNORE INTO parked(flow, part, head, since, reason)
                 VALUES(?1,?2,?3,?4,?5)",
                params![flow, partition, head.get() as i64, now, reason],
            ),
            Change::PartitionReleased { flow, partition } => self.release(flow, partition),
            Change::ReplayRequested {
                sequence,
                map_version,
                by,
            } => self.run(
                "INSERT OR IGNORE INTO replay(seq, map_version, by, requested) VALUES(?1,?2,?3,?4)",
                params![sequence.get() as i64, map_version, by, now],
            ),
            Change::ReplayDone {
                sequence,
                map_version,
                detail,
            } => self.run(
                "UPDATE replay SET done = ?3, detail = ?4
                 WHERE seq = ?1 AND map_version = ?2 AND done IS NULL",
                params![sequence.get() as i64, map_version, now, detail],
            ),
            Change::BulkBegun(bulk, messages) => bulk::begin(self.connection, bulk, messages),
            Change::BulkWent { id, progress } => bulk::go_on(self.connection, id, *progress),
            Change::BulkEnded { id, stopped } => {
                bulk::end(self.connection, id, stopped.as_deref(), self.now)
            }
            // The person who stopped it first is kept.
            Change::FlowStopped { flow, by } => self.run(
                "INSERT OR IGNORE INTO stopped(flow, since, by) VALUES(?1,?2,?3)",
                params![flow, now, by],
            ),
            Change::FlowStarted { flow, by: _ } => {
                self.run("DELETE FROM stopped WHERE flow = ?1", [flow])
            }
        }
    }

    fn progress(&mut self, progress: &Progress) -> rusqlite::Result<()> {
        let key = progress.sequence.get() as i64;
        let state = state_code(progress.state);
        let before = self.uncount(key)?;
        self.run(
            "INSERT INTO message(seq, flow, part, state, reason, n_issues, map_version)
             VALUES(?1,?2,?3,?4,?5,?6,?7)
             ON CONFLICT DO UPDATE SET flow = excluded.flow, part = excluded.part,
               state = excluded.state, reason = excluded.reason, n_issues = excluded.n_issues,
               map_version = ifnull(excluded.map_version, map_version)",
            params![
                key,
                progress.flow,
                progress.partition,
                state,
                progress.reason,
                progress.n_issues,
                progress.map_version,
            ],
        )?;
        *self
            .counts
            .entry((progress.flow.clone(), state))
            .or_default() += 1;
        // The minutes count messages: one that is replayed into the chart was counted before.
        let is_replayed = matches!(progress.state, State::Mapped | State::Delivered)
            && before.as_ref().is_some_and(|before| before.was_applied);
        if !is_replayed && before.is_none_or(|before| before.state != state) {
            *self
                .minutes
                .entry((progress.flow.clone(), state))
                .or_default() += 1;
        }
        Ok(())
    }

    fn release(&mut self, flow: &str, partition: &str) -> rusqlite::Result<()> {
        self.run(
            "DELETE FROM parked WHERE flow = ?1 AND part = ?2",
            params![flow, partition],
        )?;
        let n = self
            .connection
            .prepare_cached(
                "UPDATE message SET state = 0, reason = NULL
                 WHERE flow = ?1 AND part = ?2 AND state = 5",
            )?
            .execute(params![flow, partition])? as i64;
        let (parked, received) = (state_code(State::Parked), state_code(State::Received));
        *self.counts.entry((flow.to_owned(), parked)).or_default() -= n;
        *self.counts.entry((flow.to_owned(), received)).or_default() += n;
        Ok(())
    }

    fn forget(&mut self, gone: Sequence) -> rusqlite::Result<()> {
        let key = gone.get() as i64;
        let _ = self.uncount(key)?;
        self.run("DELETE FROM message WHERE seq = ?1", [key])?;
        self.run("DELETE FROM delivery WHERE seq = ?1", [key])?;
        self.run("DELETE FROM attempt WHERE seq = ?1", [key])?;
        self.run("DELETE FROM replay WHERE seq = ?1", [key])?;
        self.run("DELETE FROM parked WHERE head = ?1", [key])
    }

    fn remember(&self, chart: &Position, journal: &Identity) -> rusqlite::Result<()> {
        notice::remember(self.connection, "chart", &chart.identity, chart.mark)?;
        notice::remember(self.connection, "journal", journal, 0)
    }

    fn clear(&mut self) -> rusqlite::Result<()> {
        self.counts.clear();
        self.connection.execute_batch(
            "DELETE FROM message; DELETE FROM count; DELETE FROM parked; DELETE FROM replay;
                 DELETE FROM delivery; DELETE FROM attempt;",
        )
    }

    /// Removes a row from its count before it changes or is deleted; returns its state.
    fn uncount(&mut self, key: i64) -> rusqlite::Result<Option<Before>> {
        let before: Option<(String, Before)> = self
            .connection
            .prepare_cached(
                "SELECT flow, state, map_version IS NOT NULL FROM message WHERE seq = ?1",
            )?
            .query_row([key], |row| {
                let before = Before {
                    state: row.get(1)?,
                    was_applied: row.get(2)?,
                };
                Ok((row.get(0)?, before))
            })
            .optional()?;
        Ok(before.map(|(flow, before)| {
            *self.counts.entry((flow, before.state)).or_default() -= 1;
            before
        }))
    }

    fn finish(self) -> rusqlite::Result<()> {
        let mut count = self.connection.prepare_cached(
            "INSERT INTO count(flow, state, n) VALUES(?1,?2,?3)
             ON CONFLICT DO UPDATE SET n = n + excluded.n",
        )?;
        for ((flow, state), n) in self.counts.iter().filter(|(_, n)| **n != 0) {
            count.execute(params![flow, state, n])?;
        }
        let mut minute = self.connection.prepare_cached(
            "INSERT INTO minute(minute, flow, rated, n) VALUES(?1,?2,?3,?4)
             ON CONFLICT DO UPDATE SET n = n + excluded.n",
        )?;
        let this_minute = self.now.micros().div_euclid(60_000_000);
        for ((flow, rated), n) in &self.minutes {
            minute.execute(params![this_minute, flow, rated, n])?;
        }
        Ok(())
    }

    fn run(&self, sql: &str, values: impl rusqlite::Params) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(sql)?
            .execute(values)
            .map(drop)
    }
}

/// Returns the number in the file, and when to retry.
fn delivery_code(delivery: Delivery) -> (i64, Option<i64>) {
    match delivery {
        Delivery::Queued => (0, None),
        Delivery::Sending => (1, None),
        Delivery::Accepted => (2, None),
        Delivery::Deferred { due } => (3, Some(due.micros())),
        Delivery::Rejected => (4, None),
        Delivery::Held => (5, None),
    }
}
