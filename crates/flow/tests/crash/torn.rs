//! A power cut under load, across all files that a site writes at once: journal, chart, `flow.db`
//! and the audit log. The writes of a whole engine are recorded, cut at many moments, and unsynced
//! writes are removed or torn; then the engine starts again on the remaining data.
//!
//! Each message acknowledged on a socket before the cut is in the journal once and ends applied
//! once, in order in its partition; each promised audit entry is in the audit log.

use crate::chart_site::ChartSite;
use crate::client::{Client, adt, msa1};
use crate::kill::check_chart;
use crate::torn_writes_log::{Chance, Log, has_strace, recorder};
use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use store::audit::{self, AuditLog};
use store::chart::Chart;
use store::journal::State;

const CHILD: &str = "CAUSEWAY_TORN_CHILD";
/// Number of cuts; `CAUSEWAY_CRASH_ROUNDS` asks for more.
const CUTS: u64 = 20;
const N_SENDERS: usize = 6;
const PER_SENDER: usize = 25;

/// The promises made before the cut.
#[derive(Default)]
struct Promises {
    /// Control ids, in the order of their acknowledgements.
    acknowledged: Vec<String>,
    /// Audit entries: place and actor.
    seen: HashMap<u64, String>,
}

#[test]
fn cut_at_any_moment_what_was_acknowledged_is_applied_once() {
    let name = "cut_at_any_moment_what_was_acknowledged_is_applied_once";
    if !has_strace(name) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let log = record(directory.path());
    let all = Promises::before(&log, log.steps.len());
    assert_eq!(all.acknowledged.len(), N_SENDERS * PER_SENDER);
    let n_cuts = std::env::var("CAUSEWAY_CRASH_ROUNDS").map_or(CUTS, |n| n.parse().unwrap());
    let mut chance = Chance(11);
    let mut n_checked = 0;
    for n in 0..n_cuts {
        let n_steps = log.steps.len() as u64;
        let cut = (n * n_steps / n_cuts + chance.below(n_steps / n_cuts) + 1) as usize;
        let target = directory.path().join(format!("cut-{n}"));
        std::fs::create_dir_all(&target).unwrap();
        log.cut(cut, &target, &mut chance);
        let promises = Promises::before(&log, cut);
        n_checked += promises.acknowledged.len() + promises.seen.len();
        let checked = std::panic::catch_unwind(|| check(&target, &promises));
        assert!(checked.is_ok(), "cut {n} before step {cut} of {n_steps}");
        std::fs::remove_dir_all(target).unwrap();
    }
    assert!(500 < n_checked, "only {n_checked} promises were checked");
    eprintln!("{n_cuts} cuts, {n_checked} promises: none lost, twice or out of order");
}

/// Records an engine that takes messages on two flows while reads are audited, until it is killed.
fn record(directory: &Path) -> Log {
    let (trace, data) = (directory.join("trace"), directory.join("data"));
    let words = recorder(&trace);
    let mut strace = Command::new(&words[0])
        .args(&words[1..])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "torn::child", "--nocapture"])
        .env(CHILD, &data)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(strace.stdout.take().unwrap()).lines();
    let told = lines
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| Some(line.split_once("listening ")?.1.to_owned()))
        .expect("the child starts");
    let words: Vec<&str> = told.split_whitespace().collect();
    let addresses: [SocketAddr; 2] = [words[0].parse().unwrap(), words[1].parse().unwrap()];
    let reader = std::thread::spawn(move || lines.map_while(Result::ok).count());
    std::thread::scope(|scope| {
        for sender in 0..N_SENDERS {
            scope.spawn(move || send(addresses[sender % 2], sender));
        }
    });
    // Work that the last answers left to do is recorded too.
    std::thread::sleep(Duration::from_millis(800));
    Command::new("kill")
        .args(["-9", words[2]])
        .status()
        .unwrap();
    strace.wait().unwrap();
    reader.join().unwrap();
    Log::read(&trace, &data)
}

/// Sends two patients over every connection of a flow, the others over this one alone.
fn send(address: SocketAddr, sender: usize) {
    let mut client = Client::connect(address);
    for n in 0..PER_SENDER {
        let patient = if n.is_multiple_of(3) {
            sender % 2 * 2 + n % 2
        } else {
            10 + sender * 10 + n % 4
        };
        let control = format!("S{sender}N{n}");
        // The number 0 alone would be a placeholder.
        let patient = format!("N{patient}");
        client.post(&adt("A08", &control, &patient, &control, "20240517120000"));
        assert_eq!(msa1(&client.answer().unwrap()), "AA", "{control}");
    }
}

