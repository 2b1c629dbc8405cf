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

mod acknowledge;
mod audit;
mod before_login;
mod browser;
mod clients;
mod commands;
mod compat;
mod console;
mod console_client;
mod console_control;
mod console_work;
mod filters;
mod history;
mod import;
mod maps;
mod memory;
mod messages;
mod paths;
mod private;
mod process;
mod refusals;
mod reports;
mod site;
mod story;
mod verify;
mod wire;
