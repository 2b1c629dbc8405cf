//! Conversions into a value.

use super::{Object, Value};
use crate::json::{Document, Kind, Node};
use base::Decimal;
use std::borrow::Cow;

impl From<Node<'_>> for Value {
    fn from(node: Node<'_>) -> Self {
        match node.kind() {
            Kind::Null => Self::Null,
            Kind::Bool => Self::Bool(node.as_bool().unwrap_or_default()),
            Kind::Number => Self::Number(node.raw_str().into()),
            Kind::String => Self::String(node.as_str().unwrap_or_default().into()),
            Kind::Array => Self::Array(node.items().map(Self::from).collect()),
            Kind::Object => Self::Object(Object::from_fields(node)),
        }
    }
}

impl From<&Document> for Value {
    fn from(document: &Document) -> Self {
        Self::from(document.root())
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::String(text.as_str().into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text.into())
    }
}

impl From<Cow<'_, str>> for Value {
    fn from(text: Cow<'_, str>) -> Self {
        Self::String(text.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number.to_string().into())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.to_string().into())
    }
}

impl From<&Decimal> for Value {
    fn from(number: &Decimal) -> Self {
        Self::Number(number.to_json().into())
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Self::Array(items)
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl FromIterator<Value> for Value {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Self {
        Self::Array(items.into_iter().collect())
    }
}
