//! Both engines return the same pages in the same order for the same resources and searches.

use crate::chart_fixture::{at, permit};
use crate::chart_search::{self, Step};
use crate::postgres_both::{Both, of_patient, put};
use crate::postgres_plans::about;
use crate::postgres_server::Server;
use fhir::json::Document;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::io::Read;
use std::path::PathBuf;
use store::chart::{ApplyError, Batch, Change};
use store::postgres::{PostgresChart, Settings};

/// Random resources, updates and deletes; every kind of parameter with every prefix and modifier.
#[test]
fn random_charts_agree() {
    let Some(server) = Server::start("random_charts_agree") else {
        return;
    };
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 4,
        max_shrink_iters: 20,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let steps = proptest::collection::vec(
        (
            any::<u8>(),
            any::<u8>(),
            any::<[u8; 6]>(),
            proptest::bool::weighted(0.15),
        ),
        5..60,
    );
    let n_cases = std::cell::Cell::new(0);
    let ran = runner.run(&steps, |steps: Vec<Step>| {
        n_cases.set(n_cases.get() + 1);
        let both = Both::open(&server.database(&format!("random{}", n_cases.get())));
        for (second, (kind, n, choices, delete)) in steps.iter().enumerate() {
            both.clock.set(at(second as i64));
            let (resource_type, id, text) = chart_search::body(*kind, *n, *choices);
            let resource_type = search::Registry::r4().resource_type(&resource_type);
            both.apply(vec![if *delete {
                Change::delete(resource_type.unwrap(), id)
            } else {
                put(&text)
            }]);
        }
        for (resource_type, queries) in chart_search::QUERIES.iter().chain(chart_search::SORTS) {
            for text in *queries {
                let gap = if text.is_empty() { "" } else { "&" };
                let paged = format!("{text}{gap}_count=3");
                both.pages(&permit(), (resource_type, &paged));
                both.pages(&of_patient("r1"), (resource_type, &paged));
            }
        }
        Ok(())
    });
    ran.unwrap();
}

