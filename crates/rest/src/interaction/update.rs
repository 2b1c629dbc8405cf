//! The interaction `PUT [type]/[id]`, with `If-Match`. A PUT to an unused id creates the resource.

use super::create::{condition, existing};
use crate::body::{check_content_type, check_references, patients, prepared, resource};
use crate::precondition::{Precondition, version_of};
use crate::preference::{check_format, return_preference};
use crate::transaction::new_id;
use crate::{Failure, answer, known_type, person};
use access::{Interaction, Permit, RowFilter};
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use fhir::json::Document;
use std::borrow::Cow;
use store::audit::Outcome as AuditOutcome;
use store::chart::{
    ApplyError, Batch, Change, Condition, Conflict, Expect, Lane, Outcome, Read, Resource,
};
use web::App;
use web::caller::Caller;
use web::trail::{self, Touched};
use web::{audited_failure, permit};

/// The largest number of retries of a request that names no version. In each round, one of the
/// concurrent writers succeeds.
pub(super) const MAX_TRIES: u32 = 256;

/// Updates or creates a resource.
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller,
    Path((resource_type, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    let resource_type = known_type(&resource_type)?;
    check_format(&headers, None)?;
    let permit = permit(&app, &caller, Interaction::Update, Some(resource_type)).await?;
    let touched = Touched {
        resource_type: resource_type.to_owned(),
        target: id.clone(),
        patients: Vec::new(),
    };
    let target = Target {
        resource_type,
        id: &id,
        condition: None,
    };
    let work = async {
        check_content_type(&headers)?;
        check_address(&id)?;
        let document = resource(&body, Some(resource_type))?;
        check_id(document.root().text("id").as_deref(), &id)?;
        store(&app, &caller, &permit, target, &headers, document).await
    };
    audited_failure(&app, &caller, Interaction::Update, touched, work).await
}

/// Handles `PUT [type]?…`: updates the one match, or creates a resource (http.html#cond-update).
pub(crate) async fn conditional(
    State(app): State<App>,
    caller: Caller,
    Path(resource_type): Path<String>,
    RawQuery(criteria): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    let resource_type = known_type(&resource_type)?;
    check_format(&headers, None)?;
    let permit = permit(&app, &caller, Interaction::Update, Some(resource_type)).await?;
    let touched = Touched {
        resource_type: resource_type.to_owned(),
        ..Touched::default()
    };
    let attempt = async || {
        check_content_type(&headers)?;
        let document = resource(&body, Some(resource_type))?;
        let criteria = criteria.as_deref().unwrap_or_default();
        let (found, condition) = matching(&app, &caller, resource_type, criteria).await?;
        let own = document.root().text("id").map(Cow::into_owned);
        let id = conditional_id(own.as_deref(), found.as_ref().map(|found| &*found.id))?;
        if found.is_none() && own.is_some() {
            let current = app.chart.read(&permit, resource_type, &id)?;
            refuse_taken(&permit, &current, resource_type, &id)?;
        }
        let target = Target {
            resource_type,
            id: &id,
            condition: Some(condition),
        };
        store(&app, &caller, &permit, target, &headers, document).await
    };
    let work = async {
        let mut n_tries = 0;
        loop {
            match attempt().await {
                Err(failure) if may_retry(&failure, n_tries) => n_tries += 1,
                settled => return settled,
            }
        }
    };
    audited_failure(&app, &caller, Interaction::Update, touched, work).await
}

/// Finds the resource that a condition matches, and the expectation that this still holds at the
/// time of the write.
pub(crate) async fn matching(
    app: &App,
    caller: &Caller,
    resource_type: &'static str,
    criteria: &str,
) -> Result<(Option<Resource>, Condition), Failure> {
    let query = condition(resource_type, criteria)?;
    let searching = web::permit(app, caller, Interaction::SearchType, Some(resource_type));
    let searching = searching.await?;
    let found = existing(app, &searching, &query).await?;
    let condition = Condition {
        query,
        matches: found.as_ref().map(|found| found.id.clone()),
        rows: searching.filter().clone(),
    };
    Ok((found, condition))
}

/// Returns the id of a conditional update. The body needs none. If it has one, it must be that of
/// the match; without a match it becomes the id of the new resource (an update as create).
pub(crate) fn conditional_id(own: Option<&str>, found: Option<&str>) -> Result<String, Failure> {
    match (own, found) {
        (Some(own), Some(found)) if own != found => Err(Failure::at(
            StatusCode::BAD_REQUEST,
            "invalid",
            "id",
            "the id in the body is not that of the matching resource",
        )),
        (Some(own), _) if fhir::reference::is_id(own) => Ok(own.to_owned()),
        (_, Some(found)) => Ok(found.to_owned()),
        (_, None) => Ok(new_id()),
    }
}

/// Refuses an id in use, because nothing matched and the id must be new.
pub(crate) fn refuse_taken(
    permit: &Permit,
    current: &Read,
    resource_type: &str,
    id: &str,
) -> Result<(), Failure> {
    refuse_hidden(permit, current, resource_type, id)?;
    match current {
        Read::Found(_) => Err(Failure::at(
            StatusCode::CONFLICT,
            "conflict",
            "id",
            format!("{resource_type}/{id} exists and does not match the condition"),
        )),
        Read::Gone { .. } | Read::Missing => Ok(()),
    }
}

/// Returns true if a concurrent writer won, so that another attempt makes sense.
pub(super) fn may_retry(failure: &Failure, n_tries: u32) -> bool {
    failure.is_overtaken && n_tries < MAX_TRIES
}

/// Refuses `PATCH [type]/[id]`.
pub(crate) async fn patch(_caller: Caller, _body: Bytes) -> Failure {
    Failure::not_supported(
        "PATCH is not supported; read, change, then PUT [type]/[id] with If-Match",
    )
}

/// The resource to be written and its precondition.
pub(super) struct Target<'a> {
    pub(super) resource_type: &'static str,
    pub(super) id: &'a str,
    pub(super) condition: Option<Condition>,
}

