//! Counters, gauges and histograms in the Prometheus text format.

use crate::events::Event;
use prometheus_client::encoding::{EncodeLabelSet, text};
pub use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The metrics registry and the flows' metrics. Clones share it; the server registers its own
/// metrics here too.
#[derive(Clone, Debug)]
pub struct Metrics {
    known: Arc<Mutex<Known>>,
    received: Family<FlowLabel, Counter>,
    received_bytes: Family<FlowLabel, Counter>,
    repeated: Family<FlowLabel, Counter>,
    reused_ids: Family<FlowLabel, Counter>,
    acknowledged: Family<FlowWordLabel, Counter>,
    applied: Family<FlowLabel, Counter>,
    changed: Family<FlowLabel, Counter>,
    attention: Family<FlowWordLabel, Counter>,
    held: Family<FlowLabel, Counter>,
    retried: Family<FlowLabel, Counter>,
    conflicts: Family<FlowLabel, Counter>,
    connections: Family<FlowLabel, Gauge>,
    closed: Family<FlowWordLabel, Counter>,
    waiting: Family<FlowLabel, Gauge>,
    journal_seconds: Family<FlowLabel, Histogram>,
    applied_seconds: Family<FlowLabel, Histogram>,
}

#[derive(Debug)]
struct Known {
    registry: Registry,
    described: Vec<Described>,
}

/// The description of a metric.
#[derive(Clone, Debug)]
pub struct Described {
    /// Name without [`PREFIX`] and without the suffix for its kind.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: MetricType,
    /// Help text.
    pub what: &'static str,
}

/// Prefix of every name, followed by `_`.
pub const PREFIX: &str = "causeway";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FlowLabel {
    flow: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FlowWordLabel {
    flow: String,
    reason: &'static str,
}

// === impl Metrics ===

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self::unregistered();
        metrics.register_own();
        metrics
    }
}

impl Metrics {
    fn unregistered() -> Self {
        Self {
            known: Arc::new(Mutex::new(Known {
                registry: Registry::with_prefix(PREFIX),
                described: Vec::new(),
            })),
            received: Family::default(),
            received_bytes: Family::default(),
            repeated: Family::default(),
            reused_ids: Family::default(),
            acknowledged: Family::default(),
            applied: Family::default(),
            changed: Family::default(),
            attention: Family::default(),
            held: Family::default(),
            retried: Family::default(),
            conflicts: Family::default(),
            connections: Family::default(),
            closed: Family::default(),
            waiting: Family::default(),
            journal_seconds: Family::new_with_constructor(seconds),
            applied_seconds: Family::new_with_constructor(seconds),
        }
    }

    fn register_own(&self) {
        self.register("flow_messages_received", "Messages on disk", &self.received);
        self.register(
            "flow_received_bytes",
            "Bytes of messages on disk",
            &self.received_bytes,
        );
        self.register(
            "flow_messages_repeated",
            "Duplicates answered with the stored acknowledgement",
            &self.repeated,
        );
        self.register(
            "flow_control_ids_reused",
            "Control ids reused with a different body",
            &self.reused_ids,
        );
        self.register(
            "flow_acknowledgements",
            "Acknowledgements, by MSA-1",
            &self.acknowledged,
        );
        self.register(
            "flow_messages_applied",
            "Messages in the chart",
            &self.applied,
        );
        self.register(
            "flow_resources_changed",
            "Resources created or changed",
            &self.changed,
        );
        self.register(
            "flow_needs_attention",
            "Messages that need attention, by reason",
            &self.attention,
        );
        self.register(
            "flow_messages_held",
            "Messages held behind one that failed, or by a person",
            &self.held,
        );
        self.register(
            "flow_retries",
            "Retries after a transient error",
            &self.retried,
        );
        self.register(
            "flow_conflicts",
            "Applications repeated because another message committed first",
            &self.conflicts,
        );
        self.register("flow_connections", "Open connections", &self.connections);
        self.register(
            "flow_connections_closed",
            "Connections closed, by reason",
            &self.closed,
        );
        self.register(
            "flow_messages_waiting",
            "Messages queued or in progress",
            &self.waiting,
        );
        self.register(
            "flow_journal_seconds",
            "Time from a message's last byte to its fsync",
            &self.journal_seconds,
        );
        self.register(
            "flow_applied_seconds",
            "Time from receipt to the commit in the chart",
            &self.applied_seconds,
        );
    }

