//! Compares search over the audit log with a plain filter and sort of the same entries.

use base::{FixedClock, Timestamp};
use std::cmp::Ordering;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::audit::{
    ActorKind, AuditLog, Column, Entry, Filter, Options, Outcome, Page, Recorded, Sorted,
};

const N: u64 = 84;
const COLUMNS: [Column; 7] = [
    Column::At,
    Column::Actor,
    Column::Action,
    Column::Patient,
    Column::Purpose,
    Column::Source,
    Column::Outcome,
];

fn pick<'a>(of: &[&'a str], n: u64) -> &'a str {
    of[n as usize % of.len()]
}

fn entry(n: u64) -> Entry {
    let outcomes = [
        Outcome::Success,
        Outcome::Refused,
        Outcome::Success,
        Outcome::Failed,
        Outcome::Error,
    ];
    Entry {
        actor: pick(
            &["user:ann", "system:flow", "token:t1", "nobody", "user:bo"],
            n,
        )
        .to_owned(),
        action: pick(&["read", "apply", "search-type"], n).to_owned(),
        resource_type: pick(&["message", "Patient"], n).to_owned(),
        target: (n % 7).to_string(),
        patients: (0..n % 3).map(|p| format!("TESTPATIENT{p}")).collect(),
        purpose: pick(&["TREAT", "HOPERAT"], n / 3).to_owned(),
        outcome: outcomes[n as usize % 5],
        source: format!("127.0.0.{}", n % 4),
        request_id: format!("r-{n}"),
        emergency: false,
    }
}

fn filled(directory: &Path) -> AuditLog {
    let options = Options {
        clock: Arc::new(FixedClock::new(Timestamp::from_micros(
            1_795_435_200_000_000,
        ))),
        segment_bytes: 4_000,
        reserve_bytes: 64 << 10,
        ..Options::default()
    };
    let log = AuditLog::open(directory, options).unwrap();
    for n in log.head().position..N {
        log.record(entry(n)).wait().unwrap();
    }
    let began = Instant::now();
    while all(&log).len() < N as usize {
        assert!(began.elapsed() < Duration::from_secs(30), "no index");
        std::thread::sleep(Duration::from_millis(5));
    }
    log
}

fn all(log: &AuditLog) -> Vec<Recorded> {
    let page = Page {
        before: None,
        limit: 1_000,
    };
    log.entries(&Filter::default(), page).unwrap().rows
}

fn rank(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Success => 0,
        Outcome::Failed => 1,
        Outcome::Refused => 2,
        Outcome::Error => 3,
    }
}

fn compare(one: &Recorded, other: &Recorded, by: Column) -> Ordering {
    let (a, b) = (&one.entry, &other.entry);
    match by {
        Column::At => one.position.cmp(&other.position),
        Column::Actor => a.actor.cmp(&b.actor),
        Column::Action => a.action.cmp(&b.action),
        Column::Patient => a.patients.last().cmp(&b.patients.last()),
        Column::Purpose => a.purpose.cmp(&b.purpose),
        Column::Source => a.source.cmp(&b.source),
        Column::Outcome => rank(a.outcome).cmp(&rank(b.outcome)),
    }
}

/// A filter, and the predicate of the entries that it keeps.
type Kept = (Filter, fn(&Entry) -> bool);

fn filters() -> Vec<Kept> {
    let none = Filter::default;
    vec![
        (none(), |_| true),
        (
            Filter {
                kinds: vec![ActorKind::Person],
                ..none()
            },
            |entry| entry.actor.starts_with("user:"),
        ),
        (
            Filter {
                kinds: vec![ActorKind::Application, ActorKind::Nobody],
                failed_only: true,
                ..none()
            },
            |entry| {
                !entry.actor.starts_with("user:")
                    && !entry.actor.starts_with("system:")
                    && entry.outcome != Outcome::Success
            },
        ),
        (
            Filter {
                actions: vec!["read", "search-type"],
                patient: Some("TESTPATIENT0".to_owned()),
                ..none()
            },
            |entry| entry.action != "apply" && entry.patients.iter().any(|p| p == "TESTPATIENT0"),
        ),
        (
            Filter {
                about: Some(("message".to_owned(), "4".to_owned())),
                ..none()
            },
            |entry| entry.resource_type == "message" && entry.target == "4",
        ),
    ]
}

/// Returns everything in that order, a page of ten at a time.
fn found(log: &AuditLog, filter: &Filter, (by, descending): (Column, bool)) -> Vec<Recorded> {
    let mut found = Vec::new();
    loop {
        let sorted = Sorted {
            by,
            descending,
            skip: found.len(),
            limit: 10,
        };
        let rows = log.entries_sorted(filter, sorted).unwrap().rows;
        if rows.is_empty() {
            return found;
        }
        found.extend(rows);
    }
}

/// Sorts rows; equal ones stay newest first, as given.
fn sorted(mut rows: Vec<Recorded>, (by, descending): (Column, bool)) -> Vec<Recorded> {
    rows.sort_by(|a, b| {
        let (a, b) = if descending { (b, a) } else { (a, b) };
        compare(a, b, by)
    });
    rows
}

#[test]
fn every_order_of_every_filter_is_that_of_a_plain_sort() {
    let directory = tempfile::tempdir().unwrap();
    let log = filled(directory.path());
    let everything = all(&log);
    let orders = COLUMNS.iter().flat_map(|by| [(*by, false), (*by, true)]);
    for ((filter, keep), order) in filters()
        .into_iter()
        .flat_map(|one| orders.clone().map(move |order| (one.clone(), order)))
    {
        let kept = everything.iter().filter(|row| keep(&row.entry));
        let kept: Vec<Recorded> = kept.cloned().collect();
        assert!(!kept.is_empty() && (kept.len() < N as usize || filter == Filter::default()));
        let expected = sorted(kept, order);
        assert_eq!(
            found(&log, &filter, order),
            expected,
            "{filter:?} {order:?}"
        );
    }
}

#[test]
fn an_index_of_another_version_is_made_again() {
    let directory = tempfile::tempdir().unwrap();
    let everything = all(&filled(directory.path()));
    let index = rusqlite::Connection::open(directory.path().join("index.db")).unwrap();
    // The index as the first version left it.
    index
        .execute_batch(
            "DROP TABLE entry; PRAGMA user_version = 0;
             CREATE TABLE entry(position INTEGER PRIMARY KEY, segment INTEGER NOT NULL,
               offset INTEGER NOT NULL, at INTEGER NOT NULL, actor TEXT NOT NULL) STRICT;",
        )
        .unwrap();
    drop(index);
    assert_eq!(all(&filled(directory.path())), everything);
}
