//! Mutable JSON values.
//!
//! Invariants:
//! - a [`Value`] made from a node and written again parses to the same tree: numbers keep their
//!   digits, unknown fields stay;
//! - an object has each name once; setting it again replaces its value in place.

mod convert;
mod object;
mod path;
mod write;

pub use object::{Name, Object};

use crate::json::{Document, JsonError};
use path::{Step, steps};
use std::fmt;

/// A mutable JSON value.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Value {
    /// `null`
    #[default]
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number as written.
    Number(Box<str>),
    /// A string.
    String(Box<str>),
    /// An array.
    Array(Vec<Value>),
    /// An object.
    Object(Object),
}

// === impl Value ===

impl Value {
    /// Creates an empty object.
    pub fn object() -> Self {
        Self::Object(Object::default())
    }

    /// Creates a resource with only its type.
    pub fn resource(resource_type: &str) -> Self {
        Self::Object(Object::with_capacity(16)).with("resourceType", resource_type)
    }

    /// Parses JSON bytes.
    pub fn parse(source: impl AsRef<[u8]>) -> Result<Self, JsonError> {
        Document::parse(source).map(|document| Self::from(document.root()))
    }

    /// Sets a field and returns the value, for building in one expression.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Self>) -> Self {
        self.set(name, value);
        self
    }

    /// Returns the field of an object.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.as_object()?.get(name)
    }

    /// Returns the field of an object, by a name that was looked up before.
    pub fn get_named(&self, name: &Name) -> Option<&Self> {
        self.as_object()?.get_named(name)
    }

    /// Returns the field of an object, mutably.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Self> {
        self.as_object_mut()?.get_mut(name)
    }

    /// Returns the item of an array.
    pub fn item(&self, place: usize) -> Option<&Self> {
        self.as_array()?.get(place)
    }

    /// Sets a field; a value that is not an object becomes one.
    pub fn set(&mut self, name: &str, value: impl Into<Self>) {
        self.make_object().set(name, value.into());
    }

    /// Removes a field.
    pub fn remove(&mut self, name: &str) -> Option<Self> {
        self.as_object_mut()?.remove(name)
    }

    /// Returns the field, first inserting `null` if it is absent; a value that is not an object
    /// becomes one.
    pub fn entry(&mut self, name: &str) -> &mut Self {
        self.make_object().entry(name)
    }

    /// Returns the field like [`Value::entry`], by a name that was looked up before.
    pub fn entry_named(&mut self, name: &Name) -> &mut Self {
        self.make_object().entry_named(name)
    }

    /// Appends an item; `null` becomes an array, any other value the first item of an array.
    pub fn push(&mut self, item: impl Into<Self>) {
        if let Self::Array(items) = self {
            items.push(item.into());
            return;
        }
        let items = match std::mem::take(self) {
            Self::Null => vec![item.into()],
            other => vec![other, item.into()],
        };
        *self = Self::Array(items);
    }

    /// Returns the value at a path of names and indices: `name[0].given[1]`.
    pub fn at(&self, path: &str) -> Option<&Self> {
        steps(path).try_fold(self, |value, step| match step {
            Step::Name(name) => value.get(name),
            Step::Place(place) => value.item(place),
        })
    }

    /// Sets the value at a path, creating objects and arrays on the way.
    pub fn set_at(&mut self, path: &str, value: impl Into<Self>) {
        let place = steps(path).fold(self, |at, step| match step {
            Step::Name(name) => at.entry(name),
            Step::Place(place) => at.place(place),
        });
        *place = value.into();
    }

    /// Returns the text of a string.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self {
            Some(text)
        } else {
            None
        }
    }

    /// Returns the text of a string field.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// Returns `true` or `false`.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(truth) = self {
            Some(*truth)
        } else {
            None
        }
    }

    /// Returns a number as written.
    pub fn number_text(&self) -> Option<&str> {
        if let Self::Number(text) = self {
            Some(text)
        } else {
            None
        }
    }

    /// Returns the items of an array.
    pub fn as_array(&self) -> Option<&Vec<Self>> {
        if let Self::Array(items) = self {
            Some(items)
        } else {
            None
        }
    }

    /// Returns the items of an array, mutably.
    pub fn as_array_mut(&mut self) -> Option<&mut Vec<Self>> {
        if let Self::Array(items) = self {
            Some(items)
        } else {
            None
        }
    }

    /// Returns the fields of an object.
    pub fn as_object(&self) -> Option<&Object> {
        if let Self::Object(object) = self {
            Some(object)
        } else {
            None
        }
    }

    /// Returns the fields of an object, mutably.
    pub fn as_object_mut(&mut self) -> Option<&mut Object> {
        if let Self::Object(object) = self {
            Some(object)
        } else {
            None
        }
    }

    /// Iterates over the items of an array field, or over a single field that is not an array.
    pub fn each(&self, name: &str) -> std::slice::Iter<'_, Self> {
        match self.get(name) {
            Some(Self::Array(items)) => items.iter(),
            Some(one) => std::slice::from_ref(one).iter(),
            None => [].iter(),
        }
    }

    /// Returns whether the value is `null`, or an empty array or object.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Array(items) => items.is_empty(),
            Self::Object(object) => object.is_empty(),
            Self::Bool(_) | Self::Number(_) | Self::String(_) => false,
        }
    }

    /// Returns `resourceType` of an object.
    pub fn resource_type(&self) -> Option<&str> {
        self.text("resourceType")
    }

    /// Returns whether both are the same JSON, ignoring field order.
    #[must_use]
    pub fn is_same_json(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Array(a), Self::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.is_same_json(b))
            }
            (Self::Object(a), Self::Object(b)) => {
                let there = |(name, value): (&str, &Self)| {
                    b.get(name).is_some_and(|other| value.is_same_json(other))
                };
                a.len() == b.len() && a.iter().all(there)
            }
            _ => self == other,
        }
    }

    /// Removes what FHIR does not allow: nulls, empty arrays and empty objects. Nulls in arrays
    /// stay: they keep `x` and `_x` aligned.
    pub fn prune(&mut self) {
        match self {
            Self::Array(items) => items.iter_mut().for_each(Self::prune),
            Self::Object(object) => {
                object.values_mut().for_each(Self::prune);
                object.retain(|value| !value.is_empty());
            }
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => {}
        }
    }

    /// Serializes to JSON without white space: fields of known types in definition order, unknown
    /// fields after them, everything else in the order in which it was set.
    pub fn to_bytes(&self) -> Vec<u8> {
        // What most resources have room in.
        let mut out = Vec::with_capacity(1024);
        write::value(self, &mut out);
        out
    }

    /// Returns a read-only document with the same content.
    pub fn to_document(&self) -> Result<Document, JsonError> {
        Document::parse(self.to_bytes())
    }

    fn make_object(&mut self) -> &mut Object {
        if !matches!(self, Self::Object(_)) {
            *self = Self::object();
        }
        match self {
            Self::Object(object) => object,
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) | Self::Array(_) => {
                unreachable!("made an object above")
            }
        }
    }

    /// Returns the item at an index; an index beyond the end becomes the next free one.
    fn place(&mut self, place: usize) -> &mut Self {
        if !matches!(self, Self::Array(_)) {
            let first = std::mem::take(self);
            *self = Self::Array(if first == Self::Null {
                Vec::new()
            } else {
                vec![first]
            });
        }
        match self {
            Self::Array(items) => {
                if items.len() <= place {
                    items.push(Self::Null);
                }
                let last = items.len() - 1;
                #[expect(
                    clippy::indexing_slicing,
                    reason = "bounded in the same line, never empty"
                )]
                &mut items[place.min(last)]
            }
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) | Self::Object(_) => {
                unreachable!("made an array above")
            }
        }
    }
}

impl fmt::Debug for Value {
    /// Prints no content: it may be PHI.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "Null",
            Self::Bool(_) => "Bool",
            Self::Number(_) => "Number",
            Self::String(_) => "String",
            Self::Array(_) => "Array",
            Self::Object(_) => "Object",
        })
    }
}
