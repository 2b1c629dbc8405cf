//! Checks of the text of files.

use super::{Finding, files, read, shown};
use std::path::Path;

const MAX_LINES: usize = 600;

/// Generated tables, which nobody reads from top to bottom.
const LONG_BY_DESIGN: [&str; 0] = [];

/// Names that say nothing about the contents of a file.
const EMPTY_NAMES: [&str; 9] = [
    "utils",
    "util",
    "common",
    "helper",
    "helpers",
    "manager",
    "processor",
    "sink",
    "core",
];

/// Checks that files are short enough to hold one idea.
pub(super) fn file_sizes(root: &Path) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    for path in sources(root)? {
        let n_lines = read(&path)?.lines().count();
        let file = shown(root, &path);
        if MAX_LINES < n_lines && !LONG_BY_DESIGN.contains(&file.as_str()) {
            findings.push(format!(
                "{file}: {n_lines} lines, {MAX_LINES} at most; split it by idea"
            ));
        }
    }
    Ok(findings)
}

/// Checks that files and folders are named after their contents.
pub(super) fn names(root: &Path) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    for path in sources(root)? {
        let file = shown(root, &path);
        let bad = file
            .split('/')
            .map(|part| part.trim_end_matches(".rs"))
            .find(|part| EMPTY_NAMES.contains(part));
        if let Some(bad) = bad {
            findings.push(format!("{file}: `{bad}` says nothing; name the idea"));
        }
    }
    Ok(findings)
}

/// Checks that lint exceptions have a reason and that no test is ignored.
pub(super) fn lint_exceptions(root: &Path) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    for path in sources(root)? {
        let file = shown(root, &path);
        if file.starts_with("xtask/src/tidy/") {
            continue;
        }
        let text = read(&path)?;
        for (at, _) in text.match_indices("#[ignore") {
            findings.push(format!(
                "{file}:{}: a test is switched off",
                line_of(&text, at)
            ));
        }
        for opening in ["#[allow(", "#![allow(", "#[expect(", "#![expect("] {
            for (at, _) in text.match_indices(opening) {
                let attribute = text
                    .get(at..)
                    .and_then(|rest| rest.split(']').next())
                    .unwrap_or("");
                if !attribute.contains("reason") {
                    let line = line_of(&text, at);
                    findings.push(format!(
                        "{file}:{line}: a lint exception without `reason = \"…\"`"
                    ));
                }
            }
        }
    }
    Ok(findings)
}

/// Checks that no shared file contains a path of one machine.
pub(super) fn machine_traces(root: &Path) -> Result<Vec<Finding>, String> {
    let traces = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
    ];
    let mut findings = Vec::new();
    for path in files(
        root,
        &[
            ".rs", ".md", ".toml", ".map", ".html", ".js", ".css", ".yml",
        ],
    )? {
        let text = read(&path)?;
        for trace in traces {
            if let Some(at) = text.find(trace) {
                let (file, line) = (shown(root, &path), line_of(&text, at));
                findings.push(format!(
                    "{file}:{line}: contains a path of one machine (`{trace}`)"
                ));
            }
        }
    }
    Ok(findings)
}

fn sources(root: &Path) -> Result<Vec<std::path::PathBuf>, String> {
    let mut all = files(&root.join("crates"), &[".rs"])?;
    all.extend(files(&root.join("xtask"), &[".rs"])?);
    Ok(all)
}

fn line_of(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or("").lines().count().max(1)
}
