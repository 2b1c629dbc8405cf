//! Laws that hold for any input.

use fhir::json::Document;
use proptest::prelude::*;
use search::{Handling, Matcher, Nothing, Registry, extract, parse};

/// Generates JSON that a walk may meet: known names over anything.
fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?[1-9][0-9]{0,20}(\\.[0-9]{1,4})?(e[0-9]{1,4})?",
        "[a-zA-Z0-9/:|#+.-]{0,12}".prop_map(|text| format!("\"{text}\"")),
        "(19|20)[0-9]{2}(-[01][0-9](-[0-3][0-9](T[0-9:]{5,8}Z)?)?)?"
            .prop_map(|text| format!("\"{text}\"")),
    ];
    let name = prop::sample::select(vec![
        "code",
        "coding",
        "system",
        "value",
        "valueQuantity",
        "valueString",
        "valuePeriod",
        "subject",
        "reference",
        "identifier",
        "name",
        "family",
        "given",
        "component",
        "period",
        "start",
        "end",
        "effectiveDateTime",
        "effectiveTiming",
        "event",
        "repeat",
        "boundsPeriod",
        "meta",
        "tag",
        "lastUpdated",
        "extension",
        "url",
        "low",
        "high",
        "comparator",
        "_value",
        "telecom",
        "onsetRange",
        "onsetAge",
        "link",
        "other",
        "deceasedBoolean",
        "id",
    ]);
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((name.clone(), inner), 0..6).prop_map(|fields| {
                let fields: Vec<String> = fields
                    .iter()
                    .map(|(name, value)| format!("\"{name}\":{value}"))
                    .collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

fn any_name() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "name",
        "code",
        "subject",
        "patient",
        "_has",
        "_id",
        "_lastUpdated",
        "_include",
        "_sort",
        "_count",
        "value-quantity",
        "code-value-quantity",
        "Observation",
        "Patient",
        "identifier",
        "missing",
        "not",
        "exact",
        "iterate",
        "date",
        "_summary",
        "_elements",
        "url",
        "gender",
    ]);
    prop::collection::vec((word, prop::sample::select(vec![":", "."])), 1..6).prop_map(|words| {
        let mut name: String = words
            .iter()
            .flat_map(|(word, mark)| [*word, *mark])
            .collect();
        name.pop();
        name
    })
}

proptest! {
    #[test]
    fn extraction_takes_any_json(
        json in any_json(),
        name in prop::sample::select(vec!["Patient", "Observation", "Condition", "Encounter", "Basic", ""]),
    ) {
        let body = format!("{{\"resourceType\":\"{name}\",\"component\":{json},\"name\":{json},\"subject\":{json},\"valueQuantity\":{json},\"code\":{json},\"period\":{json},\"onsetRange\":{json},\"effectiveTiming\":{json},\"identifier\":{json},\"meta\":{json}}}");
        for text in [json, body] {
            if let Ok(document) = Document::parse(&text) {
                let found = extract(&document);
                prop_assert!(found.postings.is_sorted());
                prop_assert!(found.postings.windows(2).all(|pair| pair[0] != pair[1]));
                prop_assert_eq!(extract(&document), found);
            }
        }
    }

    #[test]
    fn parsing_takes_any_pairs(
        pairs in prop::collection::vec((prop_oneof![any_name(), "\\PC{0,20}"], "\\PC{0,20}"), 0..6),
        name in prop::sample::select(vec!["Patient", "Observation", "Bundle", "x"]),
        strict in any::<bool>(),
    ) {
        let handling = if strict { Handling::Strict } else { Handling::Lenient };
        if let Ok(query) = parse(name, &pairs, handling) {
            // Nothing vanishes: used, unknown, or one of the two that are deliberately ignored.
            let left = pairs.iter().filter(|(name, _)| name == "_format" || name == "_pretty");
            prop_assert_eq!(query.used().len() + query.unknown.len() + left.count(), pairs.len());
            let patient = extract(&Document::parse(r#"{"resourceType":"Patient"}"#).unwrap());
            Matcher::new(&Nothing).matches(&query, &patient);
        }
    }

    #[test]
    fn what_is_used_reads_the_same_again(
        pairs in prop::collection::vec((any_name(), "[a-zA-Z0-9|,$ .:-]{1,12}"), 0..4),
    ) {
        if let Ok(query) = parse("Patient", &pairs, Handling::Lenient) {
            let again = parse("Patient", query.used(), Handling::Strict).unwrap();
            prop_assert_eq!(format!("{:?}", again.filters), format!("{:?}", query.filters));
            prop_assert!(again.unknown.is_empty());
        }
    }

    /// A resource is found by each of its own dates, and `ne` is the opposite of `eq`.
    #[test]
    fn dates_find_themselves(text in "(19|20)[0-9]{2}(-(0[1-9]|1[0-2])(-(0[1-9]|1[0-9]|2[0-8])(T(0[0-9]|1[0-9]):[0-5][0-9]:[0-5][0-9]Z)?)?)?") {
        let json = format!(r#"{{"resourceType":"Observation","effectiveDateTime":"{text}"}}"#);
        let found = extract(&Document::parse(&json).unwrap());
        let matches = |prefix: &str| {
            let pairs = [("date".to_owned(), format!("{prefix}{text}"))];
            let query = parse("Observation", &pairs, Handling::Strict).unwrap();
            Matcher::new(&Nothing).matches(&query, &found)
        };
        for (prefix, expected) in [
            ("", true), ("eq", true), ("ne", false), ("ge", true), ("le", true),
            ("gt", false), ("lt", false), ("sa", false), ("eb", false), ("ap", true),
        ] {
            prop_assert_eq!(matches(prefix), expected, "{}", prefix);
        }
    }
}

#[test]
fn every_type_compiles() {
    let registry = Registry::r4();
    for name in registry.resource_types() {
        let json = format!(r#"{{"resourceType":"{name}","id":"x"}}"#);
        let found = extract(&Document::parse(json.as_str()).unwrap());
        assert_eq!(found.resource_type, name);
        assert_eq!(found.issues, [], "{name}");
    }
}

/// Runs what a fuzzer would, with mutations from a fixed seed.
#[test]
fn fuzz_replays() {
    let seeds = [
        r#"{"resourceType":"Observation","code":{"coding":[{"code":"a"}]},"valueQuantity":{"value":1},"effectivePeriod":{"start":"2024"},"subject":{"reference":"Patient/1"}}"#,
        "name:exact=a&subject:Patient.name=b&_has:Observation:patient:code=s|c&_sort=-date&_include=Observation:subject",
        "value-quantity=gt5.4|http://unitsofmeasure.org|mg&date=ge2024-05-17&code-value-quantity=a$5",
    ];
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for round in 0..3_000 {
        let mut bytes = seeds[round % seeds.len()].as_bytes().to_vec();
        for _ in 0..=random(4) {
            let at = random(bytes.len());
            match random(3) {
                0 => bytes[at] = random(256) as u8,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b"\"{}[]:,.$|\\=&"[random(13)]),
            }
        }
        assert!(search::fuzz(&bytes), "{}", String::from_utf8_lossy(&bytes));
    }
}
