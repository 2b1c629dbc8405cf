//! Documents inside a message: OBX-5 of type ED, shown in the page.

use super::super::attachment::{Attachment, Reading, View, decode, may_frame};
use super::super::fault::Fault;
use super::super::frame::{Frame, Place, page};
use super::super::markup::encode;
use super::super::query::Query;
use super::super::visitor::Visitor;
use super::filter::ListQuery;
use super::open::audited_open;
use super::place::link_to_field;
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use hl7v2::{Message, Repeat};
use store::journal::Sequence;
use web::App;

#[derive(Template)]
#[template(path = "attachment/of_message.html")]
struct DocumentPage {
    frame: Frame,
    sequence: u64,
    path: String,
    view: View,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    /// The field, such as `OBX[3]-5`.
    path: String,
}

/// Returns true if the field contains encapsulated data (HL7 v2.5.1, 2.A.24).
pub(super) fn is_encapsulated(datatype: &str, repeat: Repeat<'_>) -> bool {
    datatype == "ED" && !repeat.component(5).is_empty()
}

/// Handles `GET /messages/{sequence}/document?path=OBX[3]-5`.
pub(crate) async fn document_page(
    State(app): State<App>,
    visitor: Visitor,
    Path(sequence): Path<u64>,
    Query(asked): Query<Parameters>,
) -> Result<Response, Fault> {
    let (attachment, title) = found(&app, &visitor, sequence, &asked.path).await?;
    let address = |what: &str| format!("/messages/{sequence}/{what}?path={}", encode(&asked.path));
    let view = View {
        media: attachment.media(),
        size: attachment.size(),
        reading: attachment.reading(),
        inline: address("inline"),
        download: address("file"),
        back: link_to_field(sequence, &asked.path),
        title,
    };
    let answer = page(&DocumentPage {
        frame: Frame::new(
            &visitor,
            Place::Messages,
            format!("Message {sequence}: document"),
        ),
        sequence,
        path: asked.path,
        view,
    })?;
    Ok(may_frame(answer))
}

/// Handles `GET /messages/{sequence}/inline?path=OBX[3]-5`: the bytes for the frame of that page.
pub(crate) async fn inline(
    State(app): State<App>,
    visitor: Visitor,
    Path(sequence): Path<u64>,
    Query(asked): Query<Parameters>,
) -> Result<Response, Fault> {
    found(&app, &visitor, sequence, &asked.path)
        .await?
        .0
        .inline()
}

/// Handles `GET /messages/{sequence}/file?path=OBX[3]-5`.
pub(crate) async fn file(
    State(app): State<App>,
    visitor: Visitor,
    Path(sequence): Path<u64>,
    Query(asked): Query<Parameters>,
) -> Result<Response, Fault> {
    Ok(found(&app, &visitor, sequence, &asked.path)
        .await?
        .0
        .download())
}

/// Returns the attachment and its title, and audits the access.
async fn found(
    app: &App,
    visitor: &Visitor,
    sequence: u64,
    path: &str,
) -> Result<(Attachment, String), Fault> {
    audited_open(app, visitor, sequence, &ListQuery::default()).await?;
    let work = app.clone();
    let stored = tokio::task::spawn_blocking(move || work.journal.read(Sequence::new(sequence)))
        .await
        .map_err(|error| Fault::internal(&error))??
        .ok_or_else(|| Fault::not_found("message"))?;
    attachment_at(&Message::parse(stored.body), path).ok_or_else(|| Fault::not_found("document"))
}

fn attachment_at(message: &Message, path: &str) -> Option<(Attachment, String)> {
    let wanted = super::place::anchor(path, Some(message))?;
    let results = message.segments().filter(|segment| segment.name() == "OBX");
    let (_, segment) = results
        .enumerate()
        .find(|(n_before, _)| super::place::key("OBX", n_before + 1, 5) == wanted)?;
    let value = segment.field(5).repeat(1);
    if !is_encapsulated(&segment.field(2).value(), value) {
        return None;
    }
    let part = |n: usize| value.component(n).text().into_owned();
    let attachment = Attachment {
        media: media(&part(2), &part(3)),
        bytes: decode(&part(4), &part(5)),
    };
    let code = segment.field(3).repeat(1);
    let named = [2, 1]
        .map(|n| code.component(n).text().into_owned())
        .into_iter()
        .find(|text| !text.is_empty());
    Some((attachment, named.unwrap_or_else(|| "Document".to_owned())))
}

/// Maps tables 0834 and 0291 to a media type. Senders differ in what they write there, so the
/// subtype takes precedence.
fn media(kind: &str, subtype: &str) -> String {
    let (kind, subtype) = (kind.to_ascii_lowercase(), subtype.to_ascii_lowercase());
    match (kind.as_str(), subtype.as_str()) {
        (_, "pdf") => "application/pdf".to_owned(),
        (_, "rtf" | "richtext") => "application/rtf".to_owned(),
        (_, "html") => "text/html".to_owned(),
        (_, "plain" | "txt" | "text") | ("tx" | "ft" | "text", "") => "text/plain".to_owned(),
        (_, "xml") => "application/xml".to_owned(),
        (kind, "") => kind.to_owned(),
        ("ap", subtype) => format!("application/{subtype}"),
        ("im", subtype) => format!("image/{subtype}"),
        (kind, subtype) => format!("{kind}/{subtype}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encapsulated_data_is_found_at_its_field() {
        let message = Message::parse(
            &b"MSH|^~\\&|A|B|||20240101||ORU^R01^ORU_R01|1|P|2.5.1\rPID|1||7\rOBR|1|||1\r\
               OBX|1|ST|a||x\rOBX|2|ED|11502-2^Report^LN||LAB^TEXT^RTF^A^{\\E\\rtf1 Fine}\r"[..],
        );
        let (attachment, title) = attachment_at(&message, "OBX[2]-5").unwrap();
        assert_eq!(
            (title.as_str(), attachment.media.as_str()),
            ("Report", "application/rtf")
        );
        assert_eq!(attachment.bytes, b"{\\rtf1 Fine}");
        for path in ["OBX[1]-5", "OBX[3]-5", "PID-3", "no path"] {
            assert!(attachment_at(&message, path).is_none(), "{path}");
        }
    }
}
