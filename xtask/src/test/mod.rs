//! `cargo xtask test`: every check of the tree, in the order that fails fastest; and `--quick`, the
//! part that concerns changed crates.
//!
//! Invariants:
//! - one build serves lints and tests: the workspace's crates are compiled by `clippy-driver`,
//!   which is the compiler with the lints added, so dependencies are built once;
//! - the last lines say which tests did not run, why, and what would let them run.

mod build;
mod changed;
mod run;
mod skipped;

use crate::{clients, peers};
use build::Build;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Runs format, tidy, lints and every test, with the peers that the tests need.
pub(crate) fn run() -> Result<(), String> {
    step("format", &["fmt", "--all", "--", "--check"])?;
    crate::tidy::run()?;
    let root = crate::tidy::workspace_root();
    let target = root.join("target");
    // Packages are fetched while the compiler runs.
    let clients_folder = target.clone();
    let peers = std::thread::spawn(move || {
        let mut environment = peers::find_or_install();
        clients::find_or_install(&clients_folder, &mut environment);
        environment
    });
    let lints = build::Lints::find();
    if !lints.are_in_the_build() {
        build::Lints::apart(&["--workspace", "--all-targets", build::POSTGRES])?;
    }
    let build = Build::of(&lints, &["--workspace", "--all-targets", build::POSTGRES])?;
    let environment = peers.join().map_err(|_| "looking for peers panicked")?;
    let tests = run::all(&build.binaries, &target, &environment)?;
    build::doc_tests(&build.with_doc_tests)?;
    finish(&tests, &target)
}

/// Runs format, tidy, and the lints and tests of the crates that differ from the main branch.
pub(crate) fn quick() -> Result<(), String> {
    step("format", &["fmt", "--all", "--", "--check"])?;
    crate::tidy::run()?;
    let root = crate::tidy::workspace_root();
    let changed = changed::since_main(&root)?;
    changed.print();
    let lints = build::Lints::find();
    let mut binaries = Vec::new();
    for arguments in changed.builds() {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        if !lints.are_in_the_build() {
            build::Lints::apart(&arguments)?;
        }
        binaries.extend(Build::of(&lints, &arguments)?.binaries);
    }
    let target = root.join("target");
    let tests = run::all(&binaries, &target, &[])?;
    finish(&tests, &target)
}

/// Prints the last lines: the failures once more, and the skipped tests.
fn finish(tests: &[run::Tested], target: &Path) -> Result<(), String> {
    let failed: Vec<&run::Tested> = tests.iter().filter(|test| !test.passed).collect();
    for test in &failed {
        println!("== failed: {}\n{}", test.name, test.failures());
    }
    skipped::print(&run::logs(target))?;
    if failed.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = failed.iter().map(|test| test.name.as_str()).collect();
    Err(format!("tests failed: {}", names.join(", ")))
}

fn step(name: &str, args: &[&str]) -> Result<(), String> {
    println!("== {name}: cargo {}", args.join(" "));
    let started = Instant::now();
    let status = Command::new(env!("CARGO"))
        .args(args)
        .current_dir(crate::tidy::workspace_root())
        .status()
        .map_err(|e| format!("could not run cargo: {e}"))?;
    println!("== {name}: {:.0} s", started.elapsed().as_secs_f64());
    if status.success() {
        Ok(())
    } else {
        Err(format!("{name} failed"))
    }
}
