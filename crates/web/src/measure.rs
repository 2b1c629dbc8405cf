//! Metrics of the server and the stores, beside those that the flows count themselves.
//!
//! Invariant: labels are routes, methods and status codes, never the requested path. A path would
//! put ids into the metrics and let a stranger create any number of series.

use crate::app::App;
use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use flow::Metrics;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use std::time::Instant;

/// The metrics of the server and the stores. Clones share them.
#[derive(Clone, Debug)]
pub struct Measures {
    requests: Family<RequestLabel, Counter>,
    seconds: Family<RouteLabel, Histogram>,
    resources: Family<TypeLabel, Gauge>,
    versions: Gauge,
    bytes: Gauge,
    waiting: Gauge,
    unindexed: Gauge,
    memory: Gauge,
    damaged: Family<StoreLabel, Gauge>,
    notices: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabel {
    route: String,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabel {
    route: String,
    method: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StoreLabel {
    store: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TypeLabel {
    r#type: &'static str,
}

// === impl Measures ===

impl Measures {
    /// Creates the metrics and registers them, so that they are rendered with those of the flows.
    pub fn register(metrics: &Metrics) -> Self {
        let measures = Self {
            requests: Family::default(),
            seconds: Family::new_with_constructor(seconds),
            resources: Family::default(),
            versions: Gauge::default(),
            bytes: Gauge::default(),
            waiting: Gauge::default(),
            unindexed: Gauge::default(),
            memory: Gauge::default(),
            damaged: Family::default(),
            notices: Gauge::default(),
        };
        metrics.register(
            "http_requests",
            "Requests answered, by route, method and status",
            &measures.requests,
        );
        metrics.register(
            "http_request_seconds",
            "Time from a request's head to its response's head",
            &measures.seconds,
        );
        metrics.register(
            "chart_resources",
            "Resources in the chart, by type, without deleted ones",
            &measures.resources,
        );
        metrics.register(
            "chart_versions",
            "Versions ever written",
            &measures.versions,
        );
        metrics.register(
            "chart_bytes",
            "Bytes of the chart on disk, write-ahead log included",
            &measures.bytes,
        );
        metrics.register(
            "chart_batches_waiting",
            "Batches waiting for the chart's writer",
            &measures.waiting,
        );
        metrics.register(
            "journal_text_lag",
            "Messages that are not in the text search index yet",
            &measures.unindexed,
        );
        metrics.register(
            "process_resident_memory_bytes",
            "Resident memory of the process; 0 if the system does not report it",
            &measures.memory,
        );
        metrics.register(
            "store_damage_met",
            "Reads that found damaged data, since the start, by store",
            &measures.damaged,
        );
        metrics.register(
            "store_notices",
            "Store incidents that nobody has acknowledged yet",
            &measures.notices,
        );
        measures
    }

    /// Updates the gauges that are read rather than counted. Blocks, so async code must not call it
    /// on its own thread.
    pub fn refresh(&self, app: &App) -> Result<(), store::chart::ReadError> {
        let statistics = app.chart.statistics()?;
        for (name, n) in &statistics.resources {
            self.resources
                .get_or_create(&TypeLabel { r#type: name })
                .set(signed(*n));
        }
        self.versions.set(signed(statistics.versions));
        self.bytes.set(signed(statistics.bytes));
        self.waiting.set(signed(statistics.queued as u64));
        self.unindexed.set(signed(app.journal.text_lag()));
        self.memory.set(signed(resident_bytes().unwrap_or(0)));
        for (store, damage) in crate::damage::damages(app) {
            self.damaged
                .get_or_create(&StoreLabel { store })
                .set(signed(damage.n_met()));
        }
        // If the ledger cannot be read, readiness reports it.
        if let Ok(notices) = app.journal.ledger().notices() {
            self.notices.set(signed(notices.len() as u64));
        }
        Ok(())
    }
}

/// Counts each request and its duration when its response begins.
pub async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or_else(|| "other".to_owned(), |path| path.as_str().to_owned());
    let method = method(request.method());
    let response = next.run(request).await;
    let label = RouteLabel {
        route: route.clone(),
        method,
    };
    let took = started.elapsed().as_secs_f64();
    app.measures.seconds.get_or_create(&label).observe(took);
    let label = RequestLabel {
        route,
        method,
        status: response.status().as_u16(),
    };
    app.measures.requests.get_or_create(&label).inc();
    response
}

/// Returns the label of a method. A method can be any word, so only the known ones get a label of
/// their own.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn seconds() -> Histogram {
    Histogram::new([
        0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
    ])
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Reads the resident memory from `proc(5)` on Linux: VmRSS, in kB.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}
