//! The person view over HTTP: the data of all sources under one id, none of which is written back
//! by accident.

use crate::site::Site;
use serde_json::{Value, json};

const SOURCE: &str = "urn:causeway:source-reference";

fn put(site: &Site, resource: &Value) {
    let path = format!(
        "/{}/{}",
        resource["resourceType"].as_str().unwrap(),
        resource["id"].as_str().unwrap()
    );
    site.fhir("PUT", &path, Some(resource)).expect(201);
}

/// Creates two records of one person, each with an observation by that source's own doctor.
fn two_records(site: &Site) -> String {
    for id in ["a", "b"] {
        put(
            site,
            &json!({ "resourceType": "Patient", "id": id,
            "identifier": [{ "system": "urn:zztest", "value": "1" }], "name": [{ "family": format!("Zz{id}") }] }),
        );
        put(
            site,
            &json!({ "resourceType": "Observation", "id": format!("o-{id}"), "status": "final",
            "code": { "text": "x" }, "subject": { "reference": format!("Patient/{id}"), "display": "Test" } }),
        );
    }
    let person = site
        .fhir("GET", "/Patient/a/$person", None)
        .expect(200)
        .json();
    person["id"].as_str().unwrap().to_owned()
}

fn resources(bundle: &Value) -> Vec<Value> {
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    entries
        .into_iter()
        .map(|entry| entry["resource"].clone())
        .collect()
}

fn names(bundle: &Value) -> Vec<String> {
    let name = |one: &Value| {
        format!(
            "{}/{}",
            one["resourceType"].as_str().unwrap(),
            one["id"].as_str().unwrap()
        )
    };
    resources(bundle).iter().map(name).collect()
}

#[test]
fn a_person_s_name_gives_all_of_all_sources() {
    let site = Site::start();
    let person = two_records(&site);
    let shown = json!({
        "extension": [{ "url": SOURCE, "valueReference": { "reference": "Patient/a" } }],
        "reference": format!("Patient/{person}"), "display": "Test"
    });
    for path in [
        format!("/Observation?patient={person}"),
        format!("/Observation?subject=Patient/{person}&_count=1"),
        format!("/Observation?subject:Patient={person}"),
        "/Observation?patient.identifier=1&_person=true".to_owned(),
        format!("/Patient?_id={person}&_revinclude=Observation:patient"),
        format!("/Patient/{person}/$everything?_type=Observation"),
    ] {
        let bundle = site.fhir("GET", &path, None).expect(200).json();
        let found = resources(&bundle);
        let one = found.iter().find(|one| one["id"] == "o-a").unwrap();
        assert_eq!(one["subject"], shown, "{path}");
        assert_eq!(
            one["meta"]["versionId"], "1",
            "{path}: the version is the stored one's"
        );
    }
    // Read by record: the source's data as it was sent.
    let plain = site
        .fhir("GET", "/Observation?patient=a", None)
        .expect(200)
        .json();
    assert_eq!(names(&plain), ["Observation/o-a"]);
    assert_eq!(
        resources(&plain)[0]["subject"],
        json!({ "reference": "Patient/a", "display": "Test" })
    );
    let included = site
        .fhir(
            "GET",
            "/Observation?_person=true&_include=Observation:patient",
            None,
        )
        .expect(200)
        .json();
    assert_eq!(
        names(&included),
        [
            "Observation/o-a".to_owned(),
            "Observation/o-b".to_owned(),
            format!("Patient/{person}")
        ]
    );
    let everything = site
        .fhir("GET", &format!("/Patient/{person}/$everything"), None)
        .expect(200)
        .json();
    assert_eq!(names(&everything)[0], format!("Patient/{person}"));
    assert_eq!(names(&everything).len(), 5);
    let posted = site.send(
        "POST",
        "/fhir/Patient/_search",
        &[("content-type", "application/x-www-form-urlencoded")],
        Some("family=Zz&_person=true&_total=accurate"),
    );
    let posted = posted.expect(200).json();
    assert_eq!(
        (names(&posted), &posted["total"]),
        (vec![format!("Patient/{person}")], &json!(1))
    );
    assert!(
        posted["link"][0]["url"]
            .as_str()
            .unwrap()
            .contains("_person=true")
    );
}

