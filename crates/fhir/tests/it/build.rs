//! Values: changing, output order, the server's stamp.

use base::Timestamp;
use fhir::build::Value;
use fhir::bundle::{BundleKind, EntryParts, Header, Writer, entries};
use fhir::check;
use fhir::json::Document;
use fhir::meta::{SpliceError, Stamp, splice};
use proptest::prelude::*;

#[test]
fn changes_in_place() {
    let mut patient = Value::resource("Patient");
    patient.set_at("name[0].given[0]", "ZZ");
    patient.set_at("name[0].given[1]", "TEST");
    patient
        .entry("telecom")
        .push(Value::object().with("value", "555-0100"));
    patient.set("active", true);
    patient.set("multipleBirthInteger", 2_i64);
    patient.set("nothing", Value::object());
    patient.prune();
    assert_eq!(
        patient.at("name[0].given[1]").unwrap().as_str(),
        Some("TEST")
    );
    assert_eq!(
        patient.remove("active").and_then(|v| v.as_bool()),
        Some(true)
    );
    assert_eq!(
        String::from_utf8(patient.to_bytes()).unwrap(),
        r#"{"resourceType":"Patient","name":[{"given":["ZZ","TEST"]}],"telecom":[{"value":"555-0100"}],"multipleBirthInteger":2}"#
    );
}

#[test]
fn definition_order_on_the_way_out() {
    for (source, expected) in [
        (
            r#"{"zz":1,"gender":"other","_gender":{"id":"x"},"name":[{"given":["a"],"family":"b","use":"old"}],"id":"1","resourceType":"Patient","aa":2}"#,
            r#"{"resourceType":"Patient","id":"1","name":[{"use":"old","family":"b","given":["a"]}],"gender":"other","_gender":{"id":"x"},"zz":1,"aa":2}"#,
        ),
        (
            r#"{"entry":[{"resource":{"id":"1","resourceType":"Patient"}}],"type":"batch","resourceType":"Bundle"}"#,
            r#"{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Patient","id":"1"}}]}"#,
        ),
        (
            r#"{"valueQuantity":{"unit":"g","value":1.0},"status":"final","resourceType":"Observation"}"#,
            r#"{"resourceType":"Observation","status":"final","valueQuantity":{"value":1.0,"unit":"g"}}"#,
        ),
        (
            r#"{"b":1,"a":"\u00e9\/\n\u0001"}"#,
            "{\"b\":1,\"a\":\"\u{e9}/\\n\\u0001\"}",
        ),
    ] {
        let value = Value::parse(source).unwrap();
        assert_eq!(String::from_utf8(value.to_bytes()).unwrap(), expected);
    }
}

#[test]
fn a_stamp_leaves_the_rest_alone() {
    let stamp = Stamp {
        id: "n",
        version: "2",
        last_updated: Timestamp::from_micros(0),
    };
    let at = stamp.last_updated.to_fhir();
    for (source, expected) in [
        (
            "{ \"resourceType\" : \"Patient\" ,\n\"active\": true }".to_owned(),
            format!("{{ \"resourceType\" : \"Patient\",\"id\":\"n\",\"meta\":{{\"versionId\":\"2\",\"lastUpdated\":\"{at}\"}} ,\n\"active\": true }}"),
        ),
        (
            r#"{"resourceType":"Patient","id":"o","meta":{"tag":[{"code":"1.00"}],"versionId":"9"},"n":1.00}"#.to_owned(),
            format!(r#"{{"resourceType":"Patient","id":"n","meta":{{"lastUpdated":"{at}","tag":[{{"code":"1.00"}}],"versionId":"2"}},"n":1.00}}"#),
        ),
        (
            r#"{"meta":{},"resourceType":"Patient"}"#.to_owned(),
            format!(r#"{{"meta":{{"versionId":"2","lastUpdated":"{at}"}},"resourceType":"Patient","id":"n"}}"#),
        ),
        ("{}".to_owned(), format!(r#"{{"id":"n","meta":{{"versionId":"2","lastUpdated":"{at}"}}}}"#)),
    ] {
        let stamped = splice(source.as_bytes(), &stamp).unwrap();
        assert_eq!(String::from_utf8(stamped.clone()).unwrap(), expected);
        assert_eq!(splice(&stamped, &stamp).unwrap(), stamped, "twice is once");
    }
    assert_eq!(splice(b"[]", &stamp), Err(SpliceError::NotAnObject));
}

#[test]
fn a_written_bundle_is_one() {
    let header = Header {
        kind: BundleKind::Searchset,
        id: Some("b"),
        timestamp: Some(Timestamp::from_micros(0)),
        total: Some(1),
        links: &[("self", "http://localhost/fhir/Patient?name=\"x\"")],
    };
    let mut writer = Writer::new(&header);
    writer.entry(&EntryParts {
        full_url: Some("http://localhost/fhir/Patient/1"),
        resource: Some(br#"{"resourceType":"Patient","id":"1"}"#),
        search_mode: Some("match"),
        ..EntryParts::default()
    });
    writer.entry(&EntryParts {
        request: Some(("PUT", "Patient/1")),
        status: Some("201 Created"),
        etag: Some("W/\"1\""),
        last_modified: Some(Timestamp::from_micros(0)),
        outcome: Some(&fhir::outcome::outcome(&[]).to_bytes()),
        ..EntryParts::default()
    });
    let document = Document::parse(writer.finish()).unwrap();
    assert_eq!(check::structure(&document), []);
    assert_eq!(BundleKind::of(document.root()), Some(BundleKind::Searchset));
    let found: Vec<_> = entries(document.root()).collect();
    assert_eq!(
        found[0].resource().unwrap().resource_type(),
        Some("Patient")
    );
    assert_eq!(found[1].request().unwrap().method, "PUT");
    assert_eq!(found[1].response_status().as_deref(), Some("201 Created"));
    let empty = Document::parse(Writer::new(&header).finish()).unwrap();
    assert_eq!(check::structure(&empty), []);
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        r"-?(0|[1-9][0-9]{0,6})(\.[0-9]{1,6})?(e[+-]?[0-9]{1,2})?"
            .prop_map(|text| Value::Number(text.into())),
        any::<String>().prop_map(Value::from),
    ];
    let name = prop_oneof![
        Just("name".to_owned()),
        Just("_given".to_owned()),
        Just("given".to_owned()),
        Just("meta".to_owned()),
        Just("id".to_owned()),
        any::<String>(),
    ];
    leaf.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            proptest::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|fields| { Value::Object(fields.into_iter().collect()) }),
        ]
    })
}

proptest! {
    #[test]
    fn out_and_in_is_the_same(value in any_value()) {
        let bytes = value.to_bytes();
        let document = Document::parse(&bytes).unwrap();
        let again = Value::from(&document);
        prop_assert!(again.is_same_json(&value));
        prop_assert_eq!(again.to_bytes(), bytes.clone());
        let theirs: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let back = Value::parse(theirs.to_string()).unwrap();
        prop_assert_eq!(back.as_object().map(fhir::build::Object::len), value.as_object().map(fhir::build::Object::len));
        assert!(fhir::fuzz::fuzz(&bytes));
    }
}
