//! A throughput benchmark in messages per second: `throughput ack|chart CONNECTIONS MESSAGES
//! [RATE]`.
//!
//! `ack` measures MLLP in, journal, fsync and acknowledgement, with a destination that does
//! nothing. `chart` measures until everything is in the chart too. The load comes from a second
//! process (this program again), so that its CPU time is measured separately. The output is one
//! line of JSON.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a measuring program, not part of the product"
)]

use base::SystemClock;
use flow::{
    Applied, Attention, ChartDestination, Destination, DryRun, Engine, EngineConfig, Events,
    FlowConfig, Handles, Maps, Metrics, Outcome, Task,
};
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use store::chart::Chart;
use store::journal::Journal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

struct Nothing;

impl Destination for Nothing {
    fn refuses(&self, _message: &hl7v2::Message) -> Option<Attention> {
        None
    }

    fn apply(&self, _task: &Task<'_>) -> Outcome {
        Outcome::Applied(Applied {
            map_version: "1".to_owned(),
            ..Applied::default()
        })
    }

    fn dry_run(&self, _task: &Task<'_>) -> DryRun {
        DryRun::default()
    }

    fn map_version(&self) -> String {
        "1".to_owned()
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| {
        args.get(at)
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    match args.first().map(String::as_str) {
        Some("send") => send(
            args[1].parse().unwrap(),
            number(2, 64),
            number(3, 10_000),
            number(4, 0),
        ),
        Some(mode @ ("ack" | "chart")) => {
            serve(
                mode == "chart",
                number(1, 64),
                number(2, 10_000),
                number(3, 0),
            );
        }
        _ => println!("throughput ack|chart CONNECTIONS MESSAGES [RATE]"),
    }
}

fn serve(with_chart: bool, connections: u64, messages: u64, rate: u64) {
    let dir = tempfile::tempdir_in(
        std::env::var("CAUSEWAY_BENCH_DIR").unwrap_or_else(|_| ".".to_owned()),
    )
    .unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let journal = Journal::open(dir.path(), store::journal::Options::default()).unwrap();
    let metrics = Metrics::default();
    let destination: Arc<dyn Destination> = if with_chart {
        let chart = Chart::open(dir.path(), store::chart::Options::default()).unwrap();
        Arc::new(ChartDestination::new(
            chart,
            Maps::Builtin,
            Events::new(metrics.clone()),
        ))
    } else {
        Arc::new(Nothing)
    };
    let handles = Handles {
        journal,
        destination,
        clock: Arc::new(SystemClock),
        metrics,
    };
    let flow = FlowConfig::mllp("load", (Ipv4Addr::LOCALHOST, 0).into());
    let engine = runtime
        .block_on(Engine::start(EngineConfig::new(vec![flow]), handles))
        .unwrap();
    let address = engine.addresses()[0].1.to_string();
    let (started, cpu) = (Instant::now(), cpu_ms("self"));
    let numbers = [connections, messages, rate].map(|number| number.to_string());
    let sender = Command::new(std::env::current_exe().unwrap())
        .arg("send")
        .arg(address)
        .args(numbers)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = sender.wait_with_output().unwrap();
    let acknowledged = started.elapsed().as_secs_f64();
    let drained = runtime.block_on(engine.drain(Duration::from_mins(10)));
    let seconds = started.elapsed().as_secs_f64();
    let own = cpu_ms("self") - cpu;
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let snapshot = engine.snapshot().unwrap();
    let metrics = engine.render_metrics();
    let conflicts = metrics
        .lines()
        .find_map(|line| line.strip_prefix("causeway_flow_conflicts_total{flow=\"load\"} "));
    println!(
        "{{\"mode\":\"{}\",\"connections\":{connections},\"messages\":{messages},\
         \"acknowledged_per_s\":{:.0},\"in_chart_per_s\":{:.0},\"engine_cpu_ms_per_message\":{:.3},\
         \"drained\":\"{drained:?}\",\"needs_attention\":{},\"conflicts\":{},\"load1\":{},\"sender\":{}}}",
        if with_chart { "chart" } else { "ack" },
        messages as f64 / acknowledged,
        messages as f64 / seconds,
        own / messages as f64,
        snapshot.total(|flow| flow.needs_attention + flow.held),
        conflicts.unwrap_or("0"),
        load.split(' ').next().unwrap_or("0"),
        String::from_utf8_lossy(&output.stdout).trim(),
    );
}

fn send(address: SocketAddr, connections: u64, messages: u64, rate: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let next = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let mut times: Vec<f64> = runtime.block_on(async {
        let tasks: Vec<_> = (0..connections)
            .map(|_| {
                tokio::spawn(one_connection(
                    address,
                    Arc::clone(&next),
                    messages,
                    rate,
                    started,
                ))
            })
            .collect();
        let mut times = Vec::new();
        for task in tasks {
            times.extend(task.await.unwrap());
        }
        times
    });
    times.sort_by(f64::total_cmp);
    let at = |part: f64| times[((times.len() as f64 * part) as usize).min(times.len() - 1)];
    println!(
        "{{\"p50_ms\":{:.2},\"p99_ms\":{:.2},\"max_ms\":{:.2},\"cpu_ms_per_message\":{:.3}}}",
        at(0.5),
        at(0.99),
        at(1.0),
        cpu_ms("self") / messages as f64
    );
}

async fn one_connection(
    address: SocketAddr,
    next: Arc<AtomicU64>,
    messages: u64,
    rate: u64,
    started: Instant,
) -> Vec<f64> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut times, mut buf) = (Vec::new(), vec![0; 4096]);
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        if messages <= n {
            return times;
        }
        if 0 < rate {
            let due = started + Duration::from_secs_f64(n as f64 / rate as f64);
            tokio::time::sleep_until(due.into()).await;
        }
        let frame = hl7v2::mllp::frame(message(n).as_bytes());
        let sent = Instant::now();
        stream.write_all(&frame).await.unwrap();
        let mut ack = Vec::new();
        while !ack.ends_with(b"\x1c\r") {
            let n_bytes = stream.read(&mut buf).await.unwrap();
            assert_ne!(n_bytes, 0, "closed");
            ack.extend_from_slice(&buf[..n_bytes]);
        }
        assert!(
            String::from_utf8_lossy(&ack).contains("MSA|AA|"),
            "{}",
            String::from_utf8_lossy(&ack)
        );
        times.push(sent.elapsed().as_secs_f64() * 1000.0);
    }
}

