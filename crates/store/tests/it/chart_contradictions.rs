//! Two records under one identifier that cannot belong to one person: kept apart, and reported once.

use crate::chart_fixture::{Fixture, permit, prepared};
use base::FixedClock;
use proptest::prelude::*;
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use store::chart::{Applied, Batch, Change, Chart, Contradiction, Lane, Options, Read, Receipt};
use tempfile::TempDir;

fn record(id: &str, (kind, number): (&str, &str), born: &str) -> String {
    format!(
        r#"{{"resourceType":"Patient","id":"{id}","identifier":[{{"type":{{"coding":[{{"code":"{kind}"}}]}},"system":"urn:zztest","value":"{number}"}}]{born}}}"#
    )
}

const ANN: &str = r#","birthDate":"1980-01-01","gender":"female""#;
const BOB: &str = r#","birthDate":"2004-05-05","gender":"male""#;

impl Fixture {
    /// Applies a message that writes one record.
    fn message(&self, message: &str, map: &str, id: &str, body: &str) -> Receipt {
        let batch = Batch {
            applied: Some(Applied {
                message: message.as_bytes().to_vec(),
                map_version: map.to_owned(),
                concerns: None,
            }),
            ..Batch::of(Change::put(id, prepared(body)))
        };
        self.apply(batch).unwrap()
    }

    fn person_of(&self, id: &str) -> String {
        self.chart.person_of(&permit(), id).unwrap().unwrap().id
    }
}

#[test]
fn a_pair_is_told_once_and_to_its_message_again() {
    let chart = Fixture::new();
    let shared = ("NI", "N-77");
    let (a, b) = (record("a", shared, ANN), record("b", shared, BOB));
    let told = vec![Contradiction {
        records: ["a".to_owned(), "b".to_owned()],
        kind: "NI".to_owned(),
        differ: "birth date and sex differ".to_owned(),
    }];
    let none = Vec::<Contradiction>::new();
    assert_eq!(chart.message("1", "v1", "a", &a).contradictions, none);
    assert_eq!(chart.message("2", "v1", "b", &b).contradictions, told);
    assert_ne!(chart.person_of("a"), chart.person_of("b"));

    // After a crash the message finds its mark; under other maps it is written anew.
    let again = chart.message("2", "v1", "b", &b);
    assert!(again.already_applied);
    assert_eq!(again.contradictions, told);
    assert_eq!(chart.message("2", "v2", "b", &b).contradictions, told);
    let marks = chart.chart.applied(b"2").unwrap();
    assert_eq!(marks.first().unwrap().contradictions, told);

    // A later message about either of them reports nothing new.
    let later = |born: &str| born.replace("-01-01", "-01-02").replace("05-05", "05-06");
    let a = record("a", shared, &later(ANN));
    assert_eq!(chart.message("3", "v1", "a", &a).contradictions, none);
    let b = record("b", shared, &later(BOB));
    assert_eq!(chart.message("4", "v1", "b", &b).contradictions, none);

    // Once corrected, they are one person, and nothing is left to report.
    let b = record("b", shared, &later(ANN));
    assert_eq!(chart.message("5", "v1", "b", &b).contradictions, none);
    assert_eq!(chart.person_of("a"), chart.person_of("b"));
    let again = chart.message("2", "v1", "b", &b);
    assert_eq!(again.contradictions, none);
}

