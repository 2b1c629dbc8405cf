//! Integration tests of the map language and the built-in maps.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod builtin;
mod codes;
mod control;
mod documents;
mod faults;
mod fields;
mod functions;
mod fuzz;
mod laws;
mod medicines;
mod messages;
mod missing;
mod narrative;
mod normal_form;
mod numbers;
mod pairs;
mod segments;
mod shots;
mod texts;
mod treatments;
mod update;
mod values;
mod visits;
mod whole;