/// Generates 60 % ADT, 40 % ORU with 4 to 12 OBX, over 2,000 synthetic patients.
fn message(n: u64) -> String {
    let patient = n.wrapping_mul(2_654_435_761) % 2_000;
    let at = format!(
        "202405{:02}{:02}{:02}{:02}",
        1 + n / 86_400 % 28,
        n / 3600 % 24,
        n / 60 % 60,
        n % 60
    );
    let pid = format!(
        "PID|1||{patient:06}^^^ZZHOSP^MR||TESTPATIENT^P{patient}^Q||19{:02}0{}1{}|{}|||{} TEST ST^^ZZTOWN^IL^60601||^PRN^PH^^1^555^5550100\r",
        patient % 90 + 10,
        patient % 9 + 1,
        patient % 10,
        if patient.is_multiple_of(2) { "F" } else { "M" },
        n % 900
    );
    let pv1 = format!(
        "PV1|1|I|W{}^101^A||||1001^ZZTEST^DOC|||MED||||||||||V{patient:06}^^^ZZHOSP^VN\r",
        n % 9
    );
    if n % 10 < 6 {
        let event = ["A01", "A08", "A08", "A03", "A08", "A04"][(n % 6) as usize];
        let structure = if event == "A03" { "ADT_A03" } else { "ADT_A01" };
        return format!(
            "MSH|^~\\&|REG|ZZHOSP|CW|ZZ|{at}||ADT^{event}^{structure}|L{n}|P|2.5.1\rEVN|{event}|{at}\r{pid}{pv1}"
        );
    }
    let mut text = format!(
        "MSH|^~\\&|LAB|ZZHOSP|CW|ZZ|{at}||ORU^R01^ORU_R01|L{n}|P|2.5.1\r{pid}{pv1}\
         ORC|RE|P{n}^ZZHOSP|F{n}^ZZLAB\rOBR|1|P{n}^ZZHOSP|F{n}^ZZLAB|24323-8^CMP^LN|||{at}|||||||||1001^ZZTEST^DOC||||||{at}||LAB|F\r"
    );
    for k in 1..=4 + n % 9 {
        let _ = write!(
            text,
            "OBX|{k}|NM|{}-{}^ANALYTE {k}^LN||{}.{}|mg/dL^mg/dL^UCUM|70-99|N|||F|||{at}\r",
            2000 + k,
            k % 10,
            60 + n % 50,
            k
        );
    }
    text
}

/// Returns the user and system time of a process in milliseconds.
fn cpu_ms(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields: Vec<f64> = stat
        .rsplit(')')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .map(|field| field.parse().unwrap_or(0.0))
        .collect();
    fields
        .get(11..13)
        .map_or(0.0, |times| times.iter().sum::<f64>() * 10.0)
}
