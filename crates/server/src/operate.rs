//! Routes for operators: `/healthz`, `/readyz`, `/metrics`.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use web::App;
use web::Failure;
use web::caller::Caller;
use web::damages;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

/// Returns 200 if everything that a message or request needs can be written. Otherwise lists what
/// cannot, how far reads continue, and the remedy. Store incidents are reported as `degraded`
/// instead of `ready` until somebody has acknowledged them.
async fn ready(State(app): State<App>) -> Response {
    let mut wrong = Vec::new();
    if let Some(error) = app.audit.stopped() {
        wrong.push(format!(
            "audit log: {error}; no request is answered. Repair the disk, then restart"
        ));
    }
    if let Some(reserve) = app.audit.reserve() {
        wrong.push(format!(
            "audit log: the disk is full; writes and messages are refused. The reserve has room \
             for about {} reads, or {} with the purpose of use ETREAT. Free space; everything \
             then resumes on its own",
            reserve.n_ordinary_left(),
            reserve.n_emergency_left()
        ));
    }
    if let Some(error) = app.journal.stopped() {
        wrong.push(format!("journal: {error}"));
    }
    if let Some(error) = app.chart.stopped() {
        wrong.push(format!("chart: {error}"));
    }
    if let Some(error) = app.journal.ledger().stopped() {
        let remedy = if error.is_disk_full() {
            "free some space; it then resumes on its own"
        } else {
            "repair the disk, then restart"
        };
        wrong.push(format!(
            "ledger: `flow.db` no longer records the states of messages after a failed write ({}); \
             {remedy}",
            cause(&error)
        ));
    }
    let asked = app.clone();
    let troubles = tokio::task::spawn_blocking(move || troubles(&asked)).await;
    let troubles = troubles.unwrap_or_else(|error| vec![error.to_string()]);
    let n_left = app.engine.n_recovering();
    if !troubles.is_empty() && 0 < n_left {
        wrong.push(format!(
            "chart: {n_left} messages of an earlier run are still to be applied; this continues on \
             its own"
        ));
    }
    if wrong.is_empty() && troubles.is_empty() {
        "ready\n".into_response()
    } else if wrong.is_empty() {
        // The server works, but an incident has not been acknowledged or data is damaged.
        format!("degraded\n{}\n", troubles.join("\n")).into_response()
    } else {
        wrong.extend(troubles);
        (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{}\n", wrong.join("\n")),
        )
            .into_response()
    }
}

/// Returns the database's text for a failed write. Paths are only in the log, because this page is
/// public.
fn cause(error: &dyn std::error::Error) -> String {
    let of_file = error.source().and_then(|file| file.source());
    of_file.map_or_else(|| "see the log".to_owned(), ToString::to_string)
}

/// Lists store incidents that nobody has acknowledged, and damaged data.
fn troubles(app: &App) -> Vec<String> {
    let mut troubles = match app.journal.ledger().notices() {
        Ok(notices) => notices.into_iter().map(|notice| notice.text).collect(),
        Err(error) => vec![format!("ledger: {error}")],
    };
    for (store, damage) in damages(app) {
        let Some(last) = damage.last().filter(|_| 0 < damage.n_met()) else {
            continue;
        };
        let n = damage.n_met();
        troubles.push(format!(
            "{store}: damaged data was found {n} times since the start, most recently: {last}"
        ));
    }
    troubles
}

/// Renders OpenMetrics text for Prometheus. It contains only names of flows and routes and figures,
/// but still requires a caller.
async fn metrics(State(app): State<App>, _caller: Caller) -> Result<Response, Failure> {
    let render = move || {
        app.measures.refresh(&app)?;
        Ok::<_, Failure>(app.engine.render_metrics())
    };
    let text = tokio::task::spawn_blocking(render)
        .await
        .map_err(|error| Failure::internal(&error))??;
    Ok((
        [(
            CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        text,
    )
        .into_response())
}
