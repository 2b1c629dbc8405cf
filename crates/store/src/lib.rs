//! Resources, versions, search execution, journal, audit log.

pub mod audit;
mod backend;
pub mod chart;
mod damage;
mod identity;
pub mod journal;
mod priority;
mod sum;
pub mod verify;
mod wal;

pub use damage::Damage;
pub use identity::{Identity, Position};
pub use priority::Priority;

#[cfg(feature = "postgres")]
pub mod postgres {
    //! The chart on PostgreSQL.

    pub use crate::backend::postgres::{ConnectError, PostgresChart, Settings};
}
