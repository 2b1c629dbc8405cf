//! Finds entries that were changed, removed, moved or cut off.

use super::error::ReadError;
use super::head::Head;
use super::record::Hash;
use super::segment::{self, BadHeader, Walk};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// The result of checking a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The number of segment files.
    pub n_segments: u64,
    /// The number of entries whose place in the chain is right.
    pub n_entries: u64,
    /// The end of the chain.
    pub head: Head,
    /// The faults. If empty, nothing in the log was changed since it was written.
    pub faults: Vec<Fault>,
    /// Findings that are not faults but worth a look: the remains of a crash or a full disk.
    pub notes: Vec<Note>,
}

/// A change after the entry was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The chain breaks.
    #[error("the entry after {after} was changed, moved or cut in `{path}`")]
    Changed {
        /// The segment.
        path: PathBuf,
        /// The last valid entry.
        after: u64,
    },
    /// Entries are missing between two that exist.
    #[error("entries {from} to {to} are missing before `{path}`")]
    Missing {
        /// The segment after the gap.
        path: PathBuf,
        /// The first missing one.
        from: u64,
        /// The last missing one.
        to: u64,
    },
    /// A segment's header is not as it was written.
    #[error("the header of `{path}` was changed")]
    Header {
        /// The segment.
        path: PathBuf,
    },
    /// The log ends before the entry that its head names.
    #[error("the log ends at entry {last}, its head is {expected}")]
    CutOff {
        /// The last entry that exists.
        last: u64,
        /// The last entry that existed.
        expected: u64,
    },
    /// The entry that the head names has a different hash.
    #[error("entry {position} is not the one that the head names")]
    OtherHead {
        /// The head's entry.
        position: u64,
    },
    /// An entry that a head kept elsewhere names is missing or has a different hash.
    #[error("entry {position} is not the one that was there when its head was sent away")]
    NotAsSent {
        /// The head's entry.
        position: u64,
    },
    /// There are entries but no head.
    #[error("the head file is gone or damaged")]
    NoHead,
}

/// The remains of a crash or a full disk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Note {
    /// A write that was cut short, before any caller got an answer; or the rest of a reserve.
    #[error("{n_bytes} bytes after entry {after} in `{path}` are no entries")]
    Unfinished {
        /// The segment.
        path: PathBuf,
        /// The last entry before these bytes.
        after: u64,
        /// The number of bytes.
        n_bytes: u64,
    },
}

/// The walk through all segments.
#[derive(Default)]
struct Check {
    report: Report,
    /// The hash of the last record.
    last: Hash,
    node: Option<[u8; 16]>,
    promised: Option<Head>,
    /// The heads kept elsewhere: hashes by the position of the entry.
    sent: BTreeMap<u64, BTreeSet<Hash>>,
    /// The bytes after the valid records of the last segment; right only if the chain continues after it.
    rest: Option<(PathBuf, u64, u64)>,
}

/// Returns the name of the chain in a directory; none if there is no segment.
pub fn name(directory: &Path) -> Result<Option<[u8; 16]>, ReadError> {
    let segments = segment::list(directory).map_err(|source| ReadError::Segment {
        path: directory.to_owned(),
        source,
    })?;
    let mut headers = segments
        .iter()
        .filter_map(|(_, path)| Walk::open(path).ok());
    Ok(headers.next().map(|walk| walk.header.node))
}

/// Checks a whole log. It may be open and growing.
pub fn verify(directory: &Path) -> Result<Report, ReadError> {
    verify_with(directory, [])
}

/// Checks a whole log against heads that were kept elsewhere: positions of entries and their hashes. The
/// caller has checked that they belong to this chain ([`name`]).
pub fn verify_with(
    directory: &Path,
    heads: impl IntoIterator<Item = (u64, [u8; 32])>,
) -> Result<Report, ReadError> {
    let failed = |source| ReadError::Segment {
        path: directory.to_owned(),
        source,
    };
    // The head first: entries written meanwhile are after it.
    let mut check = Check {
        promised: Head::read(directory).map_err(failed)?,
        ..Check::default()
    };
    for (position, hash) in heads {
        // Before the first entry there is nothing to compare.
        if 0 < position {
            check.sent.entry(position).or_default().insert(hash);
        }
    }
    for (number, path) in segment::list(directory).map_err(failed)? {
        check
            .segment(number, &path)
            .map_err(|source| ReadError::Segment { path, source })?;
    }
    Ok(check.finish())
}

