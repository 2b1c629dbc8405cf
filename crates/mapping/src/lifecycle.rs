//! The lifecycle of a result: which status may follow which (HL7 v2 tables 0085 and 0123).
//!
//! Invariants:
//! - a result never goes back from final to preliminary, whatever the order of the messages;
//! - a result that was withdrawn (`W`, `D`), or cancelled after being final (`X`), is shown as
//!   such;
//! - the same status again is allowed: a repeat that corrects another field is common.

/// The stage of a result, from the raw OBX-11 or OBR-25.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Ordered, scheduled, pending: nothing to read yet (`O`, `I`, `S`, `N`).
    Pending,
    /// Preliminary, partial, not verified (`P`, `R`, `A` of OBR-25, `S` of OBX-11).
    Preliminary,
    /// Final (`F`, `U`, `V`).
    Final,
    /// Changed after it was final (`C`, `A` of OBX-11, `B`, `M`).
    Corrected,
    /// Cannot be obtained or cancelled (`X`).
    Cancelled,
    /// Deleted or posted in error (`D`, `W`).
    Withdrawn,
}

/// Returns the stage of a raw status code; `None` for a code in neither table.
pub fn stage(code: &str) -> Option<Stage> {
    Some(match code {
        "O" | "I" | "S" | "N" => Stage::Pending,
        "P" | "R" => Stage::Preliminary,
        "F" | "U" | "V" => Stage::Final,
        "C" | "A" | "B" | "M" => Stage::Corrected,
        "X" => Stage::Cancelled,
        "D" | "W" => Stage::Withdrawn,
        _ => return None,
    })
}

/// Returns whether an update with status `new` may change a result whose last status was `old`.
///
/// `F` before `P` ends final: the late preliminary is rejected. A withdrawn result accepts only a
/// correction or a final result that was sent again after it (HL7 v2 ch. 7, OBX-11: a `W` is
/// followed by the right value for the right patient; a lab may also restore). Unknown codes are
/// judged by time alone.
pub fn allowed(old: Option<&str>, new: &str) -> bool {
    let (Some(old), Some(new)) = (old.and_then(stage), stage(new)) else {
        return true;
    };
    match old {
        Stage::Pending | Stage::Preliminary => Stage::Preliminary <= new || old == new,
        Stage::Final | Stage::Cancelled => Stage::Final <= new,
        Stage::Corrected => Stage::Corrected <= new || new == Stage::Final,
        Stage::Withdrawn => matches!(new, Stage::Withdrawn | Stage::Corrected | Stage::Final),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_that_matters() {
        let cases = [
            ("first news", None, "P", true),
            ("P then F", Some("P"), "F", true),
            ("F then C", Some("F"), "C", true),
            ("C then W", Some("C"), "W", true),
            ("late P after F", Some("F"), "P", false),
            ("late I after P", Some("P"), "I", false),
            ("I then P", Some("I"), "P", true),
            ("F then X", Some("F"), "X", true),
            ("F again", Some("F"), "F", true),
            ("late P after W", Some("W"), "P", false),
            ("W then C restores", Some("W"), "C", true),
            ("X then F", Some("X"), "F", true),
            ("P then D", Some("P"), "D", true),
            ("a local code", Some("F"), "ZZ", true),
        ];
        for (clause, old, new, expected) in cases {
            assert_eq!(allowed(old, new), expected, "{clause}");
        }
    }
}
