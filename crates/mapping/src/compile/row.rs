//! Binds the rows of segment, type and `each` bodies.

use super::{Binder, source};
use crate::diagnostic::Spot;
use crate::program::{
    Body, Condition, Convert, DropRow, FieldConstant, Hop, MapRow, Piece, ReferenceKeyPart,
    ReferenceSpec, ResourceCondition, Row, SetRow, Source, Target, TextPart, part_bit,
};
use crate::syntax::{self, KeyPart, Ownership, Place};
use fhir::definitions::{TypeKind, type_named};
use std::sync::Arc;

// === impl Binder ===

impl Binder<'_> {
    /// Binds the rows of a body of that type. `of_type` means a `type` map, which has no segments.
    pub(super) fn body(
        &mut self,
        fhir_type: &'static str,
        rows: &[syntax::Row],
        of_type: bool,
    ) -> Body {
        let mut body = Body {
            fhir_type,
            ..Body::default()
        };
        for row in rows {
            match row {
                syntax::Row::SetField {
                    spot,
                    source: at,
                    value,
                    when,
                } => body
                    .written
                    .extend(self.field_constant(*spot, at, (value, when.as_ref()))),
                other => body.rows.extend(self.row(fhir_type, other, of_type)),
            }
        }
        body
    }

    fn field_constant(
        &mut self,
        spot: Spot,
        at: &syntax::Source,
        (value, when): (&str, Option<&syntax::Condition>),
    ) -> Option<FieldConstant> {
        Some(FieldConstant {
            id: self.row_id(spot),
            source: source(at),
            value: value.into(),
            when: self.optional(when)?,
        })
    }

    fn row(&mut self, base: &'static str, row: &syntax::Row, of_type: bool) -> Option<Row> {
        match row {
            syntax::Row::Map(row) => self.map_row(base, row, of_type).map(Row::Map),
            syntax::Row::Set(row) => self.set_row(base, row).map(Row::Set),
            // A field constant is kept beside the rows of its body.
            syntax::Row::SetField { .. } => None,
            syntax::Row::Drop {
                spot,
                source: from,
                reason,
                when,
            } => Some(Row::Drop(DropRow {
                id: self.row_id(*spot),
                source: source(from),
                reason: reason.as_str().into(),
                when: self.optional(when.as_ref())?,
            })),
            syntax::Row::Each(row) => self.each_row(base, row, of_type).map(Row::Each),
            syntax::Row::Foreign { file, row } => {
                let around = std::mem::replace(&mut self.file, Arc::clone(file));
                let bound = self.row(base, row, of_type);
                self.file = around;
                bound
            }
        }
    }

    pub(super) fn set_row(&mut self, base: &'static str, row: &syntax::SetRow) -> Option<SetRow> {
        let target = self.target(base, &row.target)?;
        let def = type_named(target.fhir_type)?;
        let value = self.literal(row.spot, base, def, &row.value)?;
        let when = self.optional(row.when.as_ref())?;
        Some(SetRow {
            id: self.row_id(row.spot),
            target: Arc::new(target),
            value,
            when,
        })
    }

    fn map_row(
        &mut self,
        base: &'static str,
        row: &syntax::MapRow,
        of_type: bool,
    ) -> Option<MapRow> {
        let mut target = self.target(base, &row.target)?;
        let sources: Vec<Source> = row.sources.iter().map(source).collect();
        if !row.joined.is_empty() {
            self.joins(row, &sources)?;
        }
        if of_type
            && sources
                .iter()
                .any(|from| matches!(from, Source::Field { .. }))
        {
            self.error_with(row.spot, "a type map has components, not fields", ".4");
            return None;
        }
        self.place_fits(row, &mut target)?;
        let reference = match &row.reference {
            Some(resource_type) => Some(self.reference(row, &target, resource_type, of_type)?),
            None if target.fhir_type == "Reference" && row.convert.name.is_none() => {
                self.error_with(
                    row.spot,
                    "a reference must name its target",
                    "=> Practitioner : XCN",
                );
                return None;
            }
            None => None,
        };
        let convert = if let Some(reference) = &reference {
            let map = reference.type_map;
            map.map_or(Convert::Whole, |map| Convert::Type { map, codes: None })
        } else {
            let assigner = row.clauses.otherwise.as_deref() == Some("assigner");
            self.convert(row.spot, &row.convert, target.fhir_type, assigner)?
        };
        let assigner = match convert {
            Convert::Authority { assigner: true, .. } => Some(beside(&target)),
            _ => None,
        };
        let when = self.optional(row.clauses.when.as_ref())?;
        let (resource_base, when_resource) =
            self.optional_resource(base, &row.target, row.clauses.when_resource.as_ref())?;
        target.fills_gap = row.clauses.fills_gap;
        if let Some(path) = &row.clauses.merge_by {
            target.merge_by = self.target(target.fhir_type, path)?.hops;
        }
        Some(MapRow {
            id: self.row_id(row.spot),
            sources,
            arrow: row.arrow,
            target: Arc::new(target),
            place: row.place,
            convert,
            text: TextPart::None,
            varies: false,
            when,
            when_first: false,
            when_resource,
            resource_base,
            otherwise: row.clauses.otherwise.clone(),
            report: row.clauses.report,
            reference,
            assigner,
            hidden: row
                .without
                .iter()
                .fold(0, |hidden, n| hidden | part_bit(*n)),
            joined: row.joined.iter().map(|group| pieces(group)).collect(),
        })
    }

    /// Checks that a text of several places is made of fields, by `words` or `lines`, and goes one
    /// way.
    fn joins(&mut self, row: &syntax::MapRow, sources: &[Source]) -> Option<()> {
        let how = matches!(row.convert.name.as_deref(), Some("words" | "lines"));
        let fields = !sources.is_empty() && sources.iter().all(|source| source.is_field());
        let plain = row.place.is_none() && row.reference.is_none() && row.without.is_empty();
        if how && fields && plain && !row.arrow.back() {
            return Some(());
        }
        self.error_with(
            row.spot,
            "the words of several fields go forward into one text, by words or lines",
            "RXE-2.2 + (RXE-25 RXE-26) -> element.text : words",
        );
        None
    }

    /// Checks that `first` and the like are used on a list of primitives, and that repeats do not
    /// go into one element.
    fn place_fits(&mut self, row: &syntax::MapRow, target: &mut Target) -> Option<()> {
        let primitive =
            type_named(target.fhir_type).is_some_and(|def| def.kind == TypeKind::Primitive);
        match (row.place, target.hops.pop()) {
            (Some(_), Some(Hop::One(name, _))) if primitive => target.hops.push(Hop::Field(name)),
            (Some(Place::At(_) | Place::Rest), _) => {
                self.error(row.spot, "`first` and `rest` follow a list of texts");
                return None;
            }
            (None, Some(Hop::One(name, _))) if primitive => {
                let remedy = format!("{name}[*], {name}[+] or {name} first");
                self.error_with(row.target.spot, format!("{name} is a list"), remedy);
                return None;
            }
            (None, Some(last)) => target.hops.push(last),
            (None, None) => {}
        }
        let repeats = row.sources.iter().any(|from| {
            matches!(
                from,
                syntax::Source::Field {
                    repeat: syntax::Repeat::All,
                    ..
                }
            )
        });
        let into_list = target.hops.iter().any(|hop| matches!(hop, Hop::Many(..)));
        let as_lines = matches!(
            row.convert.name.as_deref(),
            Some("lines" | "names" | "readable")
        );
        if repeats && !into_list && !as_lines && row.joined.is_empty() {
            self.error_with(
                row.target.spot,
                "the repeats of a field cannot all go into one element",
                "[*] or [+] on a list of the right side, or no [*] on the left",
            );
            return None;
        }
        Some(())
    }

    fn reference(
        &mut self,
        row: &syntax::MapRow,
        target: &Target,
        resource_type: &str,
        of_type: bool,
    ) -> Option<ReferenceSpec> {
        if target.fhir_type != "Reference" {
            self.error(
                row.target.spot,
                "`=>` follows an element that is a Reference",
            );
            return None;
        }
        let Some(def) = type_named(resource_type) else {
            self.error(row.spot, format!("FHIR R4 has no resource {resource_type}"));
            return None;
        };
        let type_map = match &row.convert.name {
            Some(name) => Some(self.made_by(row.convert.spot, name, def.name)?),
            None if row.rows.is_empty() => {
                let remedy = ": XCN, or rows below";
                self.error_with(row.spot, "a reference needs a data type map", remedy);
                return None;
            }
            None => None,
        };
        let usual = type_map.and_then(|map| self.keys.get(&map).cloned());
        let Some(clause) = row.key.clone().or(usual) else {
            let message = format!("the {} has no key by which it is found again", def.name);
            self.error_with(row.spot, message, "a line below: key .1 + .9, only links");
            return None;
        };
        let keys = clause.alternatives.iter().map(|parts| {
            let parts = parts.iter().filter_map(|part| match part {
                KeyPart::Source(from) => Some(ReferenceKeyPart::Source(source(from))),
                KeyPart::Text(text) => Some(ReferenceKeyPart::Text(text.as_str().into())),
                KeyPart::Identifier
                | KeyPart::Label(..)
                | KeyPart::FirstOf(_)
                | KeyPart::Coded(..)
                | KeyPart::Day(_) => None,
            });
            parts.collect()
        });
        let keys: Vec<Vec<ReferenceKeyPart>> = keys.collect();
        let begins = |parts: &Vec<_>| matches!(parts.first(), Some(ReferenceKeyPart::Source(_)));
        if !keys.iter().all(begins) {
            self.error_with(
                clause.spot,
                "a reference's key is made of components",
                "key .1 + .9",
            );
            return None;
        }
        let ownership = clause.ownership.unwrap_or(Ownership::OnlyLinks);
        Some(ReferenceSpec {
            resource_type: def.name,
            type_map,
            keys,
            own_key: false,
            ownership,
            body: self.body(def.name, &row.rows, of_type),
        })
    }

    /// Returns the type map that makes a resource.
    fn made_by(&mut self, spot: Spot, name: &str, resource_type: &'static str) -> Option<usize> {
        let found = self.type_map(name, resource_type);
        if found.is_none() {
            let remedy = format!("type {name} <-> {resource_type}");
            self.error_with(spot, format!("there is no map {remedy}"), remedy);
        }
        found
    }

    /// Returns `Some(None)` without a condition, `None` if it could not be bound.
    #[expect(
        clippy::option_option,
        reason = "absent and wrong are different answers"
    )]
    pub(super) fn optional(
        &mut self,
        condition: Option<&syntax::Condition>,
    ) -> Option<Option<Condition>> {
        match condition {
            None => Some(None),
            Some(condition) => self.condition(condition).map(Some),
        }
    }

    /// Returns the condition and the number of hops to what it reads: the row's element, or its
    /// parent if it is a primitive.
    pub(super) fn optional_resource(
        &mut self,
        base: &'static str,
        path: &syntax::Path,
        condition: Option<&syntax::Condition>,
    ) -> Option<(usize, Option<ResourceCondition>)> {
        let Some(condition) = condition else {
            return Some((0, None));
        };
        let target = self.target(base, path)?;
        let def = type_named(target.fhir_type)?;
        if def.kind != TypeKind::Primitive {
            let bound = self.resource_condition(target.fhir_type, condition)?;
            return Some((target.hops.len(), Some(bound)));
        }
        let mut steps = path.steps.clone();
        steps.pop();
        let holder = self.target(
            base,
            &syntax::Path {
                spot: path.spot,
                steps,
            },
        )?;
        let bound = self.resource_condition(holder.fhir_type, condition)?;
        Some((holder.hops.len(), Some(bound)))
    }
}

fn pieces(group: &[syntax::Piece]) -> Vec<Piece> {
    let pieces = group.iter().map(|piece| match piece {
        syntax::Piece::Source(from) => Piece::Source {
            source: source(from),
            whole: false,
        },
        syntax::Piece::Text(text) => Piece::Text(text.as_str().into()),
    });
    pieces.collect()
}

/// Returns `assigner.display` beside the `system` that a row ends at.
fn beside(target: &Target) -> Target {
    let mut hops = target.hops.clone();
    hops.pop();
    hops.extend([Hop::Field("assigner".into()), Hop::Field("display".into())]);
    Target {
        hops,
        fhir_type: "string",
        ..Target::default()
    }
}
