//! The indexing plan of one resource type: the paths of all its parameters merged.
//!
//! Invariant: every place in a plan has one FHIR type, known from the definitions; a choice element
//! has a branch for each of its types (`valueQuantity`, `valueString`).

use super::path::{self, Path, Step};
use super::values::Shape;
use crate::param::{Param, ParamKey, ParamKind};
use fhir::definitions::{self, Strength, TypeDef, TypeKind};
use fhir::json::Symbol;

/// One place in a resource and the work to do there.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// The child fields to follow.
    pub(crate) fields: Vec<(Symbol, Plan)>,
    /// Plans that continue at the same element, if it passes the guard.
    pub(crate) guarded: Vec<(Guard, Plan)>,
    /// The postings to take from the element.
    pub(crate) takes: Vec<Take>,
}

/// A condition on an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    /// The element is a Reference to that resource type.
    ResolvesTo(&'static str),
    /// The named child has that text.
    Equals(String, String),
    /// The element has an extension with that URL.
    HasExtension(String),
}

/// Postings that come from one element.
#[derive(Debug)]
pub(crate) struct Take {
    pub(crate) key: ParamKey,
    pub(crate) identifier_key: ParamKey,
    pub(crate) how: How,
}

/// The source of the values.
#[derive(Debug)]
pub(crate) enum How {
    /// The element itself, read in this shape.
    Element(Shape),
    /// Each part from its own walk, in all combinations.
    Parts(Vec<Part>),
    /// `Patient.deceased`: true unless absent or `false`. Taken at the resource.
    Deceased,
}

/// One part of a composite.
#[derive(Debug)]
pub(crate) struct Part {
    /// The plan relative to the composite's element.
    pub(crate) here: Plan,
    /// The plan relative to the resource.
    pub(crate) root: Plan,
}

/// The posting to record at the end of a path.
struct Leaf<'p> {
    param: &'p Param,
    kind: ParamKind,
    /// Collects the value sets of `code` elements; `None` once any other type occurs.
    code_sets: Option<Vec<&'static str>>,
    n_places: usize,
    /// The number of those places that hold plain strings.
    n_strings: usize,
}

/// Returns the plan of a resource type. Marks each parameter as indexed or not.
pub(crate) fn compile(resource_type: &'static str, params: &mut [Param]) -> Plan {
    let mut plan = Plan::default();
    let Some(root) = definitions::type_named(resource_type) else {
        return plan;
    };
    for param in params {
        if matches!(param.code, "_id" | "_lastUpdated") {
            // The store has these itself, and more reliably than the document.
            param.is_indexed = true;
            continue;
        }
        if param.expression.starts_with("Patient.deceased.exists()") {
            plan.takes.push(Take::new(param, How::Deceased));
            param.is_indexed = true;
            continue;
        }
        let Ok(paths) = path::parse(param.expression) else {
            continue;
        };
        let mut leaf = Leaf::new(param, param.kind);
        let own = paths
            .iter()
            .filter_map(|path| path.for_type(|name| root.is_a(name)));
        for steps in own {
            plan.lay(Place::resource(root), steps, &mut leaf);
        }
        let Leaf {
            n_places,
            n_strings,
            code_sets,
            ..
        } = leaf;
        param.is_indexed = n_places != 0 && param.kind != ParamKind::Special;
        param.is_caseless = n_strings != 0 && n_strings == n_places;
        param.implicit_sets = code_sets.unwrap_or_default();
    }
    plan
}

/// The type at a place, and the binding of its codes.
#[derive(Clone, Copy)]
struct Place {
    type_name: &'static str,
    value_set: Option<&'static str>,
}

// === impl Leaf ===

impl<'p> Leaf<'p> {
    fn new(param: &'p Param, kind: ParamKind) -> Self {
        Self {
            param,
            kind,
            code_sets: Some(Vec::new()),
            n_places: 0,
            n_strings: 0,
        }
    }
}

// === impl Place ===

impl Place {
    fn resource(def: &TypeDef) -> Self {
        Self {
            type_name: def.name,
            value_set: None,
        }
    }
}

// === impl Plan ===

impl Plan {
    fn lay(&mut self, place: Place, steps: &[Step], leaf: &mut Leaf<'_>) {
        let Some((step, rest)) = steps.split_first() else {
            return self.end(place, leaf);
        };
        match step {
            Step::Field(name) => self.lay_field(place, name, rest, leaf),
            Step::Type(name) => {
                if is_type(place.type_name, name) {
                    self.lay(place, rest, leaf);
                }
            }
            Step::ResolvesTo(name) => {
                if let Some(def) = definitions::type_named(name) {
                    self.guarded(Guard::ResolvesTo(def.name))
                        .lay(place, rest, leaf);
                }
            }
            Step::Equals(name, text) => {
                let guard = Guard::Equals(name.clone(), text.clone());
                self.guarded(guard).lay(place, rest, leaf);
            }
            Step::HasExtension(url) => {
                self.guarded(Guard::HasExtension(url.clone()))
                    .lay(place, rest, leaf);
            }
        }
    }

