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
mod http;
mod input;
mod logs;
mod maps;
mod pretty;
#[cfg(test)]
mod reference;
mod relay;
mod run;
mod table;

use clap::Parser;
use cli::{Cli, Command};
use std::process::ExitCode;

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(args) => commands::serve::serve(&args),
        Command::Check(args) => commands::serve::check(&args),
        Command::Convert(args) => commands::convert::run(&args),
        Command::Fhirpath(args) => commands::fhirpath::run(&args),
        Command::Send(args) => commands::send::run(&args),
        Command::Messages(args) => commands::messages::run(&args),
        Command::Flows(args) => commands::flows::run(&args),
        Command::Token(args) => commands::token::run(&args),
        Command::Audit(args) => commands::audit::run(&args),
        Command::Import(args) => commands::import::run(&args),
        Command::Bench(args) => commands::bench::run(&args),
        Command::Demo(args) => commands::demo::run(&args),
    };
    match result {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("causeway: {failure}");
            failure.code()
        }
    }
}
