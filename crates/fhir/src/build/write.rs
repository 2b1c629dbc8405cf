//! Values as bytes, known types in the order of their definition.

use super::{Object, Value, object::Name};
use crate::definitions::{TypeDef, TypeKind, type_named};
use crate::json::write_string;

/// Where a field goes that the type does not know.
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
    let mut first = true;
    let mut field = |(name, value): &(Name, Value)| {
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        write_string(name.as_str(), out);
        out.push(b':');
        write(value, def.and_then(|def| type_of(def, name)), out);
    };
    match def {
        Some(def)
            if !object
                .fields()
                .is_sorted_by_key(|(name, _)| rank(def, name)) =>
        {
            let mut ranked: Vec<(usize, &(Name, Value))> = object
                .fields()
                .iter()
                .map(|field| (rank(def, &field.0), field))
                .collect();
            ranked.sort_by_key(|(rank, _)| *rank);
            for (_, ranked) in ranked {
                field(ranked);
            }
        }
        Some(_) | None => object.fields().iter().for_each(field),
    }
    out.push(b'}');
}

/// `resourceType`, then the elements, each with its `_x` after it, then what is unknown.
fn rank(def: &TypeDef, name: &Name) -> usize {
    match name.symbol() {
        Some((symbol, _)) if symbol.as_str() == "resourceType" => 0,
        Some((symbol, underscore)) => def
            .place_of(symbol)
            .map_or(UNKNOWN, |place| 2 * place + 1 + usize::from(underscore)),
        None => UNKNOWN,
    }
}

fn type_of(def: &TypeDef, name: &Name) -> Option<&'static TypeDef> {
    let (symbol, underscore) = name.symbol()?;
    if underscore {
        return type_named("Element");
    }
    def.element_for_symbol(symbol)?.1.definition()
}
