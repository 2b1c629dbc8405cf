//! Compares the person view with the reference matcher in a world where persons stand for their records:
//! random records that join and separate, and searches under every id that a person ever had.

use crate::chart_fixture::{Fixture, at, ids, permit, prepared, query};
use crate::chart_search::{QUERIES, SORTS, Step, body};
use fhir::json::Document;
use proptest::prelude::*;
use search::{Extraction, Filter, Matcher, Query, ReferenceTest, Target, Test, Value};
use std::collections::{BTreeMap, BTreeSet};
use store::chart::{Change, Count, Limits, Read};

/// The resources, and the persons that stand for records.
struct World {
    fixture: Fixture,
    /// The sources' resources, as written.
    records: BTreeMap<(String, String), Extraction>,
    /// Record or retired person → living person.
    persons: BTreeMap<String, String>,
}

fn grow(steps: &[Step]) -> World {
    let fixture = Fixture::new();
    let mut records = BTreeMap::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for (second, (kind, n, choices, delete)) in steps.iter().enumerate() {
        fixture.clock.set(at(second as i64));
        let (resource_type, id, text) = body(*kind, *n, *choices);
        if *delete {
            let name = search::Registry::r4()
                .resource_type(&resource_type)
                .unwrap();
            fixture.change(Change::delete(name, id.clone())).unwrap();
            records.remove(&(resource_type, id));
        } else {
            let change = Change::put(id.clone(), prepared(&text));
            let written = fixture.change(change).unwrap();
            let mut extraction = search::extract(&Document::parse(&text).unwrap());
            extraction.last_updated = Some(written.written[0].updated);
            records.insert((resource_type, id), extraction);
        }
        for (resource_type, id) in records.keys() {
            if resource_type == "Patient" {
                let person = fixture.chart.person_of(&permit(), id).unwrap().unwrap();
                seen.insert(person.id);
            }
        }
    }
    let mut persons = BTreeMap::new();
    let names = records.keys().filter(|(name, _)| name == "Patient");
    for id in names.map(|(_, id)| id).chain(&seen) {
        if let Some(person) = fixture.chart.person_of(&permit(), id).unwrap() {
            persons.insert(id.clone(), person.id);
        }
    }
    World {
        fixture,
        records,
        persons,
    }
}

impl World {
    /// Returns the resources as the person view shows them.
    fn in_view(&self) -> Vec<Extraction> {
        let mut view = Vec::new();
        for ((resource_type, _), extraction) in &self.records {
            if resource_type == "Patient" {
                continue;
            }
            let mut extraction = extraction.clone();
            for posting in &mut extraction.postings {
                if let Value::Reference(Target::Local { resource_type, id }) = &mut posting.value
                    && *resource_type == "Patient"
                    && let Some(person) = self.persons.get(&**id)
                {
                    *id = person.as_str().into();
                }
            }
            view.push(extraction);
        }
        let living: BTreeSet<&String> = self.persons.values().collect();
        for person in living {
            let Read::Found(found) = self.fixture.read(&format!("Patient/{person}")) else {
                panic!("a living person is there");
            };
            let mut extraction = search::extract(&Document::parse(&found.body).unwrap());
            extraction.last_updated = Some(found.updated);
            view.push(extraction);
        }
        view
    }

    /// Rewrites the query to its meaning in the person view.
    fn means(&self, filter: &mut Filter, resource_type: &str) {
        let map = |id: &mut String| {
            if let Some(person) = self.persons.get(id) {
                id.clone_from(person);
            }
        };
        match filter {
            Filter::Any { tests, .. } => {
                for test in tests {
                    match test {
                        Test::Reference(ReferenceTest::Id { types, id })
                            if types.contains(&"Patient") =>
                        {
                            map(id);
                        }
                        Test::Reference(ReferenceTest::Local {
                            resource_type: "Patient",
                            id,
                        }) => map(id),
                        _ => {}
                    }
                }
            }
            Filter::Id(ids) if resource_type == "Patient" => ids.iter_mut().for_each(map),
            Filter::Chain { branches, .. } => {
                for branch in branches {
                    self.means(&mut branch.filter, branch.resource_type);
                }
            }
            Filter::Has {
                source_type,
                filter,
                ..
            } => self.means(filter, source_type),
            _ => {}
        }
    }

