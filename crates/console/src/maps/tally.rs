//! What the maps made of the newest messages: how often each row ran, what no row took, what rows
//! could not use.
//!
//! Invariant: counts and places only, nothing of what stood there.

use super::super::fault::Fault;
use super::super::messages::readable;
use base::Timestamp;
use hl7v2::Message;
use mapping::{Conversion, RowId, Source};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use store::journal::{Filter, Page};
use web::App;

/// So many of the newest messages are run.
const NEWEST: usize = 150;
/// A larger message is left out: one with a document in it would hold up the page.
const MAX_BYTES: usize = 32 << 10;

/// A row's place: file and line.
pub(super) type At = (String, u32);

/// The sums.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) n_messages: usize,
    /// Values that a row set or dropped.
    pub(super) hits: HashMap<At, u32>,
    /// Values that a row could not use, or only in another form.
    pub(super) misses: HashMap<At, u32>,
    /// Fields that no row took: segment and number.
    pub(super) unmapped: BTreeMap<(String, u16), u32>,
}

/// The newest sums, made anew after a while: they take a second of work on a small box.
#[derive(Default)]
pub(crate) struct Tallies {
    kept: Mutex<Option<(Timestamp, String, Arc<Tally>)>>,
}

/// So long the sums are good for.
const KEPT_MICROS: i64 = 30_000_000;

// === impl Tallies ===

impl Tallies {
    /// Of the newest messages, as they were within the last half minute; not for an async task's
    /// own thread.
    pub(super) fn newest(&self, app: &App) -> Result<Arc<Tally>, Fault> {
        let now = app.clock.now();
        // Whoever comes while they are made waits for them.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let version = app.maps.current().version.clone();
        // Other maps have other rows.
        if let Some((made, of, tally)) = &*kept
            && *of == version
            && now.micros() - made.micros() < KEPT_MICROS
        {
            return Ok(Arc::clone(tally));
        }
        let tally = Arc::new(Tally::newest(app)?);
        *kept = Some((now, version, Arc::clone(&tally)));
        Ok(tally)
    }
}

// === impl Tally ===

impl Tally {
    fn newest(app: &App) -> Result<Self, Fault> {
        let page = Page {
            before: None,
            limit: NEWEST,
        };
        let mut tally = Self::default();
        let maps = app.maps.current();
        for row in app.journal.list(&Filter::default(), page)?.rows {
            if MAX_BYTES < row.n_bytes || row.no_message.is_some() {
                continue;
            }
            let Some(stored) = readable(app, row.sequence)? else {
                continue;
            };
            let message = Message::parse(stored.body);
            tally.add(&maps.forward(&message, &source_of(app, &row.flow)));
        }
        Ok(tally)
    }

    /// Of one message.
    pub(super) fn of(conversion: &Conversion) -> Self {
        let mut tally = Self::default();
        tally.add(conversion);
        tally
    }

    fn add(&mut self, conversion: &Conversion) {
        self.n_messages += 1;
        let at = |row: RowId| {
            let info = conversion.row(row)?;
            Some((info.file.to_string(), info.line))
        };
        let report = &conversion.report;
        // A row that reads a datatype's parts by other rows set nothing itself, and took the field.
        let set = conversion.drafts.iter().flat_map(mapping::Draft::lineage);
        let set = count(set.filter_map(|lineage| at(lineage.row)));
        let took = report.mapped.iter().chain(&report.dropped);
        let took = count(took.filter_map(|entry| at(entry.row?)));
        for (at, n) in &took {
            let n = (*n).max(set.get(at).copied().unwrap_or(0));
            *self.hits.entry(at.clone()).or_default() += n;
        }
        for (at, n) in set.into_iter().filter(|(at, _)| !took.contains_key(at)) {
            *self.hits.entry(at).or_default() += n;
        }
        for at in report.unusable.iter().filter_map(|found| at(found.row)) {
            *self.misses.entry(at).or_default() += 1;
        }
        for entry in &report.unmapped {
            let place = &entry.place;
            let field = (place.segment_name().to_owned(), place.field);
            *self.unmapped.entry(field).or_default() += 1;
        }
    }

    pub(super) fn hits_of(&self, file: &str, line: u32) -> u32 {
        self.hits
            .get(&(file.to_owned(), line))
            .copied()
            .unwrap_or(0)
    }

    pub(super) fn misses_of(&self, file: &str, line: u32) -> u32 {
        self.misses
            .get(&(file.to_owned(), line))
            .copied()
            .unwrap_or(0)
    }
}

fn count(places: impl Iterator<Item = At>) -> HashMap<At, u32> {
    let mut counts = HashMap::new();
    for at in places {
        *counts.entry(at).or_default() += 1;
    }
    counts
}

/// What a flow's configuration says of its source; the plain maps for one that is not configured.
pub(super) fn source_of(app: &App, flow: &str) -> Source {
    app.engine
        .config(flow)
        .map_or_else(Source::default, |config| config.map.source())
}
