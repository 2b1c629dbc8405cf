//! Queries against resources, each with the clause of search.html that it checks.

use fhir::json::Document;
use search::{Extraction, Extractor, Handling, Matcher, Parser};

const BASE: &str = "http://here/fhir";

fn world(resources: &[&str]) -> Vec<Extraction> {
    let extractor = Extractor::at(BASE);
    resources
        .iter()
        .map(|json| extractor.extract(&Document::parse(json).unwrap()))
        .collect()
}

/// Returns the ids of the matches of `Type?name=value&…`.
#[track_caller]
fn found(world: &Vec<Extraction>, query: &str) -> Vec<String> {
    let (name, rest) = query.split_once('?').unwrap();
    let pairs: Vec<(String, String)> = rest
        .split('&')
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let query = Parser::at(BASE)
        .parse(name, &pairs, Handling::Strict)
        .unwrap();
    let matcher = Matcher::new(world);
    let matching = world.iter().filter(|one| matcher.matches(&query, one));
    matching
        .map(|one| one.id.clone().unwrap_or_default())
        .collect()
}

#[track_caller]
fn check(world: &Vec<Extraction>, clause: &str, query: &str, expected: &[&str]) {
    assert_eq!(found(world, query), expected, "{clause}: {query}");
}

#[test]
fn strings() {
    let world = world(&[
        r#"{"resourceType":"Patient","id":"1","name":[{"given":["Eve"]}]}"#,
        r#"{"resourceType":"Patient","id":"2","name":[{"given":["Evelyn"]}]}"#,
        r#"{"resourceType":"Patient","id":"3","name":[{"given":["Severine"]}]}"#,
        r#"{"resourceType":"Patient","id":"4","name":[{"given":["ÈVE"],"family":"O'Test, Jr"}]}"#,
    ]);
    for (clause, query, expected) in [
        (
            "string: equals or starts with, case and accents aside",
            "Patient?given=eve",
            &["1", "2", "4"][..],
        ),
        (
            "string: :contains",
            "Patient?given:contains=eve",
            &["1", "2", "3", "4"],
        ),
        (
            "string: :exact, case and accents count",
            "Patient?given:exact=Eve",
            &["1"],
        ),
        (
            "string: punctuation aside",
            "Patient?family=otest%20jr".replace("%20", " ").leak(),
            &["4"],
        ),
        ("or by comma", "Patient?given=evel,sev", &["2", "3"]),
        (
            "escaped comma is part of the value",
            "Patient?family:exact=O'Test\\, Jr",
            &["4"],
        ),
        (
            "and by repetition",
            "Patient?given=eve&family=otest",
            &["4"],
        ),
        (
            ":missing=true",
            "Patient?family:missing=true",
            &["1", "2", "3"],
        ),
        (":missing=false", "Patient?family:missing=false", &["4"]),
    ] {
        check(&world, clause, query, expected);
    }
}

#[test]
fn tokens() {
    let world = world(&[
        r#"{"resourceType":"Patient","id":"1","identifier":[{"system":"http://acme.org/patient","value":"2345"}],"gender":"male"}"#,
        r#"{"resourceType":"Patient","id":"2","identifier":[{"value":"2345"}],"gender":"female"}"#,
        r#"{"resourceType":"Patient","id":"3","identifier":[{"system":"http://other.org","value":"2345"}]}"#,
        r#"{"resourceType":"Patient","id":"4","identifier":[{"system":"s|t","value":"a,b"}],"deceasedDateTime":"2020"}"#,
    ]);
    for (clause, query, expected) in [
        (
            "token: [code], the system is irrelevant",
            "Patient?identifier=2345",
            &["1", "2", "3"][..],
        ),
        (
            "token: [system]|[code]",
            "Patient?identifier=http://acme.org/patient|2345",
            &["1"],
        ),
        (
            "token: |[code], no system",
            "Patient?identifier=|2345",
            &["2"],
        ),
        (
            "token: [system]|, any code",
            "Patient?identifier=http://acme.org/patient|",
            &["1"],
        ),
        (
            "token: :not includes those without a value",
            "Patient?gender:not=male",
            &["2", "3", "4"],
        ),
        (
            "token: the implicit system of a code",
            "Patient?gender=http://hl7.org/fhir/administrative-gender|male",
            &["1"],
        ),
        (
            "token: another system",
            "Patient?gender=http://example.org|male",
            &[],
        ),
        (
            "token: a code has no system",
            "Patient?gender=|male",
            &["1"],
        ),
        ("token: boolean", "Patient?deceased=true", &["4"]),
        (
            "escaping: \\| and \\,",
            "Patient?identifier=s\\|t|a\\,b",
            &["4"],
        ),
        (
            "token: codes compare as written",
            "Patient?identifier=A\\,B",
            &[],
        ),
        ("_id", "Patient?_id=1,3", &["1", "3"]),
    ] {
        check(&world, clause, query, expected);
    }
}

