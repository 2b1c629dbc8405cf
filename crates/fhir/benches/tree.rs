//! Benchmarks for reading, writing and stamping a bundle shaped like Synthea's.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench")]

use base::Timestamp;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use fhir::build::Value;
use fhir::check;
use fhir::json::Document;
use fhir::meta::{Stamp, splice};
use std::fmt::Write as _;

fn main() {
    divan::main();
}

fn observation(n: usize) -> String {
    format!(
        r#"{{
        "resourceType": "Observation",
        "id": "zztest-{n}",
        "meta": {{ "profile": [ "http://hl7.org/fhir/us/core/StructureDefinition/us-core-vital-signs" ] }},
        "status": "final",
        "category": [ {{
          "coding": [ {{
            "system": "http://terminology.hl7.org/CodeSystem/observation-category",
            "code": "vital-signs",
            "display": "Vital signs"
          }} ]
        }} ],
        "code": {{
          "coding": [ {{ "system": "http://loinc.org", "code": "8302-2", "display": "Body Height" }} ],
          "text": "Body Height"
        }},
        "subject": {{ "reference": "urn:uuid:0dd77edd-bffd-4258-ac40-{n:012}" }},
        "encounter": {{ "reference": "urn:uuid:1dd77edd-bffd-4258-ac40-{n:012}" }},
        "effectiveDateTime": "2019-05-18T04:11:23-04:00",
        "issued": "2019-05-18T04:11:23.301-04:00",
        "valueQuantity": {{
          "value": 171.{n},
          "unit": "cm",
          "system": "http://unitsofmeasure.org",
          "code": "cm"
        }}
      }}"#
    )
}

fn bundle() -> String {
    let mut text = r#"{ "resourceType": "Bundle", "type": "transaction", "entry": ["#.to_owned();
    for n in 0..1000 {
        let comma = if n == 0 { "" } else { "," };
        let _ = write!(
            text,
            "{comma} {{\n      \"fullUrl\": \"urn:uuid:2dd77edd-bffd-4258-ac40-{n:012}\",\n      \"resource\": {},\n      \"request\": {{ \"method\": \"POST\", \"url\": \"Observation\" }}\n    }}",
            observation(n)
        );
    }
    text.push_str(" ] }");
    text
}

#[divan::bench]
fn parse(bencher: Bencher<'_, '_>) {
    let source = bundle();
    bencher
        .counter(BytesCount::of_str(&source))
        .bench(|| Document::parse(black_box(&source)));
}

#[divan::bench]
fn parse_serde_json(bencher: Bencher<'_, '_>) {
    let source = bundle();
    bencher
        .counter(BytesCount::of_str(&source))
        .bench(|| serde_json::from_str::<serde_json::Value>(black_box(&source)));
}

#[divan::bench]
fn value_from_document(bencher: Bencher<'_, '_>) {
    let source = bundle();
    let document = Document::parse(&source).unwrap();
    bencher
        .counter(BytesCount::of_str(&source))
        .bench(|| Value::from(black_box(&document)));
}

#[divan::bench]
fn to_bytes(bencher: Bencher<'_, '_>) {
    let value = Value::parse(bundle()).unwrap();
    let n_bytes = value.to_bytes().len();
    bencher
        .counter(BytesCount::new(n_bytes))
        .bench(|| black_box(&value).to_bytes());
}

#[divan::bench]
fn check_structure(bencher: Bencher<'_, '_>) {
    let source = bundle();
    let document = Document::parse(&source).unwrap();
    bencher
        .counter(BytesCount::of_str(&source))
        .bench(|| check::structure(black_box(&document)));
}

#[divan::bench]
fn splice_one_observation(bencher: Bencher<'_, '_>) {
    let source = observation(1);
    let stamp = Stamp {
        id: "x-1",
        version: "2",
        last_updated: Timestamp::from_micros(1),
    };
    bencher
        .counter(BytesCount::of_str(&source))
        .bench(|| splice(black_box(source.as_bytes()), &stamp));
}
