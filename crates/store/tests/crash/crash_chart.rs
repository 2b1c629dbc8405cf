//! The chart's part of the crash tests: the child's writes, and the checks afterwards.
//!
//! A batch is what a message turns into: a new patient, an observation of it, a new version of a patient that
//! all batches of a thread share, `applied`, lineage, a business key and an audit entry. After a crash all of
//! it is there or none; if it was promised, all.

use crate::chart_fixture::{permit, prepared, query};
use crate::crash_child::{Promise, all_entries, audit_options, say};
use rusqlite::Connection;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use store::audit::{self, AuditLog};
use store::chart::{
    Applied, ApplyError, Batch, BusinessKey, Change, Chart, HistoryOf, HistoryPage, KeyClaim, Lane,
    Limits, Lineage, Options, Origin, Page, Read,
};

/// Writes batch `n` of a thread of this run and prints the outcome.
pub(crate) fn write(chart: &Chart, run: u64, thread: u32, n: u32) -> Option<()> {
    let name = format!("{run}-{thread}-{n}");
    let lane = [Lane::Acknowledging, Lane::Interactive, Lane::Import][thread as usize % 3];
    match chart.apply(&permit(), batch(&name), lane).wait() {
        Ok(receipt) => {
            assert!(!receipt.already_applied, "nothing is applied twice");
            say(&format!("written {name}"));
            Some(())
        }
        Err(ApplyError::Stopped { .. }) => {
            let patient = format!("p-{run}-{thread}-0");
            match chart.read(&permit(), "Patient", &patient).unwrap() {
                Read::Found(_) => say("stopped chart"),
                // The process stopped before this thread had written anything.
                Read::Missing | Read::Gone { .. } => {}
            }
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn batch(name: &str) -> Batch {
    let (thread, n) = name.rsplit_once('-').unwrap();
    let noise = "Zztest ".repeat(name.len() * n.parse::<usize>().unwrap() % 150 + 1);
    let patient = format!(
        r#"{{"resourceType":"Patient","id":"p-{name}","identifier":[{{"system":"urn:test","value":"{name}"}}],"name":[{{"family":"Testpatient","given":["{noise}"]}}]}}"#
    );
    let observation = format!(
        r#"{{"resourceType":"Observation","id":"o-{name}","status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"29463-7"}}]}},"subject":{{"reference":"Patient/p-{name}"}},"valueQuantity":{{"value":{n},"unit":"kg"}}}}"#
    );
    let shared = format!(
        r#"{{"resourceType":"Patient","id":"s-{thread}","name":[{{"family":"Shared","given":["{n}"]}}]}}"#
    );
    let bodies = [
        ("p", name, patient),
        ("o", name, observation),
        ("s", thread, shared),
    ];
    let changes =
        bodies.map(|(kind, of, body)| Change::put(format!("{kind}-{of}"), prepared(&body)));
    let origin = Origin {
        element: "Patient.name[0].family".to_owned(),
        source: "PID-5[1].1".to_owned(),
        value: name.to_owned(),
        row: "adt.map:41".to_owned(),
    };
    Batch {
        changes: changes.into(),
        keys: vec![KeyClaim {
            key: key(name),
            resource_type: "Patient",
            id: format!("p-{name}"),
            moved_from: None,
        }],
        applied: Some(Applied {
            message: name.as_bytes().to_vec(),
            map_version: "v1".to_owned(),
            concerns: None,
        }),
        lineage: vec![Lineage {
            change: 0,
            message: name.as_bytes().to_vec(),
            origins: vec![origin],
        }],
        audit: vec![audit::Entry {
            actor: actor(name),
            action: "update".to_owned(),
            ..audit::Entry::default()
        }],
        ..Batch::default()
    }
}

fn key(name: &str) -> BusinessKey {
    BusinessKey {
        system: "urn:test".to_owned(),
        kind: "MR".to_owned(),
        value: name.to_owned(),
    }
}

fn actor(name: &str) -> String {
    format!("writer-{name}")
}

/// Copies the entries that committed with the writes to the log, as the server does beside them.
pub(crate) fn carry(chart: &Chart, log: &AuditLog) -> Option<()> {
    let entries = chart.audit_relay(20).unwrap();
    let last = entries.last()?.0;
    for (number, entry) in entries {
        log.relay(number, entry).wait().ok()?;
    }
    chart.audit_relayed(last).wait().ok()?;
    Some(())
}

/// Opens the chart that a child left behind and checks its promises.
pub(crate) fn check_written(directory: &Path, promises: &[Promise]) {
    let chart = Chart::open(directory, Options::default()).unwrap();
    let file = Connection::open(directory.join("chart.db")).unwrap();
    let verdict: String = file
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(verdict, "ok", "the database is whole");
    let applied = applied(&file);
    for promise in promises {
        if let Promise::Written(name) = promise {
            assert!(applied.contains(name), "batch {name} is lost");
        }
    }
    let mut of_thread: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for name in &applied {
        check_whole(&chart, name);
        let (thread, n) = name.rsplit_once('-').unwrap();
        of_thread
            .entry(thread)
            .or_default()
            .push(n.parse().unwrap());
    }
    for (thread, mut numbers) in of_thread {
        numbers.sort_unstable();
        check_versions(&chart, thread, &numbers);
    }
    check_nothing_else(&file, applied.len());
    check_trail(directory, &chart, &applied);
}

fn applied(file: &Connection) -> HashSet<String> {
    let mut statement = file.prepare("SELECT message FROM applied").unwrap();
    let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0));
    rows.unwrap()
        .map(|message| String::from_utf8(message.unwrap()).unwrap())
        .collect()
}

/// Checks that every part of a batch is there, and that searches find it.
fn check_whole(chart: &Chart, name: &str) {
    let (patient, observation) = (format!("p-{name}"), format!("o-{name}"));
    let read = chart.read(&permit(), "Patient", &patient).unwrap();
    assert!(matches!(read, Read::Found(_)), "{patient}: {read:?}");
    let found = |resource_type: &str, text: &str| -> Vec<String> {
        let query = query(resource_type, text);
        let page: Page = chart.search(&permit(), &query, Limits::default()).unwrap();
        page.matches.into_iter().map(|found| found.id).collect()
    };
    assert_eq!(
        found(
            "Observation",
            &format!("subject=Patient/{patient}&code=29463-7")
        ),
        [observation]
    );
    let number = format!("identifier=urn:test|{name}");
    assert_eq!(found("Patient", &number), std::slice::from_ref(&patient));
    let person = chart.person_of(&permit(), &patient).unwrap().unwrap();
    let persons = found("Patient", &format!("{number}&_person=true"));
    assert_eq!(persons, std::slice::from_ref(&person.id));
    assert_eq!(person.members, std::slice::from_ref(&patient));
    let named = chart.lookup(&permit(), &key(name)).unwrap();
    assert_eq!(named, Some(("Patient", patient.clone())));
    let lineage = chart.lineage(&permit(), "Patient", &patient, None).unwrap();
    assert_eq!(lineage[0].origin.value, *name);
    let made = chart.made_of(&permit(), name.as_bytes()).unwrap();
    assert_eq!(made, [("Patient", patient, 1)]);
}

/// Checks that the shared patient has a version for each batch of its thread, in order.
fn check_versions(chart: &Chart, thread: &str, numbers: &[u32]) {
    let id = format!("s-{thread}");
    let of = HistoryOf::Resource {
        resource_type: "Patient",
        id: &id,
    };
    let page = HistoryPage {
        count: u32::MAX,
        ..HistoryPage::default()
    };
    let history = chart.history(&permit(), of, &page).unwrap();
    let given = |body: &[u8]| {
        let document = fhir::json::Document::parse(std::str::from_utf8(body).unwrap()).unwrap();
        let name = document.root().get("name").unwrap();
        let given = name.items().next().unwrap().get("given").unwrap();
        given
            .items()
            .next()
            .unwrap()
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    };
    let versions: Vec<u32> = history
        .entries
        .iter()
        .rev()
        .map(|entry| given(&entry.resource.body))
        .collect();
    assert_eq!(versions, numbers, "versions of {id}");
}

/// Checks that no part of a batch that is not applied is there.
fn check_nothing_else(file: &Connection, n_applied: usize) {
    for part in [
        "resource WHERE id LIKE 'p-%' AND state = 1",
        "resource WHERE id LIKE 'o-%' AND state = 1",
        "version WHERE res IN (SELECT res FROM resource WHERE id LIKE 's-%')",
        "business_key",
        "lineage",
    ] {
        let count = format!("SELECT count(*) FROM {part}");
        let n_found: usize = file.query_row(&count, [], |row| row.get(0)).unwrap();
        assert_eq!(n_found, n_applied, "{part}");
    }
}

/// Checks that, once the rest is copied, each batch has one entry in the log, and no other batch has.
fn check_trail(directory: &Path, chart: &Chart, applied: &HashSet<String>) {
    let log = AuditLog::open(&directory.join("audit"), audit_options()).unwrap();
    while carry(chart, &log).is_some() {}
    let mut found: Vec<String> = all_entries(&log)
        .into_iter()
        .map(|row| row.entry.actor)
        .filter(|actor| actor.starts_with("writer-"))
        .collect();
    found.sort_unstable();
    let mut expected: Vec<String> = applied.iter().map(|name| actor(name)).collect();
    expected.sort_unstable();
    assert_eq!(found, expected, "one entry for each batch");
}
