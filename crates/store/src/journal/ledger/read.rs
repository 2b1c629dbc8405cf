//! Reads from the ledger.

use super::Ledger;
use crate::journal::Sequence;
use crate::journal::day;
use crate::journal::error::ReadError;
use crate::journal::search::first_entry;
use crate::journal::state::{
    Count, Delivery, Parked, Progress, Queued, Rate, Replay, Resting, State, StoppedFlow, rated_of,
    state_code, state_of,
};
use base::Timestamp;
use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use std::sync::PoisonError;

const QUEUED: &str = "seq, destination, part, n_attempts, status, due, detail";
const REPLAY: &str = "seq, map_version, by, requested, done, detail";

impl Ledger {
    /// Returns the messages to send to a destination by `now`: in sequence order, at most the head of each
    /// partition, none behind a head that is held, deferred or in progress.
    pub fn due(
        &self,
        destination: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Queued>, ReadError> {
        let sql = format!(
            "SELECT {QUEUED} FROM delivery d WHERE destination = ?1 AND status IN (0, 3) AND due <= ?2
               AND NOT EXISTS(SELECT 1 FROM delivery h WHERE h.destination = ?1 AND h.part = d.part
                 AND h.seq < d.seq AND h.status IN (0, 1, 3, 5))
             ORDER BY seq LIMIT ?3"
        );
        self.rows(
            &sql,
            params![destination, now.micros(), limit as i64],
            queued,
        )
    }

    /// Returns attempts without an outcome: call once, before the first send after a start.
    pub fn in_doubt(&self) -> Result<Vec<Queued>, ReadError> {
        let sql = format!("SELECT {QUEUED} FROM delivery WHERE status = 1 ORDER BY seq");
        self.rows(&sql, [], queued)
    }

    /// Returns one message's deliveries.
    pub fn deliveries(&self, sequence: Sequence) -> Result<Vec<Queued>, ReadError> {
        let sql = format!("SELECT {QUEUED} FROM delivery WHERE seq = ?1 ORDER BY destination");
        self.rows(&sql, [sequence.get() as i64], queued)
    }

    /// Returns a message's state; none if it is received and nothing else is known.
    pub fn progress(&self, sequence: Sequence) -> Result<Option<Progress>, ReadError> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT seq, flow, part, state, reason, n_issues, map_version
                     FROM message WHERE seq = ?1",
                )?
                .query_row([sequence.get() as i64], progress)
                .optional()
        })
    }

    /// Returns the messages after `after` that the ledger knows, in order.
    pub(in crate::journal) fn known_after(
        &self,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<Sequence>, ReadError> {
        let sql = "SELECT seq FROM message WHERE ?1 < seq ORDER BY seq LIMIT ?2";
        let values = params![after.get() as i64, limit as i64];
        self.rows(sql, values, |row| sequence(row, 0))
    }

    /// Returns the newest messages that are mapped or delivered, newest first.
    pub fn newest_mapped(&self, limit: usize) -> Result<Vec<Sequence>, ReadError> {
        let sql = "SELECT seq FROM message WHERE state IN (1, 2) ORDER BY seq DESC LIMIT ?1";
        self.rows(sql, [limit as i64], |row| sequence(row, 0))
    }

    /// Returns the partitions that wait.
    pub fn parked(&self) -> Result<Vec<Parked>, ReadError> {
        self.rows(
            "SELECT flow, part, head, since, reason FROM parked",
            [],
            |row| {
                Ok(Parked {
                    flow: row.get(0)?,
                    partition: row.get(1)?,
                    head: sequence(row, 2)?,
                    since: Timestamp::from_micros(row.get(3)?),
                    reason: row.get(4)?,
                })
            },
        )
    }

    /// Returns the flows that a person stopped.
    pub fn flows_stopped(&self) -> Result<Vec<StoppedFlow>, ReadError> {
        self.rows("SELECT flow, since, by FROM stopped", [], |row| {
            Ok(StoppedFlow {
                flow: row.get(0)?,
                since: Timestamp::from_micros(row.get(1)?),
                by: row.get(2)?,
            })
        })
    }

    /// Returns replays that are requested and not done, oldest first.
    pub fn replays_open(&self) -> Result<Vec<Replay>, ReadError> {
        let sql = format!("SELECT {REPLAY} FROM replay WHERE done IS NULL ORDER BY id");
        self.rows(&sql, [], replay)
    }

    /// Returns one message's replays, oldest first.
    pub fn replays_of(&self, sequence: Sequence) -> Result<Vec<Replay>, ReadError> {
        let sql = format!("SELECT {REPLAY} FROM replay WHERE seq = ?1 ORDER BY id");
        self.rows(&sql, [sequence.get() as i64], replay)
    }

    /// Counts rows by flow and state. Messages without a row are not counted.
    pub(in crate::journal) fn counts(&self) -> Result<Vec<Count>, ReadError> {
        self.rows("SELECT flow, state, n FROM count WHERE n > 0", [], |row| {
            let n: i64 = row.get(2)?;
            Ok(Count {
                flow: row.get(0)?,
                state: state_of(row.get(1)?),
                n: n as u64,
            })
        })
    }

    /// Groups the messages in these states by flow, state and the first entry of the reason, counting the
    /// newest `limit` messages of each state. Also returns the states that have more.
    pub fn resting(
        &self,
        states: &[State],
        limit: usize,
    ) -> Result<(Vec<Resting>, Vec<State>), ReadError> {
        let (mut found, mut cut) = (Vec::new(), Vec::new());
        let sql = format!(
            "SELECT flow, {}, count(*), min(seq), max(seq) FROM
               (SELECT flow, ifnull(reason, '') AS why, seq FROM message WHERE state = ?1
                ORDER BY seq DESC LIMIT ?2)
             GROUP BY 1, 2 ORDER BY 1, 2",
            first_entry("why")
        );
        for state in states {
            let code = state_code(*state);
            let groups = self.rows(&sql, params![code, limit as i64], |row| {
                Ok(Resting {
                    flow: row.get(0)?,
                    state: *state,
                    reason: row.get(1)?,
                    n: row.get::<_, i64>(2)? as u64,
                    oldest: sequence(row, 3)?,
                    newest: sequence(row, 4)?,
                })
            })?;
            if limit as u64 <= groups.iter().map(|group| group.n).sum() {
                cut.push(*state);
            }
            found.extend(groups);
        }
        Ok((found, cut))
    }

    pub(in crate::journal) fn rates(&self, from: i64, until: i64) -> Result<Vec<Rate>, ReadError> {
        self.read(|connection| rates_in(connection, from, until))
    }

    pub(super) fn rows<T>(
        &self,
        sql: &str,
        values: impl Params,
        each: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, ReadError> {
        self.read(|connection| {
            connection
                .prepare_cached(sql)?
                .query_map(values, each)?
                .collect()
        })
    }

    pub(super) fn read<T>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ReadError> {
        let failed = |source| ReadError::File {
            path: self.path().to_owned(),
            source,
        };
        let pooled = self
            .inner
            .readers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let connection = match pooled {
            Some(connection) => connection,
            None => day::open_reader(self.path()).map_err(failed)?,
        };
        let answer = query(&connection).map_err(failed)?;
        let mut readers = self
            .inner
            .readers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if readers.len() < 4 {
            readers.push(connection);
        }
        Ok(answer)
    }
}

/// Returns the rows of a `minute` table from one minute to before another.
pub(in crate::journal) fn rates_in(
    connection: &Connection,
    from: i64,
    until: i64,
) -> rusqlite::Result<Vec<Rate>> {
    let mut statement = connection.prepare_cached(
        "SELECT minute, flow, rated, n FROM minute WHERE ?1 <= minute AND minute < ?2
         ORDER BY minute",
    )?;
    let rows = statement.query_map([from, until], |row| {
        Ok(Rate {
            minute: Timestamp::from_micros(row.get::<_, i64>(0)? * 60_000_000),
            flow: row.get(1)?,
            rated: rated_of(row.get(2)?),
            n: row.get::<_, i64>(3)? as u64,
        })
    })?;
    rows.collect()
}

fn sequence(row: &Row<'_>, column: usize) -> rusqlite::Result<Sequence> {
    row.get::<_, i64>(column)
        .map(|number| Sequence::new(number as u64))
}

fn progress(row: &Row<'_>) -> rusqlite::Result<Progress> {
    Ok(Progress {
        sequence: sequence(row, 0)?,
        flow: row.get(1)?,
        partition: row.get(2)?,
        state: state_of(row.get(3)?),
        reason: row.get(4)?,
        n_issues: row.get(5)?,
        map_version: row.get(6)?,
    })
}

fn queued(row: &Row<'_>) -> rusqlite::Result<Queued> {
    let due = Timestamp::from_micros(row.get(5)?);
    let delivery = match row.get::<_, i64>(4)? {
        0 => Delivery::Queued,
        1 => Delivery::Sending,
        2 => Delivery::Accepted,
        3 => Delivery::Deferred { due },
        4 => Delivery::Rejected,
        // A code that this version does not know waits for a person.
        _ => Delivery::Held,
    };
    Ok(Queued {
        sequence: sequence(row, 0)?,
        destination: row.get(1)?,
        partition: row.get(2)?,
        n_attempts: row.get(3)?,
        delivery,
        detail: row.get(6)?,
    })
}

fn replay(row: &Row<'_>) -> rusqlite::Result<Replay> {
    let done: Option<i64> = row.get(4)?;
    let detail: Option<String> = row.get(5)?;
    Ok(Replay {
        sequence: sequence(row, 0)?,
        map_version: row.get(1)?,
        by: row.get(2)?,
        requested: Timestamp::from_micros(row.get(3)?),
        done: done.map(|at| (Timestamp::from_micros(at), detail.unwrap_or_default())),
    })
}
