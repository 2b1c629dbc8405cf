//! Development tasks: `cargo xtask test [--quick] | tidy | definitions`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool"
)]

mod clients;
mod definitions_fhir;
mod definitions_hl7v2;
mod peers;
mod test;
mod tidy;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.first().map(String::as_str) {
        Some("test") => match args.get(1).map(String::as_str) {
            None => test::run(),
            Some("--quick") => test::quick(),
            Some(_) => Err("usage: cargo xtask test [--quick]".to_owned()),
        },
        Some("tidy") => tidy::run(),
        Some("definitions") => definitions(args.get(1).map(String::as_str)),
        _ => Err("usage: cargo xtask test [--quick] | tidy | definitions".to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Regenerates the committed tables from the packages beside the checkout.
fn definitions(which: Option<&str>) -> Result<(), String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    match which {
        Some("fhir") => definitions_fhir::run(&root),
        Some("hl7v2") => definitions_hl7v2::run(&root),
        _ => Err("usage: cargo xtask definitions fhir | hl7v2".to_owned()),
    }
}
