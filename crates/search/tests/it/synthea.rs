//! Realistic records from `../shared/synthea`.

use fhir::build::Value;
use fhir::json::Document;
use flate2::read::GzDecoder;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;

/// The folder beside the workspace, if it is there.
fn shared() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let root = std::env::var_os("CAUSEWAY_SHARED").map_or_else(beside, PathBuf::from);
    root.join("synthea").is_dir().then_some(root)
}

#[test]
fn bundles_are_indexed_without_issues() {
    let Some(shared) = shared() else {
        eprintln!("skipped: bundles_are_indexed_without_issues (no ../shared)");
        return;
    };
    let mut files: Vec<PathBuf> =
        shared.join("synthea").read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for path in files.iter().filter(|path| path.extension().is_some_and(|end| end == "gz")).take(8) {
        let mut json = String::new();
        GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut json).unwrap();
        let bundle = Document::parse(&json).unwrap();
        for entry in bundle.root().each("entry") {
            let body = Value::from(entry.get("resource").unwrap()).to_bytes();
            let found = search::extract(&Document::parse(&body).unwrap());
            assert_eq!(found.issues, [], "{path:?} {}", found.resource_type);
            let count = counts.entry(found.resource_type.to_owned()).or_default();
            *count = (count.0 + 1, count.1 + found.postings.len());
        }
    }
    // Code, category, status, subject, date and value at least; composites on top.
    for (name, at_least) in [("Observation", 8), ("Patient", 15), ("Encounter", 8), ("Condition", 6)] {
        let (n_resources, n_postings) = counts[name];
        let per_resource = n_postings / n_resources;
        assert!((at_least..60).contains(&per_resource), "{name}: {per_resource} in {counts:?}");
    }
}
