//! Texts made of several fields, and values that are read differently than their type says.

use super::Run;
use super::build::{Build, Span, put};
use super::cell::{Cell, Origin};
use super::scope::{Cells, Scope};
use crate::program::{Convert, MapRow};
use crate::values::observed::{self, Reason};
use base::Severity;
use fhir::build::Value;

// === impl Run ===

impl<'m> Run<'_, 'm> {
    /// Joins the repeats of a field as the lines of one text, in which an empty repeat is an empty
    /// line, or as a list of names.
    pub(super) fn lines(
        &mut self,
        row: &MapRow,
        cells: &Cells<'m>,
        scope: &Scope<'_, 'm>,
        build: &mut Build,
        here: &mut Value,
    ) -> bool {
        let Some(first) = cells.first() else {
            return false;
        };
        let fits = row
            .when
            .as_ref()
            .is_none_or(|when| scope.holds(when, Some(*first)));
        let text = if row.convert == Convert::Names {
            for cell in cells {
                self.accounts.taken(*cell, u64::MAX, scope.reading);
            }
            let names = cells
                .iter()
                .map(|cell| crate::values::phone::name(*cell, scope.reading));
            let names: Vec<String> = names.filter(|name| !name.is_empty()).collect();
            names.join(", ")
        } else if row.convert == Convert::Readable {
            let texts = cells
                .iter()
                .map(|cell| observed::words(scope.declared(), *cell, scope.reading));
            texts.collect::<Vec<_>>().join("\n")
        } else {
            let texts = cells.iter().map(|cell| cell.whole(scope.reading));
            texts.collect::<Vec<_>>().join("\n")
        };
        if !fits || text.trim().is_empty() {
            return false;
        }
        let before = build.trail.len();
        build.walk(here, &row.target.hops);
        let done = put(here, &row.target, Value::from(text.trim_end())).is_ok();
        // Each segment's field is a separate source.
        for cells in cells.chunk_by(|one, other| one.origin.segment == other.origin.segment) {
            self.line_field(row, (cells, done), scope, build);
        }
        build.trail.truncate(before);
        if done && row.varies {
            self.retyped(row, *first, scope);
        }
        done
    }

    /// Accounts for one field of a text.
    fn line_field(
        &mut self,
        row: &MapRow,
        (cells, done): (&[Cell<'m>], bool),
        scope: &Scope<'_, 'm>,
        build: &mut Build,
    ) {
        let ([first, ..], [.., last]) = (cells, cells) else {
            return;
        };
        let origin = Origin {
            repeat: 0,
            ..first.origin
        };
        self.accounts.mapped(origin, row.id);
        if !done || cells.iter().all(|cell| cell.is_empty(scope.reading)) {
            return;
        }
        let (from, to) = (first.span(self.message), last.span(self.message));
        let len = (to.start + to.len).saturating_sub(from.start);
        let span = Span {
            start: from.start,
            len,
        };
        build.trace(origin, row.id, span);
    }

    /// Reports that a value was not read as OBX-2 says. A final result whose value does not conform
    /// to its type needs attention.
    pub(super) fn retyped(&mut self, row: &MapRow, cell: Cell<'m>, scope: &Scope<'_, 'm>) {
        let Some(why) = scope.observed(cell.origin.segment).why else {
            return;
        };
        let severity = match why {
            Reason::Mismatch if self.is_final(cell.origin.segment) => Severity::Error,
            Reason::Mismatch
            | Reason::Compared
            | Reason::Document
            | Reason::Unnamed
            | Reason::NoElement => Severity::Warning,
        };
        let found = (severity, "value");
        self.unusable((cell, scope.reading), row.id, found, why.text(), true);
    }

    /// Returns whether the status is final, or corrected after that (table 0085).
    fn is_final(&self, segment: u32) -> bool {
        let found = self.message.segment_at(segment as usize);
        let status = found.map(|segment| segment.field(11).value());
        let status = status.as_deref().map(str::trim);
        status.is_some_and(|status| matches!(status, "F" | "C" | "A" | "B" | "U" | "V"))
    }
}