    /// Registers another component's metric, rendered and described with these.
    pub fn register<M: Metric + TypedMetric + Clone>(
        &self,
        name: &'static str,
        what: &'static str,
        metric: &M,
    ) {
        let mut known = self.known();
        known.registry.register(name, what, metric.clone());
        known.described.push(Described {
            name,
            kind: M::TYPE,
            what,
        });
    }

    /// Returns the description of every metric, in order of registration.
    pub fn described(&self) -> Vec<Described> {
        self.known().described.clone()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the text for `/metrics`.
    pub fn render(&self) -> String {
        let mut out = String::new();
        // Writing into a String cannot fail; a metric that cannot be encoded is omitted.
        let _ = text::encode(&mut out, &self.known().registry);
        out
    }

    /// Sets the number of messages of `flow` in progress.
    pub fn set_waiting(&self, flow: &str, n_messages: u64) {
        self.waiting
            .get_or_create(&label(flow))
            .set(i64::try_from(n_messages).unwrap_or(i64::MAX));
    }

    pub(crate) fn count(&self, event: Event<'_>) {
        match event {
            Event::ConnectionOpened { flow, .. } => {
                self.connections.get_or_create(&label(flow)).inc();
            }
            Event::ConnectionClosed { flow, reason, .. } => {
                self.connections.get_or_create(&label(flow)).dec();
                self.closed.get_or_create(&word(flow, reason.word())).inc();
            }
            Event::MessageReceived {
                flow,
                n_bytes,
                took,
                ..
            } => {
                self.received.get_or_create(&label(flow)).inc();
                self.received_bytes
                    .get_or_create(&label(flow))
                    .inc_by(n_bytes as u64);
                self.journal_seconds
                    .get_or_create(&label(flow))
                    .observe(took.as_secs_f64());
            }
            Event::MessageRepeated { flow, .. } => {
                self.repeated.get_or_create(&label(flow)).inc();
            }
            Event::ControlIdReused { flow, .. } => {
                self.reused_ids.get_or_create(&label(flow)).inc();
            }
            Event::Acknowledged { flow, code } => {
                self.acknowledged.get_or_create(&word(flow, code)).inc();
            }
            Event::MessageApplied {
                flow,
                n_changed,
                took,
                ..
            } => {
                self.applied.get_or_create(&label(flow)).inc();
                self.changed
                    .get_or_create(&label(flow))
                    .inc_by(n_changed as u64);
                self.applied_seconds
                    .get_or_create(&label(flow))
                    .observe(took.as_secs_f64());
            }
            Event::NeedsAttention { flow, reason, .. } => {
                self.attention
                    .get_or_create(&word(flow, reason.code()))
                    .inc();
            }
            Event::MessageHeld { flow, .. } => {
                self.held.get_or_create(&label(flow)).inc();
            }
            Event::Retried { flow, .. } => {
                self.retried.get_or_create(&label(flow)).inc();
            }
            Event::Conflict { flow, .. } => {
                self.conflicts.get_or_create(&label(flow)).inc();
            }
            Event::Listening { .. } | Event::Recovered { .. } | Event::JournalFailed { .. } => {}
        }
    }
}

fn label(flow: &str) -> FlowLabel {
    FlowLabel {
        flow: flow.to_owned(),
    }
}

fn word(flow: &str, reason: &'static str) -> FlowWordLabel {
    FlowWordLabel {
        flow: flow.to_owned(),
        reason,
    }
}

fn seconds() -> Histogram {
    Histogram::new([
        0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Events;
    use std::time::Duration;

    #[test]
    fn prometheus_text() {
        let events = Events::default();
        let took = Duration::from_millis(3);
        events.emit(Event::MessageReceived {
            flow: "adt",
            sequence: 1,
            n_bytes: 900,
            took,
        });
        events.emit(Event::Acknowledged {
            flow: "adt",
            code: "AA",
        });
        let text = events.metrics().render();
        for line in [
            "causeway_flow_messages_received_total{flow=\"adt\"} 1",
            "causeway_flow_received_bytes_total{flow=\"adt\"} 900",
            "causeway_flow_acknowledgements_total{flow=\"adt\",reason=\"AA\"} 1",
            "causeway_flow_journal_seconds_bucket{le=\"0.005\",flow=\"adt\"} 1",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
