//! The server, tested through real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cloned_ref_to_slice_refs,
    clippy::duration_suboptimal_units,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

mod bundles;
mod conditional;
mod costs;
mod person;
mod races;
mod rest;
mod sideways;
mod site;
mod versions;
