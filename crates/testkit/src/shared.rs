//! Data from other sources that is not part of the repository: the folder that `CAUSEWAY_SHARED` names, or
//! `shared` beside the checkout.
//!
//! `testdata/shared.sha256` lists each file that a test reads, in the format of `sha256sum`. After a
//! deliberate change, regenerate it in that folder:
//! `find fhirpath hl7v2-pairs synthea packages/hl7.fhir.r4.core.tgz packages/us_core_610.tgz -type f
//! | LC_ALL=C sort | xargs -d '\n' sha256sum`.

use crate::skipped;
use std::path::{Path, PathBuf};

/// Returns the path in the folder, or nothing after recording that `test` was skipped.
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    /// Returns the files whose content differs from the list, each with its fault.
    fn differing(folder: &Path, list: &str) -> Vec<String> {
        let mut differing = Vec::new();
        for line in list.lines() {
            let (expected, path) = line.split_once("  ").unwrap();
            match std::fs::read(folder.join(path)) {
                Err(error) => differing.push(format!("{path}: {error}")),
                Ok(content) => {
                    let found = format!("{:x}", Sha256::digest(content));
                    if found != expected {
                        differing.push(format!("{path}: SHA-256 {found}, expected {expected}"));
                    }
                }
            }
        }
        differing
    }

    #[test]
    fn shared_data_is_what_the_tests_were_written_against() {
        let test = "shared_data_is_what_the_tests_were_written_against";
        if shared(test, "fhirpath").is_none() {
            return;
        }
        let list = include_str!("../../../testdata/shared.sha256");
        let differing = differing(&folder(), list);
        assert!(differing.is_empty(), "{differing:#?}");
    }

    #[test]
    fn a_changed_and_a_missing_file_are_named() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let list = "00  Cargo.toml\n00  nowhere\n";
        let differing = differing(here, list);
        assert!(
            differing[0].starts_with("Cargo.toml: SHA-256 "),
            "{differing:?}"
        );
        assert!(differing[1].starts_with("nowhere: "), "{differing:?}");
    }
}
