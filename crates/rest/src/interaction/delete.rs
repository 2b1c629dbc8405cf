//! The interaction `DELETE [type]/[id]`. The history stays, and the id can be written again.

use super::update::{MAX_TRIES, Target, matching, may_retry, refuse_hidden, refuse_source_fed};
use crate::precondition::{Precondition, version_of};
use crate::{Failure, answer, known_type};
use access::{Interaction, Permit};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use store::audit::Outcome as AuditOutcome;
use store::chart::{ApplyError, Batch, Change, Conflict, Expect, Lane, Read};
use web::App;
use web::caller::Caller;
use web::trail::{self, Touched};
use web::{audited_failure, permit};

/// Deletes a resource. Idempotent: deleting a resource that does not exist succeeds.
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path((resource_type, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let resource_type = known_type(&resource_type)?;
    let permit = permit(&app, &caller, Interaction::Delete, Some(resource_type)).await?;
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
        let precondition = Precondition::of(&headers)?;
        remove(&app, &caller, &permit, target, &precondition).await
    };
    audited_failure(&app, &caller, Interaction::Delete, touched, work).await
}

/// Handles `DELETE [type]?…`: deletes the one match (http.html#cdelete).
pub(crate) async fn conditional(
    State(app): State<App>,
    caller: Caller,
    Path(resource_type): Path<String>,
    RawQuery(criteria): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let resource_type = known_type(&resource_type)?;
    let permit = permit(&app, &caller, Interaction::Delete, Some(resource_type)).await?;
    let touched = Touched {
        resource_type: resource_type.to_owned(),
        ..Touched::default()
    };
    let precondition = Precondition::of(&headers);
    let attempt = async || {
        let precondition = precondition.clone()?;
        let criteria = criteria.as_deref().unwrap_or_default();
        let (found, condition) = matching(&app, &caller, resource_type, criteria).await?;
        if let Some(found) = found {
            let target = Target {
                resource_type,
                id: &found.id,
                condition: Some(condition),
            };
            return remove(&app, &caller, &permit, target, &precondition).await;
        }
        let touched = Touched {
            resource_type: resource_type.to_owned(),
            ..Touched::default()
        };
        let code = Interaction::Delete.code();
        trail::record(&app, &caller, code, touched, AuditOutcome::Success).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
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
    audited_failure(&app, &caller, Interaction::Delete, touched, work).await
}

async fn remove(
    app: &App,
    caller: &Caller,
    permit: &Permit,
    target: Target<'_>,
    precondition: &Precondition,
) -> Result<Response, Failure> {
    let Target {
        resource_type,
        id,
        condition,
    } = target;
    let mut n_tries = 0;
    let receipt = loop {
        let current = app.chart.read(permit, resource_type, id)?;
        refuse_hidden(permit, &current, resource_type, id)?;
        refuse_source_fed(&current)?;
        let expect = precondition.expect(version_of(&current))?;
        let patients = match &current {
            Read::Found(found) => super::read::patients_in(found),
            Read::Gone { .. } | Read::Missing => Vec::new(),
        };
        let touched = Touched {
            resource_type: resource_type.to_owned(),
            target: id.to_owned(),
            patients,
        };
        let entry = trail::entry(
            caller,
            Interaction::Delete.code(),
            touched,
            AuditOutcome::Success,
        );
        let change = Change::delete(resource_type, id);
        let batch = Batch {
            conditions: condition.clone().into_iter().collect(),
            audit: vec![entry],
            ..Batch::of(change.expecting(expect.unwrap_or(Expect::Anything)))
        };
        match app.chart.apply(permit, batch, Lane::Interactive).await {
            // A concurrent writer won: the check is repeated against the current version.
            Err(ApplyError::Conflict(Conflict::Version { .. })) if n_tries < MAX_TRIES => {
                n_tries += 1;
            }
            other => break other?,
        }
    };
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Some(written) = receipt
        .written
        .first()
        .filter(|written| 0 < written.version)
    {
        answer::version_headers(&mut response, written.version, written.updated);
    }
    Ok(response)
}