    fn brute(&self, view: &Vec<Extraction>, query: &Query) -> Vec<String> {
        let mut query = query.clone();
        for filter in &mut query.filters {
            self.means(filter, query.resource_type);
        }
        let matcher = Matcher::new(view);
        let hits = view.iter().filter(|one| matcher.matches(&query, one));
        let mut found: Vec<String> = hits.filter_map(|one| one.id.clone()).collect();
        found.sort_unstable();
        found
    }

    /// Returns all pages, and checks the person that each page gives for each reference.
    fn pages(&self, mut query: Query, count: u32) -> Vec<String> {
        query.count = Some(count);
        let mut all = Vec::new();
        loop {
            let page = self
                .fixture
                .chart
                .search(&permit(), &query, Limits::default())
                .unwrap();
            for resource in &page.matches {
                let key = (resource.resource_type.to_owned(), resource.id.clone());
                let Some(extraction) = self.records.get(&key) else {
                    continue;
                };
                for patient in &extraction.patients {
                    let own = self.persons.get(patient);
                    assert_eq!(page.persons.get(patient), own, "{resource:?} of {patient}");
                }
            }
            all.extend(ids(&page).into_iter().map(str::to_owned));
            match page.next {
                Some(next) => query.cursor = Some(next),
                None => return all,
            }
        }
    }
}

fn in_view(resource_type: &str, text: &str) -> Query {
    let text = if text.is_empty() {
        "_person=true".to_owned()
    } else {
        format!("{text}&_person=true")
    };
    query(resource_type, &text)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_view_agrees_with_the_matcher(
        steps in proptest::collection::vec(
            // Twice as many Patients as of each other type.
            (prop_oneof![Just(0u8), 0..5u8], any::<u8>(), any::<[u8; 6]>(), proptest::bool::weighted(0.12)), 5..60)
    ) {
        let world = grow(&steps);
        let view = world.in_view();
        let plain: Vec<Extraction> = world.records.values().cloned().collect();
        for (resource_type, queries) in QUERIES {
            for text in *queries {
                let asked = in_view(resource_type, text);
                let expected = world.brute(&view, &asked);
                let mut found = world.pages(asked.clone(), 3);
                found.sort_unstable();
                prop_assert_eq!(&found, &expected, "{}?{} as persons", resource_type, text);
                let mut counted = asked;
                counted.count = Some(0);
                let total = world.fixture.chart.search(&permit(), &counted, Limits::default()).unwrap().total;
                prop_assert_eq!(total, Some(Count::Exact(expected.len() as u64)));

                let asked = query(resource_type, text);
                let matcher = Matcher::new(&plain);
                let mut expected: Vec<String> = plain.iter().filter(|one| matcher.matches(&asked, one))
                    .filter_map(|one| one.id.clone()).collect();
                expected.sort_unstable();
                let mut found = world.fixture.found(resource_type, format!("{text}&_count=100").trim_start_matches('&'));
                found.sort_unstable();
                prop_assert_eq!(&found, &expected, "{}?{} as records", resource_type, text);
            }
        }
        for (resource_type, sorts) in SORTS {
            for text in *sorts {
                let asked = in_view(resource_type, text);
                let whole = world.pages(asked.clone(), 100);
                prop_assert_eq!(&world.pages(asked.clone(), 2), &whole, "sorted {}?{}", resource_type, text);
                let mut found = whole;
                found.sort_unstable();
                prop_assert_eq!(found, world.brute(&view, &asked));
            }
        }
        // By any id, also one that a merge has retired, without `_person`.
        for (name, person) in &world.persons {
            let by_record = world.records.contains_key(&("Patient".to_owned(), name.clone()));
            if by_record {
                continue;
            }
            for (resource_type, text) in [
                ("Observation", format!("patient={name}")),
                ("Observation", format!("subject=Patient/{name}&code=a")),
                ("Encounter", format!("patient._id={name}")),
                ("Patient", format!("_id={name}")),
            ] {
                let asked = query(resource_type, &text);
                let mut found = world.pages(asked.clone(), 3);
                found.sort_unstable();
                prop_assert_eq!(&found, &world.brute(&view, &asked), "{}?{} is {}", resource_type, text, person);
            }
        }
    }
}
