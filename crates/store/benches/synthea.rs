//! Measures the import of Synthea bundles, from JSON text to durable and searchable.
//!
//! `cargo bench -p store --bench synthea`. Reads `$CAUSEWAY_SHARED/synthea`; without it, reports that and
//! ends. Unpacking and finding the entries is not timed; parsing, extracting, compressing and writing are.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a bench prints, and ends where something is wrong"
)]

use access::{Permit, SystemCaller};
use fhir::json::Document;
use std::collections::{HashMap, HashSet, VecDeque};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;
use store::chart::{Batch, Change, Chart, Lane, Options, Prepared};

const BATCH: usize = 256;

fn main() {
    let shared = std::env::var_os("CAUSEWAY_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let Ok(files) = std::fs::read_dir(shared.join("synthea")) else {
        eprintln!("skipped: synthea (no ../shared)");
        return;
    };
    let mut resources: Vec<(String, String)> = Vec::new();
    for file in files {
        resources.extend(entries(&unpacked(&file.unwrap().path())));
    }
    // Organizations and practitioners are in several bundles.
    let mut seen = HashSet::new();
    resources.retain(|(id, _)| seen.insert(id.clone()));
    let n_bytes: usize = resources.iter().map(|(_, body)| body.len()).sum();
    println!(
        "{} resources, {} bytes each",
        resources.len(),
        n_bytes / resources.len()
    );

    let started = Instant::now();
    let mut n_postings = 0;
    for (_, body) in &resources {
        n_postings += prepared(body).extraction().postings.len();
    }
    let each = started.elapsed() / resources.len() as u32;
    let n_postings = n_postings as f64 / resources.len() as f64;
    println!("prepare, one thread: {each:?} each, {n_postings:.1} postings");

    let base = std::env::var_os("CAUSEWAY_BENCH_DIR").map_or_else(std::env::temp_dir, Into::into);
    let dir = tempfile::tempdir_in(base).unwrap();
    let chart = Chart::open(dir.path(), Options::default()).unwrap();
    let started = Instant::now();
    let work = Mutex::new(resources.chunks(BATCH));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| import(&chart, &work));
        }
    });
    let rate = resources.len() as f64 / started.elapsed().as_secs_f64();
    println!("import: {rate:.0}/s, durable and searchable");
    chart.close();
    let n_bytes = std::fs::metadata(dir.path().join("chart.db"))
        .unwrap()
        .len();
    println!("disk: {} bytes each", n_bytes as usize / resources.len());
}

fn import(chart: &Chart, work: &Mutex<std::slice::Chunks<'_, (String, String)>>) {
    let permit = Permit::system(SystemCaller::Bench);
    let mut waiting = VecDeque::new();
    loop {
        let Some(chunk) = work.lock().unwrap().next() else {
            break;
        };
        let changes = chunk
            .iter()
            .map(|(id, body)| Change::put(id, prepared(body)))
            .collect();
        let batch = Batch {
            changes,
            ..Batch::default()
        };
        waiting.push_back(chart.apply(&permit, batch, Lane::Import));
        if 24 < waiting.len() {
            waiting.pop_front().unwrap().wait().unwrap();
        }
    }
    for pending in waiting {
        pending.wait().unwrap();
    }
}

fn prepared(body: &str) -> Prepared {
    Prepared::new(&Document::parse(body).unwrap()).unwrap()
}

fn unpacked(file: &Path) -> String {
    let mut text = String::new();
    let packed = std::fs::File::open(file).unwrap();
    flate2::read::GzDecoder::new(packed)
        .read_to_string(&mut text)
        .unwrap();
    text
}

/// Returns the id and body of each entry, its references by type and id.
fn entries(bundle: &str) -> Vec<(String, String)> {
    let document = Document::parse(bundle).unwrap();
    let resources: Vec<_> = document
        .root()
        .each("entry")
        .filter_map(|entry| entry.get("resource"))
        .map(|resource| (resource, resource.text("id").unwrap().into_owned()))
        .collect();
    let types: HashMap<&str, &str> = resources
        .iter()
        .map(|(resource, id)| (id.as_str(), resource.resource_type().unwrap()))
        .collect();
    resources
        .iter()
        .map(|(resource, id)| {
            let mut parts = resource.raw_str().split("\"urn:uuid:");
            let mut body = parts.next().unwrap().to_owned();
            for part in parts {
                match part.get(..36).and_then(|id| types.get(id)) {
                    Some(name) => body.push_str(&["\"", name, "/"].concat()),
                    None => body.push_str("\"urn:uuid:"),
                }
                body.push_str(part);
            }
            (id.clone(), body)
        })
        .collect()
}
