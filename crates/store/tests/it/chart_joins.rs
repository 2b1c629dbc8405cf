//! Persons are joined step by step, with the same result as grouping all records from scratch.

use crate::chart_fixture::{Fixture, permit, prepared};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use store::chart::{Batch, Change, Read};

/// A record: its numbers, and the records that it links to.
#[derive(Clone, Debug, Default)]
struct Record {
    numbers: BTreeSet<u8>,
    links: BTreeSet<u8>,
}

/// One change of a batch: a record, or none if it is deleted.
type Step = (u8, Option<Record>);

fn step() -> impl Strategy<Value = Step> {
    let record = (
        // Zero alone is a placeholder, and joins nobody.
        prop::collection::btree_set(1..10_u8, 0..3),
        prop::collection::btree_set(0..12_u8, 0..2),
    );
    let record = record.prop_map(|(numbers, links)| Record { numbers, links });
    (0..12_u8, prop::option::weighted(0.85, record))
}

fn body(id: u8, record: &Record) -> String {
    let numbers: Vec<String> = record
        .numbers
        .iter()
        .map(|n| format!(r#"{{"system":"urn:zztest","value":"{n}"}}"#))
        .collect();
    let links: Vec<String> = record
        .links
        .iter()
        .map(|n| format!(r#"{{"other":{{"reference":"Patient/p{n}"}},"type":"seealso"}}"#))
        .collect();
    let list = |name: &str, items: Vec<String>| {
        let list = format!(r#","{name}":[{}]"#, items.join(","));
        if items.is_empty() {
            String::new()
        } else {
            list
        }
    };
    format!(
        r#"{{"resourceType":"Patient","id":"p{id}"{}{}}}"#,
        list("identifier", numbers),
        list("link", links)
    )
}

/// Groups the records from scratch, by their content alone: the smallest member of each group, and its
/// members.
fn oracle(records: &BTreeMap<u8, Record>) -> BTreeMap<u8, BTreeSet<u8>> {
    let mut groups: Vec<(BTreeSet<u8>, BTreeSet<String>)> = Vec::new();
    for (&id, record) in records {
        let mut joints: BTreeSet<String> = record
            .numbers
            .iter()
            .map(|n| format!("number {n}"))
            .collect();
        joints.extend(record.links.iter().map(|n| format!("record {n}")));
        joints.insert(format!("record {id}"));
        let mut members = BTreeSet::from([id]);
        groups.retain(|(others, theirs)| {
            let apart = joints.is_disjoint(theirs);
            if !apart {
                members.extend(others);
                joints.extend(theirs.iter().cloned());
            }
            apart
        });
        groups.push((members, joints));
    }
    let members = groups.into_iter().map(|(members, _)| members);
    members
        .flat_map(|members| {
            let whole = members.clone();
            members.into_iter().map(move |id| (id, whole.clone()))
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn step_by_step_as_from_scratch(batches in prop::collection::vec(prop::collection::vec(step(), 1..4), 1..24)) {
        let chart = Fixture::new();
        let mut records: BTreeMap<u8, Record> = BTreeMap::new();
        for batch in batches {
            let batch: BTreeMap<u8, Option<Record>> = batch.into_iter().collect();
            let mut changes = Vec::new();
            for (id, record) in batch {
                let name = format!("p{id}");
                changes.push(match &record {
                    Some(record) => Change::put(name, prepared(&body(id, record))),
                    None => Change::delete("Patient", name),
                });
                match record {
                    Some(record) => records.insert(id, record),
                    None => records.remove(&id),
                };
            }
            chart.apply(Batch { changes, ..Batch::default() }).unwrap();
            let mut persons = BTreeMap::new();
            for (id, members) in oracle(&records) {
                let person = chart.chart.person_of(&permit(), &format!("p{id}")).unwrap().unwrap();
                let mut expected: Vec<String> = members.iter().map(|n| format!("p{n}")).collect();
                expected.sort();
                let mut found = person.members.clone();
                found.sort();
                prop_assert_eq!(&found, &expected, "p{} in {:?}", id, &records);
                persons.insert(person.id, expected);
            }
            // Each person's own Patient agrees.
            for (person, members) in persons {
                let golden = chart.body(&format!("Patient/{person}"));
                prop_assert!(golden.contains("\"active\":true"));
                prop_assert_eq!(golden.matches("seealso").count(), members.len());
                for member in members {
                    let link = format!("\"Patient/{member}\"");
                    prop_assert!(golden.contains(&link));
                }
            }
        }
    }
}

/// Merges as A40 makes them: the retired record points to the one that stays, and back.
#[test]
fn six_hundred_merges_into_a_record_are_one_person() {
    let chart = Fixture::new();
    let old = |n: usize, more: &str| {
        format!(
            r#"{{"resourceType":"Patient","id":"o{n}","identifier":[{{"system":"urn:zztest","value":"{n}"}}]{more}}}"#
        )
    };
    let mut links = Vec::new();
    for n in 0..600 {
        chart.put(&old(n, ""));
        links.push(format!(
            r#"{{"other":{{"reference":"Patient/o{n}"}},"type":"replaces"}}"#
        ));
        let survivor = format!(
            r#"{{"resourceType":"Patient","id":"s","identifier":[{{"system":"urn:zztest","value":"s"}}],"link":[{}]}}"#,
            links.join(",")
        );
        let retired = old(
            n,
            r#","active":false,"link":[{"other":{"reference":"Patient/s"},"type":"replaced-by"}]"#,
        );
        let changes = vec![
            Change::put("s", prepared(&survivor)),
            Change::put(format!("o{n}"), prepared(&retired)),
        ];
        let batch = Batch {
            changes,
            ..Batch::default()
        };
        chart.apply(batch).unwrap();
    }
    let person = chart.chart.person_of(&permit(), "s").unwrap().unwrap();
    assert_eq!(person.members.len(), 601);
    let Read::Found(golden) = chart.read(&format!("Patient/{}", person.id)) else {
        panic!("{}", person.id);
    };
    assert!(600 <= golden.version);
}
