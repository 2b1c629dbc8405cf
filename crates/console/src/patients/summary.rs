//! The summary: problems, medications, allergies, latest results, immunizations, visits, documents.

use super::super::fault::Fault;
use super::super::frame::{Frame, Place, page};
use super::super::visitor::Visitor;
use super::band::Band;
use super::record::{Entry, LinkedText, Record};
use super::series::Series;
use super::{documents, value};
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use fhir::json::Node;
use web::App;

#[derive(Template)]
#[template(path = "patients/summary.html")]
struct SummaryPage {
    frame: Frame,
    band: Band,
    sections: Vec<Section>,
    results: Vec<Series>,
    n_results: usize,
    documents: Vec<documents::Document>,
    many_sources: bool,
    /// The last visit; anything dated later is marked as new.
    last_visit: Option<LinkedText>,
    last_day: String,
}

/// A list of facts of one kind.
struct Section {
    title: &'static str,
    /// The text for an empty section.
    empty: &'static str,
    rows: Vec<Fact>,
    /// The number of ended facts that are not shown.
    n_over: usize,
}

/// One fact.
struct Fact {
    what: LinkedText,
    detail: Vec<LinkedText>,
    when: Option<LinkedText>,
    tags: Vec<(&'static str, String)>,
    source: String,
    is_error: bool,
    /// The sort key: newest first.
    at: String,
}

const TYPES: [&str; 11] = [
    "Patient",
    "AllergyIntolerance",
    "Condition",
    "MedicationRequest",
    "MedicationStatement",
    "Observation",
    "Immunization",
    "Encounter",
    "Appointment",
    "DocumentReference",
    "DiagnosticReport",
];

/// The number of results on the summary; the results page has all.
const MAX_RESULTS: usize = 16;
const MAX_ROWS: usize = 8;
/// The text for a missing name.
const NOT_CODED: &str = "not coded";

/// Handles `GET /patients/{id}`.
pub(crate) async fn summary(
    State(app): State<App>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Fault> {
    let record = Record::open(&app, &visitor, &id, ("summary", &TYPES)).await?;
    let mut results = Series::all(&record);
    let n_results = results.len();
    // Newest first; within a day by category and name.
    results.sort_by_key(|series| {
        let day = series
            .latest()
            .map_or(String::new(), |point| point.when.clone());
        (
            std::cmp::Reverse(day),
            series.category.clone(),
            series.name.clone(),
        )
    });
    results.truncate(MAX_RESULTS);
    let band = Band::of(&record, "");
    let (last_visit, last_day) = match record.last_visit() {
        Some((entry, day)) => (Some(record.said(entry, "period", day.clone())), day),
        None => (None, String::new()),
    };
    let mut sections = vec![
        conditions(&record),
        medications(&record),
        allergies(&record),
        immunizations(&record),
        encounters(&record),
    ];
    for fact in sections.iter_mut().flat_map(|section| &mut section.rows) {
        if is_new(&fact.at, &last_day, &record.today) {
            fact.tags.push(("accent", "new".to_owned()));
        }
    }
    page(&SummaryPage {
        frame: Frame::new(&visitor, Place::Patients, band.name.clone()),
        sections,
        last_visit,
        documents: documents::all(&record).into_iter().take(6).collect(),
        many_sources: record.has_many_sources(),
        results,
        n_results,
        last_day,
        band,
    })
}

/// Returns true if a fact is dated after the day of the last visit. Many sources give only a day,
/// so facts of that day count as seen; future ones (an appointment) are not new.
fn is_new(at: &str, last_day: &str, today: &str) -> bool {
    let day = value::day(at);
    !last_day.is_empty() && last_day < day.as_str() && day.as_str() <= today
}

// === impl SummaryPage ===

impl SummaryPage {
    fn is_new(&self, day: &str) -> bool {
        is_new(day, &self.last_day, "9999")
    }
}

// === impl Section ===

impl Section {
    fn of(
        title: &'static str,
        empty: &'static str,
        mut rows: Vec<Fact>,
        is_over: impl Fn(&Fact) -> bool,
    ) -> Self {
        rows.sort_by(|one, other| other.at.cmp(&one.at));
        let (over, mut rows): (Vec<Fact>, Vec<Fact>) = rows.into_iter().partition(is_over);
        let mut n_over = over.len();
        // Without current entries, past ones are shown.
        if rows.is_empty() {
            rows = over;
            n_over = 0;
        }
        n_over += rows.len().saturating_sub(MAX_ROWS);
        rows.truncate(MAX_ROWS);
        Self {
            title,
            empty,
            rows,
            n_over,
        }
    }

    fn slug(&self) -> String {
        self.title.to_lowercase()
    }
}

// === impl Fact ===

impl Fact {
    fn of(record: &Record, entry: &Entry, what: LinkedText, when: &[&str]) -> Self {
        let at = entry.when(when).unwrap_or_default();
        let element = when.iter().find(|name| entry.root().get(name).is_some());
        let mut tags = Vec::new();
        if entry.is_error() {
            tags.push(("bad", "entered in error".to_owned()));
        }
        tags.extend(
            value::ended(entry.root())
                .into_iter()
                .map(|words| ("", words)),
        );
        Self {
            what,
            detail: Vec::new(),
            when: element.map(|element| record.said(entry, element, value::day(&at))),
            tags,
            source: record.short_source_of(entry).to_owned(),
            is_error: entry.is_error(),
            at,
        }
    }

    fn has_tag(&self, words: &[&str]) -> bool {
        self.tags
            .iter()
            .any(|(_, tag)| words.contains(&tag.as_str()))
    }
}

fn coded(record: &Record, entry: &Entry, element: &str) -> LinkedText {
    let text = entry
        .root()
        .get(element)
        .map(value::concept)
        .unwrap_or_default();
    let text = if text.is_empty() {
        NOT_CODED.to_owned()
    } else {
        text
    };
    record.said(entry, element, text)
}

fn conditions(record: &Record) -> Section {
    let rows = record.of_type("Condition").map(|entry| {
        let what = coded(record, entry, "code");
        let dates = ["onsetDateTime", "onsetPeriod", "recordedDate"];
        let mut fact = Fact::of(record, entry, what, &dates);
        let status = value::status(entry.root(), "clinicalStatus");
        if !matches!(status.as_str(), "" | "active") {
            fact.tags.push(("", status));
        }
        let verified = value::status(entry.root(), "verificationStatus");
        if matches!(
            verified.as_str(),
            "provisional" | "differential" | "unconfirmed" | "refuted"
        ) {
            fact.tags.push(("warn", verified));
        }
        fact
    });
    let is_over =
        |fact: &Fact| fact.is_error || fact.has_tag(&["resolved", "inactive", "remission"]);
    Section::of(
        "Problems",
        "No problem is on record.",
        once_each(rows.collect()),
        is_over,
    )
}

/// Merges facts repeated at every visit into one line: the newest, with the number of repetitions.
fn once_each(mut rows: Vec<Fact>) -> Vec<Fact> {
    rows.sort_by(|one, other| other.at.cmp(&one.at));
    let mut kept: Vec<(Fact, usize)> = Vec::new();
    for fact in rows {
        let same = |(own, _): &&mut (Fact, usize)| {
            own.what.text != NOT_CODED
                && own.what.text == fact.what.text
                && own.tags == fact.tags
                && own.source == fact.source
        };
        match kept.iter_mut().find(same) {
            Some((_, n_said)) => *n_said += 1,
            None => kept.push((fact, 1)),
        }
    }
    let facts = kept.into_iter().map(|(mut fact, n_said)| {
        if 1 < n_said {
            fact.tags.push(("", format!("{n_said} times")));
        }
        fact
    });
    facts.collect()
}

fn medications(record: &Record) -> Section {
    let entries = record
        .of_type("MedicationRequest")
        .chain(record.of_type("MedicationStatement"));
    let rows = entries.map(|entry| {
        let root = entry.root();
        let what = match value::choice(root, "medication") {
            Some((name, node)) => record.said(entry, name, value::text_of(name, node)),
            None => record.said(entry, "medication", NOT_CODED),
        };
        let mut fact = Fact::of(
            record,
            entry,
            what,
            &["authoredOn", "effectivePeriod", "effectiveDateTime"],
        );
        let dosage = root.get("dosageInstruction").or_else(|| root.get("dosage"));
        if let Some(dosage) = dosage.and_then(|dosage| dosage.items().next()) {
            let text = dosage_text(dosage);
            if !text.is_empty() {
                fact.detail
                    .push(record.said(entry, "dosageInstruction[0]", text));
            }
        }
        let status = value::status(root, "status");
        if !matches!(status.as_str(), "" | "active" | "entered-in-error") {
            fact.tags.push(("", status));
        }
        fact
    });
    let is_over = |fact: &Fact| {
        fact.is_error || fact.has_tag(&["stopped", "completed", "cancelled", "not-taken"])
    };
    Section::of(
        "Medications",
        "No medication is on record.",
        rows.collect(),
        is_over,
    )
}

fn dosage_text(dosage: Node<'_>) -> String {
    if let Some(text) = dosage.text("text") {
        return text.into_owned();
    }
    let mut parts = Vec::new();
    let rate = dosage
        .get("doseAndRate")
        .and_then(|rates| rates.items().next());
    if let Some((name, dose)) = rate.and_then(|rate| value::choice(rate, "dose")) {
        parts.push(value::text_of(name, dose));
    }
    if let Some(route) = dosage.get("route") {
        parts.push(value::concept(route));
    }
    if let Some(timing) = dosage.get("timing") {
        if let Some(code) = timing.get("code") {
            parts.push(value::concept(code));
        }
        if let Some(repeat) = timing.get("repeat") {
            let number = |name: &str| repeat.get(name).and_then(Node::number_text);
            if let (Some(times), Some(period)) = (number("frequency"), number("period")) {
                let unit = repeat.text("periodUnit").unwrap_or_default();
                parts.push(format!("{times} × per {period} {unit}"));
            }
        }
    }
    if dosage.get("asNeededBoolean").and_then(Node::as_bool) == Some(true) {
        parts.push("as needed".to_owned());
    }
    parts.retain(|part| !part.is_empty());
    parts.join(", ")
}

fn allergies(record: &Record) -> Section {
    let rows = record.of_type("AllergyIntolerance").map(|entry| {
        let root = entry.root();
        let mut fact = Fact::of(
            record,
            entry,
            coded(record, entry, "code"),
            &["onsetDateTime", "recordedDate"],
        );
        let reactions = root.get("reaction").into_iter().flat_map(Node::items);
        for (idx, reaction) in reactions.enumerate() {
            let signs = reaction
                .get("manifestation")
                .into_iter()
                .flat_map(Node::items);
            let signs: Vec<String> = signs.map(value::concept).collect();
            if !signs.is_empty() {
                let element = format!("reaction[{idx}].manifestation");
                fact.detail
                    .push(record.said(entry, &element, signs.join(", ")));
            }
        }
        if value::status(root, "criticality") == "high" {
            fact.tags.push(("bad", "high criticality".to_owned()));
        }
        let status = value::status(root, "clinicalStatus");
        if matches!(status.as_str(), "inactive" | "resolved") {
            fact.tags.push(("", status));
        }
        fact
    });
    let is_over = |fact: &Fact| fact.is_error || fact.has_tag(&["inactive", "resolved"]);
    let empty = "No allergy is on record. That is not the same as no known allergy.";
    Section::of("Allergies", empty, rows.collect(), is_over)
}

fn immunizations(record: &Record) -> Section {
    let rows = record.of_type("Immunization").map(|entry| {
        let root = entry.root();
        let what = coded(record, entry, "vaccineCode");
        let mut fact = Fact::of(record, entry, what, &["occurrenceDateTime", "recorded"]);
        if let Some(lot) = root.text("lotNumber") {
            fact.detail
                .push(record.said(entry, "lotNumber", format!("lot {lot}")));
        }
        let status = value::status(root, "status");
        if !matches!(status.as_str(), "" | "completed" | "entered-in-error") {
            fact.tags.push(("warn", status));
        }
        fact
    });
    let is_over = |fact: &Fact| fact.is_error;
    Section::of(
        "Immunizations",
        "No immunization is on record.",
        rows.collect(),
        is_over,
    )
}

fn encounters(record: &Record) -> Section {
    let rows = record.of_type("Encounter").map(|entry| {
        let root = entry.root();
        let kind = root.get("type").and_then(|types| types.items().next());
        let kind = kind.map(value::concept).filter(|kind| !kind.is_empty());
        let class = root.get("class").map(|class| {
            let code = class.text("code").unwrap_or_default();
            let words = class_words(&code);
            let display = class.text("display").filter(|_| words == code);
            display.map_or_else(|| words.to_owned(), Into::into)
        });
        let what = match (kind, class) {
            (Some(kind), _) => record.said(entry, "type", kind),
            (None, Some(class)) => record.said(entry, "class", class),
            (None, None) => record.said(entry, "status", "Visit"),
        };
        let mut fact = Fact::of(record, entry, what, &["period"]);
        if let Some(period) = root.get("period") {
            fact.when = Some(record.said(entry, "period", value::period(period)));
        }
        let place = root
            .get("location")
            .and_then(|places| places.items().next());
        if let Some(place) = place.and_then(|place| place.get("location")) {
            let name = value::reference(place);
            if !name.is_empty() && !name.contains('/') {
                fact.detail.push(record.said(entry, "location", name));
            }
        }
        let status = value::status(root, "status");
        if !matches!(status.as_str(), "" | "finished") {
            fact.tags.push((
                if status == "in-progress" {
                    "accent"
                } else {
                    ""
                },
                status,
            ));
        }
        fact
    });
    let mut rows: Vec<Fact> = rows.collect();
    rows.extend(record.of_type("Appointment").map(|entry| {
        let root = entry.root();
        let reason = root
            .text("description")
            .map_or("Appointment".to_owned(), Into::into);
        let mut fact = Fact::of(
            record,
            entry,
            record.said(entry, "status", reason),
            &["start"],
        );
        fact.tags.push(("", value::status(root, "status")));
        fact
    }));
    let is_over = |fact: &Fact| fact.is_error;
    Section::of("Visits", "No visit is on record.", rows, is_over)
}

/// Translates the codes of Encounter.class, `http://terminology.hl7.org/CodeSystem/v3-ActCode`.
fn class_words(code: &str) -> &str {
    match code {
        "IMP" => "Inpatient stay",
        "ACUTE" => "Inpatient stay, acute",
        "AMB" => "Outpatient visit",
        "EMER" => "Emergency",
        "OBSENC" => "Observation stay",
        "PRENC" => "Before admission",
        "VR" => "Virtual visit",
        "HH" => "Home visit",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_repeated_at_each_visit_is_one_line() {
        let fact = |text: &str, at: &str, tags: &[(&'static str, String)]| Fact {
            what: LinkedText {
                text: text.to_owned(),
                from: String::new(),
            },
            detail: Vec::new(),
            when: None,
            tags: tags.to_vec(),
            source: "REGIS".to_owned(),
            is_error: false,
            at: at.to_owned(),
        };
        let over = [("", "resolved".to_owned())];
        let rows = once_each(vec![
            fact("Asthma", "2025-01-01", &[]),
            fact("Asthma", "2025-03-01", &[]),
            fact("Asthma", "2025-02-01", &over),
            fact(NOT_CODED, "2025-01-02", &[]),
            fact(NOT_CODED, "2025-01-03", &[]),
        ]);
        let shown: Vec<(&str, &str, usize)> = rows
            .iter()
            .map(|fact| (&*fact.what.text, &*fact.at, fact.tags.len()))
            .collect();
        assert_eq!(
            shown,
            [
                ("Asthma", "2025-03-01", 1),
                ("Asthma", "2025-02-01", 1),
                (NOT_CODED, "2025-01-03", 0),
                (NOT_CODED, "2025-01-02", 0),
            ]
        );
        assert!(rows.iter().any(|fact| fact.has_tag(&["2 times"])));
    }
}
