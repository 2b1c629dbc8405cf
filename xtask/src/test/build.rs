//! Test binaries, built together with the lints in one pass where possible.

use super::step;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Feature that the default build leaves out and the full test run includes.
pub(super) const POSTGRES: &str = "--features=store/postgres";

/// The source of the lints.
pub(super) struct Lints {
    /// Compiler with the lints added, where the toolchain has it.
    driver: Option<PathBuf>,
}

/// A test binary and the settings that Cargo gives to one it runs.
#[derive(Clone, Debug)]
pub(super) struct Binary {
    pub(super) package: String,
    /// `lib`, `bin` or `test`.
    pub(super) kind: String,
    pub(super) target: String,
    pub(super) executable: PathBuf,
    pub(super) folder: PathBuf,
}

/// The result of one build.
pub(super) struct Build {
    pub(super) binaries: Vec<Binary>,
    /// Packages whose documentation examples are tests.
    pub(super) with_doc_tests: Vec<String>,
}

// === impl Lints ===

impl Lints {
    pub(super) fn find() -> Self {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let root = Command::new(rustc).args(["--print", "sysroot"]).output();
        let driver = root.ok().map(|output| {
            let root = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            Path::new(&root).join("bin/clippy-driver")
        });
        Self {
            driver: driver.filter(|driver| driver.is_file()),
        }
    }

    pub(super) fn are_in_the_build(&self) -> bool {
        self.driver.is_some()
    }

    /// Runs the lints as a separate step.
    pub(super) fn apart(arguments: &[&str]) -> Result<(), String> {
        let mut all = vec!["clippy", "--locked"];
        all.extend(arguments);
        all.extend(["--", "-D", "warnings"]);
        step("lints", &all)
    }
}

// === impl Binary ===

impl Binary {
    /// Returns the name: `flow it`, `flow lib`, `causeway bin`.
    pub(super) fn name(&self) -> String {
        let target = match self.kind.as_str() {
            "test" => &self.target,
            kind => kind,
        };
        format!("{} {target}", self.package)
    }

    fn of(artifact: &Value) -> Option<Self> {
        let executable = artifact.get("executable")?.as_str()?;
        let is_test = artifact.pointer("/profile/test")?.as_bool()?;
        let kind = artifact.pointer("/target/kind/0")?.as_str()?;
        // Benchmarks are built for the lints, and not run.
        if !is_test || !["lib", "bin", "test"].contains(&kind) {
            return None;
        }
        Some(Self {
            package: package(artifact)?,
            kind: kind.to_owned(),
            target: artifact.pointer("/target/name")?.as_str()?.to_owned(),
            executable: PathBuf::from(executable),
            folder: folder(artifact)?,
        })
    }
}

fn folder(artifact: &Value) -> Option<PathBuf> {
    let manifest = Path::new(artifact.get("manifest_path")?.as_str()?);
    Some(manifest.parent()?.to_owned())
}

/// Returns the package's name, which is also the name of its folder here.
fn package(artifact: &Value) -> Option<String> {
    Some(folder(artifact)?.file_name()?.to_str()?.to_owned())
}

// === impl Build ===

impl Build {
    /// Builds the tests that the arguments select, without running them.
    pub(super) fn of(lints: &Lints, arguments: &[&str]) -> Result<Self, String> {
        let name = if lints.are_in_the_build() {
            "lints and build"
        } else {
            "build"
        };
        let shown = format!("cargo test --no-run {}", arguments.join(" "));
        println!("== {name}: {shown}");
        let started = Instant::now();
        let mut command = Command::new(env!("CARGO"));
        command
            .args(["test", "--no-run", "--locked"])
            .arg("--message-format=json-render-diagnostics")
            .args(arguments)
            .current_dir(crate::tidy::workspace_root())
            .stdout(Stdio::piped());
        if let Some(driver) = &lints.driver {
            // As `cargo clippy` does; the marker ends an argument.
            command
                .env("RUSTC_WORKSPACE_WRAPPER", driver)
                .env("CLIPPY_ARGS", "-Dwarnings__CLIPPY_HACKERY__");
        }
        let mut child = command
            .spawn()
            .map_err(|e| format!("could not run cargo: {e}"))?;
        let mut build = Self {
            binaries: Vec::new(),
            with_doc_tests: Vec::new(),
        };
        let stdout = child.stdout.take().ok_or("cargo has no output")?;
        for line in BufReader::new(stdout).lines() {
            let line = line.map_err(|e| format!("cargo's output: {e}"))?;
            build.take(&line);
        }
        let status = child.wait().map_err(|e| format!("cargo: {e}"))?;
        println!("== {name}: {:.0} s", started.elapsed().as_secs_f64());
        if status.success() {
            Ok(build)
        } else {
            Err(format!("{name} failed"))
        }
    }

    /// Handles one line of Cargo's messages.
    fn take(&mut self, line: &str) {
        let Ok(artifact) = serde_json::from_str::<Value>(line) else {
            return;
        };
        if artifact.get("reason").and_then(Value::as_str) != Some("compiler-artifact") {
            return;
        }
        self.binaries.extend(Binary::of(&artifact));
        let own = artifact
            .get("package_id")
            .and_then(Value::as_str)
            .is_some_and(|id| id.starts_with("path+"));
        let doc = artifact.pointer("/target/doctest").and_then(Value::as_bool);
        if own && doc == Some(true) {
            self.with_doc_tests.extend(package(&artifact));
        }
    }
}

/// Runs documentation examples of packages without `doctest = false`.
pub(super) fn doc_tests(packages: &[String]) -> Result<(), String> {
    let mut packages: Vec<&str> = packages.iter().map(String::as_str).collect();
    packages.sort_unstable();
    packages.dedup();
    if packages.is_empty() {
        return Ok(());
    }
    let mut arguments = vec!["test", "--locked", "--doc"];
    for package in packages {
        arguments.extend(["-p", package]);
    }
    step("examples in documentation", &arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(kind: &str, is_test: bool, executable: &str) -> String {
        format!(
            r#"{{"reason":"compiler-artifact","package_id":"path+file:///w/crates/flow#0.1.0",
            "manifest_path":"/w/crates/flow/Cargo.toml",
            "target":{{"kind":["{kind}"],"name":"it","doctest":false}},
            "profile":{{"test":{is_test}}},"executable":{executable}}}"#
        )
    }

    #[test]
    fn what_is_run_is_read_from_cargo() {
        let mut build = Build {
            binaries: Vec::new(),
            with_doc_tests: Vec::new(),
        };
        build.take(&artifact("test", true, r#""/t/it-1""#));
        build.take(&artifact("bench", true, r#""/t/parse-1""#));
        build.take(&artifact("bin", false, r#""/t/causeway""#));
        build.take(&artifact("lib", false, "null"));
        build.take("not JSON");
        let names: Vec<String> = build.binaries.iter().map(Binary::name).collect();
        assert_eq!(names, ["flow it"]);
        assert_eq!(build.binaries[0].folder, Path::new("/w/crates/flow"));
        assert!(build.with_doc_tests.is_empty());
        let library = artifact("lib", false, "null");
        build.take(&library.replace(r#""doctest":false"#, r#""doctest":true"#));
        assert_eq!(build.with_doc_tests, ["flow"]);
    }
}
