//! Resources, versions, search execution, journal, audit log.

pub mod audit;
pub mod chart;
pub mod journal;
