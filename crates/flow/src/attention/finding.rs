//! Findings about a message, for people: each with its place, its reason and its remedy.
//!
//! The message itself is read again with the current maps; what only the chart could know (a number
//! that belongs to another patient) is in the ledger beside the message.

use super::{Attention, Concern};
use crate::engine::Engine;
use crate::maps::LiveMaps;
use base::Severity;
use hl7v2::Message;
use mapping::{Report, Source};
use store::journal::Stored;

/// A finding about a message. Free of PHI: places and reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Severity of the finding.
    pub severity: Severity,
    /// Path in the message, such as `OBX[2]-5`; empty for the whole message.
    pub place: String,
    /// Description of the problem.
    pub why: String,
    /// Remedy.
    pub remedy: &'static str,
}

const LEFT_OUT: &str =
    "The value is left out. Fix the map and replay, or correct the message and send it again.";
const REPLACED: &str =
    "It is in the chart in another form. If that is not intended, fix the map and replay.";

/// Returns what the message's flow knows about its source: dialect, zone and authorities. A flow
/// that is no longer configured gets the plain maps.
pub fn source_of(engine: &Engine, stored: &Stored) -> Source {
    engine.config(&stored.summary.flow).map_or_else(
        || Source {
            zone: base::Zone::utc(),
            authorities: Vec::new(),
            dialect: None,
        },
        |config| config.map.source(),
    )
}

/// Returns the report of the current maps on a message.
pub fn report(engine: &Engine, maps: &LiveMaps, stored: &Stored, message: &Message) -> Report {
    maps.current()
        .forward(message, &source_of(engine, stored))
        .report
}

/// Returns the findings of maps and chart, the most severe first.
pub fn of(stored: &Stored, report: &Report) -> Vec<Finding> {
    let unusable = report.unusable.iter().map(|unusable| Finding {
        severity: unusable.severity,
        place: unusable.place.to_string(),
        why: unusable.why.clone(),
        remedy: match (unusable.severity, unusable.replaced) {
            (Severity::Error | Severity::Fatal, _) => Attention::UnusableValue.explain(),
            (Severity::Warning | Severity::Information, true) => REPLACED,
            (Severity::Warning | Severity::Information, false) => LEFT_OUT,
        },
    });
    let issues = report.issues.iter().map(|issue| Finding {
        severity: issue.severity,
        place: issue.location.clone(),
        why: issue.text.clone().into_owned(),
        remedy: match issue.severity {
            Severity::Error | Severity::Fatal => Attention::Incomplete.explain(),
            Severity::Warning | Severity::Information => REPLACED,
        },
    });
    let mut findings: Vec<Finding> = unusable.chain(issues).collect();
    for concern in concerns(stored) {
        let is_there = |finding: &Finding| {
            finding.place == concern.place && (concern.why.is_empty() || finding.why == concern.why)
        };
        if !findings.iter().any(is_there) {
            findings.push(Finding {
                severity: Severity::Error,
                why: match concern.why.as_str() {
                    "" => concern.reason.code().replace('_', " "),
                    why => why.to_owned(),
                },
                place: concern.place,
                remedy: concern.reason.explain(),
            });
        }
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

/// Returns the concerns that the ledger has for the message.
fn concerns(stored: &Stored) -> Vec<Concern> {
    let reason = stored.summary.reason.as_deref().unwrap_or_default();
    super::read(reason)
}
