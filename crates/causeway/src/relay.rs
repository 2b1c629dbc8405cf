//! Moves audit entries that were committed with chart writes to the audit log.
//!
//! An entry is on disk with its write before the write is acknowledged. The relay then moves it to
//! the chained log soon afterwards, and only once: the log knows the last relay number.

use base::LogThrottle;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use store::audit::{AuditLog, RecordError};
use store::chart::Chart;

const EVERY: Duration = Duration::from_millis(200);
const BATCH_SIZE: usize = 512;

/// The thread that moves the entries.
pub(crate) struct Relay {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

// === impl Relay ===

impl Relay {
    pub(crate) fn start(chart: Chart, audit: AuditLog) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let should_stop = stop.clone();
        let work = move || {
            let throttle = LogThrottle::default();
            loop {
                let is_last = should_stop.load(Ordering::Acquire);
                while move_batch(&chart, &audit, &throttle) == BATCH_SIZE {}
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

    /// Moves the remaining entries and ends the thread.
    pub(crate) fn finish(mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

/// Moves one batch and returns its size. Entries that fail stay in the chart and are retried.
fn move_batch(chart: &Chart, audit: &AuditLog, throttle: &LogThrottle) -> usize {
    let entries = match chart.audit_relay(BATCH_SIZE) {
        Ok(entries) => entries,
        Err(error) => {
            log_error(
                throttle,
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
                // The log has reported it; the entries are safe in the chart and are moved later.
                return 0;
            }
            log_error(
                throttle,
                &error,
                "an audit entry could not be written; it stays in the chart",
            );
            return 0;
        }
    }
    if let Err(error) = chart.audit_relayed(last).wait() {
        log_error(
            throttle,
            &error,
            "audit entries that the log has could not be cleared from the chart",
        );
        return 0;
    }
    n_entries
}

/// Logs an error at most once a minute; the relay tries five times a second.
fn log_error(throttle: &LogThrottle, error: &dyn std::error::Error, what: &str) {
    if let Some(n_unsaid) = throttle.record(Instant::now()) {
        tracing::error!(%error, n_unsaid, "{what}");
    }
}