#[test]
fn what_names_nobody_tells_nothing() {
    let chart = Fixture::new();
    for (n, kind) in ["MB", "AN", "VN"].into_iter().enumerate() {
        let shared = (kind, "S-9");
        chart.put(&record(&format!("a{n}"), shared, ANN));
        let receipt = chart.put(&record(&format!("b{n}"), shared, BOB));
        assert_eq!(receipt.contradictions, [], "{kind}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Whatever arrives in whatever order: each pair of records that share a number and belong to two persons
    /// is reported, none twice, and no pair that is one person's.
    #[test]
    fn every_pair_is_told_once(steps in prop::collection::vec((0..6_u8, 1..4_u8, 0..3_u8), 1..24)) {
        let chart = Fixture::new();
        let borns = ["", ANN, BOB];
        let mut last = BTreeMap::new();
        let mut told = BTreeSet::new();
        for (n, (id, number, born)) in steps.into_iter().enumerate() {
            let number = format!("7{number}");
            let name = format!("p{id}");
            let body = record(&name, ("NI", &number), borns[usize::from(born)]);
            let receipt = chart.message(&n.to_string(), "v1", &name, &body);
            last.insert(name, number);
            for pair in receipt.contradictions {
                let [one, other] = &pair.records;
                prop_assert_ne!(chart.person_of(one), chart.person_of(other));
                let mut pair = pair.records.clone();
                pair.sort();
                prop_assert!(told.insert(pair.clone()), "{pair:?} is told twice");
            }
        }
        for (one, number) in &last {
            for (other, its) in last.range(one.clone()..).skip(1) {
                if number == its && chart.person_of(one) != chart.person_of(other) {
                    let pair = [one.clone(), other.clone()];
                    prop_assert!(told.contains(&pair), "{pair:?} is not told");
                }
            }
        }
    }
}

/// A chart's directory that no process has open.
struct Old {
    dir: TempDir,
    clock: Arc<FixedClock>,
}

/// Makes a chart as an earlier build left it: `b` joined to `a`'s person by a policy number, `c` and `d`
/// joined although they contradict each other.
fn older(n_more: usize) -> Old {
    let chart = Fixture::new();
    for (id, shared, born) in [
        ("a", ("MB", "S-9"), ANN),
        ("b", ("MB", "S-9"), BOB),
        ("c", ("NI", "N-5"), ANN),
        ("d", ("NI", "N-5"), BOB),
        ("e", ("NI", "N-6"), ANN),
        ("f", ("NI", "N-6"), ANN),
    ] {
        chart.put(&record(id, shared, born));
    }
    let more = (0..n_more).map(|n| {
        let (id, number) = (format!("m{n}"), format!("7-{n}"));
        let body = record(&id, ("NI", &number), ANN);
        Change::put(id, prepared(&body))
    });
    let batch = Batch {
        changes: more.collect(),
        ..Batch::default()
    };
    chart.apply(batch).unwrap();
    let Fixture { chart, clock, dir } = chart;
    drop(chart);
    let conn = Connection::open(dir.path().join("chart.db")).unwrap();
    let person = |id: &str| -> i64 {
        let sql = "SELECT person FROM record JOIN resource ON res = patient WHERE id = ?";
        conn.query_row(sql, [id], |row| row.get(0)).unwrap()
    };
    for (stays, goes) in [("a", "b"), ("c", "d")] {
        let persons = [person(stays), person(goes)];
        let sql = "UPDATE record SET person = ?1 WHERE person = ?2";
        conn.execute(sql, persons).unwrap();
    }
    conn.execute_batch(
        "INSERT INTO identity SELECT 'urn:zztest', 'MB', 'S-9', res FROM resource
           WHERE id IN ('a', 'b');
         DROP TABLE person_rules; DROP TABLE contradiction;",
    )
    .unwrap();
    Old { dir, clock }
}

impl Old {
    fn open(&self) -> Chart {
        let options = Options {
            clock: self.clock.clone(),
            ..Options::default()
        };
        Chart::open(self.dir.path(), options).unwrap()
    }
}

fn members(chart: &Chart, id: &str) -> String {
    let person = chart.person_of(&permit(), id).unwrap().unwrap();
    person.members.join(" ")
}

/// The records of [`older`], each with the members of its person once separated.
const APART: [(&str, &str); 6] = [
    ("a", "a"),
    ("b", "b"),
    ("c", "c"),
    ("d", "d"),
    ("e", "e f"),
    ("f", "e f"),
];

#[test]
fn persons_of_an_older_chart_part_without_being_touched() {
    let old = older(0);
    let records = |chart: &Chart| -> Vec<(u32, Vec<u8>)> {
        let read = |(id, _): (&str, _)| match chart.read(&permit(), "Patient", id).unwrap() {
            Read::Found(resource) => (resource.version, resource.body),
            other => panic!("{id}: {other:?}"),
        };
        APART.map(read).into()
    };
    let chart = old.open();
    let before = records(&chart);
    while chart.n_to_rejoin() != 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    for (id, expected) in APART {
        assert_eq!(members(&chart, id), expected);
    }
    assert_eq!(records(&chart), before, "source records are never touched");
    drop(chart);

    // Once is enough.
    let chart = old.open();
    assert_eq!(chart.n_to_rejoin(), 0);
    drop(chart);
    let conn = Connection::open(old.dir.path().join("chart.db")).unwrap();
    let sql = "SELECT count(*) FROM identity WHERE kind = 'MB'";
    let n_stale: i64 = conn.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(n_stale, 0, "what joins nobody is forgotten");
}

#[test]
fn parting_goes_on_where_it_was() {
    let old = older(1500);
    let mut lefts = Vec::new();
    loop {
        let chart = old.open();
        let at_start = chart.n_to_rejoin();
        if at_start == 0 {
            for (id, expected) in APART {
                assert_eq!(members(&chart, id), expected);
            }
            break;
        }
        assert!(
            lefts.last().is_none_or(|last| at_start < *last),
            "{at_start} after {lefts:?}: nothing was done"
        );
        lefts.push(at_start);
        // Other writers are active meanwhile.
        let id = format!("x{at_start}");
        let change = Change::put(id.clone(), prepared(&record(&id, ("NI", "8-1"), ANN)));
        let written = chart.apply(&permit(), Batch::of(change), Lane::Acknowledging);
        written.wait().unwrap();
        while chart.n_to_rejoin() == at_start {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    assert!(1 < lefts.len(), "it was never interrupted");
}
