//! Runs test binaries two at a time, the longest first.
//!
//! The long-running ones spend most of their time waiting for disks, restarts and timeouts, so two
//! at a time keep two processors busy. The output of a binary is printed in one piece when it has
//! ended.

use super::build::Binary;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

const AT_ONCE: usize = 2;

/// Binaries to start first, because otherwise the run would end waiting for one of them alone.
const LONGEST_FIRST: [&str; 6] = [
    "flow crash",
    "causeway it",
    "flow it",
    "store crash",
    "store it",
    "causeway crash",
];

/// A binary that ran.
pub(super) struct Tested {
    pub(super) name: String,
    pub(super) passed: bool,
    output: String,
}

/// Returns the folder for the output of the tests and the lists of skipped ones.
pub(super) fn logs(target: &Path) -> PathBuf {
    target.join("tests")
}

/// Runs all binaries, even after a failure.
pub(super) fn all(
    binaries: &[Binary],
    target: &Path,
    environment: &[(String, String)],
) -> Result<Vec<Tested>, String> {
    let logs = logs(target);
    let _ = fs::remove_dir_all(&logs);
    fs::create_dir_all(&logs).map_err(|e| format!("{}: {e}", logs.display()))?;
    let started = Instant::now();
    let mut ordered: Vec<&Binary> = binaries.iter().collect();
    ordered.sort_by_key(|binary| {
        let name = binary.name();
        let place = LONGEST_FIRST.iter().position(|first| *first == name);
        (place.unwrap_or(LONGEST_FIRST.len()), name)
    });
    let waiting = Mutex::new(VecDeque::from(ordered));
    // A function, so that the lock is released before the binary runs.
    let next = || lock(&waiting).pop_front();
    let tested = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(binary) = next() {
                    let test = one(binary, &logs, environment);
                    lock(&tested).push(test);
                }
            });
        }
    });
    println!("== tests: {:.0} s", started.elapsed().as_secs_f64());
    Ok(tested.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs one binary as Cargo would: in its package's folder, with its package's variables.
fn one(binary: &Binary, logs: &Path, environment: &[(String, String)]) -> Tested {
    let name = binary.name();
    let started = Instant::now();
    let path = logs.join(name.replace(' ', "-"));
    let run = || -> std::io::Result<bool> {
        let log = File::create(path.with_extension("log"))?;
        let status = Command::new(&binary.executable)
            .current_dir(&binary.folder)
            .env("CARGO", env!("CARGO"))
            .env("CARGO_MANIFEST_DIR", &binary.folder)
            .env("CARGO_PKG_NAME", &binary.package)
            .env("CAUSEWAY_SKIPPED", path.with_extension("skipped"))
            .envs(environment.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .status()?;
        Ok(status.success())
    };
    let ran = run();
    let mut output = fs::read(path.with_extension("log")).map_or_else(
        |_| String::new(),
        |bytes| String::from_utf8_lossy(&bytes).into_owned(),
    );
    if let Err(error) = &ran {
        let _ = writeln!(output, "{}: {error}", binary.executable.display());
    }
    // In one piece, so that the other binary's lines do not mix with it.
    print!(
        "== {name}\n{}== {name}: {:.1} s\n",
        output.trim_start_matches('\n'),
        started.elapsed().as_secs_f64()
    );
    Tested {
        name,
        passed: ran.unwrap_or(false),
        output,
    }
}

// === impl Tested ===

impl Tested {
    /// Returns the harness's failure report, or the last lines where there is none.
    pub(super) fn failures(&self) -> &str {
        if let Some(at) = self.output.find("\nfailures:\n") {
            return self.output.get(at..).unwrap_or_default().trim();
        }
        let line = |(at, _): (usize, &str)| at + 1;
        let from = self.output.rmatch_indices('\n').nth(20).map_or(0, line);
        self.output.get(from..).unwrap_or_default().trim()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_cut_out() {
        let tested = |output: &str| Tested {
            name: "flow it".to_owned(),
            passed: false,
            output: output.to_owned(),
        };
        let harness = "test a ... FAILED\n\nfailures:\n\n---- a stdout ----\nboom\n";
        assert_eq!(
            tested(harness).failures(),
            "failures:\n\n---- a stdout ----\nboom"
        );
        assert_eq!(tested("killed").failures(), "killed");
        let long = "line\n".repeat(100);
        assert_eq!(tested(&long).failures().lines().count(), 20);
    }
}
