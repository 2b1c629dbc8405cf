//! Runs `each`: one list element for each repeat, segment, group of segments or group of
//! components.

use super::Run;
use super::build::{Build, Touch, put};
use super::rows::{Level, Used};
use super::scope::Scope;
use crate::program::{EachRow, Over, Row, Source};
use fhir::build::Value;
use smallvec::SmallVec;
use std::sync::Arc;

// === impl Run ===

impl<'m> Run<'_, 'm> {
    pub(super) fn each_row(
        &mut self,
        row: &EachRow,
        scope: &Scope<'_, 'm>,
        build: &mut Build,
        here: &mut Value,
        (level, used): (Level, &mut Used),
    ) {
        if !row.arrow.forward() {
            return;
        }
        let fits = row
            .when
            .as_ref()
            .is_none_or(|when| scope.holds(when, scope.cell));
        if !fits {
            return;
        }
        let skipped = usize::from(row.further);
        let mut set = false;
        let mut deleted = false;
        let mut keys: SmallVec<[(Box<str>, Value, Build); 2]> = SmallVec::new();
        match &row.over {
            Over::Segment(name) => {
                for index in scope.segments(*name).into_iter().skip(skipped) {
                    let inner = Scope {
                        current: Some((*name, index)),
                        ..*scope
                    };
                    if row
                        .filter
                        .as_ref()
                        .is_some_and(|filter| !inner.holds(filter, scope.cell))
                    {
                        continue;
                    }
                    let key = row.by.and_then(|by| inner.cell(by));
                    match key {
                        Some(key) => {
                            let text = key.plain(scope.reading).into_owned().into_boxed_str();
                            self.accounts.mapped(key.origin, row.id);
                            self.grouped(row, &inner, &mut keys, text);
                        }
                        None => set |= self.element(row, &inner, build, here),
                    }
                }
            }
            Over::Repeats(source) => {
                used.read(*source);
                for cell in scope.cells(*source).into_iter().skip(skipped) {
                    let inner = scope.with_cell(Some(cell));
                    let out = row
                        .filter
                        .as_ref()
                        .is_some_and(|filter| !inner.holds(filter, Some(cell)));
                    if out || cell.is_empty(scope.reading) {
                        continue;
                    }
                    if cell.is_null() {
                        self.accounts.mapped(cell.origin, row.id);
                        deleted = true;
                        continue;
                    }
                    self.accounts.mapped(cell.origin, row.id);
                    set |= self.element(row, &inner, build, here);
                }
            }
            Over::Groups(groups) => {
                for group in groups {
                    for member in group {
                        used.read(*member);
                    }
                    let inner = Scope {
                        members: group,
                        ..*scope
                    };
                    set |= self.element(row, &inner, build, here);
                }
            }
        }
        for (_, value, made) in keys {
            set |= Self::adopt(row, value, &made, build, here);
        }
        if level == Level::Top && (set || deleted) {
            let target = Arc::clone(&row.target);
            build.touches.push(Touch {
                target,
                row: row.id,
                delete: !set,
                adds: false,
            });
        }
    }

    /// Converts one element of an `each`.
    fn element(
        &mut self,
        row: &EachRow,
        scope: &Scope<'_, 'm>,
        build: &mut Build,
        here: &mut Value,
    ) -> bool {
        let before = build.trail.len();
        build.walk(here, &row.target.hops);
        let mut value = Value::Null;
        let used = self.rows(&row.body, scope, build, &mut value, Level::Inner);
        if let (Over::Repeats(_), Some(cell)) = (&row.over, scope.cell) {
            let reads_whole = row.body.rows.iter().any(|row| match row {
                Row::Map(row) => row.sources.contains(&Source::This),
                Row::Set(_) | Row::Drop(_) | Row::Each(_) => false,
            });
            if !reads_whole {
                self.accounts.taken(cell, used.parts, scope.reading);
            }
        }
        build.trail.truncate(before);
        !value.is_empty() && put(here, &row.target, value).is_ok()
    }

    /// Converts segments that share a key: their rows write into one element, which is added at the
    /// end.
    fn grouped(
        &mut self,
        row: &EachRow,
        scope: &Scope<'_, 'm>,
        keys: &mut SmallVec<[(Box<str>, Value, Build); 2]>,
        key: Box<str>,
    ) {
        let found = keys.iter().position(|(own, ..)| *own == key);
        let place = found.unwrap_or_else(|| {
            keys.push((key, Value::Null, Build::default()));
            keys.len() - 1
        });
        if let Some((_, value, build)) = keys.get_mut(place) {
            self.rows(&row.body, scope, build, value, Level::Inner);
        }
    }

    fn adopt(
        row: &EachRow,
        value: Value,
        made: &Build,
        build: &mut Build,
        here: &mut Value,
    ) -> bool {
        if value.is_empty() {
            return false;
        }
        let before = build.trail.len();
        build.walk(here, &row.target.hops);
        for trace in &made.traces {
            build.trace_at(made.path(trace), trace.origin, trace.row, trace.raw);
        }
        build.trail.truncate(before);
        put(here, &row.target, value).is_ok()
    }
}
