//! The one thread that writes the journal.
//!
//! A batch is everything that queued up while the last one was being written to disk. Per batch and file: one
//! transaction, its index rows sorted, one `fsync`, then the answers. [`Checkpointer`] checkpoints the
//! write-ahead log beside the writer.

use super::batch::Batch;
use super::checkpointer::Checkpointer;
use super::day::{DayFile, Name, checkpoint};
use super::days::{Days, Resume, open_day};
use super::error::{OpenError, ReadError, WriteError};
use super::inbox::Inbox;
use super::pending::{Promise, WriterGone};
use super::{Acknowledgement, Appended, Entry, Sequence};
use crate::wal;
use base::{Clock, Timestamp};
use rusqlite::Connection;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The time that an acknowledgement alone waits for other orders before it costs an `fsync` of its own.
const LINGER: Duration = Duration::from_millis(100);
/// The idle time after which the logs are checkpointed.
const IDLE: Duration = Duration::from_secs(2);
/// Write connections kept open: today and the days of the duplicate window, a few classes.
const MAX_OPEN: usize = 8;

/// The orders that the writer accepts.
#[derive(Debug)]
pub(super) enum Order {
    /// Append a message.
    Append(Box<Prepared>, Promise<Appended, WriteError>),
    /// Store an acknowledgement.
    Acknowledge(Sequence, Acknowledgement),
}

/// An entry with everything that the caller's thread could compute before queueing it.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) entry: Entry,
    pub(super) hash: [u8; 32],
    /// 0 as it arrived, 1 zstd.
    pub(super) coding: i64,
    /// The compressed body, if it was compressed.
    pub(super) compressed: Option<Vec<u8>>,
}

/// The writer's own state.
pub(super) struct Writer {
    days: Arc<Days>,
    inbox: Arc<Inbox<Order>>,
    clock: Arc<dyn Clock>,
    window: Duration,
    next: u64,
    received: i64,
    open: Vec<(Arc<DayFile>, Connection)>,
    checkpointer: Checkpointer,
    notify: Arc<dyn Fn() + Send + Sync>,
    /// True if a log may not be checkpointed completely.
    is_dirty: bool,
}

// === impl Writer ===

impl Writer {
    pub(super) fn new(
        days: Arc<Days>,
        inbox: Arc<Inbox<Order>>,
        options: &super::Options,
        resume: Resume,
        notify: Arc<dyn Fn() + Send + Sync>,
    ) -> Result<Self, OpenError> {
        Ok(Self {
            checkpointer: Checkpointer::start(days.clone(), options.checkpoint_bytes)
                .map_err(OpenError::Thread)?,
            days,
            inbox,
            clock: options.clock.clone(),
            window: options.duplicate_window,
            next: resume.next,
            received: resume.received,
            open: Vec::new(),
            notify,
            is_dirty: false,
        })
    }

    /// Runs until the inbox is closed and empty.
    pub(super) fn run(mut self) {
        while let Some(batch) = self
            .inbox
            .take_within(self.is_dirty.then_some(IDLE), LINGER)
        {
            if batch.is_empty() {
                self.rest();
                continue;
            }
            self.is_dirty = true;
            self.write_all(batch);
            (self.notify)();
        }
        self.close();
    }

    fn write_all(&mut self, batch: Vec<Order>) {
        let now = self.now();
        let mut groups: Vec<(Name, Vec<Order>)> = Vec::new();
        for order in batch {
            let Some(name) = self.name_for(&order, now) else {
                continue;
            };
            match groups.iter_mut().find(|(known, _)| *known == name) {
                Some((_, orders)) => orders.push(order),
                None => groups.push((name, vec![order])),
            }
        }
        for (name, orders) in groups {
            self.write_group(&name, orders, now);
        }
    }

    /// Returns the time, never before that of the last message on disk, whatever the clock says.
    fn now(&mut self) -> Timestamp {
        self.received = self.received.max(self.clock.now().micros());
        Timestamp::from_micros(self.received)
    }

    fn name_for(&self, order: &Order, now: Timestamp) -> Option<Name> {
        match order {
            Order::Append(prepared, _) => Some(Name {
                day: Name::day_of(now),
                class: prepared.entry.retention.clone(),
            }),
            // A pruned message no longer needs an acknowledgement.
            Order::Acknowledge(sequence, _) => self
                .days
                .holding(*sequence)
                .first()
                .map(|file| file.name.clone()),
        }
    }

    fn write_group(&mut self, name: &Name, orders: Vec<Order>, now: Timestamp) {
        let mut outcome = match self.days.stopped() {
            Some(error) => Err(error),
            None => self.commit(name, &orders, now).map(Vec::into_iter),
        };
        for order in orders {
            let Order::Append(_, promise) = order else {
                continue;
            };
            promise.keep(match &mut outcome {
                Ok(answers) => answers.next().ok_or(WriteError::Closed(WriterGone)),
                Err(error) => Err(error.clone()),
            });
        }
    }

