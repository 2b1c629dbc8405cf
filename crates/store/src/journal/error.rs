//! What can go wrong, one type per operation.

use super::pending::WriterGone;
use std::path::PathBuf;
use std::sync::Arc;

/// The journal could not be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made, read or written.
    #[error("cannot use journal directory `{path}`")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Another process has it open.
    #[error("journal directory `{path}` is in use by another process")]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// A newer version of Causeway wrote it.
    #[error("`{path}` has format {found}, this version of Causeway reads up to {known}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The file is no journal file, or is damaged.
    #[error("cannot open `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: rusqlite::Error,
    },
    /// A thread could not be started.
    #[error("cannot start the journal's writer")]
    Thread(#[source] std::io::Error),
}

/// The write is not known to be on disk. Do not acknowledge.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WriteError {
    /// An earlier or this write failed; nothing is written until a restart, or on a full disk until
    /// [`Journal::resume`](super::Journal::resume). Reads go on.
    #[error("the journal stopped taking messages after a failed write{}", if self.is_disk_full() {
        ": no space is left; free some, and it goes on by itself"
    } else {
        "; repair the disk, then start again"
    })]
    Stopped(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// More is queued than memory should hold.
    #[error("the journal's queue is full")]
    Overloaded,
    /// More bytes than one entry may hold.
    #[error("a message of {0} bytes is too large for the journal")]
    TooLarge(usize),
    /// The retention class is no file name of ours.
    #[error("retention class `{0}`: use 1 to 32 of a-z, 0-9, `-`")]
    Retention(String),
    /// The journal is closing.
    #[error("the journal is closed")]
    Closed(#[source] WriterGone),
}

/// A read failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The database said no.
    #[error("cannot read `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: rusqlite::Error,
    },
    /// A file beside the database could not be written.
    #[error("cannot write `{path}`")]
    Directory {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// What was read is not what was written.
    #[error(
        "message {sequence} is damaged in `{path}` and is not given out; run `causeway verify`, then restore the \
         file from a backup or let the sender send the message again"
    )]
    Damaged {
        /// The entry.
        sequence: u64,
        /// The file.
        path: PathBuf,
    },
}

// === impl ReadError ===

impl ReadError {
    /// True where the file is not as it was written; the disk itself answers.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } => true,
            Self::File { source, .. } => crate::damage::is_damage(source),
            Self::Directory { .. } => false,
        }
    }
}

/// Pruning failed part of the way; what was deleted is gone, the rest is whole.
#[derive(Debug, thiserror::Error)]
#[error("cannot delete `{path}`")]
pub struct PruneError {
    /// The file.
    pub path: PathBuf,
    /// The cause.
    pub source: std::io::Error,
}

// === impl WriteError ===

impl WriteError {
    /// True where the cause is a full disk: a write that failed for want of room left nothing behind
    /// and may be tried again. SQLite never says so of an `fsync`.
    pub fn is_disk_full(&self) -> bool {
        let Self::Stopped(cause) = self else {
            return false;
        };
        let cause: &(dyn std::error::Error + 'static) = &**cause;
        std::iter::successors(Some(cause), |error| error.source()).any(|error| {
            error
                .downcast_ref::<rusqlite::Error>()
                .and_then(rusqlite::Error::sqlite_error_code)
                == Some(rusqlite::ErrorCode::DiskFull)
        })
    }
}

impl From<WriterGone> for WriteError {
    fn from(gone: WriterGone) -> Self {
        Self::Closed(gone)
    }
}
