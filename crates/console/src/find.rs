//! The search box: finds a patient, a record number, a control id or an accession.

use super::fault::Fault;
use super::frame::{Frame, Place, page};
use super::handles::Handles;
use super::markup::Moment;
use super::messages::{Row, some_rows};
use super::patients::{Person, persons};
use super::visitor::{Form, Visitor};
use access::Interaction;
use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use std::sync::Arc;
use store::journal::Filter;
use web::App;
use web::trail::Touched;

#[derive(Template)]
#[template(path = "find.html")]
struct FindPage {
    frame: Frame,
    sought: String,
    persons: Vec<Person>,
    /// The messages found, by the kind of number that matched.
    messages: Vec<(&'static str, Vec<Row>)>,
}

const MAX_FOUND: usize = 20;

/// Handles `POST /find`.
pub(super) async fn find(Extension(handles): Extension<Arc<Handles>>, form: Form) -> Response {
    let address = match form.get("find").trim() {
        "" => form.back().to_owned(),
        text => format!("/find/{}", handles.keep(form.visitor.user(), text)),
    };
    Redirect::to(&address).into_response()
}

/// Handles `GET /find/{handle}`.
pub(super) async fn found(
    State(app): State<App>,
    Extension(handles): Extension<Arc<Handles>>,
    visitor: Visitor,
    Path(handle): Path<String>,
) -> Result<Response, Fault> {
    let Some(sought) = handles.find(visitor.user(), &handle) else {
        return Ok(Redirect::to("/patients").into_response());
    };
    let permit = visitor
        .permit(&app, Interaction::SearchType, Some("Patient"))
        .await?;
    visitor.permit(&app, Interaction::Messages, None).await?;
    let (work, text) = (app.clone(), sought.clone());
    let taken = tokio::task::spawn_blocking(move || {
        let persons = persons(&work, &permit, Some(&text), (MAX_FOUND as u32, ""))?.rows;
        Ok::<_, Fault>((persons, messages(&work, &text)?))
    });
    let (persons, messages) = taken.await.map_err(|error| Fault::internal(&error))??;
    let patients = persons
        .iter()
        .flat_map(|person| person.members.iter().cloned().chain([person.id.clone()]))
        .collect();
    let touched = Touched {
        resource_type: "Patient".to_owned(),
        target: "find".to_owned(),
        patients,
    };
    visitor.record(&app, "search-type", touched).await?;
    let n_messages: usize = messages.iter().map(|(_, rows)| rows.len()).sum();
    // A single result is opened directly.
    match (persons.as_slice(), n_messages) {
        ([one], 0) => return Ok(Redirect::to(&format!("/patients/{}", one.id)).into_response()),
        ([], 1) => {
            if let Some(row) = messages.iter().flat_map(|(_, rows)| rows).next() {
                let address = format!("/messages/{}", row.summary.sequence);
                return Ok(Redirect::to(&address).into_response());
            }
        }
        _ => {}
    }
    let frame = Frame::new(&visitor, Place::Elsewhere, "Find");
    page(&FindPage {
        frame,
        sought,
        persons,
        messages,
    })
}

fn messages(app: &App, text: &str) -> Result<Vec<(&'static str, Vec<Row>)>, Fault> {
    let one = |filter: Filter| some_rows(app, &filter, MAX_FOUND);
    let word = Some(text.to_owned());
    let found = [
        (
            "control id",
            one(Filter {
                control_id: word.clone(),
                ..Filter::default()
            })?,
        ),
        (
            "patient number",
            one(Filter {
                patient: word.clone(),
                ..Filter::default()
            })?,
        ),
        (
            "order or accession number",
            one(Filter {
                accession: word.clone(),
                ..Filter::default()
            })?,
        ),
        (
            "visit number",
            one(Filter {
                visit: word,
                ..Filter::default()
            })?,
        ),
    ];
    Ok(found
        .into_iter()
        .filter(|(_, rows)| !rows.is_empty())
        .collect())
}
