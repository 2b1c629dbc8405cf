//! FHIR REST as specified in http.html, through a real socket.

use crate::site::Site;
use serde_json::{Value, json};

fn patient(family: &str) -> Value {
    json!({
        "resourceType": "Patient",
        "identifier": [{ "system": "urn:oid:2.16.840.1.113883.19.5", "value": family }],
        "name": [{ "family": family, "given": ["Test"] }],
        "birthDate": "1980-02-03",
        "gender": "female"
    })
}

fn observation(patient: &str, value: f64, date: &str) -> Value {
    json!({
        "resourceType": "Observation",
        "status": "final",
        "code": { "coding": [{ "system": "http://loinc.org", "code": "718-7" }] },
        "subject": { "reference": format!("Patient/{patient}") },
        "effectiveDateTime": date,
        "valueQuantity": { "value": value, "unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL" }
    })
}

fn created(site: &Site, resource: &Value) -> String {
    let kind = resource["resourceType"].as_str().unwrap();
    let answer = site
        .fhir("POST", &format!("/{kind}"), Some(resource))
        .expect(201);
    answer.json()["id"].as_str().unwrap().to_owned()
}

fn ids(bundle: &Value) -> Vec<String> {
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    entries
        .iter()
        .map(|entry| entry["resource"]["id"].as_str().unwrap_or("").to_owned())
        .collect()
}

#[test]
fn the_life_cycle_of_a_resource() {
    let site = Site::start();
    let answer = site
        .fhir("POST", "/Patient", Some(&patient("Zzalpha")))
        .expect(201);
    assert_eq!(answer.header("etag"), Some("W/\"1\""));
    let location = answer.header("location").unwrap().to_owned();
    assert!(location.ends_with("/_history/1"), "{location}");
    let mut body = answer.json();
    let id = body["id"].as_str().unwrap().to_owned();
    assert_eq!(body["meta"]["versionId"], "1");

    let read = site
        .fhir("GET", &format!("/Patient/{id}"), None)
        .expect(200);
    assert_eq!(read.json()["name"][0]["family"], "Zzalpha");
    let same = site.send(
        "GET",
        &format!("/fhir/Patient/{id}"),
        &[("if-none-match", "W/\"1\"")],
        None,
    );
    same.expect(304);

    body["gender"] = json!("other");
    let path = format!("/fhir/Patient/{id}");
    let text = body.to_string();
    let updated = site
        .send("PUT", &path, &[("if-match", "W/\"1\"")], Some(&text))
        .expect(200);
    assert_eq!(updated.header("etag"), Some("W/\"2\""));
    site.send("PUT", &path, &[("if-match", "W/\"1\"")], Some(&text))
        .refused(412, "conflict");
    site.send("PUT", &path, &[("if-match", "yes")], Some(&text))
        .refused(400, "value");

    let first = site
        .fhir("GET", &format!("/Patient/{id}/_history/1"), None)
        .expect(200);
    assert_eq!(first.json()["gender"], "female");
    site.fhir("GET", &format!("/Patient/{id}/_history/9"), None)
        .refused(404, "not-found");

    site.fhir("DELETE", &format!("/Patient/{id}"), None)
        .expect(204);
    site.fhir("GET", &format!("/Patient/{id}"), None)
        .refused(410, "deleted");
    let history = site
        .fhir("GET", &format!("/Patient/{id}/_history"), None)
        .expect(200)
        .json();
    let methods: Vec<&str> = history["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["request"]["method"].as_str().unwrap())
        .collect();
    assert_eq!(methods, ["DELETE", "PUT", "POST"]);

    site.send("PUT", &path, &[], Some(&text)).expect(201);
    site.fhir("GET", &format!("/Patient/{id}"), None)
        .expect(200);
}

#[test]
fn bodies_are_returned_as_sent() {
    let site = Site::start();
    let body = r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.00},"extension":[{"url":"http://example.org/unknown","valueString":"kept"}]}"#;
    let answer = site
        .send("POST", "/fhir/Observation", &[], Some(body))
        .expect(201);
    assert!(answer.text.contains("\"value\":1.00"), "{}", answer.text);
    assert!(answer.text.contains("http://example.org/unknown"));
}

