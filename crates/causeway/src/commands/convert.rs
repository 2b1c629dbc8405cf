//! `causeway convert`: translates HL7 v2 to FHIR and back, with lineage and report.

use super::serve::refused;
use crate::cli::{Convert, Format, Syntax};
use crate::config::Config;
use crate::failure::Failure;
use crate::pretty::pretty;
use crate::table::Table;
use crate::{input, maps};
use base::{Clock, Severity, SystemClock, Zone};
use hl7v2::Message;
use mapping::{Conversion, MapSet, Report, RowInfo, Source, Target};
use serde_json::json;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

pub(crate) fn run(args: &Convert) -> Result<ExitCode, Failure> {
    let bytes = input::read(&args.file)?;
    let from = args.from.unwrap_or_else(|| detect(&bytes));
    let to = args.to.unwrap_or(match from {
        Syntax::Hl7v2 => Syntax::Fhir,
        Syntax::Fhir => Syntax::Hl7v2,
    });
    match (from, to) {
        (Syntax::Hl7v2, Syntax::Fhir) => forward(args, bytes),
        (Syntax::Fhir, Syntax::Hl7v2) => back(args, &bytes),
        (Syntax::Hl7v2, Syntax::Hl7v2) | (Syntax::Fhir, Syntax::Fhir) => Err(Failure::usage(
            "--from and --to are the same format; there is nothing to convert",
        )),
    }
}

/// Detects the format: a file that begins with `{` is FHIR.
fn detect(bytes: &[u8]) -> Syntax {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'{') {
        Syntax::Fhir
    } else {
        Syntax::Hl7v2
    }
}

/// Returns the maps and the settings for reading the sender, from a site's flow or from the options.
fn chosen(args: &Convert) -> Result<(MapSet, Source), Failure> {
    let zone = args.zone.as_deref().map(|name| {
        Zone::named(name).ok_or_else(|| {
            Failure::usage(format!(
                "there is no time zone `{name}`; use an IANA name such as America/Chicago"
            ))
        })
    });
    let zone = zone.transpose()?;
    let (maps, source) = match &args.config {
        Some(config) => of_site(config, args.flow.as_deref())?,
        None => of_options(args.map.as_deref())?,
    };
    let zone = zone.unwrap_or_else(|| source.zone.clone());
    Ok((maps, Source { zone, ..source }))
}

/// Returns the maps of a site, and the sender's settings from its flow.
fn of_site(config: &Path, flow: Option<&str>) -> Result<(MapSet, Source), Failure> {
    let config = Config::read(config).map_err(|mistakes| refused(&mistakes))?;
    let flow = config.flow(flow).map_err(Failure::usage)?;
    let maps = maps::load(config.maps.folder.as_deref())?;
    let missing = maps::missing_dialects(std::slice::from_ref(flow), &maps);
    if !missing.is_empty() {
        return Err(Failure::failed(missing.join("\n")));
    }
    Ok((maps, flow.map.source()))
}

fn of_options(map: Option<&str>) -> Result<(MapSet, Source), Failure> {
    let file = map.filter(|name| Path::new(name).exists());
    let maps = maps::load(file.map(Path::new))?;
    let dialect = match (map, file) {
        (Some(name), None) => {
            if !maps.dialects().any(|dialect| dialect == name) {
                return Err(Failure::usage(format!(
                    "`{name}` is neither a map file nor the name of a dialect; use -c FILE for a site's dialects"
                )));
            }
            Some(name.to_owned())
        }
        // If the file holds exactly one dialect, that dialect is meant.
        (Some(_), Some(_)) => {
            let mut names = maps.dialects();
            let first = names.next().map(str::to_owned);
            if names.next().is_some() { None } else { first }
        }
        (None, _) => None,
    };
    let source = Source {
        dialect,
        ..Source::default()
    };
    Ok((maps, source))
}

