//! Versions in preconditions and in references.

use crate::site::{Answer, Site};
use serde_json::{Value, json};

fn condition(id: &str, text: &str) -> Value {
    json!({"resourceType": "Condition", "id": id, "subject": {"display": "ZZTEST"}, "code": {"text": text}})
}

/// Stores the resource in `n` versions, each with its number as text.
fn in_versions(site: &Site, id: &str, n: u32) {
    for version in 1..=n {
        let body = condition(id, &version.to_string());
        let stored = site.fhir("PUT", &format!("/Condition/{id}"), Some(&body));
        assert!(stored.status < 300, "{}", stored.text);
    }
}

fn version_now(site: &Site, id: &str) -> Option<String> {
    let read = site.fhir("GET", &format!("/Condition/{id}"), None);
    let version = |read: Answer| read.json()["meta"]["versionId"].as_str().map(str::to_owned);
    (read.status == 200).then(|| version(read)).flatten()
}

/// RFC 9110, 13.1.1 and 13.1.2; http.html#concurrency. Version 2 is current.
const WRITES: [(&str, &str, bool); 15] = [
    ("if-match", "W/\"2\"", true),
    ("if-match", "\"2\"", true),
    ("if-match", "W/\"1\", W/\"2\"", true),
    ("if-match", "\"2\",\"x,y\" , W/\"7\"", true),
    ("if-match", "*", true),
    ("if-match", "W/\"1\"", false),
    ("if-match", "W/\"1\", \"3\"", false),
    ("if-match", "\"no version of ours\"", false),
    ("if-match", "\"12\"", false),
    ("if-none-match", "W/\"1\"", true),
    ("if-none-match", "W/\"1\", W/\"3\"", true),
    ("if-none-match", "\"12\"", true),
    ("if-none-match", "W/\"1\", \"2\"", false),
    ("if-none-match", "W/\"2\"", false),
    ("if-none-match", "*", false),
];

/// The ways to write: a method, and the bundle's type for a write inside a bundle.
const WAYS: [(&str, &str, &str); 8] = [
    ("PUT", "/", ""),
    ("PUT", "?_id=", ""),
    ("DELETE", "/", ""),
    ("DELETE", "?_id=", ""),
    ("PUT", "/", "batch"),
    ("DELETE", "/", "batch"),
    ("PUT", "/", "transaction"),
    ("DELETE", "?_id=", "transaction"),
];

/// Returns the status of a write in one of those ways.
fn write(
    site: &Site,
    id: &str,
    (method, mark, bundle): (&str, &str, &str),
    (header, value): (&str, &str),
) -> u16 {
    let url = format!("Condition{mark}{id}");
    let body = (method == "PUT").then(|| condition(id, "written"));
    if bundle.is_empty() {
        let text = body.map(|body| body.to_string());
        let path = format!("/fhir/{url}");
        return site
            .send(method, &path, &[(header, value)], text.as_deref())
            .status;
    }
    let name = match header {
        "if-match" => "ifMatch",
        _ => "ifNoneMatch",
    };
    let mut entry = json!({"request": {"method": method, "url": url}});
    entry["request"][name] = value.into();
    if let Some(body) = body {
        entry["resource"] = body;
    }
    let bundle = json!({"resourceType": "Bundle", "type": bundle, "entry": [entry]});
    let answer = site.fhir("POST", "/", Some(&bundle));
    match answer.json()["entry"][0]["response"]["status"].as_str() {
        Some(status) => status[..3].parse().unwrap(),
        None => answer.status,
    }
}

#[test]
fn a_write_with_a_list_of_versions() {
    let site = Site::start();
    for (n, (header, value, is_met)) in WRITES.into_iter().enumerate() {
        for (m, way) in WAYS.into_iter().enumerate() {
            let (id, what) = (format!("c{n}-{m}"), format!("{way:?} {header}: {value}"));
            in_versions(&site, &id, 2);
            let status = write(&site, &id, way, (header, value));
            let is_as_before = version_now(&site, &id).as_deref() == Some("2");
            if is_met {
                assert!((200..300).contains(&status), "{what}: {status}");
                assert!(!is_as_before, "{what}");
            } else {
                assert_eq!(status, 412, "{what}");
                assert!(is_as_before, "{what}");
            }
        }
    }
}

