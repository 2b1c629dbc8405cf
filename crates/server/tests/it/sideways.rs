//! Attacks on a permit for one patient: no interaction leaks another patient's data, and hidden
//! resources get the same response as missing ones.

use crate::site::{Answer, Site};
use serde_json::{Value, json};

/// Placeholders with the ids and values of the hidden patient's data; those of [`NOBODY`] do not exist.
const HIDDEN: [(&str, &str); 4] = [
    ("{P}", "zzhidden-p"),
    ("{O}", "zzhidden-o"),
    ("{F}", "Zzsecret"),
    ("{N}", "n-secret"),
];
const NOBODY: [(&str, &str); 4] = [
    ("{P}", "zznobody-p"),
    ("{O}", "zznobody-o"),
    ("{F}", "Zznobody"),
    ("{N}", "n-nobody"),
];

fn fill(template: &str, names: &[(&str, &str)]) -> String {
    names
        .iter()
        .fold(template.to_owned(), |text, (mark, name)| {
            text.replace(mark, name)
        })
}

fn patient(id: &str, family: &str, number: &str) -> Value {
    json!({ "resourceType": "Patient", "id": id, "name": [{ "family": family }],
        "identifier": [{ "system": "urn:zztest", "value": number }] })
}

fn observation(id: &str, patient: &str, text: &str) -> Value {
    json!({ "resourceType": "Observation", "id": id, "status": "final",
        "identifier": [{ "system": "urn:zztest:o", "value": format!("n-{id}") }],
        "code": { "coding": [{ "system": "urn:zztest:c", "code": text }], "text": text },
        "subject": { "reference": format!("Patient/{patient}") },
        "performer": [{ "reference": "Practitioner/d" }] })
}

fn site() -> Site {
    let site = Site::start();
    let mut own = patient("own", "Zzown", "n-own");
    let twin = patient("zzhidden-twin", "Zzsecret", "n-own");
    own["link"] = json!([{ "other": { "reference": "Patient/zzhidden-p" }, "type": "seealso" }]);
    // The same person at another source: a permit for one record does not cover the other.
    for resource in [
        json!({ "resourceType": "Practitioner", "id": "d", "name": [{ "family": "Zzdoctor" }] }),
        patient("zzhidden-p", "Zzsecret", "n-secret"),
        own,
        twin,
        observation("o-own", "own", "plain"),
        observation("zzhidden-o", "zzhidden-p", "Zzsecret"),
        observation("zzhidden-twin-o", "zzhidden-twin", "Zzsecret"),
        // First written for another patient.
        observation("moved", "zzhidden-p", "Zzsecret"),
        observation("zzhidden-gone", "own", "plain"),
    ] {
        let kind = resource["resourceType"].as_str().unwrap();
        let path = format!("/{kind}/{}", resource["id"].as_str().unwrap());
        site.fhir("PUT", &path, Some(&resource)).expect(201);
    }
    let moved = observation("moved", "own", "plain");
    site.fhir("PUT", "/Observation/moved", Some(&moved))
        .expect(200);
    let gone = observation("zzhidden-gone", "zzhidden-p", "Zzsecret");
    site.fhir("PUT", "/Observation/zzhidden-gone", Some(&gone))
        .expect(200);
    site.fhir("DELETE", "/Observation/zzhidden-gone", None)
        .expect(204);
    site
}

/// Removes the parts in which two responses of one kind differ.
fn plain(answer: &Answer, names: &[(&str, &str)]) -> (u16, String) {
    let mut text = answer.text.clone();
    for (mark, name) in names {
        text = text.replace(name, mark);
    }
    // Nested bundles contain timestamps too.
    while let Some(start) = text.find(r#""timestamp":""#) {
        let end = start + 13 + text[start + 13..].find('"').unwrap();
        text.replace_range(start..=end, "");
    }
    (answer.status, text)
}

