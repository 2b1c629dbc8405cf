//! Concerns about a message that goes into the chart.
//!
//! The map rates each finding: an error is something that the chart now lacks, a warning something
//! that is there in another form. Only errors are concerns. Problems that only the chart can detect
//! (a number that belongs to another patient) come with the plan.

use crate::attention::{Attention, Concern};
use base::Severity;
use mapping::Conversion;

/// Returns concerns for what the map could not bring into the chart.
pub(super) fn of_map(conversion: &Conversion) -> impl Iterator<Item = Concern> {
    let report = &conversion.report;
    let unusable = report
        .unusable
        .iter()
        .filter(|unusable| Severity::Error <= unusable.severity)
        .map(|unusable| {
            let place = unusable.place.to_string();
            Concern::new(Attention::UnusableValue, place, unusable.why.as_str())
        });
    let issues = report
        .issues
        .iter()
        .filter(|issue| Severity::Error <= issue.severity)
        .map(|issue| {
            let place = issue.location.as_str();
            Concern::new(Attention::Incomplete, place, issue.text.as_ref())
        });
    unusable.chain(issues)
}
