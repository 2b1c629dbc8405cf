//! Code tables.

use super::systems::{LONGEST, fold};
use super::table::Table;
use std::collections::HashMap;

/// A code table: `codes AdministrativeSex HL70001 <-> administrative-gender`.
#[derive(Debug, Default)]
pub(crate) struct CodeTable {
    pub(crate) name: String,
    /// The HL7 table: `HL70001`.
    pub(crate) table: String,
    /// The code system of the targets.
    pub(crate) system: String,
    pub(crate) forward: Table<String, Translation>,
    /// The codes reduced to letters and digits, in upper case, where that is unambiguous:
    /// `CHECKED-IN` is `CheckedIn`.
    pub(crate) folded: Table<String, String>,
    /// The `<->` spelling of a target, or the first `<-`, or the first folded match.
    pub(crate) back: HashMap<String, String>,
}

/// A target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Translation {
    pub(crate) code: String,
    pub(crate) system: Option<String>,
    pub(crate) display: Option<String>,
    /// The target maps back to the same code.
    pub(crate) two_way: bool,
}

// === impl CodeTable ===

impl CodeTable {
    /// Returns the row of a code: by its exact spelling, else by its letters and digits.
    pub(crate) fn translate(&self, code: &str) -> Option<&Translation> {
        if let Some(found) = self.forward.get(code) {
            return Some(found);
        }
        let mut space = [0; LONGEST];
        let own = self.folded.get(fold(code, &mut space)?)?;
        self.forward.get(own)
    }

    /// Indexes the spellings of the codes. Called once all codes are present.
    pub(crate) fn settle(&mut self) {
        let mut folded: HashMap<String, Option<String>> = HashMap::new();
        let mut codes: Vec<(&String, &Translation)> = self.forward.iter().collect();
        codes.sort_unstable_by_key(|(code, _)| *code);
        for (code, to) in codes {
            let mut space = [0; LONGEST];
            let Some(spelling) = fold(code, &mut space) else {
                continue;
            };
            let known = folded.entry(spelling.to_owned());
            let entry = known.or_insert_with(|| Some(code.clone()));
            let other = entry.as_ref().and_then(|other| self.forward.get(other));
            if other.is_some_and(|other| other.code != to.code || other.system != to.system) {
                *entry = None;
            }
        }
        let told_apart = folded
            .into_iter()
            .filter_map(|(spelling, code)| Some((spelling, code?)));
        self.folded = told_apart.collect();
    }

    pub(crate) fn system_of<'a>(&'a self, translation: &'a Translation) -> &'a str {
        translation.system.as_deref().unwrap_or(&self.system)
    }

    /// Returns the v2 code of a target; its system, if given, must be the row's.
    pub(crate) fn back(&self, code: &str, system: Option<&str>) -> Option<&str> {
        let found = self.back.get(code)?;
        let agrees = match (system, self.forward.get(found)) {
            (Some(system), Some(row)) if row.code == code => self.system_of(row) == system,
            _ => true,
        };
        agrees.then_some(found.as_str())
    }
}
