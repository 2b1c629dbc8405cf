//! Data that others wrote and that is not part of the repository: the folder that `CAUSEWAY_SHARED`
//! names, or `shared` beside the checkout.

use crate::skipped;
use std::path::{Path, PathBuf};

/// What is at `path` in the folder, or nothing after recording that `test` was skipped.
pub fn shared(test: &str, path: &str) -> Option<PathBuf> {
    let found = folder().join(path);
    if found.exists() {
        return Some(found);
    }
    skipped(
        test,
        &format!("no {path} in the folder of shared test data"),
        "set CAUSEWAY_SHARED to that folder",
    );
    None
}

fn folder() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    std::env::var_os("CAUSEWAY_SHARED").map_or_else(beside, PathBuf::from)
}
