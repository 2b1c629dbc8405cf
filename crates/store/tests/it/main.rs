//! The store's tests, one binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod audit;
mod chart;
mod chart_fixture;
mod chart_person;
mod chart_search;
mod journal;
mod journal_fixture;
