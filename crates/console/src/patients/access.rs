//! The access page: who viewed this person's data, when and why.

use super::super::audit::{Heading, Line, plain_headings};
use super::super::fault::Fault;
use super::super::frame::{Frame, Place, page};
use super::super::markup::Moment;
use super::super::query::{Query, known};
use super::super::visitor::Visitor;
use super::band::Band;
use super::record::Record;
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use store::audit::{ActorKind, Filter, Page, Recorded};
use web::App;

#[derive(Template)]
#[template(path = "patients/access.html")]
struct AccessPage {
    frame: Frame,
    band: Band,
    lines: Vec<Line>,
    headings: Vec<Heading>,
    /// True if writes by the flows are shown too.
    is_all: bool,
    is_cut: bool,
    lag: u64,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    #[serde(default)]
    who: String,
}

const MAX_LINES: usize = 200;

/// Handles `GET /patients/{id}/access`.
pub(crate) async fn access(
    State(app): State<App>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(asked): Query<Parameters>,
) -> Result<Response, Fault> {
    visitor
        .permit(&app, ::access::Interaction::Audit, None)
        .await?;
    known("who", &asked.who, ["all"])?;
    let record = Record::open(
        &app,
        &visitor,
        &id,
        ("access", &["Patient", "AllergyIntolerance"]),
    )
    .await?;
    let band = Band::of(&record, "access");
    let mut patients = record.person.members.clone();
    patients.push(record.person.id.clone());
    let work = app.clone();
    let is_all = asked.who == "all";
    let kinds = if is_all {
        Vec::new()
    } else {
        vec![ActorKind::Person, ActorKind::Application]
    };
    let found = tokio::task::spawn_blocking(move || of_patients(&work, &patients, &kinds)).await;
    let (rows, lag) = found.map_err(|error| Fault::internal(&error))??;
    page(&AccessPage {
        frame: Frame::new(&visitor, Place::Patients, format!("{}: access", band.name)),
        band,
        is_cut: rows.len() == MAX_LINES,
        lines: rows.into_iter().map(Line::of).collect(),
        headings: plain_headings(),
        is_all,
        lag,
    })
}

/// Returns the newest entries that touched any of these patients. An entry that touched several
/// counts once.
fn of_patients(
    app: &App,
    patients: &[String],
    kinds: &[ActorKind],
) -> Result<(Vec<Recorded>, u64), Fault> {
    let mut rows: Vec<Recorded> = Vec::new();
    let mut lag = 0;
    for patient in patients {
        let filter = Filter {
            patient: Some(patient.clone()),
            kinds: kinds.to_vec(),
            ..Filter::default()
        };
        let listing = app.audit.entries(
            &filter,
            Page {
                before: None,
                limit: MAX_LINES,
            },
        )?;
        lag = listing.lag.max(lag);
        rows.extend(listing.rows);
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.position));
    rows.dedup_by_key(|row| row.position);
    rows.truncate(MAX_LINES);
    Ok((rows, lag))
}
