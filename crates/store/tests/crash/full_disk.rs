//! Promises 1 and 4 (docs/PROMISES.md): on a full disk acknowledging stops, reads continue from the audit
//! log's reserve, and when there is space again everything continues without a restart.

use crate::chart_fixture::{permit, prepared, query};
use crate::crash_child::all_entries;
use crate::journal_fixture::adt;
use crate::small_disk::SmallDisk;
use base::{FixedClock, Timestamp};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::audit::{self, AuditLog, Entry, RecordError};
use store::chart::{self, ApplyError, Batch, Change, Chart, Lane, Limits, Read, StopKind};
use store::journal::{Filter, Journal, Sequence, WriteError};

const CHILD: &str = "CAUSEWAY_FULL_DISK_CHILD";
const RESERVE: u64 = 64 << 10;
const EMERGENCY: u64 = 16 << 10;

fn options() -> audit::Options {
    audit::Options {
        reserve_bytes: RESERVE,
        emergency_bytes: EMERGENCY,
        retry_full: Duration::from_millis(50),
        ..audit::Options::default()
    }
}

fn entry(actor: &str, emergency: bool) -> Entry {
    Entry {
        actor: actor.to_owned(),
        action: "read".to_owned(),
        target: "x".repeat(200),
        emergency,
        ..Entry::default()
    }
}

/// Writes entries of a kind until none fits, and returns those that were accepted.
fn until_full(log: &AuditLog, name: &str, emergency: bool) -> Vec<String> {
    let mut taken = Vec::new();
    loop {
        let actor = format!("{name}-{}", taken.len());
        match log.record(entry(&actor, emergency)).wait() {
            Ok(_) => taken.push(actor),
            Err(RecordError::Full) => return taken,
            Err(error) => panic!("{error}"),
        }
    }
}

