//! What a site wrote about its flows: plain values, read from TOML by the binary.
//!
//! Invariants:
//! - every default is right for a small clinic;
//! - [`check`] finds everything that can be known before a socket is bound, and says the remedy.

use crate::attention::{Attention, Concern};
use base::Zone;
use mapping::Source;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// One named way through: a source, steps, a destination. (HL7 people say *channel*.)
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowConfig {
    /// Letters, digits, `-` and `_`; it appears in logs, metrics and the console.
    pub name: String,
    /// Where messages come in.
    pub source: SourceConfig,
    /// What the console calls the source; MSH-3 and MSH-4 of its messages where nothing is said.
    #[serde(default)]
    pub sender: Option<String>,
    /// How they are read and translated.
    #[serde(default)]
    pub map: MapConfig,
    /// When the sender is told that its message is safe.
    #[serde(default)]
    pub acknowledge: AckPolicy,
    /// What is kept in order.
    #[serde(default)]
    pub partition: PartitionKey,
    /// What happens behind a message that fails.
    #[serde(default)]
    pub failing_head: FailingHead,
    /// The values of MSH-11 that this flow takes.
    #[serde(default = "production_only")]
    pub processing_ids: Vec<ProcessingId>,
    /// How messages are answered that this flow cannot take.
    #[serde(default)]
    pub refusals: Refusals,
    /// How often a message is tried again after an error that may pass, before a person must look.
    #[serde(default = "eight")]
    pub max_attempts: u32,
    /// What a person is asked to look at.
    #[serde(default)]
    pub attention: AttentionPolicy,
    /// A message with more segments and repeats of fields together is kept and not translated. It
    /// bounds the memory that one message takes on its way into the chart, up to 20 kB for each.
    #[serde(default = "ten_thousand")]
    pub max_parts: usize,
    /// A message with more bytes is kept and not translated: that takes several times its size.
    #[serde(default = "thirty_two_mib")]
    pub max_translated_bytes: usize,
}

/// Where messages come in.
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
    /// The address to bind; port 0 takes a free one.
    pub listen: SocketAddr,
    /// A longer frame is kept up to here, and its connection closed.
    #[serde(default = "sixteen_mib")]
    pub max_frame_bytes: usize,
    /// One more is turned away.
    #[serde(default = "max_connections")]
    pub max_connections: usize,
    /// A connection that says nothing for so long is closed.
    #[serde(default = "an_hour")]
    pub idle_timeout_seconds: u64,
    /// A frame that began must end within this time, and a peer must take an answer within it.
    #[serde(default = "a_minute")]
    pub frame_timeout_seconds: u64,
    /// Messages of one connection that may wait for their acknowledgement at once.
    #[serde(default = "max_pipelined")]
    pub max_pipelined: usize,
}

/// How a source's messages are translated.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MapConfig {
    /// The dialect (an overlay of the maps); none is the plain maps.
    pub dialect: Option<String>,
    /// The source's time zone, an IANA name; UTC where nothing is said.
    pub zone: Option<String>,
    /// What the source's names of assigning authorities stand for: `NORTH = "urn:oid:…"`.
    pub authorities: BTreeMap<String, String>,
    /// Whose records these are.
    pub records: RecordScope,
}

/// Whose a record is: two senders that know one person keep one Patient each, joined by a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordScope {
    /// All senders of this flow share their records.
    #[default]
    Flow,
    /// Senders of one facility (MSH-4) share theirs.
    Facility,
    /// Each sending application (MSH-3 and MSH-4) has its own.
    Application,
}

/// When the sender is told that its message is safe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AckPolicy {
    /// It is on disk.
    #[default]
    Received,
    /// It was accepted into the chart; errors are told.
    Mapped,
    /// The flow's destination answered. The chart's answer is its commit, so for the chart this says
    /// the same as [`AckPolicy::Mapped`].
    Delivered,
}

/// What is kept in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PartitionKey {
    /// The messages of one connection.
    Connection,
    /// The messages of one patient, by every identifier in PID and MRG.
    #[default]
    Patient,
}

/// What happens behind a message that fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailingHead {
    /// Its partition waits until a person releases or skips it.
    Block,
    /// It steps aside into *held*; its partition goes on.
    #[default]
    Hold,
    /// Its patient's later messages are held behind it; all others go on.
    ParkPatient,
}

