//! Types and their elements.

use super::tables::TYPES;
use crate::json::Symbol;

/// A resource, data type or backbone.
#[derive(Debug)]
pub struct TypeDef {
    /// `Patient`, `HumanName`, `string`, `Patient.contact`.
    pub name: &'static str,
    /// The kind of type.
    pub kind: TypeKind,
    /// The type that this one specialises; `Element` and `Resource` have none.
    pub base: Option<&'static str>,
    /// The type has no instances of its own (`Resource`, `Element`…).
    pub is_abstract: bool,
    /// All elements, inherited ones first.
    pub elements: Vec<ElementDef>,
    /// The regular expression that FHIR gives for a primitive's text.
    pub regex: Option<&'static str>,
    /// For each JSON name: the number of its symbol, the index of its element, the index of its
    /// type; sorted.
    pub(super) json_names: Vec<(u16, u16, u16)>,
}

/// The kind of type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TypeKind {
    /// A resource.
    Resource,
    /// A data type with elements.
    Complex,
    /// A data type with a value.
    Primitive,
    /// The type of a single element of one resource or data type.
    Backbone,
}

/// An element of a type.
#[derive(Debug)]
pub struct ElementDef {
    /// The name without `[x]`.
    pub name: &'static str,
    /// The allowed types. Several, or `*` expanded, only if the element is a choice.
    pub types: Vec<TypeRef>,
    /// Minimum cardinality.
    pub min: u32,
    /// Maximum cardinality; `None` is `*`.
    pub max: Option<u32>,
    /// Set if the element is `name[x]`.
    pub choice: bool,
    /// The value set of the element's codes.
    pub binding: Option<Binding>,
    /// Set if the element is part of a summary.
    pub is_summary: bool,
    /// Set if the element changes the meaning of what contains it.
    pub is_modifier: bool,
}

/// A type that an element allows.
#[derive(Debug)]
pub struct TypeRef {
    /// The name for [`type_named`].
    pub name: &'static str,
    /// The element's JSON name in this type: `valueQuantity`, or only its name.
    pub json_name: &'static str,
    /// Allowed targets of a `Reference` or `canonical`; empty or `Resource` means any.
    pub targets: Vec<&'static str>,
    /// The index of the type in the table.
    pub(super) place: u16,
}

/// The value set of an element's codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The binding strength.
    pub strength: Strength,
    /// The canonical url without version.
    pub value_set: &'static str,
}

/// The strength of a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// The value set is only an illustration.
    Example,
    /// A code from the value set is preferred.
    Preferred,
    /// A code from the value set is required if one fits.
    Extensible,
    /// A code from the value set is required.
    Required,
}

/// Returns the type with this name: `Patient`, `HumanName`, `string`, `Patient.contact`.
pub fn type_named(name: &str) -> Option<&'static TypeDef> {
    TYPES.named(name)
}

/// Iterates over all types.
pub fn types() -> impl Iterator<Item = &'static TypeDef> {
    TYPES.all.iter()
}

/// Iterates over the names of the resource types that have instances.
pub fn resource_types() -> impl Iterator<Item = &'static str> {
    let concrete = |def: &&TypeDef| def.kind == TypeKind::Resource && !def.is_abstract;
    types().filter(concrete).map(|def| def.name)
}

/// Returns whether this is the name of a resource type that has instances.
pub fn is_resource_type(name: &str) -> bool {
    type_named(name).is_some_and(|def| def.kind == TypeKind::Resource && !def.is_abstract)
}

// === impl TypeDef ===

impl TypeDef {
    /// Returns the element with this FHIRPath name: `value`, not `valueQuantity`.
    pub fn element(&self, name: &str) -> Option<&ElementDef> {
        self.elements.iter().find(|element| element.name == name)
    }

    /// Returns the element and type with this JSON name: `valueQuantity` is `value` as `Quantity`.
    pub fn element_for(&self, json_name: &str) -> Option<(&ElementDef, &TypeRef)> {
        self.element_for_symbol(Symbol::of(json_name)?)
    }

    /// Returns the element and type with this JSON name.
    pub fn element_for_symbol(&self, symbol: Symbol) -> Option<(&ElementDef, &TypeRef)> {
        let (element, type_ref) = self.places_for(symbol)?;
        let element = self.elements.get(element)?;
        Some((element, element.types.get(type_ref)?))
    }

    /// Returns the index of the element with this JSON name, and the type that the name implies.
    pub fn place_and_type(&self, symbol: Symbol) -> Option<(usize, &TypeRef)> {
        let (place, type_ref) = self.places_for(symbol)?;
        Some((place, self.elements.get(place)?.types.get(type_ref)?))
    }

    /// Returns the index in [`TypeDef::elements`] of the element with this JSON name.
    pub fn place_of(&self, symbol: Symbol) -> Option<usize> {
        self.places_for(symbol).map(|(element, _)| element)
    }

    /// Returns whether this is the type or a specialisation of it.
    pub fn is_a(&self, ancestor: &str) -> bool {
        self.name == ancestor
            || self
                .base
                .and_then(type_named)
                .is_some_and(|base| base.is_a(ancestor))
    }

    fn places_for(&self, symbol: Symbol) -> Option<(usize, usize)> {
        let names = &self.json_names;
        let found = names
            .binary_search_by_key(&symbol.number(), |(number, ..)| *number)
            .ok()?;
        let (_, element, type_ref) = names.get(found)?;
        Some((usize::from(*element), usize::from(*type_ref)))
    }
}

// === impl ElementDef ===

impl ElementDef {
    /// Returns whether the element is an array in JSON.
    pub fn is_array(&self) -> bool {
        !matches!(self.max, Some(0 | 1))
    }
}

// === impl TypeRef ===

impl TypeRef {
    /// Returns the type's definition.
    pub fn definition(&self) -> Option<&'static TypeDef> {
        TYPES.all.get(usize::from(self.place))
    }
}
