//! `causeway fhirpath`: evaluates an expression and prints one JSON value per line.

use crate::cli::Fhirpath;
use crate::failure::Failure;
use crate::input;
use base::{Clock, SystemClock};
use fhir::json::Document;
use fhirpath::{Context, DateTime, Expression};
use std::io::Write;
use std::process::ExitCode;

pub(crate) fn run(args: &Fhirpath) -> Result<ExitCode, Failure> {
    let expression = Expression::compile(&args.expression)
        .map_err(|error| Failure::usage(format!("`{}`: {error}", args.expression)))?;
    let bytes = input::read(&args.file)?;
    let document = Document::parse(&bytes)
        .map_err(|error| Failure::failed(format!("`{}`: {error}", args.file.display())))?;
    let mut context = Context::new(document.root());
    if let Some(now) = DateTime::from_timestamp(SystemClock.now(), 0) {
        context = context.with_now(now);
    }
    let items = expression
        .evaluate(&context)
        .map_err(|error| Failure::usage(format!("`{}`: {error}", args.expression)))?;
    let mut out = std::io::stdout().lock();
    for item in &items {
        // One line per value, even if the element spans several lines in the input.
        let json = item.to_json();
        let line = match Document::parse(&json) {
            Ok(element) => fhir::build::Value::from(&element).to_bytes(),
            Err(_) => json.into_bytes(),
        };
        let written = out.write_all(&line).and_then(|()| out.write_all(b"\n"));
        // A reader such as `head` closes the pipe once it has enough; that is not an error.
        if written.is_err() {
            break;
        }
    }
    Ok(ExitCode::SUCCESS)
}
