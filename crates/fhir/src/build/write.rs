//! Serialization of values, with known types in definition order.

use super::{Object, Value, object::Name};
use crate::definitions::{TypeDef, TypeKind, type_named};
use crate::json::write_string;
use smallvec::SmallVec;

/// Fields with their rank and the type of their value.
type Ranked<'o> = SmallVec<[(usize, Option<&'static TypeDef>, &'o (Name, Value)); 16]>;

/// Rank of a field that the type does not define.
const UNKNOWN: usize = usize::MAX;

pub(super) fn value(value: &Value, out: &mut Vec<u8>) {
    write(value, None, out);
}

fn write(value: &Value, def: Option<&'static TypeDef>, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(text) => out.extend_from_slice(text.as_bytes()),
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (place, item) in items.iter().enumerate() {
                if place != 0 {
                    out.push(b',');
                }
                write(item, def, out);
            }
            out.push(b']');
        }
        Value::Object(fields) => object(fields, def, out),
    }
}

fn object(object: &Object, expected: Option<&'static TypeDef>, out: &mut Vec<u8>) {
    let stated = || object.get("resourceType")?.as_str().and_then(type_named);
    let def = match expected {
        Some(def) if def.kind != TypeKind::Resource => Some(def),
        Some(_) | None => stated(),
    };
    out.push(b'{');
    match def {
        Some(def) => known(object, def, out),
        None => {
            for (place, (name, value)) in object.fields().iter().enumerate() {
                field(place, name, value, None, out);
            }
        }
    }
    out.push(b'}');
}

/// Writes the fields of a known type in definition order.
fn known(object: &Object, def: &'static TypeDef, out: &mut Vec<u8>) {
    let mut ranked = Ranked::new();
    let mut last = 0;
    let mut is_sorted = true;
    for field in object.fields() {
        let (rank, inner) = rank(def, &field.0);
        is_sorted &= last <= rank;
        last = rank;
        ranked.push((rank, inner, field));
    }
    if !is_sorted {
        ranked.sort_by_key(|(rank, ..)| *rank);
    }
    for (place, (_, inner, (name, value))) in ranked.into_iter().enumerate() {
        field(place, name, value, inner, out);
    }
}

fn field(
    place: usize,
    name: &Name,
    value: &Value,
    def: Option<&'static TypeDef>,
    out: &mut Vec<u8>,
) {
    if place != 0 {
        out.push(b',');
    }
    if name.symbol().is_some() {
        // Defined names contain nothing to escape.
        let name = name.as_str().as_bytes();
        out.reserve(name.len() + 3);
        out.push(b'"');
        out.extend_from_slice(name);
        out.extend_from_slice(b"\":");
    } else {
        write_string(name.as_str(), out);
        out.push(b':');
    }
    write(value, def, out);
}

/// Returns the rank: `resourceType`, then the elements, each followed by its `_x`, then unknown
/// fields; with the type of the value.
fn rank(def: &TypeDef, name: &Name) -> (usize, Option<&'static TypeDef>) {
    let Some((symbol, underscore)) = name.symbol() else {
        return (UNKNOWN, None);
    };
    let Some((place, type_ref)) = def.place_and_type(symbol) else {
        let is_type = symbol.as_str() == "resourceType";
        let inner = if underscore {
            type_named("Element")
        } else {
            None
        };
        return (if is_type { 0 } else { UNKNOWN }, inner);
    };
    let rank = 2 * place + 1 + usize::from(underscore);
    if underscore {
        return (rank, type_named("Element"));
    }
    (rank, type_ref.definition())
}
