//! Files and standard input.

use crate::failure::Failure;
use hl7v2::batch::Batch;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The input size limit: larger than any message or bundle, so a larger input is a mistake.
const MAX_BYTES: u64 = 1 << 30;

/// Reads the bytes of a file, or of standard input for `-`.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let result = if path.as_os_str() == "-" {
        read_to_end(io::stdin().lock())
    } else {
        File::open(path).and_then(read_to_end)
    };
    let bytes = result.map_err(|error| {
        Failure::failed(format!("could not read `{}`: {error}", path.display()))
    })?;
    if bytes.len() as u64 == MAX_BYTES {
        return Err(Failure::failed(format!(
            "`{}` is larger than 1 GiB",
            path.display()
        )));
    }
    Ok(bytes)
}

fn read_to_end(input: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Returns the messages of a file in order, and whether its envelope, if any, matches them;
/// mismatches go to standard error.
pub(crate) fn messages(path: &Path, bytes: Vec<u8>) -> Result<(Batch, bool), Failure> {
    let batch = hl7v2::batch::read(bytes);
    if batch.messages.is_empty() {
        return Err(Failure::failed(format!(
            "`{}` contains no HL7 v2 message (no MSH)",
            path.display()
        )));
    }
    for issue in &batch.issues {
        eprintln!("causeway: {}: {issue}", path.display());
    }
    let fits = batch.issues.is_empty();
    Ok((batch, fits))
}
