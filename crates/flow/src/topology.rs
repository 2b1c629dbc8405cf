//! The configuration of a site's flows: plain values, read from TOML by the binary.
//!
//! Invariants:
//! - every default is right for a small clinic;
//! - [`check`] finds every problem that can be known before a socket is bound, with its remedy.

use crate::attention::{Attention, Concern};
use base::Zone;
use mapping::Source;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// A named flow: a source, steps, a destination. (HL7 people say *channel*.)
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowConfig {
    /// Name of letters, digits, `-` and `_`, shown in logs, metrics and the console.
    pub name: String,
    /// Source of the messages.
    pub source: SourceConfig,
    /// Title of the source in the console; by default MSH-3 and MSH-4 of its messages.
    #[serde(default)]
    pub sender: Option<String>,
    /// Rules for reading and translating messages.
    #[serde(default)]
    pub map: MapConfig,
    /// Point at which the sender is told that its message is safe.
    #[serde(default)]
    pub acknowledge: AckPolicy,
    /// Scope within which order is kept.
    #[serde(default)]
    pub partition: PartitionKey,
    /// Policy for messages behind one that fails.
    #[serde(default)]
    pub failing_head: FailingHead,
    /// Values of MSH-11 that this flow accepts.
    #[serde(default = "production_only")]
    pub processing_ids: Vec<ProcessingId>,
    /// Answers to messages that this flow cannot accept.
    #[serde(default)]
    pub refusals: Refusals,
    /// Maximum number of attempts for a transient error before a person must look.
    #[serde(default = "eight")]
    pub max_attempts: u32,
    /// Policy for what a person is asked to look at.
    #[serde(default)]
    pub attention: AttentionPolicy,
    /// Maximum number of segments and field repetitions together; a message with more is kept and
    /// not translated. This bounds the memory of one message on its way into the chart, up to 20 kB
    /// for each.
    #[serde(default = "ten_thousand")]
    pub max_parts: usize,
    /// Maximum size in bytes; a larger message is kept and not translated, since translation takes
    /// several times its size.
    #[serde(default = "thirty_two_mib")]
    pub max_translated_bytes: usize,
}

/// A source of messages.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SourceConfig {
    /// HL7 v2 over MLLP.
    Mllp(MllpConfig),
}

/// An MLLP listener.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MllpConfig {
    /// Address to bind; port 0 picks a free port.
    pub listen: SocketAddr,
    /// Maximum frame size; a longer frame is kept up to this size and its connection closed.
    #[serde(default = "sixteen_mib")]
    pub max_frame_bytes: usize,
    /// Maximum number of connections; further ones are rejected.
    #[serde(default = "max_connections")]
    pub max_connections: usize,
    /// Idle timeout of a connection.
    #[serde(default = "an_hour")]
    pub idle_timeout_seconds: u64,
    /// Time within which a frame must end once begun, and within which a peer must read an answer.
    #[serde(default = "a_minute")]
    pub frame_timeout_seconds: u64,
    /// Maximum number of messages per connection that wait for their acknowledgement.
    #[serde(default = "max_pipelined")]
    pub max_pipelined: usize,
}

/// The rules for translating a source's messages.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MapConfig {
    /// Dialect (an overlay of the maps); without one, the plain maps apply.
    pub dialect: Option<String>,
    /// Time zone of the source, an IANA name; UTC by default.
    pub zone: Option<String>,
    /// Systems for the source's names of assigning authorities: `NORTH = "urn:oid:…"`.
    pub authorities: BTreeMap<String, String>,
    /// Scope of record ownership.
    pub records: RecordScope,
}

/// The ownership of records: two senders that know one person keep one Patient each, joined by a
/// link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordScope {
    /// All senders of this flow share their records.
    #[default]
    Flow,
    /// Senders of one facility (MSH-4) share their records.
    Facility,
    /// Each sending application (MSH-3 and MSH-4) has its own records.
    Application,
}

/// The point at which the sender is told that its message is safe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AckPolicy {
    /// The message is on disk.
    #[default]
    Received,
    /// The message was accepted into the chart; errors are reported to the sender.
    Mapped,
    /// The flow's destination answered. The chart's answer is its commit, so for the chart this
    /// equals [`AckPolicy::Mapped`].
    Delivered,
}

/// The scope within which messages are kept in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PartitionKey {
    /// Messages of one connection.
    Connection,
    /// Messages of one patient, by every identifier in PID and MRG.
    #[default]
    Patient,
}

/// The policy for messages behind one that fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailingHead {
    /// The partition waits until a person releases or skips the message.
    Block,
    /// The message steps aside into *held*; its partition continues.
    #[default]
    Hold,
    /// Later messages of the patient are held behind it; all others continue.
    ParkPatient,
}

