//! Checks of the tree that no compiler makes: walls, file sizes, names, citations, licences.
//!
//! Each check reads the current tree and returns its findings, one line each with file, problem and
//! remedy. An empty list is a clean tree.

mod citations;
mod commands;
mod licences;
mod numbers;
mod text;
mod tree;
mod walls;

use std::fs;
use std::path::{Path, PathBuf};

/// A finding: place, problem, remedy.
pub(crate) type Finding = String;

/// A check of the tree that returns its findings.
type Check = fn(&Path) -> Result<Vec<Finding>, String>;

/// Runs every check and prints the findings.
pub(crate) fn run() -> Result<(), String> {
    let root = workspace_root();
    let checks: [(&str, Check); 12] = [
        ("walls", walls::imports),
        ("system permit callers", walls::system_permits),
        ("file sizes", text::file_sizes),
        ("names", text::names),
        ("lint exceptions", text::lint_exceptions),
        ("traces of a machine", text::machine_traces),
        ("cited files", citations::paths),
        ("cited items", citations::items),
        ("cited laws and promises", numbers::cited),
        ("cited tests", commands::tests),
        ("dependency count", licences::lock_size),
        ("licences and sources", licences::licences),
    ];
    let mut n_failed = 0;
    for (name, check) in checks {
        let findings = check(&root)?;
        for finding in &findings {
            println!("tidy: {name}: {finding}");
        }
        n_failed += usize::from(!findings.is_empty());
    }
    println!(
        "tidy: {} passed, {n_failed} failed",
        checks.len() - n_failed
    );
    if n_failed == 0 {
        Ok(())
    } else {
        Err("the tree is not tidy".to_owned())
    }
}

/// Returns the folder of the workspace's manifest.
pub(crate) fn workspace_root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

/// Returns every file below `folder` whose name ends in one of `endings`, sorted.
pub(crate) fn files(folder: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        if !folder.is_dir() {
            continue;
        }
        let entries = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        for entry in entries {
            let path = entry
                .map_err(|e| format!("{}: {e}", folder.display()))?
                .path();
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("");
            if path.is_dir() {
                if !name.starts_with("target") && !name.starts_with('.') {
                    open.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Reads a file's text.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// Formats a path relative to the workspace's root.
pub(crate) fn shown(root: &Path, path: &Path) -> String {
    path.strip_prefix(root)
        .unwrap_or(path)
        .display()
        .to_string()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_is_tidy() {
        super::run().unwrap();
    }
}
