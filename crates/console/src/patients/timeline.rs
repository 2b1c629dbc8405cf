//! The timeline: lanes by kind, from years to hours.

use super::super::fault::Fault;
use super::super::frame::{Frame, Place, page};
use super::super::markup::{Markup, Moment, escape};
use super::super::query::{Query, known};
use super::super::visitor::Visitor;
use super::band::Band;
use super::record::{Entry, LinkedText, Record};
use super::value;
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use base::Timestamp;
use std::fmt::Write as _;
use web::App;

#[derive(Template)]
#[template(path = "patients/timeline.html")]
struct TimelinePage {
    frame: Frame,
    band: Band,
    spans: Vec<(String, &'static str, bool)>,
    earlier: String,
    later: String,
    ticks: Vec<Markup>,
    lanes: Vec<Lane>,
    events: Vec<Event>,
    n_events: usize,
    many_sources: bool,
}

/// All events of one kind.
struct Lane {
    name: &'static str,
    n: usize,
    bars: String,
    ticks: String,
    bad: String,
}

/// One event.
struct Event {
    lane: &'static str,
    start: i64,
    end: Option<i64>,
    when: Markup,
    what: LinkedText,
    source: String,
    is_bad: bool,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    #[serde(default)]
    span: String,
    /// The end of the window, in seconds.
    end: Option<i64>,
}

const TYPES: [&str; 10] = [
    "Patient",
    "AllergyIntolerance",
    "Encounter",
    "Condition",
    "MedicationRequest",
    "Observation",
    "Immunization",
    "Procedure",
    "DocumentReference",
    "DiagnosticReport",
];

/// The code, label and length in seconds.
const SPANS: [(&str, &str, i64); 9] = [
    ("all", "All", 0),
    ("10y", "10 years", 315_576_000),
    ("2y", "2 years", 63_115_200),
    ("1y", "1 year", 31_557_600),
    ("90d", "90 days", 7_776_000),
    ("7d", "7 days", 604_800),
    ("1d", "1 day", 86_400),
    ("6h", "6 hours", 21_600),
    ("1h", "1 hour", 3_600),
];

const LANES: [(&str, &str); 8] = [
    ("Encounter", "Visits"),
    ("Condition", "Problems"),
    ("MedicationRequest", "Medications"),
    ("Observation", "Results"),
    ("Immunization", "Immunizations"),
    ("Procedure", "Procedures"),
    ("DiagnosticReport", "Reports"),
    ("DocumentReference", "Documents"),
];

const WIDE: f64 = 1000.0;
/// The largest number of events listed below the lanes.
const MAX_LISTED: usize = 200;

/// Handles `GET /patients/{id}/timeline`.
pub(crate) async fn timeline(
    State(app): State<App>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(asked): Query<Parameters>,
) -> Result<Response, Fault> {
    known("span", &asked.span, SPANS.map(|(code, ..)| code))?;
    let record = Record::open(&app, &visitor, &id, ("timeline", &TYPES)).await?;
    let band = Band::of(&record, "timeline");
    let mut events: Vec<Event> = record
        .entries
        .iter()
        .filter_map(|entry| event(&record, entry))
        .collect();
    events.sort_by_key(|event| std::cmp::Reverse(event.start));
    let now = app.clock.now().micros() / 1_000_000;
    let (code, _, secs) = SPANS
        .into_iter()
        .find(|(code, ..)| *code == asked.span)
        .unwrap_or(("all", "All", 0));
    let end = asked
        .end
        .unwrap_or_else(|| events.first().map_or(now, |event| event.start.min(now)) + 3600);
    let first = events.last().map_or(end - 86_400, |event| event.start);
    let start = if secs == 0 {
        first - (end - first) / 50 - 3600
    } else {
        end - secs
    };
    let inside = |event: &Event| event.start <= end && start <= event.end.unwrap_or(event.start);
    events.retain(inside);
    let lanes = LANES
        .iter()
        .map(|(_, name)| lane(name, &events, (start, end)))
        .filter(|lane| 0 < lane.n)
        .collect();
    let own =
        |span: &str, end: i64| format!("/patients/{}/timeline?span={span}&end={end}", band.id);
    let step = (end - start) / 2;
    let n_events = events.len();
    events.truncate(MAX_LISTED);
    page(&TimelinePage {
        frame: Frame::new(
            &visitor,
            Place::Patients,
            format!("{}: timeline", band.name),
        ),
        spans: SPANS
            .iter()
            .map(|(span, words, _)| {
                (
                    format!("/patients/{}/timeline?span={span}", band.id),
                    *words,
                    *span == code,
                )
            })
            .collect(),
        earlier: own(code, end - step),
        later: own(code, end + step),
        ticks: ticks(start, end),
        lanes,
        n_events,
        many_sources: record.has_many_sources(),
        events,
        band,
    })
}

fn event(record: &Record, entry: &Entry) -> Option<Event> {
    let (kind, lane) = LANES
        .iter()
        .find(|(kind, _)| *kind == entry.resource.resource_type)?;
    let root = entry.root();
    let (element, dates): (&str, &[&str]) = match *kind {
        "Encounter" => ("type", &["period"]),
        "Condition" => ("code", &["onsetDateTime", "onsetPeriod", "recordedDate"]),
        "MedicationRequest" => ("medicationCodeableConcept", &["authoredOn"]),
        "Immunization" => ("vaccineCode", &["occurrenceDateTime", "recorded"]),
        "Procedure" => ("code", &["performedDateTime", "performedPeriod"]),
        "DocumentReference" => ("type", &["date"]),
        _ => ("code", &["effectiveDateTime", "effectivePeriod", "issued"]),
    };
    let when = entry.when(dates)?;
    let start = value::instant(&when)?.micros() / 1_000_000;
    let period = root.get("period").or_else(|| root.get("performedPeriod"));
    let end = period
        .and_then(|period| period.text("end"))
        .or_else(|| root.text("abatementDateTime"))
        .and_then(|end| value::instant(&end))
        .map(|end| end.micros() / 1_000_000);
    let coded = root.get(element).and_then(|node| {
        if node.is_array() {
            node.items().next()
        } else {
            Some(node)
        }
    });
    let mut text = coded
        .map(value::concept)
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| (*kind).to_owned());
    if let Some((_, result)) = value::result(root) {
        let short: String = result.chars().take(60).collect();
        text = format!("{text}: {short}");
    }
    let interpretation = root
        .get("interpretation")
        .into_iter()
        .flat_map(fhir::json::Node::items);
    let is_abnormal = interpretation
        .map(value::code)
        .any(|code| !matches!(code.as_str(), "N" | "NEG" | "S" | ""));
    Some(Event {
        lane,
        start,
        end,
        when: moment_or_day(&when),
        what: record.said(entry, element, text),
        source: record.source_of(entry).to_owned(),
        is_bad: is_abnormal || entry.is_error(),
    })
}

