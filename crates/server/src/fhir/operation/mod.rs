//! Operations (operations.html), one file each.

mod everything;
mod person;

use super::{Failure, known_type};
use crate::app::App;
use crate::caller::Caller;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;

/// `[type]/[id]/$operation`
pub(super) async fn on_resource(
    State(app): State<App>,
    caller: Caller,
    Path((resource_type, id, operation)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let resource_type = known_type(&resource_type)?;
    super::preference::check_format(&headers, None)?;
    let pairs = super::parameters::parse(query.as_deref().unwrap_or(""));
    match (resource_type, operation.as_str()) {
        ("Patient", "$everything") => everything::everything(&app, &caller, &id, &pairs).await,
        ("Patient", "$person") => person::person(&app, &caller, &id).await,
        _ => Err(unknown(&operation)),
    }
}

/// `POST [type]/$operation`: none yet.
pub(super) async fn on_type(
    _caller: Caller,
    Path((resource_type, operation)): Path<(String, String)>,
    _body: Bytes,
) -> Failure {
    match known_type(&resource_type) {
        Err(failure) => failure,
        Ok(_) => unknown(&operation),
    }
}

pub(super) fn unknown(operation: &str) -> Failure {
    Failure::not_supported(format!(
        "`{operation}` is not supported here; /fhir/metadata lists the operations"
    ))
}
