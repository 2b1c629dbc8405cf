//! Search parameters.

use super::tables::SEARCH;

/// A search parameter.
#[derive(Debug)]
pub struct SearchParameter {
    /// The name in a query.
    pub code: &'static str,
    /// The types that have the parameter; `Resource` and `DomainResource` stand for all.
    pub bases: Vec<&'static str>,
    /// The kind of comparison.
    pub kind: SearchKind,
    /// The FHIRPath expression to index; empty for parameters not based on elements (`_text`,
    /// `_content`…).
    pub expression: &'static str,
    /// The allowed targets of a reference.
    pub targets: Vec<&'static str>,
    /// The parts of a composite.
    pub components: Vec<Component>,
    /// The parameter's canonical url.
    pub url: &'static str,
}

/// A component of a composite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Component {
    /// The canonical url of the parameter that defines the component.
    pub definition: &'static str,
    /// The component's FHIRPath, relative to the result of the composite's expression.
    pub expression: &'static str,
}

/// The kind of comparison of a search parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SearchKind {
    /// A number.
    Number,
    /// A date, time or period.
    Date,
    /// Text.
    String,
    /// A code or identifier.
    Token,
    /// A reference.
    Reference,
    /// Several values at once.
    Composite,
    /// A number with a unit.
    Quantity,
    /// A URI.
    Uri,
    /// Parameter with rules of its own (`near`).
    Special,
}

/// Returns all search parameters, by code.
pub fn search_parameters() -> &'static [SearchParameter] {
    &SEARCH
}

/// Returns the search parameters of a resource type, including those of its ancestors.
pub fn search_parameters_for(
    resource_type: &str,
) -> impl Iterator<Item = &'static SearchParameter> {
    let own = super::type_named(resource_type);
    search_parameters()
        .iter()
        .filter(move |param| own.is_some_and(|own| param.bases.iter().any(|base| own.is_a(base))))
}
