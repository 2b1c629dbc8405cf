//! One map file: its rows as a table beside a message, on which they run as it is typed.

use super::super::fault::Fault;
use super::super::frame::{Frame, Place, page};
use super::super::messages::text_of;
use super::super::query::Query;
use super::super::visitor::{Form, Visitor};
use super::tally::{Tallies, Tally};
use super::trial::Trial;
use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use std::collections::HashSet;
use std::sync::Arc;
use web::App;

#[derive(Template)]
#[template(path = "maps/file.html")]
struct FilePage {
    frame: Frame,
    name: String,
    n_messages: usize,
    lines: Vec<Line>,
    flows: Vec<String>,
    flow: String,
    text: String,
    trial: Option<Trial>,
}

#[derive(Template)]
#[template(path = "maps/trial.html")]
struct TrialPart {
    trial: Trial,
}

/// One line of the file.
struct Line {
    number: u32,
    kind: Kind,
    hits: u32,
    misses: u32,
    /// The number of times that the row ran on the message beside the table.
    now: u32,
}

/// The way in which a line is shown.
enum Kind {
    /// A row: its field, arrow, target and method.
    Row(String, &'static str, String, String),
    /// The head of a block.
    Head(String),
    /// A comment.
    Note(String),
    /// A part of a block without rows of its own, such as a test.
    Plain(String),
}

/// The words that start a block.
const HEADS: [&str; 12] = [
    "segment",
    "message",
    "datatype",
    "type",
    "dialect",
    "codes",
    "systems",
    "extensions",
    "meaning",
    "means",
    "test",
    "choice",
];

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    name: String,
    /// The sequence of a journal message to try.
    message: Option<u64>,
}

/// Handles `GET /maps/file?name=v2/pid.map`.
pub(crate) async fn show(
    State(app): State<App>,
    Extension(tallies): Extension<Arc<Tallies>>,
    visitor: Visitor,
    Query(asked): Query<Parameters>,
) -> Result<Response, Fault> {
    let (text, flow) = match asked.message {
        Some(sequence) => text_of(&app, &visitor, sequence).await?,
        None => (String::new(), String::new()),
    };
    whole((&app, tallies), &visitor, asked.name, (flow, text)).await
}

/// Handles `POST /maps/file`: the same page after a trial run, or only that part for the page's
/// script.
pub(crate) async fn try_out(
    State(app): State<App>,
    Extension(tallies): Extension<Arc<Tallies>>,
    form: Form,
) -> Result<Response, Fault> {
    let own = |name: &str| form.get(name).to_owned();
    let (name, flow, text) = (own("name"), own("flow"), own("text"));
    if form.visitor.wants_part {
        let trial = run(&app, &name, (&flow, &text)).await?;
        return page(&TrialPart { trial });
    }
    whole((&app, tallies), &form.visitor, name, (flow, text)).await
}

async fn run(app: &App, name: &str, (flow, text): (&str, &str)) -> Result<Trial, Fault> {
    // A text field uses line feeds; HL7 ends a segment with CR.
    let body = text.replace("\r\n", "\r").replace('\n', "\r").into_bytes();
    let (work, name, flow) = (app.clone(), name.to_owned(), flow.to_owned());
    tokio::task::spawn_blocking(move || Trial::run(&work, (&name, &flow), body))
        .await
        .map_err(|error| Fault::internal(&error))
}

async fn whole(
    (app, tallies): (&App, Arc<Tallies>),
    visitor: &Visitor,
    name: String,
    (flow, text): (String, String),
) -> Result<Response, Fault> {
    let trial = match text.trim() {
        "" => None,
        _ => Some(run(app, &name, (&flow, &text)).await?),
    };
    let (work, file) = (app.clone(), name.clone());
    let taken = tokio::task::spawn_blocking(move || -> Result<_, Fault> {
        let tally = tallies.newest(&work)?;
        let now = trial.as_ref().map(|trial| &trial.tally);
        let lines = lines(&work, &file, (&tally, now)).ok_or_else(|| Fault::not_found("map"))?;
        Ok((lines, tally.n_messages, trial))
    });
    let (lines, n_messages, trial) = taken.await.map_err(|error| Fault::internal(&error))??;
    page(&FilePage {
        frame: Frame::new(visitor, Place::Maps, name.clone()),
        name,
        n_messages,
        lines,
        flows: app
            .engine
            .addresses()
            .into_iter()
            .map(|(flow, _)| flow)
            .collect(),
        flow,
        text,
        trial,
    })
}

