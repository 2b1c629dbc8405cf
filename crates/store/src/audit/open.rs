//! Opens a log: finds the end of the chain and continues there.

use super::error::OpenError;
use super::head::{Head, HeadFile};
use super::record::{self, Hash};
use super::reserve::{self, is_full};
use super::segment::{self, BadHeader, Walk};
use super::writer::{Full, Writer, Writing};
use super::{AuditLog, Inner, MAX_QUEUED_BYTES, Options, Shared, State, index};
use crate::journal::inbox::Inbox;
use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

/// The end of the chain according to the segments.
#[derive(Default)]
struct End {
    node: Option<[u8; 16]>,
    head: Head,
    /// The hash that the next record links to.
    link: Hash,
    time: i64,
    relay: u64,
    /// The last segment, if it can be appended to: nothing follows its records.
    file: Option<File>,
    /// True if bytes follow the last segment's records: the rest of a reserve.
    has_rest: bool,
}

impl AuditLog {
    /// Opens or creates the log in `directory`.
    ///
    /// A log that ends before the entry named by its head file was truncated. It continues after a gap that
    /// `verify` reports for ever, because a hospital must be able to continue.
    pub fn open(directory: &Path, options: Options) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Path {
            path: directory.to_owned(),
            source,
        };
        fs::create_dir_all(directory).map_err(failed)?;
        let lock = lock(directory)?;
        let mut segments = segment::list(directory).map_err(failed)?;
        reserve::find_again(directory, &mut segments).map_err(failed)?;
        let mut end = End::find(&segments)?;
        let promised = Head::read(directory).map_err(failed)?.unwrap_or_default();
        if end.head.position < promised.position {
            tracing::error!(
                found = end.head.position,
                expected = promised.position,
                "audit log was cut off; it goes on after a gap"
            );
            end.head = promised;
            end.link = promised.hash;
            end.file = None;
            end.has_rest = false;
        }
        let full = end.reserve(directory, options.reserve_bytes);
        let head_file = HeadFile::open(directory, &end.head).map_err(failed)?;
        let index = index::open(directory);
        let node = end.node.unwrap_or_else(new_node);
        let shared = Arc::new(Shared {
            directory: directory.to_owned(),
            state: Mutex::new(State {
                head: end.head,
                link: end.link,
                relay: end.relay,
                indexed: index.as_ref().map_or(0, index::reached),
                stopped: None,
                reserve: None,
                closed: false,
            }),
            news: Condvar::new(),
            _lock: lock,
        });
        let inbox = Arc::new(Inbox::new(MAX_QUEUED_BYTES));
        let writer = Writer {
            shared: shared.clone(),
            inbox: inbox.clone(),
            clock: options.clock,
            node,
            segment_bytes: options.segment_bytes,
            reserve_bytes: options.reserve_bytes,
            emergency_bytes: options.emergency_bytes,
            retry_full: options.retry_full,
            at: Writing {
                file: end.file,
                segment: segments.last().map_or(0, |(number, _)| *number),
                time: end.time,
                relay: end.relay,
            },
            full,
        };
        let start = |name: &str, body: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(body)
                .map_err(failed)
        };
        let behind = {
            let shared = shared.clone();
            start(
                "audit-behind",
                Box::new(move || index::run(&shared, head_file, index)),
            )?
        };
        let writer = start("audit", Box::new(move || writer.run()))?;
        let inner = Inner {
            node,
            shared,
            inbox,
            writer: Some(writer),
            behind: Some(behind),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }
}

fn lock(directory: &Path) -> Result<File, OpenError> {
    let path = directory.join("lock");
    let failed = |source| OpenError::Path {
        path: path.clone(),
        source,
    };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(OpenError::InUse {
            path: directory.to_owned(),
        }),
        Err(fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Makes a chain's unique name, so that segments of two logs cannot be mixed.
fn new_node() -> [u8; 16] {
    let mut node = [0; 16];
    // Each hasher has random keys of its own; the name needs to be unique, not secret.
    for half in node.chunks_exact_mut(8) {
        half.copy_from_slice(&RandomState::new().build_hasher().finish().to_be_bytes());
    }
    node
}

// === impl End ===

impl End {
    /// Walks the last segment that has a header. Files after it hold no entry.
    fn find(segments: &[(u64, std::path::PathBuf)]) -> Result<Self, OpenError> {
        let mut n_bad = 0;
        for (number, path) in segments.iter().rev() {
            let failed = |source| OpenError::Path {
                path: path.clone(),
                source,
            };
            match Walk::open(path) {
                Ok(walk) => return Self::walk(*number, path, walk, n_bad == 0).map_err(failed),
                Err(BadHeader::Read(source)) => return Err(failed(source)),
                Err(BadHeader::Newer(found)) => {
                    let known = segment::FORMAT;
                    return Err(OpenError::Newer {
                        path: path.clone(),
                        found,
                        known,
                    });
                }
                Err(BadHeader::Damaged) => n_bad += 1,
            }
        }
        Ok(Self::default())
    }

    fn walk(number: u64, path: &Path, mut walk: Walk, is_last: bool) -> io::Result<Self> {
        let header = walk.header;
        let mut last_record = header.before;
        let mut end = Self {
            node: Some(header.node),
            time: header.at as i64,
            relay: header.relay,
            ..Self::default()
        };
        while let Some(payload) = walk.good()? {
            if let Some(decoded) = record::decode(payload) {
                end.time = end.time.max(decoded.at.micros());
                end.relay = end.relay.max(decoded.relay);
            }
            last_record = walk.hash;
        }
        let (position, offset) = (walk.next - 1, walk.offset);
        end.head = Head {
            position,
            segment: number,
            offset,
            hash: last_record,
        };
        end.link = walk.hash;
        let file = File::options().append(true).open(path)?;
        // A killed process may have left entries whose callers got no answer; now they are on disk.
        file.sync_all()?;
        let is_whole = file.metadata()?.len() == walk.offset;
        end.file = (is_last && is_whole).then_some(file);
        end.has_rest = is_last && !is_whole;
        Ok(end)
    }

    /// Makes the reserve. If the disk is full and the last process was writing in a reserve, continues in its
    /// rest.
    fn reserve(&mut self, directory: &Path, n_bytes: u64) -> Option<Full> {
        let error = reserve::make(directory, n_bytes).err()?;
        if is_full(&error) && self.has_rest && !reserve::is_there(directory) {
            let (segment, offset) = (self.head.segment, self.head.offset);
            if let Ok((file, n_bytes)) = reserve::go_on(directory, segment, offset) {
                self.file = Some(file);
                return Some(Full {
                    looked: Instant::now(),
                    n_bytes,
                });
            }
        }
        tracing::warn!(error = %error, "audit log has no new reserve for a full disk");
        None
    }
}
