//! Conformance to FHIRPath, by clause and by the official suite.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod clauses;
mod known_failures;
mod laws;
mod set;
mod suite;
mod values;
mod xml;
