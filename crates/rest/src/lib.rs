//! The FHIR R4 REST API (http.html), with one file per interaction and per operation.
//!
//! Invariants:
//! - a 2xx response to a write means that it is on disk;
//! - every failure is an OperationOutcome; no request content is logged.

mod answer;
pub(crate) mod body;
mod bundle;
pub mod import;
pub(crate) mod interaction;
mod once;
mod operation;
pub(crate) mod person;
mod precondition;
mod preference;
pub(crate) mod transaction;
mod versioned;

pub use interaction::capabilities::statement as capability_statement;

use axum::Router;
use axum::body::HttpBody;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::header::{CONNECTION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use interaction::{capabilities, create, delete, history, read, search, update};
use web::{App, FHIR_JSON, Failure};

/// The largest accepted body: the bundle of a long record has tens of megabytes.
const MAX_BODY_BYTES: usize = 64 << 20;

/// Returns the methods of the base URL itself.
pub fn base() -> MethodRouter<App> {
    get(search::system)
        .post(interaction::transaction::root)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
}

/// Returns the routes below the base URL.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/metadata", get(capabilities::metadata))
        .route("/", base())
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
        .layer(axum::middleware::from_fn(as_outcome))
}

/// Turns every refusal into an OperationOutcome, including those of the framework. If part of the
/// body may be unread, the connection is closed after the response, and the response announces it.
async fn as_outcome(request: Request, next: Next) -> Response {
    let has_body = !request.body().is_end_stream();
    let response = next.run(request).await;
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let is_plain = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|media| media.as_bytes().starts_with(b"text/plain"));
    let mut response = match status {
        _ if !is_plain => response,
        StatusCode::PAYLOAD_TOO_LARGE => Failure::new(
            status,
            "too-long",
            format!("the body is larger than {} MB", MAX_BODY_BYTES >> 20),
        )
        .into_response(),
        _ => Failure::new(
            status,
            "invalid",
            "the request cannot be read; address and form fields must be UTF-8",
        )
        .into_response(),
    };
    let may_be_unread = matches!(
        status,
        StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::PAYLOAD_TOO_LARGE
    );
    if has_body && may_be_unread {
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn no_such_route() -> Failure {
    Failure::new(
        StatusCode::NOT_FOUND,
        "not-found",
        "there is no such address; /fhir/metadata lists what is supported",
    )
}

async fn no_such_method() -> Failure {
    Failure::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "not-supported",
        "this address does not support this method; /fhir/metadata lists what is supported",
    )
}

/// Returns the static name of a resource type, or an error for a type that FHIR does not have.
pub(crate) fn known_type(name: &str) -> Result<&'static str, Failure> {
    if name.starts_with(['$', '_']) {
        return Err(Failure::not_supported(format!(
            "`{name}` is not supported on the whole system; /fhir/metadata lists what is supported"
        )));
    }
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
