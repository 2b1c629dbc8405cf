//! Code systems by their v2 names.

use std::borrow::Cow;
use std::collections::HashMap;

const V2: &str = "http://terminology.hl7.org/CodeSystem/v2-";
const V3: &str = "http://terminology.hl7.org/CodeSystem/v3-";
/// Names that nobody registered: a URI that says only what the sender said.
const LOCAL: &str = "urn:x-hl7v2:";

/// Names and URIs of code systems.
#[derive(Clone, Debug, Default)]
pub(crate) struct Systems {
    pub(crate) uris: HashMap<String, String>,
    pub(crate) names: HashMap<String, String>,
    pub(crate) shorts: HashMap<String, String>,
}

// === impl Systems ===

impl Systems {
    /// The URI of a v2 name such as `LN` or `HL70001`.
    pub(crate) fn uri<'a>(&'a self, name: &'a str) -> Cow<'a, str> {
        if let Some(uri) = self.uris.get(name) {
            return Cow::Borrowed(uri);
        }
        if let Some(table) = table_number(name) {
            return Cow::Owned(format!("{V2}{table}"));
        }
        if is_uri(name) {
            return Cow::Borrowed(name);
        }
        Cow::Owned(format!("{LOCAL}{}", escape(name)))
    }

    /// The v2 name of a URI; a URI without one stands for itself.
    pub(crate) fn name<'a>(&'a self, uri: &'a str) -> Cow<'a, str> {
        if let Some(name) = self.names.get(uri) {
            return Cow::Borrowed(name);
        }
        if let Some(table) = uri.strip_prefix(V2)
            && table.len() == 4
            && table.bytes().all(|b| b.is_ascii_digit())
        {
            return Cow::Owned(format!("HL7{table}"));
        }
        match uri.strip_prefix(LOCAL) {
            Some(name) => Cow::Owned(unescape(name)),
            None => Cow::Borrowed(uri),
        }
    }

    /// The URI of a short name in a map.
    pub(crate) fn short(&self, name: &str) -> String {
        if name.contains(':') {
            return name.to_owned();
        }
        if let Some(uri) = self.shorts.get(name) {
            return uri.clone();
        }
        if let Some(table) = name.strip_prefix("v2-") {
            return format!("{V2}{table}");
        }
        if let Some(system) = name.strip_prefix("v3-") {
            return format!("{V3}{system}");
        }
        format!("http://hl7.org/fhir/{name}")
    }
}

fn table_number(name: &str) -> Option<&str> {
    let digits = name.strip_prefix("HL7")?;
    (digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit())).then_some(digits)
}

fn is_uri(name: &str) -> bool {
    name.starts_with("urn:") || name.starts_with("http://") || name.starts_with("https://")
}

/// Percent-encodes what a URI cannot hold.
fn escape(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.extend(hex(byte));
        }
    }
    out
}

fn hex(byte: u8) -> [char; 3] {
    let digit = |half: u8| {
        char::from_digit(u32::from(half), 16)
            .unwrap_or('0')
            .to_ascii_uppercase()
    };
    ['%', digit(byte >> 4), digit(byte & 15)]
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, more)) = rest.split_first() {
        rest = more;
        let hex = (first == b'%').then(|| more.get(..2)).flatten();
        let byte = hex
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        if byte.is_some() {
            rest = more.get(2..).unwrap_or(&[]);
        }
        bytes.push(byte.unwrap_or(first));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_uris_come_back() {
        let mut systems = Systems::default();
        systems
            .uris
            .insert("LN".to_owned(), "http://loinc.org".to_owned());
        systems
            .names
            .insert("http://loinc.org".to_owned(), "LN".to_owned());
        for name in ["LN", "HL70001", "99LAB", "L", "A B/ü%"] {
            assert_eq!(systems.name(&systems.uri(name)), name);
        }
        assert_eq!(
            systems.uri("HL70203"),
            "http://terminology.hl7.org/CodeSystem/v2-0203"
        );
        assert_eq!(systems.uri("99LAB"), "urn:x-hl7v2:99LAB");
    }
}
