//! A benchmark of the cost of a merge as the record grows: `merges [N [ADDRESS]]`.
//!
//! N records are registered and merged into one (A40), then N others each into a record of its own,
//! over one connection with pipelined requests. An acknowledgement means that the message is in the
//! chart. The output is one line for each quarter of the N, in merges per second. Without an
//! address the engine runs in this process, and its processor time is printed beside the rates; a
//! server at an address must acknowledge when mapped.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a measuring program, not part of the product"
)]

use base::SystemClock;
use flow::{
    AckPolicy, ChartDestination, Engine, EngineConfig, Events, FlowConfig, Handles, Maps, Metrics,
};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;
use store::chart::Chart;
use store::journal::Journal;

fn main() {
    let n: u32 = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(1_500);
    let Some(address) = std::env::args().nth(2) else {
        return serve(|address| measure(n, address));
    };
    measure(n, address.parse().unwrap());
}

fn serve(work: impl FnOnce(SocketAddr)) {
    let dir = tempfile::tempdir_in(
        std::env::var("CAUSEWAY_BENCH_DIR").unwrap_or_else(|_| ".".to_owned()),
    )
    .unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let chart = Chart::open(dir.path(), store::chart::Options::default()).unwrap();
    let metrics = Metrics::default();
    let destination = ChartDestination::new(chart, Maps::Builtin, Events::new(metrics.clone()));
    let handles = Handles {
        journal: Journal::open(dir.path(), store::journal::Options::default()).unwrap(),
        destination: Arc::new(destination),
        clock: Arc::new(SystemClock),
        metrics,
    };
    let mut flow = FlowConfig::mllp("adt", (Ipv4Addr::LOCALHOST, 0).into());
    flow.acknowledge = AckPolicy::Mapped;
    let engine = runtime
        .block_on(Engine::start(EngineConfig::new(vec![flow]), handles))
        .unwrap();
    work(engine.addresses()[0].1);
    let snapshot = engine.snapshot().unwrap();
    assert_eq!(snapshot.total(|flow| flow.needs_attention + flow.held), 0);
}

fn measure(n: u32, address: SocketAddr) {
    send(address, (0..=3 * n).map(registration));
    for (what, is_one) in [("one", true), ("pairs", false)] {
        for quarter in 0..4 {
            let (from, to) = (quarter * n / 4, (quarter + 1) * n / 4);
            let (started, cpu) = (Instant::now(), cpu_ms());
            let merges = (from..to).map(|place| {
                if is_one {
                    merge(3 * n, place)
                } else {
                    merge(n + place, 2 * n + place)
                }
            });
            send(address, merges);
            let (seconds, n_merges) = (started.elapsed().as_secs_f64(), f64::from(to - from));
            println!(
                "{{\"into\":\"{what}\",\"merges\":\"{from}-{to}\",\"per_s\":{:.0},\"cpu_ms_each\":{:.2}}}",
                n_merges / seconds,
                (cpu_ms() - cpu) / n_merges
            );
        }
    }
}

fn header(event: &str, structure: &str, control: &str) -> String {
    format!(
        "MSH|^~\\&|REG|ZZHOSP|CW|ZZ|20240517100000||ADT^{event}^{structure}|{control}|P|2.5.1\r\
         EVN|{event}|20240517100000\r"
    )
}

fn patient(number: u32) -> String {
    format!(
        "PID|1||{number:06}^^^ZZHOSP^MR||TESTPATIENT^N||19700101|F|||1 MAIN ST^^TOWN^ST^12345\r"
    )
}

fn registration(number: u32) -> String {
    let head = header("A28", "ADT_A05", &format!("R{number}"));
    format!("{head}{}", patient(number + 1))
}

fn merge(stays: u32, goes: u32) -> String {
    let head = header("A40", "ADT_A39", &format!("M{stays}x{goes}"));
    format!(
        "{head}{}MRG|{:06}^^^ZZHOSP^MR\r",
        patient(stays + 1),
        goes + 1
    )
}

fn send(address: SocketAddr, messages: impl Iterator<Item = String>) {
    let mut stream = TcpStream::connect(address).unwrap();
    let mut reader = stream.try_clone().unwrap();
    let frames: Vec<Vec<u8>> = messages
        .map(|message| hl7v2::mllp::frame(message.as_bytes()))
        .collect();
    let n = frames.len();
    let reading = std::thread::spawn(move || {
        let (mut found, mut buffer) = (0, [0; 16_384]);
        while found < n {
            let got = reader.read(&mut buffer).unwrap();
            assert_ne!(got, 0, "the listener closed");
            let told = String::from_utf8_lossy(&buffer[..got]).into_owned();
            found += told.matches('\u{b}').count();
            assert!(!told.contains("|AE|") && !told.contains("|AR|"), "{told}");
        }
    });
    for frame in frames {
        stream.write_all(&frame).unwrap();
    }
    reading.join().unwrap();
}

/// Returns the user and system time of this process; none where the system does not report it.
fn cpu_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = |at: usize| -> f64 {
        let mut fields = fields.split_whitespace();
        fields.nth(at).and_then(|n| n.parse().ok()).unwrap_or(0.0)
    };
    (ticks(11) + ticks(12)) * 10.0
}
