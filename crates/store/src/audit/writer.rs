//! The one thread that writes the log: group commit, segments, and the reserve on a full disk.
//!
//! The reserve is a file of zeros that is on disk from the start. When the disk is full it becomes
//! the next segment and is written in place, which needs no new space; only emergency entries go
//! there. When there is room again the log goes on in a segment of its own, with a new reserve.

use super::Shared;
use super::entry::Position;
use super::error::RecordError;
use super::record::{self, FRAME};
use super::segment::{HEADER, Header, path_of};
use crate::journal::inbox::Inbox;
use crate::journal::pending::Promise;
use base::{Clock, Timestamp};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a full disk is left alone before it is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// An entry to write.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) payload: Vec<u8>,
    /// The chart's relay number, 0 for none.
    pub(super) relay: u64,
    pub(super) emergency: bool,
    pub(super) promise: Promise<Position, RecordError>,
}

pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) inbox: Arc<Inbox<Order>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) node: [u8; 16],
    pub(super) segment_bytes: u64,
    pub(super) reserve_bytes: u64,
    pub(super) at: Writing,
    pub(super) full: Option<Full>,
}

/// Where the writer stands; on disk but for what a batch is adding.
#[derive(Default)]
pub(super) struct Writing {
    /// None where the next entry needs a new segment.
    pub(super) file: Option<File>,
    /// The highest number of a segment file.
    pub(super) segment: u64,
    pub(super) time: i64,
    pub(super) relay: u64,
}

/// The disk is full.
pub(super) struct Full {
    since: Instant,
    /// The open file is the reserve.
    on_reserve: bool,
}

/// Why a batch is not on disk.
enum Trouble {
    /// Nothing of it was kept; the disk is full.
    Full,
    /// Nobody knows what was kept.
    Failed(io::Error),
}

// === impl Writer ===

impl Writer {
    /// Runs until the inbox is closed and empty.
    pub(super) fn run(mut self) {
        while let Some(orders) = self.inbox.take(Duration::ZERO) {
            if self
                .full
                .as_ref()
                .is_some_and(|full| RETRY <= full.since.elapsed())
            {
                self.leave_reserve();
            }
            self.write(orders);
            self.shared.wake();
        }
    }

    fn write(&mut self, orders: Vec<Order>) {
        if let Some(error) = self.shared.stopped() {
            return refuse(orders, &error);
        }
        let (mut orders, refused) = match self.full {
            None => (orders, Vec::new()),
            Some(_) => orders.into_iter().partition(|order| order.emergency),
        };
        refuse(refused, &RecordError::Full);
        if orders.is_empty() {
            return;
        }
        match self.append(&mut orders) {
            Ok(positions) => {
                for (order, position) in orders.into_iter().zip(positions) {
                    order.promise.keep(Ok(Position::new(position)));
                }
            }
            Err(Trouble::Full) if self.full.is_none() => {
                self.enter_reserve();
                self.write(orders);
            }
            Err(Trouble::Full) => refuse(orders, &RecordError::Full),
            Err(Trouble::Failed(error)) => refuse(orders, &self.shared.stop(error)),
        }
    }

    /// Appends the entries and waits for the disk. What was relayed before is not written again.
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
        let on_reserve = self.full.as_ref().is_some_and(|full| full.on_reserve);
        if on_reserve && self.reserve_bytes < offset + bytes.len() as u64 {
            return Err(Trouble::Full);
        }
        let Some(file) = &mut self.at.file else {
            return Err(Trouble::Full);
        };
        if let Err(error) = file.write_all(bytes) {
            if !is_full(&error) {
                return Err(Trouble::Failed(error));
            }
            // What was written in part was promised to nobody: it goes, and the file is left.
            let cut = file.set_len(offset).and_then(|()| file.sync_all());
            self.at.file = None;
            return Err(cut.map_or_else(Trouble::Failed, |()| Trouble::Full));
        }
        file.sync_data().map_err(Trouble::Failed)
    }

    /// Makes sure that there is a segment to write to.
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

    /// Starts the next segment in the file that `make` gives.
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
                // It holds no entry; if it cannot go, it stays as a segment that says nothing.
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
        tracing::error!("audit log: the disk is full, emergency entries only");
        self.shared.set_full(true);
        self.at.file = None;
        let reserve = reserve_path(&self.shared.directory);
        let begun = self.begin(|path| {
            fs::rename(&reserve, path)?;
            File::options().write(true).open(path)
        });
        self.full = Some(Full {
            since: Instant::now(),
            on_reserve: begun.is_ok(),
        });
    }

    fn leave_reserve(&mut self) {
        self.full = Some(Full {
            since: Instant::now(),
            on_reserve: self.full.as_ref().is_some_and(|full| full.on_reserve),
        });
        let made = make_reserve(&self.shared.directory, self.reserve_bytes).and_then(|()| {
            self.begin(|path| File::options().create_new(true).write(true).open(path))
        });
        if made.is_ok() {
            tracing::info!("audit log: there is room again");
            self.full = None;
            self.shared.set_full(false);
        }
    }
}

fn refuse(orders: Vec<Order>, error: &RecordError) {
    for order in orders {
        order.promise.keep(Err(error.clone()));
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}

fn reserve_path(directory: &Path) -> PathBuf {
    directory.join("reserve")
}

/// Makes the reserve unless it is there: real zeros, for a hole would need space later.
pub(super) fn make_reserve(directory: &Path, n_bytes: u64) -> io::Result<()> {
    let path = reserve_path(directory);
    if fs::metadata(&path).is_ok_and(|metadata| metadata.len() == n_bytes) {
        return Ok(());
    }
    let mut file = File::create(&path)?;
    let written = io::copy(&mut io::Read::take(io::repeat(0), n_bytes), &mut file)
        .and_then(|_| file.sync_all())
        .and_then(|()| sync_directory(directory));
    if written.is_err() {
        // A part of a reserve would only fill the disk further.
        let _ = fs::remove_file(&path);
    }
    written
}

pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
