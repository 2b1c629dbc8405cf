//! The tables as unpacked.

use super::{Code, Compartment, ElementDef, SearchParameter, TypeDef, TypeRef};
use std::collections::HashMap;
use std::sync::LazyLock;

/// Everything, unpacked.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) types: Vec<TypeDef>,
    pub(super) search_parameters: Vec<SearchParameter>,
    pub(super) compartments: Vec<Compartment>,
    value_sets: HashMap<&'static str, Vec<Code>>,
    by_name: HashMap<&'static str, usize>,
    by_json_name: HashMap<(&'static str, &'static str), (usize, usize, usize)>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(Tables::default);

/// The tables, unpacked on first use.
pub(super) fn tables() -> &'static Tables {
    &TABLES
}

// === impl Tables ===

impl Tables {
    pub(super) fn type_named(&'static self, name: &str) -> Option<&'static TypeDef> {
        self.types.get(*self.by_name.get(name)?)
    }

    pub(super) fn element_for(
        &'static self,
        type_name: &'static str,
        json_name: &str,
    ) -> Option<(&'static ElementDef, &'static TypeRef)> {
        let (def, element, type_ref) = *self.by_json_name.get(&(type_name, json_name))?;
        let element = self.types.get(def)?.elements.get(element)?;
        Some((element, element.types.get(type_ref)?))
    }

    pub(super) fn value_set(&'static self, url: &str) -> Option<&'static [Code]> {
        self.value_sets.get(url).map(Vec::as_slice)
    }
}
