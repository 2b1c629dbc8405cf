//! The thread that writes the log: group commit, segments, and the switch to the [`reserve`](super::reserve)
//! and back.

use super::Shared;
use super::entry::Position;
use super::error::RecordError;
use super::record::{self, FRAME};
use super::reserve::{self, Claim, Reserve, is_full};
use super::segment::{HEADER, Header, path_of};
use crate::journal::inbox::Inbox;
use crate::journal::pending::Promise;
use base::{Clock, Timestamp};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An entry to write.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) payload: Vec<u8>,
    /// The chart's relay number, 0 for none.
    pub(super) relay: u64,
    pub(super) claim: Claim,
    pub(super) promise: Promise<Position, RecordError>,
}

pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) inbox: Arc<Inbox<Order>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) node: [u8; 16],
    pub(super) segment_bytes: u64,
    pub(super) reserve_bytes: u64,
    pub(super) emergency_bytes: u64,
    pub(super) retry_full: Duration,
    pub(super) at: Writing,
    pub(super) full: Option<Full>,
}

/// The writer's position; on disk except for the batch in progress.
#[derive(Default)]
pub(super) struct Writing {
    /// None if the next entry needs a new segment.
    pub(super) file: Option<File>,
    /// The highest number of a segment file.
    pub(super) segment: u64,
    pub(super) time: i64,
    pub(super) relay: u64,
}

/// The state while the disk is full.
pub(super) struct Full {
    /// The time of the last attempt to find space.
    pub(super) looked: Instant,
    /// The size of the reserve, which is the open file; 0 if there is none.
    pub(super) n_bytes: u64,
}

/// The reason why a batch is not on disk.
enum Trouble {
    /// Nothing of the batch was kept; the disk is full.
    Full,
    /// Unknown how much of the batch was kept.
    Failed(io::Error),
}

// === impl Writer ===

impl Writer {
    /// Runs until the inbox is closed and empty. On a full disk it looks for space without waiting for an
    /// order.
    pub(super) fn run(mut self) {
        self.tell();
        while let Some(orders) = self.inbox.take_within(self.patience(), Duration::ZERO) {
            if self.patience().is_some_and(|patience| patience.is_zero()) {
                self.leave_reserve();
            }
            self.write(orders);
            self.shared.wake();
        }
    }

    /// Returns how long to wait for orders before looking for space.
    fn patience(&self) -> Option<Duration> {
        let full = self.full.as_ref()?;
        Some(self.retry_full.saturating_sub(full.looked.elapsed()))
    }

    fn write(&mut self, orders: Vec<Order>) {
        if let Some(error) = self.shared.stopped() {
            return refuse(orders, &error);
        }
        let (mut orders, refused) = self.that_fit(orders);
        refuse(refused, &RecordError::Full);
        if orders.is_empty() {
            return;
        }
        match self.append(&mut orders) {
            Ok(positions) => {
                self.tell();
                for (order, position) in orders.into_iter().zip(positions) {
                    order.promise.keep(Ok(Position::new(position)));
                }
            }
            Err(Trouble::Full) if self.full.is_none() => {
                self.enter_reserve();
                self.write(orders);
            }
            Err(Trouble::Full) => {
                // An in-place write that still needs space: no reserve on such a file system.
                self.full = Some(Full::without_reserve());
                self.tell();
                refuse(orders, &RecordError::Full);
            }
            Err(Trouble::Failed(error)) => refuse(orders, &self.shared.stop(error)),
        }
    }

    /// Splits the orders on a full disk: those that fit into the reserve, and the others.
    fn that_fit(&self, orders: Vec<Order>) -> (Vec<Order>, Vec<Order>) {
        let Some(reserve) = self.reserve() else {
            return (orders, Vec::new());
        };
        let mut end = reserve.used_bytes;
        orders.into_iter().partition(|order| {
            let after = end + (order.payload.len() + FRAME) as u64;
            let fits = after <= reserve.end_of(order.claim);
            if fits {
                end = after;
            }
            fits
        })
    }

    fn reserve(&self) -> Option<Reserve> {
        let full = self.full.as_ref()?;
        let used = self.shared.head().offset;
        Some(Reserve {
            n_bytes: full.n_bytes,
            emergency_bytes: self.emergency_bytes.min(full.n_bytes),
            used_bytes: used.min(full.n_bytes),
        })
    }

    /// Publishes the state of the reserve to the handles.
    fn tell(&self) {
        self.shared.set_reserve(self.reserve());
    }

