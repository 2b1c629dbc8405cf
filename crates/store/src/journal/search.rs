//! Turns a [`Filter`] into queries, one per file and span of sequences, newest first.
//!
//! The most selective condition drives: text, then control id, order number, visit, patient, then a state or
//! issues from the ledger, then type and flow. The other conditions are checked row by row. Where no index
//! drives, a query takes a span of sequences at a time and returns after [`MAX_SPANS`].

use super::day::{DayFile, Name, Term};
use super::entry::{self, split};
use super::error::ReadError;
use super::state::{state_code, state_of};
use super::{Filter, Header, Journal, Listing, Page, Sequence, State, Summary, text};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Sequences per query where no index drives.
const SPAN: u64 = 20_000;
/// The number of such queries per page.
const MAX_SPANS: usize = 10;

const COLUMNS: &str = "e.seq, e.received, e.flow, e.connection, e.application, e.facility, e.type,
  e.structure, e.control, e.processing, e.version, e.patients, e.visit, e.accessions, e.n_bytes,
  e.no_message, e.reused, m.state, m.reason, m.n_issues, m.map_version, e.sum";

/// A filter as SQL, without its span.
struct Plan {
    from: String,
    key: &'static str,
    conditions: Vec<String>,
    values: Vec<Value>,
    is_driven: bool,
    text: Option<String>,
}

// === impl Journal ===

impl Journal {
    /// Returns matching messages, newest first.
    pub fn list(&self, filter: &Filter, page: Page) -> Result<Listing, ReadError> {
        let plan = Plan::of(filter);
        let text_lag = filter.text.is_some().then(|| self.text_lag());
        let mut found = Listing {
            rows: Vec::new(),
            next: None,
            text_lag,
        };
        let mut before = page.before.map_or(u64::MAX, Sequence::get);
        let mut n_spans = 0;
        let mut files = self.files_for(filter);
        while let Some(newest) = files.last().map(|file| file.name.day.clone()) {
            let at = files.partition_point(|file| file.name.day < newest);
            let day = files.split_off(at);
            while page.limit > found.rows.len() {
                let Some((low, high)) = span(&day, before, plan.is_driven) else {
                    break;
                };
                if MAX_SPANS <= n_spans {
                    found.next = Some(Sequence::new(before));
                    return Ok(found);
                }
                n_spans += usize::from(!plan.is_driven);
                let wanted = page.limit - found.rows.len();
                found
                    .rows
                    .extend(self.in_span(&day, &plan, filter, (low, high), wanted)?);
                before = low;
            }
            if page.limit <= found.rows.len() {
                found.next = found.rows.last().map(|row| row.sequence);
                return Ok(found);
            }
        }
        Ok(found)
    }

    fn in_span(
        &self,
        day: &[Arc<DayFile>],
        plan: &Plan,
        filter: &Filter,
        span: (u64, u64),
        wanted: usize,
    ) -> Result<Vec<Summary>, ReadError> {
        let mut rows = Vec::new();
        for file in day {
            rows.extend(file.read(|connection| {
                attach(connection, self.ledger().path())?;
                let (low, high) = narrow(connection, file, filter, span)?;
                plan.run(connection, file, (low, high), wanted)
            })?);
        }
        rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.sequence));
        rows.truncate(wanted);
        Ok(rows)
    }

    /// Returns the files whose day overlaps the filter's times, oldest first.
    fn files_for(&self, filter: &Filter) -> Vec<Arc<DayFile>> {
        let first = filter.from.map(Name::day_of);
        let last = filter.until.map(Name::day_of);
        let mut files = self.days().all();
        files.retain(|file| {
            first.as_ref().is_none_or(|first| *first <= file.name.day)
                && last.as_ref().is_none_or(|last| file.name.day <= *last)
        });
        files
    }
}

/// Returns the next span below `before`: from its first to before its last sequence.
fn span(day: &[Arc<DayFile>], before: u64, is_driven: bool) -> Option<(u64, u64)> {
    let first = day
        .iter()
        .map(|file| file.first.load(Ordering::Acquire))
        .min()?;
    let last = day
        .iter()
        .map(|file| file.last.load(Ordering::Acquire))
        .max()?;
    let high = before.min(last.saturating_add(1));
    if high <= first {
        return None;
    }
    let low = if is_driven {
        first
    } else {
        high.saturating_sub(SPAN).max(first)
    };
    Some((low, high))
}

/// Narrows a span by time: times increase with sequences, so the sequence of a time is found by binary
/// search.
fn narrow(
    connection: &Connection,
    file: &DayFile,
    filter: &Filter,
    (mut low, mut high): (u64, u64),
) -> rusqlite::Result<(u64, u64)> {
    let end = file.last.load(Ordering::Acquire).saturating_add(1);
    let start = file.first.load(Ordering::Acquire);
    let first_at = |at: base::Timestamp| -> rusqlite::Result<u64> {
        let (mut from, mut to) = (start.min(end), end);
        let mut probe = connection.prepare_cached(
            "SELECT seq, received FROM entry WHERE ?1 <= seq ORDER BY seq LIMIT 1",
        )?;
        while from < to {
            let middle = from + (to - from) / 2;
            let (seq, received): (i64, i64) =
                probe.query_row([middle as i64], |row| Ok((row.get(0)?, row.get(1)?)))?;
            if received < at.micros() {
                from = seq as u64 + 1;
            } else {
                to = middle;
            }
        }
        Ok(from)
    };
    if let Some(at) = filter.from {
        low = low.max(first_at(at)?);
    }
    if let Some(at) = filter.until {
        high = high.min(first_at(at)?);
    }
    Ok((low, high))
}

