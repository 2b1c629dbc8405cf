//! Code tables.

use std::collections::HashMap;

/// `codes AdministrativeSex HL70001 <-> administrative-gender`.
#[derive(Debug, Default)]
pub(crate) struct CodeTable {
    pub(crate) name: String,
    /// `HL70001`.
    pub(crate) table: String,
    /// The system of its targets.
    pub(crate) system: String,
    pub(crate) forward: HashMap<String, Translation>,
    /// The `<->` spelling of a target, or the first `<-`, or the first fold.
    pub(crate) back: HashMap<String, String>,
}

/// A target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Translation {
    pub(crate) code: String,
    pub(crate) system: Option<String>,
    pub(crate) display: Option<String>,
    /// It comes back as the same code.
    pub(crate) two_way: bool,
}

// === impl CodeTable ===

impl CodeTable {
    pub(crate) fn translate(&self, code: &str) -> Option<&Translation> {
        self.forward.get(code)
    }

    pub(crate) fn system_of<'a>(&'a self, translation: &'a Translation) -> &'a str {
        translation.system.as_deref().unwrap_or(&self.system)
    }

    /// The v2 code of a target; its system, where one is given, must be the row's.
    pub(crate) fn back(&self, code: &str, system: Option<&str>) -> Option<&str> {
        let found = self.back.get(code)?;
        let agrees = match (system, self.forward.get(found)) {
            (Some(system), Some(row)) if row.code == code => self.system_of(row) == system,
            _ => true,
        };
        agrees.then_some(found.as_str())
    }
}
