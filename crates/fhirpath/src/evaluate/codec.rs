//! `encode`, `decode`, `escape` and `unescape`.

use super::{Evaluator, Scope};
use crate::error::EvaluationError;
use crate::function::Function as F;
use crate::item::{Item, Items};
use crate::program::Call;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use std::borrow::Cow;

/// Characters that HTML cannot contain literally.
const ENTITIES: [(char, &str); 5] = [
    ('&', "&amp;"),
    ('<', "&lt;"),
    ('>', "&gt;"),
    ('"', "&quot;"),
    ('\'', "&#39;"),
];

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn codec(
        &self,
        call: &'a Call,
        scope: Scope<'_, 'a>,
        out: &mut Items<'a>,
    ) -> Result<(), EvaluationError> {
        let name = call.function.name();
        let Some(text) = self.text(&call.input, scope, name)? else {
            return Ok(());
        };
        let format = match call.arguments.first() {
            Some(format) => self.text(format, scope, name)?,
            None => None,
        };
        let Some(format) = format else { return Ok(()) };
        let result = match call.function {
            F::Encode => encode(&text, &format),
            F::Decode => decode(&text, &format).and_then(|bytes| String::from_utf8(bytes).ok()),
            F::Escape => escape(&text, &format),
            _ => unescape(&text, &format),
        };
        out.extend(result.map(|text| Item::String(Cow::Owned(text))));
        Ok(())
    }
}

fn encode(text: &str, format: &str) -> Option<String> {
    match format {
        "base64" => Some(STANDARD.encode(text)),
        "urlbase64" => Some(URL_SAFE.encode(text)),
        "hex" => Some(hexadecimal(text)),
        _ => None,
    }
}

fn hexadecimal(text: &str) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
    text.bytes()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

fn decode(text: &str, format: &str) -> Option<Vec<u8>> {
    match format {
        "base64" => STANDARD.decode(text).ok(),
        "urlbase64" => URL_SAFE.decode(text).ok(),
        "hex" if text.is_ascii() && text.len().is_multiple_of(2) => {
            let byte = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
            (0..text.len()).step_by(2).map(byte).collect()
        }
        _ => None,
    }
}

fn escape(text: &str, format: &str) -> Option<String> {
    let escaped = |c: char| -> Cow<'static, str> {
        if format == "html" {
            let entity = ENTITIES.iter().find(|(plain, _)| *plain == c);
            return entity.map_or(Cow::Owned(c.to_string()), |(_, entity)| {
                Cow::Borrowed(*entity)
            });
        }
        match c {
            '"' => "\\\"".into(),
            '\\' => "\\\\".into(),
            '\n' => "\\n".into(),
            '\r' => "\\r".into(),
            '\t' => "\\t".into(),
            c if c < ' ' => format!("\\u{:04x}", u32::from(c)).into(),
            c => c.to_string().into(),
        }
    };
    matches!(format, "html" | "json").then(|| text.chars().map(escaped).collect())
}

fn unescape(text: &str, format: &str) -> Option<String> {
    match format {
        "html" => {
            let mut plain = String::with_capacity(text.len());
            let mut rest = text;
            while let Some((before, after)) = rest.split_once('&') {
                plain.push_str(before);
                let entity = ENTITIES
                    .iter()
                    .find_map(|(c, entity)| Some((*c, after.strip_prefix(entity.get(1..)?)?)));
                let (c, tail) = entity.unwrap_or(('&', after));
                plain.push(c);
                rest = tail;
            }
            plain.push_str(rest);
            Some(plain)
        }
        "json" => unescape_json(text),
        _ => None,
    }
}

/// Unescapes JSON; quotes that should have been escaped are taken literally.
fn unescape_json(text: &str) -> Option<String> {
    let source = format!("\"{}\"", escape_bare_quotes(text));
    let document = fhir::json::Document::parse(&source).ok()?;
    document.root().as_str().map(Cow::into_owned)
}

fn escape_bare_quotes(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut after_backslash = false;
    for c in text.chars() {
        if c == '"' && !after_backslash {
            escaped.push('\\');
        }
        after_backslash = c == '\\' && !after_backslash;
        escaped.push(c);
    }
    escaped
}