/// A processing id: MSH-11, table 0103.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
pub enum ProcessingId {
    /// Production.
    P,
    /// Training.
    T,
    /// Debugging.
    D,
}

/// The answers to messages that this flow cannot accept. All are kept and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Refusals {
    /// MSH-9, MSH-10 or MSH-11 is missing.
    pub header: Refusal,
    /// No map handles this type, event or version.
    pub no_map: Refusal,
    /// MSH-11 is not one of the flow's values.
    pub processing_id: Refusal,
}

/// A negative acknowledgement code, HL7 table 0008.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The content is wrong; the same content would fail again.
    Ae,
    /// The message is refused for a reason outside the content.
    Ar,
}

/// The policy for what a person is asked to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AttentionPolicy {
    /// Reasons for which a message that is in the chart is not shown as needing attention: they are
    /// only counted among its issues.
    pub count_only: Vec<CountedReason>,
}

/// A reason that may only be counted: the message is in the chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct CountedReason(Attention);

/// The configuration of the engine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineConfig {
    /// Flows.
    #[serde(default, rename = "flow")]
    pub flows: Vec<FlowConfig>,
    /// True if the chart holds real patients: no message marked training or debugging reaches it.
    #[serde(default = "yes")]
    pub production: bool,
    /// Number of messages on their way into the chart at once. They share its commits (group
    /// commit); no more of them are translated at once than there are processors.
    #[serde(default = "workers")]
    pub workers: usize,
    /// Maximum number of journaled messages that wait in memory; others are read back from the
    /// journal.
    #[serde(default = "max_waiting")]
    pub max_waiting: usize,
}

/// A problem in a configuration, with its remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Configuration key, such as `flow.adt.acknowledge`.
    pub at: String,
    /// Description of the problem.
    pub reason: String,
    /// Remedy: the text to write instead.
    pub remedy: String,
}

/// Largest message that the journal accepts.
const LARGEST_FRAME: usize = 256 << 20;

/// Returns every problem of `config` that can be known before a socket is bound.
pub fn check(config: &EngineConfig) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (idx, flow) in config.flows.iter().enumerate() {
        check_flow(config, flow, &mut problems);
        let earlier = config.flows.iter().take(idx);
        if earlier.clone().any(|other| other.name == flow.name) {
            problems.push(flow.problem(
                "name",
                "two flows have this name",
                "Give each flow its own name.",
            ));
        }
        let SourceConfig::Mllp(own) = &flow.source;
        if own.listen.port() != 0
            && earlier.clone().any(|other| {
                let SourceConfig::Mllp(theirs) = &other.source;
                theirs.listen == own.listen
            })
        {
            problems.push(flow.problem(
                "source.mllp.listen",
                "another flow listens here",
                "Choose another port.",
            ));
        }
    }
    problems
}

fn check_flow(config: &EngineConfig, flow: &FlowConfig, problems: &mut Vec<Problem>) {
    let name_ok = (1..=64).contains(&flow.name.len())
        && flow
            .name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !name_ok {
        problems.push(flow.problem(
            "name",
            "a flow's name appears in logs and metrics",
            "Use 1 to 64 letters, digits, `-` or `_`.",
        ));
    }
    if config.production && flow.processing_ids.iter().any(|id| *id != ProcessingId::P) {
        problems.push(flow.problem(
            "processing_ids",
            "training and debugging messages never reach a production chart",
            "Remove `T` and `D`, or set `production = false` for a test system.",
        ));
    }
    if flow.processing_ids.is_empty() {
        problems.push(flow.problem(
            "processing_ids",
            "no message would be accepted",
            "Write [\"P\"].",
        ));
    }
    if let Some(zone) = &flow.map.zone
        && Zone::named(zone).is_none()
    {
        problems.push(flow.problem(
            "map.zone",
            "no such time zone",
            "Use an IANA name such as `America/Chicago`.",
        ));
    }
    if !(1..=usize::from(u16::MAX)).contains(&flow.max_parts) {
        problems.push(flow.problem(
            "max_parts",
            "the value must be between 1 and 65,535: the parser never splits more segments",
            "Omit it for 10,000.",
        ));
    }
    let SourceConfig::Mllp(mllp) = &flow.source;
    for (at, n_bytes, usual) in [
        ("max_translated_bytes", flow.max_translated_bytes, "32"),
        ("source.mllp.max_frame_bytes", mllp.max_frame_bytes, "16"),
    ] {
        if !(1 << 10..=LARGEST_FRAME).contains(&n_bytes) {
            let remedy = format!("Write 1 KiB to 256 MiB, or omit it for {usual} MiB.");
            problems.push(flow.problem(at, "the value is out of range", &remedy));
        }
    }
    if mllp.max_connections == 0 || mllp.max_pipelined == 0 {
        problems.push(flow.problem(
            "source.mllp",
            "`max_connections` and `max_pipelined` must be at least 1",
            "Omit them.",
        ));
    }
}

