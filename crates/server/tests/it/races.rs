//! Concurrent writers: a write that names no version never gets a version conflict.

use crate::site::Site;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const N_WRITERS: usize = 24;

fn patient(number: &str, writer: usize) -> Value {
    json!({ "resourceType": "Patient", "identifier": [{ "system": "urn:zztest", "value": number }],
        "birthDate": format!("19{:02}", writer + 10) })
}

/// Counts each response when all requests are sent at once.
fn at_once(ask: impl Fn(usize) -> String + Sync) -> BTreeMap<String, usize> {
    let start = std::sync::Barrier::new(N_WRITERS);
    let mut answers = BTreeMap::new();
    std::thread::scope(|scope| {
        let ask = &ask;
        let start = &start;
        let writers: Vec<_> = (0..N_WRITERS)
            .map(|writer| {
                scope.spawn(move || {
                    start.wait();
                    ask(writer)
                })
            })
            .collect();
        for writer in writers {
            *answers.entry(writer.join().unwrap()).or_insert(0) += 1;
        }
    });
    answers
}

fn counts<const N: usize>(pairs: [(&str, usize); N]) -> BTreeMap<String, usize> {
    pairs.map(|(name, n)| (name.to_owned(), n)).into()
}

fn total(site: &Site, query: &str) -> Value {
    site.fhir("GET", &format!("/Patient?{query}&_summary=count"), None)
        .expect(200)
        .json()["total"]
        .clone()
}

#[test]
fn the_last_of_many_writers_wins_and_none_is_refused() {
    let site = Site::start();
    let mut body = patient("put", 0);
    body["id"] = json!("put");
    site.fhir("PUT", "/Patient/put", Some(&body)).expect(201);
    let put = at_once(|writer| {
        let mut body = patient("put", writer + 1);
        body["id"] = json!("put");
        site.fhir("PUT", "/Patient/put", Some(&body))
            .status
            .to_string()
    });
    assert_eq!(put, counts([("200", N_WRITERS)]));
    let history = site
        .fhir("GET", "/Patient/put/_history?_count=100", None)
        .json();
    assert_eq!(history["entry"].as_array().unwrap().len(), N_WRITERS + 1);
    // If all writers name the same version, one of them is stored.
    let named = at_once(|writer| {
        let mut body = patient("put", writer + 40);
        body["id"] = json!("put");
        let version = format!("W/\"{}\"", N_WRITERS + 1);
        let headers = [("if-match", version.as_str())];
        let answer = site.send(
            "PUT",
            "/fhir/Patient/put",
            &headers,
            Some(&body.to_string()),
        );
        answer.status.to_string()
    });
    assert_eq!(named, counts([("200", 1), ("412", N_WRITERS - 1)]));
}

#[test]
fn concurrent_conditional_creates_make_one_resource() {
    let site = Site::start();
    let created = at_once(|writer| {
        let headers = [("if-none-exist", "identifier=urn:zztest|post")];
        let body = patient("post", writer).to_string();
        let answer = site.send("POST", "/fhir/Patient", &headers, Some(&body));
        answer.status.to_string()
    });
    assert_eq!(created, counts([("200", N_WRITERS - 1), ("201", 1)]));
    let updated = at_once(|writer| {
        let body = patient("put", writer);
        let answer = site.fhir("PUT", "/Patient?identifier=urn:zztest|put", Some(&body));
        answer.status.to_string()
    });
    assert_eq!(updated, counts([("200", N_WRITERS - 1), ("201", 1)]));
    let in_bundle = at_once(|writer| {
        let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": [
            { "resource": patient("bundle", writer), "request": { "method": "PUT", "url": "Patient?identifier=urn:zztest|bundle" } },
            { "resource": patient("none", writer), "request": { "method": "POST", "url": "Patient", "ifNoneExist": "identifier=urn:zztest|none" } },
        ] });
        let answer = site.fhir("POST", "", Some(&bundle)).expect(200).json();
        let status = |place: usize| {
            let status = answer["entry"][place]["response"]["status"].clone();
            status.as_str().unwrap().to_owned()
        };
        format!("{}, {}", status(0), status(1))
    });
    let expected = [
        ("200 OK, 200 OK", N_WRITERS - 1),
        ("201 Created, 201 Created", 1),
    ];
    assert_eq!(in_bundle, counts(expected));
    for number in ["post", "put", "bundle", "none"] {
        assert_eq!(total(&site, &format!("identifier=urn:zztest|{number}")), 1);
    }
    let deleted = at_once(|_| {
        let answer = site.fhir("DELETE", "/Patient?identifier=urn:zztest|post", None);
        answer.status.to_string()
    });
    assert_eq!(deleted, counts([("204", N_WRITERS)]));
}
