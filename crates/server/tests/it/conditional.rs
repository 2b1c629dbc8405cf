//! Conditional interactions and other rules of http.html beyond the plain ones.

use crate::site::Site;
use serde_json::{Value, json};

fn patient(number: &str) -> Value {
    json!({ "resourceType": "Patient", "identifier": [{ "system": "urn:zztest", "value": number }], "active": true })
}

fn put(site: &Site, query: &str, body: &Value) -> crate::site::Answer {
    site.fhir("PUT", &format!("/Patient?{query}"), Some(body))
}

/// http.html#cond-update: no match creates, one match updates, several are refused.
#[test]
fn a_conditional_update_finds_its_resource_or_creates_it() {
    let site = Site::start();
    let made = put(&site, "identifier=urn:zztest|1", &patient("1"))
        .expect(201)
        .json();
    let id = made["id"].as_str().unwrap().to_owned();
    let mut body = patient("1");
    body["gender"] = json!("other");
    let again = put(&site, "identifier=urn:zztest|1", &body).expect(200);
    assert_eq!(
        (&again.json()["id"], again.header("etag")),
        (&json!(id), Some("W/\"2\""))
    );
    body["id"] = json!(id);
    put(&site, "identifier=urn:zztest|1", &body).expect(200);
    body["id"] = json!("another");
    put(&site, "identifier=urn:zztest|1", &body).refused(400, "invalid");
    // No match, and the body has an id: an update as create, unless the id is taken.
    let mut own = patient("2");
    own["id"] = json!("another");
    let made = put(&site, "identifier=urn:zztest|2", &own).expect(201);
    assert_eq!(made.json()["id"], "another");
    put(&site, "identifier=urn:zztest|3", &own).refused(409, "conflict");
    site.fhir("POST", "/Patient", Some(&patient("1")))
        .expect(201);
    put(&site, "identifier=urn:zztest|1", &patient("1")).refused(412, "multiple-matches");
    put(&site, "", &patient("1")).refused(412, "value");
    put(&site, "favourite=blue", &patient("1")).refused(400, "not-supported");
    let stale = site.send(
        "PUT",
        "/fhir/Patient?identifier=urn:zztest|7",
        &[("if-match", "W/\"3\"")],
        Some(&patient("7").to_string()),
    );
    stale.refused(412, "conflict");
}

/// http.html#cdelete.
#[test]
fn a_conditional_delete_deletes_one_and_no_more() {
    let site = Site::start();
    for number in ["1", "2", "2"] {
        site.fhir("POST", "/Patient", Some(&patient(number)))
            .expect(201);
    }
    let delete = |query: &str| site.fhir("DELETE", &format!("/Patient?{query}"), None);
    delete("identifier=urn:zztest|1").expect(204);
    delete("identifier=urn:zztest|1").expect(204);
    delete("identifier=urn:zztest|2").refused(412, "multiple-matches");
    delete("").refused(412, "value");
    let left = site
        .fhir("GET", "/Patient?_summary=count", None)
        .expect(200)
        .json();
    assert_eq!(left["total"], 2);
}

#[test]
fn conditions_in_a_transaction() {
    let site = Site::start();
    let bundle = |entries: &Value| {
        let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries });
        site.fhir("POST", "", Some(&bundle))
    };
    let observation = json!({ "resourceType": "Observation", "status": "final", "code": { "text": "x" },
        "subject": { "reference": "urn:uuid:1" } });
    let update = json!({ "fullUrl": "urn:uuid:1", "resource": patient("1"), "request": { "method": "PUT", "url": "Patient?identifier=urn:zztest|1" } });
    let both = json!([update, { "resource": observation, "request": { "method": "POST", "url": "/Observation" } }]);
    for status in ["201 Created", "200 OK"] {
        let answer = bundle(&both).expect(200).json();
        assert_eq!(answer["entry"][0]["response"]["status"], status);
    }
    let delete = |url: &str| json!([{ "request": { "method": "DELETE", "url": url } }]);
    let of_both = site.fhir(
        "GET",
        "/Observation?patient.identifier=urn:zztest|1&_summary=count",
        None,
    );
    assert_eq!(of_both.json()["total"], 2);
    bundle(&delete("Observation?patient.identifier=urn:zztest|1")).refused(412, "multiple-matches");
    let answer = bundle(&delete("Patient?identifier=urn:zztest|1"))
        .expect(200)
        .json();
    assert_eq!(answer["entry"][0]["response"]["status"], "204 No Content");
    for gone in ["Patient?identifier=urn:zztest|1", "Patient/nobody"] {
        let answer = bundle(&delete(gone)).expect(200).json();
        assert_eq!(
            answer["entry"][0]["response"],
            json!({ "status": "204 No Content" }),
            "{gone}"
        );
    }
    // Both would be created, and then two would match.
    let create = json!({ "resource": patient("8"), "request": { "method": "POST", "url": "Patient", "ifNoneExist": "identifier=urn:zztest|8" } });
    bundle(&json!([create, create])).refused(400, "invalid");
    let none = site.fhir(
        "GET",
        "/Patient?identifier=urn:zztest|8&_summary=count",
        None,
    );
    assert_eq!(none.json()["total"], 0);
}