    /// Appends the entries and waits for the disk. Entries that were relayed before are not written again.
    fn append(&mut self, orders: &mut [Order]) -> Result<Vec<u64>, Trouble> {
        self.room()?;
        let (mut head, mut link) = (self.shared.head(), self.shared.link());
        self.at.time = self.at.time.max(self.clock.now().micros());
        let mut relay = self.at.relay;
        let mut bytes = Vec::with_capacity(orders.iter().map(|o| o.payload.len() + FRAME).sum());
        let mut positions = Vec::with_capacity(orders.len());
        for order in orders {
            if order.relay == 0 || relay < order.relay {
                relay = relay.max(order.relay);
                record::set_time(&mut order.payload, Timestamp::from_micros(self.at.time));
                link = record::link(&link, &order.payload);
                bytes.extend_from_slice(&(order.payload.len() as u32).to_be_bytes());
                bytes.extend_from_slice(&order.payload);
                bytes.extend_from_slice(&link);
                head.position += 1;
                head.hash = link;
            }
            positions.push(head.position);
        }
        if !bytes.is_empty() {
            self.put(&bytes, head.offset)?;
            head.offset += bytes.len() as u64;
            self.at.relay = relay;
            self.shared.advance(head, relay);
        }
        Ok(positions)
    }

    fn put(&mut self, bytes: &[u8], offset: u64) -> Result<(), Trouble> {
        let Some(file) = &mut self.at.file else {
            return Err(Trouble::Full);
        };
        if let Err(error) = file.write_all(bytes) {
            if !is_full(&error) {
                return Err(Trouble::Failed(error));
            }
            // No caller got an answer for a partial write: it is cut off, and the file is left.
            let cut = file.set_len(offset).and_then(|()| file.sync_all());
            self.at.file = None;
            return Err(cut.map_or_else(Trouble::Failed, |()| Trouble::Full));
        }
        file.sync_data().map_err(Trouble::Failed)
    }

    /// Ensures that there is a segment to write to.
    fn room(&mut self) -> Result<(), Trouble> {
        let is_open = self.at.file.is_some();
        if self.full.is_some() {
            return if is_open { Ok(()) } else { Err(Trouble::Full) };
        }
        if is_open && self.shared.head().offset < self.segment_bytes {
            return Ok(());
        }
        self.at.file = None;
        self.begin(|path| File::options().create_new(true).write(true).open(path))
            .map_err(|error| {
                if is_full(&error) {
                    Trouble::Full
                } else {
                    Trouble::Failed(error)
                }
            })
    }

    /// Starts the next segment in the file that `make` returns.
    fn begin(&mut self, make: impl FnOnce(&Path) -> io::Result<File>) -> io::Result<()> {
        let head = self.shared.head();
        let header = Header {
            node: self.node,
            segment: self.at.segment + 1,
            first: head.position + 1,
            relay: self.at.relay,
            at: self.at.time.max(0) as u64,
            before: head.hash,
        };
        let path = path_of(&self.shared.directory, header.segment);
        let begun = make(&path).and_then(|mut file| {
            file.write_all(&header.to_bytes())?;
            file.sync_all()?;
            sync_directory(&self.shared.directory)?;
            Ok(file)
        });
        let file = match begun {
            Ok(file) => file,
            Err(error) => {
                // The file holds no entry; if it cannot be removed, it stays as an empty segment.
                let _ = fs::remove_file(&path);
                return Err(error);
            }
        };
        self.shared
            .begin(header.segment, HEADER as u64, header.hash());
        self.at.segment = header.segment;
        self.at.file = Some(file);
        Ok(())
    }

    fn enter_reserve(&mut self) {
        self.at.file = None;
        let directory = self.shared.directory.clone();
        let mut n_bytes = 0;
        let begun = self.begin(|path| {
            let (file, length) = reserve::take(&directory, path)?;
            n_bytes = length;
            Ok(file)
        });
        self.full = Some(match begun {
            Ok(()) => Full {
                looked: Instant::now(),
                n_bytes,
            },
            Err(_) => Full::without_reserve(),
        });
        self.tell();
        tracing::error!(
            n_bytes,
            "audit log: the disk is full; reads go on from the reserve, writes are refused"
        );
    }

    /// Continues in a segment of its own if there is space, with a new reserve made first.
    fn leave_reserve(&mut self) {
        if let Some(full) = &mut self.full {
            full.looked = Instant::now();
        }
        let used = self.shared.head().offset;
        let made = reserve::make(&self.shared.directory, self.reserve_bytes);
        let old = self.at.file.take();
        let begun = made.and_then(|()| {
            self.begin(|path| File::options().create_new(true).write(true).open(path))
        });
        if begun.is_err() {
            self.at.file = old;
            return;
        }
        // The unused zeros are freed; if they stay, they are no fault.
        let _ = old.map(|file| file.set_len(used));
        self.full = None;
        self.tell();
        tracing::info!("audit log: there is room again, the reserve is made anew");
    }
}

// === impl Full ===

impl Full {
    fn without_reserve() -> Self {
        Self {
            looked: Instant::now(),
            n_bytes: 0,
        }
    }
}

fn refuse(orders: Vec<Order>, error: &RecordError) {
    for order in orders {
        order.promise.keep(Err(error.clone()));
    }
}

pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