/// Reads that must give the same response for a hidden patient as for one that does not exist.
const READS: &[&str] = &[
    "/Patient/{P}",
    "/Patient/{P}/_history",
    "/Patient/{P}/_history/1",
    "/Patient/{P}/$everything",
    "/Patient/{P}/$everything?_type=Observation",
    "/Patient/{P}/$person",
    "/Observation/{O}",
    "/Observation/{O}/_history",
    "/Observation/{O}/_history/1",
    "/Patient?_id={P}",
    "/Patient?_id={P}&_total=accurate",
    "/Patient?_id={P}&_summary=count",
    "/Patient?_id={P}&_person=true",
    "/Patient?family={F}&_total=accurate",
    "/Patient?family:contains={F}",
    "/Patient?identifier={N}",
    "/Patient?identifier=urn:zztest|{N}&_person=true",
    "/Patient?link=Patient/{P}&_total=accurate&_elements=id&_id=zz",
    "/Patient?link:Patient.family={F}",
    "/Patient?_id=own&link:Patient.identifier={N}",
    "/Patient?_has:Observation:patient:_id={O}",
    "/Patient?_has:Observation:patient:code={F}",
    "/Patient?_has:Patient:link:family={F}",
    "/Patient?_has:Observation:patient:patient._id={P}",
    "/Observation?_id={O}",
    "/Observation?patient={P}",
    "/Observation?patient={P}&_total=accurate",
    "/Observation?subject=Patient/{P}&_summary=count",
    "/Observation?subject:Patient={P}",
    "/Observation?patient={P},own&_id={O}",
    "/Observation?patient._id={P}",
    "/Observation?patient.family={F}",
    "/Observation?patient.identifier={N}&_person=true",
    "/Observation?patient.link:Patient.family={F}",
    "/Observation?patient._has:Observation:patient:code={F}",
    "/Observation?patient={P}&_include=Observation:patient&_revinclude=Provenance:target",
    "/Observation?identifier=urn:zztest:o|n-{O}&_total=estimate",
    "/Observation?code={F}&_sort=-_lastUpdated&_total=accurate",
    "/Observation?code:not={F}&_id={O}",
    "/Encounter?_has:Observation:encounter:patient={P}",
    "/Practitioner?_has:Observation:performer:patient={P}",
    "/Practitioner?_has:Observation:performer:code={F}",
];

/// Whole views that must contain nothing of another patient.
const VIEWS: &[&str] = &[
    "/Patient",
    "/Patient?_total=accurate&_include=Patient:link&_include:iterate=Patient:link",
    "/Patient?_revinclude=Observation:patient&_revinclude=Patient:link&_revinclude:iterate=Observation:patient",
    "/Patient?_person=true&_revinclude=Observation:patient",
    "/Observation?_total=accurate&_include=*",
    "/Observation?_person=true&_include=Observation:patient&_include:iterate=Patient:link",
    "/Observation?_sort=patient&_count=1",
    "/Patient/own",
    "/Patient/own/_history",
    "/Patient/own/$everything",
    "/Patient/own/$person",
    "/Observation/moved",
    "/Observation/moved/_history",
    "/Observation/moved/_history/1",
    "/Observation/zzhidden-gone",
    "/Observation/zzhidden-gone/_history",
    "/_history",
    "/Observation/_history",
    "/Patient/_history",
    "/Practitioner/d",
    "/Practitioner",
];

