//! `causeway verify`: checks every message, every resource and the audit log on disk.

use crate::cli::{Format, Verify};
use crate::failure::Failure;
use crate::table::Table;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::process::ExitCode;
use store::verify::{Report, VerifyError};

pub(crate) fn run(args: &Verify) -> Result<ExitCode, Failure> {
    let bar = progress();
    let report = store::verify::verify(&args.data, &mut |n_done, n_all| {
        bar.set_length(n_all);
        bar.set_position(n_done);
    });
    bar.finish_and_clear();
    let report = report.map_err(|error| match error {
        VerifyError::NoDirectory { .. } => Failure::usage(error.to_string()),
        other => Failure::from_error(&other),
    })?;
    let folder = args.data.join("audit");
    let audit = if folder.exists() {
        Some(store::audit::verify(&folder).map_err(|error| Failure::from_error(&error))?)
    } else {
        None
    };
    let is_whole =
        report.faults.is_empty() && audit.as_ref().is_none_or(|audit| audit.faults.is_empty());
    match args.format {
        Format::Json => print_json(&report, audit.as_ref()),
        Format::Table => print_table(&report, audit.as_ref()),
    }
    Ok(if is_whole {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn progress() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} rows {eta}") {
        bar.set_style(style);
    }
    bar
}

fn print_json(report: &Report, audit: Option<&store::audit::Report>) {
    let checked: serde_json::Map<String, serde_json::Value> = report
        .checked
        .iter()
        .map(|(what, n)| ((*what).to_owned(), (*n).into()))
        .collect();
    let mut faults: Vec<serde_json::Value> = report
        .faults
        .iter()
        .map(|fault| {
            serde_json::json!({
                "store": fault.store,
                "place": fault.place,
                "what": fault.what,
                "remedy": fault.remedy,
            })
        })
        .collect();
    for fault in audit.into_iter().flat_map(|audit| &audit.faults) {
        faults.push(serde_json::json!({
            "store": "audit",
            "place": "audit log",
            "what": fault.to_string(),
            "remedy": AUDIT_REMEDY,
        }));
    }
    println!(
        "{}",
        serde_json::json!({
            "checked": checked,
            "auditEntries": audit.map(|audit| audit.n_entries),
            "faults": faults,
            "moreFaults": report.n_more,
            "notes": report.notes,
        })
    );
}

fn print_table(report: &Report, audit: Option<&store::audit::Report>) {
    if !report.faults.is_empty() {
        let mut table = Table::new(&["store", "place", "fault", "remedy"]);
        for fault in &report.faults {
            table.row([fault.store, &fault.place, fault.what, fault.remedy].map(str::to_owned));
        }
        print!("{table}");
    }
    for fault in audit.into_iter().flat_map(|audit| &audit.faults) {
        println!("audit log: {fault}; {AUDIT_REMEDY}");
    }
    if 0 < report.n_more {
        println!("and {} more faults", report.n_more);
    }
    for note in &report.notes {
        println!("note: {note}");
    }
    let n_faults = report.faults.len() as u64
        + report.n_more
        + audit.map_or(0, |audit| audit.faults.len() as u64);
    let mut checked: Vec<String> = report
        .checked
        .iter()
        .map(|(what, n)| format!("{n} {what}"))
        .collect();
    checked.extend(audit.map(|audit| format!("{} audit entries", audit.n_entries)));
    let found = match n_faults {
        0 => "nothing is damaged".to_owned(),
        1 => "1 fault".to_owned(),
        n => format!("{n} faults"),
    };
    println!("{}: {found}", checked.join(", "));
}

const AUDIT_REMEDY: &str = "see `causeway audit verify`";
