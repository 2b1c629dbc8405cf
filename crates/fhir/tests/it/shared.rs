//! What lies beside the checkout, when it does.

use std::io::Read;
use std::path::PathBuf;

/// The folder, or none after saying that `test` is skipped.
pub(crate) fn folder(test: &str) -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = std::env::var_os("CAUSEWAY_SHARED").map_or_else(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: {test} (no ../shared)");
    None
}

/// A gzipped file's content.
pub(crate) fn gunzip(path: &std::path::Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).unwrap();
    flate2::read::GzDecoder::new(file)
        .read_to_end(&mut bytes)
        .unwrap();
    bytes
}
