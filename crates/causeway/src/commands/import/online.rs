//! Into a running server, through its FHIR API.

use super::Tally;
use super::history::Way;
use super::inputs::{Content, Input, read};
use crate::failure::Failure;
use crate::http::Http;
use fhir::json::Document;
use indicatif::ProgressBar;

/// Resources go to the FHIR base, HL7 v2 to the flow.
pub(super) fn run(
    http: &Http,
    (fhir, flow): (&str, Option<&str>),
    inputs: &[Input],
    bar: &ProgressBar,
) -> Result<Tally, Failure> {
    let way = flow.map(|flow| Way::Server { http, flow });
    let mut tally = Tally::default();
    for input in inputs {
        let name = input.path.display().to_string();
        match read(input) {
            Ok(Content::Json(bytes)) => one(http, fhir, (&mut tally, &name), &bytes)?,
            Ok(Content::Ndjson(bytes)) => {
                for (number, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
                    if !line.trim_ascii().is_empty() {
                        let name = format!("{name}:{}", number + 1);
                        one(http, fhir, (&mut tally, &name), line)?;
                    }
                }
            }
            Ok(Content::Hl7v2(bytes)) => match &way {
                Some(way) => way.file(&name, bytes, &mut tally),
                None => {
                    tally.fail(&name, "say with --flow which flow takes HL7 v2 messages");
                }
            },
            Err(reason) => tally.failures.push((name, reason)),
        }
        tally.n_inputs += 1;
        bar.inc(input.n_bytes);
        bar.set_message(tally.so_far());
    }
    Ok(tally)
}

fn one(
    http: &Http,
    fhir: &str,
    (tally, name): (&mut Tally, &str),
    bytes: &[u8],
) -> Result<(), Failure> {
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
        http.post(fhir, bytes)?
    } else {
        http.post(&format!("{fhir}/{kind}"), bytes)?
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
