//! The head file: the end of the chain when it was last written, kept apart from the chain.
//!
//! Two slots, written in turn and each with its own hash, so that a torn write leaves the other intact. The
//! head is at most about a second behind and never ahead: it is written after the chain's `fsync`.

use super::record::Hash;
use super::writer::sync_directory;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

const NAME: &str = "head";
const SLOT: u64 = 128;
const USED: usize = 8 + 8 + 8 + 32 + 32;

/// The end of the chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The last entry; 0 before the first.
    pub position: u64,
    /// The segment that holds the last entry.
    pub segment: u64,
    /// The offset of the next record in that segment.
    pub offset: u64,
    /// The hash of the last entry.
    pub hash: Hash,
}

/// The open head file.
pub(super) struct HeadFile {
    file: File,
    slot: u64,
}

fn slots(bytes: &[u8]) -> [Option<Head>; 2] {
    [0, SLOT as usize].map(|at| Head::from_bytes(bytes.get(at..)?))
}

// === impl HeadFile ===

impl HeadFile {
    /// Opens or creates the file and writes the current end of the chain, so that a log always has a head.
    pub(super) fn open(directory: &Path, head: &Head) -> io::Result<Self> {
        let path = directory.join(NAME);
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        // The next write goes to the other slot: the newest one must survive a torn write.
        let [first, second] = slots(&bytes).map(|head| head.map(|head| head.position));
        let mut file = Self {
            file,
            slot: if first <= second { SLOT } else { 0 },
        };
        file.write(head)?;
        sync_directory(directory)?;
        Ok(file)
    }

    pub(super) fn write(&mut self, head: &Head) -> io::Result<()> {
        self.slot = (self.slot + SLOT) % (2 * SLOT);
        self.file.seek(SeekFrom::Start(self.slot))?;
        self.file.write_all(&head.to_bytes())?;
        self.file.sync_data()
    }
}

// === impl Head ===

impl Head {
    /// Returns the newest intact slot; none without a head file or an intact slot.
    pub(super) fn read(directory: &Path) -> io::Result<Option<Self>> {
        let mut bytes = Vec::new();
        match File::open(directory.join(NAME)) {
            Ok(mut file) => file.read_to_end(&mut bytes)?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(slots(&bytes)
            .into_iter()
            .flatten()
            .max_by_key(|head| head.position))
    }

    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(USED);
        for number in [self.position, self.segment, self.offset] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&self.hash);
        let hash: Hash = Sha256::digest(&bytes).into();
        bytes.extend_from_slice(&hash);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..USED)?;
        let number = |at: usize| {
            let chunk = bytes.get(at..)?.first_chunk::<8>()?;
            Some(u64::from_be_bytes(*chunk))
        };
        let hash = *bytes.get(24..)?.first_chunk::<32>()?;
        let head = Self {
            position: number(0)?,
            segment: number(8)?,
            offset: number(16)?,
            hash,
        };
        (head.to_bytes() == bytes).then_some(head)
    }
}
