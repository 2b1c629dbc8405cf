//! Measures how many messages and audit entries per second reach the disk, each acknowledged after its
//! `fsync`: `cargo bench -p store --bench durable`. Prints one line per case; the producers' own CPU is part
//! of the process.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark fails loudly and prints its figures"
)]

use std::fmt::Write as _;
use std::time::{Duration, Instant};
use store::audit::{self, AuditLog};
use store::journal::{Appended, Entry, Header, Journal, Options};
use tokio::runtime::Runtime;

fn main() {
    let runtime = Runtime::new().unwrap();
    for (obx, connections) in [(4, 1), (4, 64), (20, 64), (4, 256)] {
        journal(&runtime, obx, connections, false);
    }
    journal(&runtime, 20, 64, true);
    for connections in [1, 32, 256] {
        log(&runtime, connections);
    }
}

/// Lock-step connections: each sends its next message when the last is on disk.
fn journal(runtime: &Runtime, obx: usize, connections: usize, text_index: bool) {
    let directory = tempfile::tempdir_in(".").unwrap();
    let options = Options {
        text_index,
        ..Options::default()
    };
    let journal = Journal::open(directory.path(), options).unwrap();
    let n = if connections == 1 { 2_000 } else { 60_000 } / connections;
    let began = Instant::now();
    let used = cpu();
    let mut waits: Vec<Duration> = runtime.block_on(async {
        let tasks: Vec<_> = (0..connections)
            .map(|connection| {
                let journal = journal.clone();
                tokio::spawn(async move {
                    let mut waits = Vec::with_capacity(n);
                    for k in 0..n {
                        let entry = oru(connection * n + k, obx);
                        let sent = Instant::now();
                        let kept = journal.append(entry).await.unwrap();
                        assert!(matches!(kept, Appended::New { .. }));
                        waits.push(sent.elapsed());
                    }
                    waits
                })
            })
            .collect();
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await.unwrap());
        }
        all
    });
    let what = format!(
        "journal, {obx} OBX ({} B), text index {text_index}",
        oru(1, obx).body.len()
    );
    print(
        &what,
        connections,
        began.elapsed(),
        cpu() - used,
        &mut waits,
    );
}

fn log(runtime: &Runtime, connections: usize) {
    let directory = tempfile::tempdir_in(".").unwrap();
    let log = AuditLog::open(directory.path(), audit::Options::default()).unwrap();
    let n = if connections == 1 { 2_000 } else { 100_000 } / connections;
    let began = Instant::now();
    let used = cpu();
    let mut waits: Vec<Duration> = runtime.block_on(async {
        let tasks: Vec<_> = (0..connections)
            .map(|connection| {
                let log = log.clone();
                tokio::spawn(async move {
                    let mut waits = Vec::with_capacity(n);
                    for k in 0..n {
                        let sent = Instant::now();
                        log.record(read(connection, k)).await.unwrap();
                        waits.push(sent.elapsed());
                    }
                    waits
                })
            })
            .collect();
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await.unwrap());
        }
        all
    });
    print(
        "audit, 1 patient",
        connections,
        began.elapsed(),
        cpu() - used,
        &mut waits,
    );
}

fn print(what: &str, connections: usize, took: Duration, cpu: f64, waits: &mut [Duration]) {
    waits.sort_unstable();
    let at = |part: usize| waits.get(waits.len() * part / 100).unwrap().as_secs_f64() * 1e3;
    let n = waits.len() as f64;
    println!(
        "{what}, {connections} connections: {:.0}/s, p50 {:.2} ms, p99 {:.2} ms, {:.1} µs of CPU each",
        n / took.as_secs_f64(),
        at(50),
        at(99),
        cpu * 1e6 / n,
    );
}

/// Returns the seconds of CPU that this process has used.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit(')').next().unwrap().split_whitespace();
    let ticks: f64 = fields
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<f64>().unwrap())
        .sum();
    ticks / 100.0
}

fn read(connection: usize, k: usize) -> audit::Entry {
    let patient = format!("TESTPATIENT{}", (connection * 7_919 + k) % 5_000);
    audit::Entry {
        actor: format!("client-{connection}"),
        action: "read".to_owned(),
        resource_type: "Patient".to_owned(),
        target: patient.clone(),
        patients: vec![patient],
        purpose: "TREAT".to_owned(),
        source: "127.0.0.1:5000".to_owned(),
        request_id: format!("{connection}-{k}"),
        ..audit::Entry::default()
    }
}

/// Makes a synthetic result whose values differ, so that it compresses as real ones do.
fn oru(n: usize, obx: usize) -> Entry {
    let (patient, order) = (format!("MRN{:07}", n % 50_000), format!("ORD{n:08}"));
    let mut body = format!(
        "MSH|^~\\&|LAB|ZZTEST|CW|HUB|20261123||ORU^R01^ORU_R01|M{n:09}|P|2.5.1\r\
         PID|1||{patient}^^^ZZTEST^MR||TESTPATIENT{n}^ZZ||19{:02}0101|F|||{} TEST ST^^ANYTOWN\r\
         PV1|1|I|WARD{}||||||||||||||||V{:07}\rOBR|1|{order}|F{n:08}|24323-8^CMP^LN|||20261123\r",
        n % 100,
        n % 999,
        n % 40,
        n % 90_000
    );
    for k in 0..obx {
        let value = (n * 13 + k * 77) % 2_000;
        write!(
            body,
            "OBX|{k}|NM|{}-{}^ANALYTE NUMBER {k}^LN^L{}^LOCAL NAME {k}^L||{value}.{}|mmol/L^millimole \
             per liter^UCUM|{}-{}|{}|||F|||20261123{:06}||TECH{}^TESTTECH^A|||20261123{:02}00||||LAB\r",
            2_000 + (n * 31 + k * 17) % 3_000,
            k % 10,
            k * 7,
            n % 10,
            k % 9,
            10 + k % 50,
            if n.is_multiple_of(5) { "H" } else { "N" },
            (n * 37 + k) % 240_000,
            n % 12,
            n % 24,
        )
        .unwrap();
    }
    Entry {
        flow: "results".to_owned(),
        connection: "127.0.0.1:4012".to_owned(),
        retention: "standard".to_owned(),
        header: Header {
            sending_application: "LAB".to_owned(),
            sending_facility: "ZZTEST".to_owned(),
            message_type: "ORU^R01".to_owned(),
            structure: "ORU_R01".to_owned(),
            control_id: format!("M{n:09}"),
            processing_id: "P".to_owned(),
            version: "2.5.1".to_owned(),
            patients: vec![patient],
            visit: format!("V{:07}", n % 90_000),
            accessions: vec![order, format!("F{n:08}")],
        },
        body: body.into(),
        no_message: None,
        acknowledgement: None,
    }
}
