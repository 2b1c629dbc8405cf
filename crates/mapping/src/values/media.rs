//! Embedded data: its MIME type (HL7 v2 tables 0191, 0834 and 0291) and its bytes (table 0299).

use crate::forward::cell::{Cell, Reading};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Base64 with or without padding, because senders omit it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The first bytes of each known format, and its MIME type.
const SIGNS: [(&[u8], &str); 9] = [
    (b"%PDF", "application/pdf"),
    (b"\x89PNG", "image/png"),
    (b"\xFF\xD8\xFF", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"{\\rtf", "application/rtf"),
    (b"<?xml", "text/xml"),
    (b"<html", "text/html"),
];

/// Returns the MIME type: `application/pdf` for `AP^PDF`, `application^pdf` or `TEXT^PDF`. A known
/// subtype outweighs the type, which senders fill in freely. Returns an empty text if neither says
/// anything.
pub(crate) fn forward(cell: Cell<'_>, reading: &Reading) -> String {
    let part = |n| cell.part(n, reading).plain(reading).to_ascii_lowercase();
    let (kind, subtype) = (part(2), part(3));
    let known = match subtype.as_str() {
        "pdf" | "postscript" | "rtf" | "msword" | "octet-stream" | "json" => "application",
        "jpeg" | "gif" | "png" | "tiff" | "bmp" => "image",
        "html" | "plain" | "xml" | "sgml" | "richtext" => "text",
        "x-hl7-cda-level-one" => return "application/hl7-cda+xml".to_owned(),
        "" if kind.contains('/') => return kind,
        "" => return of_content(cell, &kind, reading),
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

/// Detects the MIME type by the first bytes if the sender names none; plain text if the bytes are
/// text.
fn of_content(cell: Cell<'_>, kind: &str, reading: &Reading) -> String {
    let Ok((bytes, is_text)) = bytes(cell, reading) else {
        return String::new();
    };
    let sign = SIGNS.iter().find(|(sign, _)| bytes.starts_with(sign));
    match sign {
        Some((_, kind)) => (*kind).to_owned(),
        None if is_text || matches!(kind, "tx" | "ft" | "text") => "text/plain".to_owned(),
        None => String::new(),
    }
}

/// Returns the part that holds the data: ED.5, or the whole of a value without parts.
fn data<'m>(cell: Cell<'m>, reading: &Reading) -> Cell<'m> {
    let fifth = cell.part(5, reading);
    if fifth.is_empty(reading) && !cell.is_divided(reading) {
        return cell;
    }
    fifth
}

/// Returns whether a value declared as another type holds a document.
pub(crate) fn is_document(cell: Cell<'_>, reading: &Reading) -> bool {
    let raw = data(cell, reading).raw;
    let is_named = || {
        let encoding = cell.part(4, reading).plain(reading);
        encoding.eq_ignore_ascii_case("base64") && !raw.is_empty()
    };
    raw.starts_with(b"JVBERi0") || raw.starts_with(b"%PDF-") || is_named()
}

/// Returns the data of an ED in Base64.
pub(crate) fn content(cell: Cell<'_>, reading: &Reading) -> Result<String, &'static str> {
    let (bytes, _) = bytes(cell, reading)?;
    Ok(BASE64.encode(bytes))
}

/// Decodes the data. The flag is true if they were sent as plain text. The encoding is from table
/// 0299: A, Hex, Base64. If ED.4 is empty or unknown, or the data are not in the encoding that it
/// names, the encoding is detected from the data, if possible.
fn bytes(cell: Cell<'_>, reading: &Reading) -> Result<(Vec<u8>, bool), &'static str> {
    let text = data(cell, reading).joined(reading);
    if text.trim().is_empty() {
        return Err("there is no data: send it in OBX-5.5");
    }
    let encoding = cell.part(4, reading).plain(reading).to_ascii_lowercase();
    let signed = |bytes: &Vec<u8>| SIGNS.iter().any(|(sign, _)| bytes.starts_with(sign));
    let as_text = || (text.as_bytes().to_vec(), true);
    match encoding.trim() {
        "a" => return Ok(as_text()),
        "hex" => {
            if let Some(bytes) = hex(&text) {
                return Ok((bytes, false));
            }
        }
        "base64" => {
            if let Some(bytes) = base64(&text) {
                return Ok((bytes, false));
            }
        }
        _ => {}
    }
    let all = [base64(&text), hex(&text), Some(text.as_bytes().to_vec())];
    if let Some(bytes) = all.into_iter().flatten().find(signed) {
        return Ok((bytes, false));
    }
    match encoding.trim() {
        "base64" => Err("the data are not Base64, although ED.4 says so"),
        "hex" => Err("the data are not hexadecimal, although ED.4 says so"),
        _ if is_prose(&text) => Ok(as_text()),
        _ => base64(&text)
            .filter(|bytes| 48 < bytes.len())
            .map(|bytes| (bytes, false))
            .ok_or("ED.4 names no encoding and none can be detected: send A, Hex or Base64"),
    }
}

/// Returns whether the text is words separated by blanks.
fn is_prose(text: &str) -> bool {
    text.trim().contains(' ')
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let text: String = text.split_whitespace().collect();
    BASE64.decode(text).ok().filter(|bytes| !bytes.is_empty())
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.split_whitespace().flat_map(str::chars);
    let digits: Option<Vec<u8>> = digits
        .map(|digit| Some(u8::try_from(digit.to_digit(16)?).unwrap_or(0)))
        .collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    let pairs = digits.chunks_exact(2);
    let bytes = pairs.map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit));
    Some(bytes.collect())
}
