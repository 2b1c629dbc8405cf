//! The operation `Patient/[id]/$person`: from a source's record to the person, and from the person
//! to itself.

use crate::{Failure, answer};
use access::Interaction;
use axum::http::StatusCode;
use axum::response::Response;
use store::audit::Outcome;
use store::chart::Read;
use web::App;
use web::caller::Caller;
use web::permit;
use web::trail::{self, Touched};

pub(super) async fn person(app: &App, caller: &Caller, id: &str) -> Result<Response, Failure> {
    let permit = permit(app, caller, Interaction::Read, Some("Patient")).await?;
    let person = app.chart.person_of(&permit, id)?;
    let found = match &person {
        Some(person) => app.chart.read(&permit, "Patient", &person.id)?,
        None => Read::Missing,
    };
    let outcome = if matches!(found, Read::Found(_)) {
        Outcome::Success
    } else {
        Outcome::Refused
    };
    let patients = person.map_or_else(|| vec![id.to_owned()], |person| person.members);
    let touched = Touched {
        resource_type: "Patient".to_owned(),
        target: format!("Patient/{id}/$person"),
        patients,
    };
    trail::record(app, caller, "person", touched, outcome).await?;
    match found {
        Read::Found(resource) => Ok(answer::resource(StatusCode::OK, *resource)),
        Read::Gone { .. } | Read::Missing => Err(Failure::not_found("Patient", id)),
    }
}
