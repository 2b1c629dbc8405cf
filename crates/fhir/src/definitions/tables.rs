//! The tables, unpacked on first use.
//!
//! Invariant: the contents of a packed table live in one leaked text; rows point into it.

use super::{
    Binding, Code, Compartment, Component, ElementDef, SearchKind, SearchParameter, Strength,
    TypeDef, TypeKind, TypeRef,
};
use crate::json::Symbol;
use std::collections::HashMap;
use std::io::Read;
use std::sync::LazyLock;

const VALUE_SETS: &str = "http://hl7.org/fhir/ValueSet/";
const SEARCH_PARAMETERS: &str = "http://hl7.org/fhir/SearchParameter/";

/// All types.
pub(super) struct Types {
    pub(super) all: Vec<TypeDef>,
    by_name: HashMap<&'static str, u16>,
}

pub(super) static TYPES: LazyLock<Types> =
    LazyLock::new(|| Types::read(unpack(include_bytes!("../../data/types.tsv.gz"))));

pub(super) static SEARCH: LazyLock<Vec<SearchParameter>> = LazyLock::new(|| {
    let text = unpack(include_bytes!("../../data/search-parameters.tsv.gz"));
    text.lines().map(search_parameter).collect()
});

pub(super) static CODES: LazyLock<HashMap<&'static str, Vec<Code>>> =
    LazyLock::new(|| value_sets(unpack(include_bytes!("../../data/value-sets.tsv.gz"))));

pub(super) static COMPARTMENTS: LazyLock<Vec<Compartment>> =
    LazyLock::new(|| compartments(unpack(include_bytes!("../../data/compartments.tsv.gz"))));

