//! The raw text with segments set apart, each field with an anchor.

use super::super::markup::{Markup, escape};
use super::place::key;
use hl7v2::{Message, Segment};
use std::fmt::Write as _;

/// The length at which a field is cut in the page; the download has all of it.
const MAX_FIELD_CHARS: usize = 600;
/// The largest number of segments shown; the download has all of them.
const MAX_SEGMENTS: usize = 1_000;

/// Renders the message as HTML, one line per segment.
pub(super) fn raw(message: &Message) -> Markup {
    let mut html = String::with_capacity(message.raw().len() * 4);
    for segment in message.segments().take(MAX_SEGMENTS) {
        line(&mut html, segment);
    }
    let n_more = message.segments().len().saturating_sub(MAX_SEGMENTS);
    if 0 < n_more {
        let _ = write!(
            html,
            "<p class=\"quiet\">and {n_more} more segments, in the download</p>"
        );
    }
    if message.segments().len() == 0 {
        let text = String::from_utf8_lossy(message.raw());
        let (shown, cut) = cut(&text);
        let _ = write!(
            html,
            "<div class=\"seg\">{}{}</div>",
            escape(shown),
            escape(&cut)
        );
    }
    Markup(html)
}

fn line(html: &mut String, segment: Segment<'_>) {
    let message = segment.message();
    let separator = escape(&char::from(message.delimiters().field).to_string());
    let (name, occurrence) = (segment.name(), segment.occurrence());
    let _ = write!(html, "<div class=\"seg\"><b>{}</b>", escape(name));
    let is_header = matches!(name, "MSH" | "FHS" | "BHS");
    for (n, field) in segment.fields() {
        // MSH-1 is the separator itself and has been written already.
        if is_header && n == 1 {
            continue;
        }
        let _ = write!(html, "<i>{separator}</i>");
        if field.is_empty() {
            continue;
        }
        let text = message.charset().decode(field.raw());
        let (shown, cut) = cut(&text);
        let key = escape(&key(name, occurrence, n));
        let _ = write!(
            html,
            "<span data-field=\"{key}\">{}{}</span>",
            escape(shown),
            escape(&cut)
        );
    }
    html.push_str("</div>");
}

/// Returns the beginning of a long text, and a note on what was left out.
fn cut(text: &str) -> (&str, String) {
    match text.char_indices().nth(MAX_FIELD_CHARS) {
        Some((end, _)) => {
            let shown = text.get(..end).unwrap_or(text);
            (shown, format!(" … {} more bytes", text.len() - shown.len()))
        }
        None => (text, String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_names_and_nothing_is_markup() {
        let message = Message::parse(&b"MSH|^~\\&|A\rPID|1||<b>\rZZZ|x\r"[..]);
        let html = raw(&message).0;
        assert!(
            html.contains(r#"<span data-field="PID.1-3">&lt;b&gt;</span>"#),
            "{html}"
        );
        assert_eq!(html.matches("class=\"seg\"").count(), 3);
        assert!(
            raw(&Message::parse(&b"GET / HTTP/1.1"[..]))
                .0
                .contains("GET / HTTP/1.1")
        );
    }
}
