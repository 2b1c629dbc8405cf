//! Searches the log: the index gives the places, the segments the entries.

use super::Shared;
use super::entry::{ActorKind, Column, Filter, Listing, Page, Position, Recorded, Sorted};
use super::error::ReadError;
use super::index::NAME;
use super::record;
use super::segment::path_of;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

/// The number of newest matching entries that an order other than by time covers.
pub const SORTED_WINDOW: usize = 10_000;

/// An entry's position, segment and offset.
type Place = (u64, u64, u64);

/// A part of a statement, with its values.
struct Wanted {
    sql: String,
    values: Vec<Value>,
    /// The column that increases with time.
    key: &'static str,
}

/// Returns matching entries, newest first.
pub(super) fn entries(shared: &Shared, filter: &Filter, page: Page) -> Result<Listing, ReadError> {
    let mut wanted = Wanted::of(filter);
    if let Some(before) = page.before {
        wanted.and(&format!("{} < {}", wanted.key, before.get() as i64), []);
    }
    let sql = format!(
        "SELECT e.position, e.segment, e.offset {} ORDER BY {} DESC LIMIT {}",
        wanted.sql, wanted.key, page.limit as i64
    );
    listing(shared, &sql, &wanted.values, page.limit)
}

/// Returns matching entries, in the given order.
pub(super) fn entries_sorted(
    shared: &Shared,
    filter: &Filter,
    sorted: Sorted,
) -> Result<Listing, ReadError> {
    let wanted = Wanted::of(filter);
    let direction = if sorted.descending { "DESC" } else { "ASC" };
    let (limit, skip) = (sorted.limit as i64, sorted.skip as i64);
    let sql = match column(sorted.by) {
        None => format!(
            "SELECT e.position, e.segment, e.offset {} ORDER BY {} {direction} LIMIT {limit} OFFSET {skip}",
            wanted.sql, wanted.key
        ),
        Some(column) => format!(
            "SELECT position, segment, offset FROM (SELECT e.* {} ORDER BY {} DESC LIMIT {SORTED_WINDOW})
             ORDER BY {column} {direction}, position DESC LIMIT {limit} OFFSET {skip}",
            wanted.sql, wanted.key
        ),
    };
    listing(shared, &sql, &wanted.values, sorted.limit)
}

/// Returns the index's column; none for the log's own order.
fn column(by: Column) -> Option<&'static str> {
    match by {
        Column::At => None,
        Column::Actor => Some("actor"),
        Column::Action => Some("action"),
        Column::Patient => Some("patient"),
        Column::Purpose => Some("purpose"),
        Column::Source => Some("source"),
        Column::Outcome => Some("outcome"),
    }
}

// === impl Wanted ===

impl Wanted {
    fn of(filter: &Filter) -> Self {
        let is_without_program =
            !filter.kinds.is_empty() && !filter.kinds.contains(&ActorKind::Program);
        let mut wanted = if let Some(patient) = &filter.patient {
            Self {
                sql: "FROM touched t CROSS JOIN entry e ON e.position = t.position WHERE t.patient = ?"
                    .to_owned(),
                values: vec![Value::from(patient.clone())],
                key: "t.position",
            }
        } else {
            // Most entries are the flows' own and most succeeded: without these indexes a search for the
            // others would walk past all of them.
            let from = if filter.actor.is_some() {
                "FROM entry e WHERE 1"
            } else if is_without_program {
                "FROM entry e INDEXED BY entry_person WHERE e.kind <> 2"
            } else if filter.failed_only {
                "FROM entry e INDEXED BY entry_failed WHERE e.outcome <> 0"
            } else {
                "FROM entry e WHERE 1"
            };
            Self {
                sql: from.to_owned(),
                values: Vec::new(),
                key: "e.position",
            }
        };
        if let Some(actor) = &filter.actor {
            wanted.and("e.actor = ?", [Value::from(actor.clone())]);
        }
        if !filter.kinds.is_empty() {
            let kinds = filter
                .kinds
                .iter()
                .map(|kind| i64::from(kind.code()).into());
            wanted.and_one_of("e.kind", kinds);
        }
        if !filter.actions.is_empty() {
            let actions = filter
                .actions
                .iter()
                .map(|action| Value::from((*action).to_owned()));
            wanted.and_one_of("e.action", actions);
        }
        if let Some((kind, id)) = &filter.about {
            let values = [Value::from(kind.clone()), Value::from(id.clone())];
            wanted.and("e.about = ? AND e.target = ?", values);
        }
        if filter.failed_only {
            wanted.and("e.outcome <> 0", []);
        }
        // Times increase with positions, so a time maps to a position.
        for (at, side) in [(filter.from, ">="), (filter.until, "<")] {
            let Some(at) = at else { continue };
            let bound = format!(
                "{} {side} ifnull((SELECT position FROM entry WHERE at >= ? ORDER BY at, position LIMIT 1),
                  9223372036854775807)",
                wanted.key
            );
            wanted.and(&bound, [Value::from(at.micros())]);
        }
        wanted
    }

    fn and(&mut self, sql: &str, values: impl IntoIterator<Item = Value>) {
        self.sql.push_str(" AND ");
        self.sql.push_str(sql);
        self.values.extend(values);
    }

    fn and_one_of(&mut self, column: &str, values: impl ExactSizeIterator<Item = Value>) {
        let marks = vec!["?"; values.len()].join(",");
        self.and(&format!("{column} IN ({marks})"), values);
    }
}

fn listing(
    shared: &Shared,
    sql: &str,
    values: &[Value],
    limit: usize,
) -> Result<Listing, ReadError> {
    let path = shared.directory.join(NAME);
    let lag = shared.lag();
    if !path.exists() {
        return Ok(Listing {
            rows: Vec::new(),
            next: None,
            lag,
        });
    }
    let places = places(&path, sql, values).map_err(ReadError::Index)?;
    let mut rows = Vec::with_capacity(places.len());
    let mut open: Option<(u64, File)> = None;
    for (position, segment, offset) in places {
        let path = path_of(&shared.directory, segment);
        let failed = |source| ReadError::Segment {
            path: path.clone(),
            source,
        };
        let file = match open.take().filter(|(known, _)| *known == segment) {
            Some((_, file)) => file,
            None => File::open(&path).map_err(failed)?,
        };
        let decoded = read_at(&file, offset).map_err(failed)?;
        open = Some((segment, file));
        rows.push(Recorded {
            position: Position::new(position),
            at: decoded.at,
            relay: (decoded.relay != 0).then_some(decoded.relay),
            entry: decoded.entry,
        });
    }
    let next = if rows.len() < limit {
        None
    } else {
        rows.last().map(|row| row.position)
    };
    Ok(Listing { rows, next, lag })
}

fn places(path: &Path, sql: &str, values: &[Value]) -> rusqlite::Result<Vec<Place>> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map(params_from_iter(values), |row| {
        let number = |column| row.get::<_, i64>(column).map(|number| number as u64);
        Ok((number(0)?, number(1)?, number(2)?))
    })?;
    rows.collect()
}

fn read_at(file: &File, offset: u64) -> io::Result<record::Decoded> {
    let mut length = [0; 4];
    file.read_exact_at(&mut length, offset)?;
    let length = (u32::from_be_bytes(length) as usize).min(record::MAX_PAYLOAD);
    let mut payload = vec![0; length];
    file.read_exact_at(&mut payload, offset + 4)?;
    record::decode(&payload).ok_or_else(|| io::Error::other("no audit entry where one should be"))
}
