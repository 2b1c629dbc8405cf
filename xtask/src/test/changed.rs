//! Differences from the main branch, committed or not, and the tests that the fast lane runs for
//! them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// The changed crates, each with those of its integration binaries of which a file changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    crates: BTreeMap<String, BTreeSet<String>>,
    /// Crates without a library.
    programs: BTreeSet<String>,
    postgres: bool,
    /// Files that belong to no crate.
    beside: Vec<String>,
}

/// Asks Git for the differences.
pub(super) fn since_main(root: &Path) -> Result<Changed, String> {
    let base = ["origin/main", "main"]
        .iter()
        .find_map(|main| git(root, &["merge-base", main, "HEAD"]).ok())
        .ok_or("no branch origin/main or main to compare with")?;
    let committed = git(root, &["diff", "--name-only", "--no-renames", base.trim()])?;
    let new = git(root, &["ls-files", "--others", "--exclude-standard"])?;
    let mut changed = of(committed.lines().chain(new.lines()));
    // A removed crate has nothing to test.
    changed
        .crates
        .retain(|name, _| folder(root, name).join("Cargo.toml").is_file());
    for (name, tests) in &mut changed.crates {
        let folder = folder(root, name);
        tests.retain(|test| folder.join("tests").join(test).join("main.rs").is_file());
        if !folder.join("src/lib.rs").is_file() {
            changed.programs.insert(name.clone());
        }
    }
    Ok(changed)
}

fn folder(root: &Path, name: &str) -> std::path::PathBuf {
    match name {
        "xtask" => root.join(name),
        name => root.join("crates").join(name),
    }
}

fn git(root: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(root)
        .output()
        .map_err(|e| format!("could not run git: {e}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn of<'a>(files: impl Iterator<Item = &'a str>) -> Changed {
    let mut changed = Changed::default();
    for file in files {
        let parts: Vec<&str> = file.split('/').collect();
        let (name, rest) = match parts.as_slice() {
            ["crates", name, rest @ ..] => (*name, rest),
            ["xtask", rest @ ..] => ("xtask", rest),
            // The maps are part of the program that reads them.
            ["maps", rest @ ..] => ("mapping", rest),
            _ => {
                changed.beside.push(file.to_owned());
                continue;
            }
        };
        let tests = changed.crates.entry(name.to_owned()).or_default();
        if let ["tests", test, _, ..] = rest {
            tests.insert((*test).to_owned());
        }
        changed.postgres |= name == "store" && file.contains("postgres");
    }
    changed
}

// === impl Changed ===

impl Changed {
    pub(super) fn print(&self) {
        let mut shown: Vec<String> = Vec::new();
        for (name, tests) in &self.crates {
            let tests: Vec<&str> = tests.iter().map(String::as_str).collect();
            shown.push(match tests.as_slice() {
                [] => name.clone(),
                tests => format!("{name} (with {})", tests.join(", ")),
            });
        }
        if shown.is_empty() {
            shown.push("none".to_owned());
        }
        println!("== changed crates: {}", shown.join(", "));
        if !self.beside.is_empty() {
            println!("== {} changed files belong to no crate", self.beside.len());
        }
        println!(
            "== not here: crates that depend on these, and integration tests of which no file changed \
             (cargo xtask test)"
        );
    }

    /// Returns the arguments of each build: one for all unit tests, one for each integration
    /// binary.
    pub(super) fn builds(&self) -> Vec<Vec<String>> {
        let mut builds = Vec::new();
        if self.crates.is_empty() {
            return builds;
        }
        let mut units: Vec<String> = Vec::new();
        for name in self.crates.keys() {
            units.extend(["-p".to_owned(), name.clone()]);
        }
        units.push("--bins".to_owned());
        // Cargo fails where none has a library.
        if self.programs.len() < self.crates.len() {
            units.push("--lib".to_owned());
        }
        builds.push(units);
        for (name, tests) in &self.crates {
            for test in tests {
                let words = ["-p", name.as_str(), "--test", test.as_str()];
                builds.push(words.map(str::to_owned).to_vec());
            }
        }
        if self.postgres {
            for build in &mut builds {
                if build.iter().any(|word| word == "store") {
                    build.push(super::build::POSTGRES.to_owned());
                }
            }
        }
        builds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_tell_what_is_built() {
        let changed = of([
            "crates/flow/src/lib.rs",
            "crates/store/src/backend/postgres/mod.rs",
            "crates/store/tests/crash/rot.rs",
            "maps/adt/a01.map",
            "README.md",
        ]
        .into_iter());
        let builds: Vec<String> = changed.builds().iter().map(|b| b.join(" ")).collect();
        assert_eq!(
            builds,
            [
                "-p flow -p mapping -p store --bins --lib --features=store/postgres",
                "-p store --test crash --features=store/postgres",
            ]
        );
        assert_eq!(changed.beside, ["README.md"]);
        assert!(of([].into_iter()).builds().is_empty());
    }
}
