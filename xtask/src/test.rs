//! `cargo xtask test`: everything that says whether the tree is right, in the order that fails fastest.

use crate::{clients, peers};
use std::process::Command;
use std::time::Instant;

/// Runs format, lints, tidy and every test, with the peers that the tests need.
pub(crate) fn run() -> Result<(), String> {
    step("format", &["fmt", "--all", "--", "--check"], &[])?;
    crate::tidy::run()?;
    step(
        "lints",
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            // What the default build leaves out.
            "--features=store/postgres",
            "--",
            "-D",
            "warnings",
        ],
        &[],
    )?;
    let mut peers = peers::find_or_install();
    let target = crate::tidy::workspace_root().join("target");
    clients::find_or_install(&target, &mut peers.environment, &mut peers.missing);
    // One build for all: the binary is what the end-to-end tests drive.
    step(
        "tests",
        &["test", "--workspace", "--locked", "--features=store/postgres"],
        &peers.environment,
    )?;
    for skipped in &peers.missing {
        println!("skipped: {skipped}");
    }
    Ok(())
}

fn step(name: &str, args: &[&str], environment: &[(String, String)]) -> Result<(), String> {
    println!("== {name}: cargo {}", args.join(" "));
    let started = Instant::now();
    let status = Command::new(env!("CARGO"))
        .args(args)
        .envs(environment.iter().map(|(key, value)| (key, value)))
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