pub(super) fn attach(connection: &Connection, ledger: &std::path::Path) -> rusqlite::Result<()> {
    let attached: bool = connection
        .prepare_cached("SELECT EXISTS(SELECT 1 FROM pragma_database_list WHERE name = 'ledger')")?
        .query_row([], |row| row.get(0))?;
    if !attached {
        connection.execute("ATTACH ?1 AS ledger", [ledger.to_string_lossy()])?;
    }
    Ok(())
}

// === impl Plan ===

impl Plan {
    fn of(filter: &Filter) -> Self {
        let exact_type = filter
            .message_type
            .as_ref()
            .filter(|kind| kind.contains('^'));
        let mut terms: Vec<(Term, &String)> = [
            (Term::Control, filter.control_id.as_ref()),
            (Term::Accession, filter.accession.as_ref()),
            (Term::Visit, filter.visit.as_ref()),
            (Term::Patient, filter.patient.as_ref()),
        ]
        .into_iter()
        .filter_map(|(kind, value)| value.map(|value| (kind, value)))
        .collect();
        let resting = resting(filter);
        let mut plan = Self::driven_by_nothing();
        if let Some(text) = &filter.text {
            plan.drive(
                "textual.text t CROSS JOIN entry e ON e.seq = t.rowid",
                "t.rowid",
            );
            plan.text = Some(text.clone());
            plan.condition("t.text MATCH ?", Value::from(text::query(text)));
        } else if !terms.is_empty() {
            plan.drive_by_term(terms.remove(0));
        } else if !resting.is_empty() {
            plan.drive(
                "ledger.message d CROSS JOIN entry e ON e.seq = d.seq",
                "d.seq",
            );
            plan.conditions.push(one_of("d.state", &resting));
        } else if filter.has_issues {
            plan.drive(
                "ledger.message d CROSS JOIN entry e ON e.seq = d.seq",
                "d.seq",
            );
            plan.conditions.push("d.n_issues > 0".to_owned());
        } else if let Some(kind) = exact_type {
            plan.drive_by_term((Term::Type, kind));
        } else if let Some(flow) = &filter.flow {
            plan.drive_by_term((Term::Flow, flow));
        }
        for (kind, value) in terms {
            plan.conditions.push(format!(
                "EXISTS(SELECT 1 FROM term x WHERE x.kind = {} AND x.value = ? AND x.seq = e.seq)",
                kind as i64
            ));
            plan.values.push(Value::from(value.clone().into_bytes()));
        }
        plan.check_rows(filter);
        plan
    }

    fn driven_by_nothing() -> Self {
        Self {
            from: "entry e".to_owned(),
            key: "e.seq",
            conditions: Vec::new(),
            values: Vec::new(),
            is_driven: false,
            text: None,
        }
    }

    fn drive(&mut self, from: &str, key: &'static str) {
        from.clone_into(&mut self.from);
        self.key = key;
        self.is_driven = true;
    }

    fn drive_by_term(&mut self, (kind, value): (Term, &String)) {
        self.drive("term t CROSS JOIN entry e ON e.seq = t.seq", "t.seq");
        self.conditions.push(format!("t.kind = {}", kind as i64));
        self.condition("t.value = ?", Value::from(value.clone().into_bytes()));
    }

    fn condition(&mut self, condition: &str, value: Value) {
        self.conditions.push(condition.to_owned());
        self.values.push(value);
    }

    /// Checks the conditions that no index has answered; checking an answered one again is cheap.
    fn check_rows(&mut self, filter: &Filter) {
        if let Some(flow) = &filter.flow {
            self.condition("e.flow = ?", Value::from(flow.clone()));
        }
        if let Some(kind) = &filter.message_type {
            if kind.contains('^') {
                self.condition("e.type = ?", Value::from(kind.clone()));
            } else {
                let code = "substr(e.type, 1, instr(e.type || '^', '^') - 1) = ?";
                self.condition(code, Value::from(kind.clone()));
            }
        }
        if let Some(state) = filter.state {
            self.condition("ifnull(m.state, 0) = ?", Value::from(state_code(state)));
        }
        if !filter.any_of.is_empty() {
            self.conditions
                .push(one_of("ifnull(m.state, 0)", &filter.any_of));
        }
        if let Some(reason) = &filter.reason {
            let why = first_entry("coalesce(m.reason, e.no_message, '')");
            self.condition(&format!("{why} = ?"), Value::from(reason.clone()));
        }
        if filter.has_issues {
            self.conditions.push("m.n_issues > 0".to_owned());
        }
    }

