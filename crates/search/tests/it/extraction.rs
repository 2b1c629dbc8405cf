//! Values extracted from a resource, clause by clause.

use fhir::json::Document;
use search::{Extraction, Extractor, ParamKey, Quantity, Target, Value, extract};

fn read(json: &str) -> Extraction {
    extract(&Document::parse(json).unwrap())
}

/// Formats one value as in the tables below.
fn show(value: &Value) -> String {
    let opt = |text: &Option<Box<str>>| text.as_deref().unwrap_or("").to_owned();
    match value {
        Value::Token(token) => format!("{}|{}", opt(&token.system), token.code),
        Value::String(text) => format!("{}/{}", text.folded, text.exact),
        Value::Date(span) => {
            let end = |at: base::Timestamp| match at.micros() {
                i64::MIN | i64::MAX => "*".to_owned(),
                _ => at.to_fhir(),
            };
            format!("{}..{}", end(span.low), end(span.high))
        }
        Value::Number(range) => format!("{}..{}", range.low, range.high),
        Value::Quantity(Quantity {
            range,
            system,
            code,
            unit,
        }) => {
            format!(
                "{}..{}|{}|{}|{}",
                range.low,
                range.high,
                opt(system),
                opt(code),
                opt(unit)
            )
        }
        Value::Reference(Target::Local { resource_type, id }) => format!("{resource_type}/{id}"),
        Value::Reference(Target::Url { url, version }) => format!("<{url}>{}", opt(version)),
        Value::Uri(uri) => uri.to_string(),
        Value::Composite(parts) => parts.iter().map(show).collect::<Vec<_>>().join(" $ "),
    }
}

fn under(extraction: &Extraction, key: ParamKey) -> Vec<String> {
    let found = extraction
        .postings
        .iter()
        .filter(|posting| posting.param == key);
    found.map(|posting| show(&posting.value)).collect()
}

#[track_caller]
fn check(clause: &str, json: &str, code: &str, expected: &[&str]) {
    let found = read(json);
    assert_eq!(found.issues, [], "{clause}");
    let key = ParamKey::of(found.resource_type, code);
    assert_eq!(under(&found, key), expected, "{clause}");
}

