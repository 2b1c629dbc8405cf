//! Into a running server, through its FHIR API.

use super::Tally;
use super::inputs::{Content, Input, read};
use crate::failure::Failure;
use crate::http::Http;
use fhir::json::Document;
use indicatif::ProgressBar;
use std::time::Duration;

pub(super) fn run(
    url: &str,
    token: Option<&str>,
    inputs: &[Input],
    bar: &ProgressBar,
) -> Result<Tally, Failure> {
    let http = Http::new(url, token, Duration::from_mins(5));
    let mut tally = Tally::default();
    for input in inputs {
        let name = input.path.display().to_string();
        match read(input) {
            Ok(Content::Json(bytes)) => one(&http, &mut tally, &name, &bytes)?,
            Ok(Content::Ndjson(bytes)) => {
                for (number, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
                    if !line.trim_ascii().is_empty() {
                        one(&http, &mut tally, &format!("{name}:{}", number + 1), line)?;
                    }
                }
            }
            Ok(Content::Hl7v2(_)) => {
                let reason = "HL7 v2 goes to a server by MLLP: causeway send mllp://host:port FILE";
                tally.failures.push((name, reason.to_owned()));
            }
            Err(reason) => tally.failures.push((name, reason)),
        }
        tally.n_inputs += 1;
        bar.inc(input.n_bytes);
        bar.set_message(format!("{} resources", tally.n_resources));
    }
    Ok(tally)
}

fn one(http: &Http, tally: &mut Tally, name: &str, bytes: &[u8]) -> Result<(), Failure> {
    let document = match Document::parse(bytes) {
        Ok(document) => document,
        Err(error) => {
            tally.failures.push((name.to_owned(), error.to_string()));
            return Ok(());
        }
    };
    let root = document.root();
    let kind = document.resource_type().unwrap_or("");
    let is_whole =
        kind == "Bundle" && matches!(root.text("type").as_deref(), Some("transaction" | "batch"));
    let n_resources = if is_whole {
        fhir::bundle::entries(root).count() as u64
    } else {
        1
    };
    let answer = if is_whole {
        http.post("", bytes)?
    } else {
        http.post(&format!("/{kind}"), bytes)?
    };
    if (200..300).contains(&answer.status) {
        tally.n_resources += n_resources;
    } else {
        tally.failures.push((
            name.to_owned(),
            format!("{}: {}", answer.status, answer.text),
        ));
    }
    Ok(())
}