#[test]
fn dates() {
    let world = world(&[
        r#"{"resourceType":"Observation","id":"day","effectiveDateTime":"2013-01-14"}"#,
        r#"{"resourceType":"Observation","id":"min","effectiveDateTime":"2013-01-14T10:00:00Z"}"#,
        r#"{"resourceType":"Observation","id":"next","effectiveDateTime":"2013-01-15T00:00:00Z"}"#,
        r#"{"resourceType":"Observation","id":"open","effectivePeriod":{"start":"2013-01-21"}}"#,
        r#"{"resourceType":"Observation","id":"year","effectiveDateTime":"2013"}"#,
    ]);
    for (clause, query, expected) in [
        (
            "date: eq2013-01-14 contains the day and its times",
            "Observation?date=eq2013-01-14",
            &["day", "min"][..],
        ),
        (
            "date: ne",
            "Observation?date=ne2013-01-14",
            &["next", "open", "year"],
        ),
        (
            "date: lt2013-01-14T10:00",
            "Observation?date=lt2013-01-14T10:00",
            &["day", "year"],
        ),
        (
            "date: gt2013-01-14T10:00",
            "Observation?date=gt2013-01-14T10:00",
            &["day", "next", "open", "year"],
        ),
        (
            "date: ge2013-03-14 includes the open period",
            "Observation?date=ge2013-03-14",
            &["open", "year"],
        ),
        (
            "date: le2013-01-14",
            "Observation?date=le2013-01-14",
            &["day", "min", "year"],
        ),
        (
            "date: sa2013-01-14",
            "Observation?date=sa2013-01-14",
            &["next", "open"],
        ),
        (
            "date: eb2013-01-15",
            "Observation?date=eb2013-01-15",
            &["day", "min"],
        ),
        (
            "date: ap overlaps",
            "Observation?date=ap2013-01-13",
            &["day", "min", "year"],
        ),
        (
            "a range by repetition",
            "Observation?date=ge2013-01-14&date=lt2013-01-15",
            &["day", "min", "year"],
        ),
        (
            "an offset whose + came as a space",
            "Observation?date=2013-01-14T11:00:00 01:00",
            &["min"],
        ),
    ] {
        check(&world, clause, query, expected);
    }
}

