//! MIME types of embedded data (HL7 v2 tables 0191, 0834 and 0291).

use crate::forward::cell::{Cell, Reading};

/// `application/pdf` of `AP^PDF`, `application^pdf` or `TEXT^PDF`: a subtype that is known says more than
/// the type, into which senders write what they like. Empty where neither says anything.
pub(crate) fn forward(cell: Cell<'_>, reading: &Reading) -> String {
    let part = |n| cell.part(n, reading).plain(reading).to_ascii_lowercase();
    let (kind, subtype) = (part(2), part(3));
    let known = match subtype.as_str() {
        "pdf" | "postscript" | "rtf" | "msword" | "octet-stream" | "json" => "application",
        "jpeg" | "gif" | "png" | "tiff" | "bmp" => "image",
        "html" | "plain" | "xml" | "sgml" | "richtext" => "text",
        "x-hl7-cda-level-one" => return "application/hl7-cda+xml".to_owned(),
        "" if kind.contains('/') => return kind,
        "" => return String::new(),
        _ => match kind.as_str() {
            "ap" | "application" => "application",
            "im" | "image" => "image",
            "au" | "audio" => "audio",
            "tx" | "ft" | "text" => "text",
            "video" => "video",
            "multipart" => "multipart",
            _ => return String::new(),
        },
    };
    format!("{known}/{subtype}")
}
