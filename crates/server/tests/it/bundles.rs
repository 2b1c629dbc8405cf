//! The rules of http.html#transaction beyond the plain case.

use crate::site::{Answer, Site};
use serde_json::{Value, json};

fn patient(number: &str) -> Value {
    json!({ "resourceType": "Patient", "identifier": [{ "system": "urn:zztest", "value": number }] })
}

fn observation(subject: &str) -> Value {
    json!({ "resourceType": "Observation", "status": "final", "code": { "text": "x" },
        "subject": { "reference": subject } })
}

fn entry(method: &str, url: &str, resource: Option<Value>) -> Value {
    let mut entry = json!({ "request": { "method": method, "url": url } });
    if let Some(resource) = resource {
        entry["resource"] = resource;
    }
    entry
}

fn transaction(site: &Site, entries: &Value) -> Answer {
    let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries });
    site.fhir("POST", "", Some(&bundle))
}

fn n_patients(site: &Site) -> Value {
    let counted = site.fhir(
        "GET",
        "/Patient?identifier=urn:zztest|&_summary=count",
        None,
    );
    counted.expect(200).json()["total"].clone()
}

/// In each case the second entry fails in its own way: the first is not stored, and the outcome
/// names the second.
#[test]
fn a_failing_entry_is_named_and_the_others_are_rolled_back() {
    let site = Site::start();
    let mut there = patient("there");
    there["id"] = json!("there");
    site.fhir("PUT", "/Patient/there", Some(&there)).expect(201);
    let mut stale = entry("PUT", "Patient/there", Some(there.clone()));
    stale["request"]["ifMatch"] = json!("W/\"7\"");
    let mut condition = entry("POST", "Patient", Some(patient("2")));
    condition["request"]["ifNoneExist"] = json!("favourite=blue");
    let conditional = observation("Patient?favourite=blue");
    for (second, status) in [
        (entry("GET", "Patient/nobody", None), 404),
        (entry("GET", "Patient?birthdate=yesterday", None), 400),
        (entry("GET", "Patient?family:colour=blue", None), 400),
        (entry("GET", "Patient/there/_history", None), 501),
        (stale, 412),
        (entry("PUT", "Patient/there", Some(patient("there"))), 400),
        (condition, 400),
        (entry("POST", "Observation", Some(conditional)), 400),
        (
            entry("POST", "Observation", Some(observation("Patient/nobody"))),
            422,
        ),
    ] {
        let first = entry("POST", "Patient", Some(patient("first")));
        let refused = transaction(&site, &json!([first, second]))
            .expect(status)
            .json();
        let place = refused["issue"][0]["expression"][0].as_str().unwrap_or("");
        assert!(place.starts_with("Bundle.entry[1]"), "{second}: {refused}");
        assert_eq!(n_patients(&site), 1, "{second}");
    }
    // A resource deleted in the same bundle cannot be referenced.
    let dangling = json!([
        entry("DELETE", "Patient/there", None),
        entry("POST", "Observation", Some(observation("Patient/there")))
    ]);
    transaction(&site, &dangling).refused(422, "not-found");
    // A resource deleted in the same bundle cannot be read; one created in it can.
    let gone = json!([
        entry("DELETE", "Patient/there", None),
        entry("GET", "Patient/there", None)
    ]);
    transaction(&site, &gone).refused(404, "not-found");
    let mut made = patient("made");
    made["id"] = json!("made");
    let made = json!([
        entry("GET", "Patient/made", None),
        entry("PUT", "Patient/made", Some(made))
    ]);
    let answer = transaction(&site, &made).expect(200).json();
    assert_eq!(answer["entry"][0]["resource"]["id"], "made", "{answer}");
}

/// References of bundle.html#references and http.html#trules: by id without a fullUrl, relative to
/// the fullUrl, and in the narrative's links.
#[test]
fn entries_refer_to_each_other() {
    let site = Site::start();
    let mut own = patient("own");
    own["id"] = json!("own");
    let mut linked = observation("Patient/7");
    linked["text"] = json!({ "status": "generated",
        "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href=\"http://a.example/fhir/Patient/7\">x</a></div>" });
    let mut there = entry("POST", "Patient", Some(patient("7")));
    there["fullUrl"] = json!("http://a.example/fhir/Patient/7");
    let mut of_there = entry("POST", "Observation", Some(linked));
    of_there["fullUrl"] = json!("http://a.example/fhir/Observation/8");
    let entries = json!([
        entry("POST", "Observation", Some(observation("Patient/own"))),
        entry("PUT", "Patient/own", Some(own)),
        of_there,
        there,
    ]);
    let answer = transaction(&site, &entries).expect(200).json();
    let stored = |place: usize| {
        let location = answer["entry"][place]["response"]["location"]
            .as_str()
            .unwrap();
        let path = location.replace(&site.base, "");
        site.send("GET", &path, &[], None).expect(200).json()
    };
    assert_eq!(stored(0)["subject"]["reference"], "Patient/own");
    let patient = format!("Patient/{}", stored(3)["id"].as_str().unwrap());
    assert_eq!(stored(2)["subject"]["reference"], json!(patient));
    let narrative = stored(2)["text"]["div"].as_str().unwrap().to_owned();
    assert!(
        narrative.contains(&format!("href=\"{patient}\"")),
        "{narrative}"
    );
    // A conditional update that matches nothing uses the id in the body.
    let mut chosen = patient_with_id("chosen");
    let update = entry(
        "PUT",
        "Patient?identifier=urn:zztest|new",
        Some(chosen.clone()),
    );
    let answer = transaction(&site, &json!([update])).expect(200).json();
    let location = answer["entry"][0]["response"]["location"].as_str().unwrap();
    assert!(
        location.ends_with("/Patient/chosen/_history/1"),
        "{location}"
    );
    chosen["active"] = json!(true);
    let taken = entry("PUT", "Patient?identifier=urn:zztest|newer", Some(chosen));
    transaction(&site, &json!([taken])).refused(409, "conflict");
}

fn patient_with_id(id: &str) -> Value {
    let mut patient = patient("new");
    patient["id"] = json!(id);
    patient
}
