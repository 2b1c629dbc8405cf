//! Running a plan.
//!
//! Three ways, by the plan's order and drive:
//! - no sort keys: candidates come in order of their numbers, and the first that pass are the page;
//! - an index in the order asked for: the same along that index, then what has no value;
//! - else all candidates are looked at and the best are kept.

use super::session::SqliteSession;
use super::sql::{self, Start};
use crate::backend::check::Check;
use crate::backend::order;
use crate::backend::plan::{
    By, Drive, Exact, Found, Hit, Node, OrderBy, Plan, Rows, SortKey, SortValue,
};
use crate::backend::stored::{PERSON, Res, Set, Stored, decode_value};
use crate::backend::{Fault, Session, resolve};
use base::Timestamp;
use rusqlite::params;
use search::{Span, Value};
use std::cell::RefCell;
use std::collections::HashMap;

/// More keys than this are collected instead of merged.
const MAX_STREAMS: usize = 16;
const FIRST_CHUNK: usize = 64;
const MAX_CHUNK: usize = 1024;

/// A plan under way.
struct Run<'a> {
    session: &'a SqliteSession<'a>,
    plan: &'a Plan,
    /// Chains by node (its place in the plan) and target: many resources point to few.
    memo: RefCell<HashMap<(usize, Res), bool>>,
}

/// The numbers of one exact key, a chunk at a time.
struct Stream<'a> {
    key: Option<&'a Exact>,
    buffer: std::vec::IntoIter<Res>,
    head: Option<Res>,
    chunk: usize,
    last: Res,
    done: bool,
}

/// Runs a plan.
pub(crate) fn run(session: &SqliteSession<'_>, plan: &Plan) -> Result<Found, Fault> {
    if !plan.rows.covers_type(plan.type_number) || plan.limit == 0 {
        return Ok(Found::default());
    }
    let run = Run {
        session,
        plan,
        memo: RefCell::default(),
    };
    let ordered = match &plan.drive {
        Drive::Commits { descending } => return run.along_commits(*descending),
        Drive::Dates { param, descending } => return run.along_dates(*param, *descending),
        _ => plan.order.is_empty(),
    };
    if ordered {
        run.by_number()
    } else {
        run.sorted()
    }
}

/// True where the row filter covers a resource, by its set.
pub(crate) fn visible(rows: &Rows, set: &Set<'_>) -> bool {
    rows.covers_type(set.type_number)
        && match rows {
            Rows::Everything | Rows::Types(_) => true,
            Rows::Patients { patients, .. } => set.patients().any(|own| patients.contains(&own)),
            Rows::Nothing => false,
        }
}

// === impl Run ===