/// Each row names the clause that it tests.
#[test]
fn clients_may_rely_on_the_clauses_of_the_standard() {
    let site = Site::start();
    let made = site
        .fhir("POST", "/Patient", Some(&patient("1")))
        .expect(201);
    let path = format!("/fhir/Patient/{}", made.json()["id"].as_str().unwrap());
    let modified = made.header("last-modified").unwrap().to_owned();
    let read = |headers: &[(&str, &str)], status: u16| {
        site.send("GET", &path, headers, None).expect(status)
    };
    // RFC 9110, 13.1.2 and 13.1.3.
    for (name, value, status) in [
        ("if-none-match", "\"1\"", 304),
        ("if-none-match", "W/\"9\", W/\"1\"", 304),
        ("if-none-match", "W/\"11\"", 200),
        ("if-modified-since", &modified, 304),
        ("if-modified-since", "Fri, 01 Jan 2038 00:00:00 GMT", 304),
        ("if-modified-since", "Fri, 01 Jan 2010 00:00:00 GMT", 200),
        ("if-modified-since", "yesterday", 200),
        ("accept", "application/fhir+json; fhirVersion=4.0", 200),
        ("accept", "application/fhir+json; fhirVersion=3.0", 406),
    ] {
        read(&[(name, value)], status);
    }
    // http.html#summary: applies to a read too.
    let narrowed = site
        .send("GET", &format!("{path}?_elements=active"), &[], None)
        .expect(200)
        .json();
    assert_eq!(
        (narrowed["active"].clone(), narrowed["identifier"].is_null()),
        (json!(true), true)
    );
    assert_eq!(narrowed["meta"]["tag"][0]["code"], "SUBSETTED");
    site.send("GET", &format!("{path}?_summary=count"), &[], None)
        .refused(400, "value");
    // Request bodies.
    let send = |media: &str, body: &str| {
        site.send(
            "POST",
            "/fhir/Patient",
            &[("content-type", media)],
            Some(body),
        )
    };
    send("application/fhir+json; charset=iso-8859-1", "{}").refused(415, "not-supported");
    send(
        "application/fhir+json; charset=UTF-8",
        &patient("2").to_string(),
    )
    .expect(201);
    send(
        "application/fhir+json",
        &format!("\u{feff}{}", patient("3")),
    )
    .expect(201);
    let large = format!(
        r#"{{"resourceType":"Patient","language":"{}"}}"#,
        "a".repeat(64 << 20)
    );
    let refused = send("application/fhir+json", &large).refused(413, "too-long");
    assert_eq!(
        refused.header("connection"),
        Some("close"),
        "an unread body ends the connection"
    );
    // Absolute references to the server's own base are local: checked and found.
    let observation = |patient: &str| {
        json!({ "resourceType": "Observation", "status": "final", "code": { "text": "x" },
        "subject": { "reference": format!("{}{patient}", site.base) } })
    };
    site.fhir(
        "POST",
        "/Observation",
        Some(&observation("/fhir/Patient/nobody")),
    )
    .refused(422, "not-found");
    site.fhir("POST", "/Observation", Some(&observation(&path)))
        .expect(201);
    let found = site.fhir(
        "GET",
        "/Observation?patient.identifier=urn:zztest|1&_summary=count",
        None,
    );
    assert_eq!(found.json()["total"], 1);
    // Resources on other servers may be referenced, also by identifier alone.
    for subject in [
        json!({ "reference": "http://a.example/fhir/Patient/1" }),
        json!({ "identifier": { "system": "urn:zztest", "value": "1" } }),
    ] {
        let elsewhere = json!({ "resourceType": "Observation", "status": "final", "code": { "text": "x" }, "subject": subject });
        site.fhir("POST", "/Observation", Some(&elsewhere))
            .expect(201);
    }
    // references.html: conditional references are for transactions.
    let conditional = json!({ "resourceType": "Observation", "status": "final", "code": { "text": "x" },
        "subject": { "reference": "Patient?identifier=urn:zztest|1" } });
    site.fhir("POST", "/Observation", Some(&conditional))
        .refused(422, "not-supported");
    // RFC 9110, 13.1.2: created only if nothing exists.
    let mut own = patient("own");
    own["id"] = json!("own");
    let only_new = |value| {
        let headers = [("if-none-match", value)];
        site.send("PUT", "/fhir/Patient/own", &headers, Some(&own.to_string()))
    };
    only_new("*").expect(201);
    only_new("*").refused(412, "conflict");
    only_new("W/\"1\"").refused(412, "conflict");
    only_new("W/\"7\", \"no version\"").expect(200);
    send("application/fhir+json; fhirVersion=3.0", "{}").refused(415, "not-supported");
    let coded = [("content-encoding", "gzip")];
    site.send("POST", "/fhir/Patient", &coded, Some("{}"))
        .refused(415, "not-supported");
    site.fhir("POST", "/Patient/own", Some(&own))
        .refused(405, "not-supported");
    own["id"] = json!("a_b");
    site.fhir("PUT", "/Patient/a_b", Some(&own))
        .refused(400, "value");
    let compartment = site
        .fhir("GET", "/Patient/own/Observation", None)
        .refused(501, "not-supported");
    assert!(compartment.text.contains("Observation?patient=own"));
    // The parameters of an operation may be in the body.
    let parameters = |name: &str| {
        let body = json!({ "resourceType": "Parameters", "parameter": [{ "name": name, "valueInteger": 1 }] });
        site.fhir("POST", "/Patient/own/$everything", Some(&body))
    };
    parameters("_count").expect(200);
    parameters("_colour").refused(400, "value");
    // A link is a URI (RFC 3986), and an outcome contains no control characters.
    let found = site.fhir("GET", "/Patient?identifier=urn:zztest|1&%00=1", None);
    let found = found.expect(200).json();
    let own_link = found["link"][0]["url"].as_str().unwrap();
    assert!(
        own_link.ends_with("identifier=urn:zztest%7C1"),
        "{own_link}"
    );
    assert!(!found.to_string().contains("\\u0000"), "{found}");
    // A condition in the wrong place is not ignored.
    site.fhir(
        "POST",
        "/Patient?identifier=urn:zztest|1",
        Some(&patient("1")),
    )
    .refused(400, "not-supported");
    site.fhir("POST", "/Patient?_format=json", Some(&patient("9")))
        .expect(201);
    // Request addresses.
    site.send(
        "POST",
        "/fhir/",
        &[],
        Some(r#"{"resourceType":"Bundle","type":"batch"}"#),
    )
    .expect(200);
    for path in ["/Observation/$lastn", "/$export", "/_search"] {
        site.fhir("GET", path, None).refused(501, "not-supported");
    }
    let quoted = site
        .fhir("GET", "/Patient/a%00b", None)
        .refused(404, "not-found");
    assert!(
        !quoted.json().to_string().contains("\\u0000"),
        "{}",
        quoted.text
    );
    // The connection stays open if the body was read.
    let unread = site.bare(
        "POST",
        "/fhir/Patient",
        &[("content-type", "application/fhir+json")],
        Some("{}"),
    );
    assert_eq!(
        (unread.status, unread.header("connection")),
        (401, Some("close"))
    );
    // The CapabilityStatement declares what this file tests.
    let statement = site
        .bare("GET", "/fhir/metadata", &[], None)
        .expect(200)
        .json();
    let of_patient = statement["rest"][0]["resource"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["type"] == "Patient")
        .unwrap();
    for (name, value) in [
        ("conditionalCreate", json!(true)),
        ("conditionalUpdate", json!(true)),
        ("conditionalDelete", json!("single")),
        ("conditionalRead", json!("full-support")),
        ("referencePolicy", json!(["literal", "logical"])),
    ] {
        assert_eq!(of_patient[name], value, "{name}");
    }
    assert!(
        of_patient["searchRevInclude"]
            .to_string()
            .contains("Observation:patient")
    );
}
