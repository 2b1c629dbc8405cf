//! Resources from `$CAUSEWAY_SHARED/synthea`, with their references made relative.

use fhir::build::Value;
use fhir::json::Document;
use flate2::read::GzDecoder;
use std::io::Read as _;
use std::path::PathBuf;

/// Returns the resources of the first few bundles, or `None` if `test` must be skipped.
pub(crate) fn synthea(test: &str, n_bundles: usize) -> Option<Vec<Document>> {
    let entries = testkit::shared(test, "synthea")?.read_dir().unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "gz"));
    files.sort();
    Some(files.iter().take(n_bundles).flat_map(resources).collect())
}

fn resources(path: &PathBuf) -> Vec<Document> {
    let mut json = String::new();
    GzDecoder::new(std::fs::File::open(path).unwrap())
        .read_to_string(&mut json)
        .unwrap();
    let bundle = Document::parse(&json).unwrap();
    for entry in bundle.root().each("entry") {
        let resource = entry.get("resource").unwrap();
        let (url, id) = (entry.text("fullUrl").unwrap(), resource.text("id").unwrap());
        let local = format!("{}/{id}", resource.resource_type().unwrap());
        json = json.replace(&*url, &local);
    }
    // Parse the bundle again, now that its references are relative.
    let bundle = Document::parse(&json).unwrap();
    let bodies = bundle
        .root()
        .each("entry")
        .map(|entry| Value::from(entry.get("resource").unwrap()));
    bodies
        .map(|body| Document::parse(body.to_bytes()).unwrap())
        .collect()
}