impl Run<'_> {
    fn by_number(&self) -> Result<Found, Fault> {
        let mut found = Found::default();
        let from = self.plan.after.as_ref().map_or(0, |after| after.res);
        self.candidates(from, &mut |res| {
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
        // Cutting back only now and then keeps the cost of sorting low.
        let room = (self.plan.limit + 1) * 4 + 1024;
        self.candidates(0, &mut |res| {
            let Some(bytes) = self.session.set(res)? else {
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

    /// Calls `each` for every candidate above `from`, in order of numbers, until it says false.
    fn candidates(
        &self,
        from: Res,
        each: &mut dyn FnMut(Res) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        let mut streams: Vec<Stream<'_>> = match &self.plan.drive {
            Drive::Exact(rows) if rows.len() <= MAX_STREAMS => rows
                .iter()
                .map(|row| Stream::new(Some(row), from))
                .collect(),
            Drive::Type => vec![Stream::new(None, from)],
            _ => return self.collected(from, each),
        };
        for stream in &mut streams {
            stream.advance(self)?;
        }
        let mut last = from;
        loop {
            let first = streams
                .iter_mut()
                .filter(|s| s.head.is_some())
                .min_by_key(|s| s.head);
            let Some(stream) = first else { return Ok(()) };
            let res = stream.head.unwrap_or_default();
            stream.advance(self)?;
            // A resource may have several rows, in one stream and in several.
            if last < res && !each(res)? {
                return Ok(());
            }
            last = last.max(res);
        }
    }

    fn collected(
        &self,
        from: Res,
        each: &mut dyn FnMut(Res) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        let mut all = match &self.plan.drive {
            Drive::These(found) => found.clone(),
            Drive::Exact(rows) => {
                let mut all = Vec::new();
                for row in rows {
                    all.extend(self.session.numbers(&sql::exact_rows(row))?);
                }
                all
            }
            drive => {
                let mut all = Vec::new();
                for fragment in sql::range_rows(drive) {
                    all.extend(self.session.numbers(&fragment)?);
                }
                all
            }
        };
        all.sort_unstable();
        all.dedup();
        for res in all.into_iter().filter(|res| from < *res) {
            if self.probes_pass(res)? && !each(res)? {
                return Ok(());
            }
        }
        Ok(())
    }

    fn probes_pass(&self, res: Res) -> Result<bool, Fault> {
        for probe in &self.plan.probes {
            if !self.session.exists(&sql::probe_one(probe, res))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn along_commits(&self, descending: bool) -> Result<Found, Fault> {
        let (comparison, direction) = if descending {
            ("<", "DESC")
        } else {
            (">", "ASC")
        };
        let mut statement = self.session.conn.prepare_cached(&format!(
            "SELECT res, rid FROM resource INDEXED BY resource_commit WHERE type = ? AND state = 1 \
             AND rid {comparison} ? ORDER BY rid {direction}"
        ))?;
        let start = match self.plan.after.as_ref().map(|after| after.keys.as_slice()) {
            Some([Some(SortValue::Number(rid))]) => *rid,
            Some(_) => return Err(Fault::Cursor),
            None if descending => i64::MAX,
            None => 0,
        };
        let mut found = Found::default();
        let mut rows = statement.query(params![self.plan.type_number, start])?;
        while let Some(row) = rows.next()? {
            let (res, rid) = (row.get(0)?, row.get(1)?);
            if !self.take(&mut found, res, Some(SortValue::Number(rid)))? {
                break;
            }
        }
        Ok(found)
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

    /// True where the index is at its end and the page is not full.
    fn dated(&self, param: u32, descending: bool, found: &mut Found) -> Result<bool, Fault> {
        let (comparison, direction) = if descending {
            ("<", "DESC")
        } else {
            (">", "ASC")
        };
        let mut statement = self.session.conn.prepare_cached(&format!(
            "SELECT res, low, high FROM date WHERE param = ? AND (low, high, res) {comparison} \
             (?, ?, ?) ORDER BY low {direction}, high {direction}, res {direction}"
        ))?;
        let (low, high, res) = match &self.plan.after {
            Some(after) => match after.keys.first() {
                Some(Some(SortValue::Value(Value::Date(span)))) => {
                    (span.low.micros(), span.high.micros(), after.res)
                }
                _ => return Err(Fault::Cursor),
            },
            None if descending => (i64::MAX, i64::MAX, i64::MAX),
            None => (i64::MIN, i64::MIN, i64::MIN),
        };
        let mut rows = statement.query(params![param, low, high, res])?;
        while let Some(row) = rows.next()? {
            let at = |column| row.get(column).map(Timestamp::from_micros);
            let span = Span {
                low: at(1)?,
                high: at(2)?,
            };
            if !self.take(
                found,
                row.get(0)?,
                Some(SortValue::Value(Value::Date(span))),
            )? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn undated(&self, param: u32, descending: bool, found: &mut Found) -> Result<(), Fault> {
        let mut last = match &self.plan.after {
            Some(after) if after.keys == [None] => after.res,
            _ if descending => i64::MAX,
            _ => 0,
        };
        loop {
            let start = if descending {
                Start::Below(last)
            } else {
                Start::Above(last)
            };
            let chunk = sql::type_chunk(self.plan.type_number, start, &[], MAX_CHUNK);
            let chunk = self.session.numbers(&chunk)?;
            let Some(&end) = chunk.last() else {
                return Ok(());
            };
            last = end;
            for res in chunk {
                let bytes = self.session.set(res)?.unwrap_or_default();
                let has_date = Set::read(&bytes).is_some_and(|set| set.raw(param).next().is_some());
                if !has_date && !self.take(found, res, None)? {
                    return Ok(());
                }
            }
        }
    }

    /// Adds a hit of an ordered index if it passes and this is its first place. False: full.
    fn take(&self, found: &mut Found, res: Res, key: SortKey) -> Result<bool, Fault> {
        if !self.probes_pass(res)? {
            return Ok(true);
        }
        let Some(bytes) = self.session.set(res)? else {
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

    fn passes(&self, res: Res) -> Result<bool, Fault> {
        let all_rows = matches!(self.plan.rows, Rows::Everything | Rows::Types(_));
        if all_rows && self.plan.nodes.is_empty() && self.plan.persons.is_none() {
            // Its rows say all, and only live resources have rows.
            return Ok(true);
        }
        let Some(bytes) = self.session.set(res)? else {
            return Ok(false);
        };
        let set = Set::read(&bytes).ok_or(Fault::Damaged("a posting set"))?;
        self.set_passes(res, &set)
    }

    fn set_passes(&self, res: Res, set: &Set<'_>) -> Result<bool, Fault> {
        if set.type_number != self.plan.type_number || !visible(&self.plan.rows, set) {
            return Ok(false);
        }
        if self
            .plan
            .persons
            .is_some_and(|persons| persons != (set.flags & PERSON != 0))
        {
            return Ok(false);
        }
        for node in &self.plan.nodes {
            if !self.holds(node, res, set)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn holds(&self, node: &Node, res: Res, set: &Set<'_>) -> Result<bool, Fault> {
        Ok(match node {
            Node::Any { param, checks } => Check::any(checks, set, *param),
            Node::None { param, checks } => !Check::any(checks, set, *param),
            Node::Missing { params, missing } => {
                let has_one = params.iter().any(|param| set.raw(*param).next().is_some());
                has_one != *missing
            }
            Node::These(found) => found.contains(&res),
            Node::Updated(tests) => {
                let (_, updated) = self.session.newest(res)?;
                let at = Timestamp::from_micros(updated);
                tests
                    .iter()
                    .any(|test| test.holds(Span { low: at, high: at }))
            }
            Node::Chain { param, branches } => {
                for value in set.values(*param) {
                    if let Stored::Local(target) = value
                        && self.target_passes(target, branches)?
                    {
                        return Ok(true);
                    }
                }
                false
            }
            Node::Has {
                param,
                type_number,
                node,
            } => self.has(*param, *type_number, node, res)?,
        })
    }

    fn target_passes(&self, target: Res, branches: &[(i64, Node)]) -> Result<bool, Fault> {
        let key = (branches.as_ptr().addr(), target);
        if let Some(known) = self.memo.borrow().get(&key) {
            return Ok(*known);
        }
        let bytes = self.session.set(target)?.unwrap_or_default();
        let mut passes = false;
        if let Some(set) = Set::read(&bytes).filter(|set| visible(&self.plan.rows, set)) {
            for (type_number, node) in branches {
                if *type_number == set.type_number && self.holds(node, target, &set)? {
                    passes = true;
                    break;
                }
            }
        }
        self.memo.borrow_mut().insert(key, passes);
        Ok(passes)
    }

    fn has(&self, param: u32, type_number: i64, node: &Node, res: Res) -> Result<bool, Fault> {
        let row = Exact::Reference { param, target: res };
        let mut stream = Stream::new(Some(&row), 0);
        stream.advance_plain(self.session)?;
        while let Some(source) = stream.head {
            let bytes = self.session.set(source)?.unwrap_or_default();
            if let Some(set) = Set::read(&bytes)
                && set.type_number == type_number
                && visible(&self.plan.rows, &set)
                && self.holds(node, source, &set)?
            {
                return Ok(true);
            }
            stream.advance_plain(self.session)?;
        }
        Ok(false)
    }

    fn sort_keys(&self, res: Res, set: &Set<'_>) -> Result<Vec<SortKey>, Fault> {
        self.plan
            .order
            .iter()
            .map(|by| self.sort_key(*by, res, set))
            .collect()
    }

    fn sort_key(&self, by: OrderBy, res: Res, set: &Set<'_>) -> Result<SortKey, Fault> {
        Ok(match by.by {
            By::Commit => Some(SortValue::Number(self.session.newest(res)?.0)),
            By::Id => Some(SortValue::Id(self.session.name(res)?.1.into())),
            By::Param(param) => self
                .extreme(param, by.descending, set)?
                .map(SortValue::Value),
        })
    }

    /// The least value under a parameter, or the greatest.
    fn extreme(&self, param: u32, greatest: bool, set: &Set<'_>) -> Result<Option<Value>, Fault> {
        let mut best: Option<Value> = None;
        for stored in set.raw(param).filter_map(decode_value) {
            let value = resolve::value(self.session, &stored)?;
            best = Some(match best {
                Some(best) if greatest => best.max(value),
                Some(best) => best.min(value),
                None => value,
            });
        }
        Ok(best)
    }
}

// === impl Stream ===

impl<'a> Stream<'a> {
    fn new(key: Option<&'a Exact>, from: Res) -> Self {
        Self {
            key,
            buffer: Vec::new().into_iter(),
            head: None,
            chunk: FIRST_CHUNK,
            last: from,
            done: false,
        }
    }

    fn advance(&mut self, run: &Run<'_>) -> Result<(), Fault> {
        self.advance_with(run.session, &run.plan.probes, run.plan.type_number)
    }

    fn advance_plain(&mut self, session: &SqliteSession<'_>) -> Result<(), Fault> {
        self.advance_with(session, &[], 0)
    }

    fn advance_with(
        &mut self,
        session: &SqliteSession<'_>,
        probes: &[crate::backend::plan::Probe],
        type_number: i64,
    ) -> Result<(), Fault> {
        self.head = self.buffer.next();
        if self.head.is_some() || self.done {
            return Ok(());
        }
        let start = Start::Above(self.last);
        let fragment = match self.key {
            Some(key) => sql::exact_chunk(key, start, probes, self.chunk),
            None => sql::type_chunk(type_number, start, probes, self.chunk),
        };
        let found = session.numbers(&fragment)?;
        self.done = found.len() < self.chunk;
        self.chunk = (self.chunk * 2).min(MAX_CHUNK);
        if let Some(&last) = found.last() {
            self.last = last;
        }
        self.buffer = found.into_iter();
        self.head = self.buffer.next();
        Ok(())
    }
}
