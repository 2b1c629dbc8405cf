//! `causeway audit`.

use crate::cli::{Audit, AuditAction, Format};
use crate::failure::Failure;
use std::process::ExitCode;

pub(crate) fn run(args: &Audit) -> Result<ExitCode, Failure> {
    match args.action {
        AuditAction::Verify => verify(args),
    }
}

fn verify(args: &Audit) -> Result<ExitCode, Failure> {
    let folder = args.data.join("audit");
    if !folder.is_dir() {
        return Err(Failure::failed(format!(
            "`{}` has no audit log; give the data directory with --data",
            args.data.display()
        )));
    }
    let report = store::audit::verify(&folder).map_err(|error| Failure::from_error(&error))?;
    match args.format {
        Format::Json => println!(
            "{}",
            serde_json::json!({
                "entries": report.n_entries,
                "segments": report.n_segments,
                "faults": report.faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })
        ),
        Format::Table => {
            for fault in &report.faults {
                println!("fault: {fault}");
            }
            println!(
                "{} entries in {} segment{}: {}",
                report.n_entries,
                report.n_segments,
                if report.n_segments == 1 { "" } else { "s" },
                if report.faults.is_empty() {
                    "the chain is whole"
                } else {
                    "THE CHAIN IS BROKEN"
                }
            );
        }
    }
    Ok(if report.faults.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
