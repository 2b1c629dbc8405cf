//! Removes the remains of an element whose value was deleted: an extension with only a URL, a
//! coding with only a system, an identifier with only a type.
//!
//! Facts: FHIR R4 extensibility.html (ext-1: an extension has a value or extensions);
//! datatypes.html (Coding, Identifier, ContactPoint). Invariant: only content below the field that
//! lost something is considered.

use fhir::build::Value;

/// Removes what no longer carries any content, in the field of that name and below it.
pub(super) fn sweep(parent: &mut Value, name: &str) {
    let Some(child) = parent.get_mut(name) else {
        return;
    };
    if let Value::Array(items) = child {
        items.iter_mut().for_each(below);
        items.retain(|item| !is_husk(name, item));
    } else {
        below(child);
    }
    if child.is_empty() || (!matches!(child, Value::Array(_)) && is_husk(name, child)) {
        parent.remove(name);
    }
}

fn below(element: &mut Value) {
    let Value::Object(fields) = &*element else {
        return;
    };
    let names: Vec<String> = fields.iter().map(|(name, _)| name.to_owned()).collect();
    for name in names {
        sweep(element, &name);
    }
}

fn is_husk(name: &str, element: &Value) -> bool {
    let Value::Object(fields) = element else {
        return element.is_empty();
    };
    let only = |kinds: &[&str]| fields.iter().all(|(name, _)| kinds.contains(&name));
    match name {
        "extension" | "modifierExtension" => only(&["id", "url"]),
        "coding" | "valueCoding" => only(&["id", "system", "version", "userSelected"]),
        "identifier" | "telecom" => element.get("value").is_none(),
        _ => fields.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_goes_and_what_says_something_stays() {
        for (before, after) in [
            (
                r#"{"extension":[{"url":"a"},{"url":"b","extension":[{"url":"c"}]},{"url":"d","valueCode":"1"}]}"#,
                r#"{"extension":[{"url":"d","valueCode":"1"}]}"#,
            ),
            (
                r#"{"extension":[{"url":"b","extension":[{"url":"c"}]}]}"#,
                "{}",
            ),
            (
                r#"{"identifier":[{"use":"secondary","system":"s"},{"value":"1"}]}"#,
                r#"{"identifier":[{"value":"1"}]}"#,
            ),
            (
                r#"{"language":{"coding":[{"system":"s"}],"text":"English"}}"#,
                r#"{"language":{"text":"English"}}"#,
            ),
            (r#"{"language":{"coding":[{"system":"s"}]}}"#, "{}"),
        ] {
            let mut value = Value::parse(before.as_bytes()).unwrap();
            for name in ["extension", "identifier", "language"] {
                sweep(&mut value, name);
            }
            assert_eq!(
                String::from_utf8(value.to_bytes()).unwrap(),
                after,
                "{before}"
            );
        }
    }
}
