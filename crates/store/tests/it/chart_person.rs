//! Equal identifiers link records to persons.

use crate::chart_fixture::{Fixture, permit};
use store::chart::{Change, EverythingPage, Read};

fn record(id: &str, numbers: &[&str], more: &str) -> String {
    let identifiers: Vec<String> = numbers
        .iter()
        .map(|n| {
            format!(
                r#"{{"type":{{"coding":[{{"code":"MR"}}]}},"system":"urn:zztest","value":"{n}"}}"#
            )
        })
        .collect();
    format!(
        r#"{{"resourceType":"Patient","id":"{id}","identifier":[{}]{more}}}"#,
        identifiers.join(",")
    )
}

impl Fixture {
    fn person(&self, id: &str) -> (String, Vec<String>) {
        let person = self.chart.person_of(&permit(), id).unwrap().unwrap();
        (person.id, person.members)
    }
}

#[test]
fn equal_identifiers_join_and_the_oldest_person_stays() {
    let chart = Fixture::new();
    chart.put(&record("a", &["1"], r#","gender":"female""#));
    chart.put(&record("b", &["2"], r#","birthDate":"1980""#));
    let (first, second) = (chart.person("a").0, chart.person("b").0);
    assert_ne!(first, second);
    let before = chart.body("Patient/a");

    chart.put(&record("c", &["1", "2"], ""));
    let (joined, members) = chart.person("c");
    assert_eq!(
        (joined.as_str(), members.join(" ").as_str()),
        (first.as_str(), "a b c")
    );
    assert_eq!(
        chart.person(&first).1,
        ["a", "b", "c"],
        "by the person's own id"
    );
    assert_eq!(
        chart.body("Patient/a"),
        before,
        "source records are never touched"
    );
    let golden = chart.body(&format!("Patient/{first}"));
    for part in [
        "\"code\":\"person\"",
        "\"gender\":\"female\"",
        "\"birthDate\":\"1980\"",
        "Patient/c",
    ] {
        assert!(golden.contains(part), "{part} in {golden}");
    }
    let retired = chart.body(&format!("Patient/{second}"));
    assert!(
        retired.contains("replaced-by") && retired.contains(&first),
        "{retired}"
    );

    // Two views: the sources' records, or the persons.
    assert_eq!(chart.found("Patient", "identifier=1"), ["a", "c"]);
    assert_eq!(
        chart.found("Patient", "identifier=1&_person=true"),
        [first.as_str()]
    );
    assert_eq!(
        chart.found("Patient", "birthdate=1980&_person=true"),
        [first.as_str()]
    );
}

#[test]
fn taking_the_identifier_away_undoes_it() {
    let chart = Fixture::new();
    chart.put(&record("a", &["1"], ""));
    chart.put(&record("b", &["1"], ""));
    let (person, members) = chart.person("a");
    assert_eq!(members, ["a", "b"]);
    chart.put(&record("b", &["9"], ""));
    assert_eq!(chart.person("a"), (person.clone(), vec!["a".to_owned()]));
    assert_ne!(chart.person("b").0, person);
    chart.change(Change::delete("Patient", "a")).unwrap();
    assert!(matches!(
        chart.read(&format!("Patient/{person}")),
        Read::Gone { .. }
    ));
}

#[test]
fn a_link_of_the_record_itself_joins() {
    let chart = Fixture::new();
    chart.put(&record("a", &["1"], ""));
    chart.put(&record(
        "b",
        &["2"],
        r#","link":[{"other":{"reference":"Patient/a"},"type":"replaced-by"}]"#,
    ));
    assert_eq!(chart.person("a").1, ["a", "b"]);
    // In a circle, and to itself.
    chart.put(&record("a", &["1"], r#","link":[{"other":{"reference":"Patient/b"},"type":"replaced-by"},{"other":{"reference":"Patient/a"},"type":"refer"}]"#));
    assert_eq!(chart.person("b").1, ["a", "b"]);
    // To one never seen.
    chart.put(&record(
        "c",
        &["3"],
        r#","link":[{"other":{"reference":"Patient/never"},"type":"replaced-by"}]"#,
    ));
    assert_eq!(chart.person("c").1, ["c"]);
}

#[test]
fn an_identifier_that_everybody_has_joins_nobody() {
    let chart = Fixture::new();
    for n in 0..70 {
        chart.put(&record(&format!("p{n}"), &["0000", &format!("own{n}")], ""));
    }
    assert_eq!(chart.person("p69").1, ["p69"]);
}

#[test]
fn a_person_is_not_written_to_and_stands_for_its_records() {
    let chart = Fixture::new();
    chart.put(&record("a", &["1"], ""));
    chart.put(&record("b", &["1"], ""));
    for id in ["a", "b"] {
        chart.put(&format!(
            r#"{{"resourceType":"Observation","id":"o-{id}","status":"final","code":{{"text":"x"}},"subject":{{"reference":"Patient/{id}"}},"performer":[{{"reference":"Practitioner/d"}}]}}"#
        ));
    }
    chart.put(r#"{"resourceType":"Practitioner","id":"d"}"#);
    let (person, _) = chart.person("a");
    let body = crate::chart_fixture::prepared(&record(&person, &[], ""));
    assert!(chart.change(Change::put(person.clone(), body)).is_err());
    assert_eq!(chart.found("Observation", "patient=a"), ["o-a"]);
    assert_eq!(
        chart.found("Observation", &format!("patient={person}")),
        ["o-a", "o-b"]
    );

    let everything = |ids: &[&str], page: &EverythingPage| {
        let ids: Vec<String> = ids.iter().map(|&id| id.to_owned()).collect();
        chart.chart.everything(&permit(), &ids, page).unwrap()
    };
    let page = everything(&["a"], &EverythingPage::default());
    let found: Vec<_> = page.matches.iter().map(|r| r.id.as_str()).collect();
    assert_eq!(found, ["a", "o-a"]);
    assert_eq!(page.included[0].id, "d");
    let mut page = EverythingPage {
        count: 2,
        ..EverythingPage::default()
    };
    let mut all = Vec::new();
    loop {
        let found = everything(&[&person], &page);
        all.extend(found.matches.into_iter().map(|r| r.id));
        match found.next {
            Some(next) => page.cursor = Some(next),
            None => break,
        }
    }
    // Patients come first, the oldest first.
    assert_eq!(all, ["a", &person, "b", "o-a", "o-b"]);
}