/// Unpacks the text of a packed table. A table that does not unpack is empty; a test counts the
/// rows.
fn unpack(packed: &'static [u8]) -> &'static str {
    let mut text = String::new();
    let read = flate2::read::GzDecoder::new(packed).read_to_string(&mut text);
    if read.is_ok() { text.leak() } else { "" }
}

fn cells(row: &'static str) -> impl FnMut() -> &'static str {
    let mut cells = base::pieces(row, b'\t');
    move || cells.next().unwrap_or_default()
}

/// Completes a url whose usual prefix was omitted.
fn whole(place: &str, short: &'static str) -> &'static str {
    if short.contains(':') || short.is_empty() {
        short
    } else {
        format!("{place}{short}").leak()
    }
}

// === impl Types ===

impl Types {
    fn read(text: &'static str) -> Self {
        let mut all: Vec<TypeDef> = Vec::new();
        // Value set urls repeat; each is allocated once.
        let mut urls: HashMap<&'static str, &'static str> = HashMap::new();
        for row in text.lines() {
            let mut cell = cells(row);
            if cell() == "T" {
                all.push(type_def(cell));
            } else if let Some(owner) = all.last_mut() {
                owner.elements.push(element(cell, &mut urls));
            }
        }
        let by_name: HashMap<&'static str, u16> = all
            .iter()
            .zip(0..)
            .map(|(def, place)| (def.name, place))
            .collect();
        for def in &mut all {
            def.finish(&by_name);
        }
        Self { all, by_name }
    }

    pub(super) fn named(&'static self, name: &str) -> Option<&'static TypeDef> {
        self.all.get(usize::from(*self.by_name.get(name)?))
    }
}

fn type_def(mut cell: impl FnMut() -> &'static str) -> TypeDef {
    let (name, kind, base, is_abstract, regex) = (cell(), cell(), cell(), cell(), cell());
    let kind = match kind {
        "r" => TypeKind::Resource,
        "c" => TypeKind::Complex,
        "p" => TypeKind::Primitive,
        _ => TypeKind::Backbone,
    };
    TypeDef {
        name,
        kind,
        base: (!base.is_empty()).then_some(base),
        is_abstract: !is_abstract.is_empty(),
        elements: Vec::new(),
        regex: (!regex.is_empty()).then_some(regex),
        json_names: Vec::new(),
    }
}

fn element(
    mut cell: impl FnMut() -> &'static str,
    urls: &mut HashMap<&'static str, &'static str>,
) -> ElementDef {
    let (name, min, max, flags) = (cell(), cell(), cell(), cell());
    let (types, binding) = (cell(), cell());
    let choice = flags.contains('C');
    let types = base::pieces(types, b' ').filter(|text| !text.is_empty());
    ElementDef {
        name,
        types: types.map(|text| type_ref(name, text, choice)).collect(),
        min: min.parse().unwrap_or(0),
        max: max.parse().ok(),
        choice,
        binding: binding.split_at_checked(1).map(|(strength, url)| Binding {
            strength: match strength {
                "r" => Strength::Required,
                "x" => Strength::Extensible,
                "p" => Strength::Preferred,
                _ => Strength::Example,
            },
            value_set: urls.entry(url).or_insert_with(|| whole(VALUE_SETS, url)),
        }),
        is_summary: flags.contains('S'),
        is_modifier: flags.contains('M'),
    }
}

fn type_ref(element: &'static str, text: &'static str, choice: bool) -> TypeRef {
    let (name, targets) = text.split_once('(').unwrap_or((text, ""));
    let targets = base::pieces(targets.trim_end_matches(')'), b',');
    let targets = targets.filter(|target| !target.is_empty());
    let json_name = if choice {
        let (first, rest) = name.split_at(name.len().min(1));
        let joined = format!("{element}{}{rest}", first.to_uppercase());
        Symbol::of(&joined).map_or(element, Symbol::as_str)
    } else {
        element
    };
    TypeRef {
        name,
        json_name,
        targets: targets.collect(),
        place: 0,
    }
}

impl TypeDef {
    /// Links type references to their types and lists the JSON names.
    fn finish(&mut self, by_name: &HashMap<&'static str, u16>) {
        for (element, at) in self.elements.iter_mut().zip(0..) {
            for (type_ref, which) in element.types.iter_mut().zip(0..) {
                type_ref.place = by_name.get(type_ref.name).copied().unwrap_or(u16::MAX);
                if let Some(symbol) = Symbol::of(type_ref.json_name) {
                    self.json_names.push((symbol.number(), at, which));
                }
            }
        }
        // If several types of an element share a name, the first one comes first.
        self.json_names.sort_unstable();
        self.json_names.dedup_by_key(|(symbol, ..)| *symbol);
    }
}

// --- the other tables ---

fn search_parameter(row: &'static str) -> SearchParameter {
    let mut cell = cells(row);
    let (code, bases, kind, url) = (cell(), cell(), cell(), cell());
    let (targets, expression) = (cell(), cell());
    let mut components = Vec::new();
    loop {
        let definition = cell();
        if definition.is_empty() {
            break;
        }
        let definition = whole(SEARCH_PARAMETERS, definition);
        components.push(Component {
            definition,
            expression: cell(),
        });
    }
    SearchParameter {
        code,
        bases: bases.split(' ').collect(),
        kind: match kind {
            "number" => SearchKind::Number,
            "date" => SearchKind::Date,
            "string" => SearchKind::String,
            "token" => SearchKind::Token,
            "reference" => SearchKind::Reference,
            "composite" => SearchKind::Composite,
            "quantity" => SearchKind::Quantity,
            "uri" => SearchKind::Uri,
            _ => SearchKind::Special,
        },
        expression,
        targets: targets
            .split(' ')
            .filter(|target| !target.is_empty())
            .collect(),
        components,
        url: whole(SEARCH_PARAMETERS, url),
    }
}

fn value_sets(text: &'static str) -> HashMap<&'static str, Vec<Code>> {
    let mut sets: HashMap<&'static str, Vec<Code>> = HashMap::new();
    let (mut url, mut system) = ("", "");
    for row in text.lines() {
        let mut cell = cells(row);
        match (cell(), cell(), cell()) {
            ("", "", short) => url = whole(VALUE_SETS, short),
            ("", other, _) => system = other,
            (code, display, _) => sets.entry(url).or_default().push(Code {
                system,
                code,
                display,
            }),
        }
    }
    sets
}

fn compartments(text: &'static str) -> Vec<Compartment> {
    let mut all: Vec<Compartment> = Vec::new();
    for row in text.lines() {
        let mut cell = cells(row);
        let (name, member, params) = (cell(), cell(), cell().split(' ').collect());
        match all.last_mut() {
            Some(last) if last.name == name => last.members.push((member, params)),
            _ => all.push(Compartment {
                name,
                members: vec![(member, params)],
            }),
        }
    }
    all
}
