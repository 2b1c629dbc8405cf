//! Binds `missing` blocks to the definitions.

use super::{Binder, intern};
use crate::missing::{Leaf, Missing, Reach, Step};
use crate::program::Element;
use crate::syntax::{Many, MissingBlock, MissingRow, StepName};
use fhir::definitions::{TypeKind, type_named};

// === impl Binder ===

impl Binder<'_> {
    pub(super) fn missing(&mut self, block: &MissingBlock) {
        let Some(def) = type_named(&block.fhir_type) else {
            let message = format!("FHIR R4 has no type {}", block.fhir_type);
            return self.error(block.spot, message);
        };
        let rows = block.rows.iter();
        let bound: Vec<Missing> = rows
            .filter_map(|row| self.missing_row(def.name, row))
            .collect();
        let known = self.program.missing.get(def.name);
        let all: Vec<Missing> = known
            .into_iter()
            .flat_map(|rows| rows.iter().cloned())
            .chain(bound)
            .collect();
        self.program.missing.insert(def.name, all.into());
    }

    fn missing_row(&mut self, base: &'static str, row: &MissingRow) -> Option<Missing> {
        let spot = row.target.spot;
        let target = self.target(base, &row.target)?;
        let mut path = Vec::new();
        for (hop, step) in target.hops.iter().zip(&row.target.steps) {
            if matches!(step.name, StepName::Extension(_)) || !step.discriminators.is_empty() {
                self.error(step.spot, "a missing element is named by its path alone");
                return None;
            }
            let reach = match (hop, step.many) {
                (crate::program::Hop::Field(_), _) => Reach::Once,
                (_, Many::All) => Reach::Each,
                (_, Many::New) => Reach::New,
                (_, Many::One) => {
                    let message = format!("{} is a list", hop.name());
                    self.error_with(step.spot, message, format!("{}[+] or [*]", hop.name()));
                    return None;
                }
            };
            path.push(Step {
                name: hop.name(),
                reach,
            });
        }
        let last = path.last()?;
        let primitive =
            type_named(target.fhir_type).is_some_and(|def| def.kind == TypeKind::Primitive);
        let leaf = match target.fhir_type {
            _ if primitive && last.reach != Reach::Once => {
                self.error(spot, "a list of primitives has no place for a reason");
                return None;
            }
            _ if primitive => Leaf::Primitive {
                beside: intern(&format!("_{}", last.name)),
                code: row.code.as_deref().map(Into::into),
            },
            _ if row.code.is_some() => {
                self.error(
                    spot,
                    "only an element of type code can have a code for unknown",
                );
                return None;
            }
            "CodeableConcept" => Leaf::Concept,
            _ => Leaf::Complex,
        };
        let when = match &row.when {
            Some(when) => Some(self.resource_condition(base, when)?),
            None => None,
        };
        Some(Missing {
            path,
            rivals: target.rivals.iter().map(Element::text).collect(),
            leaf,
            when,
        })
    }
}