fn eventually(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn is_whole(directory: &Path) {
    assert_eq!(audit::verify(directory).unwrap().faults, []);
}

#[test]
fn reads_go_on_from_the_reserve_and_back_without_a_restart() {
    let name = "reads_go_on_from_the_reserve_and_back_without_a_restart";
    let Some(disk) = SmallDisk::mount(name, 1024) else {
        return;
    };
    let directory = disk.path().join("audit");
    let log = AuditLog::open(&directory, options()).unwrap();
    log.record(entry("before", false)).wait().unwrap();
    assert_eq!(log.reserve(), None);
    disk.fill();
    let ordinary = until_full(&log, "ordinary", false);
    let per_entry = RESERVE / 300;
    assert!(
        100 < ordinary.len() && (ordinary.len() as u64) < per_entry + 20,
        "{} ordinary reads",
        ordinary.len()
    );
    let reserve = log.reserve().unwrap();
    assert_eq!(
        (reserve.n_bytes, reserve.emergency_bytes),
        (RESERVE, EMERGENCY)
    );
    assert_eq!(reserve.n_ordinary_left(), 0, "{reserve:?}");
    assert!(0 < reserve.n_emergency_left(), "{reserve:?}");
    // Neither unauthenticated callers nor writes use any of it.
    let stranger = log.record_if_room(entry("stranger", false)).wait();
    assert!(matches!(stranger, Err(RecordError::Full)), "{stranger:?}");
    let relayed = log.relay(1, entry("write", false)).wait();
    assert!(matches!(relayed, Err(RecordError::Full)), "{relayed:?}");
    let emergency = until_full(&log, "emergency", true);
    assert!(30 < emergency.len(), "{} emergency reads", emergency.len());
    assert!(log.stopped().is_none(), "it did not fail");

    disk.free();
    eventually("it goes on by itself", || log.reserve().is_none());
    assert!(is_zeros(&directory.join("reserve")), "made anew first");
    log.relay(1, entry("write", false)).wait().unwrap();
    let taken = ordinary.len() + emergency.len() + 2;
    assert_eq!(
        all_entries(&log).len(),
        taken,
        "each promised entry, and no other"
    );
    // And once more.
    disk.fill();
    assert!(!until_full(&log, "again", false).is_empty());
    drop(log);
    is_whole(&directory);
}

#[test]
fn what_is_left_of_the_reserve_is_gone_on_with_after_a_restart() {
    let name = "what_is_left_of_the_reserve_is_gone_on_with_after_a_restart";
    let Some(disk) = SmallDisk::mount(name, 1024) else {
        return;
    };
    let directory = disk.path().join("audit");
    let log = AuditLog::open(&directory, options()).unwrap();
    log.record(entry("before", false)).wait().unwrap();
    disk.fill();
    // Until the log is in the reserve; the segment may have had room for one or two.
    while log.reserve().is_none() {
        log.record(entry("within", false)).wait().unwrap();
    }
    // Clocks go backwards; the log does not.
    let behind = audit::Options {
        clock: Arc::new(FixedClock::new(Timestamp::from_micros(1))),
        ..options()
    };
    drop(log);
    let log = AuditLog::open(&directory, behind).unwrap();
    eventually("still on the reserve", || log.reserve().is_some());
    let ordinary = until_full(&log, "after", false);
    assert!(100 < ordinary.len(), "{}", ordinary.len());
    let entries = all_entries_read(&directory, log);
    assert!(entries.is_sorted_by_key(|row| std::cmp::Reverse(row.at)));
    disk.free();
    let log = AuditLog::open(&directory, options()).unwrap();
    assert_eq!(log.reserve(), None);
    assert!(is_zeros(&directory.join("reserve")));
    log.record(entry("at last", false)).wait().unwrap();
    drop(log);
    is_whole(&directory);
}

fn is_zeros(path: &Path) -> bool {
    let bytes = std::fs::read(path).unwrap();
    bytes.iter().all(|byte| *byte == 0)
}

/// Reads the entries once there is space: the index cannot be written on a full disk.
fn all_entries_read(directory: &Path, log: AuditLog) -> Vec<audit::Recorded> {
    drop(log);
    let copy = tempfile::tempdir().unwrap();
    for found in std::fs::read_dir(directory).unwrap() {
        let path = found.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "log") || path.ends_with("head") {
            std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    all_entries(&AuditLog::open(copy.path(), options()).unwrap())
}

#[test]
fn a_reserve_that_was_renamed_and_has_no_header_is_the_reserve_again() {
    let dir = tempfile::tempdir().unwrap();
    let log = AuditLog::open(dir.path(), options()).unwrap();
    log.record(entry("before", false)).wait().unwrap();
    drop(log);
    let segment = dir.path().join("audit-0000000002.log");
    std::fs::rename(dir.path().join("reserve"), &segment).unwrap();
    let log = AuditLog::open(dir.path(), options()).unwrap();
    assert!(!segment.exists() && is_zeros(&dir.path().join("reserve")));
    log.record(entry("after", false)).wait().unwrap();
    drop(log);
    assert_eq!(audit::verify(dir.path()).unwrap().notes, []);
    is_whole(dir.path());

    // A segment with data in it is evidence, and stays.
    std::fs::write(&segment, [7; 4096]).unwrap();
    std::fs::remove_file(dir.path().join("reserve")).unwrap();
    drop(AuditLog::open(dir.path(), options()).unwrap());
    assert_eq!(std::fs::read(&segment).unwrap(), [7; 4096]);
}

/// Not a test: the process that is killed within the reserve, if this run is that process.
#[test]
fn child() {
    let Some(directory) = std::env::var_os(CHILD) else {
        return;
    };
    let log = AuditLog::open(Path::new(&directory), options()).unwrap();
    let run = std::process::id();
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let log = &log;
            scope.spawn(move || {
                for n in 0.. {
                    let actor = format!("{run}-{thread}-{n}");
                    match log.record(entry(&actor, thread == 1)).wait() {
                        Ok(position) => say(&format!("seen {} {actor}", position.get())),
                        Err(RecordError::Full) => std::thread::sleep(Duration::from_millis(5)),
                        Err(error) => panic!("{error}"),
                    }
                    // Makes the kill fall within the reserve, not after it.
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
        }
    });
}

fn say(line: &str) {
    std::io::stdout()
        .lock()
        .write_all(format!("{line}\n").as_bytes())
        .unwrap();
}

#[test]
fn killed_within_the_reserve_it_keeps_what_it_promised() {
    let name = "killed_within_the_reserve_it_keeps_what_it_promised";
    let Some(disk) = SmallDisk::mount(name, 2048) else {
        return;
    };
    let directory = disk.path().join("audit");
    drop(AuditLog::open(&directory, options()).unwrap());
    disk.fill();
    let mut promised: Vec<(u64, String)> = Vec::new();
    for round in 0..8 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "full_disk::child", "--nocapture"])
            .env(CHILD, &directory)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(15 + round * 9));
        child.kill().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        promised.extend(lines.map_while(Result::ok).filter_map(|line| {
            let (position, actor) = line.strip_prefix("seen ")?.split_once(' ')?;
            Some((position.parse().ok()?, actor.to_owned()))
        }));
        child.wait().unwrap();
        is_whole(&directory);
    }
    assert!(20 < promised.len(), "only {} promises", promised.len());
    disk.free();
    let log = AuditLog::open(&directory, options()).unwrap();
    let entries = all_entries(&log);
    for (position, actor) in promised {
        let found = entries.iter().find(|row| row.position.get() == position);
        assert_eq!(found.unwrap().entry.actor, actor, "entry {position}");
    }
}

