//! Runs the rows under a row with `=>` on the resource that it makes.

use super::Run;
use super::build::Build;
use super::cell::Cell;
use super::rows::{Level, whole};
use super::scope::Scope;
use crate::program::{Body, DropRow, MapRow, Row};
use fhir::build::Value;

// === impl Run ===

impl<'m> Run<'_, 'm> {
    pub(super) fn below(
        &mut self,
        body: &Body,
        cell: Cell<'m>,
        scope: &Scope<'_, 'm>,
        build: &mut Build,
        value: &mut Value,
    ) {
        if body.rows.is_empty() {
            return;
        }
        let inner = scope.with_cell(Some(cell));
        let used = self.rows(body, &inner, build, value, Level::Inner);
        self.accounts.taken(cell, used.parts, scope.reading);
    }

    /// Accounts for what the rows would read, without making anything: the resource exists already.
    pub(super) fn account_below(&mut self, body: &Body, scope: &Scope<'_, 'm>) {
        for row in &body.rows {
            match row {
                Row::Map(row) if row.arrow.forward() => self.account_row(row, scope),
                Row::Drop(row) => self.account_drop(row, scope),
                Row::Map(_) | Row::Set(_) | Row::Each(_) => {}
            }
        }
    }

    fn account_drop(&mut self, row: &DropRow, scope: &Scope<'_, 'm>) {
        let fits = row.when.as_ref();
        if !fits.is_none_or(|when| scope.holds(when, scope.cell)) {
            return;
        }
        for cell in scope.cells(row.source) {
            if !cell.is_empty(scope.reading) {
                let place = whole(cell.origin, row.source);
                self.accounts.dropped(place, row.id, &row.reason);
            }
        }
    }

    fn account_row(&mut self, row: &MapRow, scope: &Scope<'_, 'm>) {
        for cell in row.sources.iter().flat_map(|source| scope.cells(*source)) {
            let base = if row.reads_field() {
                Some(cell)
            } else {
                scope.cell
            };
            let fits = row.when.as_ref();
            let fits = fits.is_none_or(|when| scope.holds(when, base));
            if cell.is_empty(scope.reading) || !fits {
                continue;
            }
            self.accounts.mapped(cell.origin, row.id);
            self.accounts.taken(cell, u64::MAX, scope.reading);
            if let Some(reference) = &row.reference {
                self.account_below(&reference.body, &scope.with_cell(Some(cell)));
            }
        }
    }
}