    fn run(
        &self,
        connection: &Connection,
        file: &DayFile,
        (low, high): (u64, u64),
        wanted: usize,
    ) -> rusqlite::Result<Vec<Summary>> {
        if high <= low {
            return Ok(Vec::new());
        }
        let key = self.key;
        let mut sql = format!(
            "SELECT {COLUMNS} FROM {} LEFT JOIN ledger.message m ON m.seq = e.seq WHERE ",
            self.from
        );
        for condition in &self.conditions {
            sql.push_str(condition);
            sql.push_str(" AND ");
        }
        let high = i64::try_from(high).unwrap_or(i64::MAX);
        let bounds =
            format!("{key} >= {low} AND {key} < {high} ORDER BY {key} DESC LIMIT {wanted}");
        sql.push_str(&bounds);
        let query = |connection: &Connection| {
            let mut statement = connection.prepare(&sql)?;
            statement
                .query_map(params_from_iter(&self.values), summary)?
                .collect()
        };
        match self.text {
            Some(_) => text::with_index(connection, file, query),
            None => query(connection),
        }
    }
}

/// Returns the filter's states if the ledger has rows for all of them, and none otherwise. Returned states drive
/// the query.
fn resting(filter: &Filter) -> Vec<State> {
    let asked = filter.state.iter().chain(&filter.any_of);
    let states: Vec<State> = asked.copied().collect();
    if states.contains(&State::Received) {
        Vec::new()
    } else {
        states
    }
}

/// Returns the first entry of a reason such as `map_failed; OBX-5: no number`.
pub(super) fn first_entry(reason: &str) -> String {
    format!("substr({reason}, 1, instr({reason} || '; ', '; ') - 1)")
}

/// Builds a condition such as `d.state IN (3,6)`.
fn one_of(column: &str, states: &[State]) -> String {
    let codes = states.iter().map(|state| state_code(*state).to_string());
    format!("{column} IN ({})", codes.collect::<Vec<_>>().join(","))
}

/// Reads the columns of [`COLUMNS`]. A damaged entry is shown only as damaged.
fn summary(row: &Row<'_>) -> rusqlite::Result<Summary> {
    if is_whole(row).unwrap_or(false) {
        whole(row)
    } else {
        Ok(Summary::damaged(
            Sequence::new(row.get::<_, i64>(0)? as u64),
        ))
    }
}

/// Returns true if the row has the checksum that it was written with, or predates checksums.
pub(super) fn is_whole(row: &Row<'_>) -> Option<bool> {
    let text = |column: usize| row.get_ref(column).ok()?.as_str().ok();
    let number = |column: usize| row.get_ref(column).ok()?.as_i64().ok();
    let Some(written) = row.get_ref(21).ok()?.as_i64_or_null().ok()? else {
        return Some(true);
    };
    let mut texts = [""; 12];
    for (place, column) in texts.iter_mut().zip(2..) {
        *place = text(column)?;
    }
    let numbers = (number(0)? as u64, number(1)?, number(14)?);
    let no_message = row.get_ref(15).ok()?.as_str_or_null().ok()?;
    let reused = row.get_ref(16).ok()?.as_i64_or_null().ok()?;
    let sum = entry::sum(
        numbers,
        texts,
        no_message,
        reused.map(|number| number as u64),
    );
    Some(sum == written)
}

fn whole(row: &Row<'_>) -> rusqlite::Result<Summary> {
    let reused: Option<i64> = row.get(16)?;
    let no_message: Option<String> = row.get(15)?;
    let state: Option<i64> = row.get(17)?;
    Ok(Summary {
        sequence: Sequence::new(row.get::<_, i64>(0)? as u64),
        received: base::Timestamp::from_micros(row.get(1)?),
        flow: row.get(2)?,
        connection: row.get(3)?,
        header: Header {
            sending_application: row.get(4)?,
            sending_facility: row.get(5)?,
            message_type: row.get(6)?,
            structure: row.get(7)?,
            control_id: row.get(8)?,
            processing_id: row.get(9)?,
            version: row.get(10)?,
            patients: split(&row.get::<_, String>(11)?),
            visit: row.get(12)?,
            accessions: split(&row.get::<_, String>(13)?),
        },
        n_bytes: row.get::<_, i64>(14)? as usize,
        no_message,
        reused_control_id: reused.map(|number| Sequence::new(number as u64)),
        state: state.map_or(State::Received, state_of),
        reason: row.get(18)?,
        n_issues: row.get::<_, Option<u32>>(19)?.unwrap_or(0),
        map_version: row.get(20)?,
    })
}

/// Returns the summary of one message in one file.
pub(super) fn one(
    connection: &Connection,
    sequence: Sequence,
) -> rusqlite::Result<Option<Summary>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM entry e LEFT JOIN ledger.message m ON m.seq = e.seq WHERE e.seq = ?1"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query_map([sequence.get() as i64], summary)?;
    rows.next().transpose()
}
