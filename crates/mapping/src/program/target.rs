//! The place where a row writes: hops through elements, slices of lists.

use fhir::build::{Name, Value};
use std::fmt;
use std::ops::Deref;

/// The right side of a row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Target {
    pub(crate) hops: Vec<Hop>,
    /// The FHIR type at the end of the path.
    pub(crate) fhir_type: &'static str,
    /// The other JSON names of the same choice: `valueString` beside `valueQuantity`.
    pub(crate) rivals: Vec<Element>,
    /// This is the first row of its map for this place. Other rows only add parts.
    pub(crate) principal: bool,
    /// `merge by`: only elements with the same value at this place are replaced.
    pub(crate) merge_by: Vec<Hop>,
    /// In an existing resource, only an absent element is set, whoever owns the resource.
    pub(crate) fills_gap: bool,
}

/// The JSON name of an element, looked up when the map was parsed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Element {
    text: &'static str,
    pub(crate) name: Name,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hop {
    /// An element that occurs once.
    Field(Element),
    /// The one element of a list that the slice selects.
    One(Element, Slice),
    /// New elements of a list.
    Many(Element, Slice),
}

/// Selects the elements of a list that belong to a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) discriminators: Vec<Discriminator>,
    /// The distinguishing values of every row on this list, including this one.
    pub(crate) others: Vec<Vec<Discriminator>>,
}

/// A distinguishing value: `type = PLAC` or `use default home, also mobile, absent`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Discriminator {
    pub(crate) path: Vec<&'static str>,
    pub(crate) values: Vec<Literal>,
    pub(crate) default: bool,
    pub(crate) absent: bool,
    /// The element is a list, and one of its items has the value.
    pub(crate) is_list: bool,
    /// The text of a concept, which distinguishes nothing.
    pub(crate) text: Option<Box<str>>,
}

/// A constant of a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Literal {
    Text(Box<str>),
    Bool(bool),
    Number(Box<str>),
    Coding {
        system: Box<str>,
        code: Box<str>,
    },
    Concept {
        system: Box<str>,
        code: Box<str>,
    },
    /// `set … = absent`: removes what is there.
    Absent,
}

// === impl Element ===

impl From<&'static str> for Element {
    fn from(text: &'static str) -> Self {
        Self {
            text,
            name: Name::new(text),
        }
    }
}

impl Deref for Element {
    type Target = str;

    fn deref(&self) -> &str {
        self.text
    }
}

impl fmt::Debug for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

impl Element {
    pub(crate) fn text(&self) -> &'static str {
        self.text
    }
}

// === impl Hop ===

impl Hop {
    pub(crate) fn name(&self) -> &'static str {
        self.element().text
    }

    pub(crate) fn element(&self) -> &Element {
        match self {
            Self::Field(name) | Self::One(name, _) | Self::Many(name, _) => name,
        }
    }
}

// === impl Slice ===

impl Slice {
    pub(crate) fn holds(&self, element: &Value) -> bool {
        if self.discriminators.is_empty() {
            let claimed = |claim: &Vec<Discriminator>| claim.iter().all(|one| one.holds(element));
            return !self.others.iter().any(claimed);
        }
        self.discriminators.iter().all(|one| one.holds(element))
    }

    /// Writes the values that distinguish the row's elements.
    pub(crate) fn mark(&self, element: &mut Value) {
        for one in &self.discriminators {
            one.mark(element);
        }
    }
}

// === impl Discriminator ===

impl Discriminator {
    fn holds(&self, element: &Value) -> bool {
        match walk(element, &self.path) {
            None => self.absent || self.values.is_empty(),
            Some(found) => self.values.iter().any(|value| value.is_in(found)),
        }
    }

    fn made(&self, literal: &Literal) -> Value {
        let mut value = literal.to_value();
        if let Some(text) = &self.text {
            value.set("text", &**text);
        }
        value
    }

    /// Adds the text beside the code unless the sender has a text.
    fn put_words(&self, element: &mut Value) {
        let Some(text) = &self.text else { return };
        let concept = match walk_mut(element, &self.path) {
            Some(Value::Array(items)) => items.first_mut(),
            other => other,
        };
        if let Some(concept) = concept.filter(|concept| concept.get("text").is_none()) {
            concept.set("text", &**text);
        }
    }

    fn mark(&self, element: &mut Value) {
        let Some(first) = self.values.first() else {
            return;
        };
        if let Some(found) = walk(element, &self.path) {
            if self.default || self.values.iter().any(|value| value.is_in(found)) {
                self.put_words(element);
                return;
            }
            if self.is_list {
                if let Some(Value::Array(items)) = walk_mut(element, &self.path) {
                    items.insert(0, self.made(first));
                }
                return;
            }
            if let (Literal::Concept { system, code }, [name]) = (first, self.path.as_slice()) {
                // A concept of the sender stays beside the one that marks the row.
                let coding = Literal::coding(system, code);
                if let Some(Value::Array(codings)) = element
                    .get_mut(name)
                    .and_then(|concept| concept.get_mut("coding"))
                {
                    codings.push(coding);
                    self.put_words(element);
                    return;
                }
            }
        }
        let mut place = element;
        for name in &self.path {
            place = place.entry(name);
        }
        let value = self.made(first);
        *place = if self.is_list {
            Value::Array(vec![value])
        } else {
            value
        };
    }
}

/// Follows the names; in a list, the first item counts.
pub(crate) fn walk<'v>(value: &'v Value, path: &[&'static str]) -> Option<&'v Value> {
    let mut at = value;
    for name in path {
        if let Value::Array(items) = at {
            at = items.first()?;
        }
        at = at.get(name)?;
    }
    Some(at)
}

fn walk_mut<'v>(value: &'v mut Value, path: &[&'static str]) -> Option<&'v mut Value> {
    path.iter().try_fold(value, |at, name| at.get_mut(name))
}

// === impl Literal ===

impl Literal {
    pub(crate) fn to_value(&self) -> Value {
        match self {
            Self::Text(text) => Value::String(text.clone()),
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Number(digits) => Value::Number(digits.clone()),
            Self::Coding { system, code } => Self::coding(system, code),
            Self::Concept { system, code } => {
                Value::object().with("coding", vec![Self::coding(system, code)])
            }
            Self::Absent => Value::Null,
        }
    }

    pub(crate) fn is_in(&self, found: &Value) -> bool {
        if let (Self::Coding { .. } | Self::Concept { .. }, Value::Array(items)) = (self, found) {
            return items.iter().any(|item| self.is_in(item));
        }
        match self {
            Self::Absent => found.is_empty(),
            Self::Coding { system, code } => is_coding(found, system, code),
            Self::Concept { system, code } => found
                .each("coding")
                .any(|coding| is_coding(coding, system, code)),
            Self::Text(_) | Self::Bool(_) | Self::Number(_) => match found {
                Value::Array(items) => items.iter().any(|item| *item == self.to_value()),
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_)
                | Value::Object(_) => *found == self.to_value(),
            },
        }
    }

    fn coding(system: &str, code: &str) -> Value {
        Value::object().with("system", system).with("code", code)
    }
}

fn is_coding(found: &Value, system: &str, code: &str) -> bool {
    found.text("code") == Some(code) && found.text("system") == Some(system)
}
