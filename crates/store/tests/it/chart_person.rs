//! Equal identifiers link records to persons.

use crate::chart_fixture::{Fixture, at, permit, prepared};
use store::chart::{Batch, Change, Count, EverythingPage, HistoryOf, HistoryPage, Read};

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
fn a_batch_that_joins_many_writes_their_person_once() {
    let chart = Fixture::new();
    let chain = |n: usize| {
        let other = format!(
            r#","link":[{{"other":{{"reference":"Patient/p{}"}},"type":"replaced-by"}}]"#,
            n + 1
        );
        record(&format!("p{n}"), &[&n.to_string()], &other)
    };
    let changes = (0..200).map(|n| Change::put(format!("p{n}"), prepared(&chain(n))));
    let batch = Batch {
        changes: changes.collect(),
        ..Batch::default()
    };
    chart.apply(batch).unwrap();
    let (person, members) = chart.person("p0");
    assert_eq!(members.len(), 200);
    let latest = chart.body(&format!("Patient/{person}"));
    assert_eq!(latest.matches("seealso").count(), 200);
    let Read::Found(resource) = chart.read(&format!("Patient/{person}")) else {
        panic!("{person}");
    };
    assert_eq!(resource.version, 1);

    // When all are written at once, all but two are separated again.
    let alone = (0..200).map(|n| {
        let id = format!("p{n}");
        let body = match n {
            0 => chain(0),
            n => record(&id, &[&n.to_string()], ""),
        };
        Change::put(id, prepared(&body))
    });
    let batch = Batch {
        changes: alone.collect(),
        ..Batch::default()
    };
    chart.apply(batch).unwrap();
    assert_eq!(chart.person("p1").1, ["p0", "p1"]);
    assert_eq!(chart.person("p199").1, ["p199"]);
}

#[test]
fn a_batch_that_deletes_a_person_s_records_deletes_the_person() {
    let chart = Fixture::new();
    chart.put(&record("a", &["1"], ""));
    chart.put(&record("b", &["1"], ""));
    chart.put(&record("c", &["2"], ""));
    let person = chart.person("a").0;
    let other = chart.person("c").0;
    let changes = ["a", "b"].map(|id| Change::delete("Patient", id));
    let batch = Batch {
        changes: changes.into(),
        ..Batch::default()
    };
    chart.apply(batch).unwrap();
    assert!(matches!(
        chart.read(&format!("Patient/{person}")),
        Read::Gone { .. }
    ));
    assert_eq!(chart.person("c"), (other, vec!["c".to_owned()]));
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
    // A cycle, and a link to itself.
    chart.put(&record("a", &["1"], r#","link":[{"other":{"reference":"Patient/b"},"type":"replaced-by"},{"other":{"reference":"Patient/a"},"type":"refer"}]"#));
    assert_eq!(chart.person("b").1, ["a", "b"]);
    // A link to a record that does not exist.
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
    assert_eq!(
        all,
        [&person, "a", "b", "o-a", "o-b"],
        "the person comes first"
    );
}

fn observation(id: &str, patient: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"coding":[{{"code":"x"}}]}},"subject":{{"reference":"Patient/{patient}"}}}}"#
    )
}

/// A wrong merge and its undoing: a client that kept the second person's id must not get the first person.
#[test]
fn an_undone_merge_gives_each_person_its_records_back() {
    let chart = Fixture::new();
    chart.put(&record("a", &["1"], ""));
    chart.put(&record("b", &["2"], ""));
    for id in ["a", "b"] {
        chart.put(&observation(&format!("o-{id}"), id));
    }
    let (first, second) = (chart.person("a").0, chart.person("b").0);
    // A resource that an app wrote about the second person itself.
    chart.put(&observation("o-app", &second));
    let of = |person: &str| chart.found("Observation", &format!("patient={person}"));
    assert_eq!(of(&second), ["o-b", "o-app"]);

    chart.clock.set(at(10));
    chart.put(&record("b", &["2", "1"], ""));
    assert_eq!(of(&first), ["o-a", "o-b", "o-app"]);
    assert_eq!(of(&second), of(&first), "the retired id leads there");
    assert_eq!(chart.person(&second).0, first);
    assert_eq!(
        chart.found("Patient", "_person=true"),
        [first.as_str()],
        "a retired person is no match"
    );
    let Read::Found(golden) = chart.read(&format!("Patient/{first}")) else {
        panic!("the person is there")
    };
    assert_eq!(
        (golden.version, golden.updated),
        (2, at(10)),
        "a link moves it"
    );

    chart.clock.set(at(20));
    chart.put(&record("b", &["2"], ""));
    assert_eq!(chart.person("b"), (second.clone(), vec!["b".to_owned()]));
    assert_eq!(
        (of(&first), of(&second)),
        (
            vec!["o-a".to_owned()],
            vec!["o-b".to_owned(), "o-app".to_owned()]
        )
    );
    let page = HistoryPage {
        since: Some(at(5)),
        ..HistoryPage::default()
    };
    let of_first = HistoryOf::Resource {
        resource_type: "Patient",
        id: &first,
    };
    let history = chart.chart.history(&permit(), of_first, &page).unwrap();
    let links = history.entries.iter().map(|entry| {
        let body = String::from_utf8_lossy(&entry.resource.body).into_owned();
        (entry.resource.version, body.matches("\"other\"").count())
    });
    assert_eq!(
        links.collect::<Vec<_>>(),
        [(3, 1), (2, 2)],
        "links have versions"
    );
}

