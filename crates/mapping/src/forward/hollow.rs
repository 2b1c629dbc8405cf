//! Finds elements without content: a name type but no name (`^^^^^^L` in PID-5), an authority but no
//! number (`^^^HOSP^MR` in PID-3).
//!
//! Facts: FHIR R4 datatypes.html, HumanName, Address, ContactPoint and Identifier: which elements
//! carry the content and which only qualify it.

use fhir::build::Value;

/// Returns the elements that carry the content; empty if every element does.
fn substance(fhir_type: &str) -> &'static [&'static str] {
    match fhir_type {
        "HumanName" => &["text", "family", "_family", "given", "prefix", "suffix"],
        "Address" => &[
            "text",
            "line",
            "city",
            "district",
            "state",
            "postalCode",
            "country",
            "extension",
        ],
        "ContactPoint" => &["value", "extension"],
        "Identifier" => &["value"],
        _ => &[],
    }
}

/// Returns the reason for leaving the element out; `None` if it has content.
pub(super) fn why(fhir_type: &str, value: &Value) -> Option<&'static str> {
    let substance = substance(fhir_type);
    if substance.is_empty() || substance.iter().any(|name| is_said(value, name)) {
        return None;
    }
    match fhir_type {
        "HumanName" => Some("a name type only, without a name"),
        "Address" => Some("an address type only, without an address"),
        _ => Some("qualifiers only, without a number"),
    }
}

/// Returns whether the element has a value: blanks are not a number, and FHIR has no text of blanks
/// alone.
fn is_said(value: &Value, name: &str) -> bool {
    let is_blank = || value.text(name).is_some_and(|text| text.trim().is_empty());
    value.get(name).is_some() && !is_blank()
}
