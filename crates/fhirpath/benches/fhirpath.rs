//! Benchmarks for evaluations per second. `cargo bench -p fhirpath`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "a benchmark"
)]

use base::Timestamp;
use divan::Bencher;
use divan::counter::ItemsCount;
use fhir::definitions::search_parameters_for;
use fhir::json::Document;
use fhirpath::{Context, DateTime, Expression, Set};

const PATIENT: &str = r#"{"resourceType":"Patient","id":"testpatient-1",
"extension":[{"url":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-race","extension":[
{"url":"ombCategory","valueCoding":{"system":"urn:oid:2.16.840.1.113883.6.238","code":"2106-3","display":"White"}},
{"url":"text","valueString":"White"}]},{"url":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex","valueCode":"F"}],
"identifier":[{"system":"http://hospital.example.org/mrn","value":"ZZTEST1"}],
"name":[{"use":"official","family":"TESTPATIENT","given":["ZZTEST","ANNA"],"prefix":["Ms."]},{"use":"maiden","family":"ZZTEST","given":["ZZTEST"]}],
"telecom":[{"system":"phone","value":"555-0101","use":"home"}],"gender":"female","birthDate":"1971-05-17",
"address":[{"line":["1 Test Street"],"city":"Testville","state":"MA","postalCode":"00000","country":"US"}],
"maritalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-MaritalStatus","code":"M"}],"text":"M"},
"multipleBirthBoolean":false,"communication":[{"language":{"coding":[{"system":"urn:ietf:bcp:47","code":"en-US"}],"text":"English"}}]}"#;

const OBSERVATION: &str = r#"{"resourceType":"Observation","id":"testobservation-1",
"meta":{"versionId":"1","lastUpdated":"2026-01-02T03:04:05.678Z","profile":["http://hl7.org/fhir/us/core/StructureDefinition/us-core-vital-signs"]},
"status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs","display":"Vital signs"}]}],
"code":{"coding":[{"system":"http://loinc.org","code":"85354-9","display":"Blood pressure panel"}],"text":"Blood pressure panel"},
"subject":{"reference":"Patient/testpatient-1"},"encounter":{"reference":"Encounter/testencounter-1"},
"effectiveDateTime":"2026-01-02T03:04:05-05:00","issued":"2026-01-02T03:04:05.678-05:00",
"valueQuantity":{"value":12.5,"unit":"mg/dL","system":"http://unitsofmeasure.org","code":"mg/dL"},
"component":[{"code":{"coding":[{"system":"http://loinc.org","code":"8462-4","display":"Diastolic"}],"text":"Diastolic"},
"valueQuantity":{"value":79,"unit":"mm[Hg]","system":"http://unitsofmeasure.org","code":"mm[Hg]"}},
{"code":{"coding":[{"system":"http://loinc.org","code":"8480-6","display":"Systolic"}],"text":"Systolic"},
"valueQuantity":{"value":119,"unit":"mm[Hg]","system":"http://unitsofmeasure.org","code":"mm[Hg]"}}]}"#;

const EXPRESSIONS: &[(&str, &str)] = &[
    (
        PATIENT,
        "Patient.name.where(use = 'official').given.first()",
    ),
    (
        PATIENT,
        "Patient.extension.where(url = 'http://hl7.org/fhir/us/core/StructureDefinition/us-core-race').extension.where(url = 'ombCategory').value.code",
    ),
    (
        PATIENT,
        "telecom.where(system = 'phone').exists() and birthDate < today()",
    ),
    (
        OBSERVATION,
        "Observation.code.coding.where(system = 'http://loinc.org').code",
    ),
    (
        OBSERVATION,
        "value.ofType(Quantity).value > 10 and status = 'final'",
    ),
    (PATIENT, "Patient.birthDate"),
    (PATIENT, "Patient.name.given"),
];

fn main() {
    divan::main();
}

fn now() -> DateTime {
    DateTime::from_timestamp(Timestamp::from_micros(1_770_000_000_000_000), 0).unwrap()
}

#[divan::bench(args = 0..EXPRESSIONS.len())]
fn expression(bencher: Bencher<'_, '_>, place: usize) {
    let (source, text) = EXPRESSIONS.get(place).copied().unwrap();
    let document = Document::parse(source).unwrap();
    let expression = Expression::compile(text).unwrap();
    let now = now();
    assert!(
        !expression
            .evaluate(&Context::new(document.root()).with_now(now))
            .unwrap()
            .is_empty()
    );
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        let context = Context::new(document.root()).with_now(now);
        expression.evaluate(&context).map(|items| items.len())
    });
}

#[divan::bench(args = ["Observation", "Patient"])]
fn search_parameters(bencher: Bencher<'_, '_>, name: &str) {
    let source = if name == "Patient" {
        PATIENT
    } else {
        OBSERVATION
    };
    let document = Document::parse(source).unwrap();
    let params: Vec<(&str, usize)> = search_parameters_for(name)
        .zip(0..)
        .filter(|(param, _)| !param.expression.is_empty())
        .map(|(param, tag)| (param.expression, tag))
        .collect();
    let set = Set::compile(name, &params).unwrap();
    bencher
        .counter(ItemsCount::new(params.len()))
        .bench_local(|| {
            let mut n_found = 0;
            let context = Context::new(document.root());
            set.evaluate(&context, |tag, _| n_found += tag)
                .map(|()| n_found)
        });
}

/// Evaluates on every Observation of one Synthea bundle (`$CAUSEWAY_SHARED/synthea`), if present.
#[divan::bench]
fn synthea_observations(bencher: Bencher<'_, '_>) {
    let observations = synthea_observations_documents();
    let params: Vec<(&str, usize)> = search_parameters_for("Observation")
        .zip(0..)
        .filter(|(param, _)| !param.expression.is_empty())
        .map(|(param, tag)| (param.expression, tag))
        .collect();
    let set = Set::compile("Observation", &params).unwrap();
    bencher
        .counter(ItemsCount::new(observations.len()))
        .bench_local(|| {
            let mut n_found = 0;
            for document in &observations {
                let context = Context::new(document.root());
                set.evaluate(&context, |_, _| n_found += 1).unwrap();
            }
            n_found
        });
}

fn synthea_observations_documents() -> Vec<Document> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/synthea");
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = files.map(|file| file.path()).collect();
    paths.sort();
    let Some(path) = paths
        .iter()
        .find(|path| path.extension().is_some_and(|e| e == "gz"))
    else {
        return Vec::new();
    };
    let mut source = String::new();
    let mut packed = flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap());
    std::io::Read::read_to_string(&mut packed, &mut source).unwrap();
    let bundle = Document::parse(source).unwrap();
    let resources = bundle
        .root()
        .each("entry")
        .filter_map(|entry| entry.get("resource"));
    let observations = resources.filter(|node| node.resource_type() == Some("Observation"));
    observations
        .map(|node| Document::parse(node.raw()).unwrap())
        .collect()
}

#[divan::bench]
fn compile(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| {
        Expression::compile("Patient.name.where(use = 'official').given.first()").is_ok()
    });
}
