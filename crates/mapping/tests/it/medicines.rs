//! No part of a prescription is lost: strengths, doses in words, every direction, every route, `as
//! needed`. A refused vaccine is not done. HL7 v2 chapter 4A (RXE, RXC, RXD, RXO, TQ1), FHIR rat-1.

use crate::fields::one_of;
use crate::messages::{always, forward};
use fhir::build::Value;
use proptest::prelude::*;

const HEADER: &str = "MSH|^~\\&|PHARM||EHR||20240105101600-0600||RDE^O11^RDE_O11|1|P|2.5.1\rPID|||1\rORC|NW|P1^HOSP|F1^PHARM\r";

fn made(lines: &str, resource_type: &str) -> Value {
    let (message, conversion) = forward(&format!("{HEADER}{lines}"));
    always(&message, &conversion).unwrap();
    let own = conversion.drafts.iter();
    let mut own = own.filter(|draft| draft.resource_type == resource_type);
    own.next().unwrap().value().clone()
}

fn text(value: &Value) -> String {
    String::from_utf8(value.to_bytes()).unwrap()
}

/// Counts the quantities of the resource that have a unit and no number.
fn bare_units(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(bare_units).sum(),
        Value::Object(fields) => {
            let bare = fields.contains("unit") && !fields.contains("value");
            usize::from(bare)
                + fields
                    .iter()
                    .map(|(_, value)| bare_units(value))
                    .sum::<usize>()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// Generates a word that occurs nowhere else, by its number.
fn mark(which: &str) -> BoxedStrategy<String> {
    let which = which.to_owned();
    "[a-z]{2,6}( [a-z]{2,6})?"
        .prop_map(move |word| format!("{which}{word}"))
        .boxed()
}

/// Generates a dose: numbers and what people write in their place.
fn dose() -> BoxedStrategy<String> {
    prop_oneof!["[1-9]", "0\\.[1-9]", "[1-9]-[1-9]", "1/[2-9]", "one to two"].boxed()
}

fn number(text: &str) -> bool {
    text.parse::<f64>().is_ok()
}

#[test]
fn as_needed_wherever_it_stands() {
    for (clause, lines, needed) in [
        (
            "the second repeat",
            "RXE||1^X^L|1||TAB\rTQ1|1||Q6H~PRN",
            true,
        ),
        (
            "the first repeat",
            "RXE||1^X^L|1||TAB\rTQ1|1||PRN~Q6H",
            true,
        ),
        ("in one code", "RXE||1^X^L|1||TAB\rTQ1|1||Q6HPRN", true),
        ("in words", "RXE||1^X^L|1||TAB\rTQ1|1||Q6H PRN", true),
        ("before 2.5", "RXE|1^Q6H~1^PRN|1^X^L|1||TAB", true),
        ("nowhere", "RXE||1^X^L|1||TAB\rTQ1|1||Q6H~QHS", false),
    ] {
        let request = made(&format!("{lines}\r"), "MedicationRequest");
        let found = request
            .at("dosageInstruction[0].asNeededBoolean")
            .and_then(Value::as_bool);
        assert_eq!(
            found.unwrap_or(false),
            needed,
            "{clause}: {}",
            text(&request)
        );
        let hours = request.at("dosageInstruction[0].timing.repeat.period");
        let six = hours.and_then(|hours| hours.number_text().map(|text| text == "6"));
        if !clause.starts_with("in ") {
            assert_eq!(six, Some(true), "{clause}: {}", text(&request));
        }
    }
}

#[test]
fn as_needed_by_the_order_alone() {
    let lines = "MSH|^~\\&|PHARM||EHR||20240105101600-0600||RDE^O01|1|P|2.3\rPID|||1\rORC|NW|P1^HOSP|F1^PHARM||||^Q6H~^PRN\rRXE||1^X^L|1||TAB\r";
    let (_, conversion) = forward(lines);
    let request = conversion
        .drafts
        .iter()
        .find(|draft| draft.resource_type == "MedicationRequest")
        .unwrap()
        .value();
    assert!(
        text(request).contains("\"asNeededBoolean\":true"),
        "{}",
        text(request)
    );
    assert!(text(request).contains("\"period\":6"), "{}", text(request));
}

#[test]
fn a_strength_is_said_once() {
    for (lines, words) in [
        (
            "RXE||WARF^Warfarin^L|1||TAB||||||||||||||||||||5|MG",
            "Warfarin 5 MG",
        ),
        (
            "RXE||860975^Metformin 500 MG^RXNORM|1||TAB||||||||||||||||||||500|mg^milligram^L",
            "Metformin 500 MG 500 milligram",
        ),
        (
            "RXE||860975^Metformin 500 MG^RXNORM|1||TAB||||||||||||||||||||500|mg",
            "Metformin 500 MG",
        ),
        (
            "RXE||A^Amoxicillin^L|1||mL|SUSP^Suspension^L|||||||||||||||||||250|MG|||||||5|ML",
            "Amoxicillin 250 MG / 5 ML Suspension",
        ),
        ("RXE||A^^L|1||mL||||||||||||||||||||5|MG", "A 5 MG"),
        (
            "RXE||A^Amoxicillin^L^^^^^^amox as written|1||mL||||||||||||||||||||5|MG",
            "amox as written Amoxicillin 5 MG",
        ),
    ] {
        let request = made(&format!("{lines}\r"), "MedicationRequest");
        let found = request
            .at("medicationCodeableConcept.text")
            .and_then(Value::as_str);
        assert_eq!(found, Some(words));
    }
    let plain = made("RXE||1^X^L|1||TAB\r", "MedicationRequest");
    assert_eq!(
        plain.at("medicationCodeableConcept.text"),
        None,
        "nothing is made up"
    );
}

#[test]
fn a_refused_vaccine_is_not_done() {
    for reason in ["", "00^Parental decision^NIP002"] {
        for status in ["", "CP", "RE", "NA", "PA", "XX"] {
            let rxa = format!("RXA|0|1|20240105||8^Hep B^CVX|999||||||||||||{reason}||{status}|A");
            let lines = format!(
                "MSH|^~\\&|C||I||20240105||VXU^V04^VXU_V04|1|P|2.5.1\rPID|||1\rORC|RE||F1^C\r{rxa}\r"
            );
            let (message, conversion) = forward(&lines);
            always(&message, &conversion).unwrap();
            let found = conversion
                .drafts
                .iter()
                .find(|draft| draft.resource_type == "Immunization")
                .unwrap();
            let refused = matches!(status, "RE" | "NA") || !reason.is_empty() && status != "PA";
            let expected = if refused { "not-done" } else { "completed" };
            assert_eq!(
                found.value().text("status"),
                Some(expected),
                "{reason} {status}"
            );
            assert_eq!(
                found.value().get("statusReason").is_some(),
                !reason.is_empty() || status == "RE",
                "{reason} {status}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Every word and number of dose, strength, directions, timing and route is in the MedicationRequest.
    #[test]
    fn no_word_is_cut(
        (low, high) in (dose(), prop_oneof![Just(String::new()), dose()]),
        words in prop::collection::vec(mark("sig"), 0..4),
        strength in prop::option::of(("[1-9][0-9]{2}\\.[1-9]", mark("unit"))),
        place in prop_oneof![Just(String::new()), mark("ward")],
        patterns in prop::collection::vec(one_of(&["BID", "Q6H", "QHS", "Q8-12H", "PRN"]), 0..4),
        routes in prop::collection::vec((one_of(&["PO^Oral^HL70162", "IV^Intravenous^HL70162"]), prop_oneof![Just(String::new()), mark("site")]), 0..3),
    ) {
        let directions: Vec<String> = words.iter().map(|word| format!("^{word}")).collect();
        let (value, unit) = strength.clone().unwrap_or_default();
        let mut patterns = patterns;
        patterns.dedup();
        let mut lines = format!(
            "RXE||1^Xname^L|{low}|{high}|TABS||{}|{place}{}{value}|{unit}\r",
            directions.join("~"),
            "|".repeat(17),
        );
        if !patterns.is_empty() {
            lines = format!("{lines}TQ1|1||{}\r", patterns.join("~"));
        }
        for (route, site) in &routes {
            lines = format!("{lines}RXR|{route}|^{site}\r");
        }
        let request = made(&lines, "MedicationRequest");
        let said = text(&request);
        for word in words.iter().chain([&value, &unit, &place]).chain(routes.iter().map(|(_, site)| site)) {
            prop_assert!(said.contains(word.as_str()), "{} of {} in {}", word, lines, said);
        }
        for dose in [&low, &high] {
            prop_assert!(said.contains(dose.as_str()), "{} of {} in {}", dose, lines, said);
        }
        for pattern in &patterns {
            let there = if pattern == "PRN" { said.contains("\"asNeededBoolean\":true") } else { said.contains(pattern.as_str()) };
            prop_assert!(there, "{} of {} in {}", pattern, lines, said);
        }
        if routes.len() == 2 {
            prop_assert!(said.contains("or by"), "{} in {}", lines, said);
        }
        prop_assert_eq!(bare_units(&request), 0, "{}", said);
        let numeric = number(&low) && (high.is_empty() || number(&high));
        prop_assert_eq!(request.at("dosageInstruction[0].doseAndRate[0]").is_some(), numeric, "{}", said);
    }

    /// FHIR rat-1: a ratio has both sides or none; a component without an amount has none.
    #[test]
    fn a_mixture_says_how_much(amount in prop_oneof![Just(String::new()), dose()], strength in prop_oneof![Just(String::new()), "[1-9]{3}"]) {
        let lines = format!("RXE||1^Mix^L|1||BAG\rRXC|A|K^Potassium^L|{amount}|MEQ|{strength}|MGX\r");
        let mixture = made(&lines, "Medication");
        let said = text(&mixture);
        prop_assert!(said.contains(&amount) && said.contains(&strength), "{}", said);
        let ratio = mixture.at("ingredient[0].strength");
        prop_assert_eq!(ratio.is_some(), number(&amount), "{}", said);
        if let Some(ratio) = ratio {
            prop_assert!(ratio.at("numerator.value").is_some() && ratio.at("denominator.value").is_some(), "{}", said);
        }
        prop_assert_eq!(bare_units(&mixture), 0, "{}", said);
    }

    /// A dispense states its strength and its form.
    #[test]
    fn a_dispense_says_its_strength(value in "[1-9]{3}", unit in mark("unit"), form in mark("form"), many in dose()) {
        let lines = format!("RXE||1^X^L|1||TAB\rRXD|1|1^X^L|20240105|{many}|TABS|{form}||||||||||{value}|{unit}\r");
        let said = made(&lines, "MedicationDispense");
        prop_assert_eq!(bare_units(&said), 0);
        let said = text(&said);
        for word in [&value, &unit, &form, &many] {
            prop_assert!(said.contains(word.as_str()), "{} in {}", word, said);
        }
    }
}
