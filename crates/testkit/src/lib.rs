//! Support for tests: data beside the checkout, and a record of tests that could not run.
//!
//! A test that lacks its data or a program calls [`skipped`] and returns. The harness counts it as passed, so
//! the skip is reported another way: it is appended to the file that `CAUSEWAY_SKIPPED` names (`cargo xtask
//! test` sets it and reads the file at the end), or written to standard error past the harness, which hides
//! the output of passing tests.

mod shared;

pub use shared::shared;

use std::fs::File;
use std::io::Write;

/// Records that `test` did not run, why not, and what would let it run.
///
/// One line, its fields separated by tabs, in one write: tests run in parallel.
pub fn skipped(test: &str, why: &str, remedy: &str) {
    let told = std::env::var_os("CAUSEWAY_SKIPPED").is_some_and(|path| {
        let file = File::options().create(true).append(true).open(path);
        let line = format!("{test}\t{why}\t{remedy}\n");
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .is_ok()
    });
    if !told {
        // A macro such as `eprintln!` would be captured.
        let _ = writeln!(std::io::stderr(), "skipped: {test}: {why}; {remedy}");
    }
}
