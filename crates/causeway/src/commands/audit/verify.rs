//! `causeway audit verify`: checks the log on disk, and checks it against heads kept elsewhere.

use super::own_key;
use crate::cli::{Audit, Format};
use crate::failure::Failure;
use security::{Head, HeadPublicKey, SignedHead};
use std::path::Path;
use std::process::ExitCode;
use store::audit::Report;

/// The contents of a file of heads.
#[derive(Default)]
struct HeadsFile {
    heads: Vec<Head>,
    /// The lines that are not valid heads, and why.
    faults: Vec<String>,
}

pub(super) fn run(
    args: &Audit,
    folder: &Path,
    heads: Option<&Path>,
    key: Option<&str>,
) -> Result<ExitCode, Failure> {
    let failed = |error: store::audit::ReadError| Failure::from_error(&error);
    let Some(file) = heads else {
        let report = store::audit::verify(folder).map_err(failed)?;
        return Ok(print_report(
            args.format,
            &report,
            &report_faults(&report),
            None,
        ));
    };
    let file_heads = HeadsFile::read(file, &trusted(args, key)?)?;
    let pairs = |heads: &[Head]| -> Vec<(u64, [u8; 32])> {
        heads
            .iter()
            .map(|head| (head.position, head.hash))
            .collect()
    };
    let name = store::audit::name(folder).map_err(failed)?;
    let (own, others): (Vec<Head>, Vec<Head>) = file_heads
        .heads
        .into_iter()
        .partition(|head| Some(head.log) == name);
    let report = store::audit::verify_with(folder, pairs(&own)).map_err(failed)?;
    let mut faults = file_heads.faults;
    if own.is_empty() {
        faults.push(format!(
            "`{}` has no head of this log{}",
            file.display(),
            if others.is_empty() {
                ""
            } else {
                ": this is not the log whose heads were sent off the machine"
            }
        ));
    }
    faults.extend(report_faults(&report));
    Ok(print_report(args.format, &report, &faults, Some(own.len())))
}

fn trusted(args: &Audit, key: Option<&str>) -> Result<HeadPublicKey, Failure> {
    match key {
        None => Ok(own_key(args)?.public()),
        Some(text) => HeadPublicKey::parse(text).ok_or_else(|| {
            Failure::usage("--key is not a public key; `causeway audit key` prints one")
        }),
    }
}

fn report_faults(report: &Report) -> Vec<String> {
    report.faults.iter().map(ToString::to_string).collect()
}

fn print_report(
    format: Format,
    report: &Report,
    faults: &[String],
    n_heads: Option<usize>,
) -> ExitCode {
    match format {
        Format::Json => println!(
            "{}",
            serde_json::json!({
                "entries": report.n_entries,
                "segments": report.n_segments,
                "heads": n_heads,
                "faults": faults,
            })
        ),
        Format::Table => {
            for fault in faults {
                println!("fault: {fault}");
            }
            let heads = n_heads.map_or(String::new(), |n| format!(", checked against {n} heads"));
            println!(
                "{} entr{} in {} segment{}{heads}: {}",
                report.n_entries,
                if report.n_entries == 1 { "y" } else { "ies" },
                report.n_segments,
                if report.n_segments == 1 { "" } else { "s" },
                if faults.is_empty() {
                    "the chain is intact"
                } else {
                    "THE CHAIN IS BROKEN"
                }
            );
        }
    }
    if faults.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

// === impl HeadsFile ===

impl HeadsFile {
    fn read(file: &Path, key: &HeadPublicKey) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(file).map_err(|error| {
            Failure::failed(format!("`{}` could not be read: {error}", file.display()))
        })?;
        let mut file_heads = Self::default();
        for (idx, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            match SignedHead::read(line, key) {
                Ok(head) => file_heads.heads.push(head),
                Err(error) => {
                    file_heads
                        .faults
                        .push(format!("{}:{}: {error}", file.display(), idx + 1));
                }
            }
        }
        Ok(file_heads)
    }
}