// === impl Check ===

impl Check {
    fn segment(&mut self, number: u64, path: &Path) -> io::Result<()> {
        self.report.n_segments += 1;
        let n_bytes = std::fs::metadata(path)?.len();
        let mut walk = match Walk::open(path) {
            Ok(walk) => walk,
            Err(BadHeader::Read(error)) => return Err(error),
            Err(BadHeader::Newer(format)) => {
                return Err(io::Error::other(format!(
                    "written by a newer version ({format})"
                )));
            }
            Err(BadHeader::Damaged) => {
                self.settle(false);
                self.rest = Some((path.to_owned(), self.report.head.position, n_bytes));
                return Ok(());
            }
        };
        self.join(number, path, &walk);
        while walk.good()?.is_some() {
            self.report.n_entries += 1;
            self.last = walk.hash;
            self.meet(walk.next - 1, &walk.hash);
        }
        let position = walk.next - 1;
        self.report.head = Head {
            position,
            segment: number,
            offset: walk.offset,
            hash: self.last,
        };
        if walk.offset < n_bytes {
            self.rest = Some((path.to_owned(), position, n_bytes - walk.offset));
        }
        Ok(())
    }

    /// Checks that this segment continues where the last one ended.
    fn join(&mut self, number: u64, path: &Path, walk: &Walk) {
        let header = &walk.header;
        let expected = self.report.head.position + 1;
        let goes_on = header.first == expected && header.before == self.last;
        self.settle(goes_on);
        if header.segment != number || *self.node.get_or_insert(header.node) != header.node {
            self.report.faults.push(Fault::Header {
                path: path.to_owned(),
            });
        } else if expected < header.first {
            let (from, to) = (expected, header.first - 1);
            self.report.faults.push(Fault::Missing {
                path: path.to_owned(),
                from,
                to,
            });
        } else if !goes_on {
            let after = header.first.saturating_sub(1);
            self.report.faults.push(Fault::Changed {
                path: path.to_owned(),
                after,
            });
        }
        self.last = header.before;
    }

    /// Settles the bytes after the last segment's records: a fault unless the chain continues after it.
    fn settle(&mut self, goes_on: bool) {
        let Some((path, after, n_bytes)) = self.rest.take() else {
            return;
        };
        if goes_on {
            self.report.notes.push(Note::Unfinished {
                path,
                after,
                n_bytes,
            });
        } else {
            self.report.faults.push(Fault::Changed { path, after });
        }
    }

    fn meet(&mut self, position: u64, hash: &Hash) {
        if let Some(sent) = self.sent.remove(&position)
            && sent.iter().any(|sent| sent != hash)
        {
            self.report.faults.push(Fault::NotAsSent { position });
        }
        let Some(promised) = self.promised.filter(|head| head.position == position) else {
            return;
        };
        if promised.hash != *hash {
            self.report.faults.push(Fault::OtherHead { position });
        }
    }

    fn finish(mut self) -> Report {
        let last = self.report.head.position;
        let promised = self.promised.unwrap_or_default();
        // The last write may be cut short, but not before the entry that the head names.
        self.settle(promised.position <= last);
        // One fault for all entries after the end, and one for each head in a gap.
        let behind = self.sent.split_off(&(last + 1));
        for position in self.sent.into_keys() {
            self.report.faults.push(Fault::NotAsSent { position });
        }
        if let Some(expected) = behind.into_keys().next_back() {
            self.report.faults.push(Fault::CutOff { last, expected });
        }
        if self.promised.is_none() && 0 < last {
            self.report.faults.push(Fault::NoHead);
        }
        if last < promised.position {
            let expected = promised.position;
            self.report.faults.push(Fault::CutOff { last, expected });
        }
        self.report
    }
}
