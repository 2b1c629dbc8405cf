//! OperationOutcome values built from issues. Mapping them to HTTP is up to the server.

use crate::build::Value;
use base::{Issue, Severity};

/// Builds an OperationOutcome with one entry per issue; without issues it reports success, since
/// FHIR requires at least one entry.
pub fn outcome(issues: &[Issue]) -> Value {
    let fine = Issue {
        severity: Severity::Information,
        code: "informational",
        location: String::new(),
        text: "success".into(),
    };
    let rows: Value = match issues {
        [] => std::iter::once(issue(&fine)).collect(),
        some => some.iter().map(issue).collect(),
    };
    Value::resource("OperationOutcome").with("issue", rows)
}

fn issue(issue: &Issue) -> Value {
    let value = Value::object()
        .with("severity", issue.severity.code())
        .with("code", issue.code)
        .with("diagnostics", issue.text.as_ref());
    if issue.location.is_empty() {
        return value;
    }
    // A place in an HL7 v2 message is not FHIRPath.
    let name = if is_fhirpath(&issue.location) {
        "expression"
    } else {
        "location"
    };
    value.with(name, vec![Value::from(&issue.location)])
}

fn is_fhirpath(location: &str) -> bool {
    let first = location.split(['.', '[']).next().unwrap_or_default();
    first.chars().all(char::is_alphanumeric) && location.chars().all(|c| c != '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expression_for_fhirpath_location_for_the_rest() {
        let issues = [
            Issue::error("value", "Patient.name[0].given", "no text"),
            Issue::warning("value", "PID-7", "no date"),
            Issue::error("structure", "", "no JSON"),
        ];
        let value = outcome(&issues);
        assert_eq!(
            value.at("issue[0].expression[0]").unwrap().as_str(),
            Some("Patient.name[0].given")
        );
        assert_eq!(
            value.at("issue[1].location[0]").unwrap().as_str(),
            Some("PID-7")
        );
        assert_eq!(
            value.at("issue[1].severity").unwrap().as_str(),
            Some("warning")
        );
        assert!(value.at("issue[2].expression").is_none());
        assert_eq!(
            outcome(&[]).at("issue[0].severity").unwrap().as_str(),
            Some("information")
        );
    }
}
