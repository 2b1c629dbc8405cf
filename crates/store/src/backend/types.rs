//! Resource types and their numbers.

use search::Registry;
use std::collections::HashMap;

/// Types and their numbers.
#[derive(Debug, Default)]
pub(crate) struct TypeNumbers {
    by_name: HashMap<&'static str, i64>,
    by_number: HashMap<i64, &'static str>,
}

// === impl TypeNumbers ===

impl TypeNumbers {
    /// Of numbers and names as they are stored. A name that FHIR does not define is left out.
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

    /// The name, and the same text for ever.
    pub(crate) fn name(&self, number: i64) -> Option<&'static str> {
        self.by_number.get(&number).copied()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = (&'static str, i64)> {
        self.by_name.iter().map(|(name, number)| (*name, *number))
    }
}
