//! Sends signed heads of the audit chain off the machine: at the start, every hour, and at the end.
//!
//! Whoever owns the machine can rewrite the log, and its head file with it; a head that lies
//! elsewhere is what they cannot change. `causeway audit verify --heads FILE` holds the log to them.

mod syslog;

pub(crate) use syslog::SyslogAddress;

use crate::config::AuditSettings;
use base::Clock;
use security::{Head, HeadKey};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;
use store::audit::AuditLog;

/// A head that could not be sent is tried again after this.
const RETRY: Duration = Duration::from_mins(1);

/// The thread that sends.
pub(crate) struct Heads {
    stop: mpsc::Sender<()>,
    thread: Option<JoinHandle<()>>,
}

struct Sender {
    audit: AuditLog,
    key: HeadKey,
    clock: Arc<dyn Clock>,
    file: Option<PathBuf>,
    syslog: Option<SyslogAddress>,
    every: Duration,
}

// === impl Heads ===

impl Heads {
    pub(crate) fn start(
        audit: AuditLog,
        key: HeadKey,
        clock: Arc<dyn Clock>,
        settings: &AuditSettings,
    ) -> Self {
        let sender = Sender {
            audit,
            key,
            clock,
            file: settings.heads_file.clone(),
            syslog: settings.heads_syslog.clone(),
            every: Duration::from_secs(settings.heads_every_seconds),
        };
        let (stop, stopped) = mpsc::channel();
        if sender.file.is_none() && sender.syslog.is_none() {
            tracing::info!(
                "audit heads are not sent off the machine; [audit] heads_file or heads_syslog does that"
            );
            return Self { stop, thread: None };
        }
        let thread = std::thread::Builder::new()
            .name("audit-heads".to_owned())
            .spawn(move || sender.run(&stopped));
        if let Err(error) = &thread {
            tracing::error!(%error, "audit heads cannot be sent");
        }
        Self {
            stop,
            thread: thread.ok(),
        }
    }

    /// Sends the last one and ends.
    pub(crate) fn finish(mut self) {
        let _ = self.stop.send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

// === impl Sender ===

impl Sender {
    fn run(&self, stopped: &mpsc::Receiver<()>) {
        loop {
            let wait = if self.send() {
                self.every
            } else {
                self.every.min(RETRY)
            };
            if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                self.send();
                return;
            }
        }
    }

    /// True where the head is everywhere that it should be.
    fn send(&self) -> bool {
        let (log, end) = (self.audit.name(), self.audit.head());
        let head = Head {
            log,
            position: end.position,
            hash: end.hash,
            at: self.clock.now().to_fhir(),
        };
        let line = self.key.sign(&head).to_line();
        let mut is_sent = true;
        let mut told = |place: &str, result: io::Result<()>| {
            if let Err(error) = result {
                is_sent = false;
                tracing::error!(%error, place, "an audit head could not be sent off the machine; it is tried again");
            }
        };
        if let Some(file) = &self.file {
            told("heads_file", append(file, &line));
        }
        if let Some(syslog) = &self.syslog {
            told("heads_syslog", syslog.send(&head.at, &line));
        }
        is_sent
    }
}

fn append(path: &Path, line: &str) -> io::Result<()> {
    let mut file = File::options().create(true).append(true).open(path)?;
    // In one write: two processes may append to one file.
    file.write_all(format!("{line}\n").as_bytes())?;
    file.sync_all()
}
