//! The interaction `POST [type]`, with `If-None-Exist`.

use super::update::may_retry;
use crate::body::{check_content_type, check_references, patients, prepared, resource};
use crate::preference::{check_format, return_preference};
use crate::transaction::new_id;
use crate::{Failure, answer, known_type, person};
use access::{Interaction, Permit};
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use search::{Handling, Query};
use store::audit::Outcome;
use store::chart::{Batch, Change, Condition, Lane, Read, Resource};
use web::App;
use web::caller::Caller;
use web::parameters::{parse, value};
use web::trail::{self, Touched};
use web::{audited_failure, permit};

/// Creates a resource under a new id.
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    Path(resource_type): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    let resource_type = known_type(&resource_type)?;
    let pairs = parse(query.as_deref().unwrap_or(""));
    check_format(&headers, value(&pairs, "_format"))?;
    refuse_criteria(&pairs)?;
    let permit = permit(&app, &caller, Interaction::Create, Some(resource_type)).await?;
    let touched = Touched {
        resource_type: resource_type.to_owned(),
        ..Touched::default()
    };
    let work = async {
        let mut n_tries = 0;
        loop {
            match store(&app, &caller, &permit, resource_type, &headers, &body).await {
                // A concurrent request created what the condition looks for.
                Err(failure) if may_retry(&failure, n_tries) => n_tries += 1,
                settled => return settled,
            }
        }
    };
    audited_failure(&app, &caller, Interaction::Create, touched, work).await
}

/// Refuses criteria in the address. Some clients send a condition there, and ignoring it would
/// create a second resource.
fn refuse_criteria(pairs: &[(String, String)]) -> Result<(), Failure> {
    let other = pairs
        .iter()
        .find(|(name, _)| !matches!(name.as_str(), "_format" | "_pretty"));
    match other {
        None => Ok(()),
        Some((name, _)) => Err(Failure::at(
            StatusCode::BAD_REQUEST,
            "not-supported",
            name,
            "a create accepts no parameters; send a condition in the header If-None-Exist, or PUT \
             [type]?…",
        )),
    }
}

async fn store(
    app: &App,
    caller: &Caller,
    permit: &Permit,
    resource_type: &'static str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Failure> {
    check_content_type(headers)?;
    let document = resource(body, Some(resource_type))?;
    let document = person::restored(&app.chart, permit, document, None)?;
    check_references(app, permit, &document, &|_, _| false)?;
    let mut conditions = Vec::new();
    if let Some(criteria) = headers.get("if-none-exist") {
        let criteria = criteria.to_str().unwrap_or("");
        let query = condition(resource_type, criteria)?;
        // Asking whether something matches requires the right to search.
        let searching = web::permit(app, caller, Interaction::SearchType, Some(resource_type));
        let searching = searching.await?;
        match existing(app, &searching, &query).await? {
            Some(found) => {
                let touched = touched(resource_type, &found);
                trail::record(
                    app,
                    caller,
                    Interaction::Create.code(),
                    touched,
                    Outcome::Success,
                )
                .await?;
                return Ok(answer::written(
                    app,
                    StatusCode::OK,
                    return_preference(headers),
                    found,
                ));
            }
            None => conditions.push(Condition {
                query,
                matches: None,
                rows: searching.filter().clone(),
            }),
        }
    }
    let id = new_id();
    let entry = trail::entry(
        caller,
        Interaction::Create.code(),
        Touched {
            resource_type: resource_type.to_owned(),
            target: id.clone(),
            patients: patients(&document, &id),
        },
        Outcome::Success,
    );
    let change = Change::create(id.clone(), prepared(&app.fhir_base(), &document)?);
    let batch = Batch {
        conditions,
        audit: vec![entry],
        ..Batch::of(change)
    };
    app.chart.apply(permit, batch, Lane::Interactive).await?;
    match app.chart.read(permit, resource_type, &id)? {
        Read::Found(stored) => Ok(answer::written(
            app,
            StatusCode::CREATED,
            return_preference(headers),
            *stored,
        )),
        // A concurrent request deleted the resource; it was created nevertheless.
        Read::Gone { .. } | Read::Missing => {
            Ok(answer::json(StatusCode::CREATED, answer::done("created")))
        }
    }
}

/// Parses the criteria of a conditional interaction: a search in which every parameter is
/// understood.
pub(crate) fn condition(resource_type: &'static str, criteria: &str) -> Result<Query, Failure> {
    let criteria = criteria
        .split_once('?')
        .map_or(criteria, |(_, query)| query);
    let query = search::parse(resource_type, &parse(criteria), Handling::Strict)?;
    if query.filters.is_empty() {
        return Err(Failure::new(
            StatusCode::PRECONDITION_FAILED,
            "value",
            "the condition has no search parameter, so it would match everything",
        ));
    }
    Ok(query)
}

/// Finds the one resource that matches. Several matches are an error.
pub(crate) async fn existing(
    app: &App,
    permit: &Permit,
    query: &Query,
) -> Result<Option<Resource>, Failure> {
    let mut query = query.clone();
    query.count = Some(2);
    let page = super::search::run(app, permit.clone(), query).await?.page;
    let mut matches = page.matches.into_iter();
    match (matches.next(), matches.next()) {
        (found, None) => Ok(found),
        (_, Some(_)) => Err(Failure::new(
            StatusCode::PRECONDITION_FAILED,
            "multiple-matches",
            "several resources match the condition",
        )),
    }
}

fn touched(resource_type: &str, found: &Resource) -> Touched {
    Touched {
        resource_type: resource_type.to_owned(),
        target: found.id.clone(),
        patients: super::read::patients_in(found),
    }
}
