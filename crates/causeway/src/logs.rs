//! Structured logs on standard error, with a closed set of fields and no PHI.

use crate::config::{LogFormat, LogLevel};
use tracing_subscriber::EnvFilter;

/// Starts logging. `CAUSEWAY_LOG` overrides the level, in the syntax of `tracing`'s filters.
pub(crate) fn start(format: LogFormat, level: LogLevel) {
    let filter =
        EnvFilter::try_from_env("CAUSEWAY_LOG").unwrap_or_else(|_| EnvFilter::new(level.as_str()));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => logs.try_init(),
        LogFormat::Json => logs.json().try_init(),
    };
    // Only a second start in the same process fails; the first logger stays in use.
    drop(started);
}
