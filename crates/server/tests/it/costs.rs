//! The limits of one request: a bundle's entries and response size, a search's parameters.

use crate::site::Site;
use serde_json::{Value, json};

fn get(url: &str) -> Value {
    json!({"request": {"method": "GET", "url": url}})
}

fn bundle(kind: &str, entries: &[Value]) -> Value {
    json!({"resourceType": "Bundle", "type": kind, "entry": entries})
}

/// Stores forty Observations of about eight kilobytes each.
fn filled() -> Site {
    let site = Site::start();
    for n in 0..40 {
        let body = json!({"resourceType": "Observation", "id": format!("o{n}"), "status": "final",
            "code": {"text": "x"}, "note": [{"text": "y".repeat(8 << 10)}]});
        site.fhir("PUT", &format!("/Observation/o{n}"), Some(&body))
            .expect(201);
    }
    site
}

#[test]
fn a_bundle_with_too_many_entries_is_refused() {
    let site = Site::start();
    for kind in ["batch", "transaction"] {
        let of = |n: usize| bundle(kind, &vec![get("Patient?_summary=count"); n]);
        site.fhir("POST", "/", Some(&of(500))).expect(200);
        let refused = site
            .fhir("POST", "/", Some(&of(501)))
            .refused(413, "too-costly");
        let words = refused.json()["issue"][0]["diagnostics"].to_string();
        for part in ["501", "500", "http.max_bundle_entries"] {
            assert!(words.contains(part), "{words}");
        }
    }
}

#[test]
fn a_bundle_response_is_bounded_and_reports_what_did_not_fit() {
    let site = filled();
    for kind in ["batch", "transaction"] {
        let mut entries = vec![get("Observation?_count=40"); 300];
        let body = json!({"resourceType": "Patient", "gender": "other"});
        entries.push(json!({"resource": body, "request": {"method": "POST", "url": "Patient"}}));
        entries.push(get("Observation/o1"));
        let answer = site.fhir("POST", "/", Some(&bundle(kind, &entries)));
        let answer = answer.expect(200);
        // 300 searches of 330 kB each would be 99 MB; the limit is 1 MB.
        assert!(answer.text.len() < 2 << 20, "{} bytes", answer.text.len());
        let answer = answer.json();
        let entries = answer["entry"].as_array().unwrap();
        let status = |n: usize| entries[n]["response"]["status"].as_str().unwrap();
        assert_eq!(entries.len(), 302);
        assert_eq!(status(0), "200 OK");
        assert_eq!(status(299), "413 Content Too Large");
        let outcome = &entries[299]["response"]["outcome"]["issue"][0];
        assert_eq!(outcome["code"], "too-costly");
        let words = outcome["diagnostics"].as_str().unwrap();
        assert!(
            words.contains("1 MB") && words.contains("http.max_bundle_answer_mb"),
            "{words}"
        );
        assert_eq!(
            status(300),
            "201 Created",
            "a write takes no space in the response"
        );
        assert_eq!(status(301), "413 Content Too Large");
    }
    // Searches that were not run are not in the audit log.
    let log = site.fhir("GET", "/Patient?_summary=count", None).json();
    assert_eq!(log["total"], 2);
}

#[test]
fn a_search_by_post_with_too_many_parameters_is_refused() {
    let site = Site::start();
    let ask = |n: usize| {
        let body = "gender=male&".repeat(n);
        let token = site.token("system/*.rs");
        site.with(&token, ("POST", "/Patient/_search"), Some(&body))
    };
    ask(20).expect(200);
    ask(1_001).refused(400, "too-costly");
}
