//! A process that writes under load and prints each promise that it gets, to be killed or cut off.
//!
//! The process is this test binary again, with `CAUSEWAY_CRASH_CHILD` set to a directory. Each promise is one
//! line on standard output, written after it was given: `kept SEQUENCE CONTROL_ID`, `done SEQUENCE`, `seen
//! POSITION ACTOR`, `written BATCH`; and `stopped WHAT` for a refusal.

use crate::crash_chart::{carry, write};
use crate::journal_fixture::adt;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::audit::{self, AuditLog, RecordError};
use store::chart::{self, Chart};
use store::journal::{
    Appended, Change, Entry, Filter, Journal, Options, Progress, Sequence, State, WriteError,
};

const DIRECTORY: &str = "CAUSEWAY_CRASH_CHILD";
const PER_THREAD: &str = "CAUSEWAY_CRASH_ENTRIES";

/// A promise that a child got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    Kept(u64, String),
    Done(u64),
    Seen(u64, String),
    Written(String),
    Stopped(String),
}

impl Promise {
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let (kind, first, second) = (words.next()?, words.next()?, words.next());
        match kind {
            "kept" => Some(Self::Kept(first.parse().ok()?, second?.to_owned())),
            "done" => Some(Self::Done(first.parse().ok()?)),
            "seen" => Some(Self::Seen(first.parse().ok()?, second?.to_owned())),
            "written" => Some(Self::Written(first.to_owned())),
            "stopped" => Some(Self::Stopped(first.to_owned())),
            _ => None,
        }
    }
}

/// Returns the number of rounds of a crash test.
pub(crate) fn rounds(usual: u64) -> u64 {
    std::env::var("CAUSEWAY_CRASH_ROUNDS").map_or(usual, |n| n.parse().unwrap())
}

/// Makes the command that runs the child under `wrapper` (`strace …`), each thread writing `per_thread`
/// times.
pub(crate) fn command(wrapper: &[String], directory: &Path, per_thread: u32) -> Command {
    let this = std::env::current_exe()
        .unwrap()
        .to_string_lossy()
        .into_owned();
    let own = [
        this,
        "--exact".into(),
        "crash_child::child".into(),
        "--nocapture".into(),
    ];
    let mut words = wrapper.iter().cloned().chain(own);
    let mut command = Command::new(words.next().unwrap());
    command
        .args(words)
        .env(DIRECTORY, directory)
        .env(PER_THREAD, per_thread.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

/// Returns every promise that the child got; ends when the child has.
pub(crate) fn promises(child: &mut Child) -> Vec<Promise> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // A line that the kill cut in half was a promise that nobody received.
    lines
        .map_while(Result::ok)
        .filter_map(|line| Promise::parse(&line))
        .collect()
}

pub(crate) fn journal_options() -> Options {
    // Small, so that checkpoints, where torn writes do most harm, happen often.
    Options {
        text_index: false,
        checkpoint_bytes: 100_000,
        ..Options::default()
    }
}

pub(crate) fn audit_options() -> audit::Options {
    let segment_bytes =
        std::env::var("CAUSEWAY_CRASH_SEGMENT").map_or(3_000, |n| n.parse().unwrap());
    audit::Options {
        segment_bytes,
        reserve_bytes: 16 << 10,
        ..audit::Options::default()
    }
}

/// Not a test: the child, when it is one.
#[test]
fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let n = std::env::var(PER_THREAD).unwrap().parse().unwrap();
    let directory = Path::new(&directory);
    let journal = Journal::open(directory, journal_options()).unwrap();
    let log = AuditLog::open(&directory.join("audit"), audit_options()).unwrap();
    let chart = Chart::open(directory, chart::Options::default()).unwrap();
    let run = journal.last().get();
    let chart_run = chart.statistics().unwrap().versions;
    let relay_ends = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..3_u32)
            .map(|thread| {
                let chart = &chart;
                scope.spawn(move || (0..n).try_for_each(|n| write(chart, chart_run, thread, n)))
            })
            .collect();
        scope.spawn(|| {
            while !relay_ends.load(Ordering::Relaxed) {
                if carry(&chart, &log).is_none() {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        });
        for thread in 0..4_u32 {
            let journal = &journal;
            scope.spawn(move || (0..n).try_for_each(|n| keep(journal, run, thread, n)));
        }
        for thread in 0..2_u32 {
            let log = &log;
            scope.spawn(move || (0..n).try_for_each(|n| see(log, run, thread, n)));
        }
        for writer in writers {
            // A panic is reported when the scope ends; the relay must not keep it open.
            let _ = writer.join();
        }
        relay_ends.store(true, Ordering::Relaxed);
    });
    // Whatever happened to writes, reads continue.
    let first = journal
        .unprocessed(Sequence::ZERO, 1)
        .and_then(|_| journal.read(Sequence::new(1)));
    if journal.stopped().is_some() && first.is_ok_and(|first| first.is_some()) {
        say("stopped reads-go-on");
    }
}

/// Prints a line in one write, so that no line of another thread gets into it.
pub(crate) fn say(line: &str) {
    std::io::stdout()
        .lock()
        .write_all(format!("{line}\n").as_bytes())
        .unwrap();
}