#[test]
fn a_write_from_the_person_view_is_stored_with_the_sources_reference() {
    let site = Site::start();
    let person = two_records(&site);
    let answer = site
        .fhir(
            "GET",
            &format!("/Observation?patient={person}&_id=o-a"),
            None,
        )
        .expect(200)
        .json();
    let rewritten = resources(&answer)[0].clone();
    let stored = || {
        site.fhir("GET", "/Observation/o-a", None)
            .expect(200)
            .json()
    };

    // With the extension, and without it, as a client that ignores extensions would send it.
    let mut body = rewritten.clone();
    body["status"] = json!("amended");
    let back = site
        .fhir("PUT", "/Observation/o-a", Some(&body))
        .expect(200)
        .json();
    assert_eq!(
        back["subject"],
        json!({ "reference": "Patient/a", "display": "Test" })
    );
    assert_eq!(
        (&stored()["status"], &stored()["subject"]),
        (&json!("amended"), &back["subject"])
    );
    body["subject"] = json!({ "reference": format!("Patient/{person}") });
    body["status"] = json!("corrected");
    site.fhir("PUT", "/Observation/o-a", Some(&body))
        .expect(200);
    assert_eq!(
        (&stored()["status"], &stored()["subject"]["reference"]),
        (&json!("corrected"), &json!("Patient/a"))
    );
    // In a bundle, and as a new resource.
    let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": [
        { "resource": rewritten, "request": { "method": "PUT", "url": "Observation/o-a" } },
        { "resource": rewritten, "request": { "method": "POST", "url": "Observation" } },
    ] });
    let done = site.fhir("POST", "", Some(&bundle)).expect(200).json();
    assert_eq!(done["entry"][0]["response"]["status"], "200 OK");
    let copies = site
        .fhir("GET", "/Observation?patient=a", None)
        .expect(200)
        .json();
    assert_eq!(resources(&copies).len(), 2);
    assert!(!copies.to_string().contains(SOURCE), "{copies}");

    // A reference to a record that is not the person's is not reinterpreted.
    put(
        &site,
        &json!({ "resourceType": "Patient", "id": "c", "identifier": [{ "system": "urn:zztest", "value": "9" }] }),
    );
    let mut wrong = rewritten.clone();
    wrong["subject"]["extension"][0]["valueReference"]["reference"] = json!("Patient/c");
    let outcome = site
        .fhir("PUT", "/Observation/o-a", Some(&wrong))
        .refused(422, "business-rule")
        .json();
    assert_eq!(outcome["issue"][0]["expression"][0], "Observation.subject");
    let mut both = stored();
    both["performer"] = json!([{ "reference": "Patient/b" }]);
    site.fhir("PUT", "/Observation/o-a", Some(&both))
        .expect(200);
    both["subject"] = json!({ "reference": format!("Patient/{person}") });
    both["performer"] = json!([{ "reference": format!("Patient/{person}") }]);
    site.fhir("PUT", "/Observation/o-a", Some(&both))
        .refused(422, "business-rule");
    // A statement about the person itself is kept as it is.
    let mut own = json!({ "resourceType": "Observation", "status": "final", "code": { "text": "y" },
        "subject": { "reference": format!("Patient/{person}") } });
    let said = site
        .fhir("POST", "/Observation", Some(&own))
        .expect(201)
        .json();
    own["id"] = said["id"].clone();
    let said = site
        .fhir(
            "PUT",
            &format!("/Observation/{}", said["id"].as_str().unwrap()),
            Some(&own),
        )
        .expect(200)
        .json();
    assert_eq!(said["subject"], own["subject"]);
}

#[test]
fn a_person_is_not_written_to_nor_copied() {
    let site = Site::start();
    let person = two_records(&site);
    let path = format!("/Patient/{person}");
    let mut body = site.fhir("GET", &path, None).expect(200).json();
    body["gender"] = json!("other");
    site.fhir("PUT", &path, Some(&body))
        .refused(409, "business-rule");
    site.fhir("POST", "/Patient", Some(&body))
        .refused(409, "business-rule");
    body.as_object_mut().unwrap().remove("meta");
    site.fhir("PUT", &path, Some(&body))
        .refused(409, "conflict");
    site.fhir("DELETE", &path, None).refused(409, "conflict");
}

#[test]
fn a_retired_person_leads_to_the_current_one() {
    let site = Site::start();
    let first = two_records(&site);
    put(
        &site,
        &json!({ "resourceType": "Patient", "id": "c", "identifier": [{ "system": "urn:zztest", "value": "9" }] }),
    );
    put(
        &site,
        &json!({ "resourceType": "Observation", "id": "o-c", "status": "final", "code": { "text": "x" }, "subject": { "reference": "Patient/c" } }),
    );
    let second = site
        .fhir("GET", "/Patient/c/$person", None)
        .expect(200)
        .json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let before = site
        .fhir("GET", &format!("/Patient/{first}"), None)
        .expect(200);
    let joined = json!({ "resourceType": "Patient", "id": "c", "identifier": [
        { "system": "urn:zztest", "value": "9" }, { "system": "urn:zztest", "value": "1" }] });
    site.fhir("PUT", "/Patient/c", Some(&joined)).expect(200);
    let found = |path: &str| names(&site.fhir("GET", path, None).expect(200).json());
    assert_eq!(
        found(&format!("/Observation?patient={second}")),
        ["Observation/o-a", "Observation/o-b", "Observation/o-c"]
    );
    assert_eq!(
        found(&format!("/Patient/{second}/$everything"))[0],
        format!("Patient/{first}")
    );
    assert_eq!(
        found(&format!("/Patient?_id={second}")),
        [format!("Patient/{first}")]
    );
    let now = site
        .fhir("GET", &format!("/Patient/{second}/$person"), None)
        .expect(200);
    assert_eq!(
        (&now.json()["id"], now.header("etag")),
        (&json!(first), Some("W/\"3\""))
    );
    assert_ne!(
        before.header("etag"),
        now.header("etag"),
        "a link is a version of the person"
    );
    let tombstone = site
        .fhir("GET", &format!("/Patient/{second}"), None)
        .expect(200)
        .json();
    assert_eq!(
        (&tombstone["active"], &tombstone["link"][0]["type"]),
        (&json!(false), &json!("replaced-by"))
    );
    let history = site
        .fhir("GET", &format!("/Patient/{second}/_history"), None)
        .expect(200)
        .json();
    assert_eq!(resources(&history).len(), 2);
}
