//! Decides which threads yield when the processors are busy.
//!
//! A sender waits for its acknowledgement, and a 2xx for its fsync: the sockets, the journal and the audit
//! log never yield. Messages that are safe in the journal can wait, so the chart's writer yields a little,
//! and the threads that process the journal or build an index yield more.

/// The degree to which a thread yields to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// The chart's own threads: a third of a processor that another thread wants too.
    Chart,
    /// Work behind the acknowledgement: translating messages on disk, indices that lag; a tenth of it.
    Behind,
}

// === impl Priority ===

impl Priority {
    /// Sets the calling thread's priority, for good. If the system does not support or allow priorities per
    /// thread, all compete alike: acknowledgements are slower, and nothing else changes.
    pub fn take(self) {
        #[cfg(target_os = "linux")]
        let _ = rustix::process::nice(match self {
            Self::Chart => 5,
            Self::Behind => 10,
        });
    }
}
