//! Carries audit entries that committed with chart writes over to the audit log.
//!
//! The entry is on disk with its write before the write is acknowledged; this only moves it to the
//! chained log, soon, and once: the log knows the last relay number.

use base::LogThrottle;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use store::audit::{AuditLog, RecordError};
use store::chart::Chart;

const EVERY: Duration = Duration::from_millis(200);
const AT_ONCE: usize = 512;

/// The thread that carries.
pub(crate) struct Relay {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

// === impl Relay ===

impl Relay {
    pub(crate) fn start(chart: Chart, audit: AuditLog) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let work = move || {
            let trouble = LogThrottle::default();
            loop {
                let is_last = told.load(Ordering::Acquire);
                while carry(&chart, &audit, &trouble) == AT_ONCE {}
                if is_last {
                    return;
                }
                std::thread::park_timeout(EVERY);
            }
        };
        let thread = std::thread::Builder::new()
            .name("audit-relay".to_owned())
            .spawn(work);
        if let Err(error) = &thread {
            tracing::error!(%error, "the audit relay could not start; entries wait in the chart");
        }
        Self {
            stop,
            thread: thread.ok(),
        }
    }

    /// Carries what is left and ends.
    pub(crate) fn finish(mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

/// How many were carried. What fails stays in the chart and is tried again.
fn carry(chart: &Chart, audit: &AuditLog, trouble: &LogThrottle) -> usize {
    let entries = match chart.audit_relay(AT_ONCE) {
        Ok(entries) => entries,
        Err(error) => {
            say(
                trouble,
                &error,
                "audit entries could not be read from the chart",
            );
            return 0;
        }
    };
    let Some(last) = entries.last().map(|(number, _)| *number) else {
        return 0;
    };
    let n_entries = entries.len();
    let mut pending = Vec::with_capacity(n_entries);
    for (number, entry) in entries {
        pending.push(audit.relay(number, entry));
    }
    for one in pending {
        if let Err(error) = one.wait() {
            if matches!(error, RecordError::Full) {
                // The log has said so; what is in the chart is as safe, and goes over later.
                return 0;
            }
            say(
                trouble,
                &error,
                "an audit entry could not be written; it stays in the chart",
            );
            return 0;
        }
    }
    if let Err(error) = chart.audit_relayed(last).wait() {
        say(
            trouble,
            &error,
            "carried audit entries could not be cleared from the chart",
        );
        return 0;
    }
    n_entries
}

/// It is tried five times a second; the log needs it once a minute.
fn say(trouble: &LogThrottle, error: &dyn std::error::Error, what: &str) {
    if let Some(n_unsaid) = trouble.record(Instant::now()) {
        tracing::error!(%error, n_unsaid, "{what}");
    }
}
