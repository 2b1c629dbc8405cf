//! Runs the rows of a body.

use super::Run;
use super::build::{Build, Span, Touch, append, put};
use super::cell::{Cell, Origin, Reading};
use super::convert::{text_cell, text_of};
use super::scope::{Cells, Scope};
use crate::program::{
    Body, Convert, Hop, Literal, MapRow, Row, SetRow, Source, Target, TextPart, There,
};
use crate::syntax::Place;
use base::Severity;
use fhir::build::Value;
use smallvec::SmallVec;
use std::sync::Arc;

/// The level of a body's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// Rows of a resource: they own places and delete.
    Top,
    /// Rows of a data type or an `each`.
    Inner,
}

/// The parts of the current value that rows have read.
#[derive(Default)]
pub(super) struct Used {
    pub(super) parts: u64,
    subs: SmallVec<[(u8, u64); 2]>,
}

// === impl Run ===

impl<'m> Run<'_, 'm> {
    pub(super) fn rows(
        &mut self,
        body: &Body,
        scope: &Scope<'_, 'm>,
        build: &mut Build,
        here: &mut Value,
        level: Level,
    ) -> Used {
        let mut used = Used::default();
        let there = There::new(body, scope.valued, |segment| {
            let valued = |at: u32| self.valued.get(at as usize).copied().unwrap_or(0);
            // The first line of a text may be empty.
            scope.fold(segment, valued)
        });
        for (row, need) in body.rows.iter().zip(&body.needs) {
            if !there.has(*need) {
                continue;
            }
            match row {
                Row::Map(row) => {
                    if !need.is_nothing()
                        || !row.sources.iter().all(|source| scope.is_empty(*source))
                    {
                        self.map_row(row, scope, build, here, (level, &mut used));
                    }
                }
                Row::Set(row) => Self::set_row(row, scope, build, here, level),
                Row::Drop(row) => {
                    let when = row.when.as_ref();
                    let fits = !scope.is_empty(row.source)
                        && when.is_none_or(|when| scope.holds(when, scope.cell));
                    let cells = if fits {
                        scope.cells(row.source)
                    } else {
                        Cells::new()
                    };
                    for cell in cells {
                        used.read(row.source);
                        let place = whole(cell.origin, row.source);
                        self.accounts.dropped(place, row.id, &row.reason);
                    }
                }
                Row::Each(row) => self.each_row(row, scope, build, here, (level, &mut used)),
            }
        }
        if let Some(cell) = scope.cell {
            for (part, subs) in &used.subs {
                self.accounts
                    .taken(cell.part(*part, scope.reading), *subs, scope.reading);
            }
        }
        used
    }

    fn map_row(
        &mut self,
        row: &MapRow,
        scope: &Scope<'_, 'm>,
        build: &mut Build,
        here: &mut Value,
        (level, used): (Level, &mut Used),
    ) {
        let is_there = |when| !row.when_first || scope.holds(when, None);
        if !row.when.as_ref().is_none_or(is_there) {
            return;
        }
        if !row.joined.is_empty() {
            let done = self.join_row(row, scope, build, here);
            touch(row, level, done, build);
            return;
        }
        if let [source] = row.sources.as_slice()
            && !source.is_each()
        {
            // One value from one source is the common case: no list is made.
            if let Some(cell) = scope.cell(*source) {
                let done = self.cell_row((row, cell), scope, build, here, (level, used));
                touch(row, level, done, build);
            }
            return;
        }
        let cells = match (row.convert, row.sources.as_slice()) {
            (Convert::Lines, [source]) => Some(scope.lines(*source)),
            _ => self.source_cells(row, scope),
        };
        let Some(cells) = cells else {
            return;
        };
        if matches!(
            row.convert,
            Convert::Lines | Convert::Names | Convert::Readable
        ) && 1 < cells.len()
        {
            let set = self.lines(row, &cells, scope, build, here);
            touch(row, level, (set, false), build);
            return;
        }
        let (mut set, mut deleted) = (false, false);
        for cell in cells {
            let done = self.cell_row((row, cell), scope, build, here, (level, used));
            set |= done.0;
            deleted |= done.1;
        }
        touch(row, level, (set, deleted), build);
    }

    /// Runs the row for one value and returns whether something was set and whether something was
    /// deleted.
    fn cell_row(
        &mut self,
        (row, cell): (&MapRow, Cell<'m>),
        scope: &Scope<'_, 'm>,
        build: &mut Build,
        here: &mut Value,
        (level, used): (Level, &mut Used),
    ) -> (bool, bool) {
        let cell = cell.without(row.hidden);
        let base = if row.reads_field() {
            Some(cell)
        } else {
            scope.cell
        };
        let fits = |when| row.when_first || scope.holds(when, base);
        if cell.is_empty(scope.reading) || !row.when.as_ref().is_none_or(fits) {
            return (false, false);
        }
        for source in &row.sources {
            match row.convert {
                Convert::Authority { first: 2.., .. }
                | Convert::Media
                | Convert::Phone
                | Convert::Readable
                | Convert::Place => {}
                // The type map's own rows record which parts they read.
                Convert::Type { .. } if *source == Source::This => {}
                _ if *source == Source::This && row.reference.is_some() => {}
                _ => used.read(*source),
            }
            let member = match source {
                Source::Member(number) => scope.members.get(usize::from(*number) - 1),
                Source::Field { .. } | Source::Cell { .. } | Source::This => None,
            };
            if let Some(member) = member {
                used.read(*member);
            }
        }
        if level == Level::Top || cell.origin.is_field() || row.reads_field() {
            self.accounts.mapped(cell.origin, row.id);
        }
        if cell.is_null() {
            return (false, true);
        }
        let set = self.value(row, cell, scope, build, here);
        // A value with nothing but a null and its kind (`""^PRN^PH`) deletes what was known.
        let is_nulled = !set
            && matches!(row.convert, Convert::Type { .. })
            && cell.parts(scope.reading).any(Cell::is_null);
        (set, is_nulled)
    }

    /// Returns the values of the first source that has any; its mirrors must agree.
    fn source_cells(&mut self, row: &MapRow, scope: &Scope<'_, 'm>) -> Option<Cells<'m>> {
        let (first, mirrors) = row.sources.split_first()?;
        let mut cells = scope.cells(*first);
        for mirror in mirrors {
            let others = scope.cells(*mirror);
            let empty = |cells: &Cells<'_>| cells.iter().all(|cell| cell.is_empty(scope.reading));
            if empty(&others) {
                continue;
            }
            if empty(&cells) {
                cells = others;
                continue;
            }
            let fits = cells.first().is_some_and(|cell| {
                row.when
                    .as_ref()
                    .is_none_or(|when| scope.holds(when, Some(*cell)))
            });
            if !fits {
                continue;
            }
            for (cell, other) in cells.iter().zip(&others) {
                self.accounts.mapped(other.origin, row.id);
                if cell.raw != other.raw {
                    let why = "differs from its mirror, which was used";
                    self.note(*other, row.id, "conflict", why, scope.reading);
                }
            }
        }
        Some(cells)
    }

    /// Converts one value and puts it in its place. Returns whether something was written.
    fn value(
        &mut self,
        row: &MapRow,
        cell: Cell<'m>,
        scope: &Scope<'_, 'm>,
        build: &mut Build,
        here: &mut Value,
    ) -> bool {
        let before = build.trail.len();
        build.walk(here, &row.target.hops);
        let done = match (row.place, row.convert) {
            (Some(place), _) => self.items(row, place, cell, build, here),
            (None, Convert::Authority { first, .. }) => {
                self.authority(row, cell, first, build, here)
            }
            (None, convert) => {
                let traces = build.traces.len();
                let segs = build.segs.len();
                let leaf = self.convert(row, convert, cell, scope, build);
                match leaf.map(|leaf| put(here, &row.target, leaf)) {
                    Some(Ok(())) => {
                        if convert == Convert::System {
                            self.widen(here, &row.target);
                        }
                        true
                    }
                    Some(Err(_)) => {
                        build.traces.truncate(traces);
                        build.segs.truncate(segs);
                        let why = "another row has set this element as another type";
                        self.fail(cell, row.id, "conflict", why, scope.reading);
                        false
                    }
                    None => false,
                }
            }
        };
        build.trail.truncate(before);
        if done && row.varies {
            self.retyped(row, cell, scope);
        }
        done
    }

    /// Adds the leading zeros that the system requires to the code beside it.
    fn widen(&self, here: &mut Value, target: &Target) {
        let Some((last, before)) = target.hops.split_last() else {
            return;
        };
        if last.name() != "system" || !before.is_empty() {
            return;
        }
        let code = here.text("system").zip(here.text("code"));
        let wide = code.and_then(|(system, code)| self.program.systems.widened(system, code));
        if let Some(wide) = wide {
            here.set("code", wide);
        }
    }

    fn items(
        &mut self,
        row: &MapRow,
        place: Place,
        cell: Cell<'m>,
        build: &mut Build,
        here: &mut Value,
    ) -> bool {
        let reading = &super::reading(self.message);
        let text = text_of(row, cell, reading);
        if text.is_empty() {
            return false;
        }
        if text_cell(row, cell, reading).is_some() {
            self.joined(row, cell, reading);
        } else {
            self.plain_taken(cell, reading);
        }
        let depth = build.trail.len();
        let n_items = append(here, &row.target.hops, place, &text, build);
        for _ in 0..n_items {
            build.trace(cell.origin, row.id, cell.span(self.message));
            if let Some(super::build::Seg::Index(index)) = build.trail.last_mut() {
                *index += 1;
            }
        }
        build.trail.truncate(depth);
        0 < n_items
    }

    /// Writes an HD as the URI of an identifier's system, with the name beside it in `assigner`.
    fn authority(
        &mut self,
        row: &MapRow,
        cell: Cell<'m>,
        first: u8,
        build: &mut Build,
        here: &mut Value,
    ) -> bool {
        let reading = &super::reading(self.message);
        let found = crate::values::authority::forward(cell, first, reading, self.authorities);
        let mut done = false;
        let mut used = 0;
        if let Some(uri) = found.uri {
            build.trace(cell.origin, row.id, cell.span(self.message));
            done = put(here, &row.target, Value::from(uri)).is_ok();
            used |= found.used;
        }
        if let Some(why) = found.why {
            self.warn(cell, row.id, "value", why, reading);
        }
        if let (Some(name), Some(target)) = (found.name, &row.assigner) {
            let outer = std::mem::take(&mut build.trail);
            // The trail is at the system; its parent's trail is what precedes this row's hops.
            let kept = outer.len().saturating_sub(depth_of(&row.target.hops));
            build
                .trail
                .extend_from_slice(outer.get(..kept).unwrap_or_default());
            build.walk(here, &target.hops);
            let part = cell.part(first, reading);
            build.trace(part.origin, row.id, part.span(self.message));
            build.trail = outer;
            done |= put(here, target, Value::from(name)).is_ok();
            used |= 1;
        }
        // In an EI or a CNN, the other parts do not belong to the HD: other rows read them.
        let used = if first == 1 {
            used
        } else {
            used << (first - 1) | !(0b111 << (first - 1))
        };
        self.accounts.taken(cell, used, reading);
        // A bare number without an authority is not an error.
        let before = (1_u64 << (first - 1)) - 1;
        if !done && cell.valued_parts(reading) & !before != 0 {
            let why = "no registered authority and no URI";
            self.fail(cell, row.id, "not-found", why, reading);
        }
        done
    }

    pub(super) fn set_row(
        row: &SetRow,
        scope: &Scope<'_, 'm>,
        build: &mut Build,
        here: &mut Value,
        level: Level,
    ) {
        let bare = here
            .as_object()
            .is_none_or(|fields| fields.iter().all(|(name, _)| name == "resourceType"));
        let fits = row
            .when
            .as_ref()
            .is_none_or(|when| scope.holds(when, scope.cell));
        if bare || !fits {
            return;
        }
        if row.value == Literal::Absent {
            let target = Arc::clone(&row.target);
            build.touches.push(Touch {
                target,
                row: row.id,
                delete: true,
                adds: false,
            });
            return;
        }
        let before = build.trail.len();
        build.walk(here, &row.target.hops);
        let put_in = put(here, &row.target, row.value.to_value());
        if put_in.is_ok() {
            build.trace(Origin::NOWHERE, row.id, Span::default());
            if level == Level::Top {
                let target = Arc::clone(&row.target);
                build.touches.push(Touch {
                    target,
                    row: row.id,
                    delete: false,
                    adds: false,
                });
            }
        }
        build.trail.truncate(before);
    }

    /// Records that a primitive was read from a value with parts: the first part of the first was
    /// used.
    pub(super) fn plain_taken(&mut self, cell: Cell<'m>, reading: &Reading) {
        if cell.has_parts(reading) {
            self.accounts.taken(cell, 1, reading);
        }
        let first = cell.part(1, reading);
        if cell.origin.is_field() && first.has_parts(reading) {
            self.accounts.taken(first, 1, reading);
        }
    }

    /// Reports that a text was read whole, with the separators that its sender left unescaped.
    pub(super) fn joined(&mut self, row: &MapRow, cell: Cell<'m>, reading: &Reading) {
        match row.text {
            TextPart::First => self.accounts.taken(cell, 1, reading),
            TextPart::None | TextPart::Whole => self.accounts.all_taken(cell),
        }
        let why = "a text contains an unescaped separator: the text was kept whole";
        self.warn(cell, row.id, "structure", why, reading);
    }

    pub(super) fn fail(
        &mut self,
        cell: Cell<'m>,
        row: crate::program::RowId,
        code: &'static str,
        why: &str,
        reading: &Reading,
    ) {
        self.unusable((cell, reading), row, (Severity::Warning, code), why, false);
    }

    /// Reports that something the sender meant to be kept is lost and needs attention.
    pub(super) fn lost(
        &mut self,
        cell: Cell<'m>,
        row: crate::program::RowId,
        why: &str,
        reading: &Reading,
    ) {
        self.unusable((cell, reading), row, (Severity::Error, "value"), why, false);
    }

    /// Reports that the value was accepted, but not as it was.
    pub(super) fn note(
        &mut self,
        cell: Cell<'m>,
        row: crate::program::RowId,
        code: &'static str,
        why: &str,
        reading: &Reading,
    ) {
        self.unusable(
            (cell, reading),
            row,
            (Severity::Information, code),
            why,
            true,
        );
    }

    /// Reports that the value was accepted in a form other than that of the sender's type.
    pub(super) fn warn(
        &mut self,
        cell: Cell<'m>,
        row: crate::program::RowId,
        code: &'static str,
        why: &str,
        reading: &Reading,
    ) {
        self.unusable((cell, reading), row, (Severity::Warning, code), why, true);
    }
}

