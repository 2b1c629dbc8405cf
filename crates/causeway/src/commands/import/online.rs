//! Import into a running server, through its FHIR API.

use super::Tally;
use super::history::Importer;
use super::inputs::{Content, Input, read};
use crate::failure::Failure;
use crate::http::{Http, diagnostics_of};
use fhir::bundle::{BundleKind, Entry, entries};
use fhir::json::{Document, Node};
use fhir::reference::is_id;
use indicatif::ProgressBar;
use serde_json::Value;

/// Sends resources to the FHIR base and HL7 v2 to the flow.
pub(super) fn run(
    http: &Http,
    (fhir, flow): (&str, Option<&str>),
    inputs: &[Input],
    bar: &ProgressBar,
) -> Result<Tally, Failure> {
    let importer = flow.map(|flow| Importer::Server { http, flow });
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
            Ok(Content::Hl7v2(bytes)) => match &importer {
                Some(importer) => importer.file(&name, bytes, &mut tally),
                None => {
                    tally.fail(
                        &name,
                        "give the flow that takes HL7 v2 messages with --flow",
                    );
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

/// Sends a document as a bundle, which the server stores once, however often it is sent.
fn one(
    http: &Http,
    fhir: &str,
    (tally, name): (&mut Tally, &str),
    bytes: &[u8],
) -> Result<(), Failure> {
    let document = match Document::parse(bytes) {
        Ok(document) => document,
        Err(error) => {
            tally.fail(name, &error.to_string());
            return Ok(());
        }
    };
    let root = document.root();
    let is_bundle = document.resource_type() == Some("Bundle");
    let kind = is_bundle.then(|| BundleKind::of(root)).flatten();
    let answer = match kind {
        Some(BundleKind::Transaction | BundleKind::Batch) => http.post_once(fhir, bytes)?,
        Some(_) => {
            let resources = entries(root).filter_map(Entry::resource);
            http.post_once(fhir, transaction(resources).as_bytes())?
        }
        None => http.post_once(fhir, transaction([root]).as_bytes())?,
    };
    if !(200..300).contains(&answer.status) {
        let reason = format!("{}: {}", answer.status, answer.text);
        tally.fail(name, &reason);
        return Ok(());
    }
    let count = |wanted: &str| -> u64 {
        let mut parts = answer.import.split(", ");
        let number = parts.find_map(|part| part.strip_prefix(wanted)?.strip_prefix('='));
        number.and_then(|number| number.parse().ok()).unwrap_or(0)
    };
    tally.n_resources += count("written");
    tally.n_existing += count("unchanged") + count("known");
    for reason in refused(&answer.text) {
        tally.fail(name, &reason);
    }
    Ok(())
}

/// Builds a transaction that stores resources under their own ids, or under new ids if they have
/// none.
fn transaction<'a>(resources: impl IntoIterator<Item = Node<'a>>) -> String {
    let entries: Vec<String> = resources.into_iter().map(entry).collect();
    let entries = entries.join(",");
    format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{entries}]}}"#)
}

fn entry(resource: Node<'_>) -> String {
    let kind = resource.text("resourceType").unwrap_or_default();
    let id = resource.text("id").filter(|id| is_id(id));
    let (method, url) = match id {
        Some(id) => ("PUT", format!("{kind}/{id}")),
        None => ("POST", kind.into_owned()),
    };
    let request = serde_json::json!({ "method": method, "url": url });
    format!(
        r#"{{"resource":{},"request":{request}}}"#,
        resource.raw_str()
    )
}

/// Returns the failed entries of a batch, each with the server's reason.
fn refused(answer: &str) -> Vec<String> {
    let answer: Value = serde_json::from_str(answer).unwrap_or_default();
    let entries = answer.get("entry").and_then(Value::as_array);
    let entries = entries.into_iter().flatten().enumerate();
    let failed = entries.filter_map(|(place, entry)| {
        let response = entry.get("response")?;
        let status = response.get("status")?.as_str()?;
        let is_refused = status.starts_with(['4', '5']);
        let reason = response
            .get("outcome")
            .and_then(diagnostics_of)
            .unwrap_or_default();
        is_refused.then(|| format!("entry {}: {status}: {reason}", place + 1))
    });
    failed.collect()
}
