//! `causeway maps`: asks the running server which maps are in use, or to reload them.

use super::messages::{cell, parse};
use crate::cli::{Format, Maps, MapsAction};
use crate::failure::Failure;
use crate::http::{Answer, Http};
use serde_json::Value;
use std::process::ExitCode;

pub(crate) fn run(args: &Maps) -> Result<ExitCode, Failure> {
    let http = Http::of(&args.server)?;
    match &args.action {
        MapsAction::Show => show(args.server.format, &Http::expect(http.get("/api/maps")?)?),
        MapsAction::Reload => reload(args.server.format, http.post("/api/maps/reload", b"")?),
    }
}

fn show(format: Format, text: &str) -> Result<ExitCode, Failure> {
    let answer = parse(text)?;
    if format == Format::Json {
        println!("{answer}");
        return Ok(ExitCode::SUCCESS);
    }
    println!("version  {}", cell(answer.get("version")));
    println!("since    {}", cell(answer.get("since")));
    println!("dialects {}", listed(answer.get("dialects")));
    let files = answer.get("files").and_then(Value::as_array);
    println!("files    {}", files.map_or(0, Vec::len));
    if let Some(last) = answer.get("lastReload").filter(|last| last.is_object()) {
        let (at, by) = (cell(last.get("at")), cell(last.get("by")));
        match last.get("refused").and_then(Value::as_array) {
            None => println!("reloaded {at} by {by}"),
            Some(reasons) => {
                println!("reload refused {at}, requested by {by}:");
                for reason in reasons {
                    println!("{}", cell(Some(reason)));
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn reload(format: Format, answer: Answer) -> Result<ExitCode, Failure> {
    let text = Http::expect(answer)?;
    let answer = parse(&text)?;
    if format == Format::Json {
        println!("{answer}");
        return Ok(ExitCode::SUCCESS);
    }
    let (before, after) = (cell(answer.get("before")), cell(answer.get("after")));
    if answer.get("changed") == Some(&Value::Bool(true)) {
        println!(
            "maps {after} are in use instead of {before}; messages in progress finish under {before}"
        );
    } else {
        println!("maps {after} are still in use: no file has changed");
    }
    Ok(ExitCode::SUCCESS)
}

fn listed(value: Option<&Value>) -> String {
    let names = value.and_then(Value::as_array).into_iter().flatten();
    let names: Vec<&str> = names.filter_map(Value::as_str).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}
