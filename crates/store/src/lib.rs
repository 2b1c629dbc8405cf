//! Resources, versions, search execution, journal, audit log.

pub mod audit;
mod backend;
pub mod chart;
pub mod journal;
mod priority;

pub use priority::Priority;

pub mod postgres {
    //! The chart on PostgreSQL.

    pub use crate::backend::postgres::{ConnectError, PostgresChart, Settings};
}