#[test]
fn a_missing_resource_matches_no_version() {
    let site = Site::start();
    for (m, way) in WAYS.into_iter().enumerate() {
        let id = format!("gone-{m}");
        in_versions(&site, &id, 2);
        site.fhir("DELETE", &format!("/Condition/{id}"), None)
            .expect(204);
        // The search of a conditional delete finds nothing to check the condition against.
        if way.0 == "DELETE" && way.1 == "?_id=" {
            continue;
        }
        for value in ["*", "W/\"2\"", "W/\"2\", W/\"3\""] {
            let status = write(&site, &id, way, ("if-match", value));
            assert_eq!(status, 412, "{way:?} {value}");
            assert_eq!(version_now(&site, &id), None, "{way:?} {value}");
        }
        let status = write(&site, &id, way, ("if-none-match", "*"));
        assert!((200..300).contains(&status), "{way:?}: {status}");
    }
}

#[test]
fn a_malformed_list_is_reported_with_its_location() {
    let site = Site::start();
    in_versions(&site, "c", 1);
    for wrong in ["abc", "\"1", "\"1\" \"2\"", ","] {
        for way in WAYS {
            assert_eq!(
                write(&site, "c", way, ("if-match", wrong)),
                400,
                "{way:?} {wrong}"
            );
        }
        let read = site.send(
            "GET",
            "/fhir/Condition/c",
            &[("if-none-match", wrong)],
            None,
        );
        assert_eq!(read.status, 200, "a read gives the resource");
    }
    assert_eq!(version_now(&site, "c").as_deref(), Some("1"));
}

#[test]
fn a_read_in_a_batch_of_what_the_client_has() {
    let site = Site::start();
    in_versions(&site, "c", 2);
    let get = |tags: &str| json!({"request": {"method": "GET", "url": "Condition/c", "ifNoneMatch": tags}});
    let bundle = json!({"resourceType": "Bundle", "type": "batch", "entry": [
        get("W/\"1\", W/\"2\""), get("W/\"1\""), get("*")]});
    let answer = site.fhir("POST", "/", Some(&bundle)).expect(200).json();
    let status = |n: usize| answer["entry"][n]["response"]["status"].as_str().unwrap();
    assert_eq!(
        [status(0), status(1), status(2)],
        ["304 Not Modified", "200 OK", "304 Not Modified"]
    );
    assert!(answer["entry"][0].get("resource").is_none());
    assert_eq!(answer["entry"][1]["resource"]["code"]["text"], "2");
}

#[test]
fn many_writers_with_one_list_each_see_what_they_overwrite() {
    let site = Site::start();
    in_versions(&site, "c", 1);
    // Ten writers may each overwrite the first two versions: two succeed, in any order.
    let done: Vec<u16> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..10)
            .map(|n| {
                let site = &site;
                scope.spawn(move || {
                    let body = condition("c", &format!("writer {n}")).to_string();
                    let headers = [("if-match", "W/\"1\", W/\"2\"")];
                    let path = "/fhir/Condition/c";
                    site.send("PUT", path, &headers, Some(&body)).status
                })
            })
            .collect();
        writers.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let n_of = |status: u16| done.iter().filter(|one| **one == status).count();
    assert_eq!((n_of(200), n_of(412)), (2, 8), "{done:?}");
    assert_eq!(version_now(&site, "c").as_deref(), Some("3"));
}

fn task(site: &Site, id: &str, based_on: &[&str], focus: Option<&str>) {
    let references: Vec<Value> = based_on
        .iter()
        .map(|text| json!({"reference": text}))
        .collect();
    let mut body = json!({"resourceType": "Task", "id": id, "status": "draft", "intent": "order", "basedOn": references});
    if let Some(focus) = focus {
        body["focus"] = json!({"reference": focus});
    }
    site.fhir("PUT", &format!("/Task/{id}"), Some(&body))
        .expect(201);
}

/// Returns the texts of the Conditions that a search includes, and of those that match.
fn along(site: &Site, search: &str) -> Vec<String> {
    let answer = site.fhir("GET", search, None).expect(200).json();
    let entries = answer["entry"].as_array().cloned().unwrap_or_default();
    let of = entries
        .iter()
        .filter(|entry| entry["resource"]["resourceType"] == "Condition");
    let mut seen = std::collections::BTreeSet::new();
    for entry in entries.iter().map(|entry| &entry["resource"]) {
        // Bundle invariant bdl-7.
        let name = (
            entry["resourceType"].to_string(),
            entry["id"].to_string(),
            entry["meta"]["versionId"].to_string(),
        );
        assert!(seen.insert(name), "twice in {answer}");
    }
    let mut texts: Vec<String> = of
        .map(|entry| {
            let resource = &entry["resource"];
            let mode = entry["search"]["mode"].as_str().unwrap();
            format!("{mode} {}", resource["code"]["text"].as_str().unwrap())
        })
        .collect();
    texts.sort();
    texts
}

