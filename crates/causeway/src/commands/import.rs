//! `causeway import`: loads bundles, NDJSON and HL7 v2 history into a data directory or a running
//! server.

mod history;
mod inputs;
mod offline;
mod online;

use super::serve::refused;
use crate::cli::{Format, Import};
use crate::config::Config;
use crate::failure::Failure;
use crate::http::Http;
use indicatif::{ProgressBar, ProgressStyle};
use inputs::Input;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The time limit of a request.
const TIMEOUT: Duration = Duration::from_mins(5);
/// The lifetime of the token: a history of years takes hours to import.
const TOKEN_FOR: Duration = Duration::from_hours(72);

/// The totals of an import.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) n_inputs: u64,
    pub(crate) n_resources: u64,
    /// Resources that were already stored with the same content.
    pub(crate) n_existing: u64,
    pub(crate) n_messages: u64,
    /// The number of messages taken by this import, by state.
    pub(crate) states: BTreeMap<String, u64>,
    /// Messages that were already stored and were left alone.
    pub(crate) n_known: u64,
    /// The failed inputs, each with the reason.
    pub(crate) failures: Vec<(String, String)>,
}

pub(crate) fn run(args: &Import) -> Result<ExitCode, Failure> {
    let inputs = inputs::find(&args.paths)?;
    let bar = progress(inputs.iter().map(|input| input.n_bytes).sum());
    let started = Instant::now();
    let tally = take(args, inputs, &bar);
    bar.finish_and_clear();
    let tally = tally?;
    let secs = started.elapsed().as_secs_f64();
    print_summary(args.format, &tally, secs);
    Ok(if tally.failures.is_empty() && tally.n_attention() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Imports into the given server, or the one running on the site's data, or else directly into the
/// data directory.
fn take(args: &Import, inputs: Vec<Input>, bar: &ProgressBar) -> Result<Tally, Failure> {
    let flow = args.flow.as_deref();
    if let Some(url) = &args.url {
        let url = url.trim_end_matches('/');
        let (root, fhir) = match url.strip_suffix("/fhir") {
            Some(root) => (root, "/fhir"),
            None => (url, ""),
        };
        let http = Http::new(root, args.token.as_deref(), TIMEOUT);
        return online::run(&http, (fhir, flow), &inputs, bar);
    }
    let Some(config) = &args.config else {
        return offline::run(&args.data, (history::Site::plain(flow), inputs), bar);
    };
    let config = Config::read(config).map_err(|mistakes| refused(&mistakes))?;
    let site = history::Site::of(&config, flow)?;
    match Http::running_on(&config.data_dir, TIMEOUT, TOKEN_FOR)? {
        Some(http) => online::run(&http, ("/fhir", Some(&site.flow)), &inputs, bar),
        None => offline::run(&config.data_dir, (site, inputs), bar),
    }
}

// === impl Tally ===

impl Tally {
    fn fail(&mut self, input: &str, reason: &str) {
        self.failures.push((input.to_owned(), reason.to_owned()));
    }

    fn add(&mut self, other: Self) {
        self.n_messages += other.n_messages;
        self.n_known += other.n_known;
        for (state, n) in other.states {
            *self.states.entry(state).or_default() += n;
        }
        self.failures.extend(other.failures);
    }

    fn message(&mut self, state: &str, known: bool) {
        if known {
            self.n_known += 1;
        } else {
            self.n_messages += 1;
            *self.states.entry(state.to_owned()).or_default() += 1;
        }
    }

    /// Returns the text beside the progress bar.
    fn so_far(&self) -> String {
        format!(
            "{} resources, {} messages",
            self.n_resources,
            self.n_messages + self.n_known
        )
    }

    /// Returns the number of messages taken by this import that need a person's attention.
    fn n_attention(&self) -> u64 {
        let open = ["needs attention", "held", "parked", "dead"];
        let counts = open.iter().filter_map(|state| self.states.get(*state));
        counts.sum()
    }

    /// Formats the counts of messages, such as ` (1190 mapped, 3 needs attention, 7 there before)`.
    fn messages_in_words(&self) -> String {
        let mut parts: Vec<String> = self
            .states
            .iter()
            .map(|(state, n)| format!("{n} {state}"))
            .collect();
        if 0 < self.n_known {
            parts.push(format!("{} there before", self.n_known));
        }
        if parts.is_empty() {
            String::new()
        } else {
            format!(" ({})", parts.join(", "))
        }
    }
}

fn print_summary(format: Format, tally: &Tally, secs: f64) {
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
                "alreadyThere": tally.n_existing,
                "messages": tally.n_messages,
                "states": tally.states,
                "known": tally.n_known,
                "failed": tally.failures.len(),
                "seconds": secs,
                "resourcesPerSecond": rate,
            })
        ),
        Format::Table => println!(
            "{} resources and {} messages{} from {} inputs in {secs:.1} s ({rate:.0} resources/s), {} already there, {} failed",
            tally.n_resources,
            tally.n_messages,
            tally.messages_in_words(),
            tally.n_inputs,
            tally.n_existing,
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
