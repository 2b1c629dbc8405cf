//! The map pages: coverage, how often each row ran, and a message to try the maps on.
//!
//! Invariants:
//! - the pages show locations and counts; a message is shown only if somebody pastes it or asks for
//!   one of the journal, which is audited first;
//! - nothing is stored and no map is changed here: maps are files.

mod file;
mod tally;
mod trial;

pub(super) use file::{show, try_out};
pub(super) use tally::Tallies;

use super::fault::Fault;
use super::frame::{Frame, Place, page};
use super::markup::{Moment, count, encode, thousands};
use super::visitor::{Form, Visitor};
use access::Interaction;
use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use base::Timestamp;
use flow::maps::Attempt;
use hl7v2::{Dictionary, Version};
use mapping::{Coverage, MapSet};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use tally::Tally;
use web::App;
use web::trail::Touched;

#[derive(Template)]
#[template(path = "maps/list.html")]
struct MapsPage {
    frame: Frame,
    version: String,
    since: Timestamp,
    /// True if the site has maps of its own, which can be reloaded.
    can_reload: bool,
    /// The last reload and its outcome.
    last: Option<Attempt>,
    n_messages: String,
    structures: Vec<Covered>,
    files: Vec<FileLine>,
    unmapped: Vec<UnmappedField>,
}

/// The coverage of a message structure's map.
struct Covered {
    name: String,
    both: usize,
    one_way: usize,
    dropped: usize,
    none: usize,
    /// The segments with fields that no row reads, and how many.
    gaps: Vec<(String, usize)>,
}

/// One map file.
struct FileLine {
    name: String,
    address: String,
    /// The mappings in the file, such as `PID → Patient`.
    about: Vec<String>,
    /// The dialects in the file, with the flows that use them.
    dialects: Vec<(String, String)>,
    n_rows: usize,
    n_ran: usize,
    hits: String,
    misses: u32,
}

/// A field that no row read.
struct UnmappedField {
    path: String,
    title: &'static str,
    n: String,
}

// === impl Covered ===

impl Covered {
    fn of(maps: &MapSet, structure: &str) -> Self {
        let fields = maps.coverage(structure);
        let n = |coverage| {
            let same = fields.iter().filter(|field| field.coverage == coverage);
            same.count()
        };
        let mut gaps: BTreeMap<&str, usize> = BTreeMap::new();
        for field in fields
            .iter()
            .filter(|field| field.coverage == Coverage::None)
        {
            *gaps.entry(&field.segment).or_default() += 1;
        }
        Self {
            name: structure.to_owned(),
            both: n(Coverage::BothWays),
            one_way: n(Coverage::OneWay),
            dropped: n(Coverage::Dropped),
            none: n(Coverage::None),
            gaps: gaps
                .into_iter()
                .map(|(segment, n)| (segment.to_owned(), n))
                .collect(),
        }
    }

    fn all(&self) -> usize {
        self.both + self.one_way + self.dropped + self.none
    }
}

/// Returns the address that shows a map.
pub(super) fn address_of(file: &str, line: Option<&str>) -> String {
    let line = line.map(|line| format!("#L{line}")).unwrap_or_default();
    format!("/maps/file?name={}{line}", encode(file))
}

/// Returns the address that shows a row named by lineage, such as `v2/pid.map:12`.
pub(super) fn address_of_row(row: &str) -> String {
    match row.rsplit_once(':') {
        Some((file, line)) => address_of(file, Some(line)),
        None => "/maps".to_owned(),
    }
}

/// Returns the same address with a journal message to try the row on.
pub(super) fn try_address(row: &str, sequence: u64) -> String {
    let address = address_of_row(row);
    match address.split_once('#') {
        Some((page, line)) => format!("{page}&message={sequence}#{line}"),
        None => address,
    }
}

