//! The binary: reads the command line, runs one command, says how it ended.
//!
//! Exit codes are a contract: 0 done, 1 found faults or failed, 2 wrong usage.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool"
)]

mod cli;
mod commands;
mod config;
mod failure;
mod input;

use clap::Parser;
use cli::{Cli, Command};
use failure::Failure;
use std::process::ExitCode;

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Token(args) => commands::token::run(&args),
        Command::Send(args) => commands::send::run(&args),
        _ => Err(Failure::usage("not built yet")),
    };
    match result {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("causeway: {failure}");
            failure.code()
        }
    }
}