fn keep(journal: &Journal, run: u64, thread: u32, n: u32) -> Option<()> {
    let control_id = format!("{run}-{thread}-{n}");
    let noise: Vec<String> = (0..n % 40)
        .map(|k| (k * n * 7_919 + thread).to_string())
        .collect();
    let entry = Entry {
        body: noise.join("|").repeat(30).into(),
        ..adt(&control_id, "")
    };
    let sequence = match journal.append(entry).wait() {
        Ok(Appended::New { sequence, .. }) => sequence,
        Ok(Appended::Repeated { .. }) => panic!("nothing is sent twice"),
        Err(WriteError::Stopped(_)) => {
            say("stopped journal");
            // Each thread has its own failing sync: let the ledger reach its own.
            let on = Sequence::new(u64::from(thread) + 1);
            while journal
                .ledger()
                .record(vec![mapped(on, thread)])
                .wait()
                .is_ok()
            {}
            say("stopped ledger");
            return None;
        }
        Err(error) => panic!("{error}"),
    };
    say(&format!("kept {sequence} {control_id}"));
    match journal
        .ledger()
        .record(vec![mapped(sequence, thread)])
        .wait()
    {
        Ok(()) => say(&format!("done {sequence}")),
        Err(_) => say("stopped ledger"),
    }
    Some(())
}

fn mapped(sequence: Sequence, thread: u32) -> Change {
    Change::Progress(Progress {
        sequence,
        flow: "admissions".to_owned(),
        partition: thread.to_string(),
        state: State::Mapped,
        reason: None,
        n_issues: 0,
        map_version: Some("v1".to_owned()),
    })
}

fn see(log: &AuditLog, run: u64, thread: u32, n: u32) -> Option<()> {
    let actor = format!("actor-{run}-{thread}-{n}");
    let entry = audit::Entry {
        actor: actor.clone(),
        target: "x".repeat(300),
        ..Default::default()
    };
    let entry = audit::Entry {
        emergency: n.is_multiple_of(7),
        ..entry
    };
    match log.record(entry).wait() {
        Ok(position) => say(&format!("seen {} {actor}", position.get())),
        Err(RecordError::Full) => say("stopped audit-full"),
        Err(RecordError::Stopped(_)) => {
            say("stopped audit");
            return None;
        }
        Err(error) => panic!("{error}"),
    }
    Some(())
}

/// Opens the journal that a child left behind and checks its promises.
pub(crate) fn check_kept(directory: &Path, promises: &[Promise]) {
    let journal = Journal::open(directory, journal_options()).unwrap();
    for promise in promises {
        match promise {
            Promise::Kept(sequence, control_id) => {
                let stored = journal.read(Sequence::new(*sequence)).unwrap();
                let stored = stored.unwrap_or_else(|| panic!("message {sequence} is lost"));
                assert_eq!(stored.summary.header.control_id, *control_id);
                assert_eq!(stored.body.len(), stored.summary.n_bytes);
            }
            Promise::Done(sequence) => {
                let progress = journal.ledger().progress(Sequence::new(*sequence)).unwrap();
                assert_eq!(
                    progress.unwrap().state,
                    State::Mapped,
                    "state of {sequence} is lost"
                );
            }
            Promise::Seen(..) | Promise::Written(_) | Promise::Stopped(_) => {}
        }
    }
    let page = crate::journal_fixture::ALL;
    let rows = journal.list(&Filter::default(), page).unwrap().rows;
    let mut ids: Vec<_> = rows.iter().map(|row| &row.header.control_id).collect();
    ids.sort();
    let n_rows = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), n_rows, "a message is there twice");
    check_order(rows.iter().rev().map(|row| row.header.control_id.as_str()));
    let n_open = journal
        .unprocessed(Sequence::ZERO, usize::MAX >> 1)
        .unwrap()
        .len();
    let n_done = rows.iter().filter(|row| row.state == State::Mapped).count();
    assert_eq!(
        n_open + n_done,
        n_rows,
        "a message is neither done nor to do"
    );
}

/// Checks the order: each sender waits for its answer, so its messages must be in its order.
fn check_order<'a>(control_ids: impl Iterator<Item = &'a str>) {
    let mut last = std::collections::HashMap::new();
    for control_id in control_ids {
        let (sender, n) = control_id.rsplit_once('-').unwrap();
        let n: u32 = n.parse().unwrap();
        let before = last.insert(sender.to_owned(), n);
        assert!(
            before.is_none_or(|before| before < n),
            "{sender}: {n} after {before:?}"
        );
    }
}

/// Checks the audit log in the same way.
pub(crate) fn check_seen(directory: &Path, promises: &[Promise]) {
    let directory = directory.join("audit");
    // Cut before there was a directory: an empty log, for which no promise can have been given.
    std::fs::create_dir_all(&directory).unwrap();
    let report = audit::verify(&directory).unwrap();
    assert_eq!(report.faults, [], "before it is opened again");
    let log = AuditLog::open(&directory, audit_options()).unwrap();
    let all = all_entries(&log);
    let actors: std::collections::HashMap<u64, &str> = all
        .iter()
        .map(|row| (row.position.get(), row.entry.actor.as_str()))
        .collect();
    for promise in promises {
        let Promise::Seen(position, actor) = promise else {
            continue;
        };
        assert_eq!(
            actors.get(position),
            Some(&actor.as_str()),
            "entry {position} is lost"
        );
    }
    log.record(audit::Entry::default()).wait().unwrap();
    drop(log);
    assert_eq!(
        audit::verify(&directory).unwrap().faults,
        [],
        "after it was opened again"
    );
}

/// Returns every entry, once the search index has them all.
pub(crate) fn all_entries(log: &AuditLog) -> Vec<audit::Recorded> {
    let page = audit::Page {
        before: None,
        limit: usize::MAX >> 1,
    };
    loop {
        let all = log.entries(&audit::Filter::default(), page).unwrap();
        if all.lag == 0 {
            return all.rows;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
