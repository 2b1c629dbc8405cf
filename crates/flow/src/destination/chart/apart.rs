//! Discrimination between two records with the same number.
//!
//! A number is only a place to look; the record there may be a different one. Where HL7 v2 gives
//! nothing more (OBX-4 is empty, one placer number is on two orders), the content of the records
//! decides:
//!
//! | type | discriminator | clause |
//! |---|---|---|
//! | Observation | the time of the observation, where the line has its own | HL7 v2.5.1, 7.4.2.14 |
//! | `DiagnosticReport` | the time of the specimen, where there are several | 7.4.1.7 |
//! | `AllergyIntolerance`, Condition, Procedure | the text, where the code is local to the sender |
//! 3.4.6.3 |
//! | `MedicationRequest`, Immunization | the medication, the vaccine, where there are several |
//! 4A.4.4.2, 4A.4.7.5 |
//! | Encounter without a number | the time of admission | 3.4.3.44 |

use base::{DateTime, Timestamp, Zone};
use fhir::build::Value;
use mapping::{Draft, Visits, lifecycle};

/// The match between a draft and a record that has its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// The discriminator is the same in both.
    Same,
    /// Nothing speaks for or against a match.
    Open,
    /// The record is a different one, unless it is the only one there and the draft corrects it.
    Other,
}

/// Compares a draft with a record that has its number.
pub(super) fn fit(draft: &Draft, existing: &Value) -> Fit {
    let value = draft.value();
    match draft.resource_type {
        "Observation" => match same_time(value, existing) {
            Some(true) => Fit::Same,
            Some(false) if has_own_time(draft) => Fit::Other,
            Some(false) | None => Fit::Open,
        },
        "DiagnosticReport" => match same_time(value, existing) {
            Some(true) => Fit::Same,
            Some(false) | None => Fit::Open,
        },
        "AllergyIntolerance" | "Condition" | "Procedure" => {
            concept(value.get("code"), existing.get("code"))
        }
        "MedicationRequest" => concept(
            value.get("medicationCodeableConcept"),
            existing.get("medicationCodeableConcept"),
        )
        .or_correction(),
        "Immunization" => {
            concept(value.get("vaccineCode"), existing.get("vaccineCode")).or_correction()
        }
        _ => Fit::Open,
    }
}

/// Compares a visit without a number with an existing one. Admissions, arrivals and pre-admissions
/// open a visit; all other events refer to the open visit or the last one (HL7 v2.5.1, 3.3).
pub(super) fn visit(draft: &Draft, existing: &Value, (opens, by): (bool, Visits)) -> Fit {
    let is_open = !matches!(
        existing.text("status"),
        Some("finished" | "cancelled" | "entered-in-error")
    );
    let start = |value: &Value| {
        let time = DateTime::parse_fhir(value.get("period")?.text("start")?).ok()?;
        Some(time.bounds(&Zone::utc()))
    };
    let starts = match by {
        // Where accounts distinguish visits, a different time of admission is a correction.
        Visits::Account => (None, None),
        Visits::Either | Visits::Admission | Visits::None => {
            (start(draft.value()), start(existing))
        }
    };
    match starts {
        (Some(one), Some(other)) if one.0 < other.1 && other.0 < one.1 => Fit::Same,
        (Some(_), Some(_)) if !is_open || by == Visits::Admission => Fit::Other,
        _ if is_open || !opens => Fit::Open,
        _ => Fit::Other,
    }
}

impl Fit {
    /// Returns the match to use where a different text or medication may be a correction.
    pub(super) fn or_correction(self) -> Self {
        match self {
            Self::Other => Self::Open,
            same => same,
        }
    }
}

/// Returns true where the draft continues a result: a correction, a withdrawal, or the final result
/// after a preliminary one (HL7 table 0085). Such a draft may carry a different time than the
/// result it refers to.
pub(super) fn goes_on(draft: &Draft, existing: &Value) -> bool {
    let Some(new) = draft.status_code.as_deref().and_then(lifecycle::stage) else {
        return false;
    };
    let corrects = lifecycle::Stage::Corrected <= new;
    let was_open = matches!(
        existing.text("status"),
        Some("registered" | "preliminary" | "partial")
    );
    corrects || was_open && lifecycle::Stage::Final <= new
}

/// Returns the time of a result in the form by which results under a crowded key are found.
pub(super) fn time_key(draft: &Draft) -> Option<String> {
    if draft.resource_type != "Observation" {
        return None;
    }
    let (start, _) = bounds(draft.value())?;
    Some(format!("@{}", start.micros().div_euclid(60_000_000)))
}

/// Compares two times; none where one of them has no time.
fn same_time(one: &Value, other: &Value) -> Option<bool> {
    let (one, other) = (bounds(one)?, bounds(other)?);
    // `202401051015` and `20240105101507` are the same time at different precision.
    Some(one.0 < other.1 && other.0 < one.1)
}

fn bounds(value: &Value) -> Option<(Timestamp, Timestamp)> {
    let text = value
        .text("effectiveDateTime")
        .or_else(|| value.get("effectivePeriod")?.text("start"))
        .or_else(|| value.text("effectiveInstant"))?;
    let time = DateTime::parse_fhir(text).ok()?;
    Some(time.bounds(&Zone::utc()))
}

