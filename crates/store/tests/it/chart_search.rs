//! Compares the index with the reference matcher, on random resources and random queries, after updates and
//! deletes; paging; sorting.

use crate::chart_fixture::{Fixture, at, ids, permit, prepared, query};
use fhir::json::Document;
use proptest::prelude::*;
use search::{Extraction, Matcher};
use std::collections::BTreeMap;
use store::chart::{Change, Count, Limits, Read};

/// One step in the life of a chart: a resource with its random choices, or its deletion.
pub(crate) type Step = (u8, u8, [u8; 6], bool);

fn pick<'a>(of: &[&'a str], choice: u8) -> &'a str {
    of[usize::from(choice) % of.len()]
}

/// Makes a resource of a few types and values, so that queries hit.
pub(crate) fn body(kind: u8, n: u8, c: [u8; 6]) -> (String, String, String) {
    let id = format!("r{}", n % 6);
    let patient = format!("Patient/r{}", c[0] % 6);
    let day = [
        "2024",
        "2024-05",
        "2024-05-01",
        "2024-05-01T10:30:00Z",
        "2023-12-31T23:59:59+02:00",
    ];
    let system = |c| pick(&["http://loinc.org", "urn:zztest:a", "urn:zztest:b"], c);
    let code = |c| pick(&["8302-2", "29463-7", "a", "A", "final"], c);
    let name = |c| {
        pick(
            &[
                "Müller",
                "Muller",
                "Testpatient",
                "O'Test",
                "TEST",
                "Zz Test",
            ],
            c,
        )
    };
    let value = |c| pick(&["1", "5.4", "5.40", "-3", "100", "0.001", "5.45"], c);
    let (resource_type, rest) = match kind % 5 {
        0 => {
            let identifier = match c[1] % 3 {
                0 => String::new(),
                _ => format!(
                    r#","identifier":[{{"system":"{}","value":"{}"}}]"#,
                    system(c[1]),
                    code(c[2])
                ),
            };
            let birth = pick(
                &["", r#","birthDate":"1980-02-03""#, r#","birthDate":"1980""#],
                c[3],
            );
            let gender = pick(&["", r#","gender":"female""#, r#","gender":"male""#], c[4]);
            let organization = match c[5] % 2 {
                0 => String::new(),
                _ => format!(
                    r#","managingOrganization":{{"reference":"Organization/r{}"}}"#,
                    c[5] % 3
                ),
            };
            (
                "Patient",
                format!(
                    r#","name":[{{"family":"{}","given":["{}"]}}]{identifier}{birth}{gender}{organization}"#,
                    name(c[0]),
                    name(c[1].wrapping_add(1))
                ),
            )
        }
        1 => {
            let value = match c[3] % 4 {
                0 => String::new(),
                1 => format!(r#","valueString":"{}""#, name(c[4])),
                2 => format!(
                    r#","valueCodeableConcept":{{"coding":[{{"code":"{}"}}]}}"#,
                    code(c[4])
                ),
                _ => format!(
                    r#","valueQuantity":{{"value":{},"unit":"mg","system":"http://unitsofmeasure.org","code":"{}"}}"#,
                    value(c[4]),
                    pick(&["mg", "kg"], c[5])
                ),
            };
            let second = match c[5] % 3 {
                0 => format!(r#",{{"code":"{}"}}"#, code(c[5])),
                _ => String::new(),
            };
            (
                "Observation",
                format!(
                    r#","status":"{}","code":{{"coding":[{{"system":"{}","code":"{}"}}{second}]}},"subject":{{"reference":"{patient}"}},"effectiveDateTime":"{}"{value}"#,
                    pick(&["final", "amended"], c[1]),
                    system(c[2]),
                    code(c[2]),
                    day[usize::from(c[3]) % 5]
                ),
            )
        }
        2 => (
            "Encounter",
            format!(
                r#","status":"finished","class":{{"code":"AMB"}},"subject":{{"reference":"{patient}"}},"period":{{"start":"{}"{}}}"#,
                day[usize::from(c[1]) % 5],
                pick(
                    &[
                        "",
                        r#","end":"2024-06-01""#,
                        r#","end":"2024-05-01T11:00:00Z""#
                    ],
                    c[2]
                )
            ),
        ),
        3 => (
            "Organization",
            format!(
                r#","name":"{}"{}"#,
                name(c[0]),
                match c[1] % 2 {
                    0 => String::new(),
                    _ => format!(r#","partOf":{{"reference":"Organization/r{}"}}"#, c[1] % 6),
                }
            ),
        ),
        _ => (
            "RiskAssessment",
            format!(
                r#","status":"final","subject":{{"reference":"{patient}"}},"prediction":[{{"probabilityDecimal":{}}}]"#,
                value(c[1])
            ),
        ),
    };
    let text = format!(r#"{{"resourceType":"{resource_type}","id":"{id}"{rest}}}"#);
    (resource_type.to_owned(), id, text)
}

/// Every kind of parameter, with every prefix and modifier that it takes.
pub(crate) const QUERIES: &[(&str, &[&str])] = &[
    (
        "Patient",
        &[
            "",
            "_id=r1",
            "_id=r1,r2,r9",
            "family=mul",
            "family=müller",
            "family:exact=Müller",
            "family:contains=test",
            "name=o",
            "name=zz",
            "name:exact=TEST",
            "identifier=a",
            "identifier=urn:zztest:a|a",
            "identifier=urn:zztest:a|",
            "identifier=|a",
            "identifier=a,A",
            "identifier:missing=true",
            "identifier:missing=false",
            "gender=female",
            "gender:not=female",
            "gender=female,male",
            "birthdate=1980",
            "birthdate=ge1980-02",
            "birthdate=lt1980-02-03",
            "birthdate=ne1980",
            "birthdate=sa1979",
            "birthdate=eb1981",
            "birthdate:missing=true",
            "organization=Organization/r1",
            "organization=r1",
            "organization.name=test",
            "organization.partof.name=mul",
            "_has:Observation:patient:code=8302-2",
            "_has:Observation:patient:value-quantity=gt5",
            "_has:Encounter:patient:date=ge2024-05",
            "organization:missing=true&gender=male",
            "family=test&gender:not=male",
            "_lastUpdated=ge2024-05-01T00:00:10Z",
            "_lastUpdated=lt2024-05-01T00:00:05Z",
        ],
    ),
    (
        "Observation",
        &[
            "",
            "code=8302-2",
            "code=http://loinc.org|8302-2",
            "code=8302-2,a",
            "code:not=a",
            "status=final&code=A",
            "patient=Patient/r1",
            "patient=r1",
            "subject=Patient/r2,Patient/r3",
            "subject:Patient=r2",
            "patient=Patient/r1&code=8302-2",
            "patient=Patient/r1&code:not=8302-2",
            "date=2024-05-01",
            "date=2024",
            "date=gt2024-05",
            "date=ge2024-05-01T10:30:00Z",
            "date=lt2024",
            "date=le2024-05",
            "date=ne2024-05-01",
            "date=ap2024-05-01",
            "date=sa2024-04",
            "date=eb2024-05-02",
            "date=ge2024&date=lt2025",
            "value-quantity=5.4",
            "value-quantity=gt5",
            "value-quantity=lt5.4|http://unitsofmeasure.org|mg",
            "value-quantity=ge5.4||mg",
            "value-quantity=le-3",
            "value-quantity=ne5.4",
            "value-quantity=ap5.2",
            "value-quantity=sa5",
            "value-quantity=eb5",
            "value-string=mul",
            "value-concept=a",
            "code-value-quantity=8302-2$gt1",
            "code-value-quantity=a$5.4",
            "code-value-concept=a$A",
            "patient.family=test",
            "patient.identifier=urn:zztest:a|a",
            "subject:Patient.gender=female",
            "patient.organization.name=test",
            "patient:missing=true",
            "patient.birthdate=lt1981&code=a",
            "value-quantity=gt0&code=8302-2&patient.gender=male",
        ],
    ),
    (
        "Encounter",
        &[
            "date=2024-05",
            "date=ge2024-05-15",
            "date=lt2024-05-01",
            "class=AMB",
            "patient=r0,r1",
            "patient.gender=female",
            "date=ap2024-05-20",
        ],
    ),
    (
        "Organization",
        &[
            "name=test",
            "name:contains=s",
            "partof=Organization/r1",
            "partof.name=t",
            "_has:Patient:organization:gender=male",
            "partof:missing=true",
        ],
    ),
    (
        "RiskAssessment",
        &[
            "probability=5.4",
            "probability=gt5",
            "probability=le5.40",
            "probability=ne1",
            "probability=100",
            "probability=sa-4&probability=lt1",
            "patient=Patient/r1",
        ],
    ),
];

pub(crate) const SORTS: &[(&str, &[&str])] = &[
    (
        "Observation",
        &[
            "_sort=date",
            "_sort=-date",
            "_sort=code,-date",
            "_sort=-_lastUpdated",
            "_sort=_id",
            "_sort=-value-quantity",
            "_sort=date&code=8302-2",
            "_sort=-date&patient=r1",
        ],
    ),
    (
        "Patient",
        &[
            "_sort=family",
            "_sort=-family,_id",
            "_sort=birthdate",
            "_sort=_lastUpdated",
        ],
    ),
];

/// Returns the chart, and its content computed the slow way.
fn grow(steps: &[Step]) -> (Fixture, Vec<Extraction>) {
    let fixture = Fixture::with(|options| options.link_persons = false);
    let mut world: BTreeMap<(String, String), Extraction> = BTreeMap::new();
    for (second, (kind, n, choices, delete)) in steps.iter().enumerate() {
        fixture.clock.set(at(second as i64));
        let (resource_type, id, text) = body(*kind, *n, *choices);
        if *delete {
            let name = search::Registry::r4()
                .resource_type(&resource_type)
                .unwrap();
            fixture.change(Change::delete(name, id.clone())).unwrap();
            world.remove(&(resource_type, id));
            continue;
        }
        let written = fixture
            .change(Change::put(id.clone(), prepared(&text)))
            .unwrap();
        let mut extraction = search::extract(&Document::parse(&text).unwrap());
        extraction.last_updated = Some(written.written[0].updated);
        world.insert((resource_type, id), extraction);
    }
    (fixture, world.into_values().collect())
}

fn brute(world: &Vec<Extraction>, resource_type: &str, text: &str) -> Vec<String> {
    let query = query(resource_type, text);
    let matcher = Matcher::new(world);
    let hits = world
        .iter()
        .filter(|resource| matcher.matches(&query, resource));
    let mut found: Vec<String> = hits.filter_map(|resource| resource.id.clone()).collect();
    found.sort_unstable();
    found
}

fn join(text: &str, more: &str) -> String {
    if text.is_empty() {
        more.to_owned()
    } else {
        format!("{text}&{more}")
    }
}

/// Returns all pages, one after the other.
fn pages(fixture: &Fixture, resource_type: &str, text: &str, count: u32) -> Vec<String> {
    let mut all = Vec::new();
    let mut query = query(resource_type, &join(text, &format!("_count={count}")));
    for _ in 0..100 {
        let page = fixture
            .chart
            .search(&permit(), &query, Limits::default())
            .unwrap();
        assert!(page.matches.len() <= count as usize);
        all.extend(ids(&page).into_iter().map(str::to_owned));
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => return all,
        }
    }
    panic!("pages without end: {resource_type}?{text}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_parameter_agrees_with_the_matcher(
        steps in proptest::collection::vec(
            (any::<u8>(), any::<u8>(), any::<[u8; 6]>(), proptest::bool::weighted(0.15)), 5..60)
    ) {
        let (fixture, world) = grow(&steps);
        for (resource_type, queries) in QUERIES {
            for text in *queries {
                let expected = brute(&world, resource_type, text);
                let mut found = fixture.found(resource_type, &join(text, "_count=100"));
                found.sort_unstable();
                prop_assert_eq!(&found, &expected, "{}?{}", resource_type, text);
                let mut paged = pages(&fixture, resource_type, text, 2);
                paged.sort_unstable();
                prop_assert_eq!(&paged, &expected, "paged {}?{}", resource_type, text);
                let total = fixture.search(resource_type, &join(text, "_summary=count")).total;
                prop_assert_eq!(total, Some(Count::Exact(expected.len() as u64)));
            }
        }
        for (resource_type, sorts) in SORTS {
            for text in *sorts {
                let whole = fixture.found(resource_type, &join(text, "_count=100"));
                let paged = pages(&fixture, resource_type, text, 3);
                prop_assert_eq!(&paged, &whole, "sorted pages {}?{}", resource_type, text);
                let mut found = whole;
                found.sort_unstable();
                prop_assert_eq!(&found, &brute(&world, resource_type, text));
            }
        }
    }

    /// Compares versions with a list.
    #[test]
    fn versions_agree_with_a_list(
        steps in proptest::collection::vec(
            (any::<u8>(), 0..3u8, any::<[u8; 6]>(), proptest::bool::weighted(0.3)), 1..40)
    ) {
        let fixture = Fixture::new();
        let mut model: BTreeMap<String, Vec<Option<String>>> = BTreeMap::new();
        for (_, n, choices, delete) in &steps {
            let (resource_type, id, text) = body(1, *n, [choices[0] % 2, 0, choices[2] % 3, 0, 0, 1]);
            let versions = model.entry(format!("{resource_type}/{id}")).or_default();
            let now = versions.last().cloned().flatten();
            if *delete {
                fixture.change(Change::delete("Observation", id)).unwrap();
                if now.is_some() {
                    versions.push(None);
                }
            } else {
                fixture.put(&text);
                if now.as_ref() != Some(&text) {
                    versions.push(Some(text));
                }
            }
        }
        for (reference, versions) in &model {
            let (resource_type, id) = reference.split_once('/').unwrap();
            for (n, version) in (1..).zip(versions) {
                let read = fixture.chart.vread(&permit(), resource_type, id, n).unwrap();
                match (version, read) {
                    (None, Read::Gone { version, .. }) => prop_assert_eq!(version, n),
                    (Some(text), Read::Found(found)) => {
                        let found = String::from_utf8(found.body).unwrap();
                        prop_assert!(found.ends_with(&text[text.find("\"status\"").unwrap()..]));
                    }
                    (expected, found) => prop_assert!(false, "{expected:?} {found:?}"),
                }
            }
            let next = versions.len() as u32 + 1;
            prop_assert_eq!(fixture.chart.vread(&permit(), resource_type, id, next).unwrap(), Read::Missing);
        }
    }
}

#[test]
fn the_order_asked_for() {
    let fixture = Fixture::new();
    for (id, day) in [
        ("a", "2024-03-01"),
        ("b", "2024-01-01"),
        ("c", "2024-02-01"),
        ("d", ""),
    ] {
        let date = if day.is_empty() {
            String::new()
        } else {
            format!(r#","effectiveDateTime":"{day}""#)
        };
        fixture.put(&format!(
            r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"coding":[{{"code":"x"}}]}}{date}}}"#
        ));
    }
    for (text, expected) in [
        ("_sort=date", ["b", "c", "a", "d"]),
        ("_sort=-date", ["a", "c", "b", "d"]),
        ("_sort=-_lastUpdated", ["d", "c", "b", "a"]),
        ("_sort=-_id", ["d", "c", "b", "a"]),
        ("", ["a", "b", "c", "d"]),
    ] {
        assert_eq!(fixture.found("Observation", text), expected, "{text}");
    }
}

#[test]
fn a_large_type_is_read_along_the_date_index() {
    let fixture = Fixture::new();
    let mut batch = store::chart::Batch::default();
    for n in 0..3000 {
        let id = format!("o{n}");
        let date = match n % 7 {
            0 => String::new(),
            _ => format!(r#","effectiveDateTime":"2024-01-{:02}""#, n % 28 + 1),
        };
        batch.changes.push(Change::put(id.clone(), prepared(&format!(
            r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"coding":[{{"code":"x"}}]}}{date}}}"#
        ))));
    }
    fixture.apply(batch).unwrap();
    for text in [
        "_sort=-date",
        "_sort=date",
        "_sort=date&code=x",
        "_sort=-_lastUpdated&status=final",
    ] {
        let all = pages(&fixture, "Observation", text, 97);
        let mut sorted = all.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!((all.len(), sorted.len()), (3000, 3000), "{text}: each once");
    }
    let total = fixture
        .search("Observation", "_total=accurate&code=x")
        .total;
    assert_eq!(total, Some(Count::Exact(3000)));
}

