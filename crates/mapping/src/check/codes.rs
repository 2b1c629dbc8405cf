//! Checks code tables against the HL7 tables and the value sets.

use super::{Checker, source_text};
use crate::program::{Body, CodeTable, Convert, Hop, MapRow, Row};
use fhir::definitions::{Strength, TypeDef, type_named, value_set};
use hl7v2::{Dictionary, Version};

// === impl Checker ===

impl Checker<'_> {
    pub(super) fn codes(&mut self) {
        let program = self.program;
        let bodies = program.segments.iter().map(|map| &map.body);
        for body in bodies.chain(program.types.iter().map(|map| &map.body)) {
            for (base, row) in rows_with_base(body) {
                let (Convert::Codes(table)
                | Convert::Type {
                    codes: Some(table), ..
                }) = row.convert
                else {
                    continue;
                };
                let Some(table) = program.table(table) else {
                    continue;
                };
                self.table_of(row, table, base);
            }
        }
    }

    fn table_of(&mut self, row: &MapRow, table: &CodeTable, base: &str) {
        if row.arrow.back() && table.forward.values().all(|to| !to.two_way) && table.back.is_empty()
        {
            let message = format!("{} has no row that runs back", table.name);
            self.error(
                row.id,
                message,
                "<-> on a row of the table, or -> on this one",
            );
        }
        let Some(element) = element_of(base, &row.target.hops) else {
            return;
        };
        let only_code = matches!(row.convert, Convert::Codes(_));
        if let Some(binding) = element
            .binding
            .filter(|binding| binding.strength == Strength::Required)
        {
            let known = value_set(binding.value_set);
            let bad = known.map(|known| {
                let targets = table.forward.values().map(|to| to.code.as_str());
                let out = targets.filter(|code| !known.iter().any(|own| own.code == *code));
                let mut out: Vec<&str> = out.collect();
                out.sort_unstable();
                out.dedup();
                out
            });
            if let Some(bad) = bad.filter(|bad| only_code && !bad.is_empty()) {
                let message = format!(
                    "{} leads to {}, but {} allows only {}",
                    table.name,
                    bad.join(" "),
                    element.name,
                    binding.value_set
                );
                self.error(row.id, message, "a code of that value set");
            }
        }
        // A required code must not stay empty for a code that the standard defines.
        if 0 < element.min && only_code && row.otherwise.is_none() && row.target.hops.len() == 1 {
            let number = table.table.strip_prefix("HL7").unwrap_or_default();
            let dictionary = Dictionary::of(Version::nearest("2.8.2"));
            let Some(standard) = dictionary.table(number) else {
                return;
            };
            let missing: Vec<&str> = standard
                .codes
                .iter()
                .map(|code| code.code)
                .filter(|code| table.translate(code).is_none())
                .collect();
            let source = row
                .sources
                .first()
                .map(|source| source_text(*source))
                .unwrap_or_default();
            let message = if missing.is_empty() {
                format!(
                    "a code of {source} without a row in {} leaves {base}.{} empty, which is required",
                    table.name, element.name
                )
            } else {
                format!(
                    "{source} codes {} have no row in {}, but {base}.{} is required.",
                    missing.join(" "),
                    table.name,
                    element.name
                )
            };
            let first = missing.first().copied().unwrap_or("CODE");
            self.error(
                row.id,
                message,
                format!("{first} -> …, or: otherwise unknown and report"),
            );
        }
    }
}

/// Returns every mapping row with the type that its path starts from.
fn rows_with_base(body: &Body) -> Vec<(&'static str, &MapRow)> {
    let mut found = Vec::new();
    for row in &body.rows {
        match row {
            Row::Map(row) => found.push((body.fhir_type, row)),
            Row::Each(row) => found.extend(rows_with_base(&row.body)),
            Row::Set(_) | Row::Drop(_) => {}
        }
    }
    found
}

fn element_of(base: &str, hops: &[Hop]) -> Option<&'static fhir::definitions::ElementDef> {
    let mut def: &'static TypeDef = type_named(base)?;
    let mut found = None;
    for hop in hops {
        let (element, type_ref) = def.element_for(hop.name())?;
        found = Some(element);
        def = type_named(type_ref.name)?;
    }
    found
}
