//! Finds where two resources differ.

use fhir::build::Value;

/// Returns the paths of the values that `wanted` has and `got` does not have at the same place.
/// References are equal if both are present: full URLs and IDs differ between a message and a
/// chart. `id`, `meta` and `text` belong to the chart.
pub(crate) fn differences(wanted: &Value, got: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(wanted, Some(got), &mut String::new(), &mut found);
    found
}

fn walk(wanted: &Value, got: Option<&Value>, path: &mut String, found: &mut Vec<String>) {
    match wanted {
        Value::Object(fields) => {
            for (name, value) in fields.iter() {
                let at_top = path.is_empty();
                if at_top && matches!(name, "id" | "meta" | "text") {
                    continue;
                }
                let other = got.and_then(|got| got.get(name));
                if name == "reference" && other.is_some() {
                    continue;
                }
                let length = path.len();
                if !at_top {
                    path.push('.');
                }
                path.push_str(name);
                walk(value, other, path, found);
                path.truncate(length);
            }
        }
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                let length = path.len();
                path.push('[');
                path.push_str(&place.to_string());
                path.push(']');
                walk(item, got.and_then(|got| got.item(place)), path, found);
                path.truncate(length);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            if Some(wanted) != got {
                found.push(path.clone());
            }
        }
    }
}