/// Patients as a generator of synthetic histories makes them.
#[test]
fn synthea_bundles_agree() {
    let test = "synthea_bundles_agree";
    let Some(folder) = testkit::shared(test, "synthea") else {
        return;
    };
    let Some(server) = Server::start(test) else {
        return;
    };
    let both = Both::open(&server.database("synthea"));
    let mut files: Vec<PathBuf> = folder
        .read_dir()
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "gz"));
    files.sort_by_key(|file| (file.metadata().map_or(0, |found| found.len()), file.clone()));
    for file in files.iter().take(4) {
        let mut text = String::new();
        let packed = std::fs::File::open(file).unwrap();
        flate2::read::GzDecoder::new(packed)
            .read_to_string(&mut text)
            .unwrap();
        let bundle = Document::parse(text.as_str()).unwrap();
        let entries: Vec<_> = bundle.root().get("entry").unwrap().items().collect();
        let mut local = text.clone();
        for entry in &entries {
            let url = entry.text("fullUrl").unwrap();
            let resource = entry.get("resource").unwrap();
            let (kind, id) = (resource.text("resourceType"), resource.text("id"));
            let to = format!(r#""reference": "{}/{}""#, kind.unwrap(), id.unwrap());
            local = local.replace(&format!(r#""reference": "{url}""#), &to);
        }
        let bundle = Document::parse(local).unwrap();
        let entries: Vec<_> = bundle.root().get("entry").unwrap().items().collect();
        for chunk in entries.chunks(256) {
            let bodies = chunk.iter().map(|entry| entry.get("resource").unwrap());
            both.apply(bodies.map(|body| put(body.raw_str())).collect());
        }
    }
    let mut n_found = 0;
    for search in [
        ("Patient", "_sort=family&_revinclude=Condition:patient"),
        ("Observation", "code=8302-2&_sort=-date&_count=5"),
        ("Observation", "category=laboratory&date=ge2015&_count=20"),
        ("Observation", "value-quantity=gt100&_sort=code&_count=20"),
        ("Observation", "patient.gender=female&code=29463-7&_count=5"),
        (
            "Encounter",
            "date=ge2010&_sort=date&_include=Encounter:patient&_count=9",
        ),
        (
            "Condition",
            "clinical-status=active&_sort=-onset-date&_count=9",
        ),
        ("Patient", "_has:Immunization:patient:status=completed"),
        (
            "MedicationRequest",
            "status=active,stopped&_sort=authoredon&_count=9",
        ),
        ("Procedure", "_sort=-_lastUpdated&_count=20"),
        ("Claim", "_count=20"),
    ] {
        n_found += both.pages(&permit(), search).len();
    }
    assert!(100 < n_found, "{n_found}");
}

/// Several nodes at once: each resource's versions count up by one, and every reader sees the order of
/// commits without a gap, so that nothing ever appears before a commit already seen.
#[test]
fn rid_order_is_commit_order_on_many_nodes() {
    let Some(server) = Server::start("rid_order_is_commit_order_on_many_nodes") else {
        return;
    };
    let address = server.database("nodes");
    PostgresChart::open(&address, Settings::default()).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    let n_written: usize = std::thread::scope(|scope| {
        let nodes: Vec<_> = (0..4)
            .map(|node| {
                let address = &address;
                scope.spawn(move || {
                    let chart = PostgresChart::open(address, Settings::default()).unwrap();
                    let mut n_written = 0;
                    for round in 0..25 {
                        let receipt = chart.apply(&permit(), &crosswise(node, round)).unwrap();
                        n_written += receipt.written.len();
                    }
                    n_written
                })
            })
            .collect();
        let looking = scope.spawn(|| {
            let mut n_looks = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let rids = server.run("nodes", "SELECT rid FROM version ORDER BY rid");
                assert!(rids.iter().copied().eq(1..=rids.len() as i64), "{rids:?}");
                n_looks += 1;
            }
            n_looks
        });
        let n_written = nodes.into_iter().map(|node| node.join().unwrap()).sum();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(0 < looking.join().unwrap());
        n_written
    });
    let count = |sql: &str| server.run("nodes", sql)[0];
    assert_eq!(count("SELECT count(*) FROM version"), n_written as i64);
    assert_eq!(count("SELECT max(rid) FROM version"), n_written as i64);
    let gaps = "SELECT count(*) FROM (SELECT res FROM version GROUP BY res \
                HAVING max(version) <> count(*)) AS bad";
    assert_eq!(count(gaps), 0);
    let back = "SELECT count(*) FROM (SELECT updated < lag(updated) OVER (ORDER BY rid) AS back \
                FROM version) AS times WHERE back";
    assert_eq!(count(back), 0);
    let n_rows = "SELECT count(*) FROM reference WHERE res NOT IN (SELECT res FROM posting_set)";
    assert_eq!(count(n_rows), 0);
}

/// Writes five resources, in opposite orders on odd and even nodes.
fn crosswise(node: usize, round: usize) -> Batch {
    let place = |n| if node.is_multiple_of(2) { n } else { 4 - n };
    let change = |n| put(&about((round + place(n)) % 7, 2, node * 100 + round));
    Batch {
        changes: (0..5).map(change).collect(),
        ..Batch::default()
    }
}

#[test]
fn what_it_cannot_do_is_refused_and_conflicts_leave_nothing() {
    let test = "what_it_cannot_do_is_refused_and_conflicts_leave_nothing";
    let Some(server) = Server::start(test) else {
        return;
    };
    let both = Both::open(&server.database("refused"));
    let patient = |n: u32| {
        put(&format!(
            r#"{{"resourceType":"Patient","id":"p{n}","gender":"female"}}"#
        ))
    };
    both.apply(vec![patient(1)]);
    let refused = |batch: Batch| both.postgres.apply(&permit(), &batch).unwrap_err();
    let batch = Batch {
        changes: vec![patient(2)],
        applied: Some(store::chart::Applied {
            message: vec![1],
            map_version: "1".to_owned(),
            concerns: None,
        }),
        ..Batch::default()
    };
    assert!(matches!(refused(batch), ApplyError::Invalid(_)));
    let exists = patient(1).expecting(store::chart::Expect::Absent);
    let batch = Batch {
        changes: vec![patient(2), exists],
        ..Batch::default()
    };
    assert!(matches!(refused(batch), ApplyError::Conflict(_)));
    let found = both.pages(&permit(), ("Patient", "gender=female"));
    assert_eq!(found, ["Patient/p1"]);
    server.run("refused", "UPDATE chart SET format = 99");
    let newer = PostgresChart::open(&server.address("refused"), Settings::default());
    assert!(matches!(
        newer.err(),
        Some(store::postgres::ConnectError::Newer { found: 99, .. })
    ));
}