fn lane(name: &'static str, events: &[Event], (start, end): (i64, i64)) -> Lane {
    let long = (end - start).max(1) as f64;
    let x = |at: i64| ((at.clamp(start, end) - start) as f64 / long * WIDE).clamp(2.0, WIDE - 2.0);
    let mut lane = Lane {
        name,
        n: 0,
        bars: String::new(),
        ticks: String::new(),
        bad: String::new(),
    };
    for event in events.iter().filter(|event| event.lane == name) {
        lane.n += 1;
        let from = x(event.start);
        // A period is a bar, a point in time is a line.
        if let Some(until) = event.end
            && 4.0 < x(until) - from
        {
            let _ = write!(lane.bars, "M{from:.1} 14H{:.1}", x(until));
        }
        let path = if event.is_bad {
            &mut lane.bad
        } else {
            &mut lane.ticks
        };
        let _ = write!(path, "M{from:.1} 5V23");
    }
    lane
}

/// Renders a date as its source wrote it, and an instant in the page's time zone.
fn moment_or_day(when: &str) -> Markup {
    match value::instant(when) {
        Some(at) if when.contains('T') => Markup(Moment::at(at).to_string()),
        _ => Markup(escape(when)),
    }
}

/// Returns six dates below the lanes, as precise as the window requires.
fn ticks(start: i64, end: i64) -> Vec<Markup> {
    let is_fine = end - start < 5 * 86_400;
    (0..6)
        .map(|n| {
            let at = Timestamp::from_micros((start + (end - start) * n / 5) * 1_000_000).to_fhir();
            let (from, until) = if is_fine { (5, 16) } else { (0, 10) };
            let text = at.get(from..until).unwrap_or_default().replace('T', " ");
            Markup(format!(
                r#"<time datetime="{at}" data-as="slice" data-from="{from}" data-until="{until}">{text}</time>"#
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_keeps_to_the_window() {
        let event = |start, end, is_bad| Event {
            lane: "Visits",
            start,
            end,
            when: Markup::default(),
            what: LinkedText::default(),
            source: String::new(),
            is_bad,
        };
        let events = [
            event(0, Some(1000), false),
            event(50, None, true),
            event(2000, None, false),
        ];
        let lane = lane("Visits", &events, (0, 100));
        assert_eq!(lane.n, 3);
        assert_eq!(lane.bars, "M2.0 14H998.0");
        assert_eq!(lane.bad, "M500.0 5V23");
        let ticks = ticks(0, 86_400);
        assert!(ticks[0].0.contains(">01-01 00:00<"), "{}", ticks[0].0);
    }
}