/// Returns true where the line has its own time of observation, besides the time of its order.
fn has_own_time(draft: &Draft) -> bool {
    draft.lineage().iter().any(|line| {
        line.element.starts_with("effective")
            && line.place.is_some_and(|place| &place.segment == b"OBX")
    })
}

fn concept(one: Option<&Value>, other: Option<&Value>) -> Fit {
    let (Some(one), Some(other)) = (one, other) else {
        return Fit::Open;
    };
    let codes = |concept: &Value| -> Vec<(String, String)> {
        let coding = |coding: &Value| {
            let system = coding.text("system").filter(|system| is_standard(system))?;
            Some((system.to_owned(), coding.text("code")?.to_owned()))
        };
        concept.each("coding").filter_map(coding).collect()
    };
    let (ours, theirs) = (codes(one), codes(other));
    if ours.iter().any(|code| theirs.contains(code)) {
        return Fit::Same;
    }
    let both_coded = ours
        .iter()
        .any(|(system, _)| theirs.iter().any(|(other, _)| system == other));
    let (ours, theirs) = (words(one), words(other));
    match (ours, theirs) {
        (Some(ours), Some(theirs)) if ours == theirs && !both_coded => Fit::Same,
        (Some(_), Some(_)) => Fit::Other,
        _ if both_coded => Fit::Other,
        (None, _) | (_, None) => Fit::Open,
    }
}

/// Returns true for a shared code system, whose codes identify the thing; a local code may be
/// `OTHER`.
fn is_standard(system: &str) -> bool {
    !system.starts_with("urn:x-hl7v2:") && !system.contains("CodeSystem/v2-")
}

/// Returns the text of a concept, ignoring case and spacing.
fn words(concept: &Value) -> Option<String> {
    let display = || {
        concept
            .each("coding")
            .find_map(|coding| coding.text("display"))
    };
    let text = concept.text("text").or_else(display)?;
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    Some(words.join(" ")).filter(|words| !words.is_empty())
}

/// Returns true where both have a number of one kind and the numbers differ: the record is another
/// one, whatever number of lower precedence they share (HL7 v2.5.1, 4.5.1.3: ORC-3 distinguishes
/// the filler's orders).
pub(super) fn contradicts(draft: &Draft, up_to: u8, existing: &Value) -> bool {
    let value = draft.value();
    draft
        .keys
        .iter()
        .filter(|key| key.rank <= up_to)
        .any(|key| {
            // The text next to the number is part of the key's text.
            let number = key.value.split('|').next().unwrap_or_default();
            let Some(own) = value
                .each("identifier")
                .find(|own| own.text("value") == Some(number))
            else {
                return false;
            };
            let kind = kind_of(own);
            let mut theirs = existing
                .each("identifier")
                .filter(|other| kind_of(other) == kind)
                .filter_map(|other| other.text("value"))
                .peekable();
            theirs.peek().is_some() && theirs.all(|other| other != number)
        })
}

/// Returns true where the record has a number of that kind that differs.
pub(super) fn has_other_number(existing: &Value, kind: &str, number: &str) -> bool {
    let mut theirs = existing
        .each("identifier")
        .filter(|own| kind_of(own) == Some(kind))
        .filter_map(|own| own.text("value"))
        .peekable();
    !number.is_empty() && theirs.peek().is_some() && theirs.all(|own| own != number)
}

fn kind_of(identifier: &Value) -> Option<&str> {
    identifier
        .get("type")?
        .each("coding")
        .find_map(|coding| coding.text("code"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> Value {
        Value::resource("Observation").with("effectiveDateTime", time)
    }

    #[test]
    fn a_time_told_less_exactly_is_the_same_time() {
        for (one, other, expected) in [
            ("2024-01-05T10:15:00-06:00", "2024-01-05T16:15:00Z", true),
            ("2024-01-05T10:15:00Z", "2024-01-05", true),
            ("2024-01-05T10:15:00Z", "2024-01-05T10:16:00Z", false),
        ] {
            assert_eq!(
                same_time(&at(one), &at(other)),
                Some(expected),
                "{one} {other}"
            );
        }
        assert_eq!(
            same_time(&at("2024"), &Value::resource("Observation")),
            None
        );
    }

    #[test]
    fn a_code_of_the_senders_own_is_told_apart_by_its_text() {
        let coded = |system: &str, code: &str, text: &str| {
            let coding = Value::object().with("system", system).with("code", code);
            let mut concept = Value::object().with("text", text);
            concept.entry("coding").push(coding);
            concept
        };
        let local = "urn:x-hl7v2:L";
        let snomed = "http://snomed.info/sct";
        for (one, other, expected) in [
            (
                coded(local, "OTH", "Contrast dye"),
                coded(local, "OTH", "contrast  DYE"),
                Fit::Same,
            ),
            (
                coded(local, "OTH", "Contrast dye"),
                coded(local, "OTH", "Shellfish"),
                Fit::Other,
            ),
            (
                coded(snomed, "1", "Latex"),
                coded(snomed, "1", "Latex allergy"),
                Fit::Same,
            ),
            (
                coded(snomed, "1", "Latex"),
                coded(snomed, "2", "Latex"),
                Fit::Other,
            ),
            (
                coded(local, "1", "Latex"),
                coded(snomed, "1", "Latex"),
                Fit::Same,
            ),
        ] {
            assert_eq!(
                concept(Some(&one), Some(&other)),
                expected,
                "{one:?} {other:?}"
            );
        }
    }
}
