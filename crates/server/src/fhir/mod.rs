//! FHIR R4 REST (http.html). One file per interaction and per operation.

mod answer;
pub(crate) mod body;
mod bundle;
mod failure;
pub(crate) mod interaction;
mod operation;
pub(crate) mod parameters;
pub(crate) mod person;
mod preference;
pub(crate) mod transaction;

pub(crate) use failure::Failure;
pub use interaction::capabilities::statement as capability_statement;

use crate::app::App;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::{get, post};
use interaction::{capabilities, create, delete, history, read, search, update};

/// What every FHIR answer is.
pub(crate) const FHIR_JSON: &str = "application/fhir+json; charset=utf-8";

/// The largest body taken: a bundle of a long record has some tens of megabytes.
const MAX_BODY_BYTES: usize = 64 << 20;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/metadata", get(capabilities::metadata))
        .route(
            "/",
            get(search::system).post(interaction::transaction::root),
        )
        .route("/_history", get(history::system))
        .route(
            "/{type}",
            get(search::by_get)
                .post(create::create)
                .put(update::conditional)
                .delete(delete::conditional),
        )
        .route("/{type}/_search", post(search::by_post))
        .route("/{type}/_history", get(history::of_type))
        .route(
            "/{type}/{id}",
            get(read::read)
                .put(update::update)
                .delete(delete::delete)
                .patch(update::patch)
                .post(operation::on_type),
        )
        .route("/{type}/{id}/_history", get(history::of_resource))
        .route("/{type}/{id}/_history/{version}", get(read::vread))
        .route(
            "/{type}/{id}/{operation}",
            get(operation::on_resource).post(operation::on_resource),
        )
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
}

async fn no_such_route() -> Failure {
    Failure::new(
        StatusCode::NOT_FOUND,
        "not-found",
        "there is no such address; /fhir/metadata says what there is",
    )
}

async fn no_such_method() -> Failure {
    Failure::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "not-supported",
        "this address does not take this method; /fhir/metadata says what there is",
    )
}

/// The static name of a resource type, or the error for a type that FHIR does not have.
pub(crate) fn known_type(name: &str) -> Result<&'static str, Failure> {
    search_registry().resource_type(name).ok_or_else(|| {
        Failure::new(
            StatusCode::NOT_FOUND,
            "not-supported",
            format!("`{name}` is not a resource type of FHIR R4"),
        )
    })
}

fn search_registry() -> &'static ::search::Registry {
    ::search::Registry::r4()
}