#[test]
fn errors_are_refused_with_their_location_and_nothing_is_stored() {
    let site = Site::start();
    site.send("POST", "/fhir/Patient", &[], Some("{"))
        .refused(400, "structure");
    site.send("POST", "/fhir/Patient", &[], Some("[]"))
        .refused(400, "structure");
    site.send(
        "POST",
        "/fhir/Patient",
        &[],
        Some(r#"{"resourceType":"Observation"}"#),
    )
    .refused(400, "invalid");
    site.send(
        "POST",
        "/fhir/Patients",
        &[],
        Some(r#"{"resourceType":"Patients"}"#),
    )
    .expect(404);
    let wrong =
        json!({ "resourceType": "Patient", "birthDate": "3. Mai", "gender": "f", "nonsense": 1 });
    let outcome = site
        .fhir("POST", "/Patient", Some(&wrong))
        .expect(422)
        .json();
    let places = outcome.to_string();
    for place in ["Patient.birthDate", "Patient.gender", "nonsense"] {
        assert!(places.contains(place), "{place} is not in {places}");
    }
    let dangling = observation("nobody", 1.0, "2026-01-01");
    let outcome = site
        .fhir("POST", "/Observation", Some(&dangling))
        .refused(422, "not-found")
        .json();
    assert_eq!(
        outcome["issue"][0]["expression"][0],
        "Observation.subject.reference"
    );
    site.send(
        "POST",
        "/fhir/Patient",
        &[("content-type", "application/fhir+xml")],
        Some("<Patient/>"),
    )
    .refused(415, "not-supported");
    site.send(
        "GET",
        "/fhir/Patient",
        &[("accept", "application/fhir+xml")],
        None,
    )
    .refused(406, "not-supported");
    site.fhir(
        "PUT",
        "/Patient/a",
        Some(&json!({ "resourceType": "Patient", "id": "b" })),
    )
    .refused(400, "invalid");
    site.fhir(
        "PUT",
        "/Patient/a_b",
        Some(&json!({ "resourceType": "Patient", "id": "a_b" })),
    )
    .refused(400, "value");
    site.fhir("PATCH", "/Patient/a", Some(&json!({})))
        .refused(501, "not-supported");
    site.fhir("GET", "/Patient/a/$nonsense", None)
        .refused(501, "not-supported");
    site.fhir("GET", "/nothing/here/at/all", None)
        .refused(404, "not-found");
    let found = site
        .fhir("GET", "/Patient?_total=accurate", None)
        .expect(200)
        .json();
    assert_eq!(found["total"], 0);
}

#[test]
fn searches() {
    let site = Site::start();
    let a = created(&site, &patient("Zzalpha"));
    let b = created(&site, &patient("Zzbeta"));
    for (n, value) in [11.0, 12.5, 14.0].into_iter().enumerate() {
        created(
            &site,
            &observation(&a, value, &format!("2026-01-0{}", n + 1)),
        );
    }
    created(&site, &observation(&b, 9.0, "2026-02-01"));
    let found = |query: &str| ids(&site.fhir("GET", query, None).expect(200).json());
    let count = |query: &str| found(query).len();
    assert_eq!(found("/Patient?family=zzal"), [a.clone()]);
    assert_eq!(
        found("/Patient?identifier=urn:oid:2.16.840.1.113883.19.5|Zzbeta"),
        [b.clone()]
    );
    assert_eq!(count("/Patient?birthdate=1980"), 2);
    assert_eq!(count("/Patient?birthdate=gt1980-02-03"), 0);
    assert_eq!(count(&format!("/Observation?patient={a}")), 3);
    assert_eq!(
        count(&format!(
            "/Observation?subject=Patient/{a}&code=http://loinc.org|718-7"
        )),
        3
    );
    assert_eq!(count("/Observation?value-quantity=gt12"), 2);
    assert_eq!(count("/Observation?date=ge2026-01-02&date=lt2026-02-01"), 2);
    assert_eq!(count("/Observation?subject:Patient.identifier=Zzalpha"), 3);
    assert_eq!(count("/Observation?patient.family=Zzbeta"), 1);
    assert_eq!(
        count("/Patient?_has:Observation:patient:value-quantity=lt10"),
        1
    );
    assert_eq!(found(&format!("/Patient?_id={b}")), [b.clone()]);
    assert_eq!(count("/Patient?_lastUpdated=gt2020"), 2);

    let bundle = site
        .fhir(
            "GET",
            &format!("/Observation?patient={a}&_sort=-date&_include=Observation:patient"),
            None,
        )
        .json();
    let entries = bundle["entry"].as_array().unwrap();
    let values: Vec<f64> = entries
        .iter()
        .filter_map(|entry| entry["resource"]["valueQuantity"]["value"].as_f64())
        .collect();
    assert_eq!(values, [14.0, 12.5, 11.0]);
    let modes: Vec<&str> = entries
        .iter()
        .map(|entry| entry["search"]["mode"].as_str().unwrap())
        .collect();
    assert_eq!(modes, ["match", "match", "match", "include"]);
    assert_eq!(
        count(&format!("/Patient?_id={a}&_revinclude=Observation:patient")),
        4
    );

    let by_post = site.send(
        "POST",
        "/fhir/Observation/_search",
        &[("content-type", "application/x-www-form-urlencoded")],
        Some(&format!("patient={a}&_summary=count")),
    );
    let counted = by_post.expect(200).json();
    assert_eq!(
        (counted["total"].clone(), counted["entry"].is_null()),
        (json!(3), true)
    );
}

#[test]
fn pages_have_each_resource_once() {
    let site = Site::start();
    for n in 0..25 {
        created(&site, &patient(&format!("Zz{n:02}")));
    }
    let mut seen = Vec::new();
    let mut path = "/fhir/Patient?_count=10&_sort=family".to_owned();
    loop {
        let bundle = site.send("GET", &path, &[], None).expect(200).json();
        seen.extend(ids(&bundle));
        let next = bundle["link"]
            .as_array()
            .unwrap()
            .iter()
            .find(|link| link["relation"] == "next");
        match next {
            Some(link) => path = link["url"].as_str().unwrap().replace(&site.base, ""),
            None => break,
        }
    }
    assert_eq!(seen.len(), 25);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 25);
    site.fhir("GET", "/Patient?_cursor=made-up", None)
        .refused(400, "value");
}

#[test]
fn unknown_parameters_are_never_ignored_silently() {
    let site = Site::start();
    created(&site, &patient("Zzalpha"));
    let strict = site.send(
        "GET",
        "/fhir/Patient?favourite=blue",
        &[("prefer", "handling=strict")],
        None,
    );
    strict.refused(400, "not-supported");
    let bundle = site
        .fhir("GET", "/Patient?favourite=blue&family=zz", None)
        .expect(200)
        .json();
    let own = bundle["link"][0]["url"].as_str().unwrap();
    assert!(
        own.contains("family=zz") && !own.contains("favourite"),
        "{own}"
    );
    let outcome = bundle["entry"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["search"]["mode"] == "outcome")
        .unwrap();
    assert!(outcome.to_string().contains("favourite"));
    site.fhir("GET", "/Patient?birthdate=yesterday", None)
        .refused(400, "value");
    site.fhir("GET", "/Observation?code:text=x", None)
        .refused(400, "not-supported");
}

#[test]
fn a_transaction_is_all_or_nothing() {
    let site = Site::start();
    let bundle = |value: f64, subject: &str| {
        let mut two = observation("x", value, "2026-01-01");
        two["subject"]["reference"] = json!(subject);
        json!({
            "resourceType": "Bundle", "type": "transaction",
            "entry": [
                { "fullUrl": "urn:uuid:2", "resource": two, "request": { "method": "POST", "url": "Observation" } },
                { "fullUrl": "urn:uuid:1", "resource": patient("Zzgamma"), "request": { "method": "POST", "url": "Patient", "ifNoneExist": "identifier=Zzgamma" } },
            ]
        })
    };
    let answer = site
        .fhir("POST", "", Some(&bundle(12.0, "urn:uuid:1")))
        .expect(200)
        .json();
    assert_eq!(answer["type"], "transaction-response");
    assert_eq!(answer["entry"][0]["response"]["status"], "201 Created");
    let location = answer["entry"][0]["response"]["location"]
        .as_str()
        .unwrap()
        .replace(&site.base, "");
    let stored = site.send("GET", &location, &[], None).expect(200).json();
    let subject = stored["subject"]["reference"].as_str().unwrap().to_owned();
    assert!(subject.starts_with("Patient/"), "{subject}");

    // Sent again: the patient exists already, the observation is new.
    let again = site
        .fhir("POST", "", Some(&bundle(13.0, "urn:uuid:1")))
        .expect(200)
        .json();
    assert_eq!(again["entry"][1]["response"]["status"], "200 OK");
    let found = site
        .fhir("GET", &format!("/Observation?subject={subject}"), None)
        .json();
    assert_eq!(ids(&found).len(), 2);

    site.fhir("POST", "", Some(&bundle(14.0, "urn:uuid:nobody")))
        .refused(422, "not-found");
    let found = site
        .fhir("GET", "/Observation?_total=accurate", None)
        .json();
    assert_eq!(found["total"], 2);

    let mut batch = bundle(15.0, "urn:uuid:nobody");
    batch["type"] = json!("batch");
    batch["entry"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "request": { "method": "GET", "url": "Patient?family=Zzgamma" } }));
    let answer = site.fhir("POST", "", Some(&batch)).expect(200).json();
    let statuses: Vec<&str> = answer["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["response"]["status"].as_str().unwrap())
        .collect();
    assert_eq!(statuses, ["422 Unprocessable Entity", "200 OK", "200 OK"]);
}