/// Handles `GET /maps`.
pub(super) async fn list(
    State(app): State<App>,
    Extension(tallies): Extension<Arc<Tallies>>,
    visitor: Visitor,
) -> Result<Response, Fault> {
    let work = app.clone();
    let taken = tokio::task::spawn_blocking(move || -> Result<_, Fault> {
        let tally = tallies.newest(&work)?;
        let maps = work.maps.current();
        let structures = maps.structures().into_iter();
        let structures: Vec<Covered> = structures.map(|name| Covered::of(&maps, name)).collect();
        Ok((files(&work, &tally), structures, tally))
    });
    let (files, structures, tally) = taken.await.map_err(|error| Fault::internal(&error))??;
    let in_use = app.maps.current();
    page(&MapsPage {
        frame: Frame::new(&visitor, Place::Maps, "Maps"),
        version: in_use.version.clone(),
        since: in_use.since,
        can_reload: app.maps.can_reload(),
        last: app.maps.last(),
        n_messages: count(tally.n_messages as u64, "message", "messages"),
        structures,
        files,
        unmapped: unmapped(&tally),
    })
}

/// Handles `POST /maps/reload`: reloads the maps. The page shows the result; a refusal comes with
/// every reason.
pub(super) async fn reload(State(app): State<App>, form: Form) -> Result<Response, Fault> {
    let visitor = &form.visitor;
    visitor.permit(&app, Interaction::Operate, None).await?;
    let touched = Touched {
        resource_type: "maps".to_owned(),
        target: "reload".to_owned(),
        patients: Vec::new(),
    };
    visitor.record(&app, "reload", touched).await?;
    let (work, by) = (app.clone(), visitor.user().to_owned());
    let done = tokio::task::spawn_blocking(move || {
        let now = work.clock.now();
        // The page and the log both report a refusal.
        drop(work.maps.reload(&by, now));
    });
    done.await.map_err(|error| Fault::internal(&error))?;
    Ok(Redirect::to("/maps").into_response())
}

fn files(app: &App, tally: &Tally) -> Vec<FileLine> {
    let maps = app.maps.current();
    let rows: HashSet<(&str, u32)> = maps.rows().map(|row| (&*row.file, row.line)).collect();
    let lines = maps.files().map(|(name, text)| {
        let of_file = rows.iter().filter(|(file, _)| *file == name);
        let hits: Vec<u32> = of_file
            .clone()
            .map(|(_, line)| tally.hits_of(name, *line))
            .collect();
        FileLine {
            address: address_of(name, None),
            about: about(text),
            dialects: dialects(app, text),
            n_rows: hits.len(),
            n_ran: hits.iter().filter(|n| 0 < **n).count(),
            hits: thousands(hits.iter().map(|n| u64::from(*n)).sum()),
            misses: of_file.map(|(_, line)| tally.misses_of(name, *line)).sum(),
            name: name.to_owned(),
        }
    });
    lines.collect()
}

/// Returns the mappings of a file's blocks: `PID ↔ Patient`, `ORU_R01 → Bundle`.
fn about(text: &str) -> Vec<String> {
    let blocks = text.lines().filter_map(|line| {
        let (kind, rest) = line.split_once(' ')?;
        let rest = rest
            .replace("<->", "↔")
            .replace("->", "→")
            .replace("<-", "←");
        matches!(kind, "segment" | "message" | "datatype" | "type").then_some(rest)
    });
    blocks.take(12).collect()
}

/// Returns the dialects of a file and the flows that use them.
fn dialects(app: &App, text: &str) -> Vec<(String, String)> {
    let named = text.lines().filter_map(|line| {
        let name = line.strip_prefix("dialect ")?.split(' ').next()?;
        let flows: Vec<String> = app
            .engine
            .addresses()
            .into_iter()
            .map(|(flow, _)| flow)
            .filter(|flow| {
                let config = app.engine.config(flow);
                config.and_then(|config| config.map.dialect.as_deref()) == Some(name)
            })
            .collect();
        let flows = match flows.len() {
            0 => "no flow".to_owned(),
            _ => flows.join(", "),
        };
        Some((name.to_owned(), flows))
    });
    named.collect()
}

fn unmapped(tally: &Tally) -> Vec<UnmappedField> {
    let dictionary = Dictionary::of(Version::nearest("2.5.1"));
    let mut found: Vec<(&(String, u16), &u32)> = tally.unmapped.iter().collect();
    found.sort_by(|one, other| other.1.cmp(one.1));
    let lines = found.into_iter().take(30).map(|((segment, field), n)| {
        let def = dictionary.field(segment, usize::from(*field));
        UnmappedField {
            path: match field {
                0 => segment.clone(),
                field => format!("{segment}-{field}"),
            },
            title: def.map_or("not in the standard", |def| def.name),
            n: thousands(u64::from(*n)),
        }
    });
    lines.collect()
}
