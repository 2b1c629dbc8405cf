//! The audit log's errors, one type per operation.

use crate::journal::WriterGone;
use std::path::PathBuf;
use std::sync::Arc;

/// The log could not be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory or a file in it cannot be used.
    #[error("cannot use audit log `{path}`")]
    Path {
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Another process has the log open.
    #[error("audit log `{path}` is in use by another process")]
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
        found: u16,
        /// The newest format that this version reads.
        known: u16,
    },
    /// The log was changed from outside; `causeway audit verify` says where.
    #[error("audit log `{path}` is broken: {what}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// The fault.
        what: String,
    },
}

/// The entry is not known to be on disk. The access must not be answered.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RecordError {
    /// The disk is full and the reserve's part for such entries is used up.
    #[error("the disk is full, and so is the audit log's reserve for entries of this kind")]
    Full,
    /// This write or an earlier one failed; nothing is written until a restart.
    #[error("the audit log stopped after a failed write")]
    Stopped(#[source] Arc<std::io::Error>),
    /// The queue holds as many bytes as it may.
    #[error("the audit log's queue is full")]
    Overloaded,
    /// The entry is larger than a record may be.
    #[error("the audit entry is too large")]
    TooLarge,
    /// The log is closing.
    #[error("the audit log is closed")]
    Closed(#[source] WriterGone),
}

/// A read failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A segment could not be read.
    #[error("cannot read `{path}`")]
    Segment {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The search index could not be read.
    #[error("cannot read the audit log's search index")]
    Index(#[source] rusqlite::Error),
}

// === impl RecordError ===

impl From<WriterGone> for RecordError {
    fn from(gone: WriterGone) -> Self {
        Self::Closed(gone)
    }
}
