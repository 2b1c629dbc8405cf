//! Types and their elements.

use super::tables::TYPES;
use crate::json::Symbol;

/// A resource, data type or backbone.
#[derive(Debug)]
pub struct TypeDef {
    /// `Patient`, `HumanName`, `string`, `Patient.contact`.
    pub name: &'static str,
    /// What kind of type.
    pub kind: TypeKind,
    /// The type it specialises; `Element` and `Resource` have none.
    pub base: Option<&'static str>,
    /// Has no instances of its own (`Resource`, `Element`…).
    pub is_abstract: bool,
    /// All elements, inherited ones first.
    pub elements: Vec<ElementDef>,
    /// What a primitive's text must match, as FHIR gives it.
    pub regex: Option<&'static str>,
    /// Symbol number of a JSON name, place of its element, place of its type; sorted.
    pub(super) json_names: Vec<(u16, u16, u16)>,
}

/// What kind of type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TypeKind {
    /// Stands on its own.
    Resource,
    /// A data type with elements.
    Complex,
    /// A data type with a value.
    Primitive,
    /// The type of one element of one resource or data type.
    Backbone,
}

/// An element of a type.
#[derive(Debug)]
pub struct ElementDef {
    /// The name without `[x]`.
    pub name: &'static str,
    /// The types it may have. Several, or `*` unrolled, only if it is a choice.
    pub types: Vec<TypeRef>,
    /// At least so many.
    pub min: u32,
    /// At most so many; none is `*`.
    pub max: Option<u32>,
    /// Is it `name[x]`?
    pub choice: bool,
    /// The value set of its codes.
    pub binding: Option<Binding>,
    /// Is it part of a summary?
    pub is_summary: bool,
    /// Does it change the meaning of what contains it?
    pub is_modifier: bool,
}

/// A type that an element may have.
#[derive(Debug)]
pub struct TypeRef {
    /// The name for [`type_named`].
    pub name: &'static str,
    /// The JSON name of the element in this type: `valueQuantity`, or just its name.
    pub json_name: &'static str,
    /// What a `Reference` or `canonical` may point to; empty or `Resource` is anything.
    pub targets: Vec<&'static str>,
    /// The place of the type in the table.
    pub(super) place: u16,
}

/// The value set of an element's codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// How binding it is.
    pub strength: Strength,
    /// The canonical url without version.
    pub value_set: &'static str,
}

/// How binding a binding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// No more than an illustration.
    Example,
    /// Better one of these.
    Preferred,
    /// One of these if any fits.
    Extensible,
    /// One of these.
    Required,
}

/// The type of this name: `Patient`, `HumanName`, `string`, `Patient.contact`.
pub fn type_named(name: &str) -> Option<&'static TypeDef> {
    TYPES.named(name)
}

/// All types.
pub fn types() -> impl Iterator<Item = &'static TypeDef> {
    TYPES.all.iter()
}

/// The names of the resource types that have instances.
pub fn resource_types() -> impl Iterator<Item = &'static str> {
    let concrete = |def: &&TypeDef| def.kind == TypeKind::Resource && !def.is_abstract;
    types().filter(concrete).map(|def| def.name)
}

/// Is it the name of a resource type that has instances?
pub fn is_resource_type(name: &str) -> bool {
    type_named(name).is_some_and(|def| def.kind == TypeKind::Resource && !def.is_abstract)
}

// === impl TypeDef ===

impl TypeDef {
    /// The element of this FHIRPath name: `value`, not `valueQuantity`.
    pub fn element(&self, name: &str) -> Option<&ElementDef> {
        self.elements.iter().find(|element| element.name == name)
    }

    /// The element and type of this JSON name: `valueQuantity` is `value` as `Quantity`.
    pub fn element_for(&self, json_name: &str) -> Option<(&ElementDef, &TypeRef)> {
        self.element_for_symbol(Symbol::of(json_name)?)
    }

    /// The element and type of this JSON name.
    pub fn element_for_symbol(&self, symbol: Symbol) -> Option<(&ElementDef, &TypeRef)> {
        let (element, type_ref) = self.places_for(symbol)?;
        let element = self.elements.get(element)?;
        Some((element, element.types.get(type_ref)?))
    }

    /// The place of the element with this JSON name, and the type that the name has.
    pub fn place_and_type(&self, symbol: Symbol) -> Option<(usize, &TypeRef)> {
        let (place, type_ref) = self.places_for(symbol)?;
        Some((place, self.elements.get(place)?.types.get(type_ref)?))
    }

    /// The place among [`TypeDef::elements`] of the element with this JSON name.
    pub fn place_of(&self, symbol: Symbol) -> Option<usize> {
        self.places_for(symbol).map(|(element, _)| element)
    }

    /// Is it this type or a specialisation of it?
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
    /// Is it an array in JSON?
    pub fn is_array(&self) -> bool {
        !matches!(self.max, Some(0 | 1))
    }
}

// === impl TypeRef ===

impl TypeRef {
    /// The type itself.
    pub fn definition(&self) -> Option<&'static TypeDef> {
        TYPES.all.get(usize::from(self.place))
    }
}
