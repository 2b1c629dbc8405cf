//! The input files and their contents.

use crate::failure::Failure;
use flate2::read::MultiGzDecoder;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A file, or standard input.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) path: PathBuf,
    pub(crate) n_bytes: u64,
}

/// The content of a file.
#[derive(Debug)]
pub(crate) enum Content {
    /// A JSON document.
    Json(Vec<u8>),
    /// One JSON document per line.
    Ndjson(Vec<u8>),
    /// HL7 v2, one message or many.
    Hl7v2(Vec<u8>),
}

/// Finds the files, walking folders in order of name. Files with an unknown extension are skipped in
/// folders only.
pub(crate) fn find(paths: &[PathBuf]) -> Result<Vec<Input>, Failure> {
    let mut inputs = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            inputs.push(Input {
                path: path.clone(),
                n_bytes: 0,
            });
            continue;
        }
        let fail = |error| Failure::failed(format!("could not read `{}`: {error}", path.display()));
        let metadata = std::fs::metadata(path).map_err(fail)?;
        if metadata.is_dir() {
            walk(path, &mut inputs)?;
        } else {
            inputs.push(Input {
                path: path.clone(),
                n_bytes: metadata.len(),
            });
        }
    }
    if inputs.is_empty() {
        return Err(Failure::failed(
            "nothing to import: the folders contain no .json, .ndjson or .hl7 file (or the same with .gz)",
        ));
    }
    Ok(inputs)
}

// === impl Input ===

impl Input {
    /// Returns true if the input must be taken in order: files of messages, in order of name, and
    /// standard input, whose content is not known yet.
    pub(crate) fn is_ordered(&self) -> bool {
        let name = self.path.to_string_lossy();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        let is_json = [".json", ".ndjson"].iter().any(|end| name.ends_with(end));
        !is_json
    }
}

/// Reads a file, decompresses it and classifies its content.
pub(crate) fn read(input: &Input) -> Result<Content, String> {
    let mut bytes = Vec::new();
    if input.path.as_os_str() == "-" {
        std::io::stdin()
            .lock()
            .read_to_end(&mut bytes)
            .map_err(|error| error.to_string())?;
    } else {
        bytes = std::fs::read(&input.path).map_err(|error| error.to_string())?;
    }
    if bytes.starts_with(&[0x1F, 0x8B]) {
        let mut unpacked = Vec::new();
        MultiGzDecoder::new(bytes.as_slice())
            .read_to_end(&mut unpacked)
            .map_err(|error| format!("the gzip file is damaged: {error}"))?;
        bytes = unpacked;
    }
    Ok(classify(&input.path, bytes))
}

fn classify(path: &Path, bytes: Vec<u8>) -> Content {
    let name = path.to_string_lossy();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    if name.ends_with(".ndjson") {
        return Content::Ndjson(bytes);
    }
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'{') {
        Content::Json(bytes)
    } else {
        Content::Hl7v2(bytes)
    }
}

fn walk(folder: &Path, inputs: &mut Vec<Input>) -> Result<(), Failure> {
    let fail = |error: std::io::Error| {
        Failure::failed(format!("could not read `{}`: {error}", folder.display()))
    };
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(fail)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(fail)?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            walk(&path, inputs)?;
            continue;
        }
        let name = path.to_string_lossy();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        if [".json", ".ndjson", ".hl7"]
            .iter()
            .any(|ending| name.ends_with(ending))
        {
            let n_bytes = std::fs::metadata(&path).map_err(fail)?.len();
            inputs.push(Input { path, n_bytes });
        }
    }
    Ok(())
}