// === impl FlowConfig ===

impl FlowConfig {
    /// Creates a flow named `name` that listens on `listen`, with every default.
    pub fn mllp(name: impl Into<String>, listen: SocketAddr) -> Self {
        Self {
            name: name.into(),
            source: SourceConfig::Mllp(MllpConfig::new(listen)),
            sender: None,
            map: MapConfig::default(),
            acknowledge: AckPolicy::default(),
            partition: PartitionKey::default(),
            failing_head: FailingHead::default(),
            processing_ids: production_only(),
            refusals: Refusals::default(),
            max_attempts: eight(),
            attention: AttentionPolicy::default(),
            max_parts: ten_thousand(),
            max_translated_bytes: thirty_two_mib(),
        }
    }

    fn problem(&self, key: &str, reason: &str, remedy: &str) -> Problem {
        Problem {
            at: format!("flow.{}.{key}", self.name),
            reason: reason.to_owned(),
            remedy: remedy.to_owned(),
        }
    }
}

// === impl MapConfig ===

impl MapConfig {
    /// Returns the facts about the source that the maps need.
    pub fn source(&self) -> Source {
        let zone = self.zone.as_deref().and_then(Zone::named);
        Source {
            zone: zone.unwrap_or_else(Zone::utc),
            authorities: self.authorities.clone().into_iter().collect(),
            dialect: self.dialect.clone(),
        }
    }
}

// === impl MllpConfig ===

impl MllpConfig {
    /// Creates a listener with every default.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            max_frame_bytes: sixteen_mib(),
            max_connections: max_connections(),
            idle_timeout_seconds: an_hour(),
            frame_timeout_seconds: a_minute(),
            max_pipelined: max_pipelined(),
        }
    }
}

// === impl Refusals ===

impl Default for Refusals {
    // HL7 v2.5.1, 2.9.2.2: a receiver that cannot take MSH-9, -11 or -12 answers AR.
    fn default() -> Self {
        Self {
            header: Refusal::Ar,
            no_map: Refusal::Ar,
            processing_id: Refusal::Ar,
        }
    }
}

// === impl AttentionPolicy ===

impl AttentionPolicy {
    /// Returns true where somebody has to look at a message for this reason.
    pub fn applies_to(&self, reason: Attention) -> bool {
        !self.count_only.contains(&CountedReason(reason))
    }

    /// Keeps the concerns that somebody has to look at.
    pub fn filter(&self, mut concerns: Vec<Concern>) -> Vec<Concern> {
        concerns.retain(|concern| self.applies_to(concern.reason));
        concerns
    }
}

// === impl CountedReason ===

impl TryFrom<String> for CountedReason {
    type Error = String;

    fn try_from(code: String) -> Result<Self, String> {
        let known = Attention::parse(&code).filter(|reason| reason.in_chart());
        known.map(Self).ok_or_else(|| {
            let reasons = Attention::ALL.into_iter();
            let accepted: Vec<_> = reasons
                .filter(|reason| reason.in_chart())
                .map(Attention::code)
                .collect();
            format!(
                "`{code}` is no reason that may be only counted; accepted: {}. A message that is not \
                 in the chart always needs attention",
                accepted.join(", ")
            )
        })
    }
}

// === impl EngineConfig ===

impl EngineConfig {
    /// Creates a configuration with these flows and every default.
    pub fn new(flows: Vec<FlowConfig>) -> Self {
        Self {
            flows,
            production: true,
            workers: workers(),
            max_waiting: max_waiting(),
        }
    }
}

// === impl ProcessingId ===

impl ProcessingId {
    /// Parses MSH-11.1.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "P" => Some(Self::P),
            "T" => Some(Self::T),
            "D" => Some(Self::D),
            _ => None,
        }
    }
}

fn production_only() -> Vec<ProcessingId> {
    vec![ProcessingId::P]
}

fn an_hour() -> u64 {
    60 * 60
}

fn a_minute() -> u64 {
    60
}

fn eight() -> u32 {
    8
}

fn ten_thousand() -> usize {
    10_000
}

fn sixteen_mib() -> usize {
    16 << 20
}

fn thirty_two_mib() -> usize {
    32 << 20
}

fn max_connections() -> usize {
    512
}

fn max_pipelined() -> usize {
    64
}

fn workers() -> usize {
    64
}

fn max_waiting() -> usize {
    4096
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests;
