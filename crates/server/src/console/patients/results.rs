//! Results: tests by date, and one test as a chart.

use super::super::fault::Fault;
use super::super::frame::{Frame, Place, page};
use super::super::markup::encode;
use super::super::visitor::Visitor;
use super::band::Band;
use super::record::Record;
use super::series::{Point, Series};
use crate::app::App;
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;

#[derive(Template)]
#[template(path = "patients/results.html")]
struct ResultsPage {
    frame: Frame,
    band: Band,
    days: Vec<String>,
    n_days: usize,
    groups: Vec<Group>,
    n_tests: usize,
    open: Option<Series>,
    many_sources: bool,
}

/// Tests of one category.
struct Group {
    category: String,
    rows: Vec<Row>,
}

/// One test with a cell for each day.
struct Row {
    name: String,
    short: String,
    unit: String,
    address: String,
    range: String,
    cells: Vec<Vec<Point>>,
    is_open: bool,
}

#[derive(serde::Deserialize)]
pub(in crate::console) struct Asked {
    #[serde(default)]
    test: String,
}

const TYPES: [&str; 3] = ["Patient", "AllergyIntolerance", "Observation"];
/// So many days stand side by side.
const MAX_DAYS: usize = 12;

/// `GET /patients/{id}/results`
pub(in crate::console) async fn results(
    State(app): State<App>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let record = Record::open(&app, &visitor, &id, ("results", &TYPES)).await?;
    let band = Band::of(&record, "results");
    let series = Series::all(&record);
    let open = Series::all(&record)
        .into_iter()
        .find(|series| series.key == asked.test);
    let mut days: Vec<String> = series
        .iter()
        .flat_map(|series| &series.points)
        .map(|point| point.when.clone())
        .filter(|day| !day.is_empty())
        .collect();
    days.sort();
    days.dedup();
    days.reverse();
    let n_days = days.len();
    days.truncate(MAX_DAYS);
    let n_tests = series.len();
    page(&ResultsPage {
        frame: Frame::new(&visitor, Place::Patients, format!("{}: results", band.name)),
        groups: groups(series, &days, &band.id, &asked.test),
        many_sources: record.has_many_sources(),
        band,
        days,
        n_days,
        n_tests,
        open,
    })
}

fn groups(series: Vec<Series>, days: &[String], id: &str, open: &str) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for mut series in series {
        let range = series
            .latest()
            .map(|point| point.range_text.clone())
            .unwrap_or_default();
        let mut cells: Vec<Vec<Point>> = days.iter().map(|_| Vec::new()).collect();
        for point in series.points.drain(..) {
            let day = days.iter().position(|day| *day == point.when);
            if let Some(cell) = day.and_then(|day| cells.get_mut(day)) {
                cell.push(point);
            }
        }
        // A test whose results all lie before the days shown is still on the page, by its name.
        let row = Row {
            address: format!("/patients/{id}/results?test={}#test", encode(&series.key)),
            is_open: series.key == open,
            short: series.short_name().to_owned(),
            name: series.name,
            unit: series.unit,
            range,
            cells,
        };
        match groups
            .last_mut()
            .filter(|group| group.category == series.category)
        {
            Some(group) => group.rows.push(row),
            None => groups.push(Group {
                category: series.category,
                rows: vec![row],
            }),
        }
    }
    groups
}
