//! `causeway check`: checks the configuration, flows and maps without starting the server.
//!
//! Invariants:
//! - whatever `serve` would refuse is an error here, with the same text;
//! - a failing test in a map file is an error; a doubt about the site's own maps is a warning and does
//!   not change the exit code.

use crate::cli::{Check, Format};
use crate::config::{Config, Mistake};
use crate::failure::Failure;
use crate::maps::{Inspected, missing_dialects};
use base::Severity;
use mapping::{Diagnostic, Trial};
use serde_json::{Value, json};
use std::fmt;
use std::path::Path;
use std::process::ExitCode;

/// The results of a check.
#[derive(Default)]
struct Checked {
    findings: Vec<Finding>,
    tests: Option<Tests>,
}

/// An error or a warning.
struct Finding {
    severity: Severity,
    file: String,
    line: Option<usize>,
    column: Option<u32>,
    message: String,
    remedy: Option<String>,
}

/// The results of the tests in the map files.
#[derive(Default)]
struct Tests {
    ran: usize,
    of_site: usize,
    failed: usize,
}

pub(crate) fn run(args: &Check) -> Result<ExitCode, Failure> {
    let mut checked = Checked::default();
    let config = match Config::read(&args.config) {
        Ok(config) => Some(config),
        Err(mistakes) => {
            checked.findings.extend(mistakes.iter().map(Finding::of));
            None
        }
    };
    if let Some(config) = &config {
        let inspected = Inspected::read(config.maps.folder.as_deref())?;
        checked.inspect(config, &inspected, &args.config.display().to_string());
    }
    match args.format {
        Format::Json => println!("{}", checked.to_json(args, config.as_ref())),
        Format::Table => checked.print(args, config.as_ref()),
    }
    Ok(match checked.n_errors() {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

// === impl Checked ===

impl Checked {
    fn inspect(&mut self, config: &Config, inspected: &Inspected, file: &str) {
        let found = inspected.errors.iter().chain(&inspected.warnings);
        self.findings.extend(found.map(Finding::of_map));
        let dialects = missing_dialects(&config.flows, &inspected.maps).into_iter();
        self.findings
            .extend(dialects.map(|message| Finding::error(file, message)));
        let open = crate::private::warnings(&config.data_dir);
        self.findings
            .extend(open.iter().map(|(path, why)| Finding::open(path, why)));
        // Refused maps cannot be tested.
        if !inspected.errors.is_empty() {
            return;
        }
        let mut tests = Tests::default();
        for trial in inspected.run_tests() {
            tests.ran += 1;
            tests.of_site += usize::from(inspected.is_own(&trial));
            tests.failed += usize::from(!trial.failures.is_empty());
            self.findings.extend(Finding::of_trial(&trial));
        }
        self.tests = Some(tests);
    }

    fn n_errors(&self) -> usize {
        let found = self.findings.iter();
        found
            .filter(|found| Severity::Error <= found.severity)
            .count()
    }

    /// Prints errors to standard error and the rest to standard output, so that a script sees the
    /// errors even if it discards the rest.
    fn print(&self, args: &Check, config: Option<&Config>) {
        for found in &self.findings {
            if Severity::Error <= found.severity {
                eprintln!("{found}");
            } else {
                println!("{found}");
            }
        }
        let file = args.config.display();
        let (n_errors, n_warnings) = (self.n_errors(), self.findings.len() - self.n_errors());
        let tests = self.tests.as_ref().map_or_else(
            || "the tests in the maps did not run".to_owned(),
            Tests::words,
        );
        let Some(config) = config.filter(|_| n_errors == 0) else {
            eprintln!(
                "causeway: {file}: refused: {}; {tests}",
                counted(n_errors, "error")
            );
            return;
        };
        println!(
            "{file}: ok: {}, data in {}, HTTP on {}; {tests}; {}",
            counted(config.flows.len(), "flow"),
            config.data_dir.display(),
            config.http.listen,
            counted(n_warnings, "warning"),
        );
    }

    fn to_json(&self, args: &Check, config: Option<&Config>) -> Value {
        let tests = self.tests.as_ref().map(
            |tests| json!({ "ran": tests.ran, "ofSite": tests.of_site, "failed": tests.failed }),
        );
        let findings: Vec<Value> = self.findings.iter().map(Finding::to_json).collect();
        json!({
            "configuration": args.config.display().to_string(),
            "ok": self.n_errors() == 0,
            "flows": config.map(|config| config.flows.len()),
            "data": config.map(|config| config.data_dir.display().to_string()),
            "http": config.map(|config| config.http.listen.to_string()),
            "tests": tests,
            "findings": findings,
        })
    }
}

// === impl Tests ===

impl Tests {
    fn words(&self) -> String {
        format!(
            "{} in the maps ran ({} from the site), {} failed",
            counted(self.ran, "test"),
            self.of_site,
            self.failed
        )
    }
}

// === impl Finding ===

impl Finding {
    fn error(file: &str, message: String) -> Self {
        Self {
            severity: Severity::Error,
            file: file.to_owned(),
            line: None,
            column: None,
            message,
            remedy: None,
        }
    }

    fn of(mistake: &Mistake) -> Self {
        Self {
            line: mistake.line,
            remedy: Some(mistake.remedy.clone()),
            ..Self::error(&mistake.file.display().to_string(), mistake.reason.clone())
        }
    }

    fn open(path: &Path, why: &str) -> Self {
        let path = path.display().to_string();
        Self {
            severity: Severity::Warning,
            remedy: Some(format!("As its owner, run: chmod -R go= {path}")),
            ..Self::error(
                &path,
                format!("is accessible to other users and may hold patient data: {why}"),
            )
        }
    }

    fn of_map(found: &Diagnostic) -> Self {
        Self {
            severity: found.severity,
            line: Some(found.spot.line as usize),
            column: Some(found.spot.column),
            remedy: found
                .remedy
                .as_ref()
                .map(|remedy| format!("Write: {remedy}")),
            ..Self::error(&found.file, found.message.clone())
        }
    }

    fn of_trial(trial: &Trial) -> Vec<Self> {
        let under = match &trial.dialect {
            Some(dialect) => format!(" (under dialect {dialect})"),
            None => String::new(),
        };
        let one = |(spot, why): &(mapping::Spot, String)| Self {
            line: Some(spot.line as usize),
            column: Some(spot.column),
            ..Self::error(
                &trial.file,
                format!("test \"{}\"{under}: {why}", trial.name),
            )
        };
        trial.failures.iter().map(one).collect()
    }

    fn to_json(&self) -> Value {
        json!({
            "severity": self.severity.code(),
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "message": self.message,
            "remedy": self.remedy,
        })
    }
}

/// Formats `own.map:2:7: error: …`, with the remedy on a line of its own.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(column) = self.column {
            write!(f, ":{column}")?;
        }
        write!(f, ": {}: {}", self.severity.code(), self.message)?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n  {remedy}"),
            None => Ok(()),
        }
    }
}

/// Formats a count, such as `1 flow` or `2 flows`.
fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