#[test]
fn an_include_follows_a_reference_to_its_version() {
    let site = Site::start();
    in_versions(&site, "c", 3);
    let base = format!("{}/fhir", site.base);
    let absolute = format!("{base}/Condition/c/_history/2");
    // search.html 3.1.1.6.5
    for (id, based_on, focus, expected) in [
        (
            "old",
            vec!["Condition/c/_history/1"],
            None,
            vec!["include 1"],
        ),
        ("now", vec!["Condition/c"], None, vec!["include 3"]),
        (
            "same",
            vec!["Condition/c/_history/3"],
            None,
            vec!["include 3"],
        ),
        ("own", vec![absolute.as_str()], None, vec!["include 2"]),
        (
            "both",
            vec!["Condition/c/_history/1", "Condition/c"],
            None,
            vec!["include 1", "include 3"],
        ),
        (
            "two",
            vec!["Condition/c/_history/1", "Condition/c/_history/2"],
            None,
            vec!["include 1", "include 2"],
        ),
        // Only the element that the parameter follows counts.
        (
            "other",
            vec!["Condition/c"],
            Some("Condition/c/_history/1"),
            vec!["include 3"],
        ),
        // That version never existed: the current one is better than none.
        (
            "none",
            vec!["Condition/c/_history/9"],
            None,
            vec!["include 3"],
        ),
    ] {
        task(&site, id, &based_on, focus);
        let path = format!("/Task?_id={id}&_include=Task:based-on");
        assert_eq!(along(&site, &path), expected, "{id}");
        let typed = format!("/Task?_id={id}&_include=Task:based-on:Condition");
        assert_eq!(along(&site, &typed), expected, "{id}");
        // In reverse, any version finds the resource.
        let reverse = format!("/Condition?_has:Task:based-on:_id={id}&_revinclude=Task:based-on");
        assert_eq!(along(&site, &reverse), ["match 3"], "{id}");
        let chain = format!("/Task?_id={id}&based-on:Condition._id=c");
        assert_eq!(
            site.fhir("GET", &chain, None).json()["entry"][0]["resource"]["id"],
            id,
            "{id}"
        );
    }
    let all = along(&site, "/Task?_id=old,now,two&_include=Task:based-on");
    assert_eq!(all, ["include 1", "include 2", "include 3"]);
    let found = site.fhir("GET", "/Task?based-on=Condition/c&_summary=count", None);
    assert_eq!(found.json()["total"], 8, "by any version");

    // A version of a resource that has since been deleted still exists.
    site.fhir("DELETE", "/Task/now", None).expect(204);
    let versioned = along(&site, "/Task?_id=old&_include=*");
    assert_eq!(versioned, ["include 1"]);
}

#[test]
fn an_include_gives_no_version_that_the_caller_may_not_see() {
    let site = Site::start();
    for id in ["a", "b"] {
        site.fhir(
            "PUT",
            &format!("/Patient/{id}"),
            Some(&json!({"resourceType": "Patient", "id": id})),
        )
        .expect(201);
    }
    let of = |patient: &str, text: &str| {
        json!({"resourceType": "Condition", "id": "c", "code": {"text": text},
            "subject": {"reference": format!("Patient/{patient}")}})
    };
    // The first version was in another patient's record.
    site.fhir("PUT", "/Condition/c", Some(&of("b", "hidden")))
        .expect(201);
    site.fhir("PUT", "/Condition/c", Some(&of("a", "shown")))
        .expect(200);
    let task = json!({"resourceType": "Task", "id": "t", "status": "draft", "intent": "order",
        "for": {"reference": "Patient/a"}, "basedOn": [{"reference": "Condition/c/_history/1"}]});
    site.fhir("PUT", "/Task/t", Some(&task)).expect(201);
    let token = site.token_for("patient/*.rs", &["a"]);
    let path = "/Task?_include=Task:based-on";
    let answer = site.with(&token, ("GET", path), None).expect(200).json();
    assert!(!answer.to_string().contains("hidden"), "{answer}");
    let whole = site.fhir("GET", path, None).expect(200).json();
    assert!(whole.to_string().contains("hidden"), "{whole}");
}
