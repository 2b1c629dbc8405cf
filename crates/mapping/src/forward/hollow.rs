//! Elements that say nothing: what kind of name it would be, but no name (`^^^^^^L` in PID-5).
//!
//! Facts: FHIR R4 datatypes.html, HumanName, Address and ContactPoint: which elements are the thing itself and
//! which only say what it is for.

use fhir::build::Value;

/// The elements that are the thing itself; none where every element is one.
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
        _ => &[],
    }
}

/// Why the element is left out; none where it says something.
pub(super) fn why(fhir_type: &str, value: &Value) -> Option<&'static str> {
    let substance = substance(fhir_type);
    if substance.is_empty() || substance.iter().any(|name| value.get(name).is_some()) {
        return None;
    }
    match fhir_type {
        "HumanName" => Some("what kind of name it is, and no name"),
        "Address" => Some("what kind of address it is, and no address"),
        _ => Some("what kind of number it is, and no number"),
    }
}
