//! Promise 4 (docs/PROMISES.md): durable before the answer, and every change is detected.

use base::{FixedClock, Timestamp};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::audit::{
    AuditLog, Entry, Fault, Filter, Note, OpenError, Options, Outcome, Page, RecordError, verify,
};

const NOON: i64 = 1_795_435_200_000_000;
const ALL: Page = Page {
    before: None,
    limit: 10_000,
};

fn options(clock: &Arc<FixedClock>) -> Options {
    Options {
        clock: clock.clone(),
        segment_bytes: 2_000,
        reserve_bytes: 64 << 10,
        ..Options::default()
    }
}

fn noon() -> Arc<FixedClock> {
    Arc::new(FixedClock::new(Timestamp::from_micros(NOON)))
}

fn open(directory: &Path) -> AuditLog {
    AuditLog::open(directory, options(&noon())).unwrap()
}

fn read_by(actor: &str, patient: &str) -> Entry {
    Entry {
        actor: actor.to_owned(),
        action: "read".to_owned(),
        resource_type: "Patient".to_owned(),
        target: patient.to_owned(),
        patients: vec![patient.to_owned()],
        purpose: "TREAT".to_owned(),
        outcome: Outcome::Success,
        source: "127.0.0.1".to_owned(),
        request_id: "r-1".to_owned(),
        emergency: false,
    }
}

/// Records entries one by one, over several segments.
fn fill(log: &AuditLog, n: u32) {
    for n in 0..n {
        let entry = read_by(&format!("actor{}", n % 3), &format!("TESTPATIENT{}", n % 5));
        log.record(entry).wait().unwrap();
    }
}

fn wait_for_index(log: &AuditLog) {
    let began = Instant::now();
    while log
        .entries(
            &Filter::default(),
            Page {
                before: None,
                limit: 1,
            },
        )
        .unwrap()
        .lag
        != 0
    {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "the index never caught up"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(directory)
        .unwrap()
        .map(|found| found.unwrap().path());
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|found| found == "log");
    let mut paths: Vec<_> = paths.filter(is_segment).collect();
    paths.sort();
    paths
}

#[test]
fn what_was_recorded_is_found_by_patient_actor_and_time() {
    let directory = tempfile::tempdir().unwrap();
    let clock = noon();
    let log = AuditLog::open(directory.path(), options(&clock)).unwrap();
    for n in 0..60_u64 {
        clock.set(Timestamp::from_micros(NOON + n as i64));
        let entry = read_by(&format!("actor{}", n % 3), &format!("TESTPATIENT{}", n % 5));
        assert_eq!(log.record(entry).wait().unwrap().get(), n + 1);
    }
    wait_for_index(&log);
    let found = |filter: Filter| -> Vec<u64> {
        let rows = log.entries(&filter, ALL).unwrap().rows;
        rows.iter().map(|row| row.position.get()).collect()
    };
    let expected = |keep: fn(u64) -> bool| -> Vec<u64> {
        (0..60).rev().filter(|n| keep(*n)).map(|n| n + 1).collect()
    };
    let (patient, actor) = (Some("TESTPATIENT2".to_owned()), Some("actor1".to_owned()));
    let at = |n: i64| Some(Timestamp::from_micros(NOON + n));
    let none = Filter::default;
    assert_eq!(found(none()), expected(|_| true));
    assert_eq!(
        found(Filter {
            patient: patient.clone(),
            ..none()
        }),
        expected(|n| n % 5 == 2)
    );
    assert_eq!(
        found(Filter {
            actor: actor.clone(),
            ..none()
        }),
        expected(|n| n % 3 == 1)
    );
    let both = Filter {
        patient,
        actor,
        from: at(10),
        until: at(40),
        ..none()
    };
    assert_eq!(
        found(both),
        expected(|n| n % 15 == 7 && (10..40).contains(&n))
    );
    assert_eq!(
        found(Filter {
            from: at(100),
            ..none()
        }),
        [0; 0]
    );

    let first = log
        .entries(
            &none(),
            Page {
                before: None,
                limit: 25,
            },
        )
        .unwrap();
    let second = log
        .entries(
            &none(),
            Page {
                before: first.next,
                limit: 25,
            },
        )
        .unwrap();
    assert_eq!(
        second.rows[0].position.get(),
        35,
        "pages join without a gap"
    );
    assert_eq!(
        first.rows[0].entry,
        read_by("actor2", "TESTPATIENT4"),
        "as it was recorded"
    );
    assert_eq!(first.rows[0].at, Timestamp::from_micros(NOON + 59));
}

#[test]
fn a_log_goes_on_after_a_restart_and_a_lost_index() {
    let directory = tempfile::tempdir().unwrap();
    for round in 1..5_u64 {
        let log = open(directory.path());
        fill(&log, 30);
        assert_eq!(log.head().position, 30 * round);
        drop(log);
        let report = verify(directory.path()).unwrap();
        assert_eq!(
            (report.n_entries, report.faults, report.notes),
            (30 * round, vec![], vec![])
        );
        fs::remove_file(directory.path().join("index.db")).unwrap();
    }
    let log = open(directory.path());
    wait_for_index(&log);
    assert_eq!(
        log.entries(&Filter::default(), ALL).unwrap().rows.len(),
        120
    );
}

#[test]
fn time_never_runs_backwards() {
    let directory = tempfile::tempdir().unwrap();
    let clock = noon();
    for hours in [0, -5, 3, -9] {
        clock.set(Timestamp::from_micros(NOON + hours * 3_600_000_000));
        let log = AuditLog::open(directory.path(), options(&clock)).unwrap();
        fill(&log, 7);
        wait_for_index(&log);
    }
    let log = open(directory.path());
    let rows = log.entries(&Filter::default(), ALL).unwrap().rows;
    assert_eq!(rows.len(), 28);
    assert!(rows.windows(2).all(|pair| pair[1].at <= pair[0].at));
}

