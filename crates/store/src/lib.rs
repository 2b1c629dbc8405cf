//! Resources, versions, search execution, journal, audit log.

pub mod audit;
mod backend;
pub mod chart;
pub mod journal;