async fn store(
    app: &App,
    caller: &Caller,
    permit: &Permit,
    target: Target<'_>,
    headers: &HeaderMap,
    document: Document,
) -> Result<Response, Failure> {
    let Target {
        resource_type,
        id,
        condition,
    } = target;
    let current = app.chart.read(permit, resource_type, id)?;
    let is_new = condition.as_ref().is_some_and(|c| c.matches.is_none());
    if !is_new {
        refuse_hidden(permit, &current, resource_type, id)?;
    }
    let current = match &current {
        Read::Found(found) => Some(found.body.as_slice()),
        Read::Gone { .. } | Read::Missing => None,
    };
    let document = person::restored(&app.chart, permit, document, current)?;
    check_references(app, permit, &document, &|kind, other| {
        kind == resource_type && other == id
    })?;
    let precondition = Precondition::of(headers)?;
    let prepared = prepared(&app.fhir_base(), &document)?;
    let patients = patients(&document, id);
    let mut n_tries = 0;
    let receipt = loop {
        let current = app.chart.read(permit, resource_type, id)?;
        refuse_source_fed(&current)?;
        let version = version_of(&current);
        // The decisions above must still hold at the time of the write.
        let now = version.map_or(Expect::Absent, Expect::Version);
        let expect = precondition.expect(version)?.unwrap_or(now);
        let touched = Touched {
            resource_type: resource_type.to_owned(),
            target: id.to_owned(),
            patients: patients.clone(),
        };
        let entry = trail::entry(
            caller,
            Interaction::Update.code(),
            touched,
            AuditOutcome::Success,
        );
        let change = Change::put(id, prepared.clone()).expecting(expect);
        let batch = Batch {
            conditions: condition.clone().into_iter().collect(),
            audit: vec![entry],
            ..Batch::of(change)
        };
        match app.chart.apply(permit, batch, Lane::Interactive).await {
            // A concurrent writer won, so try again: without a precondition the last writer wins,
            // and with one it is checked against the current version.
            Err(ApplyError::Conflict(Conflict::Version { .. })) if n_tries < MAX_TRIES => {
                n_tries += 1;
            }
            other => break other?,
        }
    };
    let was_created = receipt
        .written
        .first()
        .is_some_and(|written| written.outcome == Outcome::Created);
    let status = if was_created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    match app.chart.read(permit, resource_type, id)? {
        Read::Found(stored) => Ok(answer::written(
            app,
            status,
            return_preference(headers),
            *stored,
        )),
        Read::Gone { .. } | Read::Missing => Ok(answer::json(status, answer::done("stored"))),
    }
}

fn check_address(id: &str) -> Result<(), Failure> {
    if fhir::reference::is_id(id) {
        return Ok(());
    }
    Err(Failure::new(
        StatusCode::BAD_REQUEST,
        "value",
        "the id in the address is not a FHIR id: 1 to 64 letters, digits, `-` or `.`",
    ))
}

/// Checks that the id in the body equals the one in the address (http.html#update).
fn check_id(found: Option<&str>, wanted: &str) -> Result<(), Failure> {
    match found {
        Some(found) if found == wanted => Ok(()),
        Some(_) => Err(Failure::at(
            StatusCode::BAD_REQUEST,
            "invalid",
            "id",
            "the id in the body is not the one in the address",
        )),
        None => Err(Failure::at(
            StatusCode::BAD_REQUEST,
            "required",
            "id",
            "an update needs the id in the body too",
        )),
    }
}

/// Refuses client-assigned ids for callers limited to some patients: the response would reveal
/// whether a hidden resource has the id.
pub(crate) fn refuse_hidden(
    permit: &Permit,
    current: &Read,
    resource_type: &str,
    id: &str,
) -> Result<(), Failure> {
    match (current, permit.filter()) {
        (Read::Missing, RowFilter::Patients { .. }) => Err(Failure::not_found(resource_type, id)),
        _ => Ok(()),
    }
}

/// Refuses to edit data that a source feeds: the source's next message would silently undo the
/// edit.
pub(crate) fn refuse_source_fed(current: &Read) -> Result<(), Failure> {
    match current {
        Read::Found(found) if found.event.is_some() => Err(Failure::new(
            StatusCode::CONFLICT,
            "business-rule",
            "a source's messages feed this resource; correct it at the source, or store your own resource beside it",
        )),
        Read::Found(_) | Read::Gone { .. } | Read::Missing => Ok(()),
    }
}