fn lines(app: &App, name: &str, (tally, now): (&Tally, Option<&Tally>)) -> Option<Vec<Line>> {
    let maps = app.maps.current();
    let (_, text) = maps.files().find(|(file, _)| *file == name)?;
    let rows: HashSet<u32> = maps
        .rows()
        .filter(|row| &*row.file == name)
        .map(|row| row.line)
        .collect();
    let numbered = text.lines().zip(1_u32..);
    let shown = numbered.filter(|(line, _)| !line.trim().is_empty());
    let lines = shown.map(|(line, number)| Line {
        number,
        kind: Kind::of(line, rows.contains(&number)),
        hits: tally.hits_of(name, number),
        misses: tally.misses_of(name, number),
        now: now.map_or(0, |now| now.hits_of(name, number)),
    });
    Some(lines.collect())
}

// === impl Line ===

impl Line {
    fn is_row(&self) -> bool {
        matches!(self.kind, Kind::Row(..))
    }
}

// === impl Kind ===

impl Kind {
    fn of(line: &str, is_row: bool) -> Self {
        if line.starts_with('#') {
            return Self::Note(line.trim_start_matches('#').trim().to_owned());
        }
        let is_head = line
            .split(' ')
            .next()
            .is_some_and(|word| HEADS.contains(&word));
        if is_row
            && !is_head
            && let Some(row) = Self::row(line)
        {
            return row;
        }
        if is_head {
            Self::Head(line.to_owned())
        } else {
            Self::Plain(line.to_owned())
        }
    }

    /// Parses a row such as `PID-7 <-> birthDate : date when …`.
    fn row(line: &str) -> Option<Self> {
        const ARROWS: [(&str, &str); 4] = [
            ("<->", "↔"),
            ("->", "→"),
            ("<-", "←"),
            (" drop ", "dropped"),
        ];
        let (left, shown, right) = ARROWS.iter().find_map(|(arrow, shown)| {
            let (left, right) = line.split_once(arrow)?;
            Some((left, *shown, right))
        })?;
        let right = right.trim();
        let (target, how) = match right.split_once(" : ") {
            Some((target, how)) => (target, how),
            None => match right.find(" when ") {
                Some(at) => right.split_at(at),
                None => (right, ""),
            },
        };
        Some(Self::Row(
            left.trim_end().to_owned(),
            shown,
            target.trim().to_owned(),
            how.trim().to_owned(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_falls_into_its_parts() {
        for (line, expected) in [
            (
                "PID-7     <-> birthDate : date",
                ("PID-7", "↔", "birthDate", "date"),
            ),
            (
                "PID-1      drop \"a counter\"",
                ("PID-1", "dropped", "\"a counter\"", ""),
            ),
            (
                "  .1 -> a.code : code when .1 in (x)",
                ("  .1", "→", "a.code", "code when .1 in (x)"),
            ),
            (
                "PID-9 -> b when PID-5 empty",
                ("PID-9", "→", "b", "when PID-5 empty"),
            ),
        ] {
            let Some(Kind::Row(left, arrow, target, how)) = Kind::row(line) else {
                panic!("{line}");
            };
            assert_eq!((&*left, arrow, &*target, &*how), expected);
        }
        assert!(matches!(
            Kind::of("segment PID <-> Patient", true),
            Kind::Head(_)
        ));
        assert!(matches!(Kind::of("# a note", false), Kind::Note(_)));
    }
}
