//! Attachments of a message or resource: a PDF, an image, a report as text.
//!
//! Invariants:
//! - a sender's bytes never run in this origin: a PDF or image is sent in a sandbox, with a policy
//!   that allows nothing; everything else is shown as escaped text or sent as a download;
//! - the declared media type is not trusted: only bytes that begin like a PDF or an image are sent
//!   as one.

mod coding;
mod html;
mod rtf;

pub(super) use coding::{base64, decode};

use super::fault::Fault;
use axum::http::header::{
    CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

/// The bytes of an attachment with the media type that its sender declares.
pub(super) struct Attachment {
    pub(super) media: String,
    pub(super) bytes: Vec<u8>,
}

/// The way in which an attachment is shown in the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// A PDF, in the browser's own viewer inside a frame.
    Pdf,
    /// An image of this media type.
    Picture(&'static str),
    /// The text, and a note on what was left out of it.
    Text(String, &'static str),
    /// Nothing is shown; the attachment can only be downloaded.
    DownloadOnly,
}

/// The data for the page that shows an attachment.
pub(super) struct View {
    pub(super) title: String,
    pub(super) media: String,
    pub(super) size: String,
    pub(super) reading: Reading,
    /// The address of the bytes for the frame.
    pub(super) inline: String,
    pub(super) download: String,
    pub(super) back: String,
}

/// The length at which text shown in the page is cut; the download has all of it.
const MAX_TEXT: usize = 200_000;
/// The policy for the bytes: nothing runs, nothing is fetched, and only our own pages may frame
/// them.
const SANDBOX_POLICY: &str = "default-src 'none'; frame-ancestors 'self'; sandbox";

// === impl Attachment ===

impl Attachment {
    /// Returns the way in which the attachment is shown.
    pub(super) fn reading(&self) -> Reading {
        match self.true_media() {
            Some("application/pdf") => return Reading::Pdf,
            Some(picture) => return Reading::Picture(picture),
            None => {}
        }
        let media = self.media.split(';').next().unwrap_or_default().trim();
        let text = String::from_utf8_lossy(&self.bytes);
        let (text, note) = match media {
            "text/html" | "application/xhtml+xml" => (
                html::text(&text),
                "The text of an HTML report; its layout and links are left out.",
            ),
            "text/rtf" | "application/rtf" | "text/richtext" => (
                rtf::text(&text),
                "The text of an RTF report; its layout is left out.",
            ),
            _ if self.bytes.starts_with(b"{\\rtf") => (
                rtf::text(&text),
                "The text of an RTF report; its layout is left out.",
            ),
            "" | "application/json" | "application/xml" | "application/hl7-cda+xml" => {
                (text.into_owned(), "")
            }
            media if media.starts_with("text/") => (text.into_owned(), ""),
            _ => return Reading::DownloadOnly,
        };
        // No text contains a NUL: the declared media type was wrong.
        if text.contains('\0') {
            return Reading::DownloadOnly;
        }
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        match text.char_indices().nth(MAX_TEXT) {
            Some((end, _)) => Reading::Text(
                text.get(..end).unwrap_or_default().to_owned(),
                "Only the beginning is shown; the download has all of it.",
            ),
            None => Reading::Text(text, note),
        }
    }

    /// Returns the media type judged by the first bytes, for types that a browser may show.
    fn true_media(&self) -> Option<&'static str> {
        const KNOWN: [(&[u8], &str); 5] = [
            (b"%PDF-", "application/pdf"),
            (b"\x89PNG\r\n\x1a\n", "image/png"),
            (b"\xff\xd8\xff", "image/jpeg"),
            (b"GIF87a", "image/gif"),
            (b"GIF89a", "image/gif"),
        ];
        let known = KNOWN
            .iter()
            .find(|(start, _)| self.bytes.starts_with(start));
        known.map(|(_, media)| *media)
    }

    pub(super) fn size(&self) -> String {
        format!("{} kB", self.bytes.len().div_ceil(1024))
    }

    /// Returns the media type in plain words.
    pub(super) fn media(&self) -> String {
        match self.media.as_str() {
            "" => self.true_media().unwrap_or("unknown type").to_owned(),
            media => media.to_owned(),
        }
    }

    /// Returns the bytes for the frame in our own page.
    pub(super) fn inline(self) -> Result<Response, Fault> {
        let Some(media) = self.true_media() else {
            return Err(Fault::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "This attachment cannot be shown in the page",
                "Only PDF, PNG, JPEG and GIF can be shown, and these bytes start like none of them.",
                "Download it.",
            ));
        };
        let name = format!("inline; filename=\"document.{}\"", ending(media));
        let headers = [
            (CONTENT_TYPE, media.to_owned()),
            (CONTENT_DISPOSITION, name),
            (CONTENT_SECURITY_POLICY, SANDBOX_POLICY.to_owned()),
            (X_FRAME_OPTIONS, "SAMEORIGIN".to_owned()),
        ];
        Ok((headers, self.bytes).into_response())
    }

    /// Returns the bytes as a download.
    pub(super) fn download(self) -> Response {
        let media = self.media.split(';').next().unwrap_or_default().trim();
        let ending = ending(self.true_media().unwrap_or(media));
        let headers = [
            (CONTENT_TYPE, "application/octet-stream".to_owned()),
            (
                CONTENT_DISPOSITION,
                format!("attachment; filename=\"document.{ending}\""),
            ),
            (
                CONTENT_SECURITY_POLICY,
                "default-src 'none'; sandbox".to_owned(),
            ),
        ];
        (headers, self.bytes).into_response()
    }
}

