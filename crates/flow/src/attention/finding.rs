//! What is odd about a message, for people: each finding with its place, its reason and what helps.
//!
//! The message itself is read again, by the maps as they are now; what only the chart could know
//! (a number that another patient has) stands in the ledger beside the message.

use super::{Attention, Concern};
use crate::engine::Engine;
use crate::maps::LiveMaps;
use base::Severity;
use hl7v2::Message;
use mapping::{Report, Source};
use store::journal::Stored;

/// One thing about a message. Free of PHI: places and reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// A path, such as `OBX[2]-5`; empty for the whole.
    pub place: String,
    /// What is wrong.
    pub why: String,
    /// What helps.
    pub remedy: &'static str,
}

const LEFT_OUT: &str =
    "It is left out. Mend the map and replay, or correct the message and send it again.";
const REPLACED: &str =
    "It is in the chart in another form. If that is not what is meant, mend the map and replay.";

/// What the message's own flow says of its source: its dialect, zone and authorities. A flow that is
/// configured no more gets the plain maps.
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

/// What the maps report of a message, as they are now.
pub fn report(engine: &Engine, maps: &LiveMaps, stored: &Stored, message: &Message) -> Report {
    maps.current()
        .forward(message, &source_of(engine, stored))
        .report
}

/// What maps and chart found, the worst first.
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

/// What the ledger says that a person has to look at.
fn concerns(stored: &Stored) -> Vec<Concern> {
    let reason = stored.summary.reason.as_deref().unwrap_or_default();
    super::read(reason)
}
