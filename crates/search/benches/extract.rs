//! Benchmarks for postings per resource and the cost of parsing a query.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use fhir::json::Document;
use search::{Handling, Registry, extract, parse};

/// A resource shaped like a Synthea vital sign, with invented content.
const OBSERVATION: &str = r#"{"resourceType":"Observation","id":"0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
"meta":{"profile":["http://hl7.org/fhir/us/core/StructureDefinition/us-core-vital-signs"]},"status":"final",
"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs","display":"vital-signs"}]}],
"code":{"coding":[{"system":"http://loinc.org","code":"8302-2","display":"Body Height"}],"text":"Body Height"},
"subject":{"reference":"Patient/ZZTEST-1"},"encounter":{"reference":"Encounter/ZZTEST-2"},
"effectiveDateTime":"2014-05-17T14:30:05-05:00","issued":"2014-05-17T14:30:05.123-05:00",
"valueQuantity":{"value":169.7,"unit":"cm","system":"http://unitsofmeasure.org","code":"cm"}}"#;

const PANEL: &str = r#"{"resourceType":"Observation","id":"0c3151bd-1cbf-4d64-b04d-cd9187a4c6e1","status":"final",
"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}],
"code":{"coding":[{"system":"http://loinc.org","code":"85354-9"}],"text":"Blood Pressure"},
"subject":{"reference":"Patient/ZZTEST-1"},"encounter":{"reference":"Encounter/ZZTEST-2"},
"effectiveDateTime":"2014-05-17T14:30:05-05:00",
"component":[{"code":{"coding":[{"system":"http://loinc.org","code":"8462-4"}]},"valueQuantity":{"value":80,"unit":"mm[Hg]","system":"http://unitsofmeasure.org","code":"mm[Hg]"}},
{"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"valueQuantity":{"value":120,"unit":"mm[Hg]","system":"http://unitsofmeasure.org","code":"mm[Hg]"}}]}"#;

const PATIENT: &str = r#"{"resourceType":"Patient","id":"ZZTEST-1","identifier":[{"system":"http://example.org/mrn","value":"ZZ1"},{"system":"http://hl7.org/fhir/sid/us-ssn","value":"ZZ2"}],
"name":[{"use":"official","family":"TESTPATIENT","given":["ZZTEST","Q"],"prefix":["Mr."]}],"telecom":[{"system":"phone","value":"555-0100","use":"home"}],
"gender":"male","birthDate":"1970-01-01","address":[{"line":["1 Test Street"],"city":"Testville","state":"ZZ","postalCode":"00000","country":"US"}],
"communication":[{"language":{"coding":[{"system":"urn:ietf:bcp:47","code":"en-US"}]}}]}"#;

fn main() {
    divan::main();
}

const RESOURCES: [(&str, &str); 3] = [
    ("observation", OBSERVATION),
    ("panel", PANEL),
    ("patient", PATIENT),
];

fn named(name: &str) -> &'static str {
    RESOURCES
        .iter()
        .find(|(known, _)| *known == name)
        .unwrap()
        .1
}

#[divan::bench(args = RESOURCES.map(|(name, _)| name))]
fn extraction(bencher: divan::Bencher<'_, '_>, name: &str) {
    let document = Document::parse(named(name)).unwrap();
    extract(&document);
    bencher.bench(|| extract(&document));
}

#[divan::bench(args = RESOURCES.map(|(name, _)| name))]
fn document_alone(name: &str) -> Document {
    Document::parse(named(name)).unwrap()
}

#[divan::bench]
fn query(bencher: divan::Bencher<'_, '_>) {
    let pairs: Vec<(String, String)> = [
        ("patient", "Patient/1"),
        ("code", "http://loinc.org|8302-2"),
        ("date", "ge2024"),
        ("_sort", "-date"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    Registry::r4().params("Observation");
    bencher.bench(|| parse("Observation", &pairs, Handling::Strict).unwrap());
}
