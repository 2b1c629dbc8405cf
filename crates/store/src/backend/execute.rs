//! Execution of a plan, on any engine.
//!
//! The plan's order and drive select one of three ways:
//! - without sort keys, candidates come in order of their numbers, and the first that pass are the
//!   page;
//! - with an index in the requested order, the same along that index, followed by resources without
//!   a value;
//! - otherwise all candidates are examined and the best are kept.
//!
//! Invariant: candidates come in chunks, and the posting sets of a chunk are announced before they
//! are requested, so that an engine behind a network needs few round trips.

use super::Index;
use super::sql::{self, Start};
use crate::backend::Fault;
use crate::backend::order;
use crate::backend::plan::{Drive, Exact, Found, Hit, Plan, Probe, SortKey, SortValue};
use crate::backend::stored::{Res, Set};
use base::Timestamp;
use search::{Span, Value};
use std::cell::RefCell;
use std::collections::HashMap;

/// The number of keys above which rows are collected instead of merged.
const MAX_STREAMS: usize = 16;
pub(super) const FIRST_CHUNK: usize = 64;
const MAX_CHUNK: usize = 1024;

/// A running plan.
pub(super) struct Run<'a> {
    pub(super) index: &'a dyn Index,
    pub(super) plan: &'a Plan,
    /// Results of chains by node (its place in the plan) and target: many resources point to few.
    pub(super) memo: RefCell<HashMap<(usize, Res), bool>>,
}

/// The numbers of one exact key, read a chunk at a time.
pub(super) struct Stream<'a> {
    key: Option<&'a Exact>,
    buffer: std::vec::IntoIter<Res>,
    pub(super) head: Option<Res>,
    chunk: usize,
    last: Res,
    done: bool,
}

/// Runs a plan.
pub(crate) fn run(index: &dyn Index, plan: &Plan) -> Result<Found, Fault> {
    if !plan.rows.covers_type(plan.type_number) || plan.limit == 0 {
        return Ok(Found::default());
    }
    let run = Run {
        index,
        plan,
        memo: RefCell::default(),
    };
    let ordered = match &plan.drive {
        Drive::Commits { descending } => return run.along_commits(*descending),
        Drive::Dates { param, descending } => return run.along_dates(*param, *descending),
        Drive::Type
        | Drive::Exact(_)
        | Drive::Prefixes { .. }
        | Drive::DateRanges { .. }
        | Drive::NumberRanges { .. }
        | Drive::These(_) => plan.order.is_empty(),
    };
    if ordered {
        run.by_number()
    } else {
        run.sorted()
    }
}

/// Counts the rows of a drive, up to `cap`.
pub(crate) fn estimate(
    index: &dyn Index,
    type_number: i64,
    drive: &Drive,
    cap: u64,
) -> Result<u64, Fault> {
    let rows = match drive {
        Drive::Type | Drive::Commits { .. } | Drive::Dates { .. } => {
            return index.census(type_number);
        }
        Drive::These(found) => return Ok(found.len() as u64),
        Drive::Exact(rows) => rows.iter().map(sql::exact_rows).collect(),
        Drive::Prefixes { .. } | Drive::DateRanges { .. } | Drive::NumberRanges { .. } => {
            sql::range_rows(drive)
        }
    };
    let mut n_rows = 0;
    for rows in rows {
        let left = cap.saturating_sub(n_rows);
        if left == 0 {
            break;
        }
        let counted = index.numbers(&sql::counted(rows, left))?;
        n_rows += counted.first().map_or(0, |n| (*n).max(0) as u64);
    }
    Ok(n_rows)
}

// === impl Run ===