fn check(directory: &Path, promises: &Promises) {
    check_trail(&directory.join("audit"), promises);
    // Starts the engine, lets it finish the journaled messages, and compares with the versions.
    check_chart(directory);
    let site = ChartSite::start(directory);
    let rows = site.rows();
    assert!(
        rows.iter().all(|row| row.state == State::Mapped),
        "all is done"
    );
    let mut of_control: HashMap<&str, u64> = HashMap::new();
    for row in &rows {
        let earlier = of_control.insert(&row.header.control_id, row.sequence.get());
        assert_eq!(earlier, None, "{} is there twice", row.header.control_id);
    }
    let mut last_of_sender: HashMap<&str, u64> = HashMap::new();
    for control in &promises.acknowledged {
        let sequence = *of_control
            .get(control.as_str())
            .unwrap_or_else(|| panic!("{control} was acknowledged and is lost"));
        let sender = control.split('N').next().unwrap();
        let last = last_of_sender.insert(sender, sequence);
        assert!(
            last < Some(sequence),
            "{control}: {sequence} after {last:?}"
        );
    }
    site.drain();
    check_relayed(directory, &site, &of_control);
    drop(site);
    let file = rusqlite::Connection::open(directory.join("chart.db")).unwrap();
    let verdict: String = file
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(verdict, "ok");
}

/// Checks that each message's write has one entry in the log once the rest is carried over.
fn check_relayed(directory: &Path, site: &ChartSite, of_control: &HashMap<&str, u64>) {
    let log = AuditLog::open(&directory.join("audit"), audit_options()).unwrap();
    while carry(&site.chart, &log).is_some() {}
    let relayed = all_entries(&log)
        .into_iter()
        .filter(|row| row.relay.is_some());
    assert_eq!(
        relayed.count(),
        of_control.len(),
        "one entry for each message"
    );
}

/// Does the same as the server beside the flows.
fn carry(chart: &Chart, log: &AuditLog) -> Option<()> {
    let entries = chart.audit_relay(20).unwrap();
    let last = entries.last()?.0;
    for (number, entry) in entries {
        log.relay(number, entry).wait().unwrap();
    }
    chart.audit_relayed(last).wait().unwrap();
    Some(())
}

fn all_entries(log: &AuditLog) -> Vec<audit::Recorded> {
    let page = audit::Page {
        before: None,
        limit: 1_000_000,
    };
    loop {
        let listing = log.entries(&audit::Filter::default(), page).unwrap();
        if listing.lag == 0 {
            return listing.rows;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn check_trail(directory: &Path, promises: &Promises) {
    // Cut before there was a directory: nothing may have been promised.
    std::fs::create_dir_all(directory).unwrap();
    assert_eq!(audit::verify(directory).unwrap().faults, []);
    let log = AuditLog::open(directory, audit_options()).unwrap();
    let rows = all_entries(&log);
    let found: HashSet<(u64, &str)> = rows
        .iter()
        .map(|row| (row.position.get(), row.entry.actor.as_str()))
        .collect();
    for (position, actor) in &promises.seen {
        assert!(
            found.contains(&(*position, actor.as_str())),
            "entry {position} is lost"
        );
    }
}

fn audit_options() -> audit::Options {
    audit::Options {
        segment_bytes: 8_000,
        reserve_bytes: 16 << 10,
        ..audit::Options::default()
    }
}

// === impl Promises ===

impl Promises {
    fn before(log: &Log, cut: usize) -> Self {
        let mut promises = Self::default();
        for said in log.said_before(cut) {
            for line in said.lines() {
                let mut words = line.strip_prefix("seen ").unwrap_or("").split(' ');
                if let (Some(Ok(position)), Some(actor)) =
                    (words.next().map(str::parse), words.next())
                {
                    promises.seen.insert(position, actor.to_owned());
                }
            }
            let acknowledged = said.split("MSA|AA|").skip(1);
            let ids = acknowledged.filter_map(|rest| rest.split(['|', '\r']).next());
            promises.acknowledged.extend(ids.map(str::to_owned));
        }
        promises
    }
}

/// Not a test: the engine whose writes are recorded, when this process is the child.
#[test]
fn child() {
    let Some(directory) = std::env::var_os(CHILD) else {
        return;
    };
    let directory = Path::new(&directory);
    std::fs::create_dir_all(directory).unwrap();
    let site = ChartSite::start_with(directory, |flow| {
        flow.acknowledge = match flow.name.as_str() {
            "adt" => flow::AckPolicy::Received,
            _ => flow::AckPolicy::Mapped,
        }
    });
    let log = AuditLog::open(&directory.join("audit"), audit_options()).unwrap();
    let process = std::process::id();
    let (adt, lab) = (site.address("adt"), site.address("lab"));
    say(&format!("\nlistening {adt} {lab} {process}\n"));
    for n in 0.. {
        let actor = format!("reader-{n}");
        let entry = audit::Entry {
            actor: actor.clone(),
            target: "x".repeat(n % 300),
            ..audit::Entry::default()
        };
        let position = log.record(entry).wait().unwrap().get();
        say(&format!("seen {position} {actor}\n"));
        carry(&site.chart, &log);
        std::thread::sleep(Duration::from_millis(3));
    }
}

/// Writes in one call, so that no other thread's output is interleaved.
fn say(text: &str) {
    std::io::stdout().lock().write_all(text.as_bytes()).unwrap();
}
