//! Value sets as lists of codes.

use super::{Package, VALUE_SETS, cell, list, resources, short, text, without_version};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Number of codes up to which a value set with a weaker than required binding is listed.
const SMALL_VALUE_SET: usize = 200;

/// Codes in order: system, code, display.
type Codes = Vec<(String, String, String)>;

/// Formats the url after two tabs, then its codes: a system after one tab, `code display`.
pub(super) fn value_sets(package: &Package) -> (String, usize) {
    let by_url = |name| -> BTreeMap<&str, &Value> {
        resources(package, name)
            .map(|resource| (text(resource, "url"), resource))
            .collect()
    };
    let terms = Terms {
        value_sets: by_url("ValueSet"),
        code_systems: by_url("CodeSystem"),
    };
    let mut wanted: BTreeMap<&str, bool> = BTreeMap::new();
    for definition in resources(package, "StructureDefinition") {
        let snapshot = definition.get("snapshot").into_iter();
        for binding in snapshot
            .flat_map(|s| list(s, "element"))
            .filter_map(|e| e.get("binding"))
        {
            let required = text(binding, "strength") == "required"
                && text(definition, "derivation") != "constraint";
            *wanted
                .entry(without_version(text(binding, "valueSet")))
                .or_default() |= required;
        }
    }
    let mut rows = String::new();
    let mut n_value_sets = 0;
    for (url, required) in wanted {
        let Some(codes) = terms.expand(url, 0) else {
            continue;
        };
        if codes.is_empty() || !required && SMALL_VALUE_SET < codes.len() {
            continue;
        }
        n_value_sets += 1;
        let _ = writeln!(rows, "\t\t{}", short(url, VALUE_SETS));
        let mut last_system = "";
        for (system, code, display) in &codes {
            if last_system != system {
                let _ = writeln!(rows, "\t{system}");
                last_system = system;
            }
            let _ = writeln!(rows, "{}\t{}", cell(code), cell(display));
        }
    }
    (rows, n_value_sets)
}

struct Terms<'p> {
    value_sets: BTreeMap<&'p str, &'p Value>,
    code_systems: BTreeMap<&'p str, &'p Value>,
}

impl Terms<'_> {
    /// Returns all codes, if they can be listed.
    fn expand(&self, url: &str, depth: usize) -> Option<Codes> {
        let compose = self.value_sets.get(without_version(url))?.get("compose")?;
        let mut codes = Codes::new();
        for include in list(compose, "include") {
            for code in self.part(include, depth)? {
                if !codes
                    .iter()
                    .any(|(system, own, _)| *system == code.0 && *own == code.1)
                {
                    codes.push(code);
                }
            }
        }
        for exclude in list(compose, "exclude") {
            let out = self.part(exclude, depth)?;
            codes.retain(|(s, c, _)| !out.iter().any(|(system, code, _)| s == system && c == code));
        }
        Some(codes)
    }

    fn part(&self, include: &Value, depth: usize) -> Option<Codes> {
        let system = text(include, "system");
        let mut codes = if system.is_empty() {
            None
        } else {
            Some(self.of_system(include, system)?)
        };
        for url in list(include, "valueSet").filter_map(Value::as_str) {
            // A value set that includes itself cannot be listed.
            let other = if depth < 8 {
                self.expand(url, depth + 1)?
            } else {
                return None;
            };
            codes = Some(match codes {
                None => other,
                Some(mut own) => {
                    own.retain(|(s, c, _)| other.iter().any(|(os, oc, _)| s == os && c == oc));
                    own
                }
            });
        }
        codes
    }

    fn of_system(&self, include: &Value, system: &str) -> Option<Codes> {
        let known = self.code_systems.get(system).copied();
        let all = known.map(|code_system| concepts(code_system, system));
        let listed: Vec<&Value> = list(include, "concept").collect();
        if !listed.is_empty() {
            let display = |code: &str| {
                let found = all.iter().flatten().find(|concept| concept.code == code);
                found
                    .map(|concept| concept.display.clone())
                    .unwrap_or_default()
            };
            let row = |concept: &&Value| {
                let (code, said) = (text(concept, "code"), text(concept, "display"));
                let said = if said.is_empty() {
                    display(code)
                } else {
                    said.to_owned()
                };
                (system.to_owned(), code.to_owned(), said)
            };
            return Some(listed.iter().map(row).collect());
        }
        if known.is_none_or(|code_system| text(code_system, "content") != "complete") {
            return None;
        }
        let mut concepts = all?;
        for filter in list(include, "filter") {
            let value = text(filter, "value");
            let with_itself = match text(filter, "op") {
                "is-a" => true,
                "descendent-of" => false,
                _ => return None,
            };
            concepts.retain(|c| c.ancestors.contains(value) || with_itself && c.code == value);
        }
        let row = |concept: Concept| (system.to_owned(), concept.code, concept.display);
        Some(concepts.into_iter().map(row).collect())
    }
}

struct Concept {
    code: String,
    display: String,
    ancestors: BTreeSet<String>,
}

/// Returns all concepts of a code system with their ancestors, by nesting or `subsumedBy`.
fn concepts(code_system: &Value, system: &str) -> Vec<Concept> {
    let mut found = Vec::new();
    let mut open: Vec<(&Value, BTreeSet<String>)> = list(code_system, "concept")
        .map(|concept| (concept, BTreeSet::new()))
        .collect();
    open.reverse();
    while let Some((concept, mut ancestors)) = open.pop() {
        for property in list(concept, "property").filter(|p| text(p, "code") == "subsumedBy") {
            ancestors.insert(text(property, "valueCode").to_owned());
        }
        let code = text(concept, "code").to_owned();
        let mut below = ancestors.clone();
        below.insert(code.clone());
        let children: Vec<&Value> = list(concept, "concept").collect();
        open.extend(
            children
                .into_iter()
                .rev()
                .map(|child| (child, below.clone())),
        );
        found.push(Concept {
            code,
            display: text(concept, "display").to_owned(),
            ancestors,
        });
    }
    close_over(&mut found, system);
    found
}

/// Adds the ancestors' ancestors until nothing changes.
fn close_over(concepts: &mut [Concept], system: &str) {
    for _ in 0..32 {
        let above: BTreeMap<String, BTreeSet<String>> = concepts
            .iter()
            .map(|c| (c.code.clone(), c.ancestors.clone()))
            .collect();
        let mut changed = false;
        for concept in concepts.iter_mut() {
            let more: BTreeSet<String> = concept
                .ancestors
                .iter()
                .filter_map(|a| above.get(a))
                .flatten()
                .cloned()
                .collect();
            let n_before = concept.ancestors.len();
            concept.ancestors.extend(more);
            changed |= concept.ancestors.len() != n_before;
        }
        if !changed {
            return;
        }
    }
    eprintln!("{system}: its hierarchy is too deep or cyclic");
}
