//! Type names in expressions, and the shape of an element below a type.
//!
//! Invariant: a type is looked up once, at compile time; a shape once per step and parent type.

use crate::ast::TypeName;
use crate::element::Element;
use crate::error::{SyntaxError, SyntaxErrorKind};
use crate::item::Item;
use fhir::definitions::{TypeDef, TypeKind, type_named};
use fhir::json::Symbol;

/// The type requested by `is`, `as` and `ofType`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TypeSpec {
    /// A FHIR type.
    Fhir(&'static TypeDef),
    /// One of FHIRPath's own types.
    System(SystemType),
    /// A name that is both: `Quantity`.
    Either(&'static TypeDef, SystemType),
    /// `System.Patient`: no item has this type.
    Nothing,
}

/// FHIRPath's own types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SystemType {
    Any,
    Boolean,
    String,
    Integer,
    Decimal,
    Date,
    DateTime,
    Time,
    Quantity,
}

/// The location of the elements with one name below one type.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) parent: &'static TypeDef,
    /// The fields by symbol; more than one only for a choice.
    pub(crate) fields: Vec<(Symbol, Option<&'static TypeDef>)>,
}

// === impl TypeSpec ===

impl TypeSpec {
    /// Returns the type with that name.
    pub(crate) fn resolve(name: &TypeName) -> Result<Self, SyntaxError> {
        let system = SystemType::named(&name.name);
        match name.namespace.as_deref() {
            Some("System") => Ok(system.map_or(Self::Nothing, Self::System)),
            Some("FHIR") => type_named(&name.name)
                .map(Self::Fhir)
                .ok_or_else(|| unknown(name)),
            Some(_) => Err(unknown(name)),
            None => match (type_named(&name.name), system) {
                (Some(fhir), Some(system)) => Ok(Self::Either(fhir, system)),
                (Some(fhir), None) => Ok(Self::Fhir(fhir)),
                (None, Some(system)) => Ok(Self::System(system)),
                (None, None) => Err(unknown(name)),
            },
        }
    }

    /// Resolves a name as search parameters use it: `DateTime` is `dateTime`.
    pub(crate) fn resolve_loosely(name: &TypeName) -> Result<Self, SyntaxError> {
        let spec = Self::resolve(name)?;
        let Self::System(_) = spec else {
            return Ok(spec);
        };
        let mut lower = name.name.clone();
        if let Some(first) = lower.get_mut(..1) {
            first.make_ascii_lowercase();
        }
        Ok(type_named(&lower).map_or(spec, Self::Fhir))
    }

    /// Evaluates `is`: the type or a specialisation of it.
    pub(crate) fn holds(self, item: &Item<'_>) -> bool {
        match (self, item) {
            (Self::Fhir(def) | Self::Either(def, _), Item::Element(element)) => element.is_a(def),
            (Self::System(system) | Self::Either(_, system), item) => system.holds(item),
            (Self::Fhir(_) | Self::Nothing, _) => false,
        }
    }

    /// Evaluates `as` and `ofType`: like `is`, but a primitive must have exactly this type: a
    /// `code` is a `string`, and `ofType(string)` does not find it (official suite,
    /// testInheritance).
    pub(crate) fn selects(self, item: &Item<'_>) -> bool {
        match (self, item) {
            (Self::Fhir(def) | Self::Either(def, _), Item::Element(element)) => {
                element.type_def().is_some_and(|own| selects(def, own))
            }
            _ => self.holds(item),
        }
    }

    /// Decides like [`TypeSpec::selects`], for any element of a type.
    pub(crate) fn selects_def(self, own: &'static TypeDef) -> bool {
        match self {
            Self::Fhir(def) | Self::Either(def, _) => selects(def, own),
            Self::System(SystemType::Any) => true,
            Self::System(_) | Self::Nothing => false,
        }
    }
}

fn selects(wanted: &'static TypeDef, own: &'static TypeDef) -> bool {
    std::ptr::eq(own, wanted) || own.kind != TypeKind::Primitive && own.is_a(wanted.name)
}

fn unknown(name: &TypeName) -> SyntaxError {
    SyntaxError {
        offset: name.offset,
        kind: SyntaxErrorKind::UnknownType(name.name.clone()),
    }
}

// === impl SystemType ===

impl SystemType {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "Any" => Self::Any,
            "Boolean" => Self::Boolean,
            "String" => Self::String,
            "Integer" => Self::Integer,
            "Decimal" => Self::Decimal,
            "Date" => Self::Date,
            "DateTime" => Self::DateTime,
            "Time" => Self::Time,
            "Quantity" => Self::Quantity,
            _ => return None,
        })
    }

    fn holds(self, item: &Item<'_>) -> bool {
        matches!(
            (self, item),
            (Self::Any, _)
                | (Self::Boolean, Item::Boolean(_))
                | (Self::String, Item::String(_))
                | (Self::Integer, Item::Integer(_))
                | (Self::Decimal, Item::Decimal(_))
                | (Self::Date, Item::Date(_))
                | (Self::DateTime, Item::DateTime(_))
                | (Self::Time, Item::Time(_))
                | (Self::Quantity, Item::Quantity(_))
        )
    }
}

// === impl Shape ===

impl Shape {
    /// Returns the elements with that name below that type; none if it has no such element.
    pub(crate) fn of(parent: &'static TypeDef, name: &str) -> Self {
        let mut fields = Vec::new();
        if let Some(element) = parent.element(name) {
            for choice in &element.types {
                if let Some(symbol) = Symbol::of(choice.json_name) {
                    fields.push((symbol, type_named(choice.name)));
                }
            }
            fields.sort_by_key(|(symbol, _)| *symbol);
            fields.dedup_by_key(|(symbol, _)| *symbol);
        }
        Self { parent, fields }
    }
}

/// Returns the element at a field: a resource names its own type.
pub(crate) fn element_at<'a>(
    node: fhir::json::Node<'a>,
    type_def: Option<&'static TypeDef>,
) -> Element<'a> {
    match type_def {
        Some(def) if def.kind == TypeKind::Resource => Element::resource(node),
        _ => Element::new(node, type_def),
    }
}