impl Run<'_> {
    fn by_number(&self) -> Result<Found, Fault> {
        let mut found = Found::default();
        let from = self.plan.after.as_ref().map_or(0, |after| after.res);
        self.candidates(from, self.first_chunk(), &mut |res| {
            if !self.passes(res)? {
                return Ok(true);
            }
            if found.hits.len() == self.plan.limit {
                found.more = true;
                return Ok(false);
            }
            found.hits.push(Hit {
                res,
                keys: Vec::new(),
            });
            Ok(true)
        })?;
        Ok(found)
    }

    fn sorted(&self) -> Result<Found, Fault> {
        let mut hits: Vec<Hit> = Vec::new();
        let order = &self.plan.order;
        // Truncating only occasionally keeps the cost of sorting low.
        let room = (self.plan.limit + 1) * 4 + 1024;
        self.candidates(0, MAX_CHUNK, &mut |res| {
            let Some(bytes) = self.index.set(res)? else {
                return Ok(true);
            };
            let Some(set) = Set::read(&bytes) else {
                return Err(Fault::Damaged("a posting set"));
            };
            if !self.set_passes(res, &set)? {
                return Ok(true);
            }
            let hit = Hit {
                res,
                keys: self.sort_keys(res, &set)?,
            };
            if self
                .plan
                .after
                .as_ref()
                .is_none_or(|after| order::is_after(order, &hit, after))
            {
                hits.push(hit);
            }
            if room <= hits.len() {
                hits.sort_unstable_by(|a, b| order::compare(order, a, b));
                hits.truncate(self.plan.limit + 1);
            }
            Ok(true)
        })?;
        hits.sort_unstable_by(|a, b| order::compare(order, a, b));
        let more = self.plan.limit < hits.len();
        hits.truncate(self.plan.limit);
        Ok(Found { hits, more })
    }

    /// Returns the size of the first chunk: a page, plus one hit that shows whether there is more.
    fn first_chunk(&self) -> usize {
        (self.plan.limit + 1).clamp(FIRST_CHUNK, MAX_CHUNK)
    }

    fn wants_sets(&self) -> bool {
        !self.plan.order.is_empty() || self.needs_sets()
    }

    /// Calls `each` for every candidate above `from`, in order of numbers, until it returns false.
    fn candidates(
        &self,
        from: Res,
        chunk: usize,
        each: &mut dyn FnMut(Res) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        let mut streams: Vec<Stream<'_>> = match &self.plan.drive {
            Drive::Exact(rows) if rows.len() <= MAX_STREAMS => rows
                .iter()
                .map(|row| Stream::new(Some(row), from, chunk))
                .collect(),
            Drive::Type => vec![Stream::new(None, from, chunk)],
            Drive::Exact(_)
            | Drive::Commits { .. }
            | Drive::Dates { .. }
            | Drive::Prefixes { .. }
            | Drive::DateRanges { .. }
            | Drive::NumberRanges { .. }
            | Drive::These(_) => return self.collected(from, chunk, each),
        };
        for stream in &mut streams {
            stream.advance(self, &self.plan.probes)?;
        }
        let mut last = from;
        loop {
            let first = streams
                .iter_mut()
                .filter(|s| s.head.is_some())
                .min_by_key(|s| s.head);
            let Some(stream) = first else { return Ok(()) };
            let res = stream.head.unwrap_or_default();
            stream.advance(self, &self.plan.probes)?;
            // A resource may have several rows, in one stream or in several.
            if last < res && !each(res)? {
                return Ok(());
            }
            last = last.max(res);
        }
    }

    fn collected(
        &self,
        from: Res,
        chunk: usize,
        each: &mut dyn FnMut(Res) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        let (mut all, probes) = match &self.plan.drive {
            Drive::These(found) => (found.clone(), self.plan.probes.as_slice()),
            Drive::Exact(rows) => (
                self.rows_of(rows.iter().map(sql::exact_rows))?,
                [].as_slice(),
            ),
            drive => (
                self.rows_of(sql::range_rows(drive).into_iter())?,
                [].as_slice(),
            ),
        };
        all.sort_unstable();
        all.dedup();
        let above = all.partition_point(|res| *res <= from);
        let mut rest = all.get(above..).unwrap_or_default();
        let mut chunk = chunk;
        while !rest.is_empty() {
            let (head, tail) = rest.split_at(chunk.min(rest.len()));
            let passing = self.index.passing(head, probes)?;
            if self.wants_sets() {
                self.announce(&passing)?;
            }
            for res in passing {
                if !each(res)? {
                    return Ok(());
                }
            }
            rest = tail;
            chunk = (chunk * 2).min(MAX_CHUNK);
        }
        Ok(())
    }

    /// Returns all rows of some keys that pass the probes.
    fn rows_of(&self, fragments: impl Iterator<Item = sql::Fragment>) -> Result<Vec<Res>, Fault> {
        let mut all = Vec::new();
        for mut fragment in fragments {
            fragment.push_probes(&self.plan.probes);
            all.extend(self.index.numbers(&fragment)?);
        }
        Ok(all)
    }

    fn along_commits(&self, descending: bool) -> Result<Found, Fault> {
        let mut last = match self.plan.after.as_ref().map(|after| after.keys.as_slice()) {
            Some([Some(SortValue::Number(rid))]) => *rid,
            Some(_) => return Err(Fault::Cursor),
            None if descending => i64::MAX,
            None => 0,
        };
        let mut found = Found::default();
        let mut limit = self.first_chunk();
        loop {
            let (dialect, start) = (self.index.dialect(), Start::from(last, descending));
            let (type_number, probes) = (self.plan.type_number, &self.plan.probes);
            let chunk = sql::commits_chunk(dialect, type_number, start, probes, limit);
            let chunk = self.triples(&chunk)?;
            let at_end = chunk.len() < limit;
            for [res, rid, _] in chunk {
                if !self.take(&mut found, res, Some(SortValue::Number(rid)))? {
                    return Ok(found);
                }
                last = rid;
            }
            if at_end {
                return Ok(found);
            }
            limit = (limit * 2).min(MAX_CHUNK);
        }
    }

    fn along_dates(&self, param: u32, descending: bool) -> Result<Found, Fault> {
        let mut found = Found::default();
        let in_last_part = match self.plan.after.as_ref().map(|after| after.keys.as_slice()) {
            Some([None]) => true,
            Some([Some(SortValue::Value(Value::Date(_)))]) | None => false,
            Some(_) => return Err(Fault::Cursor),
        };
        if in_last_part || self.dated(param, descending, &mut found)? {
            self.undated(param, descending, &mut found)?;
        }
        Ok(found)
    }

    /// Returns true if the index is exhausted and the page is not full.
    fn dated(&self, param: u32, descending: bool, found: &mut Found) -> Result<bool, Fault> {
        let mut last = match &self.plan.after {
            Some(after) => match after.keys.first() {
                Some(Some(SortValue::Value(Value::Date(span)))) => {
                    [after.res, span.low.micros(), span.high.micros()]
                }
                _ => return Err(Fault::Cursor),
            },
            None if descending => [i64::MAX; 3],
            None => [i64::MIN; 3],
        };
        let mut limit = self.first_chunk();
        loop {
            let [res, low, high] = last;
            let start = (low, high, Start::from(res, descending));
            let chunk = sql::dates_chunk(param, start, &self.plan.probes, limit);
            let chunk = self.triples(&chunk)?;
            let at_end = chunk.len() < limit;
            for row in chunk {
                let [res, low, high] = row;
                let span = Span {
                    low: Timestamp::from_micros(low),
                    high: Timestamp::from_micros(high),
                };
                if !self.take(found, res, Some(SortValue::Value(Value::Date(span))))? {
                    return Ok(false);
                }
                last = row;
            }
            if at_end {
                return Ok(true);
            }
            limit = (limit * 2).min(MAX_CHUNK);
        }
    }

    fn undated(&self, param: u32, descending: bool, found: &mut Found) -> Result<(), Fault> {
        let mut last = match &self.plan.after {
            Some(after) if after.keys == [None] => after.res,
            _ if descending => i64::MAX,
            _ => 0,
        };
        loop {
            let (dialect, start) = (self.index.dialect(), Start::from(last, descending));
            let (type_number, probes) = (self.plan.type_number, &self.plan.probes);
            let chunk = sql::type_chunk(dialect, type_number, start, probes, MAX_CHUNK);
            let chunk = self.index.numbers(&chunk)?;
            let Some(&end) = chunk.last() else {
                return Ok(());
            };
            last = end;
            self.announce(&chunk)?;
            for res in chunk {
                let bytes = self.index.set(res)?.unwrap_or_default();
                let has_date = Set::read(&bytes).is_some_and(|set| set.raw(param).next().is_some());
                if !has_date && !self.take(found, res, None)? {
                    return Ok(());
                }
            }
        }
    }

    /// Reads a chunk of an ordered index and announces its posting sets.
    fn triples(&self, chunk: &sql::Fragment) -> Result<Vec<[i64; 3]>, Fault> {
        let rows = self.index.triples(chunk)?;
        let found: Vec<Res> = rows.iter().map(|[res, ..]| *res).collect();
        self.announce(&found)?;
        Ok(rows)
    }

    /// Adds a hit of an ordered index if it passes and this is its first position. Returns false if
    /// the page is full.
    fn take(&self, found: &mut Found, res: Res, key: SortKey) -> Result<bool, Fault> {
        let Some(bytes) = self.index.set(res)? else {
            return Ok(true);
        };
        let set = Set::read(&bytes).ok_or(Fault::Damaged("a posting set"))?;
        if !self.set_passes(res, &set)? || self.sort_keys(res, &set)? != [key.clone()] {
            return Ok(true);
        }
        if found.hits.len() == self.plan.limit {
            found.more = true;
            return Ok(false);
        }
        found.hits.push(Hit {
            res,
            keys: vec![key],
        });
        Ok(true)
    }
}

