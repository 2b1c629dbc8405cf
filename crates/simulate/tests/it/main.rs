//! Integration tests of the simulate crate.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod messages;
mod people;
mod shares;

use simulate::{Options, Sent, Simulation};
use std::sync::OnceLock;

/// Returns a town that is large enough for every oddity to occur.
fn town() -> &'static [Sent] {
    static TOWN: OnceLock<Vec<Sent>> = OnceLock::new();
    TOWN.get_or_init(|| {
        Simulation::new(Options {
            n_patients: 1000,
            ..Options::default()
        })
        .collect()
    })
}
