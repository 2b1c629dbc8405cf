//! The reserve: a file of zeros that is on disk from the start.
//!
//! When the disk is full it becomes the next segment and is written in place, which needs no new space. The
//! entries of reads may use it except for the part kept for emergency reads; writes and unauthenticated
//! callers may not use it. When there is space again, a new reserve is made first.
//!
//! A process that dies within the reserve leaves one of two things, and [`find_again`] handles both: a
//! segment whose records end before the file does, in which writing continues, or zeros that were renamed and
//! have no header yet, which become the reserve again.

use super::segment::{HEADER, path_of};
use super::writer::sync_directory;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

const NAME: &str = "reserve";
/// A new reserve, until it is complete.
const NEW: &str = "reserve.new";

/// The part of the reserve that an entry may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    Nothing,
    Ordinary,
    Emergency,
}

/// The state of the reserve on a full disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reserve {
    /// The size; 0 if there is none.
    pub n_bytes: u64,
    /// The part that only emergency reads may use.
    pub emergency_bytes: u64,
    /// The bytes used so far.
    pub used_bytes: u64,
}

// === impl Reserve ===

impl Reserve {
    /// The approximate size of an entry: a read of one patient's data.
    const ENTRY: u64 = 300;

    /// Returns approximately how many ordinary reads still fit.
    pub fn n_ordinary_left(&self) -> u64 {
        self.end_of(Claim::Ordinary).saturating_sub(self.used_bytes) / Self::ENTRY
    }

    /// Returns approximately how many emergency reads still fit.
    pub fn n_emergency_left(&self) -> u64 {
        self.n_bytes.saturating_sub(self.used_bytes) / Self::ENTRY
    }

    /// Returns the offset up to which an entry may be written.
    pub(super) fn end_of(&self, claim: Claim) -> u64 {
        match claim {
            Claim::Nothing => 0,
            Claim::Ordinary => self.n_bytes.saturating_sub(self.emergency_bytes),
            Claim::Emergency => self.n_bytes,
        }
    }
}

/// Returns true if the error means that the disk is full.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}

/// Makes the reserve unless it exists: real zeros, because a hole would need space later. One of another size
/// stays until the new one is complete.
pub(super) fn make(directory: &Path, n_bytes: u64) -> io::Result<()> {
    let path = directory.join(NAME);
    let fresh = directory.join(NEW);
    if fs::metadata(&path).is_ok_and(|metadata| metadata.len() == n_bytes) {
        return Ok(());
    }
    let made = File::create(&fresh).and_then(|mut file| {
        io::copy(&mut io::repeat(0).take(n_bytes), &mut file)?;
        file.sync_all()?;
        fs::rename(&fresh, &path)?;
        sync_directory(directory)
    });
    if made.is_err() {
        // A partial reserve would only fill the disk further.
        let _ = fs::remove_file(&fresh);
    }
    made
}

/// Turns the reserve into the segment with that number. Returns the file and its length.
pub(super) fn take(directory: &Path, segment: &Path) -> io::Result<(File, u64)> {
    fs::rename(directory.join(NAME), segment)?;
    let file = File::options().write(true).open(segment)?;
    let n_bytes = file.metadata()?.len();
    Ok((file, n_bytes))
}

/// Returns true if there is a reserve, of whatever size.
pub(super) fn is_there(directory: &Path) -> bool {
    directory.join(NAME).is_file()
}

/// Undoes a rename that a crash left without a header: the last segment holds nothing but zeros.
pub(super) fn find_again(directory: &Path, segments: &mut Vec<(u64, PathBuf)>) -> io::Result<()> {
    let Some((_, path)) = segments.last() else {
        return Ok(());
    };
    if is_there(directory) || !is_zeros(path)? {
        return Ok(());
    }
    fs::rename(path, directory.join(NAME))?;
    segments.pop();
    sync_directory(directory)
}

fn is_zeros(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() <= HEADER as u64 {
        return Ok(false);
    }
    let mut chunk = vec![0; 1 << 16];
    loop {
        let n_read = file.read(&mut chunk)?;
        if n_read == 0 {
            return Ok(true);
        }
        if chunk.iter().take(n_read).any(|byte| *byte != 0) {
            return Ok(false);
        }
    }
}

/// Opens a segment to continue at that offset, in the rest of a reserve.
pub(super) fn go_on(directory: &Path, segment: u64, offset: u64) -> io::Result<(File, u64)> {
    let mut file = File::options()
        .write(true)
        .open(path_of(directory, segment))?;
    file.seek(SeekFrom::Start(offset))?;
    let n_bytes = file.metadata()?.len();
    Ok((file, n_bytes))
}
