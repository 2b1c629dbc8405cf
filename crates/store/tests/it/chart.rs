//! Versions, preconditions, atomic commits, refusals.

use crate::chart_fixture::{Fixture, at, permit, prepared, query};
use access::{Action, Interaction, Principal, decide};
use base::Purpose;
use std::sync::Arc;
use store::audit;
use store::chart::{
    Applied, ApplyError, Batch, BusinessKey, Change, Chart, Condition, Conflict, Expect, HistoryOf,
    HistoryPage, KeyClaim, Lane, Limits, Lineage, OpenError, Options, Origin, Outcome, Read,
    StopKind,
};

const WEIGHT: &str = r#"{"resourceType":"Observation","id":"w1","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"29463-7"}]},"subject":{"reference":"Patient/p1"},"valueQuantity":{"value":70.50,"unit":"kg"}}"#;

fn patient(id: &str, family: &str) -> String {
    format!(r#"{{"resourceType":"Patient","id":"{id}","name":[{{"family":"{family}"}}]}}"#)
}

#[test]
fn a_body_comes_back_as_sent_with_id_and_meta() {
    let chart = Fixture::new();
    chart.put(WEIGHT);
    let meta = format!(
        r#""meta":{{"versionId":"1","lastUpdated":"{}"}}"#,
        at(0).to_fhir()
    );
    let head = r#"{"resourceType":"Observation","#;
    assert_eq!(
        chart.body("Observation/w1"),
        WEIGHT.replace(head, &format!("{head}{meta},"))
    );
}

#[test]
fn versions_update_unchanged_delete_and_again() {
    let chart = Fixture::new();
    let one = |body: &str| chart.put(body).written.remove(0);
    let first = one(&patient("a", "Testpatient"));
    assert_eq!((first.version, first.outcome), (1, Outcome::Created));
    let same = one(&patient("a", "Testpatient"));
    assert_eq!((same.version, same.outcome), (1, Outcome::Unchanged));
    let second = one(&patient("a", "Zztest"));
    assert_eq!((second.version, second.outcome), (2, Outcome::Updated));
    let gone = chart
        .change(Change::delete("Patient", "a"))
        .unwrap()
        .written
        .remove(0);
    assert_eq!((gone.version, gone.outcome), (3, Outcome::Deleted));
    assert!(matches!(
        chart.read("Patient/a"),
        Read::Gone { version: 3, .. }
    ));
    assert!(chart.found("Patient", "name=zztest").is_empty());
    let again = one(&patient("a", "Zztest"));
    assert_eq!((again.version, again.outcome), (4, Outcome::Created));
    let old = chart.chart.vread(&permit(), "Patient", "a", 1).unwrap();
    assert!(
        matches!(&old, Read::Found(found) if found.version == 1),
        "{old:?}"
    );
    assert!(matches!(
        chart.chart.vread(&permit(), "Patient", "a", 3).unwrap(),
        Read::Gone { .. }
    ));
    assert_eq!(
        chart.chart.vread(&permit(), "Patient", "a", 9).unwrap(),
        Read::Missing
    );
    let of = HistoryOf::Resource {
        resource_type: "Patient",
        id: "a",
    };
    let history = chart
        .chart
        .history(&permit(), of, &HistoryPage::default())
        .unwrap();
    let outcomes: Vec<_> = history.entries.iter().map(|entry| entry.outcome).collect();
    assert_eq!(
        outcomes,
        [
            Outcome::Created,
            Outcome::Deleted,
            Outcome::Updated,
            Outcome::Created
        ]
    );
}

#[test]
fn if_match_if_none_exist_and_older_news() {
    let chart = Fixture::new();
    chart.put(&patient("a", "Testpatient"));
    let change = |family: &str| Change::put("a", prepared(&patient("a", family)));
    let wrong = chart
        .change(change("B").expecting(Expect::Version(7)))
        .unwrap_err();
    assert!(
        matches!(
            wrong,
            ApplyError::Conflict(Conflict::Version { found: Some(1), .. })
        ),
        "{wrong}"
    );
    let there = chart
        .change(change("B").expecting(Expect::Absent))
        .unwrap_err();
    assert!(
        matches!(there, ApplyError::Conflict(Conflict::Version { .. })),
        "{there}"
    );
    chart
        .change(change("B").expecting(Expect::Version(1)).of_event(at(100)))
        .unwrap();
    let mut late = change("C").of_event(at(50));
    late.refuse_older = true;
    let older = chart.change(late).unwrap_err();
    assert!(
        matches!(older, ApplyError::Conflict(Conflict::OlderNews { stored, .. }) if stored == at(100)),
        "{older}"
    );
    let create = |matches: Option<&str>| Batch {
        conditions: vec![Condition {
            rows: access::RowFilter::Everything,
            query: query("Patient", "family=B"),
            matches: matches.map(str::to_owned),
        }],
        ..Batch::of(Change::create("n", prepared(&patient("n", "N"))))
    };
    let exists = chart.apply(create(None)).unwrap_err();
    assert!(
        matches!(
            exists,
            ApplyError::Conflict(Conflict::Condition { n_matches: 1, .. })
        ),
        "{exists}"
    );
    chart.apply(create(Some("a"))).unwrap();
}

#[test]
fn a_batch_is_written_whole_or_not_at_all() {
    let chart = Fixture::new();
    let batch = Batch {
        changes: vec![
            Change::create("a", prepared(&patient("a", "A"))),
            Change::put("b", prepared(&patient("b", "B"))).expecting(Expect::Version(3)),
        ],
        ..Batch::default()
    };
    assert!(chart.apply(batch).is_err());
    assert_eq!(chart.read("Patient/a"), Read::Missing);
    let twice = Batch {
        changes: vec![
            Change::put("a", prepared(&patient("a", "A"))),
            Change::delete("Patient", "a"),
        ],
        ..Batch::default()
    };
    assert!(matches!(chart.apply(twice), Err(ApplyError::Invalid(_))));
}

#[test]
fn message_keys_lineage_and_audit_commit_with_the_change() {
    let chart = Fixture::new();
    let key = BusinessKey {
        system: "urn:zztest".to_owned(),
        kind: "MR".to_owned(),
        value: "4711".to_owned(),
    };
    let claim = |id: &str, moved_from: Option<&str>| KeyClaim {
        key: key.clone(),
        resource_type: "Patient",
        id: id.to_owned(),
        moved_from: moved_from.map(str::to_owned),
    };
    let origin = Origin {
        element: "Patient.name[0].family".to_owned(),
        source: "PID-5.1".to_owned(),
        value: "A".to_owned(),
        row: "adt.map:41".to_owned(),
    };
    let message = || Batch {
        keys: vec![claim("a", None)],
        applied: Some(Applied {
            message: b"m1".to_vec(),
            map_version: "1".to_owned(),
            concerns: None,
        }),
        lineage: vec![Lineage {
            change: 0,
            message: b"m1".to_vec(),
            origins: vec![origin.clone(); 9],
        }],
        audit: vec![audit::Entry {
            actor: "system:flow".to_owned(),
            ..audit::Entry::default()
        }],
        ..Batch::of(Change::put("a", prepared(&patient("a", "A"))))
    };
    assert!(!chart.apply(message()).unwrap().already_applied);
    let again = chart.apply(message()).unwrap();
    assert!(again.already_applied && again.written.is_empty());
    assert_eq!(chart.chart.applied(b"m1").unwrap()[0].map_version, "1");
    assert!(chart.chart.applied(b"m2").unwrap().is_empty());

    let found = chart.chart.lookup(&permit(), &key).unwrap();
    assert_eq!(found, Some(("Patient", "a".to_owned())));
    assert_eq!(
        chart.chart.keys_of(&permit(), "Patient", "a").unwrap(),
        std::slice::from_ref(&key)
    );
    let taken = Batch {
        keys: vec![claim("b", None)],
        ..Batch::default()
    };
    let taken = chart.apply(taken).unwrap_err();
    assert!(
        matches!(taken, ApplyError::Conflict(Conflict::Key { .. })),
        "{taken}"
    );
    chart
        .apply(Batch {
            keys: vec![claim("b", Some("a"))],
            ..Batch::default()
        })
        .unwrap();
    assert_eq!(
        chart.chart.lookup(&permit(), &key).unwrap(),
        Some(("Patient", "b".to_owned()))
    );

    let traced = |element| {
        chart
            .chart
            .lineage(&permit(), "Patient", "a", element)
            .unwrap()
    };
    assert_eq!(traced(Some("Patient.name"))[0].origin, origin);
    assert_eq!(
        (traced(None).len(), traced(Some("Patient.nam")).len()),
        (9, 0)
    );
    let made = chart.chart.made_of(&permit(), b"m1").unwrap();
    assert_eq!(made, [("Patient", "a".to_owned(), 1)]);

    let relay = chart.chart.audit_relay(10).unwrap();
    assert_eq!((relay.len(), relay[0].1.actor.as_str()), (1, "system:flow"));
    chart.chart.audit_relayed(relay[0].0).wait().unwrap();
    assert!(chart.chart.audit_relay(10).unwrap().is_empty());
}

#[test]
fn the_clock_may_run_back_and_the_chart_does_not() {
    let chart = Fixture::new();
    chart.clock.set(at(100));
    chart.put(&patient("a", "A"));
    chart.clock.set(at(50));
    let written = chart.put(&patient("b", "B")).written.remove(0);
    assert_eq!(written.updated, at(100));
    let Fixture { chart, clock, dir } = chart;
    drop(chart);
    clock.set(at(-7200));
    let options = || Options {
        clock: clock.clone(),
        ..Options::default()
    };
    let refused = Chart::open(dir.path(), options()).unwrap_err();
    assert!(
        matches!(refused, OpenError::ClockBehind { .. }),
        "{refused}"
    );
    clock.set(at(200));
    let chart = Chart::open(dir.path(), options()).unwrap();
    assert!(matches!(
        chart.read(&permit(), "Patient", "b").unwrap(),
        Read::Found(_)
    ));
}

#[test]
fn a_directory_in_use_newer_foreign_or_unusable_is_refused() {
    let chart = Fixture::new();
    let in_use = Chart::open(chart.dir.path(), Options::default()).unwrap_err();
    assert!(matches!(in_use, OpenError::InUse { .. }), "{in_use}");
    let Fixture { chart, dir, .. } = chart;
    drop(chart);
    let file = dir.path().join("chart.db");
    let conn = rusqlite::Connection::open(&file).unwrap();
    conn.execute_batch("PRAGMA user_version = 99").unwrap();
    drop(conn);
    let before = std::fs::read(&file).unwrap();
    let newer = Chart::open(dir.path(), Options::default()).unwrap_err();
    assert!(
        matches!(newer, OpenError::Newer { found: 99, .. }),
        "{newer}"
    );
    assert_eq!(std::fs::read(&file).unwrap(), before, "data untouched");
    std::fs::remove_file(&file).unwrap();
    let conn = rusqlite::Connection::open(&file).unwrap();
    conn.execute_batch("CREATE TABLE other (x)").unwrap();
    drop(conn);
    let foreign = Chart::open(dir.path(), Options::default()).unwrap_err();
    assert!(matches!(foreign, OpenError::Foreign { .. }), "{foreign}");
    let below_file = Chart::open(&file.join("x"), Options::default()).unwrap_err();
    assert!(
        matches!(below_file, OpenError::Directory { .. }),
        "{below_file}"
    );
}

#[test]
fn a_full_disk_stops_writes_and_leaves_reads_alive() {
    let chart = Fixture::with(|options| options.max_size_mb = 1);
    chart.put(&patient("kept", "Kept"));
    // Incompressible data fills the file.
    let mut noise = 1u64;
    let stopped = (0..).find_map(|n| {
        let text: String = std::iter::repeat_with(|| {
            noise = noise
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            char::from(b'a' + (noise >> 33) as u8 % 26)
        })
        .take(20_000)
        .collect();
        chart
            .change(Change::put(
                format!("n{n}"),
                prepared(&patient(&format!("n{n}"), &text)),
            ))
            .err()
    });
    let stopped = stopped.unwrap();
    assert!(
        matches!(
            stopped,
            ApplyError::Stopped {
                kind: StopKind::DiskFull,
                ..
            }
        ),
        "{stopped:?}"
    );
    let later = chart.change(Change::delete("Patient", "kept")).unwrap_err();
    assert!(matches!(later, ApplyError::Stopped { .. }), "{later}");
    assert!(chart.chart.stopped().is_some());
    assert!(chart.body("Patient/kept").contains("Kept"));
    let Fixture { chart, clock, dir } = chart;
    drop(chart);
    let again = Chart::open(
        dir.path(),
        Options {
            clock,
            ..Options::default()
        },
    )
    .unwrap();
    let change = Change::put("new", prepared(&patient("new", "New")));
    again
        .apply(&permit(), Batch::of(change), Lane::Interactive)
        .wait()
        .unwrap();
}

#[test]
fn a_permit_for_some_patients_hides_the_rest_everywhere() {
    let chart = Fixture::new();
    for id in ["p1", "p2"] {
        chart.put(&patient(id, "Testpatient"));
        let body = WEIGHT
            .replace("w1", &format!("w-{id}"))
            .replace("Patient/p1", &format!("Patient/{id}"));
        chart.put(&body);
    }
    let token = Principal::Token {
        id: "t".to_owned(),
        scopes: "patient/*.cruds".parse().unwrap(),
        patients: vec!["p1".to_owned()],
    };
    let action = Action::on(Interaction::SearchType, "Observation");
    let own = decide(&token, action, Purpose::Treatment).unwrap();
    let read = |resource_type, id| chart.chart.read(&own, resource_type, id).unwrap();
    assert!(matches!(read("Observation", "w-p1"), Read::Found(_)));
    assert_eq!(read("Observation", "w-p2"), Read::Missing);
    assert_eq!(read("Patient", "p2"), Read::Missing);
    let search = |resource_type, text| {
        let found = chart
            .chart
            .search(&own, &query(resource_type, text), Limits::default());
        let found = found.unwrap();
        (found.matches.len(), found.included.len())
    };
    for (clause, resource_type, text, expected) in [
        ("all", "Observation", "", (1, 0)),
        ("token", "Observation", "code=29463-7", (1, 0)),
        ("chain", "Observation", "patient.family=testpatient", (1, 0)),
        (
            "other's reference",
            "Observation",
            "patient=Patient/p2",
            (0, 0),
        ),
        (
            "_has",
            "Patient",
            "_has:Observation:patient:code=29463-7",
            (1, 0),
        ),
        (
            "include",
            "Observation",
            "_include=Observation:patient",
            (1, 1),
        ),
        (
            "revinclude",
            "Patient",
            "_revinclude=Observation:patient",
            (1, 1),
        ),
    ] {
        assert_eq!(search(resource_type, text), expected, "{clause}");
    }
    let history = chart
        .chart
        .history(&own, HistoryOf::System, &HistoryPage::default())
        .unwrap();
    assert!(
        history
            .entries
            .iter()
            .all(|entry| entry.resource.id.ends_with("p1"))
    );
    let steal = Change::put("w-p2", prepared(&WEIGHT.replace("w1", "w-p2")));
    let refused = chart
        .chart
        .apply(&own, Batch::of(steal), Lane::Interactive)
        .wait();
    assert!(matches!(refused, Err(ApplyError::NotPermitted { .. })));
}

#[test]
fn many_writers_and_readers_at_once() {
    let chart = Arc::new(Fixture::new());
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let chart = Arc::clone(&chart);
            std::thread::spawn(move || {
                for n in 0..25 {
                    let id = format!("t{thread}-{n}");
                    chart.put(&patient(&id, "Testpatient"));
                    assert!(matches!(
                        chart.read(&format!("Patient/{id}")),
                        Read::Found(_)
                    ));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let history = chart.chart.history(
        &permit(),
        HistoryOf::System,
        &HistoryPage {
            count: 1000,
            ..Default::default()
        },
    );
    let rids: Vec<u64> = history
        .unwrap()
        .entries
        .iter()
        .map(|e| e.resource.rid)
        .collect();
    assert!(rids.is_sorted_by(|a, b| a > b), "rid order is commit order");
    assert_eq!(
        chart.search("Patient", "_summary=count").total,
        Some(store::chart::Count::Exact(100))
    );
}