#[test]
fn what_comes_along_is_the_person() {
    let chart = Fixture::new();
    chart.put(&record("a", &["1"], ""));
    chart.put(&record("b", &["1"], ""));
    for id in ["a", "b"] {
        chart.put(&observation(&format!("o-{id}"), id));
    }
    let person = chart.person("a").0;
    for (resource_type, text, matches, included) in [
        (
            "Observation",
            "_include=Observation:patient",
            "o-a o-b",
            "a b",
        ),
        (
            "Observation",
            "_include=Observation:patient&_person=true",
            "o-a o-b",
            &*person,
        ),
        (
            "Observation",
            &*format!("patient={person}&_include=Observation:subject"),
            "o-a o-b",
            &*person,
        ),
        (
            "Patient",
            "_revinclude=Observation:patient",
            "a b",
            "o-a o-b",
        ),
        (
            "Patient",
            "_revinclude=Observation:patient&_person=true",
            &*person,
            "o-a o-b",
        ),
        ("Patient", "_id=b&_person=true", &*person, ""),
        ("Patient", "_id=b", "b", ""),
        (
            "Patient",
            "_person=true&_include=Patient:link",
            &*person,
            "a b",
        ),
        ("Observation", "_person=true&_sort=patient", "o-a o-b", ""),
        ("Observation", "_person=true&_sort=-patient", "o-b o-a", ""),
    ] {
        let page = chart.search(resource_type, text);
        let ids = |found: &[store::chart::Resource]| {
            found
                .iter()
                .map(|one| one.id.clone())
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(
            (&*ids(&page.matches), &*ids(&page.included)),
            (matches, included),
            "{resource_type}?{text}"
        );
    }
}

/// If an inner search has too many hits, chains and `_has` are evaluated resource by resource.
#[test]
fn many_persons_are_chained_to_one_by_one() {
    let chart = Fixture::new();
    let mut batch = Batch::default();
    let mut add = |text: &str, id: String| {
        batch.changes.push(Change::put(id, prepared(text)));
    };
    for n in 0..1400 {
        for source in ["a", "b"] {
            let id = format!("{source}{n}");
            // Only the second record has the gender; the person gets it from there.
            let gender = if source == "b" {
                r#","gender":"female""#
            } else {
                ""
            };
            // Zero is a placeholder, and joins nobody.
            add(&record(&id, &[&format!("{}", n + 1)], gender), id);
        }
    }
    for n in 0..5000 {
        let patient = format!("a{}", n % 1400);
        let id = format!("o{n}");
        add(&observation(&id, &patient), id);
    }
    chart.apply(batch).unwrap();
    let total = |resource_type: &str, text: &str| {
        chart
            .search(resource_type, &format!("{text}&_summary=count"))
            .total
    };
    assert_eq!(
        total(
            "Observation",
            "patient.gender:not=male&patient.gender=female"
        ),
        Some(Count::Exact(0))
    );
    assert_eq!(
        total("Observation", "patient.gender=female&_person=true"),
        Some(Count::Exact(5000))
    );
    assert_eq!(
        total("Observation", "patient.active=true&_person=true"),
        Some(Count::Exact(5000))
    );
    assert_eq!(
        total("Observation", "patient.gender:missing=true&_person=true"),
        Some(Count::Exact(0))
    );
    assert_eq!(
        total("Patient", "_has:Observation:patient:code=x&_person=true"),
        Some(Count::Exact(1400))
    );
    assert_eq!(
        total("Patient", "_has:Observation:patient:code=x"),
        Some(Count::Exact(1400))
    );
}
