//! The journal's errors, one type per operation.

use super::pending::WriterGone;
use std::path::PathBuf;
use std::sync::Arc;

/// The journal could not be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be created, read or written.
    #[error("cannot use journal directory `{path}`")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Another process has the directory open.
    #[error("journal directory `{path}` is in use by another process")]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// A newer version of Causeway wrote the file.
    #[error("`{path}` has format {found}, this version of Causeway reads up to {known}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// The file's format.
        found: i64,
        /// The newest format that this version reads.
        known: i64,
    },
    /// The file is not a journal file, or is damaged.
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
    /// This write or an earlier one failed. Nothing is written until a restart or, on a full disk, until
    /// [`Journal::resume`](super::Journal::resume). Reads continue.
    #[error("the journal stopped taking messages after a failed write{}", if self.is_disk_full() {
        ": no space is left; free some, and it goes on by itself"
    } else {
        "; repair the disk, then start again"
    })]
    Stopped(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The queue holds as many bytes as it may.
    #[error("the journal's queue is full")]
    Overloaded,
    /// The message is larger than an entry may be.
    #[error("a message of {0} bytes is too large for the journal")]
    TooLarge(usize),
    /// The retention class is not valid in a file name.
    #[error("retention class `{0}`: use 1 to 32 of a-z, 0-9, `-`")]
    Retention(String),
    /// The journal is closing.
    #[error("the journal is closed")]
    Closed(#[source] WriterGone),
}

/// A read failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The database reported an error.
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
    /// The bytes read are not those that were written.
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
    /// Returns true if the file is not as it was written, although the disk itself responds.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } => true,
            Self::File { source, .. } => crate::damage::is_damage(source),
            Self::Directory { .. } => false,
        }
    }
}

/// Pruning failed part way: deleted files are gone, the others are intact.
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
    /// Returns true if the cause is a full disk: a write that failed for lack of space left nothing behind
    /// and may be retried. SQLite never reports this for an `fsync`.
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