#[test]
fn everything_of_a_patient_and_of_a_person() {
    let site = Site::start();
    let a = created(&site, &patient("Zzalpha"));
    created(&site, &observation(&a, 12.0, "2026-01-01"));
    let everything = site
        .fhir("GET", &format!("/Patient/{a}/$everything"), None)
        .expect(200)
        .json();
    assert_eq!(ids(&everything).len(), 2);
    site.fhir("GET", "/Patient/nobody/$everything", None)
        .refused(404, "not-found");

    // The same identifier in another record: one person.
    let twin = created(&site, &patient("Zzalpha"));
    created(&site, &observation(&twin, 13.0, "2026-01-02"));
    let person = site
        .fhir("GET", &format!("/Patient/{a}/$person"), None)
        .expect(200)
        .json();
    let id = person["id"].as_str().unwrap();
    assert_eq!(person["link"].as_array().unwrap().len(), 2);
    let all = site
        .fhir("GET", &format!("/Patient/{id}/$everything"), None)
        .expect(200)
        .json();
    let observations = ids(&all).len();
    assert!(4 <= observations, "{all}");
}

#[test]
fn access_requires_a_token_and_every_access_is_audited() {
    let site = Site::start();
    let id = created(&site, &patient("Zzalpha"));
    for path in [
        "/fhir/Patient",
        "/fhir/Patient/x",
        "/fhir",
        "/api/messages",
        "/api/flows",
        "/metrics",
    ] {
        let answer = site.bare("GET", path, &[], None);
        assert_eq!(answer.status, 401, "{path}");
    }
    site.bare("GET", "/fhir/metadata", &[], None).expect(200);
    site.bare("GET", "/healthz", &[], None).expect(200);
    site.bare("GET", "/readyz", &[], None).expect(200);
    site.bare(
        "GET",
        &format!("/fhir/Patient/{id}"),
        &[("authorization", "Bearer made-up")],
        None,
    )
    .refused(401, "login");

    let reader = format!("Bearer {}", site.token("system/Patient.r"));
    let path = format!("/fhir/Patient/{id}");
    site.bare("GET", &path, &[("authorization", &reader)], None)
        .expect(200);
    site.bare("DELETE", &path, &[("authorization", &reader)], None)
        .refused(403, "forbidden");
    site.bare(
        "GET",
        "/fhir/Observation",
        &[("authorization", &reader)],
        None,
    )
    .refused(403, "forbidden");
    site.bare("GET", "/api/messages", &[("authorization", &reader)], None)
        .refused(403, "forbidden");

    let filter = store::audit::Filter {
        patient: Some(id.clone()),
        ..Default::default()
    };
    let page = store::audit::Page {
        before: None,
        limit: 10,
    };
    let mut actions = Vec::new();
    for _ in 0..100 {
        actions = site
            .audit
            .entries(&filter, page)
            .unwrap()
            .rows
            .into_iter()
            .map(|row| row.entry.action)
            .collect();
        if actions.contains(&"read".to_owned()) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(actions.contains(&"read".to_owned()), "{actions:?}");
}
