//! The interactions `GET [type]?…` and `POST [type]/_search`.

use super::read::patients_in;
use crate::bundle::{self, Found};
use crate::versioned::Versions;
use crate::{Failure, answer, known_type, preference};
use access::{Interaction, Permit};
use axum::extract::{Path, RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use search::{Handling, Query};
use store::audit::Outcome;
use store::chart::{Limits, Page, ReadError};
use web::App;
use web::caller::Caller;
use web::parameters::{parse, parse_within, value};
use web::permit;
use web::trail::{self, Touched};

/// A page larger than this is serialized off the event loop too.
const LARGE_PAGE: usize = 64 << 10;

/// The largest number of parameters. More add nothing, and an address has no room for that many.
const MAX_PARAMETERS: usize = 1_000;

/// Handles `GET [type]?…`.
pub(crate) async fn by_get(
    State(app): State<App>,
    caller: Caller,
    Path(resource_type): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let pairs = parse(query.as_deref().unwrap_or(""));
    on_type(app, caller, known_type(&resource_type)?, pairs, headers).await
}

/// Handles `POST [type]/_search`. The parameters are in the body, which keeps them out of proxy
/// logs; parameters in the address count too.
pub(crate) async fn by_post(
    State(app): State<App>,
    caller: Caller,
    Path(resource_type): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: String,
) -> Result<Response, Failure> {
    let is_form = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_none_or(|media| media.starts_with("application/x-www-form-urlencoded"));
    if !is_form {
        return Err(Failure::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not-supported",
            "_search accepts application/x-www-form-urlencoded",
        ));
    }
    let mut pairs = parse(query.as_deref().unwrap_or(""));
    pairs.extend(parse_within(&body, MAX_PARAMETERS).ok_or_else(|| {
        Failure::new(
            StatusCode::BAD_REQUEST,
            "too-costly",
            format!(
                "a search may have at most {MAX_PARAMETERS} parameters; separate alternative \
                 values with commas"
            ),
        )
    })?);
    on_type(app, caller, known_type(&resource_type)?, pairs, headers).await
}

/// Refuses `GET ?…` across all types.
pub(crate) async fn system(_caller: Caller) -> Failure {
    Failure::not_supported(
        "search across all types is not supported; search one type, such as /fhir/Patient?name=…",
    )
}

async fn on_type(
    app: App,
    caller: Caller,
    resource_type: &'static str,
    pairs: Vec<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    preference::check_format(&headers, value(&pairs, "_format"))?;
    let permit = permit(&app, &caller, Interaction::SearchType, Some(resource_type)).await?;
    let body = searchset(
        &app,
        &caller,
        permit,
        resource_type,
        &pairs,
        preference::handling(&headers),
    )
    .await?;
    Ok(answer::json(StatusCode::OK, body))
}

/// Runs a search, audits the access and returns the searchset.
pub(crate) async fn searchset(
    app: &App,
    caller: &Caller,
    permit: Permit,
    resource_type: &'static str,
    pairs: &[(String, String)],
    handling: Handling,
) -> Result<Vec<u8>, Failure> {
    let query = search::Parser::at(app.fhir_base()).parse(resource_type, pairs, handling)?;
    let SearchResult {
        query,
        page,
        patients,
    } = run(app, permit, query).await?;
    let touched = Touched {
        resource_type: resource_type.to_owned(),
        target: shape(resource_type, &query),
        patients,
    };
    trail::record(
        app,
        caller,
        Interaction::SearchType.code(),
        touched,
        Outcome::Success,
    )
    .await?;
    let n_bytes = page.matches.iter().chain(&page.included);
    let n_bytes: usize = n_bytes.map(|resource| resource.body.len()).sum();
    let work = app.clone();
    let write = move || {
        let path = resource_type;
        bundle::searchset(&work, &query, &Found { page: &page, path })
    };
    if n_bytes < LARGE_PAGE {
        return Ok(write());
    }
    app.search(write)
        .await
        .map_err(|error| Failure::internal(&error))
}

/// The result of a search, with the patients whose data it contains.
pub(crate) struct SearchResult {
    pub(crate) query: Query,
    pub(crate) page: Page,
    pub(crate) patients: Vec<String>,
}

/// Runs a search off the event loop, since it may take milliseconds.
pub(crate) async fn run(app: &App, permit: Permit, query: Query) -> Result<SearchResult, Failure> {
    let (chart, base) = (app.chart.clone(), app.fhir_base());
    let work = move || {
        let mut page = chart.search(&permit, &query, Limits::default())?;
        let versions = Versions {
            chart: &chart,
            permit: &permit,
            base: &base,
        };
        versions.pin(&query, &mut page)?;
        let found = page.matches.iter().chain(&page.included);
        let mut patients: Vec<String> = found.flat_map(patients_in).collect();
        patients.sort();
        patients.dedup();
        Ok::<_, ReadError>(SearchResult {
            query,
            page,
            patients,
        })
    };
    let result = app
        .search(work)
        .await
        .map_err(|error| Failure::internal(&error))?;
    Ok(result?)
}

/// Renders the query without its values: `Observation?patient&code&_sort`.
fn shape(resource_type: &str, query: &Query) -> String {
    let names: Vec<&str> = query.used().iter().map(|(name, _)| name.as_str()).collect();
    if names.is_empty() {
        resource_type.to_owned()
    } else {
        format!("{resource_type}?{}", names.join("&"))
    }
}
