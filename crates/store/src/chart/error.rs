//! What can go wrong, one type per operation.

use crate::journal::WriterGone;
use base::Timestamp;
use std::path::PathBuf;
use std::sync::Arc;

/// The chart could not be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made, read or written.
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
    /// Another process has it open.
    #[error(
        "data directory `{path}` is in use by another process{holder}; stop that one, or name \
         another directory with --data"
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// ` (process 4711)`, where known.
        holder: String,
    },
    /// A newer version wrote it.
    #[error(
        "`{path}` has format {found} and this version reads up to {known}; it was written by a \
         newer version: run that one, or restore a backup. Nothing was changed"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The file is no chart.
    #[error("`{path}` is not a chart of this program; move it away or name another directory")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The clock runs behind what is stored.
    #[error(
        "the clock says {now} and the chart `{path}` was last written at {stored}: the clock runs \
         backwards. Set the clock right and start again. Nothing was changed"
    )]
    ClockBehind {
        /// The file.
        path: PathBuf,
        /// The clock.
        now: String,
        /// The newest version.
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
    /// It is no resource of a known type.
    #[error("the document is no resource of a type that FHIR R4 defines")]
    UnknownType,
    /// It could not be compressed.
    #[error("the resource could not be compressed")]
    Compress,
}

/// Nothing was written.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ApplyError {
    /// The chart is not as the caller thought: read again, redo, apply again.
    #[error("the chart has changed: {0}")]
    Conflict(Conflict),
    /// The batch makes no sense.
    #[error("the batch cannot be written: {0}")]
    Invalid(&'static str),
    /// The permit does not cover a row.
    #[error("the permit does not cover {resource_type}")]
    NotPermitted {
        /// The type.
        resource_type: &'static str,
    },
    /// An earlier or this write failed. Nothing is written until a restart, or on a full disk until
    /// [`Chart::resume`](super::Chart::resume); reads go on.
    #[error(
        "the chart at `{path}` stopped taking writes after a failed write: {kind}. Reads go on"
    )]
    Stopped {
        /// The file.
        path: PathBuf,
        /// What failed.
        kind: StopKind,
        /// The cause.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The engine refused this batch alone; others go on.
    #[error("the batch could not be written")]
    Failed(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// More waits for the writer than memory should hold. Try again later.
    #[error("too much waits for the chart's writer; try again later")]
    Overloaded,
    /// The chart is closing.
    #[error("the chart is closed")]
    Closed(#[source] WriterGone),
}

/// Why the writer stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StopKind {
    /// No space is left.
    DiskFull,
    /// Reading or writing the disk failed.
    Disk,
    /// The file is damaged.
    Damaged,
    /// The database refused for a reason of our own making.
    Internal,
}

/// How the chart differs from what the caller thought.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// The resource has another version, or none.
    #[error("{resource_type} is in version {found:?}")]
    Version {
        /// The type.
        resource_type: &'static str,
        /// The id.
        id: String,
        /// The current version; `None` where it is not there or deleted.
        found: Option<u32>,
    },
    /// The resource has news of a later event.
    #[error("{resource_type} has news of a later event")]
    OlderNews {
        /// The type.
        resource_type: &'static str,
        /// The id.
        id: String,
        /// The event it has.
        stored: Timestamp,
    },
    /// The key names another resource.
    #[error("the key names another {resource_type}")]
    Key {
        /// The type of the resource it names.
        resource_type: &'static str,
        /// Its id.
        id: String,
    },
    /// The resource is a person, which only linking writes.
    #[error(
        "a person is made by linking the records of sources and is not written to; write the record \
         that is wrong"
    )]
    Person,
    /// A condition does not hold: so many match.
    #[error("{n_matches} resources match the condition")]
    Condition {
        /// Which of the batch's conditions.
        condition: usize,
        /// How many match; at most 2 are counted.
        n_matches: usize,
    },
}

/// A read or search failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The database said no.
    #[error("cannot read the chart `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: rusqlite::Error,
    },
    /// The database server said no, or cannot be reached.
    #[error("cannot read the chart on its database server")]
    Server {
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is no resource type of this name.
    #[error("`{0}` is no resource type of FHIR R4")]
    UnknownType(String),
    /// What was read makes no sense.
    #[error(
        "the chart is damaged on disk: {what}; it is not given out. Run `causeway verify`, then restore a backup of \
         `chart.db`"
    )]
    Damaged {
        /// What.
        what: std::borrow::Cow<'static, str>,
    },
    /// The cursor is not one that this search gave.
    #[error("the page cursor is not one of this search")]
    Cursor,
}

// === impl ReadError ===

impl ReadError {
    /// True where what is on disk is not what was written; the disk itself answers.
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
