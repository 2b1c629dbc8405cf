//! Measurements: figures, percentiles, and the CPU use of a process.

use std::time::Duration;

/// A measured value.
pub(crate) struct Figure {
    pub(crate) what: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// The goal, or an empty text.
    pub(crate) goal: &'static str,
    pub(crate) conditions: String,
}

// === impl Figure ===

impl Figure {
    pub(crate) fn new(
        what: impl Into<String>,
        value: f64,
        unit: &'static str,
        goal: &'static str,
    ) -> Self {
        Self {
            what: what.into(),
            value,
            unit,
            goal,
            conditions: String::new(),
        }
    }

    pub(crate) fn with(mut self, conditions: impl Into<String>) -> Self {
        self.conditions = conditions.into();
        self
    }

    /// Formats the value with three significant digits.
    pub(crate) fn shown(&self) -> String {
        match self.value.abs() {
            large if 100.0 <= large => format!("{:.0}", self.value),
            middle if 10.0 <= middle => format!("{:.1}", self.value),
            _ => format!("{:.2}", self.value),
        }
    }
}

/// Returns the value below which that share of the samples lies. Sorts the samples.
pub(crate) fn percentile(samples: &mut [Duration], share: f64) -> Duration {
    samples.sort_unstable();
    let last = samples.len().saturating_sub(1);
    let at = (last as f64 * share).round() as usize;
    samples.get(at).copied().unwrap_or_default()
}

/// Returns the CPU seconds that a process has used so far, and its resident memory in bytes (Linux).
pub(crate) fn usage(pid: u32) -> Option<(f64, u64)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The process name in parentheses may contain spaces; the fields after it do not.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    let pages: u64 = fields.get(21)?.parse().ok()?;
    // Linux reports hundredths of a second to user programs on every architecture we build for.
    Some((ticks as f64 / 100.0, pages * 4096))
}

/// The CPU use of server and generator over a period, reported as conditions.
pub(crate) struct Meter {
    pid: u32,
    server: f64,
    own: f64,
    started: std::time::Instant,
}

// === impl Meter ===

impl Meter {
    pub(crate) fn start(pid: u32) -> Self {
        let cpu = |pid| usage(pid).map_or(0.0, |(cpu, _)| cpu);
        Self {
            pid,
            server: cpu(pid),
            own: cpu(std::process::id()),
            started: std::time::Instant::now(),
        }
    }

    /// Formats `server 1.52 CPU, generator 0.31 CPU`: the average number of busy processors.
    pub(crate) fn summary(&self) -> String {
        let wall = self.started.elapsed().as_secs_f64().max(0.001);
        let cpu = |pid| usage(pid).map_or(0.0, |(cpu, _)| cpu);
        format!(
            "server {:.2} CPU, generator {:.2} CPU",
            (cpu(self.pid) - self.server) / wall,
            (cpu(std::process::id()) - self.own) / wall
        )
    }
}