#[test]
fn hidden_resources_respond_like_missing_ones() {
    let site = site();
    let token = site.token_for("patient/*.cruds", &["own"]);
    for template in READS {
        let [hidden, nobody] = [HIDDEN, NOBODY].map(|names| {
            let answer = site.with(&token, ("GET", &fill(template, &names)), None);
            plain(&answer, &names)
        });
        assert_eq!(hidden, nobody, "{template}");
        assert!(hidden.0 == 200 || hidden.0 == 404, "{template} {hidden:?}");
        // The administrator's result shows that the query does match something.
        let all = site.fhir("GET", &fill(template, &HIDDEN), None);
        assert_eq!(all.status, 200, "{template}: {}", all.text);
        if let Some((path, query)) = template.split_once('?')
            && !path.contains('$')
        {
            let [hidden, nobody] = [HIDDEN, NOBODY].map(|names| {
                let call = ("POST", &*format!("{path}/_search"));
                plain(&site.with(&token, call, Some(&fill(query, &names))), &names)
            });
            assert_eq!(hidden, nobody, "POST {template}");
        }
    }
    for path in VIEWS {
        let answer = site.with(&token, ("GET", path), None);
        let own_link = r#"{"other":{"reference":"Patient/zzhidden-p"},"type":"seealso"}"#;
        let text = answer.text.replace(own_link, "");
        // A refusal may name the requested id.
        let text = text.replace(path.split('/').nth(2).unwrap_or("\0"), "");
        for secret in ["zzhidden", "Zzsecret", "n-secret", "Zzdoctor"] {
            assert!(!text.contains(secret), "{path}: {text}");
        }
    }
    for (path, total) in [
        ("/Patient?_total=accurate", 1),
        ("/Observation?_summary=count", 2),
        ("/Observation?_total=accurate&_person=true", 2),
        ("/Practitioner?_summary=count", 0),
    ] {
        let found = site.with(&token, ("GET", path), None).expect(200).json();
        assert_eq!(found["total"], total, "{path}");
    }
    site.with(&token, ("GET", "/Observation/moved/_history/1"), None)
        .refused(404, "not-found");
}

