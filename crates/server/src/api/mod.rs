//! The operator's API under `/api`: messages, flows and the audit log as JSON.
//!
//! Only the administrator may use it: raw messages contain everything about a patient.

mod audit;
mod flows;
mod maps;
mod messages;
mod resend;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::{get, post};
use flow::ControlError;
use web::App;
use web::Failure;

/// The largest request body: one message may be as large as a flow accepts.
const MAX_BODY_BYTES: usize = 64 << 20;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/messages", get(messages::list))
        .route("/messages/{sequence}", get(messages::show))
        .route("/messages/{sequence}/edit", post(resend::edit))
        .route("/messages/{sequence}/redirect", post(resend::redirect))
        .route("/messages/{sequence}/{action}", post(messages::act))
        .route("/audit", get(audit::list))
        .route("/flows", get(flows::list))
        .route("/maps", get(maps::show))
        .route("/maps/reload", post(maps::reload))
        .route("/flows/{name}/import", post(flows::import))
        .route("/flows/{name}/dry-run", post(flows::dry_run))
        .route("/flows/{name}/stop", post(flows::stop))
        .route("/flows/{name}/start", post(flows::start))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
}

/// Converts a control request that the flows could not carry out into a failure.
fn control_failure(error: &ControlError) -> Failure {
    let (status, code) = match error {
        ControlError::NoSuchMessage(_) | ControlError::NoSuchFlow(_) => {
            (StatusCode::NOT_FOUND, "not-found")
        }
        ControlError::WrongState { .. }
        | ControlError::Unchanged
        | ControlError::Listen { .. }
        | ControlError::Draining => (StatusCode::CONFLICT, "conflict"),
        ControlError::Batch(_) | ControlError::Refused(_) => {
            (StatusCode::UNPROCESSABLE_ENTITY, "processing")
        }
        ControlError::Read(_) | ControlError::Write(_) => return Failure::internal(error),
    };
    Failure::new(status, code, error.to_string())
}

/// Runs blocking work (an fsync, a search) off the event loop.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Failure::internal(&error))?
}
