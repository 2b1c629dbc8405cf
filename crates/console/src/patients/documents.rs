//! The documents page: each document is shown in the page, by the rules of
//! [`super::super::attachment`].

use super::super::attachment::{Attachment, Reading, View, base64, may_frame};
use super::super::fault::Fault;
use super::super::frame::{Frame, Place, page};
use super::super::query::Query;
use super::super::visitor::Visitor;
use super::band::Band;
use super::record::{Entry, LinkedText, Record};
use super::value;
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use fhir::json::Node;
use web::App;

/// A document of the record.
pub(super) struct Document {
    pub(super) title: LinkedText,
    pub(super) kind: &'static str,
    pub(super) when: String,
    pub(super) source: String,
    pub(super) status: Option<(&'static str, &'static str)>,
    /// The texts shown in the page, each with a link to its origin.
    pub(super) texts: Vec<LinkedText>,
    pub(super) files: Vec<File>,
}

/// An attachment.
pub(super) struct File {
    /// The address at which it is shown, if that is possible and the text is not here already.
    pub(super) read: Option<String>,
    pub(super) address: String,
    pub(super) media: String,
    pub(super) size: String,
}

#[derive(Template)]
#[template(path = "patients/documents.html")]
struct DocumentsPage {
    frame: Frame,
    band: Band,
    how_many: String,
    documents: Vec<Document>,
    many_sources: bool,
}

const TYPES: [&str; 5] = [
    "Patient",
    "AllergyIntolerance",
    "DocumentReference",
    "DiagnosticReport",
    "Observation",
];

/// The length at which text shown in the page is cut; the download has all of it.
const MAX_TEXT: usize = 20_000;
/// The length above which a result's text counts as a document too.
const LONG_RESULT: usize = 120;

