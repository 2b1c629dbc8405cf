//! Statistics of the maps over the newest messages: how often each row ran, the fields that no row
//! read, the values that rows could not use.
//!
//! Invariant: counts and locations only, never a value.

use super::super::fault::Fault;
use super::super::messages::readable;
use base::Timestamp;
use hl7v2::Message;
use mapping::{Conversion, RowId, Source};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use store::journal::{Filter, Page};
use web::App;

/// The number of newest messages that are run.
const NEWEST: usize = 150;
/// The size limit of a message. Larger ones are left out, since one with an embedded document would
/// delay the page.
const MAX_BYTES: usize = 32 << 10;

/// The location of a row: file and line.
pub(super) type At = (String, u32);

/// The statistics.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) n_messages: usize,
    /// The number of values that each row set or dropped.
    pub(super) hits: HashMap<At, u32>,
    /// The number of values that each row could not use, or only in another form.
    pub(super) misses: HashMap<At, u32>,
    /// The number of fields that no row read, by segment and field number.
    pub(super) unmapped: BTreeMap<(String, u16), u32>,
}

/// A cache of the latest statistics, which take about a second to compute on a small machine.
#[derive(Default)]
pub(crate) struct Tallies {
    kept: Mutex<Option<(Timestamp, String, Arc<Tally>)>>,
}

/// The time for which the statistics are kept.
const CACHE_MICROS: i64 = 30_000_000;

// === impl Tallies ===

impl Tallies {
    /// Returns the statistics of the newest messages, at most half a minute old. Blocks, so async
    /// code must not call it on its own thread.
    pub(super) fn newest(&self, app: &App) -> Result<Arc<Tally>, Fault> {
        let now = app.clock.now();
        // Concurrent callers wait for the same computation.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let version = app.maps.current().version.clone();
        // Different maps have different rows.
        if let Some((made, of, tally)) = &*kept
            && *of == version
            && now.micros() - made.micros() < CACHE_MICROS
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

    /// Computes the statistics of one message.
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
        // A row that delegates a datatype's components to other rows sets nothing itself, but reads
        // the field.
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

/// Returns the source as the flow's configuration describes it, or the plain maps if the flow is
/// not configured.
pub(super) fn source_of(app: &App, flow: &str) -> Source {
    app.engine
        .config(flow)
        .map_or_else(Source::default, |config| config.map.source())
}
