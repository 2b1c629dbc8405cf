//! The interactions of http.html, one file each.

pub(super) mod capabilities;
pub(super) mod create;
pub(super) mod delete;
pub(super) mod history;
pub(super) mod read;
pub(super) mod search;
pub(super) mod transaction;
pub(super) mod update;

use super::Failure;
use crate::app::App;
use crate::caller::Caller;
use crate::trail::{self, Touched};
use access::{Action, Interaction, Permit, decide};
use axum::http::StatusCode;
use axum::response::Response;
use std::future::Future;

/// Asks for a permit; a refusal is in the audit log before it is answered.
pub(crate) async fn permit(
    app: &App,
    caller: &Caller,
    interaction: Interaction,
    resource_type: Option<&str>,
) -> Result<Permit, Failure> {
    let action = Action {
        interaction,
        resource_type,
    };
    match decide(&caller.principal, action, caller.purpose) {
        // What is left of the log on a full disk is for those who read.
        Ok(_) if writes(interaction) && app.audit.reserve().is_some() => {
            let failure = Failure::no_room();
            let touched = Touched {
                resource_type: resource_type.unwrap_or("").to_owned(),
                ..Touched::default()
            };
            let entry = trail::entry(caller, interaction.code(), touched, failure.outcome());
            trail::refused_for_want_of_room(app, entry).await;
            Err(failure)
        }
        Ok(permit) => Ok(permit),
        Err(refusal) => {
            let touched = Touched {
                resource_type: resource_type.unwrap_or("").to_owned(),
                ..Touched::default()
            };
            let outcome = store::audit::Outcome::Refused;
            trail::record(app, caller, interaction.code(), touched, outcome).await?;
            Err(refusal.into())
        }
    }
}

fn writes(interaction: Interaction) -> bool {
    matches!(
        interaction,
        Interaction::Create | Interaction::Update | Interaction::Patch | Interaction::Delete
    )
}

/// Runs the work of a request; where it fails, the failure is in the audit log before it is answered.
pub(crate) async fn audited_failure(
    app: &App,
    caller: &Caller,
    interaction: Interaction,
    touched: Touched,
    work: impl Future<Output = Result<Response, Failure>>,
) -> Result<Response, Failure> {
    match work.await {
        Ok(response) => Ok(response),
        Err(failure) if failure.status == StatusCode::INSUFFICIENT_STORAGE => {
            let entry = trail::entry(caller, interaction.code(), touched, failure.outcome());
            trail::refused_for_want_of_room(app, entry).await;
            Err(failure)
        }
        Err(failure) => {
            trail::record(app, caller, interaction.code(), touched, failure.outcome()).await?;
            Err(failure)
        }
    }
}

/// The resource cut down as `_summary` and `_elements` ask; `None` where it stays whole
/// (search.html#summary). What is cut carries the tag SUBSETTED.
pub(crate) fn narrow(query: &::search::Query, body: &[u8]) -> Option<Vec<u8>> {
    use ::search::Summary;
    use fhir::build::Value;
    let is_whole = query.summary == Summary::False && query.elements.is_empty();
    if is_whole {
        return None;
    }
    let mut value = Value::parse(body).ok()?;
    let definition = fhir::definitions::type_named(value.resource_type()?)?;
    let keep = |name: &str| {
        let name = name.strip_prefix('_').unwrap_or(name);
        if matches!(name, "resourceType" | "id" | "meta") {
            return true;
        }
        let element = definition.element_for(name).map(|(element, _)| element);
        let is_mandatory = element.is_some_and(|element| 0 < element.min);
        if !query.elements.is_empty() {
            let asked = |wanted: &String| {
                wanted == name || element.is_some_and(|element| element.name == wanted.as_str())
            };
            return is_mandatory || query.elements.iter().any(asked);
        }
        match query.summary {
            Summary::True => is_mandatory || element.is_some_and(|element| element.is_summary),
            Summary::Text => is_mandatory || name == "text",
            Summary::Data => name != "text",
            Summary::False | Summary::Count => true,
        }
    };
    let gone: Vec<String> = value
        .as_object()?
        .iter()
        .map(|(name, _)| name)
        .filter(|name| !keep(name))
        .map(str::to_owned)
        .collect();
    for name in &gone {
        value.remove(name);
    }
    let tag = Value::object()
        .with(
            "system",
            "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
        )
        .with("code", "SUBSETTED");
    let meta = value.entry("meta");
    if meta.as_object().is_none() {
        *meta = Value::object();
    }
    meta.entry("tag").push(tag);
    Some(value.to_bytes())
}