/// Handles `GET /patients/{id}/documents`.
pub(crate) async fn documents(
    State(app): State<App>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Fault> {
    let record = Record::open(&app, &visitor, &id, ("documents", &TYPES)).await?;
    let band = Band::of(&record, "documents");
    let documents = all(&record);
    page(&DocumentsPage {
        frame: Frame::new(
            &visitor,
            Place::Patients,
            format!("{}: documents", band.name),
        ),
        how_many: super::super::markup::count(documents.len() as u64, "document", "documents"),
        documents,
        many_sources: record.has_many_sources(),
        band,
    })
}

/// Returns all documents, newest first.
pub(super) fn all(record: &Record) -> Vec<Document> {
    let mut found: Vec<Document> = Vec::new();
    for entry in &record.entries {
        match entry.resource.resource_type {
            "DocumentReference" => found.push(reference(record, entry)),
            "DiagnosticReport" => found.extend(report(record, entry)),
            "Observation" => found.extend(long_result(record, entry)),
            _ => {}
        }
    }
    found.sort_by(|one, other| other.when.cmp(&one.when));
    found
}

fn document(record: &Record, entry: &Entry, title: LinkedText, kind: &'static str) -> Document {
    let when = entry.when(&["date", "effectiveDateTime", "effectivePeriod", "issued"]);
    let status = match entry.root().text("status").as_deref() {
        Some("entered-in-error") => Some(("bad", "withdrawn: entered in error")),
        Some("superseded") => Some(("warn", "superseded")),
        Some("corrected" | "amended") => Some(("warn", "corrected")),
        Some("preliminary") => Some(("warn", "preliminary")),
        _ => None,
    };
    Document {
        title,
        kind,
        when: when.as_deref().map(value::day).unwrap_or_default(),
        source: record.source_of(entry).to_owned(),
        status,
        texts: Vec::new(),
        files: Vec::new(),
    }
}

fn titled(record: &Record, entry: &Entry, element: &str, otherwise: &str) -> LinkedText {
    let text = entry
        .root()
        .get(element)
        .map(value::concept)
        .unwrap_or_default();
    record.said(
        entry,
        element,
        if text.is_empty() {
            otherwise.to_owned()
        } else {
            text
        },
    )
}

fn reference(record: &Record, entry: &Entry) -> Document {
    let mut title = titled(record, entry, "type", "Document");
    if let Some(description) = entry.root().text("description") {
        title.text = description.into_owned();
    }
    let mut document = document(record, entry, title, "document");
    let contents = entry
        .root()
        .get("content")
        .into_iter()
        .flat_map(Node::items);
    for (idx, content) in contents.enumerate() {
        if let Some(attachment) = content.get("attachment") {
            attach(
                record,
                entry,
                &mut document,
                (attachment, format!("content[{idx}].attachment")),
            );
        }
    }
    document
}

/// Returns a report that has a conclusion, a note or a presented form. A report that only lists
/// results appears under the results.
fn report(record: &Record, entry: &Entry) -> Option<Document> {
    let root = entry.root();
    let mut document = document(
        record,
        entry,
        titled(record, entry, "code", "Report"),
        "report",
    );
    if let Some(conclusion) = root.text("conclusion") {
        document
            .texts
            .push(record.said(entry, "conclusion", conclusion));
    }
    for (element, text) in value::report_notes(root) {
        document.texts.push(record.said(entry, &element, text));
    }
    let forms = root.get("presentedForm").into_iter().flat_map(Node::items);
    for (idx, form) in forms.enumerate() {
        attach(
            record,
            entry,
            &mut document,
            (form, format!("presentedForm[{idx}]")),
        );
    }
    (!document.texts.is_empty() || !document.files.is_empty()).then_some(document)
}

fn long_result(record: &Record, entry: &Entry) -> Option<Document> {
    let root = entry.root();
    let mut document = document(
        record,
        entry,
        titled(record, entry, "code", "Result"),
        "result",
    );
    if let Some(text) = root.text("valueString").filter(|text| is_long(text)) {
        document.texts.push(record.said(entry, "valueString", text));
    }
    let extensions = root.get("extension").into_iter().flat_map(Node::items);
    for (idx, extension) in extensions.enumerate() {
        if let Some(attachment) = extension.get("valueAttachment") {
            attach(
                record,
                entry,
                &mut document,
                (attachment, format!("extension[{idx}].valueAttachment")),
            );
        }
    }
    (!document.texts.is_empty() || !document.files.is_empty()).then_some(document)
}

fn is_long(text: &str) -> bool {
    LONG_RESULT < text.len() || text.contains('\n')
}

fn attach(
    record: &Record,
    entry: &Entry,
    document: &mut Document,
    (attachment, element): (Node<'_>, String),
) {
    let media = attachment
        .text("contentType")
        .unwrap_or_default()
        .into_owned();
    let Some(data) = attachment.text("data") else {
        if let Some(url) = attachment.text("url") {
            let text = format!("It is stored elsewhere, at {url}, and is not opened from here.");
            document.texts.push(record.said(entry, &element, text));
        }
        return;
    };
    let attachment = Attachment {
        media,
        bytes: base64(&data),
    };
    let resource = &entry.resource;
    let address = |what: &str| {
        format!(
            "/patients/{}/{what}/{}/{}?element={}",
            record.person.id,
            resource.resource_type,
            resource.id,
            super::super::markup::encode(&element)
        )
    };
    let mut read = None;
    match attachment.reading() {
        Reading::Text(text, _) if text.len() <= MAX_TEXT => {
            document.texts.push(record.said(entry, &element, text));
        }
        Reading::Text(..) | Reading::Pdf | Reading::Picture(_) => read = Some(address("document")),
        Reading::DownloadOnly => {}
    }
    document.files.push(File {
        read,
        address: address("file"),
        size: attachment.size(),
        media: attachment.media(),
    });
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    element: String,
}

/// The path of an attachment: person, type, resource.
type Way = Path<(String, String, String)>;

#[derive(Template)]
#[template(path = "attachment/of_patient.html")]
struct DocumentPage {
    frame: Frame,
    band: Band,
    view: View,
}

/// Handles `GET /patients/{id}/document/{type}/{resource}?element=…`: shows the document in the
/// page.
pub(crate) async fn document_page(
    State(app): State<App>,
    visitor: Visitor,
    Path((id, resource_type, resource)): Way,
    Query(asked): Query<Parameters>,
) -> Result<Response, Fault> {
    let record = Record::open(&app, &visitor, &id, ("document", &TYPES)).await?;
    let (attachment, title) = found(&record, (&resource_type, &resource), &asked.element)?;
    let band = Band::of(&record, "documents");
    let address = |what: &str| {
        let element = super::super::markup::encode(&asked.element);
        format!("/patients/{id}/{what}/{resource_type}/{resource}?element={element}")
    };
    let view = View {
        media: attachment.media(),
        size: attachment.size(),
        reading: attachment.reading(),
        inline: address("inline"),
        download: address("file"),
        back: format!("/patients/{}/documents", record.person.id),
        title,
    };
    let answer = page(&DocumentPage {
        frame: Frame::new(
            &visitor,
            Place::Patients,
            format!("{}: document", band.name),
        ),
        band,
        view,
    })?;
    Ok(may_frame(answer))
}

/// Handles `GET /patients/{id}/inline/{type}/{resource}?element=…`: the bytes for the frame of that
/// page.
pub(crate) async fn inline(
    State(app): State<App>,
    visitor: Visitor,
    Path((id, resource_type, resource)): Way,
    Query(asked): Query<Parameters>,
) -> Result<Response, Fault> {
    let record = Record::open(&app, &visitor, &id, ("file", &TYPES)).await?;
    found(&record, (&resource_type, &resource), &asked.element)?
        .0
        .inline()
}

/// Handles `GET /patients/{id}/file/{type}/{resource}?element=…`.
pub(crate) async fn download(
    State(app): State<App>,
    visitor: Visitor,
    Path((id, resource_type, resource)): Way,
    Query(asked): Query<Parameters>,
) -> Result<Response, Fault> {
    let record = Record::open(&app, &visitor, &id, ("file", &TYPES)).await?;
    let (attachment, _) = found(&record, (&resource_type, &resource), &asked.element)?;
    Ok(attachment.download())
}

/// Returns the attachment at an element, and the title of its document.
fn found(
    record: &Record,
    (resource_type, id): (&str, &str),
    element: &str,
) -> Result<(Attachment, String), Fault> {
    let entry = record
        .entries
        .iter()
        .find(|entry| entry.resource.resource_type == resource_type && entry.resource.id == id);
    let missing = || Fault::not_found("document");
    let entry = entry.ok_or_else(missing)?;
    let node = at(entry.root(), element).ok_or_else(missing)?;
    let data = node.text("data").ok_or_else(missing)?;
    let attachment = Attachment {
        media: node.text("contentType").unwrap_or_default().into_owned(),
        bytes: base64(&data),
    };
    let title = match resource_type {
        "DocumentReference" => reference(record, entry).title.text,
        _ => titled(record, entry, "code", "Document").text,
    };
    Ok((attachment, title))
}

/// Returns the node at a path such as `content[0].attachment`.
fn at<'a>(root: Node<'a>, path: &str) -> Option<Node<'a>> {
    path.split('.')
        .try_fold(root, |node, part| match part.split_once('[') {
            None => node.get(part),
            Some((name, index)) => node.get(name)?.item(index.strip_suffix(']')?.parse().ok()?),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let document = fhir::json::Document::parse(r#"{"a":[{"b":1},{"b":2}]}"#).unwrap();
        assert_eq!(
            at(document.root(), "a[1].b").and_then(Node::number_text),
            Some("2")
        );
        assert!(at(document.root(), "a[2].b").is_none());
        assert!(at(document.root(), "a[x").is_none());
    }
}