/// MSH-11, table 0103.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
pub enum ProcessingId {
    /// Production.
    P,
    /// Training.
    T,
    /// Debugging.
    D,
}

/// How messages are answered that this flow cannot take. All are kept and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Refusals {
    /// MSH-9, MSH-10 or MSH-11 is missing.
    pub header: Refusal,
    /// No map takes this type, event or version.
    pub no_map: Refusal,
    /// MSH-11 is not one of the flow's.
    pub processing_id: Refusal,
}

/// HL7 table 0008, the two ways to say no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The content is wrong; the same content would fail again.
    Ae,
    /// Refused for a reason outside the content.
    Ar,
}

/// What a person is asked to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AttentionPolicy {
    /// Reasons for which a message that is in the chart is not shown as needing attention: what
    /// came up is counted among its issues, and no more.
    pub count_only: Vec<CountedReason>,
}

/// A reason that may be only counted: the message is in the chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct CountedReason(Attention);

/// Everything the engine is told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineConfig {
    /// The flows.
    #[serde(default, rename = "flow")]
    pub flows: Vec<FlowConfig>,
    /// The chart holds real patients: no message marked training or debugging reaches it.
    #[serde(default = "yes")]
    pub production: bool,
    /// How many messages are on their way into the chart at once. They share its commits; no more
    /// of them are translated at once than there are processors.
    #[serde(default = "workers")]
    pub workers: usize,
    /// How many journaled messages may wait in memory; more are read back from the journal.
    #[serde(default = "max_waiting")]
    pub max_waiting: usize,
}

/// Something wrong in a configuration, with its remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, such as `flow.adt.acknowledge`.
    pub at: String,
    /// What is wrong.
    pub reason: String,
    /// What to write instead.
    pub remedy: String,
}

/// What the journal takes of one message at most.
const LARGEST_FRAME: usize = 256 << 20;

/// Everything wrong with `config` that can be known before a socket is bound.
pub fn check(config: &EngineConfig) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (idx, flow) in config.flows.iter().enumerate() {
        check_flow(config, flow, &mut problems);
        let earlier = config.flows.iter().take(idx);
        if earlier.clone().any(|other| other.name == flow.name) {
            problems.push(flow.problem("name", "two flows have this name", "Give each its own."));
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
            "Leave `T` and `D` out, or set `production = false` for a test system.",
        ));
    }
    if flow.processing_ids.is_empty() {
        problems.push(flow.problem(
            "processing_ids",
            "no message would be taken",
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
            "it must lie between 1 and 65,535: more segments are never split",
            "Leave it out for 10,000.",
        ));
    }
    let SourceConfig::Mllp(mllp) = &flow.source;
    for (at, n_bytes, usual) in [
        ("max_translated_bytes", flow.max_translated_bytes, "32"),
        ("source.mllp.max_frame_bytes", mllp.max_frame_bytes, "16"),
    ] {
        if !(1 << 10..=LARGEST_FRAME).contains(&n_bytes) {
            let remedy = format!("Write 1 KiB to 256 MiB, or leave it out for {usual} MiB.");
            problems.push(flow.problem(at, "it is too small or too large", &remedy));
        }
    }
    if mllp.max_connections == 0 || mllp.max_pipelined == 0 {
        problems.push(flow.problem(
            "source.mllp",
            "`max_connections` and `max_pipelined` must be at least 1",
            "Leave them out.",
        ));
    }
}

// === impl FlowConfig ===

impl FlowConfig {
    /// A flow named `name` that listens on `listen`, with every default.
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
    /// What the maps are told of the source.
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
    /// A listener with every default.
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
    /// True where somebody has to look at a message for this reason.
    pub fn tells(&self, reason: Attention) -> bool {
        !self.count_only.contains(&CountedReason(reason))
    }

    /// What of these somebody has to look at.
    pub fn told(&self, mut concerns: Vec<Concern>) -> Vec<Concern> {
        concerns.retain(|concern| self.tells(concern.reason));
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
    /// These flows, with every default.
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
    /// Reads MSH-11.1.
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