#[test]
fn a_cursor_of_another_search_is_refused() {
    let fixture = Fixture::new();
    for id in ["a", "b"] {
        fixture.put(&format!(
            r#"{{"resourceType":"Patient","id":"{id}","name":[{{"family":"Test"}}]}}"#
        ));
    }
    let next = fixture.search("Patient", "_count=1").next.unwrap();
    for (text, cursor) in [("_sort=family", next.as_str()), ("", "x"), ("", "AAAA")] {
        let mut other = query("Patient", text);
        other.cursor = Some(cursor.to_owned());
        let refused = fixture.chart.search(&permit(), &other, Limits::default());
        assert!(
            matches!(refused, Err(store::chart::ReadError::Cursor)),
            "{text} {cursor}"
        );
    }
}

#[test]
fn includes_go_around_and_stop() {
    let fixture = Fixture::new();
    for text in [
        r#"{"resourceType":"Organization","id":"o1","partOf":{"reference":"Organization/o2"}}"#,
        r#"{"resourceType":"Organization","id":"o2","partOf":{"reference":"Organization/o1"}}"#,
        r#"{"resourceType":"Patient","id":"p","managingOrganization":{"reference":"Organization/o1"}}"#,
        r#"{"resourceType":"Encounter","id":"e","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/p"}}"#,
    ] {
        fixture.put(text);
    }
    for (resource_type, text, expected) in [
        ("Encounter", "_include=Encounter:patient", "p"),
        (
            "Encounter",
            "_include=Encounter:patient&_include:iterate=Patient:organization",
            "p o1",
        ),
        (
            "Encounter",
            "_include=Encounter:patient&_include:iterate=Patient:organization&_include:iterate=Organization:partof",
            "p o1 o2",
        ),
        ("Patient", "_revinclude=Encounter:patient", "e"),
        ("Organization", "_id=o1&_include=Organization:partof", "o2"),
    ] {
        let page = fixture.search(resource_type, text);
        let found: Vec<_> = page
            .included
            .iter()
            .map(|resource| resource.id.as_str())
            .collect();
        assert_eq!(found.join(" "), expected, "{text}");
    }
    let query = query(
        "Encounter",
        "_include=Encounter:patient&_include:iterate=Patient:organization",
    );
    let limits = Limits {
        max_included: 1,
        ..Limits::default()
    };
    assert!(
        fixture
            .chart
            .search(&permit(), &query, limits)
            .unwrap()
            .includes_cut
    );
}