// === impl Stream ===

impl<'a> Stream<'a> {
    /// Returns the stream of an exact key, or of the plan's type.
    pub(super) fn new(key: Option<&'a Exact>, from: Res, chunk: usize) -> Self {
        Self {
            key,
            buffer: Vec::new().into_iter(),
            head: None,
            chunk,
            last: from,
            done: false,
        }
    }

    pub(super) fn advance(&mut self, run: &Run<'_>, probes: &[Probe]) -> Result<(), Fault> {
        self.head = self.buffer.next();
        if self.head.is_some() || self.done {
            return Ok(());
        }
        let (start, chunk) = (Start::Above(self.last), self.chunk);
        let type_number = run.plan.type_number;
        let fragment = match self.key {
            Some(key) => sql::exact_chunk(key, start, probes, chunk),
            None => sql::type_chunk(run.index.dialect(), type_number, start, probes, chunk),
        };
        let found = run.index.numbers(&fragment)?;
        self.done = found.len() < chunk;
        self.chunk = (chunk * 2).min(MAX_CHUNK);
        if let Some(&last) = found.last() {
            self.last = last;
        }
        if run.wants_sets() {
            run.announce(&found)?;
        }
        self.buffer = found.into_iter();
        self.head = self.buffer.next();
        Ok(())
    }
}