fn ending(media: &str) -> &'static str {
    match media {
        "application/pdf" => "pdf",
        "text/plain" => "txt",
        "text/html" => "html",
        "text/rtf" | "application/rtf" => "rtf",
        "image/png" => "png",
        "image/jpeg" => "jpg",
        "image/gif" => "gif",
        "application/xml" | "text/xml" | "application/hl7-cda+xml" => "xml",
        _ => "bin",
    }
}

/// Allows the page to frame our own addresses, and nothing else.
pub(super) fn may_frame(mut response: Response) -> Response {
    let policy = format!("{}; frame-src 'self'", web::secure::POLICY);
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response
            .headers_mut()
            .insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(media: &str, bytes: &[u8]) -> Attachment {
        Attachment {
            media: media.to_owned(),
            bytes: bytes.to_vec(),
        }
    }

    #[test]
    fn the_bytes_determine_the_media_type() {
        for (media, bytes, is_inline) in [
            ("application/pdf", &b"%PDF-1.4 x"[..], true),
            ("text/html", b"%PDF-1.4 x", true),
            ("application/pdf", b"<script>alert(1)</script>", false),
            ("image/svg+xml", b"<svg onload='x'/>", false),
            ("image/png", b"\x89PNG\r\n\x1a\n0", true),
        ] {
            let answer = of(media, bytes).inline();
            assert_eq!(answer.is_ok(), is_inline, "{media}");
            let Ok(answer) = answer else { continue };
            let header = |name| answer.headers().get(name).unwrap().to_str().unwrap();
            assert!(header("content-security-policy").contains("sandbox"));
            assert!(header("content-disposition").starts_with("inline"));
            assert!(!header("content-type").contains("html"));
        }
    }

    #[test]
    fn readable_attachments_become_text() {
        for (media, bytes, expected) in [
            ("text/plain", &b"a\r\nb"[..], Some("a\nb")),
            ("text/html", b"<p>a</p><script>b</script>", Some("a")),
            ("", b"{\\rtf1 a\\par b}", Some("a\nb")),
            ("application/octet-stream", b"a", None),
            ("text/plain", b"a\0b", None),
        ] {
            let reading = of(media, bytes).reading();
            let text = match &reading {
                Reading::Text(text, _) => Some(text.trim()),
                Reading::Pdf | Reading::Picture(_) | Reading::DownloadOnly => None,
            };
            assert_eq!(text, expected, "{media}");
        }
    }
}
