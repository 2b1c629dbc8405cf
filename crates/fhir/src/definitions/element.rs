//! Types and their elements.

use super::tables;

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
    tables::tables().type_named(name)
}

/// All types.
pub fn types() -> impl Iterator<Item = &'static TypeDef> {
    tables::tables().types.iter()
}

/// The names of the resource types that have instances.
pub fn resource_types() -> impl Iterator<Item = &'static str> {
    let concrete = |def: &&TypeDef| def.kind == TypeKind::Resource && !def.is_abstract;
    types().filter(concrete).map(|def| def.name)
}

// === impl TypeDef ===

impl TypeDef {
    /// The element of this FHIRPath name: `value`, not `valueQuantity`.
    pub fn element(&self, name: &str) -> Option<&'static ElementDef> {
        let own = tables::tables().type_named(self.name)?;
        own.elements.iter().find(|element| element.name == name)
    }

    /// The element and type of this JSON name: `valueQuantity` is `value` as `Quantity`.
    pub fn element_for(&self, json_name: &str) -> Option<(&'static ElementDef, &'static TypeRef)> {
        tables::tables().element_for(self.name, json_name)
    }

    /// Is it this type or a specialisation of it?
    pub fn is_a(&self, ancestor: &str) -> bool {
        self.name == ancestor
            || self
                .base
                .and_then(type_named)
                .is_some_and(|base| base.is_a(ancestor))
    }
}

// === impl ElementDef ===

impl ElementDef {
    /// Is it an array in JSON?
    pub fn is_array(&self) -> bool {
        self.max != Some(1) && self.max != Some(0)
    }
}
