//! kill -9 at random moments under load, repeatedly: no acknowledged message is lost, none is
//! applied twice, none out of order in its partition.
//!
//! The child is this test binary run again, once with the chart, once with a file as destination:
//! the file gets one line per message in one write and is read at the start, so it shows what was
//! applied independently of the chart.

use crate::chart_site::{ChartSite, id_of};
use crate::client::{Client, adt, field, msa1};
use crate::site::{Site, memory_in};
use fhir::build::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::journal::{State, Summary};

const CHILD: &str = "CAUSEWAY_FLOW_CHILD";
const CHART: &str = "CAUSEWAY_FLOW_CHART";
const N_SENDERS: usize = 8;

/// The state of one sender: its acknowledged control ids in order, and the message without an
/// answer.
#[derive(Default)]
struct Sender {
    number: usize,
    n_sent: usize,
    acknowledged: Vec<String>,
    owed: Option<(String, String)>,
}

impl Sender {
    /// Sends until the connection breaks. The unanswered message is sent again first, as senders
    /// do.
    fn run(&mut self, address: SocketAddr, stop: &AtomicBool) {
        let Ok(mut client) = Client::try_connect(address) else {
            return;
        };
        while !stop.load(Ordering::SeqCst) {
            let (control, message) = self.owed.take().unwrap_or_else(|| self.next());
            self.owed = Some((control.clone(), message.clone()));
            if !client.try_post(&message) {
                return;
            }
            let Some(ack) = client.answer() else { return };
            assert_eq!(
                (msa1(&ack), field(&ack, "MSA", 2)),
                ("AA".to_owned(), control.clone())
            );
            self.owed = None;
            self.acknowledged.push(control);
        }
    }

    /// Patients 0 to 3 are sent over every connection, the others over this one alone.
    fn next(&mut self) -> (String, String) {
        self.n_sent += 1;
        let n = self.n_sent;
        let patient = if n.is_multiple_of(3) {
            n % 4
        } else {
            10 + self.number * 10 + n % 5
        };
        let control = format!("S{}N{n}", self.number);
        let message = adt(
            "A08",
            &control,
            // The number 0 alone would be a placeholder.
            &format!("N{patient}"),
            &control,
            "20240517120000",
        );
        (control, message)
    }
}

#[test]
fn killed_fifty_times_under_load() {
    let dir = tempfile::tempdir().unwrap();
    let senders = lives(dir.path(), true, 50);
    check_chart(dir.path());
    let n_acknowledged = check_journal(&rows_of_chart(dir.path()), &senders);
    eprintln!(
        "50 kills with the chart, {n_acknowledged} acknowledged: none lost, twice or out of order"
    );
}

#[test]
fn killed_twenty_times_before_another_destination() {
    let dir = tempfile::tempdir().unwrap();
    let senders = lives(dir.path(), false, 20);
    let rows = check_file(dir.path());
    let n_acknowledged = check_journal(&rows, &senders);
    eprintln!(
        "20 kills with a file, {n_acknowledged} acknowledged: none lost, twice or out of order"
    );
}

fn lives(dir: &Path, with_chart: bool, n_kills: usize) -> Vec<Sender> {
    let mut senders: Vec<Sender> = (0..N_SENDERS)
        .map(|number| Sender {
            number,
            ..Sender::default()
        })
        .collect();
    let mut random = std::process::id();
    for _ in 0..n_kills {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let alive = Duration::from_millis(u64::from(100 + (random >> 16) % 700));
        senders = one_life(dir, with_chart, senders, alive);
    }
    senders
}

fn one_life(dir: &Path, with_chart: bool, senders: Vec<Sender>, alive: Duration) -> Vec<Sender> {
    let (mut child, address) = start_child(dir, with_chart);
    let stop = Arc::new(AtomicBool::new(false));
    let running: Vec<_> = senders
        .into_iter()
        .map(|mut sender| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                sender.run(address, &stop);
                sender
            })
        })
        .collect();
    std::thread::sleep(alive);
    child.kill().unwrap();
    child.wait().unwrap();
    stop.store(true, Ordering::SeqCst);
    running
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect()
}