#[test]
fn a_relayed_write_is_recorded_once() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    for relay in [1, 2, 2, 1, 3] {
        log.relay(relay, read_by("system", "TESTPATIENT1"))
            .wait()
            .unwrap();
    }
    assert_eq!((log.relayed(), log.head().position), (3, 3));
    drop(log);
    let log = open(directory.path());
    assert_eq!(log.relayed(), 3, "known again after a restart");
    log.relay(3, read_by("system", "TESTPATIENT1"))
        .wait()
        .unwrap();
    fill(&log, 40);
    drop(log);
    let log = open(directory.path());
    assert_eq!(
        (log.relayed(), log.head().position),
        (3, 43),
        "also from a later segment"
    );
}

/// Fills a log, lets `tamper` change it, and returns the faults that `verify` finds.
fn faults_after(tamper: impl FnOnce(&Path)) -> Vec<Fault> {
    let directory = tempfile::tempdir().unwrap();
    fill(&open(directory.path()), 60);
    assert!(3 < segments(directory.path()).len());
    tamper(directory.path());
    verify(directory.path()).unwrap().faults
}

#[test]
fn every_kind_of_change_is_found() {
    let check = |what: &str, tamper: fn(&Path)| {
        assert_ne!(faults_after(tamper), [], "{what}");
    };
    check("the last entry cut off", |log| {
        let last = segments(log).pop().unwrap();
        let n_bytes = fs::metadata(&last).unwrap().len();
        fs::File::options()
            .write(true)
            .open(last)
            .unwrap()
            .set_len(n_bytes - 10)
            .unwrap();
    });
    check("the last segment taken away", |log| {
        fs::remove_file(segments(log).pop().unwrap()).unwrap();
    });
    check("a segment in the middle taken away", |log| {
        fs::remove_file(&segments(log)[1]).unwrap();
    });
    check("the first segment taken away", |log| {
        fs::remove_file(&segments(log)[0]).unwrap();
    });
    check("two segments swapped", |log| {
        let paths = segments(log);
        fs::rename(&paths[1], log.join("x")).unwrap();
        fs::rename(&paths[2], &paths[1]).unwrap();
        fs::rename(log.join("x"), &paths[2]).unwrap();
    });
    check("the head file taken away", |log| {
        fs::remove_file(log.join("head")).unwrap();
    });
    check("an entry taken out", |log| {
        let path = &segments(log)[1];
        let bytes = fs::read(path).unwrap();
        let header = 122;
        let length = u32::from_be_bytes(bytes[header..header + 4].try_into().unwrap()) as usize;
        fs::write(
            path,
            [&bytes[..header], &bytes[header + 36 + length..]].concat(),
        )
        .unwrap();
    });
    check("everything but the head", |log| {
        for path in segments(log) {
            fs::remove_file(path).unwrap();
        }
    });
}

#[test]
fn no_changed_byte_goes_unnoticed() {
    let directory = tempfile::tempdir().unwrap();
    fill(&open(directory.path()), 60);
    for path in segments(directory.path()) {
        let whole = fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(7) {
            let mut changed = whole.clone();
            changed[at] ^= 0x20;
            fs::write(&path, &changed).unwrap();
            // A header that names a newer format is an error, not a report.
            let found = verify(directory.path()).map_or(1, |report| report.faults.len());
            assert_ne!(found, 0, "byte {at} of {}", path.display());
        }
        fs::write(&path, whole).unwrap();
    }
    assert_eq!(verify(directory.path()).unwrap().faults, []);
}

#[test]
fn a_write_cut_short_is_a_note_and_the_log_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    fill(&open(directory.path()), 5);
    let last = segments(directory.path()).pop().unwrap();
    let mut torn = fs::read(&last).unwrap();
    torn.extend_from_slice(&[0, 0, 0, 200, 1, 2, 3]);
    fs::write(&last, torn).unwrap();
    for _ in 0..2 {
        fill(&open(directory.path()), 5);
    }
    let report = verify(directory.path()).unwrap();
    assert_eq!((report.n_entries, report.faults), (15, vec![]));
    assert!(matches!(
        report.notes[..],
        [Note::Unfinished {
            after: 5,
            n_bytes: 7,
            ..
        }]
    ));
}

#[test]
fn a_log_that_was_cut_goes_on_after_a_gap_that_stays() {
    let directory = tempfile::tempdir().unwrap();
    fill(&open(directory.path()), 60);
    fs::remove_file(segments(directory.path()).pop().unwrap()).unwrap();
    for _ in 0..2 {
        fill(&open(directory.path()), 10);
        let report = verify(directory.path()).unwrap();
        assert!(
            matches!(report.faults[..], [Fault::Missing { to: 60, .. }]),
            "{report:?}"
        );
    }
}

#[test]
fn a_directory_that_cannot_be_used_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    fill(&log, 3);
    let second = AuditLog::open(directory.path(), options(&noon()));
    assert!(matches!(second, Err(OpenError::InUse { .. })));
    drop(log);
    let path = segments(directory.path()).pop().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[9] = 99;
    fs::write(&path, bytes).unwrap();
    let newer = AuditLog::open(directory.path(), options(&noon()));
    assert!(matches!(newer, Err(OpenError::Newer { found: 99, .. })));
    let file = AuditLog::open(&path, options(&noon()));
    assert!(matches!(file, Err(OpenError::Path { .. })));
}

#[test]
fn an_entry_that_is_too_large_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let entry = Entry {
        target: "x".repeat(2 << 20),
        ..Entry::default()
    };
    assert!(matches!(
        log.record(entry).wait(),
        Err(RecordError::TooLarge)
    ));
}
