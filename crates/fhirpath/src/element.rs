//! An element of the tree with its FHIR type.
//!
//! Invariants: the type is defined by the element's place, never guessed from the value; an element
//! with only an id or extensions exists, and has no value.

use crate::item::Item;
use crate::number;
use crate::quantity::{Quantity, Unit};
use crate::temporal::{Date, DateTime, Time};
use fhir::definitions::{TypeDef, TypeKind, type_named};
use fhir::json::{Kind, Node};
use std::borrow::Cow;

/// A place in a document, with its type if the definitions have one.
#[derive(Clone, Copy, Debug)]
pub struct Element<'a> {
    node: Node<'a>,
    type_def: Option<&'static TypeDef>,
}

/// The way in which a primitive type's value is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Boolean,
    Integer,
    Decimal,
    String,
    Date,
    DateTime,
    Time,
}

// === impl Element ===

impl<'a> Element<'a> {
    /// Creates an element whose type is known.
    pub fn new(node: Node<'a>, type_def: Option<&'static TypeDef>) -> Self {
        Self { node, type_def }
    }

    /// Creates a resource, whose type is the one it names.
    pub fn resource(node: Node<'a>) -> Self {
        Self {
            node,
            type_def: node.resource_type().and_then(type_named),
        }
    }

    /// Returns the element's node. For a primitive without a value, this is the `_x`.
    pub fn node(&self) -> Node<'a> {
        self.node
    }

    /// Returns the element's type.
    pub fn type_def(&self) -> Option<&'static TypeDef> {
        self.type_def
    }

    /// Returns the name of the type: `Patient`, `code`; `BackboneElement` for a backbone element.
    pub fn type_name(&self) -> Option<&'static str> {
        let def = self.type_def?;
        match def.kind {
            TypeKind::Backbone => def.base,
            TypeKind::Resource | TypeKind::Complex | TypeKind::Primitive => Some(def.name),
        }
    }

    /// Returns whether the type is `ancestor` or a specialisation of it.
    pub(crate) fn is_a(&self, ancestor: &'static TypeDef) -> bool {
        self.type_def
            .is_some_and(|own| std::ptr::eq(own, ancestor) || own.is_a(ancestor.name))
    }

    /// Returns whether the type is primitive or, if unknown, whether the node is not an object.
    pub(crate) fn is_primitive(&self) -> bool {
        match self.type_def {
            Some(def) => def.kind == TypeKind::Primitive,
            None => !self.node.is_object(),
        }
    }

    /// Returns whether the element has a value of its own. Complex elements have none.
    pub fn has_value(&self) -> bool {
        self.is_primitive() && !matches!(self.node.kind(), Kind::Object | Kind::Null | Kind::Array)
    }

    /// Returns the object that holds the children: the element itself, or the `_x` of a primitive.
    pub(crate) fn holder(&self) -> Option<Node<'a>> {
        if self.node.is_object() {
            Some(self.node)
        } else {
            self.node.extension_sibling()
        }
    }

    /// Returns the value in FHIRPath's own types, for a primitive or a quantity.
    pub fn value(&self) -> Option<Item<'a>> {
        if self.node.is_object() {
            return self
                .quantity()
                .map(|quantity| Item::Quantity(Box::new(quantity)));
        }
        let reading = self.type_def.and_then(Reading::of);
        match self.node.kind() {
            Kind::Null | Kind::Array | Kind::Object => None,
            Kind::Bool => self.node.as_bool().map(Item::Boolean),
            Kind::Number => {
                let text = self.node.number_text()?;
                let whole = if reading == Some(Reading::Decimal) {
                    None
                } else {
                    text.parse().ok()
                };
                whole
                    .map(Item::Integer)
                    .or_else(|| number::parse(text).map(Item::Decimal))
            }
            Kind::String => {
                let text = self.node.as_str()?;
                Some(read_text(reading, text))
            }
        }
    }

    /// Returns the value like [`Element::value`] if it is text, without checking the type.
    pub(crate) fn text(&self) -> Option<Cow<'a, str>> {
        self.node.as_str()
    }

    fn quantity(&self) -> Option<Quantity> {
        let def = self.type_def?;
        if def.name != "Quantity" && !(def.kind == TypeKind::Complex && def.is_a("Quantity")) {
            return None;
        }
        // `<5` is not 5.
        if self.node.get("comparator").is_some() {
            return None;
        }
        let value = number::parse(self.node.get("value")?.number_text()?)?;
        let ucum = self
            .node
            .text("system")
            .is_some_and(|url| url == "http://unitsofmeasure.org");
        let code = if ucum { self.node.text("code") } else { None };
        let unit = code
            .or_else(|| self.node.text("unit"))
            .unwrap_or(Cow::Borrowed("1"));
        Some(Quantity::new(value, Unit::Ucum(unit.into())))
    }
}

fn read_text(reading: Option<Reading>, text: Cow<'_, str>) -> Item<'_> {
    let read = match reading {
        Some(Reading::Date) => Date::parse(&text).map(Item::Date),
        Some(Reading::DateTime) => DateTime::parse(&text).map(Item::DateTime),
        Some(Reading::Time) => Time::parse(&text).map(Item::Time),
        Some(Reading::Boolean | Reading::Integer | Reading::Decimal | Reading::String) | None => {
            None
        }
    };
    // A value that is malformed for its type stays text.
    read.unwrap_or(Item::String(text))
}

// === impl Reading ===

impl Reading {
    /// Returns how the values of a primitive type are read (FHIR R4 fhirpath.html#types).
    pub(crate) fn of(def: &TypeDef) -> Option<Self> {
        if def.kind != TypeKind::Primitive {
            return None;
        }
        Some(match def.name {
            "boolean" => Self::Boolean,
            "integer" | "positiveInt" | "unsignedInt" => Self::Integer,
            "decimal" => Self::Decimal,
            "date" => Self::Date,
            "dateTime" | "instant" => Self::DateTime,
            "time" => Self::Time,
            _ => Self::String,
        })
    }
}
