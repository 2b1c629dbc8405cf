//! The numbers of resource types.

use search::Registry;
use std::collections::HashMap;

/// A mapping between types and their numbers.
#[derive(Debug, Default)]
pub(crate) struct TypeNumbers {
    by_name: HashMap<&'static str, i64>,
    by_number: HashMap<i64, &'static str>,
}

// === impl TypeNumbers ===

impl TypeNumbers {
    /// Builds the mapping from stored numbers and names. A name that FHIR does not define is
    /// skipped.
    pub(crate) fn of(stored: Vec<(i64, String)>) -> Self {
        let mut types = Self::default();
        for (number, name) in stored {
            if let Some(name) = Registry::r4().resource_type(&name) {
                types.by_name.insert(name, number);
                types.by_number.insert(number, name);
            }
        }
        types
    }

    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.by_name.get(name).copied()
    }

    /// Returns the name of a type, as static text.
    pub(crate) fn name(&self, number: i64) -> Option<&'static str> {
        self.by_number.get(&number).copied()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = (&'static str, i64)> {
        self.by_name.iter().map(|(name, number)| (*name, *number))
    }
}
