//! For whoever runs it: `/healthz`, `/readyz`, `/metrics`.

use crate::app::App;
use crate::caller::Caller;
use crate::fhir::Failure;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

/// 200 where everything that a message or a request needs can be written; else what cannot, how far
/// reads go on, and the remedy.
async fn ready(State(app): State<App>) -> Response {
    let mut wrong = Vec::new();
    if let Some(error) = app.audit.stopped() {
        wrong.push(format!(
            "audit log: {error}; nothing is answered. Repair the disk, then start again"
        ));
    }
    if let Some(reserve) = app.audit.reserve() {
        wrong.push(format!(
            "audit log: the disk is full; writes and messages are refused. The reserve has room for \
             about {} reads, or {} with the purpose of use ETREAT. Free space, and everything goes \
             on by itself",
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
    if wrong.is_empty() {
        "ready\n".into_response()
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{}\n", wrong.join("\n")),
        )
            .into_response()
    }
}

/// OpenMetrics text, which Prometheus scrapes. Names of flows and routes and numbers only, and yet not for everybody.
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