#[test]
fn no_write_reaches_or_reveals_hidden_resources() {
    let site = site();
    let token = site.token_for("patient/*.cruds", &["own"]);
    let bundle = |entries: &str| {
        format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{entries}]}}"#)
    };
    let about = |patient: &str| {
        format!(
            r#"{{"resourceType":"Observation","status":"final","code":{{"text":"x"}},"subject":{{"reference":"{patient}"}}}}"#
        )
    };
    let with_id = |body: &str, id: &str| body.replacen('{', &format!(r#"{{"id":"{id}","#), 1);
    let own = about("Patient/own");
    let entry = |resource: &str, method: &str, url: &str| {
        format!(r#"{{"resource":{resource},"request":{{"method":"{method}","url":"{url}"}}}}"#)
    };
    let writes: Vec<(&str, &str, Option<String>)> = vec![
        ("PUT", "/Observation/{O}", Some(with_id(&own, "{O}"))),
        (
            "PUT",
            "/Observation/{O}",
            Some(with_id(&about("Patient/{P}"), "{O}")),
        ),
        ("DELETE", "/Observation/{O}", None),
        ("DELETE", "/Patient/{P}", None),
        (
            "PUT",
            "/Patient/{P}",
            Some(r#"{"resourceType":"Patient","id":"{P}"}"#.to_owned()),
        ),
        ("POST", "/Observation", Some(about("Patient/{P}"))),
        (
            "PUT",
            "/Observation/o-own",
            Some(with_id(&about("Patient/{P}"), "o-own")),
        ),
        (
            "POST",
            "/Observation",
            Some(own.replace(
                r#""status""#,
                r#""performer":[{"reference":"Patient/{P}"}],"status""#,
            )),
        ),
        (
            "POST",
            "/Observation",
            Some(own.replace(
                r#""status""#,
                r#""focus":[{"reference":"Observation/{O}"}],"status""#,
            )),
        ),
        (
            "POST",
            "",
            Some(bundle(
                &entry(&own, "POST", "Observation")
                    .replace("Patient/own", "Patient?identifier={N}"),
            )),
        ),
        (
            "POST",
            "",
            Some(bundle(&entry(&about("Patient/{P}"), "POST", "Observation"))),
        ),
        (
            "POST",
            "",
            Some(bundle(&entry(
                &with_id(&own, "{O}"),
                "PUT",
                "Observation/{O}",
            ))),
        ),
        (
            "POST",
            "",
            Some(bundle(
                r#"{"request":{"method":"DELETE","url":"Observation/{O}"}}"#,
            )),
        ),
        (
            "POST",
            "",
            Some(bundle(
                r#"{"request":{"method":"GET","url":"Observation/{O}"}}"#,
            )),
        ),
        (
            "POST",
            "",
            Some(bundle(
                r#"{"request":{"method":"GET","url":"Observation?patient={P}&_total=accurate"}}"#,
            )),
        ),
        (
            "POST",
            "",
            Some(
                bundle(r#"{"request":{"method":"GET","url":"Patient/{P}"}}"#)
                    .replace("transaction", "batch"),
            ),
        ),
    ];
    for (method, path, body) in &writes {
        let [hidden, nobody] = [HIDDEN, NOBODY].map(|names| {
            let body = body.as_ref().map(|body| fill(body, &names));
            let answer = site.with(&token, (method, &fill(path, &names)), body.as_deref());
            plain(&answer, &names)
        });
        assert_eq!(hidden, nobody, "{method} {path} {body:?}");
        assert!(
            hidden.0 == 200 || 400 <= hidden.0,
            "{method} {path} {hidden:?}"
        );
    }
    // A condition sees what its caller may see: another patient's number counts as free, one's own
    // does not.
    for (number, status) in [("n-zzhidden-o", 201), ("n-free", 201), ("n-o-own", 200)] {
        let authorization = format!("Bearer {token}");
        let headers = [
            ("authorization", &*authorization),
            ("content-type", "application/fhir+json"),
            (
                "if-none-exist",
                &*format!("identifier=urn:zztest:o|{number}"),
            ),
        ];
        site.bare("POST", "/fhir/Observation", &headers, Some(&own))
            .expect(status);
    }
    for (path, version) in [
        ("/Observation/zzhidden-o", "1"),
        ("/Patient/zzhidden-p", "1"),
        ("/Observation/o-own", "1"),
    ] {
        let found = site.fhir("GET", path, None).expect(200).json();
        assert_eq!(found["meta"]["versionId"], version, "{path}");
    }
}

/// The row filter of one right does not widen another.
#[test]
fn each_entry_of_a_bundle_is_written_under_its_own_permit() {
    let site = site();
    let token = site.token_for("user/Observation.c patient/Observation.d", &["own"]);
    let create = r#"{"resource":{"resourceType":"Observation","status":"final","code":{"text":"x"}},"request":{"method":"POST","url":"Observation"}}"#;
    let bundle = |id: &str| {
        format!(
            r#"{{"resourceType":"Bundle","type":"transaction","entry":[{create},{{"request":{{"method":"DELETE","url":"Observation/{id}"}}}}]}}"#
        )
    };
    site.with(&token, ("POST", ""), Some(&bundle("zzhidden-o")))
        .refused(404, "not-found");
    site.fhir("GET", "/Observation/zzhidden-o", None)
        .expect(200);
    site.with(&token, ("POST", ""), Some(&bundle("o-own")))
        .expect(200);
    site.fhir("GET", "/Observation/o-own", None).expect(410);

    // Asking whether a resource exists is a search.
    let token = format!("Bearer {}", site.token("system/Observation.c"));
    let headers = [
        ("authorization", &*token),
        ("content-type", "application/fhir+json"),
        ("if-none-exist", "identifier=n-zzhidden-o"),
    ];
    let body = r#"{"resourceType":"Observation","status":"final","code":{"text":"x"}}"#;
    site.bare("POST", "/fhir/Observation", &headers, Some(body))
        .refused(403, "forbidden");
    site.bare("POST", "/fhir/Observation", &headers[..2], Some(body))
        .expect(201);
}

/// A permit for a person covers all of the person's records and no others.
#[test]
fn a_permit_for_a_person_covers_its_records() {
    let site = site();
    let person = site
        .fhir("GET", "/Patient/zzhidden-twin/$person", None)
        .expect(200)
        .json();
    let token = site.token_for("patient/*.rs", &[person["id"].as_str().unwrap()]);
    let count =
        |path: &str| site.with(&token, ("GET", path), None).expect(200).json()["total"].clone();
    assert_eq!(count("/Patient?_person=true&_summary=count"), 1);
    // `own` links to the other patient, so the person has three records.
    assert_eq!(count("/Patient?_summary=count"), 3);
    assert_eq!(count("/Observation?_person=true&_summary=count"), 4);
    site.with(&token, ("GET", "/Practitioner/d"), None)
        .refused(404, "not-found");
}
