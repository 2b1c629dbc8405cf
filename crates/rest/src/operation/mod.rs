//! The operations (operations.html), one file each.

mod everything;
mod person;

use super::{Failure, known_type};
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use fhir::json::Document;
use web::App;
use web::caller::Caller;

/// Handles `[type]/[id]/$operation`.
pub(super) async fn on_resource(
    State(app): State<App>,
    caller: Caller,
    Path((resource_type, id, operation)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    let resource_type = known_type(&resource_type)?;
    super::preference::check_format(&headers, None)?;
    if !operation.starts_with('$') {
        return Err(Failure::not_supported(format!(
            "compartment search is not supported; use a search parameter, such as \
             {operation}?patient={id}"
        )));
    }
    let mut pairs = web::parameters::parse(query.as_deref().unwrap_or(""));
    if !body.is_empty() {
        super::body::check_content_type(&headers)?;
        pairs.extend(in_body(&super::body::resource(&body, Some("Parameters"))?)?);
    }
    match (resource_type, operation.as_str()) {
        ("Patient", "$everything") => everything::everything(&app, &caller, &id, &pairs).await,
        ("Patient", "$person") => person::person(&app, &caller, &id).await,
        _ => Err(unknown(&operation)),
    }
}

/// Handles `POST [type]/$operation`, of which there are none yet.
pub(super) async fn on_type(
    _caller: Caller,
    Path((resource_type, operation)): Path<(String, String)>,
    _body: Bytes,
) -> Failure {
    match known_type(&resource_type) {
        Err(failure) => failure,
        Ok(_) if !operation.starts_with('$') => super::no_such_method().await,
        Ok(_) => unknown(&operation),
    }
}

/// Returns the simple parameters of a Parameters resource, as they would appear in the address.
fn in_body(document: &Document) -> Result<Vec<(String, String)>, Failure> {
    let parameters = document.root().each("parameter");
    parameters
        .map(|parameter| {
            let name = parameter.text("name").unwrap_or_default().into_owned();
            let value = parameter.fields().find_map(|field| {
                field.name()?.strip_prefix("value")?;
                Some(match (field.as_str(), field.number_text()) {
                    (Some(text), _) => text.into_owned(),
                    (None, Some(number)) => number.to_owned(),
                    (None, None) => return None,
                })
            });
            match value {
                Some(value) => Ok((name, value)),
                None => Err(Failure::at(
                    StatusCode::BAD_REQUEST,
                    "value",
                    document.path_of(parameter),
                    format!("`{name}` has no string or number as its value"),
                )),
            }
        })
        .collect()
}

pub(super) fn unknown(operation: &str) -> Failure {
    Failure::not_supported(format!(
        "`{operation}` is not supported here; /fhir/metadata lists the operations"
    ))
}
