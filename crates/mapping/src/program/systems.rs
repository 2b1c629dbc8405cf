//! Code systems by their v2 names.
//!
//! A name is looked up as written, then by its letters and digits alone: senders write `SNOMED CT`,
//! `SNOMED-CT`, `RxNorm` and `icd10cm`, and table 0396 means one system by each.

use super::table::Table;
use crate::values::universal::{self, LOCAL, escape, unescape};
use std::borrow::Cow;
use std::collections::HashMap;

const V2: &str = "http://terminology.hl7.org/CodeSystem/v2-";
const V3: &str = "http://terminology.hl7.org/CodeSystem/v3-";
const OID: &str = "urn:oid:";
/// The maximum number of letters and digits in the name of a code system.
pub(super) const LONGEST: usize = 40;

/// Names and URIs of code systems.
#[derive(Clone, Debug, Default)]
pub(crate) struct Systems {
    uris: Table<String, String>,
    /// The same names reduced to letters and digits, in upper case.
    folded: Table<String, String>,
    pub(crate) names: HashMap<String, String>,
    pub(crate) shorts: HashMap<String, String>,
    /// Systems whose codes have a minimum width: leading zeros belong to the code.
    widths: Vec<(String, usize)>,
}

// === impl Systems ===

impl Systems {
    /// Adds a name and its URI; a later one replaces an earlier one.
    pub(crate) fn learn(&mut self, name: &str, uri: &str) {
        self.uris.insert(name.to_owned(), uri.to_owned());
        let mut space = [0; LONGEST];
        if let Some(folded) = fold(name, &mut space) {
            self.folded.insert(folded.to_owned(), uri.to_owned());
        }
    }

    /// Sets the minimum number of characters of the system's codes.
    pub(crate) fn widen(&mut self, uri: &str, width: usize) {
        self.widths.push((uri.to_owned(), width));
    }

    /// Returns the URI of a v2 name such as `LN` or `HL70001`.
    pub(crate) fn uri<'a>(&'a self, name: &'a str) -> Cow<'a, str> {
        let known = |name: &str| self.uris.get(name).map(|uri| Cow::Borrowed(uri.as_str()));
        if let Some(uri) = known(name) {
            return uri;
        }
        if let Some(table) = table_number(name) {
            return Cow::Owned(format!("{V2}{table}"));
        }
        if is_uri(name) {
            return Cow::Borrowed(name);
        }
        if is_oid(name) {
            return Cow::Owned(format!("{OID}{name}"));
        }
        let mut space = [0; LONGEST];
        if let Some(folded) = fold(name, &mut space) {
            if let Some(uri) = self.folded.get(folded) {
                return Cow::Borrowed(uri);
            }
            if let Some(table) = table_number(folded) {
                return Cow::Owned(format!("{V2}{table}"));
            }
        }
        Cow::Owned(format!("{LOCAL}{}", escape(name)))
    }

    /// Returns the code with the leading zeros that its system requires; `None` if it has them.
    pub(crate) fn widened(&self, system: &str, code: &str) -> Option<String> {
        let (_, width) = self.widths.iter().find(|(uri, _)| uri == system)?;
        let short = code.len() < *width && code.bytes().all(|byte| byte.is_ascii_digit());
        (short && !code.is_empty()).then(|| format!("{code:0>width$}"))
    }

    /// Returns the v2 name of a URI; a URI without one is returned as it is.
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
        if let Some(oid) = uri.strip_prefix(OID).filter(|oid| is_oid(oid)) {
            return Cow::Borrowed(oid);
        }
        match uri.strip_prefix(LOCAL) {
            Some(name) => Cow::Owned(unescape(name)),
            None => Cow::Borrowed(uri),
        }
    }

    /// Returns the URI of a short name in a map.
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

/// Returns the letters and digits in upper case, if there are any and not too many.
pub(super) fn fold<'s>(name: &str, space: &'s mut [u8; LONGEST]) -> Option<&'s str> {
    let mut at = 0;
    for byte in name.bytes().filter(u8::is_ascii_alphanumeric) {
        *space.get_mut(at)? = byte.to_ascii_uppercase();
        at += 1;
    }
    let found = space.get(..at).filter(|found| !found.is_empty())?;
    std::str::from_utf8(found).ok()
}

/// Returns whether the name is an OID of at least four arcs: a shorter one may be a version.
fn is_oid(name: &str) -> bool {
    4 <= name.split('.').count() && universal::is_oid(name)
}

fn is_uri(name: &str) -> bool {
    name.starts_with("urn:") || name.starts_with("http://") || name.starts_with("https://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_uris_come_back() {
        let mut systems = Systems::default();
        systems.learn("LN", "http://loinc.org");
        systems
            .names
            .insert("http://loinc.org".to_owned(), "LN".to_owned());
        for name in ["LN", "HL70001", "99LAB", "L", "A B/ü%", "1.2.840.1"] {
            assert_eq!(systems.name(&systems.uri(name)), name);
        }
        assert_eq!(
            systems.uri("HL70203"),
            "http://terminology.hl7.org/CodeSystem/v2-0203"
        );
        assert_eq!(systems.uri("99LAB"), "urn:x-hl7v2:99LAB");
    }
    #[test]
    fn a_name_is_found_by_its_letters_and_digits() {
        let mut systems = Systems::default();
        systems.learn("ICD10CM", "http://hl7.org/fhir/sid/icd-10-cm");
        for name in [
            "ICD10CM",
            "ICD-10-CM",
            "icd10cm",
            "ICD 10 CM",
            " Icd_10-cm ",
        ] {
            assert_eq!(
                systems.uri(name),
                "http://hl7.org/fhir/sid/icd-10-cm",
                "{name}"
            );
        }
        assert_eq!(
            systems.uri("hl7-0005"),
            "http://terminology.hl7.org/CodeSystem/v2-0005"
        );
        assert_eq!(systems.uri("99ICD10CM"), "urn:x-hl7v2:99ICD10CM");
        assert_eq!(systems.uri("--"), "urn:x-hl7v2:--");
        let long = "A".repeat(LONGEST + 1);
        assert_eq!(systems.uri(&long), format!("urn:x-hl7v2:{long}"));
    }

    #[test]
    fn leading_zeros_belong_to_codes_of_a_width() {
        let mut systems = Systems::default();
        systems.widen("http://hl7.org/fhir/sid/cvx", 2);
        let wide = |code| systems.widened("http://hl7.org/fhir/sid/cvx", code);
        assert_eq!(wide("8").as_deref(), Some("08"));
        assert_eq!(wide("08"), None);
        assert_eq!(wide("208"), None);
        assert_eq!(wide("X"), None);
        assert_eq!(systems.widened("http://loinc.org", "8"), None);
    }
}