/// Records the effect of a row on its place.
fn touch(row: &MapRow, level: Level, (set, deleted): (bool, bool), build: &mut Build) {
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

/// Returns how many steps of a trail the hops make.
fn depth_of(hops: &[Hop]) -> usize {
    hops.iter()
        .map(|hop| if matches!(hop, Hop::Field(_)) { 1 } else { 2 })
        .sum()
}

/// Returns the origin of a whole field if the source names no part of it.
pub(super) fn whole(origin: Origin, source: Source) -> Origin {
    match source {
        Source::Field {
            component: 0,
            repeat: crate::program::Repeat::At(1),
            ..
        } => Origin {
            repeat: 0,
            ..origin
        },
        Source::Field { .. } | Source::Cell { .. } | Source::Member(_) | Source::This => origin,
    }
}

// === impl Used ===

impl Used {
    pub(super) fn read(&mut self, source: Source) {
        let Source::Cell { component, sub } = source else {
            if source == Source::This {
                self.parts = u64::MAX;
            }
            return;
        };
        self.parts |= 1_u64.checked_shl(u32::from(component) - 1).unwrap_or(0);
        if sub != 0 {
            let bit = 1_u64.checked_shl(u32::from(sub) - 1).unwrap_or(0);
            match self.subs.iter_mut().find(|(part, _)| *part == component) {
                Some((_, subs)) => *subs |= bit,
                None => self.subs.push((component, bit)),
            }
        }
    }
}