    /// Runs one transaction on one file. After an error nothing is ever written again.
    fn commit(
        &mut self,
        name: &Name,
        orders: &[Order],
        now: Timestamp,
    ) -> Result<Vec<Appended>, WriteError> {
        let slot = self.slot(name).map_err(|error| self.days.stop(error))?;
        self.next = self.next.max(self.days.floor.load(Ordering::Acquire) + 1);
        let window_start = now
            .micros()
            .saturating_sub(i64::try_from(self.window.as_micros()).unwrap_or(i64::MAX));
        let earlier = self.earlier_days(name, Timestamp::from_micros(window_start));
        let (file, connection) = slot_of(&self.open, slot)?;
        let others: Vec<&Connection> = earlier
            .iter()
            .filter_map(|&other| self.open.get(other))
            .map(|(_, c)| c)
            .collect();
        let batch = Batch::new(self.next, now, window_start, &others);
        let written = batch.write(connection, orders);
        let done = match written {
            Ok(done) => done,
            Err(source) => {
                return Err(self.days.stop(ReadError::File {
                    path: file.path.clone(),
                    source,
                }));
            }
        };
        if self.next < done.next {
            file.first.fetch_min(self.next, Ordering::AcqRel);
            file.last.fetch_max(done.next - 1, Ordering::AcqRel);
            self.days.last.fetch_max(done.next - 1, Ordering::AcqRel);
        }
        self.next = done.next;
        self.checkpointer.wrote(file, connection, wal::logged());
        Ok(done.answers)
    }

    /// Returns the open connection to that file; if there are too many, the oldest is closed.
    fn slot(&mut self, name: &Name) -> Result<usize, OpenError> {
        if let Some(found) = self.open.iter().position(|(file, _)| file.name == *name) {
            return Ok(found);
        }
        if MAX_OPEN <= self.open.len() {
            let oldest = self
                .open
                .iter()
                .enumerate()
                .min_by_key(|(_, (file, _))| &file.name);
            if let Some(oldest) = oldest.map(|(slot, _)| slot) {
                let (_, connection) = self.open.swap_remove(oldest);
                self.bring_home(&connection);
            }
        }
        self.open.push(open_day(&self.days, name)?);
        Ok(self.open.len() - 1)
    }

    /// Returns the other files of the class within the duplicate window, if they can be opened.
    fn earlier_days(&mut self, name: &Name, window_start: Timestamp) -> Vec<usize> {
        let first_day = Name::day_of(window_start);
        let all = self.days.all().into_iter().rev();
        let names = all.map(|file| file.name.clone()).filter(|other| {
            other.class == name.class && first_day <= other.day && other.day < name.day
        });
        // Today's file must not be evicted by those of earlier days.
        let names: Vec<Name> = names.take(MAX_OPEN / 2).collect();
        for other in &names {
            if self.open.len() < MAX_OPEN
                && self.open.iter().all(|(file, _)| file.name != *other)
                && let Ok(opened) = open_day(&self.days, other)
            {
                self.open.push(opened);
            }
        }
        let is_wanted = |(file, _): &(Arc<DayFile>, Connection)| names.contains(&file.name);
        self.open
            .iter()
            .enumerate()
            .filter(|(_, open)| is_wanted(open))
            .map(|(n, _)| n)
            .collect()
    }

    /// Checkpoints the logs while nobody waits, so that they restart and stay small.
    fn rest(&mut self) {
        self.is_dirty = false;
        for (file, connection) in &self.open {
            if self.days.stopped().is_none()
                && let Err(source) = checkpoint(connection, "PASSIVE")
            {
                self.days.stop(ReadError::File {
                    path: file.path.clone(),
                    source,
                });
            }
        }
    }

    fn bring_home(&self, connection: &Connection) {
        if self.days.stopped().is_none()
            && let Err(error) = checkpoint(connection, "TRUNCATE")
        {
            tracing::warn!(error = %error, "journal file not checkpointed on close");
        }
    }

    fn close(mut self) {
        self.checkpointer.stop();
        for (_, connection) in std::mem::take(&mut self.open) {
            self.bring_home(&connection);
        }
    }
}

fn slot_of(
    open: &[(Arc<DayFile>, Connection)],
    slot: usize,
) -> Result<(&Arc<DayFile>, &Connection), WriteError> {
    open.get(slot)
        .map(|(file, connection)| (file, connection))
        .ok_or(WriteError::Closed(WriterGone))
}
