//! Dependencies: their number, sources and licences.

use super::{Finding, read};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

const MAX_LOCK_ENTRIES: usize = 450;

/// Permissive licences, allowed for every dependency.
const PERMISSIVE: [&str; 13] = [
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "CC0-1.0",
    "Unlicense",
    "BSL-1.0",
    "Unicode-3.0",
];

/// Crates allowed under MPL-2.0, which only requires that changes to their own files stay open.
const MPL_BY_NAME: [&str; 1] = ["smartstring"];

/// Checks the number of dependencies, which determines the build time.
pub(super) fn lock_size(root: &Path) -> Result<Vec<Finding>, String> {
    let lock = read(&root.join("Cargo.lock"))?;
    let n_entries = lock.lines().filter(|line| *line == "[[package]]").count();
    if n_entries <= MAX_LOCK_ENTRIES {
        return Ok(Vec::new());
    }
    Ok(vec![format!(
        "Cargo.lock has {n_entries} entries, {MAX_LOCK_ENTRIES} at most; drop a dependency"
    )])
}

/// Checks that every dependency comes from crates.io under a licence compatible with shipping ours.
pub(super) fn licences(root: &Path) -> Result<Vec<Finding>, String> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root)
        .output()
        .map_err(|e| format!("could not run cargo metadata: {e}"))?;
    if !output.status.success() {
        return Err(format!(
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    let metadata: Value =
        serde_json::from_slice(&output.stdout).map_err(|e| format!("cargo metadata: {e}"))?;
    let packages = metadata.get("packages").and_then(Value::as_array);
    let mut findings = Vec::new();
    for package in packages.into_iter().flatten() {
        let text = |key: &str| package.get(key).and_then(Value::as_str).unwrap_or("");
        let (name, licence, source) = (text("name"), text("license"), text("source"));
        if !source.is_empty() && !source.contains("crates.io-index") {
            findings.push(format!(
                "{name}: comes from `{source}`; only crates.io is allowed"
            ));
        }
        if !allowed(name, licence) {
            findings.push(format!("{name}: licence `{licence}` is not on the list"));
        }
    }
    Ok(findings)
}

/// Evaluates an SPDX expression of `OR`, `AND` and brackets (the older `/` means `OR`).
fn allowed(name: &str, licence: &str) -> bool {
    let spaced = licence
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    any_of(name, &words, &mut at) && at == words.len()
}

fn any_of(name: &str, words: &[&str], at: &mut usize) -> bool {
    let mut result = all_of(name, words, at);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        // Both sides are always parsed, to advance past them.
        result |= all_of(name, words, at);
    }
    result
}

fn all_of(name: &str, words: &[&str], at: &mut usize) -> bool {
    let mut result = one(name, words, at);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        result &= one(name, words, at);
    }
    result
}

fn one(name: &str, words: &[&str], at: &mut usize) -> bool {
    if words.get(*at) == Some(&"(") {
        *at += 1;
        let result = any_of(name, words, at);
        *at += 1;
        return result;
    }
    let mut id = (*words.get(*at).unwrap_or(&"")).to_owned();
    *at += 1;
    if words.get(*at) == Some(&"WITH") {
        id = format!("{id} WITH {}", words.get(*at + 1).unwrap_or(&""));
        *at += 2;
    }
    let is_mpl = matches!(id.as_str(), "MPL-2.0" | "MPL-2.0+");
    PERMISSIVE.contains(&id.as_str()) || (is_mpl && MPL_BY_NAME.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn spdx_expressions() {
        for (licence, expected) in [
            ("MIT OR Apache-2.0", true),
            ("MIT/Apache-2.0", true),
            ("(MIT OR GPL-3.0) AND BSD-3-Clause", true),
            ("GPL-3.0 AND MIT", false),
            ("Apache-2.0 WITH LLVM-exception OR GPL-2.0", true),
            ("MPL-2.0", false),
            ("MPL-2.0+", false),
            ("", false),
        ] {
            assert_eq!(allowed("x", licence), expected, "{licence}");
        }
    }
}
