//! Ordering of updates: which messages are newer than the stored resource.
//!
//! Invariants:
//! - older news never overwrites newer;
//! - a result advances through P, F, C, X, D, W in whatever order its messages arrive, and never
//!   returns from final to preliminary.

use super::find::Existing;
use base::Timestamp;
use mapping::lifecycle::{self, Stage};
use mapping::{Draft, Ownership};

/// Returns true where `draft`, from an event at `at`, may change the existing resource.
pub(super) fn is_news(draft: &Draft, existing: &Existing, at: Option<Timestamp>) -> bool {
    if draft.ownership != Ownership::Owns {
        // Gaps are filled and links made at any time; neither overwrites.
        return true;
    }
    let is_older = matches!((at, existing.event), (Some(at), Some(known)) if at < known);
    let status = existing.value.text("status").and_then(raw_status);
    match (draft.status_code.as_deref(), status) {
        (Some(new), old @ Some(was)) => {
            let goes_on = lifecycle::stage(was) < lifecycle::stage(new);
            lifecycle::allowed(old, new) && (goes_on || !is_older)
        }
        (_, None) | (None, _) => !is_older,
    }
}

/// Returns the OBX-11 code for a status of Observation or DiagnosticReport, as the maps write it.
fn raw_status(status: &str) -> Option<&'static str> {
    let code = match status {
        "registered" => "I",
        "preliminary" | "partial" => "P",
        "final" => "F",
        "amended" | "corrected" | "appended" => "C",
        "cancelled" => "X",
        "entered-in-error" => "W",
        _ => return None,
    };
    debug_assert!(lifecycle::stage(code) > Some(Stage::Pending) || code == "I");
    Some(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fhir::build::Value;

    #[test]
    fn what_is_news_of_a_result() {
        let at = |seconds: i64| Some(Timestamp::from_micros(seconds * 1_000_000));
        for (clause, status, known, code, event, expected) in [
            ("P then F", "preliminary", 1, "F", 2, true),
            ("F before P, by time", "final", 2, "P", 1, false),
            ("F before P, sent later", "final", 1, "P", 2, false),
            ("F with an older clock", "preliminary", 2, "F", 1, true),
            ("F then C", "final", 1, "C", 2, true),
            ("C then W", "corrected", 1, "W", 2, true),
            ("late F after C", "corrected", 2, "F", 1, false),
            ("an older F after F", "final", 2, "F", 1, false),
            ("F again", "final", 2, "F", 2, true),
        ] {
            let mut draft = Draft::default();
            draft.status_code = Some(code.to_owned());
            let value = Value::resource("Observation").with("status", status);
            let existing = Existing {
                id: "1".to_owned(),
                version: 1,
                event: at(known),
                value,
                replaced: Vec::new(),
                is_name: false,
            };
            assert_eq!(is_news(&draft, &existing, at(event)), expected, "{clause}");
        }
    }

    #[test]
    fn what_is_news_of_a_patient() {
        let at = |seconds: i64| Some(Timestamp::from_micros(seconds));
        let existing = Existing {
            id: "1".to_owned(),
            version: 1,
            event: at(5),
            value: Value::resource("Patient"),
            replaced: Vec::new(),
            is_name: false,
        };
        for (event, expected) in [(at(4), false), (at(5), true), (at(6), true), (None, true)] {
            assert_eq!(
                is_news(&Draft::default(), &existing, event),
                expected,
                "{event:?}"
            );
        }
    }
}
