//! The maps that a command works with: the built-in ones, and a site's own on top.

use crate::failure::Failure;
use mapping::{Diagnostic, MapSet};
use std::path::Path;

/// The built-in maps with the `.map` files of a folder (or one file) on top. A map with an error is
/// refused with file, line, reason and remedy.
pub(crate) fn load(own: Option<&Path>) -> Result<MapSet, Failure> {
    let files = match own {
        Some(path) => read(path)?,
        None => Vec::new(),
    };
    let named = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()));
    MapSet::with(named).map_err(|found| refused(&found))
}

fn refused(found: &[Diagnostic]) -> Failure {
    let lines: Vec<String> = found
        .iter()
        .filter(|one| one.is_error())
        .map(ToString::to_string)
        .collect();
    Failure::failed(format!("the maps are refused\n{}", lines.join("\n")))
}

fn read(path: &Path) -> Result<Vec<(String, String)>, Failure> {
    let fail = |path: &Path, error: std::io::Error| {
        Failure::failed(format!(
            "could not read the maps at `{}`: {error}",
            path.display()
        ))
    };
    let mut paths = Vec::new();
    if path.is_dir() {
        for entry in std::fs::read_dir(path).map_err(|error| fail(path, error))? {
            let entry = entry.map_err(|error| fail(path, error))?.path();
            if entry.extension().is_some_and(|ending| ending == "map") {
                paths.push(entry);
            }
        }
        paths.sort();
    } else {
        paths.push(path.to_owned());
    }
    paths
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).map_err(|error| fail(&path, error))?;
            Ok((path.display().to_string(), text))
        })
        .collect()
}
