//! `causeway bench`: benchmarks this build on this machine.
//!
//! The server is a child process of the same binary over a scratch directory, with everything enabled
//! that a site has: fsync before each answer, audit before each read. The load generator is this
//! process; its CPU use is reported beside the server's, since both share the machine.

mod child;
mod client;
mod figures;
mod import;
mod memory;
mod mllp;
mod read;
mod search;
mod start;

use crate::cli::{Bench, Format};
use crate::failure::Failure;
use crate::table::Table;
use figures::Figure;
use std::path::PathBuf;
use std::process::ExitCode;

/// A benchmark with its name and what it measures.
struct Benchmark {
    name: &'static str,
    what: &'static str,
    run: fn(&Setting) -> Result<Vec<Figure>, Failure>,
}

/// The settings of a benchmark.
pub(crate) struct Setting {
    /// The scratch directory; each benchmark creates a folder of its own in it.
    pub(crate) scratch: PathBuf,
    /// The share of the full load; 1 is the full load.
    pub(crate) scale: f64,
    /// A folder of Synthea bundles, if given.
    pub(crate) bundles: Option<PathBuf>,
}

const ALL: [Benchmark; 8] = [
    Benchmark {
        name: "parse",
        what: "HL7 v2 parse of an ORU with 20 OBX, ten fields read",
        run: memory::parse,
    },
    Benchmark {
        name: "map",
        what: "HL7 v2 to FHIR in memory, ADT and ORU with 20 OBX",
        run: memory::map,
    },
    Benchmark {
        name: "mllp",
        what: "MLLP in, journal fsync, acknowledgement, 64 connections",
        run: mllp::acknowledged,
    },
    Benchmark {
        name: "chart",
        what: "MLLP in, acknowledged, mapped, in the chart and searchable",
        run: mllp::in_chart,
    },
    Benchmark {
        name: "import",
        what: "import of transaction bundles, durable and searchable",
        run: import::import,
    },
    Benchmark {
        name: "read",
        what: "audited read by id over HTTP, 32 and 256 connections",
        run: read::read,
    },
    Benchmark {
        name: "search",
        what: "a patient's observations of one code, newest first",
        run: search::search,
    },
    Benchmark {
        name: "start",
        what: "start to ready on an existing store, idle memory, binary size",
        run: start::start,
    },
];

pub(crate) fn run(args: &Bench) -> Result<ExitCode, Failure> {
    let chosen: Vec<&Benchmark> = match args.name.as_deref() {
        Some("list") => {
            let mut table = Table::new(&["name", "measures"]);
            for bench in &ALL {
                table.row([bench.name.to_owned(), bench.what.to_owned()]);
            }
            print!("{table}");
            return Ok(ExitCode::SUCCESS);
        }
        Some(name) => ALL.iter().filter(|bench| bench.name == name).collect(),
        None => ALL.iter().collect(),
    };
    if chosen.is_empty() {
        return Err(Failure::usage(
            "there is no such benchmark; `causeway bench list` lists them",
        ));
    }
    let scratch = match &args.data {
        Some(path) => path.clone(),
        None => std::env::temp_dir().join(format!("causeway-bench-{}", std::process::id())),
    };
    std::fs::create_dir_all(&scratch)
        .map_err(|error| Failure::failed(format!("`{}`: {error}", scratch.display())))?;
    let setting = Setting {
        scratch: scratch.clone(),
        scale: args.scale.clamp(0.001, 100.0),
        bundles: args.bundles.clone(),
    };
    let mut figures = Vec::new();
    let mut failed = None;
    for bench in chosen {
        eprintln!("bench {}: {}", bench.name, bench.what);
        match (bench.run)(&setting) {
            Ok(found) => figures.extend(found),
            Err(failure) => {
                failed = Some(failure);
                break;
            }
        }
    }
    let _ = std::fs::remove_dir_all(&scratch);
    print_figures(args.format, &figures);
    failed.map_or(Ok(ExitCode::SUCCESS), Err)
}

fn print_figures(format: Format, figures: &[Figure]) {
    match format {
        Format::Json => {
            let rows: Vec<_> = figures
                .iter()
                .map(|figure| {
                    serde_json::json!({
                        "what": figure.what,
                        "value": figure.value,
                        "unit": figure.unit,
                        "goal": figure.goal,
                        "conditions": figure.conditions,
                    })
                })
                .collect();
            println!("{}", serde_json::json!(rows));
        }
        Format::Table => {
            let mut table = Table::new(&["what", "figure", "unit", "goal", "conditions"]);
            for figure in figures {
                table.row([
                    figure.what.clone(),
                    figure.shown(),
                    figure.unit.to_owned(),
                    figure.goal.to_owned(),
                    figure.conditions.clone(),
                ]);
            }
            print!("{table}");
        }
    }
}