/// Checks that everything acknowledged is in the journal, once, in its connection's order; returns
/// the count.
fn check_journal(rows: &[Summary], senders: &[Sender]) -> usize {
    assert!(rows.iter().all(|row| row.state == State::Mapped));
    let mut sequence_of: HashMap<&str, u64> = HashMap::new();
    for row in rows {
        let earlier = sequence_of.insert(&row.header.control_id, row.sequence.get());
        assert_eq!(
            earlier, None,
            "{} is in the journal twice",
            row.header.control_id
        );
    }
    for sender in senders {
        let sequences: Vec<u64> = sender
            .acknowledged
            .iter()
            .map(|control| sequence_of[control.as_str()])
            .collect();
        assert!(
            sequences.is_sorted(),
            "a connection's messages are journaled in its order"
        );
    }
    let n_acknowledged = senders.iter().map(|sender| sender.acknowledged.len()).sum();
    assert!(
        200 < n_acknowledged,
        "the test sends under load: {n_acknowledged}"
    );
    n_acknowledged
}

/// Checks that the file has each journaled message once, each patient's in order.
fn check_file(dir: &Path) -> Vec<Summary> {
    let site = Site::start_with(dir, memory_in(dir), |_| {});
    site.settled();
    site.drain();
    let mut seen = HashSet::new();
    let mut last_of_patient: BTreeMap<String, u64> = BTreeMap::new();
    for line in std::fs::read_to_string(dir.join("applied.log"))
        .unwrap()
        .lines()
    {
        let (sequence, patient) = line.split_once(' ').unwrap();
        let sequence: u64 = sequence.parse().unwrap();
        assert!(seen.insert(sequence), "message {sequence} applied twice");
        let last = last_of_patient.insert(patient.to_owned(), sequence);
        assert!(
            last < Some(sequence),
            "patient {patient}: {sequence} after {last:?}"
        );
    }
    let rows = site.rows();
    let journaled: HashSet<u64> = rows.iter().map(|row| row.sequence.get()).collect();
    assert_eq!(
        seen, journaled,
        "what is journaled is applied, and nothing else"
    );
    rows
}

fn rows_of_chart(dir: &Path) -> Vec<Summary> {
    let site = ChartSite::start(dir);
    let rows = site.rows();
    site.drain();
    rows
}

/// Each message gives its patient a new name, so the versions of a patient show which messages were
/// applied, how often, and in which order.
pub(crate) fn check_chart(dir: &Path) {
    let site = ChartSite::start(dir);
    assert_eq!(site.drain(), flow::Drained::Completely);
    let mut journaled: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in site.rows() {
        journaled
            .entry(row.header.patients[0].clone())
            .or_default()
            .push(row.header.control_id);
    }
    let patients = site.all("Patient");
    assert_eq!(patients.len(), journaled.len());
    let text =
        |value: &Value, path: &str| value.at(path).and_then(Value::as_str).unwrap().to_owned();
    for patient in patients {
        let versions = site.versions("Patient", &id_of(&patient));
        let applied: Vec<String> = versions
            .iter()
            .map(|version| text(version, "name[0].given[0]"))
            .collect();
        assert_eq!(applied, journaled[&text(&patient, "identifier[0].value")]);
    }
}

fn start_child(dir: &Path, with_chart: bool) -> (Child, SocketAddr) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::child", "--nocapture"])
        .env(CHILD, dir)
        .env(CHART, if with_chart { "1" } else { "0" })
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut address = lines.map_while(Result::ok).filter_map(|line| {
        line.split_once("listening ")
            .and_then(|(_, address)| address.trim().parse().ok())
    });
    let address = address.next().expect("the child starts");
    (child, address)
}

/// The engine that is killed. Does nothing unless the parent asked for it.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(CHILD) else {
        return;
    };
    let dir = Path::new(&dir);
    let (_sites, address) = if std::env::var(CHART).as_deref() == Ok("1") {
        let site = ChartSite::start_with(dir, |flow| flow.acknowledge = flow::AckPolicy::Received);
        let address = site.address("adt");
        ((Some(site), None), address)
    } else {
        let site = Site::start_with(dir, memory_in(dir), |_| {});
        let address = site.address;
        ((None, Some(site)), address)
    };
    println!("\nlistening {address}");
    loop {
        std::thread::park();
    }
}
