//! Results of an expression: elements of the tree, or values of FHIRPath's own types.
//!
//! Invariant: an element is a place in a document; nothing of the tree is copied until its value is
//! requested.

use crate::element::Element;
use crate::quantity::Quantity;
use crate::temporal::{Date, DateTime, Time};
use rust_decimal::Decimal;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::fmt::Write;

/// A collection. Most have few items, which need no allocation.
pub type Items<'a> = SmallVec<[Item<'a>; 4]>;

/// One item of a collection.
#[derive(Clone, Debug)]
pub enum Item<'a> {
    /// An element or resource.
    Element(Element<'a>),
    /// `true` or `false`.
    Boolean(bool),
    /// An integer.
    Integer(i32),
    /// An exact decimal number.
    Decimal(Decimal),
    /// Text.
    String(Cow<'a, str>),
    /// A date.
    Date(Date),
    /// A date and time.
    DateTime(DateTime),
    /// A time of day.
    Time(Time),
    /// A number with a unit.
    Quantity(Box<Quantity>),
    /// The result of `type()`.
    Type(TypeInfo),
}

/// The name of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeInfo {
    /// `FHIR` or `System`.
    pub namespace: &'static str,
    /// `Patient`, `Boolean`.
    pub name: &'static str,
}

// === impl Item ===

impl<'a> Item<'a> {
    /// Returns the element, if the item is one.
    pub fn element(&self) -> Option<&Element<'a>> {
        match self {
            Self::Element(element) => Some(element),
            _ => None,
        }
    }

    /// Returns the text of a string or of a primitive element that is read as one (`code`, `uri`…).
    pub fn as_str(&self) -> Option<Cow<'a, str>> {
        match self {
            Self::String(text) => Some(text.clone()),
            Self::Element(element) => match element.value()? {
                Item::String(text) => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns the boolean, if the item is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Boolean(value) => Some(*value),
            Self::Element(element) => match element.value()? {
                Item::Boolean(value) => Some(value),
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns the item's type.
    pub fn type_info(&self) -> TypeInfo {
        let name = match self {
            Self::Element(element) => {
                return TypeInfo {
                    namespace: "FHIR",
                    name: element.type_name().unwrap_or("Element"),
                };
            }
            Self::Boolean(_) => "Boolean",
            Self::Integer(_) => "Integer",
            Self::Decimal(_) => "Decimal",
            Self::String(_) => "String",
            Self::Date(_) => "Date",
            Self::DateTime(_) => "DateTime",
            Self::Time(_) => "Time",
            Self::Quantity(_) => "Quantity",
            Self::Type(_) => "TypeInfo",
        };
        TypeInfo {
            namespace: "System",
            name,
        }
    }

    /// Returns the value in FHIRPath's own types; a complex element has none.
    pub(crate) fn value(&self) -> Option<Item<'a>> {
        match self {
            Self::Element(element) => element.value(),
            other => Some(other.clone()),
        }
    }

    /// Returns one JSON value on one line: an element as in the document, without white space
    /// between its parts; everything else in FHIR's notation.
    pub fn to_json(&self) -> String {
        match self {
            Self::Element(element) => compact(element.node().raw_str()),
            Self::Boolean(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Decimal(value) => value.to_string(),
            Self::String(text) => json_string(text),
            Self::Date(date) => json_string(&date.to_string()),
            Self::DateTime(date_time) => json_string(&date_time.to_string()),
            Self::Time(time) => json_string(&time.to_string()),
            Self::Quantity(quantity) => {
                let (value, unit) = (quantity.value(), json_string(quantity.unit().code()));
                format!("{{\"value\":{value},\"unit\":{unit}}}")
            }
            Self::Type(info) => {
                let (namespace, name) = (json_string(info.namespace), json_string(info.name));
                format!("{{\"namespace\":{namespace},\"name\":{name}}}")
            }
        }
    }
}

/// Removes white space outside of strings from JSON.
fn compact(json: &str) -> String {
    let mut in_string = false;
    let mut after_backslash = false;
    let keep = |c: &char| {
        let kept = in_string || !matches!(c, ' ' | '\t' | '\n' | '\r');
        in_string ^= *c == '"' && !after_backslash;
        after_backslash = *c == '\\' && !after_backslash;
        kept
    };
    json.chars().filter(keep).collect()
}

fn json_string(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            c if c < ' ' => {
                let _ = write!(json, "\\u{:04x}", u32::from(c));
            }
            c => json.push(c),
        }
    }
    json.push('"');
    json
}
