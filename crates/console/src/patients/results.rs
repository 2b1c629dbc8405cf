//! The results page: tests by date, and one test as a chart.

use super::super::fault::Fault;
use super::super::frame::{Frame, Place, page};
use super::super::markup::encode;
use super::super::query::{Query, known};
use super::super::visitor::Visitor;
use super::band::Band;
use super::record::Record;
use super::series::{Point, Series};
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use web::App;

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
    /// The address, the label and whether the span is selected.
    spans: [(String, &'static str, bool); 5],
    many_sources: bool,
}

/// The tests of one category.
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
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    #[serde(default)]
    test: String,
    #[serde(default)]
    span: String,
}

/// The code, label and number of days before the newest result.
const SPANS: [(&str, &str, i64); 5] = [
    ("", "All", 0),
    ("1y", "1 year", 366),
    ("90d", "90 days", 90),
    ("30d", "30 days", 30),
    ("7d", "7 days", 7),
];
const DAY: i64 = 86_400_000_000;

const TYPES: [&str; 4] = [
    "Patient",
    "AllergyIntolerance",
    "Observation",
    "DiagnosticReport",
];
/// The largest number of days shown side by side.
const MAX_DAYS: usize = 12;

/// Handles `GET /patients/{id}/results`.
pub(crate) async fn results(
    State(app): State<App>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(asked): Query<Parameters>,
) -> Result<Response, Fault> {
    known("span", &asked.span, SPANS.map(|(code, ..)| code))?;
    let record = Record::open(&app, &visitor, &id, ("results", &TYPES)).await?;
    let band = Band::of(&record, "results");
    let (span, _, n_days) = SPANS
        .into_iter()
        .find(|(code, ..)| *code == asked.span)
        .unwrap_or(("", "All", 0));
    let series = within(Series::all(&record), n_days);
    let open = within(Series::all(&record), n_days)
        .into_iter()
        .find(|series| series.key == asked.test);
    let spans = SPANS.map(|(code, words, _)| {
        let address = address(&band.id, &asked.test, code);
        (address, words, code == span)
    });
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
        groups: groups(series, &days, &band.id, (&asked.test, span)),
        spans,
        many_sources: record.has_many_sources(),
        band,
        days,
        n_days,
        n_tests,
        open,
    })
}

/// Returns the results of the last `n_days` before the newest one; zero means all.
fn within(mut series: Vec<Series>, n_days: i64) -> Vec<Series> {
    let points = series.iter().flat_map(|series| &series.points);
    let newest = points.map(|point| point.at).max();
    if let Some(newest) = newest.filter(|_| 0 < n_days) {
        for series in &mut series {
            series
                .points
                .retain(|point| newest - n_days * DAY <= point.at);
        }
        series.retain(|series| !series.points.is_empty());
    }
    series
}

/// Returns the address of the page with a test open, in a span.
fn address(id: &str, test: &str, span: &str) -> String {
    match test {
        "" => format!("/patients/{id}/results?span={span}"),
        test => format!(
            "/patients/{id}/results?test={}&span={span}#test",
            encode(test)
        ),
    }
}

fn groups(
    series: Vec<Series>,
    days: &[String],
    id: &str,
    (open, span): (&str, &str),
) -> Vec<Group> {
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
        // A test whose results are all older than the days shown still appears, with its name only.
        let row = Row {
            address: address(id, &series.key, span),
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
