//! The lines of a narrative are one text: in, out and back (HL7 v2 7.4.2.4, 7.4.2.5).

use crate::values::{convert, json, observations, report};
use fhir::build::Value;
use mapping::{Conversion, MapSet, Target};
use proptest::prelude::{ProptestConfig, prop, prop_assert, prop_assert_eq, proptest};

fn texts(results: &[&str]) -> Vec<String> {
    let made = convert("ORU^R01^ORU_R01", &report(results));
    let all = observations(&made);
    let text = |made: &Value| {
        let string = made.text("valueString").map(str::to_owned);
        string.unwrap_or_else(|| json(made.get("valueQuantity").unwrap_or(&Value::Null)))
    };
    all.iter().map(text).collect()
}

#[test]
fn lines_are_a_text_and_results_are_not() {
    let one =
        |results: &[&str], expected: &str| assert_eq!(texts(results), [expected], "{results:?}");
    one(
        &["OBX|1|TX|A^A^L||one||||||F", "OBX|2|TX|A^A^L||two||||||F"],
        "one\ntwo",
    );
    one(
        &["OBX|1|FT|A^A^L||one||||||F", "OBX|2|TX|A^A^L||  two||||||F"],
        "one\n  two",
    );
    one(
        &["OBX|1|ST|A^A^L||one||||||F", "OBX|2|ST|A^A^L||two||||||F"],
        "one\ntwo",
    );
    one(
        &[
            "OBX|1|TX|A^A^L|1|one||||||F",
            "OBX|2|TX|A^A^L|1|||||||F",
            "OBX|3|TX|A^A^L|1|three||||||F",
        ],
        "one\n\nthree",
    );
    one(
        &["OBX|1|TX|A^A^L|||||||||F", "OBX|2|TX|A^A^L||two||||||F"],
        "\ntwo",
    );
    // Many senders give only the first line a status, and none a code.
    one(
        &[
            "OBX|1|TX|||IMPRESSION:||||||F",
            "OBX|2|TX|||  1. nothing",
            "OBX|3|TX|||",
            "OBX|4|TX|||  2. else||||||F",
        ],
        "IMPRESSION:\n  1. nothing\n\n  2. else",
    );
    one(
        &[
            "OBX|1|TX|A^A^L||one~more||||||F",
            "NTE|1|L|note",
            "OBX|2|TX|A^A^L||two||||||F",
        ],
        "one\nmore\ntwo",
    );
    let many = |results: &[&str], n: usize| assert_eq!(texts(results).len(), n, "{results:?}");
    many(
        &["OBX|1|TX|A^A^L||one||||||F", "OBX|2|TX|B^B^L||two||||||F"],
        2,
    );
    many(
        &["OBX|1|TX|A^A^L|1|one||||||F", "OBX|2|TX|A^A^L|2|two||||||F"],
        2,
    );
    // Serial results: numbers, other times, flags.
    many(&["OBX|1|NM|A^A^L||1||||||F", "OBX|2|NM|A^A^L||2||||||F"], 2);
    many(&["OBX|1|ST|A^A^L||1||||||F", "OBX|2|ST|A^A^L||2||||||F"], 2);
    many(
        &["OBX|1|ST|A^A^L||<5||||||F", "OBX|2|ST|A^A^L||>9||||||F"],
        2,
    );
    many(
        &[
            "OBX|1|TX|A^A^L||one||||||F|||20240105",
            "OBX|2|TX|A^A^L||two||||||F|||20240106",
        ],
        2,
    );
    many(
        &["OBX|1|ST|A^A^L||pos|||A|||F", "OBX|2|ST|A^A^L||neg|||N|||F"],
        2,
    );
    many(
        &[
            "OBX|1|CWE|A^A^L||p^pos^L||||||F",
            "OBX|2|CWE|A^A^L||n^neg^L||||||F",
        ],
        2,
    );
    many(
        &["OBX|1|TX|A^A^L||one||||||F", "OBX|2|TX|A^A^L||two||||||W"],
        2,
    );
    let between = [
        "OBX|1|TX|A^A^L||one||||||F",
        "OBX|2|NM|B^B^L||5||||||F",
        "OBX|3|TX|A^A^L||two||||||F",
    ];
    many(&between, 3);
}

