//! `causeway import`: bundles, NDJSON and HL7 v2 files into a data directory or a running server.

mod inputs;
mod offline;
mod online;

use crate::cli::{Format, Import};
use crate::failure::Failure;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Instant;

/// What became of it all.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) n_inputs: u64,
    pub(crate) n_resources: u64,
    pub(crate) n_messages: u64,
    /// Input and reason.
    pub(crate) failures: Vec<(String, String)>,
}

pub(crate) fn run(args: &Import) -> Result<ExitCode, Failure> {
    let inputs = inputs::find(&args.paths)?;
    let bar = progress(inputs.iter().map(|input| input.n_bytes).sum());
    let started = Instant::now();
    let tally = match &args.url {
        Some(url) => online::run(url, args.token.as_deref(), &inputs, &bar),
        None => offline::run(&args.data, inputs, &bar),
    };
    bar.finish_and_clear();
    let tally = tally?;
    let secs = started.elapsed().as_secs_f64();
    tell(args.format, &tally, secs);
    Ok(if tally.failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn tell(format: Format, tally: &Tally, secs: f64) {
    for (input, reason) in &tally.failures {
        eprintln!("causeway: {input}: {reason}");
    }
    let rate = tally.n_resources as f64 / secs.max(0.001);
    match format {
        Format::Json => println!(
            "{}",
            serde_json::json!({
                "inputs": tally.n_inputs,
                "resources": tally.n_resources,
                "messages": tally.n_messages,
                "failed": tally.failures.len(),
                "seconds": secs,
                "resourcesPerSecond": rate,
            })
        ),
        Format::Table => println!(
            "{} resources and {} messages from {} inputs in {secs:.1} s ({rate:.0} resources/s), {} failed",
            tally.n_resources,
            tally.n_messages,
            tally.n_inputs,
            tally.failures.len()
        ),
    }
}

fn progress(n_bytes: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(n_bytes);
    let style = ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes} {msg} {eta}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}
