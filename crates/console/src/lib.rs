//! The web console: server-rendered pages for people.
//!
//! Invariants:
//! - without a session only the login and the static files respond;
//! - a page that shows a patient's data is in the audit log before its first byte
//!   ([`visitor::Visitor::record`]);
//! - a form changes something only with the session's CSRF token ([`visitor::Form`]);
//! - an address contains opaque ids: typed text (a name, a record number) is kept in memory and
//!   appears in the address as a random handle ([`handles`]);
//! - every page can be read and used without a script.

mod assets;
mod attachment;
mod audit;
mod emergency;
mod fault;
mod find;
mod flows;
mod form;
mod frame;
mod handles;
mod login;
mod maps;
mod markup;
mod messages;
mod overview;
mod password;
mod patients;
mod query;
mod queues;
mod settings;
mod theme;
mod verify;
mod visitor;
mod words;

use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::{Extension, Router};
use handles::Handles;
use std::sync::Arc;
use web::App;

/// Returns the routes of the pages. Needs a running tokio runtime.
pub fn routes(app: App) -> Router<App> {
    let batches = Arc::new(messages::Batches::default());
    batches.resume(&app);
    Router::new()
        .route("/", get(overview::show))
        .route("/console/live", get(overview::live))
        .route("/console/attention", get(overview::attention))
        .route("/console/notices/{id}", post(overview::seen))
        .route("/messages", get(messages::list))
        .route("/messages/fresh", get(messages::fresh))
        .route("/messages/narrow", post(messages::narrow))
        .route("/messages/batch", post(messages::begin))
        .route(
            "/messages/batch/{id}",
            get(messages::progress).post(messages::stop),
        )
        .route("/messages/{sequence}", get(messages::open))
        .route(
            "/messages/{sequence}/edit",
            get(messages::edit).post(messages::send),
        )
        .route("/messages/{sequence}/redirect", post(messages::redirect))
        .route("/messages/{sequence}/act", post(messages::act_on_one))
        .route("/messages/{sequence}/raw", get(messages::download))
        .route(
            "/messages/{sequence}/document",
            get(messages::document_page),
        )
        .route("/messages/{sequence}/inline", get(messages::inline))
        .route("/messages/{sequence}/file", get(messages::file))
        .route("/patients", get(patients::list).post(patients::find))
        .route("/patients/{id}", get(patients::summary))
        .route("/patients/{id}/timeline", get(patients::timeline))
        .route("/patients/{id}/results", get(patients::results))
        .route("/patients/{id}/documents", get(patients::documents))
        .route("/patients/{id}/sources", get(patients::sources))
        .route("/patients/{id}/access", get(patients::access))
        .route(
            "/patients/{id}/file/{type}/{resource}",
            get(patients::download),
        )
        .route(
            "/patients/{id}/document/{type}/{resource}",
            get(patients::document_page),
        )
        .route(
            "/patients/{id}/inline/{type}/{resource}",
            get(patients::inline),
        )
        .route(
            "/patients/{id}/from/{type}/{resource}",
            get(patients::origin),
        )
        .route("/find", post(find::find))
        .route("/find/{handle}", get(find::found))
        .route("/flows", get(flows::list))
        .route("/flows/{name}", get(flows::show).post(flows::dry_run))
        .route("/flows/{name}/stop", get(flows::ask))
        .route("/flows/{name}/switch", post(flows::switch))
        .route("/queues", get(queues::show))
        .route("/maps", get(maps::list))
        .route("/maps/reload", post(maps::reload))
        .route("/maps/file", get(maps::show).post(maps::try_out))
        .route("/audit", get(audit::show))
        .route("/settings", get(settings::show))
        .route("/settings/sessions", post(settings::end_session))
        .route("/emergency", get(emergency::show).post(emergency::choose))
        .route("/login", get(login::show).post(login::log_in))
        .route("/logout", post(login::log_out))
        .route("/password", get(password::show).post(password::choose))
        .route("/theme", post(theme::choose))
        .route("/assets/{name}", get(assets::file))
        .fallback(no_such_page)
        .layer(axum::middleware::from_fn_with_state(
            app,
            fault::render_page,
        ))
        .layer(DefaultBodyLimit::max(form::LARGEST))
        .layer(Extension(Arc::new(Handles::default())))
        .layer(Extension(Arc::new(verify::Verifier::default())))
        .layer(Extension(batches))
        .layer(Extension(Arc::new(maps::Tallies::default())))
}

/// Handles addresses without a route.
async fn no_such_page() -> fault::Fault {
    fault::Fault::new(
        axum::http::StatusCode::NOT_FOUND,
        "There is no such page",
        "The address was mistyped, or it belongs to another version.",
        "Choose a page from the menu, or search above.",
    )
}
