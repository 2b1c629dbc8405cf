//! Search parameters.

use super::tables::SEARCH;

/// A search parameter.
#[derive(Debug)]
pub struct SearchParameter {
    /// The name in a query.
    pub code: &'static str,
    /// The types it is for; `Resource` and `DomainResource` are for all.
    pub bases: Vec<&'static str>,
    /// How it compares.
    pub kind: SearchKind,
    /// The FHIRPath of what it looks at; empty where it looks at no element (`_text`, `_content`…).
    pub expression: &'static str,
    /// What a reference may point to.
    pub targets: Vec<&'static str>,
    /// The parts of a composite.
    pub components: Vec<Component>,
    /// Its canonical url.
    pub url: &'static str,
}

/// A part of a composite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Component {
    /// The canonical url of the parameter that defines it.
    pub definition: &'static str,
    /// Its FHIRPath, from what the composite's expression finds.
    pub expression: &'static str,
}

/// How a search parameter compares.
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
    /// Several at once.
    Composite,
    /// A number with a unit.
    Quantity,
    /// A URI.
    Uri,
    /// By rules of its own (`near`).
    Special,
}

/// All search parameters, by code.
pub fn search_parameters() -> &'static [SearchParameter] {
    &SEARCH
}

/// The search parameters of a resource type, those of its ancestors among them.
pub fn search_parameters_for(
    resource_type: &str,
) -> impl Iterator<Item = &'static SearchParameter> {
    let own = super::type_named(resource_type);
    search_parameters()
        .iter()
        .filter(move |param| own.is_some_and(|own| param.bases.iter().any(|base| own.is_a(base))))
}