#[test]
fn token() {
    check(
        "search.html#token Coding",
        r#"{"resourceType":"Encounter","class":{"system":"http://x","code":"AMB","display":"d"}}"#,
        "class",
        &["http://x|AMB"],
    );
    check(
        "search.html#token CodeableConcept: any of its codings; a text alone has no code",
        r#"{"resourceType":"Condition","code":{"coding":[{"system":"s","code":"a"},{"code":"b"},{"system":"t"}],"text":"x"}}"#,
        "code",
        &["|b", "s|a", "t|"],
    );
    check(
        "search.html#token Identifier",
        r#"{"resourceType":"Patient","identifier":[{"system":"urn:oid:1","value":"ZZTEST"},{"value":"2"}]}"#,
        "identifier",
        &["|2", "urn:oid:1|ZZTEST"],
    );
    check(
        "search.html#token ContactPoint: the use is the system",
        r#"{"resourceType":"Patient","telecom":[{"system":"phone","use":"home","value":"555-0100"},{"system":"email","value":"a@example.org"}]}"#,
        "telecom",
        &["|a@example.org", "home|555-0100"],
    );
    check(
        "where(system='phone')",
        r#"{"resourceType":"Patient","telecom":[{"system":"phone","use":"home","value":"555-0100"},{"system":"email","value":"a@example.org"}]}"#,
        "phone",
        &["home|555-0100"],
    );
    check(
        "search.html#token code",
        r#"{"resourceType":"Patient","gender":"female"}"#,
        "gender",
        &["|female"],
    );
    check(
        "search.html#token boolean",
        r#"{"resourceType":"Patient","active":true}"#,
        "active",
        &["|true"],
    );
    for (deceased, code) in [
        ("", "|false"),
        (r#","deceasedBoolean":false"#, "|false"),
        (r#","deceasedBoolean":true"#, "|true"),
        (r#","deceasedDateTime":"2020""#, "|true"),
    ] {
        let json = format!(r#"{{"resourceType":"Patient"{deceased}}}"#);
        check(
            "Patient-deceased: exists and is not false",
            &json,
            "deceased",
            &[code],
        );
    }
    check(
        "_tag, _security and _profile are on every resource",
        r#"{"resourceType":"Basic","meta":{"tag":[{"system":"s","code":"t"}],"profile":["http://p"]}}"#,
        "_tag",
        &["s|t"],
    );
}

#[test]
fn string() {
    check(
        "search.html#string HumanName: any of its string parts",
        r#"{"resourceType":"Patient","name":[{"family":"Müller","given":["Zoë","TEST"],"prefix":["Dr."],"text":"Dr. Zoë"}]}"#,
        "name",
        &[
            "dr/Dr.",
            "dr zoe/Dr. Zoë",
            "muller/Müller",
            "test/TEST",
            "zoe/Zoë",
        ],
    );
    check(
        "search.html#string Address: any of its string parts",
        r#"{"resourceType":"Patient","address":[{"line":["1 Test St","Apt 2"],"city":"Testville","state":"ZZ","postalCode":"00000","country":"US","use":"home"}]}"#,
        "address",
        &[
            "00000/00000",
            "1 test st/1 Test St",
            "apt 2/Apt 2",
            "testville/Testville",
            "us/US",
            "zz/ZZ",
        ],
    );
    check(
        "a plain string element, a choice, and the text of a concept",
        r#"{"resourceType":"Observation","valueCodeableConcept":{"text":"Not Seen"}}"#,
        "value-string",
        &["not seen/Not Seen"],
    );
    check(
        "an extension without a value leaves no posting",
        r#"{"resourceType":"Patient","name":[{"_family":{"extension":[{"url":"u","valueCode":"unknown"}]},"given":[null,"TEST"]}]}"#,
        "name",
        &["test/TEST"],
    );
}

#[test]
fn date() {
    check(
        "search.html#date: a date is the span of time that it may mean",
        r#"{"resourceType":"Patient","birthDate":"1970-02"}"#,
        "birthdate",
        &["1970-02-01T00:00:00.000Z..1970-02-28T23:59:59.999Z"],
    );
    check(
        "search.html#date instant with offset",
        r#"{"resourceType":"Observation","effectiveDateTime":"2024-05-17T14:30:05+02:00"}"#,
        "date",
        &["2024-05-17T12:30:05.000Z..2024-05-17T12:30:05.999Z"],
    );
    for (period, span) in [
        (
            r#"{"start":"2024-05-17","end":"2024-05"}"#,
            "2024-05-17T00:00:00.000Z..2024-05-31T23:59:59.999Z",
        ),
        (r#"{"start":"2024-05-17"}"#, "2024-05-17T00:00:00.000Z..*"),
        (r#"{"end":"2024-05-17"}"#, "*..2024-05-17T23:59:59.999Z"),
    ] {
        let json = format!(r#"{{"resourceType":"Encounter","period":{period}}}"#);
        check(
            "search.html#date Period: a missing end is open",
            &json,
            "date",
            &[span],
        );
    }
    check(
        "search.html#date Timing: the outer limits",
        r#"{"resourceType":"Observation","effectiveTiming":{"event":["2024-03-01","2024-01-01"],"repeat":{"boundsPeriod":{"start":"2024-02-01","end":"2024-02-02"}}}}"#,
        "date",
        &["2024-01-01T00:00:00.000Z..2024-03-01T23:59:59.999Z"],
    );
}

#[test]
fn number_and_quantity() {
    check(
        "search.html#number decimal",
        r#"{"resourceType":"RiskAssessment","prediction":[{"probabilityDecimal":0.80}]}"#,
        "probability",
        &["0.8..0.8"],
    );
    check(
        "search.html#number integer",
        r#"{"resourceType":"MolecularSequence","variant":[{"start":22}]}"#,
        "variant-start",
        &["22..22"],
    );
    for (value, expected) in [
        (
            r#"{"value":5.4,"unit":"milligram","system":"http://u","code":"mg"}"#,
            "5.4..5.4|http://u|mg|milligram",
        ),
        (
            r#"{"value":5,"comparator":"<","unit":"mg"}"#,
            "-inf..5|||mg",
        ),
        (r#"{"value":5,"comparator":">="}"#, "5..inf|||"),
    ] {
        let json = format!(r#"{{"resourceType":"Observation","valueQuantity":{value}}}"#);
        check("search.html#quantity", &json, "value-quantity", &[expected]);
    }
    check(
        "search.html#quantity Range",
        r#"{"resourceType":"Condition","onsetRange":{"low":{"value":10,"code":"a"},"high":{"value":12}}}"#,
        "onset-age",
        &["10..12||a|"],
    );
    check(
        "search.html#quantity Age",
        r#"{"resourceType":"Condition","onsetAge":{"value":10,"code":"a","system":"http://u"}}"#,
        "onset-age",
        &["10..10|http://u|a|"],
    );
    check(
        "search.html#quantity Money",
        r#"{"resourceType":"Invoice","totalNet":{"value":10.5,"currency":"EUR"}}"#,
        "totalnet",
        &["10.5..10.5|urn:iso:std:iso:4217|EUR|"],
    );
}

#[test]
fn reference() {
    for (text, expected) in [
        ("Patient/1", &["Patient/1"][..]),
        ("Patient/1/_history/3", &["Patient/1"]),
        (
            "http://there.example.org/fhir/Patient/1",
            &["<http://there.example.org/fhir/Patient/1>"],
        ),
        (
            "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
            &["<urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0>"],
        ),
        ("#p1", &[]),
    ] {
        let json =
            format!(r#"{{"resourceType":"Observation","subject":{{"reference":"{text}"}}}}"#);
        check("search.html#reference", &json, "subject", expected);
    }
    let json = r#"{"resourceType":"Observation","subject":{"reference":"Group/1"}}"#;
    check("where(resolve() is Patient)", json, "patient", &[]);
    let json = r#"{"resourceType":"Observation","subject":{"reference":"Patient/1"}}"#;
    check(
        "where(resolve() is Patient)",
        json,
        "patient",
        &["Patient/1"],
    );
    let json = r#"{"resourceType":"PlanDefinition","library":["http://x/Library/l|1.0"]}"#;
    check(
        "a canonical keeps its version apart",
        json,
        "depends-on",
        &["<http://x/Library/l>1.0"],
    );
}

#[test]
fn absolute_references_on_our_base_are_local() {
    let json = r#"{"resourceType":"Observation","id":"o","subject":{"reference":"http://here/fhir/Patient/1"}}"#;
    let found = Extractor::at("http://here/fhir/").extract(&Document::parse(json).unwrap());
    assert_eq!(
        under(&found, ParamKey::of("Observation", "subject")),
        ["Patient/1"]
    );
    assert_eq!(found.patients, ["1"]);
}

#[test]
fn identifiers_of_references_are_tokens() {
    let json = r#"{"resourceType":"Observation","subject":{"type":"Patient","identifier":{"system":"s","value":"ZZTEST"}}}"#;
    let found = read(json);
    for code in ["subject", "patient"] {
        let key = ParamKey::of_identifier("Observation", code);
        assert_eq!(under(&found, key), ["s|ZZTEST"], "{code}");
    }
    assert_eq!(
        under(&found, ParamKey::of("Observation", "subject")),
        [""; 0]
    );
}

#[test]
fn uri() {
    check(
        "search.html#uri",
        r#"{"resourceType":"ValueSet","url":"http://example.org/vs"}"#,
        "url",
        &["http://example.org/vs"],
    );
    check(
        "_profile",
        r#"{"resourceType":"Basic","meta":{"profile":["http://p"]}}"#,
        "_profile",
        &["http://p"],
    );
}

#[test]
fn composite() {
    let panel = r#"{"resourceType":"Observation","code":{"coding":[{"system":"l","code":"bp"}]},
        "component":[
          {"code":{"coding":[{"system":"l","code":"sys"}]},"valueQuantity":{"value":120,"code":"mmHg"}},
          {"code":{"coding":[{"system":"l","code":"dia"}]},"valueQuantity":{"value":80,"code":"mmHg"}}]}"#;
    check(
        "search.html#composite: the parts of one component stay together",
        panel,
        "component-code-value-quantity",
        &["l|dia $ 80..80||mmHg|", "l|sys $ 120..120||mmHg|"],
    );
    check(
        "no value at the top, no instance",
        panel,
        "code-value-quantity",
        &[],
    );
    check(
        "combo looks at both",
        panel,
        "combo-code-value-quantity",
        &["l|dia $ 80..80||mmHg|", "l|sys $ 120..120||mmHg|"],
    );
    check(
        "each coding with the value",
        r#"{"resourceType":"Observation","code":{"coding":[{"code":"a"},{"code":"b"}]},"valueQuantity":{"value":1}}"#,
        "code-value-quantity",
        &["|a $ 1..1|||", "|b $ 1..1|||"],
    );
    check(
        "a part from the resource (%resource)",
        r#"{"resourceType":"MolecularSequence","referenceSeq":{"chromosome":{"coding":[{"code":"1"}]}},"variant":[{"start":5,"end":9}]}"#,
        "chromosome-variant-coordinate",
        &["|1 $ 5..5 $ 9..9"],
    );
    check(
        "a reference as a part",
        r#"{"resourceType":"DocumentReference","relatesTo":[{"code":"replaces","target":{"reference":"DocumentReference/1"}}]}"#,
        "relationship",
        &["|replaces $ DocumentReference/1"],
    );
}

#[test]
fn patient_compartment() {
    // compartmentdefinition-patient.html
    for (json, patients) in [
        (r#"{"resourceType":"Patient","id":"p"}"#, &["p"][..]),
        (
            r#"{"resourceType":"Patient","id":"p","link":[{"other":{"reference":"Patient/q"}}]}"#,
            &["p", "q"],
        ),
        (
            r#"{"resourceType":"Observation","subject":{"reference":"Patient/a"},"performer":[{"reference":"Patient/b"},{"reference":"Practitioner/c"}]}"#,
            &["a", "b"],
        ),
        (
            r#"{"resourceType":"Observation","subject":{"reference":"Group/g"}}"#,
            &[],
        ),
        (r#"{"resourceType":"Practitioner","id":"x"}"#, &[]),
    ] {
        assert_eq!(read(json).patients, patients, "{json}");
    }
}

#[test]
fn unreadable_values_are_reported_and_not_invented() {
    for (json, place) in [
        (
            r#"{"resourceType":"Patient","birthDate":"1970-13"}"#,
            "Patient.birthDate",
        ),
        (
            r#"{"resourceType":"Patient","gender":{"x":1}}"#,
            "Patient.gender",
        ),
        (
            r#"{"resourceType":"Encounter","period":{"start":"2024-05-17","end":"2024-05-16"}}"#,
            "Encounter.period",
        ),
        (
            r#"{"resourceType":"RiskAssessment","prediction":[{},{"probabilityDecimal":"x"}]}"#,
            "RiskAssessment.prediction[1].probabilityDecimal",
        ),
        (r#"{"resourceType":"Nonsense"}"#, ""),
        ("[]", ""),
    ] {
        let found = read(json);
        assert!(!found.issues.is_empty(), "{json}");
        assert_eq!(found.issues[0].location, place, "{json}");
    }
}

#[test]
fn id_and_last_updated_are_not_postings() {
    let found = read(
        r#"{"resourceType":"Basic","id":"x","meta":{"lastUpdated":"2024-05-17T10:00:00.123Z"}}"#,
    );
    assert_eq!(found.postings, []);
    assert_eq!(found.id.as_deref(), Some("x"));
    let at = found.last_updated.map(base::Timestamp::to_fhir);
    assert_eq!(at.as_deref(), Some("2024-05-17T10:00:00.123Z"));
}

#[test]
fn long_texts_are_cut_and_still_found() {
    let long = "Zé ".repeat(2_000);
    let json = format!(r#"{{"resourceType":"Observation","valueString":"{long}"}}"#);
    let found = read(&json);
    for posting in &found.postings {
        if let Value::String(text) = &posting.value {
            assert!(text.exact.chars().count() == 1_000 && text.folded.chars().count() == 1_000);
        }
    }
    for modifier in ["", ":exact"] {
        let pairs = [(format!("value-string{modifier}"), long.clone())];
        let query = search::parse("Observation", &pairs, search::Handling::Strict).unwrap();
        assert!(
            search::Matcher::new(&search::Nothing).matches(&query, &found),
            "{modifier}"
        );
    }
}
