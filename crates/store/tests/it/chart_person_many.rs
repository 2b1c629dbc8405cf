//! A person of many records is the same, whether the writer has it cached or reads it again.

use crate::chart_fixture::{Fixture, at, permit, prepared};
use base::FixedClock;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use store::chart::{Batch, Change, Chart, Options, Read};

/// A change to the record with that number; of the records that it replaces, only the last one is new.
#[derive(Clone, Debug)]
enum Step {
    /// Another number, either one that joins or one that does not.
    Tell {
        record: u8,
        number: u8,
        joins: bool,
    },
    Name {
        record: u8,
        name: u8,
    },
    Forget {
        record: u8,
    },
    /// A change that its person does not show.
    Touch {
        record: u8,
        photo: u8,
    },
    Merge {
        record: u8,
        into: u8,
    },
    Delete {
        record: u8,
    },
    Animal {
        record: u8,
    },
}

#[derive(Clone, Debug, Default)]
struct Record {
    numbers: Vec<String>,
    name: Option<u8>,
    photo: u8,
    links: Vec<String>,
    is_animal: bool,
}

const RECORDS: u8 = 28;

fn step() -> impl Strategy<Value = Step> {
    let record = || 0..RECORDS;
    prop_oneof![
        4 => (record(), 0..60_u8, any::<bool>())
            .prop_map(|(record, number, joins)| Step::Tell { record, number, joins }),
        3 => (record(), 0..5_u8).prop_map(|(record, name)| Step::Name { record, name }),
        1 => record().prop_map(|record| Step::Forget { record }),
        2 => (record(), any::<u8>()).prop_map(|(record, photo)| Step::Touch { record, photo }),
        6 => (record(), record()).prop_map(|(record, into)| Step::Merge { record, into }),
        1 => record().prop_map(|record| Step::Delete { record }),
        1 => record().prop_map(|record| Step::Animal { record }),
    ]
}

fn body(id: &str, record: &Record) -> String {
    let mut text = format!(r#"{{"resourceType":"Patient","id":"{id}""#);
    if record.is_animal {
        text +=
            r#","extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-animal"}]"#;
    }
    for (name, items) in [("identifier", &record.numbers), ("link", &record.links)] {
        if !items.is_empty() {
            let _ = write!(text, r#","{name}":[{}]"#, items.join(","));
        }
    }
    if let Some(name) = record.name {
        let _ = write!(
            text,
            r#","name":[{{"family":"N{name}"}}],"birthDate":"19{}0-01-01""#,
            50 + name
        );
    }
    format!(r#"{text},"photo":[{{"title":"{}"}}]}}"#, record.photo)
}

fn apply(records: &mut BTreeMap<String, Record>, step: &Step) -> Vec<String> {
    let id = |record: &u8| format!("p{record}");
    let link = |other: &str, kind: &str| {
        format!(r#"{{"other":{{"reference":"Patient/{other}"}},"type":"{kind}"}}"#)
    };
    match step {
        Step::Tell {
            record,
            number,
            joins,
        } => {
            let system = if *joins {
                r#""system":"urn:zztest","#
            } else {
                ""
            };
            // Zero alone is a placeholder, and joins nobody.
            let number = format!(r#"{{{system}"value":"7{number}"}}"#);
            records.entry(id(record)).or_default().numbers.push(number);
        }
        Step::Name { record, name } => records.entry(id(record)).or_default().name = Some(*name),
        Step::Forget { record } => drop(records.entry(id(record)).or_default().numbers.pop()),
        Step::Touch { record, photo } => records.entry(id(record)).or_default().photo = *photo,
        Step::Merge { record, into } if record != into => {
            let (old, new) = (id(record), id(into));
            let tied = link(&new, "replaced-by");
            records.entry(old.clone()).or_default().links.push(tied);
            let tied = link(&old, "replaces");
            records.entry(new.clone()).or_default().links.push(tied);
            return vec![new, old];
        }
        Step::Merge { .. } => {}
        Step::Delete { record } => drop(records.remove(&id(record))),
        Step::Animal { record } => {
            let record = records.entry(id(record)).or_default();
            record.is_animal = !record.is_animal;
        }
    }
    match step {
        Step::Tell { record, .. }
        | Step::Name { record, .. }
        | Step::Forget { record }
        | Step::Touch { record, .. }
        | Step::Merge { record, .. }
        | Step::Delete { record }
        | Step::Animal { record } => vec![id(record)],
    }
}

fn batch(changed: &[String], records: &BTreeMap<String, Record>) -> Batch {
    let mut changes = Vec::new();
    for id in changed {
        changes.push(match records.get(id) {
            Some(record) => Change::put(id.clone(), prepared(&body(id, record))),
            None => Change::delete("Patient", id.clone()),
        });
    }
    Batch {
        changes,
        ..Batch::default()
    }
}

/// Returns each record with its person's other records, and the content of the person's own Patient.
fn persons(chart: &Chart) -> BTreeMap<String, (Vec<String>, String)> {
    let mut found = BTreeMap::new();
    for n in 0..RECORDS {
        let id = format!("p{n}");
        let Some(person) = chart.person_of(&permit(), &id).unwrap() else {
            continue;
        };
        let Read::Found(own) = chart.read(&permit(), "Patient", &person.id).unwrap() else {
            panic!("{}", person.id);
        };
        let text = String::from_utf8(own.body).unwrap();
        // Ids of persons are random, and versions are the store's.
        let told = text.split_once(r#""active""#).unwrap().1.to_owned();
        found.insert(id, (person.members, told));
    }
    found
}

fn open(dir: &std::path::Path) -> Chart {
    let options = Options {
        clock: Arc::new(FixedClock::new(at(0))),
        ..Options::default()
    };
    Chart::open(dir, options).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

    #[test]
    fn remembered_or_read_again_a_person_is_the_same(steps in prop::collection::vec(step(), 1..40)) {
        let first: Vec<Step> = (1..RECORDS - 4)
            .flat_map(|record| [
                Step::Tell { record, number: record, joins: true },
                Step::Name { record, name: record % 2 },
                Step::Merge { record, into: 0 },
            ])
            .collect();
        let remembers = Fixture::new();
        let (dir, mut records) = (tempfile::tempdir().unwrap(), BTreeMap::new());
        let mut forgets = Some(open(dir.path()));
        for (n, step) in first.iter().chain(&steps).enumerate() {
            let changed = apply(&mut records, step);
            remembers.apply(batch(&changed, &records)).unwrap();
            let chart = forgets.take().unwrap();
            let lane = store::chart::Lane::Interactive;
            chart.apply(&permit(), batch(&changed, &records), lane).wait().unwrap();
            if n + 1 == first.len() {
                // Enough records that caching is worthwhile.
                let many = remembers.chart.person_of(&permit(), "p0").unwrap().unwrap();
                prop_assert_eq!(many.members.len(), usize::from(RECORDS) - 4);
            }
            if first.len() <= n {
                prop_assert_eq!(persons(&remembers.chart), persons(&chart), "step {} {:?}", n, step);
                // A new writer has nothing cached.
                drop(chart);
                forgets = Some(open(dir.path()));
            } else {
                forgets = Some(chart);
            }
        }
    }
}