    fn lay_field(&mut self, place: Place, name: &str, rest: &[Step], leaf: &mut Leaf<'_>) {
        let def = definitions::type_named(place.type_name);
        let Some(element) = def.and_then(|def| def.element(name)) else {
            return;
        };
        // A type step right after a choice selects its branch, so that no empty one is created.
        let wanted = match rest.first() {
            Some(Step::Type(wanted)) => Some(wanted),
            _ => None,
        };
        for branch in &element.types {
            if wanted.is_some_and(|wanted| !is_type(branch.name, wanted)) {
                continue;
            }
            let Some(symbol) = Symbol::of(branch.json_name) else {
                continue;
            };
            let required = element
                .binding
                .filter(|binding| binding.strength == Strength::Required);
            let next = Place {
                type_name: branch.name,
                value_set: required.map(|binding| binding.value_set),
            };
            self.field(symbol).lay(next, rest, leaf);
        }
    }

    fn end(&mut self, place: Place, leaf: &mut Leaf<'_>) {
        match (place.type_name, place.value_set, &mut leaf.code_sets) {
            ("code", Some(value_set), Some(sets)) => sets.push(value_set),
            (_, _, sets) => *sets = None,
        }
        let how = if leaf.kind == ParamKind::Composite {
            match parts(place, leaf.param) {
                Some(parts) => How::Parts(parts),
                None => return,
            }
        } else {
            match Shape::of(leaf.kind, place.type_name) {
                Some(shape) => How::Element(shape),
                None => return,
            }
        };
        leaf.n_places += 1;
        leaf.n_strings += usize::from(matches!(how, How::Element(Shape::CaselessCode)));
        let take = Take::new(leaf.param, how);
        self.takes.push(take);
    }

    fn field(&mut self, symbol: Symbol) -> &mut Self {
        under(&mut self.fields, symbol)
    }

    fn guarded(&mut self, guard: Guard) -> &mut Self {
        under(&mut self.guarded, guard)
    }

    fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.guarded.is_empty() && self.takes.is_empty()
    }
}

/// Returns the plan under that key, creating it if necessary.
#[expect(
    clippy::indexing_slicing,
    reason = "the place was found or filled just now"
)]
fn under<K: PartialEq>(entries: &mut Vec<(K, Plan)>, key: K) -> &mut Plan {
    let at = entries
        .iter()
        .position(|(known, _)| *known == key)
        .unwrap_or(entries.len());
    if at == entries.len() {
        entries.push((key, Plan::default()));
    }
    &mut entries[at].1
}

/// Returns the walks for the parts of a composite; `None` if one part cannot be followed.
fn parts(place: Place, param: &Param) -> Option<Vec<Part>> {
    let root = definitions::type_named(param.resource_type)?;
    let mut parts = Vec::new();
    for component in &param.components {
        let paths = path::parse(component.expression).ok()?;
        let mut part = Part {
            here: Plan::default(),
            root: Plan::default(),
        };
        let mut leaf = Leaf::new(param, component.kind);
        for Path { from_root, steps } in &paths {
            if *from_root {
                part.root.lay(Place::resource(root), steps, &mut leaf);
            } else {
                part.here.lay(place, steps, &mut leaf);
            }
        }
        if part.here.is_empty() && part.root.is_empty() {
            return None;
        }
        parts.push(part);
    }
    (!parts.is_empty()).then_some(parts)
}

/// Implements FHIRPath's `as`. R4 writes `value.as(DateTime)` once where `dateTime` is meant.
fn is_type(have: &str, wanted: &str) -> bool {
    have.eq_ignore_ascii_case(wanted)
        || definitions::type_named(have)
            .is_some_and(|def| def.kind == TypeKind::Complex && def.is_a(wanted))
}

// === impl Take ===

impl Take {
    fn new(param: &Param, how: How) -> Self {
        Self {
            key: param.key,
            identifier_key: param.identifier_key,
            how,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;

    /// Every path of every parameter ends at some place, and no token is a string in one place and
    /// a code in another.
    #[test]
    fn no_path_is_lost_unseen() {
        let mut lost = Vec::new();
        let registry = Registry::r4();
        for param in registry
            .resource_types()
            .flat_map(|name| registry.params(name))
        {
            let root = definitions::type_named(param.resource_type).unwrap();
            let Ok(paths) = path::parse(param.expression) else {
                continue;
            };
            for path in &paths {
                let Some(steps) = path.for_type(|name| root.is_a(name)) else {
                    continue;
                };
                let mut leaf = Leaf::new(param, param.kind);
                Plan::default().lay(Place::resource(root), steps, &mut leaf);
                let mixed = leaf.n_strings != 0 && leaf.n_strings != leaf.n_places;
                if leaf.n_places == 0 || mixed {
                    lost.push(format!("{}.{} {steps:?}", param.resource_type, param.code));
                }
            }
        }
        // `near` has no path; SampledData is not a single number.
        lost.retain(|path| !path.contains("SampledData") && !path.starts_with("Location.near"));
        assert_eq!(lost, Vec::<String>::new());
    }
}
