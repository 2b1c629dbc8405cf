//! Errors, one type per operation.

use crate::journal::WriterGone;
use base::Timestamp;
use std::path::PathBuf;
use std::sync::Arc;

/// The chart could not be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be created, read or written.
    #[error(
        "cannot write in data directory `{path}`; make it writable for the user that runs this, or \
         name another one with --data"
    )]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Another process holds the directory.
    #[error(
        "data directory `{path}` is in use by another process{holder}; stop that one, or name \
         another directory with --data"
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The holding process, ` (process 4711)`, if known.
        holder: String,
    },
    /// The file was written by a newer version.
    #[error(
        "`{path}` has format {found} and this version reads up to {known}; it was written by a \
         newer version: run that one, or restore a backup. Nothing was changed"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The format of the file.
        found: i64,
        /// The newest format that this version knows.
        known: i64,
    },
    /// The file is not a chart.
    #[error("`{path}` is not a chart of this program; move it away or name another directory")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The clock is behind the newest stored version.
    #[error(
        "the clock says {now} and the chart `{path}` was last written at {stored}: the clock runs \
         backwards. Set the clock right and start again. Nothing was changed"
    )]
    ClockBehind {
        /// The file.
        path: PathBuf,
        /// The time of the clock.
        now: String,
        /// The time of the newest version.
        stored: String,
    },
    /// The database cannot be opened, or is damaged.
    #[error("cannot open `{path}`; if the file is damaged, restore a backup")]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: rusqlite::Error,
    },
    /// A thread could not be started.
    #[error("cannot start the chart's writer")]
    Thread(#[source] std::io::Error),
}

/// A body cannot be stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrepareError {
    /// The document is not a resource of a known type.
    #[error("the document is no resource of a type that FHIR R4 defines")]
    UnknownType,
    /// The resource could not be compressed.
    #[error("the resource could not be compressed")]
    Compress,
}

/// A batch was not written.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ApplyError {
    /// The chart differs from what the caller expected: read again, redo the work, apply again.
    #[error("the chart has changed: {0}")]
    Conflict(Conflict),
    /// The batch is invalid.
    #[error("the batch cannot be written: {0}")]
    Invalid(&'static str),
    /// The permit does not cover a row.
    #[error("the permit does not cover {resource_type}")]
    NotPermitted {
        /// The resource type.
        resource_type: &'static str,
    },
    /// This write or an earlier one failed. Nothing is written until a restart, or on a full disk
    /// until [`Chart::resume`](super::Chart::resume). Reads continue.
    #[error(
        "the chart at `{path}` stopped taking writes after a failed write: {kind}. Reads go on"
    )]
    Stopped {
        /// The file.
        path: PathBuf,
        /// The kind of failure.
        kind: StopKind,
        /// The cause.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The engine refused only this batch; other batches continue.
    #[error("the batch could not be written")]
    Failed(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The writer's queue is full. Try again later.
    #[error("too much waits for the chart's writer; try again later")]
    Overloaded,
    /// The chart is closing.
    #[error("the chart is closed")]
    Closed(#[source] WriterGone),
}

/// The reason why the writer stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StopKind {
    /// No space is left.
    DiskFull,
    /// Reading or writing the disk failed.
    Disk,
    /// The file is damaged.
    Damaged,
    /// The database refused because of a fault in this program.
    Internal,
}

/// The difference between the chart and the caller's expectation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// The resource has another version, or does not exist.
    #[error("{resource_type} is in version {found:?}")]
    Version {
        /// The type.
        resource_type: &'static str,
        /// The id.
        id: String,
        /// The current version; `None` if the resource does not exist or is deleted.
        found: Option<u32>,
    },
    /// The resource already reflects a later event.
    #[error("{resource_type} has news of a later event")]
    OlderNews {
        /// The type.
        resource_type: &'static str,
        /// The id.
        id: String,
        /// The time of the event that it reflects.
        stored: Timestamp,
    },
    /// The key already names another resource.
    #[error("the key names another {resource_type}")]
    Key {
        /// The type of the resource that the key names.
        resource_type: &'static str,
        /// The id of that resource.
        id: String,
    },
    /// The resource is a person, which only the linking code writes.
    #[error(
        "a person is made by linking the records of sources and is not written to; write the record \
         that is wrong"
    )]
    Person,
    /// A condition does not hold because of the number of matches.
    #[error("{n_matches} resources match the condition")]
    Condition {
        /// The index of the condition in the batch.
        condition: usize,
        /// The number of matches, counted up to 2.
        n_matches: usize,
    },
}

/// A read or search failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The database returned an error.
    #[error("cannot read the chart `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: rusqlite::Error,
    },
    /// The database server returned an error or cannot be reached.
    #[error("cannot read the chart on its database server")]
    Server {
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is no resource type of this name.
    #[error("`{0}` is no resource type of FHIR R4")]
    UnknownType(String),
    /// The stored data is invalid.
    #[error(
        "the chart is damaged on disk: {what}; it is not given out. Run `causeway verify`, then restore a backup of \
         `chart.db`"
    )]
    Damaged {
        /// The invalid part.
        what: std::borrow::Cow<'static, str>,
    },
    /// The cursor does not come from this search.
    #[error("the page cursor is not one of this search")]
    Cursor,
}

// === impl ReadError ===

impl ReadError {
    /// Returns true if the data on disk differs from what was written, although the disk itself can
    /// be read.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } => true,
            Self::File { source, .. } => crate::damage::is_damage(source),
            Self::Server { .. } | Self::UnknownType(_) | Self::Cursor => false,
        }
    }
}

// === impl ApplyError ===

impl From<WriterGone> for ApplyError {
    fn from(gone: WriterGone) -> Self {
        Self::Closed(gone)
    }
}

// === impl StopKind ===

impl std::fmt::Display for StopKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::DiskFull => "no space is left; free some, and it goes on by itself",
            Self::Disk => "the disk failed; repair it, then start again",
            Self::Damaged => "the file is damaged; restore a backup",
            Self::Internal => "the database refused; start again",
        })
    }
}
