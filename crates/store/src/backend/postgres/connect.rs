//! Connections and transactions.
//!
//! Invariants:
//! - a caller blocks its own thread and needs no runtime: I/O runs on a small runtime that the
//!   engine owns;
//! - a connection returns to the pool only outside of a transaction; one that failed inside is
//!   dropped.

use crate::backend::Fault;
use crate::journal::pending::wait_for;
use deadpool_postgres::{Client, Manager, ManagerConfig, Pool, PoolError, RecyclingMethod};
use std::cell::Cell;
use std::future::Future;
use std::str::FromStr;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Config, NoTls, Row};

/// The server could not be used. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address cannot be parsed. It is not shown, because it may contain a password.
    #[error("the address of the database server cannot be read; it is `host=… port=… dbname=…`")]
    Address(#[source] tokio_postgres::Error),
    /// The threads for the connections could not be started.
    #[error("cannot start the connections to the database server")]
    Thread(#[source] std::io::Error),
    /// The server cannot be reached, or refused the connection.
    #[error("the database server cannot be reached, or refused; look whether it runs and lets in")]
    Server(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The chart was written by a newer version.
    #[error(
        "the chart on the database server has format {found} and this version reads up to {known}; \
         run the newer version. Nothing was changed"
    )]
    Newer {
        /// The format of the chart.
        found: i64,
        /// The newest format that this version knows.
        known: i64,
    },
}

/// The view of the chart within a transaction.
#[derive(Clone, Copy, Debug)]
pub(super) enum Isolation {
    /// A single state throughout; nothing is written.
    Snapshot,
    /// Each statement sees what is committed, so that changes are visible after waiting for a lock.
    Writing,
}

/// The pool, and the runtime that drives its connections.
pub(super) struct Connections {
    pool: Pool,
    on: Handle,
    runtime: Option<Runtime>,
}

/// A connection in a transaction.
pub(super) struct Transaction<'a> {
    connections: &'a Connections,
    client: Client,
    isolation: Isolation,
    begun: Cell<bool>,
}

pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

// === impl Connections ===

impl Connections {
    pub(super) fn open(address: &str, max_open: usize) -> Result<Self, ConnectError> {
        let config = Config::from_str(address).map_err(ConnectError::Address)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("chart-postgres")
            .enable_all()
            .build()
            .map_err(ConnectError::Thread)?;
        let recycling = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let manager = Manager::from_config(config, NoTls, recycling);
        let pool = Pool::builder(manager).max_size(max_open.max(1)).build();
        let pool = pool.map_err(|source| ConnectError::Server(Box::new(source)))?;
        Ok(Self {
            pool,
            on: runtime.handle().clone(),
            runtime: Some(runtime),
        })
    }

    /// Runs `work` in one transaction and commits it. On an error everything is rolled back.
    pub(super) fn with<T, E: From<Fault>>(
        &self,
        isolation: Isolation,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let client = self.wait(self.pool.get()).map_err(Fault::from)?;
        let transaction = Transaction {
            connections: self,
            client,
            isolation,
            begun: Cell::new(false),
        };
        let answer = work(&transaction);
        let ended = match (&answer, isolation) {
            (Ok(_), Isolation::Writing) => transaction.run("COMMIT"),
            (Ok(_), Isolation::Snapshot) | (Err(_), _) => {
                self.end_behind(transaction.client);
                return answer;
            }
        };
        if let Err(fault) = ended {
            // The state of the connection is unknown, so it is not reused.
            drop(Client::take(transaction.client));
            return answer.and(Err(fault.into()));
        }
        answer
    }

    /// Ends a transaction that keeps no changes, in the background.
    fn end_behind(&self, client: Client) {
        self.on.spawn(async move {
            if client.batch_execute("ROLLBACK").await.is_err() {
                drop(Client::take(client));
            }
        });
    }

    fn wait<F: Future>(&self, future: F) -> F::Output {
        let _entered = self.on.enter();
        wait_for(future)
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        // Waiting for the runtime would be refused on a thread that runs async tasks.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

// === impl Transaction ===

impl Transaction<'_> {
    /// Runs statements without parameters.
    pub(super) fn run(&self, sql: &str) -> Result<(), Fault> {
        self.wait(self.client.batch_execute(sql))
    }

    /// Returns the rows of a statement that is prepared once for each connection.
    pub(super) fn query(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, Fault> {
        self.wait(async {
            let statement = self.client.prepare_cached(sql).await?;
            self.client.query(&statement, params).await
        })
    }

    /// Returns the rows of a statement that is prepared for this call only.
    pub(super) fn query_once(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, Fault> {
        self.wait(self.client.query(sql, params))
    }

    /// Sends the first statement together with BEGIN, which saves a round trip.
    fn wait<T>(
        &self,
        work: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Fault> {
        if self.begun.replace(true) {
            return Ok(self.connections.wait(work)?);
        }
        let begin = self.client.batch_execute(match self.isolation {
            Isolation::Snapshot => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Isolation::Writing => "BEGIN ISOLATION LEVEL READ COMMITTED",
        });
        let (begun, worked) = self.connections.wait(async { tokio::join!(begin, work) });
        begun?;
        Ok(worked?)
    }

    /// Returns the first row, if there is one.
    pub(super) fn first(&self, sql: &str, params: Params<'_>) -> Result<Option<Row>, Fault> {
        Ok(self.query(sql, params)?.into_iter().next())
    }
}

// === impl Fault ===

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Server(Box::new(error))
    }
}

impl From<PoolError> for Fault {
    fn from(error: PoolError) -> Self {
        Self::Server(Box::new(error))
    }
}
