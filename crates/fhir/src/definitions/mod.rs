//! What FHIR R4 defines, as tables.
//!
//! Invariants:
//! - the tables are made by `cargo xtask definitions fhir` from the package `hl7.fhir.r4.core`
//!   4.0.1 and compiled in; they are unpacked on first use and then live as long as the program;
//! - a type's elements are all of its elements, the inherited ones first, in FHIR's order;
//! - an element of a backbone has a type of its own, named by its path: `Patient.contact`;
//!   a content reference has the type that it points to.

mod compartment;
mod element;
mod search_parameter;
mod tables;
mod value_set;

pub use compartment::{Compartment, compartment};
pub use element::{
    Binding, ElementDef, Strength, TypeDef, TypeKind, TypeRef, is_resource_type, resource_types,
    type_named, types,
};
pub use search_parameter::{
    Component, SearchKind, SearchParameter, search_parameters, search_parameters_for,
};
pub use value_set::{Code, value_set};
