//! Benchmarks of messages over real sockets: until acknowledged, and until in the chart.

use super::Setting;
use super::child::Server;
use super::client::{Http, Mllp, runtime, token};
use super::figures::{Figure, Meter, percentile, usage};
use crate::failure::Failure;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 64;

/// The result of sending a run of messages.
struct Run {
    secs: f64,
    latencies: Vec<Duration>,
    n_refused: usize,
}

pub(super) fn acknowledged(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let server = Server::start(&setting.scratch.join("mllp"), "received")?;
    let n_messages = scaled(setting, 60_000);
    // The same mix as below, so that the chart works in the background here too.
    let messages = simulate::bench::mix(2, n_messages).collect();
    let meter = Meter::start(server.pid());
    let mut run = send(&server, messages, None)?;
    let cpu = meter.summary();
    let rate = n_messages as f64 / run.secs;
    Ok(vec![
        Figure::new("MLLP in, journal fsync, ACK", rate, "messages/s", "≥ 6,000")
            .with(format!("{CONNECTIONS} connections, {n_messages} mixed messages, mapping and chart in the background; {cpu}; {} refused", run.n_refused)),
        Figure::new("… p50 of ACK", ms(percentile(&mut run.latencies, 0.5)), "ms", ""),
        Figure::new("… p99 of ACK", ms(percentile(&mut run.latencies, 0.99)), "ms", ""),
    ])
}

pub(super) fn in_chart(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let server = Server::start(&setting.scratch.join("chart"), "received")?;
    let n_messages = scaled(setting, 100_000);
    let messages: Vec<Vec<u8>> = simulate::bench::mix(3, n_messages).collect();
    let n_bytes: usize = messages.iter().map(Vec::len).sum();
    let meter = Meter::start(server.pid());
    let started = Instant::now();
    let run = send(&server, messages, None)?;
    let applied = wait_until_applied(&server, Duration::from_mins(30))?;
    let secs = started.elapsed().as_secs_f64();
    let cpu = meter.summary();
    let rate = applied / secs;
    let memory = usage(server.pid()).map_or(0, |(_, bytes)| bytes);
    // Half of the rate just sustained, for at most a quarter of the messages.
    let n_half = (n_messages / 4).clamp(100, 10_000);
    let mut half = send(
        &server,
        simulate::bench::mix(4, n_half).collect(),
        Some(rate / 2.0),
    )?;
    Ok(vec![
        Figure::new("MLLP in, ACK, mapped, in chart and searchable", rate, "messages/s", "≥ 600").with(format!(
            "{n_messages} messages of {} bytes on average, {CONNECTIONS} connections; {cpu}; {} not acknowledged AA, {:.0} not applied; server memory {} MB",
            n_bytes / n_messages.max(1),
            run.n_refused,
            n_messages as f64 - applied,
            memory / 1_000_000
        )),
        Figure::new("… p99 of ACK at half that load", ms(percentile(&mut half.latencies, 0.99)), "ms", "≤ 20")
            .with(format!("{n_half} messages at {:.0}/s", rate / 2.0)),
    ])
}

/// The state that the connections of a run share.
struct Load {
    queue: RefCell<VecDeque<(usize, Vec<u8>)>>,
    latencies: RefCell<Vec<Duration>>,
    n_refused: Cell<usize>,
    started: Instant,
    rate: Option<f64>,
}

/// Sends all messages over the connections, each awaiting its acknowledgement; `rate` paces them.
fn send(server: &Server, messages: Vec<Vec<u8>>, rate: Option<f64>) -> Result<Run, Failure> {
    let load = Rc::new(Load {
        queue: RefCell::new(messages.into_iter().enumerate().collect()),
        latencies: RefCell::default(),
        n_refused: Cell::new(0),
        started: Instant::now(),
        rate,
    });
    let local = tokio::task::LocalSet::new();
    let runtime = runtime()?;
    let outcome: std::io::Result<()> = local.block_on(&runtime, async {
        let mut tasks = Vec::new();
        for _ in 0..CONNECTIONS {
            let peer = Mllp::connect(&server.mllp).await?;
            tasks.push(tokio::task::spawn_local(connection(peer, load.clone())));
        }
        for task in tasks {
            task.await
                .unwrap_or_else(|error| Err(std::io::Error::other(error)))?;
        }
        Ok(())
    });
    outcome.map_err(|error| Failure::failed(format!("the MLLP load stopped: {error}")))?;
    Ok(Run {
        secs: load.started.elapsed().as_secs_f64(),
        latencies: load.latencies.take(),
        n_refused: load.n_refused.get(),
    })
}

async fn connection(mut peer: Mllp, load: Rc<Load>) -> std::io::Result<()> {
    loop {
        let next = load.queue.borrow_mut().pop_front();
        let Some((number, message)) = next else {
            return Ok(());
        };
        if let Some(rate) = load.rate {
            let due = load.started + Duration::from_secs_f64(number as f64 / rate);
            tokio::time::sleep_until(due.into()).await;
        }
        let sent = Instant::now();
        let accepted = peer.send(&message).await?;
        load.latencies.borrow_mut().push(sent.elapsed());
        load.n_refused
            .set(load.n_refused.get() + usize::from(!accepted));
    }
}

/// Polls until no message waits; returns how many were applied.
fn wait_until_applied(server: &Server, deadline: Duration) -> Result<f64, Failure> {
    let token = token(&server.data)?;
    let runtime = runtime()?;
    let started = Instant::now();
    runtime.block_on(async {
        loop {
            let mut http = Http::connect(&server.http, &token)
                .await
                .map_err(|error| Failure::failed(format!("the bench server is gone: {error}")))?;
            let (_, body) = http
                .get("/metrics")
                .await
                .map_err(|error| Failure::failed(format!("the bench server is gone: {error}")))?;
            let text = String::from_utf8_lossy(&body);
            let sum = |name: &str| -> f64 {
                let lines = text.lines().filter(|line| line.starts_with(name));
                lines
                    .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
                    .sum()
            };
            if sum("causeway_flow_messages_waiting") == 0.0 {
                return Ok(sum("causeway_flow_messages_applied_total"));
            }
            if deadline < started.elapsed() {
                return Err(Failure::failed("messages still wait; the bench gave up"));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
}

fn scaled(setting: &Setting, full: usize) -> usize {
    ((full as f64 * setting.scale) as usize).max(200)
}

fn ms(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}
