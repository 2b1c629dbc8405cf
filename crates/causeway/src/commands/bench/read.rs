//! Benchmarks of audited reads by id over HTTP, with and without updates in between.

use super::Setting;
use super::child::Server;
use super::client::{Http, runtime, token};
use super::figures::{Figure, Meter, percentile};
use crate::failure::Failure;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

const N_PATIENTS: usize = 2_000;

pub(super) fn read(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let server = Server::start(&setting.scratch.join("read"), "received")?;
    let token = token(&server.data)?;
    let ids = Rc::new(load(&server, &token)?);
    let mut figures = Vec::new();
    for (connections, goal) in [(32, "≥ 6,000"), (256, "≥ 12,000")] {
        let span = Duration::from_secs_f64((10.0 * setting.scale).clamp(1.0, 30.0));
        let meter = Meter::start(server.pid());
        let mut latencies = get_for(&server, &token, &ids, connections, span)?;
        let cpu = meter.summary();
        let rate = latencies.len() as f64 / span.as_secs_f64();
        let p99 = percentile(&mut latencies, 0.99).as_secs_f64() * 1e3;
        let p50 = percentile(&mut latencies, 0.5).as_secs_f64() * 1e3;
        figures.push(
            Figure::new(
                format!("audited read by id, {connections} connections"),
                rate,
                "reads/s",
                goal,
            )
            .with(format!("p50 {p50:.1} ms, p99 {p99:.1} ms; {cpu}")),
        );
    }
    let span = Duration::from_secs_f64((10.0 * setting.scale).clamp(1.0, 30.0));
    let meter = Meter::start(server.pid());
    let (n_reads, n_updates) = mixed_for(&server, &token, &ids, span)?;
    let cpu = meter.summary();
    figures.push(
        Figure::new("mix of reads and updates, 32 connections", (n_reads + n_updates) as f64 / span.as_secs_f64(), "requests/s", "")
            .with(format!("{n_reads} reads, {n_updates} updates, every second update changes one element, the others nothing; {cpu}")),
    );
    Ok(figures)
}

fn patient(number: usize, version: usize) -> Value {
    json!({
        "resourceType": "Patient",
        "identifier": [{ "system": "urn:oid:2.16.840.1.113883.19.5", "value": format!("BENCH{number}") }],
        "name": [{ "family": format!("Zzbench{number}"), "given": ["Test"] }],
        "telecom": [{ "system": "phone", "value": format!("555-01{:02}", version % 100) }],
        "birthDate": "1980-02-03",
        "gender": "female"
    })
}

fn load(server: &Server, token: &str) -> Result<Vec<String>, Failure> {
    let fail = |what: String| Failure::failed(format!("bench read: {what}"));
    let runtime = runtime()?;
    runtime.block_on(async {
        let mut http = Http::connect(&server.http, token).await.map_err(|error| fail(error.to_string()))?;
        let mut ids = Vec::new();
        for first in (0..N_PATIENTS).step_by(200) {
            let entries: Vec<Value> = (first..first + 200)
                .map(|number| json!({ "resource": patient(number, 0), "request": { "method": "POST", "url": "Patient" } }))
                .collect();
            let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries }).to_string();
            let (status, body) =
                http.send("POST", "/fhir", bundle.as_bytes()).await.map_err(|error| fail(error.to_string()))?;
            if status != 200 {
                return Err(fail(String::from_utf8_lossy(&body).into_owned()));
            }
            let answer: Value = serde_json::from_slice(&body).map_err(|error| fail(error.to_string()))?;
            for entry in answer.get("entry").and_then(Value::as_array).into_iter().flatten() {
                let location = entry.pointer("/response/location").and_then(Value::as_str).unwrap_or("");
                ids.extend(location.split("/Patient/").nth(1).and_then(|rest| rest.split('/').next()).map(str::to_owned));
            }
        }
        Ok(ids)
    })
}

