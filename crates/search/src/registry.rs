//! The R4 search parameters, by resource type.
//!
//! Invariants:
//! - a type's parameters and the walk that indexes it are built once, on first use of the type, and
//!   live as long as the program;
//! - a code has one parameter per type; the type's own definition takes precedence over one for all
//!   resources.

use crate::extract::{Plan, compile};
use crate::param::{Component, Param, ParamKey, ParamKind};
use fhir::definitions::{self, SearchKind, SearchParameter};
use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

/// All search parameters of R4.
#[derive(Debug)]
pub struct Registry {
    types: HashMap<&'static str, OnceLock<TypeParams>>,
}

/// The parameters of one resource type.
#[derive(Debug)]
pub(crate) struct TypeParams {
    pub(crate) resource_type: &'static str,
    /// The parameters, sorted by code.
    pub(crate) params: Vec<Param>,
    pub(crate) plan: Plan,
    /// The keys of the parameters that put a resource into a Patient compartment.
    pub(crate) patient_keys: Vec<ParamKey>,
    /// The resource is a Patient: it is in its own compartment.
    pub(crate) is_patient: bool,
}

static R4: LazyLock<Registry> = LazyLock::new(|| Registry {
    types: definitions::resource_types()
        .map(|name| (name, OnceLock::new()))
        .collect(),
});

// === impl Registry ===

impl Registry {
    /// Returns the registry of FHIR R4 (4.0.1).
    pub fn r4() -> &'static Self {
        &R4
    }

    /// Returns the resource type with that name, with a static lifetime.
    pub fn resource_type(&self, name: &str) -> Option<&'static str> {
        self.types.get_key_value(name).map(|(name, _)| *name)
    }

    /// Returns all resource types, in no particular order.
    pub fn resource_types(&self) -> impl Iterator<Item = &'static str> {
        self.types.keys().copied()
    }

    /// Returns the parameters of a resource type by code; none if there is no such type.
    pub fn params(&'static self, resource_type: &str) -> &'static [Param] {
        self.of_type(resource_type)
            .map_or(&[], |of_type| &of_type.params)
    }

    /// Returns the parameter with that code on a resource type.
    pub fn param(&'static self, resource_type: &str, code: &str) -> Option<&'static Param> {
        let params = self.params(resource_type);
        let at = params.binary_search_by(|param| param.code.cmp(code)).ok()?;
        params.get(at)
    }

    /// Returns the parameters of a type whose expressions the index cannot follow: no query accepts
    /// them.
    pub fn not_indexed(&'static self, resource_type: &str) -> Vec<&'static str> {
        let params = self.params(resource_type).iter();
        params
            .filter(|param| !param.is_indexed)
            .map(|param| param.code)
            .collect()
    }

    pub(crate) fn of_type(&'static self, resource_type: &str) -> Option<&'static TypeParams> {
        let (name, cell) = self.types.get_key_value(resource_type)?;
        Some(cell.get_or_init(|| TypeParams::new(name)))
    }
}

// === impl TypeParams ===

impl TypeParams {
    fn new(resource_type: &'static str) -> Self {
        let mut params: Vec<(bool, Param)> = definitions::search_parameters_for(resource_type)
            .map(|definition| {
                let inherited = !definition.bases.contains(&resource_type);
                (inherited, param(resource_type, definition))
            })
            .collect();
        params.sort_by(|(a_inherited, a), (b_inherited, b)| {
            a.code.cmp(b.code).then(a_inherited.cmp(b_inherited))
        });
        params.dedup_by(|(_, later), (_, earlier)| later.code == earlier.code);
        let mut params: Vec<Param> = params.into_iter().map(|(_, param)| param).collect();
        let plan = compile(resource_type, &mut params);
        let ties = definitions::compartment("Patient").map_or(&[][..], |c| c.params(resource_type));
        Self {
            resource_type,
            plan,
            patient_keys: ties
                .iter()
                .map(|code| ParamKey::of(resource_type, code))
                .collect(),
            is_patient: resource_type == "Patient",
            params,
        }
    }
}

fn param(resource_type: &'static str, definition: &'static SearchParameter) -> Param {
    Param {
        key: ParamKey::of(resource_type, definition.code),
        identifier_key: ParamKey::of_identifier(resource_type, definition.code),
        resource_type,
        code: definition.code,
        url: definition.url,
        kind: kind(definition.kind),
        targets: targets(definition),
        components: components(definition),
        expression: definition.expression,
        is_indexed: false,
        implicit_sets: Vec::new(),
        is_caseless: false,
    }
}

fn components(definition: &'static SearchParameter) -> Vec<Component> {
    let mut parts: Vec<Component> = definition.components.iter().filter_map(component).collect();
    // R4 4.0.1 swaps the definitions of the reference and the code; its expressions are right.
    if definition.url.ends_with("/DocumentReference-relationship")
        && let [first, second] = parts.as_mut_slice()
        && (first.kind, second.kind) == (ParamKind::Reference, ParamKind::Token)
    {
        std::mem::swap(&mut first.expression, &mut second.expression);
        parts.reverse();
    }
    parts
}

/// Returns the target types. A canonical does not name any: it may point to any type.
fn targets(definition: &SearchParameter) -> Vec<&'static str> {
    let open = definition.targets.is_empty() || definition.targets.contains(&"Resource");
    if definition.kind == SearchKind::Reference && open {
        let mut all: Vec<&str> = definitions::resource_types().collect();
        all.sort_unstable();
        return all;
    }
    definition.targets.clone()
}

fn component(part: &definitions::Component) -> Option<Component> {
    let all = definitions::search_parameters();
    let definition = all
        .iter()
        .find(|definition| definition.url == part.definition)?;
    Some(Component {
        code: definition.code,
        kind: kind(definition.kind),
        targets: targets(definition),
        expression: part.expression,
    })
}

fn kind(kind: SearchKind) -> ParamKind {
    match kind {
        SearchKind::Number => ParamKind::Number,
        SearchKind::Date => ParamKind::Date,
        SearchKind::String => ParamKind::String,
        SearchKind::Token => ParamKind::Token,
        SearchKind::Reference => ParamKind::Reference,
        SearchKind::Composite => ParamKind::Composite,
        SearchKind::Quantity => ParamKind::Quantity,
        SearchKind::Uri => ParamKind::Uri,
        SearchKind::Special => ParamKind::Special,
    }
}
