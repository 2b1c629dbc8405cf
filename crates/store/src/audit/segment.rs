//! Segment files: `audit-0000000001.log`, a header and then records.
//!
//! The header holds the hash of the last record before it and is itself the first link of the file's records,
//! so the chain runs through all files. Bytes after the last valid record are a write that a crash cut short,
//! or the unused zeros of a reserve; they are left alone, and the next segment continues from the last valid
//! record.

use super::record::{FRAME, Hash, MAX_PAYLOAD, link};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The newest format that this version reads.
pub(super) const FORMAT: u16 = 1;
/// The length of a header.
pub(super) const HEADER: usize = 8 + 2 + 16 + 4 * 8 + 32 + 32;

const MAGIC: &[u8; 8] = b"CWAUDIT\n";

/// The header of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The name of the chain: one per node.
    pub(super) node: [u8; 16],
    /// The number, as in the file name.
    pub(super) segment: u64,
    /// The position of the first record.
    pub(super) first: u64,
    /// The highest relay number before it.
    pub(super) relay: u64,
    /// The time of the last record before it, in microseconds.
    pub(super) at: u64,
    /// The hash of the last record before it.
    pub(super) before: Hash,
}

/// The reason why a file is not a valid segment.
#[derive(Debug)]
pub(super) enum BadHeader {
    /// Written by a newer version.
    Newer(u16),
    /// Too short, or does not match its hash.
    Damaged,
    /// Cannot be read.
    Read(io::Error),
}

/// Walks the records of a segment as long as the chain holds.
pub(super) struct Walk {
    file: BufReader<File>,
    /// The segment's header.
    pub(super) header: Header,
    /// The offset of the next record.
    pub(super) offset: u64,
    /// The position of the next record.
    pub(super) next: u64,
    /// The hash of the last valid record, or of the header.
    pub(super) hash: Hash,
    payload: Vec<u8>,
}

// === impl Header ===

impl Header {
    /// Encodes the header; the last 32 bytes are its hash.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&FORMAT.to_be_bytes());
        bytes.extend_from_slice(&self.node);
        for number in [self.segment, self.first, self.relay, self.at] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&self.before);
        let hash: Hash = Sha256::digest(&bytes).into();
        bytes.extend_from_slice(&hash);
        bytes
    }

    /// Returns the first link of the segment's records.
    pub(super) fn hash(self) -> Hash {
        self.to_bytes().last_chunk().copied().unwrap_or_default()
    }

    fn from_bytes(bytes: &[u8; HEADER]) -> Result<Self, BadHeader> {
        let mut rest = &bytes[..];
        let mut fields = || -> Option<(u16, Self)> {
            let magic = take::<8>(&mut rest)?;
            let format = u16::from_be_bytes(take(&mut rest)?);
            let node = take(&mut rest)?;
            let mut number = || take(&mut rest).map(u64::from_be_bytes);
            let (segment, first, relay, at) = (number()?, number()?, number()?, number()?);
            let before = take(&mut rest)?;
            (magic == *MAGIC).then_some((
                format,
                Self {
                    node,
                    segment,
                    first,
                    relay,
                    at,
                    before,
                },
            ))
        };
        let (format, header) = fields().ok_or(BadHeader::Damaged)?;
        if FORMAT < format {
            return Err(BadHeader::Newer(format));
        }
        if header.to_bytes() == bytes {
            Ok(header)
        } else {
            Err(BadHeader::Damaged)
        }
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (chunk, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*chunk)
}

// === impl Walk ===

impl Walk {
    /// Opens a segment at its first record.
    pub(super) fn open(path: &Path) -> Result<Self, BadHeader> {
        let file = File::open(path).map_err(BadHeader::Read)?;
        let mut file = BufReader::with_capacity(1 << 18, file);
        let mut bytes = [0; HEADER];
        match file.read_exact(&mut bytes) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                return Err(BadHeader::Damaged);
            }
            Err(error) => return Err(BadHeader::Read(error)),
        }
        let header = Header::from_bytes(&bytes)?;
        Ok(Self {
            file,
            header,
            offset: HEADER as u64,
            next: header.first,
            hash: header.hash(),
            payload: Vec::new(),
        })
    }

    /// Continues at a record that an earlier walk found. Without its hash the chain is not checked.
    pub(super) fn seek(&mut self, offset: u64, next: u64) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(offset))?;
        self.offset = offset;
        self.next = next;
        Ok(())
    }

    /// Returns the next payload, if a complete record with the right hash is here.
    pub(super) fn good(&mut self) -> io::Result<Option<&[u8]>> {
        let Some(stored) = self.read()? else {
            return Ok(None);
        };
        let hash = link(&self.hash, &self.payload);
        if hash != stored {
            return Ok(None);
        }
        self.hash = hash;
        self.step();
        Ok(Some(&self.payload))
    }

    /// Returns the next payload, unchecked: for records that are known to be on disk.
    pub(super) fn any(&mut self) -> io::Result<Option<&[u8]>> {
        if self.read()?.is_none() {
            return Ok(None);
        }
        self.step();
        Ok(Some(&self.payload))
    }

    fn step(&mut self) {
        self.offset += (self.payload.len() + FRAME) as u64;
        self.next += 1;
    }

    fn read(&mut self) -> io::Result<Option<Hash>> {
        let mut length = [0; 4];
        if !self.fill(&mut length)? {
            return Ok(None);
        }
        let length = u32::from_be_bytes(length) as usize;
        if length == 0 || MAX_PAYLOAD < length {
            return Ok(None);
        }
        let mut payload = std::mem::take(&mut self.payload);
        payload.resize(length, 0);
        let mut stored = [0; 32];
        let whole = self.fill(&mut payload)? && self.fill(&mut stored)?;
        self.payload = payload;
        Ok(whole.then_some(stored))
    }

    fn fill(&mut self, place: &mut [u8]) -> io::Result<bool> {
        match self.file.read_exact(place) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Returns the path of a segment.
pub(super) fn path_of(directory: &Path, segment: u64) -> PathBuf {
    directory.join(format!("audit-{segment:010}.log"))
}

/// Returns the segments of a directory, in order.
pub(super) fn list(directory: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut segments = Vec::new();
    for found in std::fs::read_dir(directory)? {
        let path = found?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let number = name
            .strip_prefix("audit-")
            .and_then(|name| name.strip_suffix(".log"));
        if let Some(Ok(number)) = number.map(str::parse) {
            segments.push((number, path));
        }
    }
    segments.sort_unstable();
    Ok(segments)
}