#[test]
fn numbers_and_quantities() {
    let quantity = |id: &str, rest: &str| {
        format!(r#"{{"resourceType":"Observation","id":"{id}","valueQuantity":{{{rest}}}}}"#)
    };
    let ucum = r#""system":"http://unitsofmeasure.org","code":"mg","unit":"milligram""#;
    let world = world(&[
        &quantity("54", &format!(r#""value":5.4,{ucum}"#)),
        &quantity("540", &format!(r#""value":5.40,{ucum}"#)),
        &quantity("536", &format!(r#""value":5.36,{ucum}"#)),
        &quantity("545", r#""value":5.45,"unit":"mg""#),
        &quantity("lt5", r#""value":5,"comparator":"<","unit":"mg""#),
        &quantity("100", r#""value":100"#),
    ]);
    for (clause, query, expected) in [
        (
            "quantity: 5.4 is 5.35 to 5.45",
            "Observation?value-quantity=5.4",
            &["54", "540", "536"][..],
        ),
        (
            "quantity: 5.40e0 is 5.395 to 5.405",
            "Observation?value-quantity=5.40",
            &["54", "540"],
        ),
        (
            "quantity: number|system|code",
            "Observation?value-quantity=5.4|http://unitsofmeasure.org|mg",
            &["54", "540", "536"],
        ),
        (
            "quantity: number||code or unit",
            "Observation?value-quantity=5.45||mg",
            &["545"],
        ),
        (
            "quantity: unit",
            "Observation?value-quantity=5.4||milligram",
            &["54", "540", "536"],
        ),
        (
            "quantity: lt with a comparator in the resource",
            "Observation?value-quantity=lt5.36",
            &["lt5"],
        ),
        (
            "quantity: gt ignores significant digits",
            "Observation?value-quantity=gt5.4",
            &["545", "100"],
        ),
        (
            "quantity: ge",
            "Observation?value-quantity=ge5.4",
            &["54", "540", "545", "100"],
        ),
        (
            "quantity: ne",
            "Observation?value-quantity=ne5.4||mg",
            &["545", "lt5"],
        ),
        (
            "quantity: ap, ten per cent",
            "Observation?value-quantity=ap95",
            &["100"],
        ),
        (
            "number: 1e2 is 95 to 105",
            "Observation?value-quantity=1e2",
            &["100"],
        ),
        (
            "quantity: sa",
            "Observation?value-quantity=sa5.4",
            &["545", "100"],
        ),
        (
            "quantity: eb",
            "Observation?value-quantity=eb5.36",
            &["lt5"],
        ),
    ] {
        check(&world, clause, query, expected);
    }
}

#[test]
fn references_chains_and_has() {
    let world = world(&[
        r#"{"resourceType":"Patient","id":"p","name":[{"family":"TEST"}],"identifier":[{"system":"s","value":"1"}],"generalPractitioner":[{"reference":"Practitioner/d"}]}"#,
        r#"{"resourceType":"Patient","id":"q","name":[{"family":"OTHER"}]}"#,
        r#"{"resourceType":"Practitioner","id":"d","name":[{"family":"DOC"}]}"#,
        r#"{"resourceType":"Group","id":"p","identifier":[{"value":"g"}]}"#,
        r#"{"resourceType":"Observation","id":"o1","subject":{"reference":"Patient/p"},"code":{"coding":[{"code":"a"}]}}"#,
        r#"{"resourceType":"Observation","id":"o2","subject":{"reference":"http://here/fhir/Patient/q"},"code":{"coding":[{"code":"b"}]}}"#,
        r#"{"resourceType":"Observation","id":"o3","subject":{"reference":"Group/p"}}"#,
        r#"{"resourceType":"Observation","id":"o4","subject":{"identifier":{"system":"s","value":"1"}}}"#,
        r#"{"resourceType":"Observation","id":"o5","subject":{"reference":"http://there/fhir/Patient/p"}}"#,
    ]);
    for (clause, query, expected) in [
        (
            "reference: [id], any type",
            "Observation?subject=p",
            &["o1", "o3"][..],
        ),
        (
            "reference: [type]/[id]",
            "Observation?subject=Patient/p",
            &["o1"],
        ),
        (
            "reference: absolute on our base",
            "Observation?subject=http://here/fhir/Patient/p",
            &["o1"],
        ),
        (
            "reference: a relative value finds an absolute reference",
            "Observation?subject=Patient/q",
            &["o2"],
        ),
        (
            "reference: [url]",
            "Observation?subject=http://there/fhir/Patient/p",
            &["o5"],
        ),
        (
            "reference: :[type]",
            "Observation?subject:Patient=p",
            &["o1"],
        ),
        (
            "reference: :identifier",
            "Observation?subject:identifier=s|1",
            &["o4"],
        ),
        (
            "reference: :missing counts identifiers",
            "Observation?subject:missing=true",
            &[],
        ),
        (
            "patient is a subject that is a Patient",
            "Observation?patient=p",
            &["o1"],
        ),
        (
            "chaining: subject:Patient.name",
            "Observation?subject:Patient.name=test",
            &["o1"],
        ),
        (
            "chaining: patient.identifier",
            "Observation?patient.identifier=s|1",
            &["o1"],
        ),
        (
            "chaining over each target type that has the parameter",
            "Observation?subject.identifier=1,g",
            &["o1", "o3"],
        ),
        (
            "chaining: two links",
            "Observation?patient.general-practitioner:Practitioner.name=doc",
            &["o1"],
        ),
        ("chaining to _id", "Observation?patient._id=q", &["o2"]),
        (
            "chaining: an or of two, not an and of both",
            "Observation?patient.name=test,other",
            &["o1", "o2"],
        ),
        ("_has", "Patient?_has:Observation:patient:code=a", &["p"]),
        (
            "_has with or",
            "Patient?_has:Observation:patient:code=a,b",
            &["p", "q"],
        ),
        (
            "_has within _has",
            "Practitioner?_has:Patient:general-practitioner:_has:Observation:patient:code=a",
            &["d"],
        ),
        (
            "_has after a chain",
            "Observation?patient._has:Observation:patient:code=b",
            &["o2"],
        ),
    ] {
        check(&world, clause, query, expected);
    }
}

#[test]
fn composites_and_meta() {
    let world = world(&[
        r#"{"resourceType":"Observation","id":"1","meta":{"lastUpdated":"2024-05-17T10:00:00.123Z","tag":[{"system":"t","code":"x"}],"profile":["http://p"]},
            "component":[{"code":{"coding":[{"code":"sys"}]},"valueQuantity":{"value":120}},{"code":{"coding":[{"code":"dia"}]},"valueQuantity":{"value":80}}]}"#,
        r#"{"resourceType":"Observation","id":"2","meta":{"lastUpdated":"2024-05-18T10:00:00Z"},"code":{"coding":[{"code":"sys"}]},"valueQuantity":{"value":120}}"#,
    ]);
    for (clause, query, expected) in [
        (
            "composite: both parts in one component",
            "Observation?component-code-value-quantity=sys$gt100",
            &["1"][..],
        ),
        (
            "composite: not one part here and one there",
            "Observation?component-code-value-quantity=dia$gt100",
            &[],
        ),
        (
            "composite: or",
            "Observation?code-value-quantity=x$1,sys$120",
            &["2"],
        ),
        (
            "_lastUpdated",
            "Observation?_lastUpdated=2024-05-17",
            &["1"],
        ),
        (
            "_lastUpdated with prefix",
            "Observation?_lastUpdated=gt2024-05-17",
            &["2"],
        ),
        ("_tag", "Observation?_tag=t|x", &["1"]),
        ("_profile", "Observation?_profile=http://p", &["1"]),
    ] {
        check(&world, clause, query, expected);
    }
}