/// Converts HL7 v2 to FHIR. A file of several messages becomes one Bundle per line (NDJSON): their
/// senders and times differ, and a Bundle has one of each.
fn forward(args: &Convert, bytes: Vec<u8>) -> Result<ExitCode, Failure> {
    let (maps, source) = chosen(args)?;
    let (batch, fits) = input::messages(&args.file, bytes)?;
    let n_messages = batch.messages.len();
    let mut out = std::io::stdout().lock();
    let mut all_right = fits;
    for member in batch.messages {
        let message = Message::parse(member.bytes);
        let mut conversion = maps.forward(&message, &source);
        if !conversion.supported {
            all_right = false;
            eprintln!(
                "causeway: {}^{} ({}): there is no map for this message; the available maps are in `maps/`",
                message.code(),
                message.event(),
                conversion.structure
            );
        }
        let mut unreported = None;
        let text = if args.explain {
            explain(args.format, &conversion)
        } else if args.report {
            report(args.format, &conversion)
        } else {
            unreported = Some(std::mem::take(&mut conversion.report));
            let mut text = conversion.into_bundle().to_bytes();
            if n_messages == 1 {
                text = pretty(&text);
            }
            text.push(b'\n');
            text
        };
        if out.write_all(&text).is_err() {
            break;
        }
        if let Some(report) = unreported {
            print_findings(&report);
        }
    }
    Ok(if all_right {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Prints the findings to standard error, so that standard output holds only the Bundle.
fn print_findings(report: &Report) {
    for unusable in &report.unusable {
        eprintln!(
            "{}: {}: {}",
            unusable.severity.code(),
            unusable.place,
            unusable.why
        );
    }
    for issue in &report.issues {
        if Severity::Warning <= issue.severity {
            eprintln!("{issue}");
        }
    }
}

fn explain(format: Format, conversion: &Conversion) -> Vec<u8> {
    let rows = conversion
        .drafts
        .iter()
        .flat_map(|draft| draft.lineage().into_iter().map(move |line| (draft, line)));
    match format {
        Format::Json => {
            let lines: Vec<_> = rows
                .map(|(draft, line)| {
                    json!({
                        "fullUrl": draft.full_url,
                        "element": format!("{}.{}", draft.resource_type, line.element),
                        "source": line.place.map(|place| place.to_string()),
                        "raw": line.raw,
                        "row": conversion.row(line.row).map(place),
                    })
                })
                .collect();
            format!("{}\n", json!(lines)).into_bytes()
        }
        Format::Table => {
            let mut table = Table::new(&["element", "from", "raw", "row"]);
            for (draft, line) in rows {
                table.row([
                    format!("{}.{}", draft.resource_type, line.element),
                    line.place
                        .map_or_else(|| "(constant)".to_owned(), |place| place.to_string()),
                    line.raw.to_string(),
                    conversion.row(line.row).map(place).unwrap_or_default(),
                ]);
            }
            table.to_string().into_bytes()
        }
    }
}

fn report(format: Format, conversion: &Conversion) -> Vec<u8> {
    let report = &conversion.report;
    let parts = [
        ("mapped", &report.mapped),
        ("dropped", &report.dropped),
        ("withheld", &report.withheld),
        ("unmapped", &report.unmapped),
    ];
    let row = |row| conversion.row(row).map(place).unwrap_or_default();
    match format {
        Format::Json => {
            let mut value = json!({});
            if let Some(object) = value.as_object_mut() {
                for (name, entries) in parts {
                    let lines: Vec<_> = entries
                        .iter()
                        .map(|entry| {
                            json!({
                                "place": entry.place.to_string(),
                                "row": entry.row.map(row),
                                "reason": entry.reason.as_deref(),
                                "raw": entry.raw,
                            })
                        })
                        .collect();
                    object.insert(name.to_owned(), json!(lines));
                }
                let unusable: Vec<_> = report
                    .unusable
                    .iter()
                    .map(|one| {
                        json!({
                            "place": one.place.to_string(),
                            "row": row(one.row),
                            "severity": one.severity.code(),
                            "code": one.code,
                            "why": one.why,
                            "raw": one.raw,
                            "replaced": one.replaced,
                        })
                    })
                    .collect();
                object.insert("unusable".to_owned(), json!(unusable));
                let issues: Vec<String> = report.issues.iter().map(ToString::to_string).collect();
                object.insert("issues".to_owned(), json!(issues));
            }
            format!("{value}\n").into_bytes()
        }
        Format::Table => {
            let mut table = Table::new(&["field", "result", "row", "reason", "raw"]);
            for (name, entries) in parts {
                for entry in entries {
                    table.row([
                        entry.place.to_string(),
                        name.to_owned(),
                        entry.row.map(row).unwrap_or_default(),
                        entry.reason.as_deref().unwrap_or("").to_owned(),
                        entry.raw.to_string(),
                    ]);
                }
            }
            for one in &report.unusable {
                table.row([
                    one.place.to_string(),
                    "unusable".to_owned(),
                    row(one.row),
                    one.why.clone(),
                    one.raw.to_string(),
                ]);
            }
            let mut text = table.to_string();
            for issue in &report.issues {
                let _ = writeln!(text, "{issue}");
            }
            let count = |entries: &Vec<mapping::Entry>| entries.len();
            let _ = writeln!(
                text,
                "{} mapped, {} dropped with a reason, {} withheld, {} unmapped, {} unusable",
                count(&report.mapped),
                count(&report.dropped),
                count(&report.withheld),
                count(&report.unmapped),
                report.unusable.len()
            );
            text.into_bytes()
        }
    }
}

fn back(args: &Convert, bytes: &[u8]) -> Result<ExitCode, Failure> {
    let (maps, source) = chosen(args)?;
    let bundle = fhir::build::Value::parse(bytes)
        .map_err(|error| Failure::failed(format!("`{}`: {error}", args.file.display())))?;
    let structure = args.structure.clone().ok_or_else(|| {
        Failure::usage(
            "give the message structure to write with --structure, such as ADT_A01 or ORU_R01",
        )
    })?;
    let target = Target {
        at: SystemClock.now(),
        control_id: format!("CW{}", SystemClock.now().micros()),
        version: "2.5.1".to_owned(),
        authorities: source.authorities,
        dialect: source.dialect,
    };
    let back = maps.back(&bundle, &structure, &target).map_err(|error| {
        Failure::failed(format!(
            "`{structure}`: {error}; the available messages are in `maps/`"
        ))
    })?;
    let losses = || {
        back.lost
            .iter()
            .map(|loss| format!("lost: {} {}", loss.resource, loss.element))
    };
    let mut out = std::io::stdout().lock();
    if args.report || args.explain {
        let lines: String = losses().map(|line| line + "\n").collect();
        let _ = out.write_all(lines.as_bytes());
    } else {
        // Segments end in CR (HL7 v2 2.5.4); on a terminal they would overwrite one another.
        let mut text = back.message;
        if out.is_terminal() {
            let ends = text.iter_mut().filter(|byte| **byte == b'\r');
            ends.for_each(|byte| *byte = b'\n');
        }
        let _ = out.write_all(&text);
        for line in losses() {
            eprintln!("{line}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Formats a row's file and line, such as `v2/pid.map:41`.
fn place(row: &RowInfo) -> String {
    format!("{}:{}", row.file, row.line)
}