/// The state that the connections of a run share.
struct Load {
    ids: Rc<Vec<String>>,
    latencies: RefCell<Vec<Duration>>,
    n_updates: Cell<usize>,
    started: Instant,
    span: Duration,
}

// === impl Load ===

impl Load {
    fn new(ids: &Rc<Vec<String>>, span: Duration) -> Rc<Self> {
        Rc::new(Self {
            ids: ids.clone(),
            latencies: RefCell::default(),
            n_updates: Cell::new(0),
            started: Instant::now(),
            span,
        })
    }

    fn is_running(&self) -> bool {
        self.started.elapsed() < self.span
    }
}

fn get_for(
    server: &Server,
    token: &str,
    ids: &Rc<Vec<String>>,
    connections: usize,
    span: Duration,
) -> Result<Vec<Duration>, Failure> {
    let load = Load::new(ids, span);
    run(server, token, connections, |number, http| {
        Box::pin(reading(number, http, load.clone()))
    })?;
    Ok(load.latencies.take())
}

async fn reading(connection: usize, mut http: Http, load: Rc<Load>) -> std::io::Result<()> {
    let mut at = connection * 7919;
    while load.is_running() {
        at = at.wrapping_add(104_729);
        let Some(id) = load.ids.get(at % load.ids.len().max(1)) else {
            break;
        };
        let sent = Instant::now();
        let (status, _) = http.get(&format!("/fhir/Patient/{id}")).await?;
        if status != 200 {
            return Err(std::io::Error::other(format!("status {status}")));
        }
        load.latencies.borrow_mut().push(sent.elapsed());
    }
    Ok(())
}

fn mixed_for(
    server: &Server,
    token: &str,
    ids: &Rc<Vec<String>>,
    span: Duration,
) -> Result<(usize, usize), Failure> {
    let load = Load::new(ids, span);
    run(server, token, 32, |number, http| {
        Box::pin(mixing(number, http, load.clone()))
    })?;
    let n_reads = load.latencies.borrow().len();
    Ok((n_reads, load.n_updates.get()))
}

async fn mixing(connection: usize, mut http: Http, load: Rc<Load>) -> std::io::Result<()> {
    // Each connection has its own patients, so that no two write the same one.
    let own: Vec<usize> = (connection..load.ids.len()).step_by(32).collect();
    let mut turn = 0_usize;
    while load.is_running() {
        turn += 1;
        let Some(&number) = own.get(turn % own.len().max(1)) else {
            break;
        };
        let Some(id) = load.ids.get(number) else {
            break;
        };
        let path = format!("/fhir/Patient/{id}");
        let sent = Instant::now();
        if turn.is_multiple_of(2) {
            // Every second update has the same content as the previous one.
            let mut body = patient(number, turn / own.len().max(1) / 2);
            if let Some(object) = body.as_object_mut() {
                object.insert("id".to_owned(), Value::from(id.as_str()));
            }
            http.send("PUT", &path, body.to_string().as_bytes()).await?;
            load.n_updates.set(load.n_updates.get() + 1);
        } else {
            http.get(&path).await?;
            load.latencies.borrow_mut().push(sent.elapsed());
        }
    }
    Ok(())
}

type Work = Pin<Box<dyn Future<Output = std::io::Result<()>>>>;

/// One task per connection, all on this thread.
fn run(
    server: &Server,
    token: &str,
    connections: usize,
    work: impl Fn(usize, Http) -> Work,
) -> Result<(), Failure> {
    let runtime = runtime()?;
    let local = tokio::task::LocalSet::new();
    let outcome: std::io::Result<()> = local.block_on(&runtime, async {
        let mut tasks = Vec::new();
        for number in 0..connections {
            let http = Http::connect(&server.http, token).await?;
            tasks.push(tokio::task::spawn_local(work(number, http)));
        }
        for task in tasks {
            task.await
                .unwrap_or_else(|error| Err(std::io::Error::other(error)))?;
        }
        Ok(())
    });
    outcome.map_err(|error| Failure::failed(format!("bench read: {error}")))
}
