//! Which threads give way where the processors are busy.
//!
//! A sender waits for its acknowledgement, and a 2xx for its fsync: the sockets, the journal and
//! the audit log give way to nobody. What the journal already holds safely can wait, so the chart's
//! writer gives way a little, and what works through the journal or builds an index more.

/// How much a thread gives way to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// The chart's own threads: a third of a processor that somebody else wants too.
    Chart,
    /// Work behind: translating what is on disk, indices that lag; a tenth of it.
    Behind,
}

// === impl Priority ===

impl Priority {
    /// Of the calling thread, for good. Where the system does not let threads differ, or does not
    /// allow it, all compete alike: slower to acknowledge, and nothing worse.
    pub fn take(self) {
        #[cfg(target_os = "linux")]
        let _ = rustix::process::nice(match self {
            Self::Chart => 5,
            Self::Behind => 10,
        });
    }
}
