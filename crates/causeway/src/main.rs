//! The binary: reads the command line, runs one command, reports how it ended.
//!
//! Exit codes are a contract: 0 success, 1 faults found or failure, 2 incorrect usage.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool"
)]

mod cli;
mod commands;
mod config;
mod disk;
mod failure;
mod heads;
mod http;
mod input;
mod logs;
mod maps;
mod pretty;
mod private;
#[cfg(test)]
mod reference;
mod relay;
mod run;
mod table;

use clap::Parser;
use cli::{Cli, Command};
use mimalloc::MiMalloc;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    exit_quietly_on_closed_pipe();
    let result = match Cli::parse().command {
        Command::Serve(args) => commands::serve::serve(&args),
        Command::Check(args) => commands::check::run(&args),
        Command::Convert(args) => commands::convert::run(&args),
        Command::Fhirpath(args) => commands::fhirpath::run(&args),
        Command::Send(args) => commands::send::run(&args),
        Command::Messages(args) => commands::messages::run(&args),
        Command::Flows(args) => commands::flows::run(&args),
        Command::Maps(args) => commands::maps::run(&args),
        Command::Token(args) => commands::token::run(&args),
        Command::Audit(args) => commands::audit::run(&args),
        Command::Import(args) => commands::import::run(&args),
        Command::Verify(args) => commands::verify::run(&args),
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

/// Exits quietly when standard output is closed, as `causeway … | head` does. The standard library
/// panics in `println!` then; for a command that is not a failure, so the process exits with the code
/// of a closed pipe instead.
fn exit_quietly_on_closed_pipe() {
    let default_hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let message = panic.payload().downcast_ref::<String>();
        if message.is_some_and(|text| text.starts_with("failed printing to stdout")) {
            // 128 + SIGPIPE, as a shell reports it.
            std::process::exit(141);
        }
        default_hook(panic);
    }));
}