#[test]
fn every_line_is_accounted_for_and_traced() {
    let lines = report(&[
        "OBX|1|TX|A^A^L||one||||||F|||20240105",
        "OBX|2|TX|A^A^L||two||||||F|||20240105",
        "NTE|1|L|a note",
    ]);
    let made = convert("ORU^R01^ORU_R01", &lines);
    let left: Vec<String> = made
        .report
        .unmapped
        .iter()
        .map(|entry| entry.place.to_string())
        .collect();
    assert!(
        !left.iter().any(|place| place.starts_with("OBX")),
        "{left:?}"
    );
    let draft = made
        .drafts
        .iter()
        .find(|draft| draft.resource_type == "Observation")
        .unwrap();
    let lineage = draft.apply(None).lineage;
    let own = lineage.iter().filter(|line| line.element == "valueString");
    let places: Vec<(String, &str)> = own
        .map(|line| (line.place.unwrap().to_string(), &*line.raw))
        .collect();
    assert_eq!(
        places,
        [("OBX-5".to_owned(), "one"), ("OBX[2]-5".to_owned(), "two")]
    );
    assert_eq!(
        draft.value().at("note[0].text").and_then(Value::as_str),
        Some("a note")
    );
}

fn bundle(made: &Conversion) -> Value {
    let entries: Vec<Value> = made
        .drafts
        .iter()
        .map(|draft| {
            Value::object()
                .with("fullUrl", draft.full_url.as_str())
                .with("resource", draft.value().clone())
        })
        .collect();
    Value::resource("Bundle").with("entry", entries)
}

pub(crate) fn back(made: &Conversion) -> Vec<String> {
    let target = Target {
        at: base::Timestamp::from_micros(0),
        control_id: "1".into(),
        version: "2.5.1".into(),
        authorities: Vec::new(),
        dialect: None,
    };
    let written = MapSet::builtin()
        .back(&bundle(made), "ORU_R01", &target)
        .unwrap();
    let text = String::from_utf8(written.message).unwrap();
    text.split('\r')
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// The text is the lines in order, and going back gives the same lines.
    #[test]
    fn lines_in_text_out_and_back(
        lines in prop::collection::vec("( {0,4}[A-Za-z0-9.,:%()-]{1,12}( {1,3}[A-Za-z0-9.,]{1,8}){0,3}|)", 2..9),
        notes in prop::collection::vec("[a-z]{1,8}", 0..2),
    ) {
        let last = lines.iter().rposition(|line| !line.is_empty());
        let Some(last) = last.filter(|last| 0 < *last) else { return Ok(()) };
        let lines = &lines[..=last];
        let obx = lines.iter().map(|line| format!("OBX||TX|A^A^L|1|{line}||||||F|||20240105101500-0600"));
        let mut all: Vec<String> = obx.collect();
        let sent = all.clone();
        all.extend(notes.iter().map(|note| format!("NTE|||{note}")));
        let results: Vec<&str> = all.iter().map(String::as_str).collect();
        let made = convert("ORU^R01^ORU_R01", &report(&results));
        let own = observations(&made);
        prop_assert_eq!(own.len(), 1);
        prop_assert_eq!(own[0].text("valueString").unwrap(), lines.join("\n"));
        let written = back(&made);
        let own: Vec<&String> = written.iter().filter(|line| line.starts_with("OBX")).collect();
        prop_assert_eq!(own.len(), sent.len(), "{:?}", written);
        for (own, sent) in own.iter().zip(&sent) {
            prop_assert_eq!(own.as_str(), sent.as_str());
        }
        prop_assert_eq!(written.iter().filter(|line| line.starts_with("NTE")).count(), notes.len());
        prop_assert!(written[0].split('|').nth(17).is_none(), "MSH-18 of an ASCII message: {}", written[0]);
    }
}

#[test]
fn what_is_not_ascii_names_its_set() {
    let made = convert(
        "ORU^R01^ORU_R01",
        &report(&["OBX|1|ST|A^A^L||5 \u{b5}mol||||||F"]),
    );
    let written = back(&made);
    assert_eq!(
        written[0].split('|').nth(17),
        Some("UNICODE UTF-8"),
        "{written:?}"
    );
}
