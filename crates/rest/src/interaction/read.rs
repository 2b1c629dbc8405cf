//! The interactions `GET [type]/[id]` and `GET [type]/[id]/_history/[vid]`.

use crate::body::patients;
use crate::precondition::Precondition;
use crate::{Failure, answer, known_type, operation, preference};
use ::search::{Handling, Query, Summary};
use access::Interaction;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::IF_MODIFIED_SINCE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use fhir::json::Document;
use store::audit::Outcome;
use store::chart::{Read, Resource};
use web::App;
use web::caller::Caller;
use web::permit;
use web::trail::{self, Touched};

/// Serves the current version.
pub(crate) async fn read(
    State(app): State<App>,
    caller: Caller,
    Path((resource_type, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    check_format(&headers, query.as_deref())?;
    let resource_type = known_type(&resource_type)?;
    if id.starts_with('$') {
        return Err(operation::unknown(&id));
    }
    let shape = shape(resource_type, query.as_deref())?;
    let permit = permit(&app, &caller, Interaction::Read, Some(resource_type)).await?;
    let mut read = app.chart.read(&permit, resource_type, &id)?;
    if let (Read::Found(found), Some(shape)) = (&mut read, shape)
        && let Some(narrowed) = super::narrow(&shape, &found.body)
    {
        found.body = narrowed;
    }
    found(
        &app,
        &caller,
        Interaction::Read,
        (resource_type, &id),
        read,
        &headers,
    )
    .await
}

/// Serves one version.
pub(crate) async fn vread(
    State(app): State<App>,
    caller: Caller,
    Path((resource_type, id, version)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    check_format(&headers, query.as_deref())?;
    let resource_type = known_type(&resource_type)?;
    let permit = permit(&app, &caller, Interaction::Vread, Some(resource_type)).await?;
    // A version that is not a number was never assigned by this server.
    let read = match version.parse() {
        Ok(version) => app.chart.vread(&permit, resource_type, &id, version)?,
        Err(_) => Read::Missing,
    };
    found(
        &app,
        &caller,
        Interaction::Vread,
        (resource_type, &id),
        read,
        &headers,
    )
    .await
}

async fn found(
    app: &App,
    caller: &Caller,
    interaction: Interaction,
    (resource_type, id): (&'static str, &str),
    read: Read,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    let mut touched = Touched {
        resource_type: resource_type.to_owned(),
        target: id.to_owned(),
        patients: Vec::new(),
    };
    match read {
        Read::Found(resource) => {
            touched.patients = patients_in(&resource);
            trail::record(app, caller, interaction.code(), touched, Outcome::Success).await?;
            if is_unchanged(&resource, headers) {
                let mut response = StatusCode::NOT_MODIFIED.into_response();
                answer::version_headers(&mut response, resource.version, resource.updated);
                return Ok(response);
            }
            Ok(answer::resource(StatusCode::OK, *resource))
        }
        Read::Gone { version, updated } => {
            trail::record(app, caller, interaction.code(), touched, Outcome::Success).await?;
            let failure = Failure::new(
                StatusCode::GONE,
                "deleted",
                format!(
                    "{resource_type}/{id} was deleted; its history is at {resource_type}/{id}/_history"
                ),
            );
            let mut response = failure.into_response();
            answer::version_headers(&mut response, version, updated);
            Ok(response)
        }
        Read::Missing => {
            trail::record(app, caller, interaction.code(), touched, Outcome::Refused).await?;
            Err(Failure::not_found(resource_type, id))
        }
    }
}

/// Parses the `_summary` and `_elements` of a read, with the rules of a search.
fn shape(resource_type: &'static str, query: Option<&str>) -> Result<Option<Query>, Failure> {
    let mut pairs = web::parameters::parse(query.unwrap_or(""));
    pairs.retain(|(name, _)| matches!(name.as_str(), "_summary" | "_elements"));
    if pairs.is_empty() {
        return Ok(None);
    }
    let query = ::search::parse(resource_type, &pairs, Handling::Strict)?;
    if query.summary == Summary::Count {
        return Err(Failure::at(
            StatusCode::BAD_REQUEST,
            "value",
            "_summary",
            "`_summary=count` is for searches; a read accepts true, text, data and false",
        ));
    }
    Ok(Some(query))
}

/// Returns the patients that a stored resource concerns.
pub(crate) fn patients_in(resource: &Resource) -> Vec<String> {
    match Document::parse(&resource.body) {
        Ok(document) => patients(&document, &resource.id),
        // The body was valid JSON when it was stored; the store reports damage.
        Err(_) => Vec::new(),
    }
}

/// Evaluates `If-None-Match` and `If-Modified-Since` (http.html#cread).
fn is_unchanged(resource: &Resource, headers: &HeaderMap) -> bool {
    // A malformed list sets no condition: the client gets the resource.
    let precondition = Precondition::of(headers).unwrap_or_default();
    if precondition.names_none() {
        return precondition.has(Some(resource.version));
    }
    let since = headers.get(IF_MODIFIED_SINCE);
    let since = since.and_then(|value| value.to_str().ok());
    // An HTTP date has whole seconds only.
    let since = since.and_then(answer::of_http_date);
    since.is_some_and(|since| resource.updated.micros() / 1_000_000 <= since.micros() / 1_000_000)
}

fn check_format(headers: &HeaderMap, query: Option<&str>) -> Result<(), Failure> {
    let pairs = web::parameters::parse(query.unwrap_or(""));
    preference::check_format(headers, web::parameters::value(&pairs, "_format"))
}
