//! The real binary, as a user runs it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

mod browser;
mod commands;
mod console;
mod console_work;
mod messages;
mod process;
mod refusals;
mod site;
mod story;
