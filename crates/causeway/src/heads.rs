//! Sends signed heads of the audit chain off the machine: at startup, every hour, and at shutdown.
//!
//! The owner of the machine can rewrite the log together with its head file, but not a head stored
//! elsewhere. `causeway audit verify --heads FILE` checks the log against such heads.

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

/// The delay before a failed head is sent again.
const RETRY: Duration = Duration::from_mins(1);

/// The thread that sends the heads.
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
                "audit heads are not sent off the machine; set heads_file or heads_syslog in [audit] to send them"
            );
            return Self { stop, thread: None };
        }
        let thread = std::thread::Builder::new()
            .name("audit-heads".to_owned())
            .spawn(move || sender.run(&stopped));
        if let Err(error) = &thread {
            tracing::error!(%error, "the thread that sends audit heads could not start; no heads are sent");
        }
        Self {
            stop,
            thread: thread.ok(),
        }
    }

    /// Sends the last head and ends the thread.
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

    /// Sends the current head; returns true if every configured destination has it.
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
        let mut report = |place: &str, result: io::Result<()>| {
            if let Err(error) = result {
                is_sent = false;
                tracing::error!(%error, place, "an audit head could not be sent off the machine; sending is retried");
            }
        };
        if let Some(file) = &self.file {
            report("heads_file", append(file, &line));
        }
        if let Some(syslog) = &self.syslog {
            report("heads_syslog", syslog.send(&head.at, &line));
        }
        is_sent
    }
}

fn append(path: &Path, line: &str) -> io::Result<()> {
    let mut file = File::options().create(true).append(true).open(path)?;
    // A single write, because two processes may append to the same file.
    file.write_all(format!("{line}\n").as_bytes())?;
    file.sync_all()
}
