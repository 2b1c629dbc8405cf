#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "tests"
)]

mod extraction;
mod laws;
mod matching;
mod oracle;
mod parsing;
mod registry;
mod shared;
mod synthea;
