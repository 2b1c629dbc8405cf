//! Resources parsed from request bodies, with errors reported by element.

use super::{Failure, known_type};
use access::Permit;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use base::{Issue, Severity};
use fhir::json::{Document, Node};
use fhir::reference::{InvalidReference, Reference};
use search::Extractor;
use store::chart::{Prepared, Read};
use web::App;
use web::is_acceptable;

/// Refuses a body whose declared content type is not JSON.
pub(crate) fn check_content_type(headers: &HeaderMap) -> Result<(), Failure> {
    if let Some(coding) = headers
        .get(CONTENT_ENCODING)
        .filter(|coding| *coding != "identity")
    {
        return Err(Failure::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not-supported",
            format!("a body in {coding:?} is not accepted; send it uncompressed"),
        ));
    }
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let text = value.to_str().unwrap_or("").to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    let media = parts.next().unwrap_or("").to_owned();
    if !super::preference::is_of_release(&text) {
        return Err(Failure::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not-supported",
            "only FHIR R4 is accepted: fhirVersion=4.0",
        ));
    }
    let charset = parts.find_map(|part| part.strip_prefix("charset="));
    if let Some(charset) = charset.filter(|name| name.trim_matches('"') != "utf-8") {
        return Err(Failure::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not-supported",
            format!("charset `{charset}` is not accepted; send JSON in UTF-8"),
        ));
    }
    if matches!(
        media.as_str(),
        "application/fhir+json" | "application/json" | "text/json"
    ) {
        return Ok(());
    }
    Err(Failure::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "not-supported",
        format!("`{media}` is not accepted; send application/fhir+json"),
    ))
}

/// Parses any JSON, skipping a byte order mark (RFC 8259, 8.1).
pub(crate) fn document(bytes: &[u8]) -> Result<Document, Failure> {
    Ok(Document::parse(
        bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes),
    )?)
}

/// Prepares the resource for writing. Absolute references on `base` are treated as local.
pub(crate) fn prepared(base: &str, document: &Document) -> Result<Prepared, Failure> {
    let extraction = Extractor::at(base).extract(document);
    Ok(Prepared::with(document, extraction)?)
}

/// Parses a reference. An absolute one on `base` is treated as relative.
pub(crate) fn local<'a>(base: &str, text: &'a str) -> Result<Reference<'a>, InvalidReference> {
    let own = (!base.is_empty())
        .then(|| text.strip_prefix(base)?.strip_prefix('/'))
        .flatten();
    Reference::parse(own.unwrap_or(text))
}

/// Parses a resource of the given type and validates it against the definitions.
pub(crate) fn resource(bytes: &[u8], wanted: Option<&str>) -> Result<Document, Failure> {
    let document = document(bytes)?;
    let Some(found) = document.resource_type() else {
        return Err(Failure::at(
            StatusCode::BAD_REQUEST,
            "structure",
            "resourceType",
            "the body is not a resource: it has no resourceType",
        ));
    };
    known_type(found).map_err(|failure| Failure {
        status: StatusCode::BAD_REQUEST,
        ..failure
    })?;
    if let Some(wanted) = wanted.filter(|wanted| *wanted != found) {
        return Err(Failure::at(
            StatusCode::BAD_REQUEST,
            "invalid",
            "resourceType",
            format!("the body is of type {found} and the address says {wanted}"),
        ));
    }
    let mut issues = document.issues().to_vec();
    issues.extend(fhir::check::structure(&document));
    if !is_acceptable(&issues) {
        issues.dedup_by(|a, b| a.location == b.location && a.text == b.text);
        issues.sort_by_key(|issue| std::cmp::Reverse(issue.severity));
        return Err(Failure::of(StatusCode::UNPROCESSABLE_ENTITY, issues));
    }
    Ok(document)
}

/// Checks that every relative reference of the resource names a stored resource, or one that
/// `made_here` knows as part of the same request.
pub(crate) fn check_references(
    app: &App,
    permit: &Permit,
    document: &Document,
    made_here: &dyn Fn(&str, &str) -> bool,
) -> Result<(), Failure> {
    let mut issues = Vec::new();
    let base = app.fhir_base();
    for node in references(document) {
        let Some(text) = node.as_str() else { continue };
        let target = match local(&base, &text) {
            Ok(Reference::Relative(target)) => target,
            Ok(Reference::Conditional { .. }) => {
                issues.push(Issue {
                    severity: Severity::Error,
                    code: "not-supported",
                    location: document.path_of(node),
                    text: "a conditional reference is resolved only in a transaction".into(),
                });
                continue;
            }
            Ok(_) | Err(_) => continue,
        };
        let (resource_type, id) = (target.resource_type, target.id);
        if made_here(resource_type, id) {
            continue;
        }
        if !matches!(app.chart.read(permit, resource_type, id)?, Read::Found(_)) {
            issues.push(Issue {
                severity: Severity::Error,
                code: "not-found",
                location: document.path_of(node),
                text: format!(
                    "refers to {resource_type}/{id}, which does not exist on this server"
                )
                .into(),
            });
        }
    }
    if issues.is_empty() {
        Ok(())
    } else {
        Err(Failure::of(StatusCode::UNPROCESSABLE_ENTITY, issues))
    }
}

/// Returns every `reference` element of the document.
pub(crate) fn references(document: &Document) -> impl Iterator<Item = Node<'_>> {
    (0..document.node_count() as u32)
        .filter_map(|index| document.node(index))
        .filter(|node| node.name() == Some("reference"))
}

/// Returns the patients that the document concerns: itself, or those that it refers to.
pub(crate) fn patients(document: &Document, id: &str) -> Vec<String> {
    if document.resource_type() == Some("Patient") {
        return vec![id.to_owned()];
    }
    let mut found: Vec<String> = references(document)
        .filter_map(|node| {
            let text = node.as_str()?;
            Some(text.strip_prefix("Patient/")?.split('/').next()?.to_owned())
        })
        .collect();
    found.sort();
    found.dedup();
    found
}
