//! Objects with ordered fields.

use super::Value;
use crate::json::{Node, Symbol};
use std::collections::HashSet;
use std::fmt;

/// Fields in the order in which they were set, each name once. The order is not significant.
#[derive(Clone, Eq, Default)]
pub struct Object(Vec<(Name, Value)>);

/// The name of a field.
#[derive(Clone, PartialEq, Eq)]
pub struct Name(Text);

#[derive(Clone, PartialEq, Eq)]
enum Text {
    Known(Symbol),
    /// The `_x` of a known `x`.
    Underscored(Symbol),
    Other(Box<str>),
}

// === impl Object ===

impl Object {
    /// Creates an object without fields, with capacity for some.
    pub fn with_capacity(n_fields: usize) -> Self {
        Self(Vec::with_capacity(n_fields))
    }

    /// Returns the field's value.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|(own, _)| own.as_str() == name)
            .map(|(_, value)| value)
    }

    /// Returns the value of a field whose name was looked up before.
    pub fn get_named(&self, name: &Name) -> Option<&Value> {
        self.0
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, value)| value)
    }

    /// Returns the field's value, mutably.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.0
            .iter_mut()
            .find(|(own, _)| own.as_str() == name)
            .map(|(_, value)| value)
    }

    /// Sets a field in place, or as the last one.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        *self.entry(name) = value.into();
    }

    /// Returns the field's value, first inserting `null` if it is absent.
    pub fn entry(&mut self, name: &str) -> &mut Value {
        self.entry_named(&Name::new(name))
    }

    /// Returns the field like [`Object::entry`], by a name that was looked up before: names compare
    /// as numbers.
    pub fn entry_named(&mut self, name: &Name) -> &mut Value {
        let found = self.0.iter().position(|(own, _)| own == name);
        let place = found.unwrap_or_else(|| {
            self.0.push((name.clone(), Value::Null));
            self.0.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "found or pushed just above")]
        &mut self.0[place].1
    }

    /// Sets each field of another object in this one.
    pub fn extend(&mut self, other: Self) {
        for (name, value) in other.0 {
            *self.entry_named(&name) = value;
        }
    }

    /// Removes a field.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let place = self.0.iter().position(|(own, _)| own.as_str() == name)?;
        Some(self.0.remove(place).1)
    }

    /// Returns whether the field exists.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Iterates over the fields in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Returns the fields in order, by internal name.
    pub(super) fn fields(&self) -> &[(Name, Value)] {
        &self.0
    }

    /// Iterates over the values in order, mutably.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// Returns an object with the same fields and other values.
    #[must_use]
    pub fn map_values(&self, mut make: impl FnMut(&Name, &Value) -> Value) -> Self {
        let fields = self.0.iter();
        Self(
            fields
                .map(|(name, value)| (name.clone(), make(name, value)))
                .collect(),
        )
    }

    /// Keeps the fields whose value passes the predicate.
    pub fn retain(&mut self, mut keep: impl FnMut(&Value) -> bool) {
        self.0.retain(|(_, value)| keep(value));
    }

    /// Returns the number of fields.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Builds from the fields of an object node; of two with the same name, the first wins.
    pub(super) fn from_fields(node: Node<'_>) -> Self {
        let mut fields: Vec<(Name, Value)> = Vec::new();
        let mut names: HashSet<&str> = HashSet::new();
        let duplicates = !node.document().issues().is_empty();
        for field in node.fields() {
            let name = field.name().unwrap_or_default();
            if !duplicates || names.insert(name) {
                fields.push((Name::new(name), Value::from(field)));
            }
        }
        Self(fields)
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self.0.iter().enumerate().all(|(place, (name, value))| {
                match other.0.get(place) {
                    // Usually both are at the same index.
                    Some((own, found)) if own == name => found == value,
                    _ => other.get(name.as_str()) == Some(value),
                }
            })
    }
}

impl<N: AsRef<str>> FromIterator<(N, Value)> for Object {
    fn from_iter<I: IntoIterator<Item = (N, Value)>>(fields: I) -> Self {
        let mut object = Self::default();
        for (name, value) in fields {
            object.set(name.as_ref(), value);
        }
        object
    }
}

// === impl Name ===

impl Name {
    /// Creates a name from any text; names in the tables take no memory of their own.
    pub fn new(name: &str) -> Self {
        if let Some(symbol) = Symbol::of(name) {
            return Self(Text::Known(symbol));
        }
        match name.strip_prefix('_').and_then(Symbol::of) {
            Some(symbol) => Self(Text::Underscored(symbol)),
            None => Self(Text::Other(name.into())),
        }
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Known(symbol) => symbol.as_str(),
            Text::Underscored(symbol) => symbol.underscored(),
            Text::Other(text) => text,
        }
    }

    /// Returns the symbol of the name without its `_`, if the tables have it, and whether there was
    /// a `_`.
    pub fn symbol(&self) -> Option<(Symbol, bool)> {
        match &self.0 {
            Text::Known(symbol) => Some((*symbol, false)),
            Text::Underscored(symbol) => Some((*symbol, true)),
            Text::Other(_) => None,
        }
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
