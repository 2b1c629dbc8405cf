//! The pool of connections for reading.
//!
//! Invariant: a connection is used by one thread at a time, and there are never more than the
//! limit. A read takes an idle connection, works on the caller's own thread and returns the
//! connection: no other thread is woken.

use super::schema;
use crate::backend::Fault;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The pool of connections for reading.
#[derive(Debug)]
pub(crate) struct Pool {
    path: PathBuf,
    max_open: usize,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Connection>,
    n_open: usize,
}

/// A slot for one connection, released on drop, also after a panic.
struct Room<'a> {
    pool: &'a Pool,
    conn: Option<Connection>,
}

// === impl Pool ===

impl Pool {
    pub(crate) fn new(path: &Path, max_open: usize) -> Self {
        Self {
            path: path.to_owned(),
            max_open: max_open.max(1),
            state: Mutex::default(),
            returned: Condvar::new(),
        }
    }

    /// Runs `work` on one connection, statement by statement.
    pub(crate) fn with<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut room = self.room();
        let conn = match room.conn.take() {
            Some(conn) => conn,
            None => schema::reader(&self.path)?,
        };
        let answer = work(&conn);
        // A connection that is still in a transaction would keep an old state of the chart alive.
        if conn.is_autocommit() {
            room.conn = Some(conn);
        }
        answer
    }

    /// Runs `work` on one connection that sees a single state of the chart.
    pub(crate) fn with_snapshot<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.with(|conn| {
            conn.prepare_cached("BEGIN")?.execute([])?;
            let answer = work(conn);
            conn.prepare_cached("COMMIT")?.execute([])?;
            answer
        })
    }

    /// Takes an idle connection or a slot for a new one, otherwise waits for the next that is
    /// returned.
    fn room(&self) -> Room<'_> {
        let mut state = self.lock();
        loop {
            if let Some(conn) = state.idle.pop() {
                return Room {
                    pool: self,
                    conn: Some(conn),
                };
            }
            if state.n_open < self.max_open {
                state.n_open += 1;
                return Room {
                    pool: self,
                    conn: None,
                };
            }
            state = self
                .returned
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        match self.conn.take() {
            Some(conn) => state.idle.push(conn),
            None => state.n_open -= 1,
        }
        drop(state);
        self.pool.returned.notify_one();
    }
}