fn patient(id: &str) -> Batch {
    let body = format!(
        r#"{{"resourceType":"Patient","id":"{id}","name":[{{"family":"Testpatient","given":["{}"]}}]}}"#,
        id.repeat(200)
    );
    Batch::of(Change::put(id, prepared(&body)))
}

#[test]
fn journal_and_chart_refuse_on_a_full_disk_read_on_and_resume() {
    let name = "journal_and_chart_refuse_on_a_full_disk_read_on_and_resume";
    let Some(disk) = SmallDisk::mount(name, 16 << 10) else {
        return;
    };
    let chart = Chart::open(disk.path(), chart::Options::default()).unwrap();
    let journal = Journal::open(disk.path(), crate::crash_child::journal_options()).unwrap();
    let write = |id: String| {
        chart
            .apply(&permit(), patient(&id), Lane::Interactive)
            .wait()
    };
    let keep = |n: u32| journal.append(adt(&format!("M{n}"), "")).wait();
    write("p0".to_owned()).unwrap();
    keep(0).unwrap();
    disk.fill();

    let mut n_written = 1;
    let error = loop {
        match write(format!("p{n_written}")) {
            Ok(_) => n_written += 1,
            Err(error) => break error,
        }
    };
    let full = |error: &ApplyError| {
        matches!(
            error,
            ApplyError::Stopped {
                kind: StopKind::DiskFull,
                ..
            }
        )
    };
    assert!(full(&error), "{error}");
    let mut n_kept = 1;
    let error = loop {
        match keep(n_kept) {
            Ok(_) => n_kept += 1,
            Err(error) => break error,
        }
    };
    assert!(error.is_disk_full(), "{error}");

    // Every kind of read, also those that need space for sorting, also on connections of their own.
    for n in 0..n_written {
        let found = chart.read(&permit(), "Patient", &format!("p{n}")).unwrap();
        assert!(matches!(found, Read::Found(_)), "p{n}");
    }
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let query = query(
                    "Patient",
                    "name=testpatient&_sort=-name,_id&_total=accurate",
                );
                let page = chart.search(&permit(), &query, Limits::default()).unwrap();
                assert!(!page.matches.is_empty());
            });
        }
    });
    assert!(journal.read(Sequence::new(1)).unwrap().is_some());
    assert!(
        !journal
            .list(&Filter::default(), crate::journal_fixture::ALL)
            .unwrap()
            .rows
            .is_empty()
    );

    // Without space it stops again, and nothing is half written.
    chart.resume();
    journal.resume();
    assert!(full(&write("q".repeat(60)).unwrap_err()));
    assert!(matches!(keep(n_kept), Err(WriteError::Stopped(_))));
    disk.free();
    assert!(
        full(&write("r".to_owned()).unwrap_err()),
        "not before it is told"
    );
    chart.resume();
    journal.resume();
    write(format!("p{n_written}")).unwrap();
    keep(n_kept).unwrap();
    assert!(matches!(
        chart.read(&permit(), "Patient", &"q".repeat(60)).unwrap(),
        Read::Missing
    ));
    drop((chart, journal));
    let file = rusqlite::Connection::open(disk.path().join("chart.db")).unwrap();
    let verdict: String = file
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(verdict, "ok");
    let journal = Journal::open(disk.path(), crate::crash_child::journal_options()).unwrap();
    assert_eq!(journal.last().get(), u64::from(n_kept) + 1);
}
