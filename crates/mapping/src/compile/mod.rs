//! Binds the text of maps to the FHIR definitions: a [`Program`] for each dialect.
//!
//! Invariants:
//! - every path, converter, code table and label of the program is bound; a row that cannot be
//!   bound is left out and has a diagnostic;
//! - a dialect is the base with its rows replaced before binding, so it is checked in the same way.

mod condition;
mod convert;
mod dialect;
mod each;
mod function;
mod list;
mod message;
mod missing;
mod path;
mod row;
mod scope;
mod texts;

use crate::diagnostic::{Diagnostic, Spot};
use crate::program::{
    Body, CodeTable, Program, RowId, RowInfo, SegmentMap, SegmentName, Source, Systems,
    Translation, TypeMap,
};
use crate::syntax::{self, Arrow, Block, CodesBlock, DialectBlock, File, MapBlock, MapKind};
use function::Declared;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Binds the files; a dialect's changes are applied first.
pub(crate) fn compile(
    files: &[File],
    dialect: Option<(&Arc<str>, &DialectBlock)>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Program {
    let mut binder = Binder::new(files, dialect, diagnostics);
    let mut maps: Vec<(Arc<str>, MapBlock)> = Vec::new();
    for file in files {
        for block in &file.blocks {
            if let Block::Map(map) = block {
                maps.push((Arc::clone(&file.name), map.copy()));
            }
        }
    }
    if let Some((file, dialect)) = dialect {
        binder.file = Arc::clone(file);
        binder.change(&mut maps, files, dialect);
    }
    binder.register_types(&maps);
    for (file, map) in &maps {
        binder.file = Arc::clone(file);
        binder.map(map);
    }
    scope::settle(&mut binder.program);
    texts::settle(&mut binder.program);
    for file in files {
        binder.file = Arc::clone(&file.name);
        for block in &file.blocks {
            match block {
                Block::Message(message) => binder.message(message),
                Block::Missing(missing) => binder.missing(missing),
                _ => {}
            }
        }
    }
    binder.program
}

/// The state while binding.
pub(super) struct Binder<'d> {
    pub(super) program: Program,
    pub(super) file: Arc<str>,
    extensions: HashMap<String, String>,
    choices: HashMap<String, (Vec<String>, String)>,
    tables: HashMap<String, usize>,
    functions: HashMap<String, Declared>,
    types: HashMap<(String, &'static str), usize>,
    /// The keys by which resources that a type map makes are found again.
    keys: HashMap<usize, syntax::KeyClause>,
    /// Types still to be bound, in order of registration.
    diagnostics: &'d mut Vec<Diagnostic>,
}

// === impl Binder ===

impl<'d> Binder<'d> {
    fn new(
        files: &[File],
        dialect: Option<(&Arc<str>, &DialectBlock)>,
        diagnostics: &'d mut Vec<Diagnostic>,
    ) -> Self {
        let mut binder = Self {
            program: Program::default(),
            file: "".into(),
            extensions: HashMap::new(),
            choices: HashMap::new(),
            tables: HashMap::new(),
            functions: HashMap::new(),
            types: HashMap::new(),
            keys: HashMap::new(),
            diagnostics,
        };
        binder.program.systems = systems(files);
        if let Some((file, dialect)) = dialect {
            binder.file = Arc::clone(file);
            binder.settings(dialect);
        }
        for file in files {
            binder.file = Arc::clone(&file.name);
            for block in &file.blocks {
                binder.declare(block);
            }
        }
        if let Some((file, dialect)) = dialect {
            binder.file = Arc::clone(file);
            binder.choose(dialect);
        }
        binder
    }

    fn declare(&mut self, block: &Block) {
        match block {
            Block::Extensions(rows) => {
                for (_, name, url) in rows {
                    self.extensions.insert(name.clone(), url.clone());
                }
            }
            Block::Choice {
                spot,
                name,
                options,
            } => {
                let chosen = options.first().cloned().unwrap_or_default();
                let before = self.choices.insert(name.clone(), (options.clone(), chosen));
                if before.is_some() {
                    self.error(*spot, format!("choice {name} is declared twice"));
                }
            }
            Block::Codes(codes) => self.codes(codes),
            Block::Meaning(meaning) => {
                if fhir::definitions::type_named(&meaning.fhir_type).is_none() {
                    self.error(
                        meaning.spot,
                        format!("FHIR R4 has no type {}", meaning.fhir_type),
                    );
                }
            }
            Block::Map(_)
            | Block::Systems(_)
            | Block::Message(_)
            | Block::Missing(_)
            | Block::Dialect(_)
            | Block::Test(_) => {}
        }
    }

    fn codes(&mut self, block: &CodesBlock) {
        let mut table = CodeTable {
            name: block.name.clone(),
            table: block.table.clone(),
            system: self.program.systems.short(&block.system),
            ..CodeTable::default()
        };
        let order = [Arrow::Both, Arrow::Back, Arrow::Forward];
        for row in &block.rows {
            if row.arrow.forward() {
                let translation = Translation {
                    code: row.to.clone(),
                    system: row
                        .system
                        .as_ref()
                        .map(|name| self.program.systems.short(name)),
                    display: row.display.clone(),
                    two_way: row.arrow == Arrow::Both,
                };
                if table
                    .forward
                    .insert(row.from.clone(), translation)
                    .is_some()
                {
                    self.error(
                        row.spot,
                        format!("{} has two rows for {}", block.name, row.from),
                    );
                }
            }
        }
        for arrow in order {
            for row in block.rows.iter().filter(|row| row.arrow == arrow) {
                if arrow == Arrow::Both && table.back.contains_key(&row.to) {
                    let message = format!("{}: two `<->` rows lead to {}", block.name, row.to);
                    self.error_with(row.spot, message, format!("{} -> {}", row.from, row.to));
                }
                table
                    .back
                    .entry(row.to.clone())
                    .or_insert_with(|| row.from.clone());
            }
        }
        let place = self.program.tables.len();
        if self.tables.insert(block.name.clone(), place).is_some() {
            self.error(
                block.spot,
                format!("codes {} is declared twice", block.name),
            );
        }
        table.settle();
        self.program.tables.push(table);
    }

    /// Registers every `type` map first, because rows may name maps defined below them.
    fn register_types(&mut self, maps: &[(Arc<str>, MapBlock)]) {
        for (file, map) in maps {
            let MapKind::Type(name) = &map.kind else {
                continue;
            };
            self.file = Arc::clone(file);
            let Some(def) = fhir::definitions::type_named(&map.fhir_type) else {
                self.error(map.spot, format!("FHIR R4 has no type {}", map.fhir_type));
                continue;
            };
            let place = self.program.types.len();
            if self.types.insert((name.clone(), def.name), place).is_some() {
                self.error(
                    map.spot,
                    format!("type {name} <-> {} is declared twice", def.name),
                );
            }
            if let Some(key) = &map.key {
                self.keys.insert(place, key.clone());
            }
            let spot = self.row_id(map.spot);
            let body = Body {
                fhir_type: def.name,
                ..Body::default()
            };
            self.program.types.push(TypeMap {
                name: name.clone(),
                body,
                joins_powers: false,
                spot,
            });
        }
    }

    fn map(&mut self, map: &MapBlock) {
        let Some(def) = fhir::definitions::type_named(&map.fhir_type) else {
            if matches!(map.kind, MapKind::Segments(_)) {
                self.error(map.spot, format!("FHIR R4 has no type {}", map.fhir_type));
            }
            return;
        };
        match &map.kind {
            MapKind::Type(name) => {
                let body = self.body(def.name, &map.rows, true);
                let place = self.types.get(&(name.clone(), def.name)).copied();
                if let Some(slot) = place.and_then(|place| self.program.types.get_mut(place)) {
                    slot.body = body;
                }
            }
            MapKind::Segments(names) => {
                let body = self.body(def.name, &map.rows, false);
                let segments = names.iter().filter_map(|name| segment_name(name)).collect();
                let spot = self.row_id(map.spot);
                self.program.segments.push(SegmentMap {
                    segments,
                    body,
                    spot,
                });
            }
        }
    }

    /// Returns an ID for the row at that position of the current file.
    pub(super) fn row_id(&mut self, spot: Spot) -> RowId {
        let id = RowId(self.program.rows.len() as u32);
        self.program.rows.push(RowInfo {
            file: Arc::clone(&self.file),
            line: spot.line,
            column: spot.column,
        });
        id
    }

    pub(super) fn error(&mut self, spot: Spot, message: impl Into<String>) {
        let found = Diagnostic::error(&self.file, spot, message);
        self.diagnostics.push(found);
    }

    pub(super) fn error_with(
        &mut self,
        spot: Spot,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let found = Diagnostic::error(&self.file, spot, message).with_remedy(remedy);
        self.diagnostics.push(found);
    }

    /// Returns the index of a code table.
    pub(super) fn table(&mut self, spot: Spot, name: &str) -> Option<usize> {
        let found = self.tables.get(name).copied();
        if found.is_none() {
            self.error_with(
                spot,
                format!("there is no code table {name}"),
                format!("codes {name} HL7nnnn <-> system"),
            );
        }
        found
    }
}

fn systems(files: &[File]) -> Systems {
    let mut systems = Systems::default();
    for block in files.iter().flat_map(|file| &file.blocks) {
        let Block::Systems(rows) = block else {
            continue;
        };
        for row in rows {
            if let Some(short) = &row.short {
                systems.shorts.insert(short.clone(), row.uri.clone());
            }
            if let Some(width) = row.width {
                systems.widen(&row.uri, width);
            }
            if row.name == "-" {
                continue;
            }
            if row.arrow.forward() {
                systems.learn(&row.name, &row.uri);
            }
            if row.arrow.back() {
                systems
                    .names
                    .entry(row.uri.clone())
                    .or_insert_with(|| row.name.clone());
            }
        }
    }
    systems
}

pub(super) fn segment_name(name: &str) -> Option<SegmentName> {
    name.as_bytes().try_into().ok()
}

pub(super) fn source(source: &syntax::Source) -> Source {
    match source {
        syntax::Source::Field {
            segment,
            field,
            repeat,
            component,
            sub,
            ..
        } => Source::Field {
            segment: segment_name(segment).unwrap_or_default(),
            field: *field,
            repeat: match repeat {
                syntax::Repeat::All => crate::program::Repeat::All,
                syntax::Repeat::At(number) => crate::program::Repeat::At(*number),
            },
            component: *component,
            sub: *sub,
        },
        syntax::Source::Cell { component, sub, .. } => Source::Cell {
            component: *component,
            sub: *sub,
        },
        syntax::Source::Member { number, .. } => Source::Member(*number),
        syntax::Source::This { .. } => Source::This,
    }
}

/// Returns one `&'static str` for each name that a map makes (`_birthDate`): made once and kept.
pub(super) fn intern(name: &str) -> &'static str {
    static NAMES: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);
    let mut guard = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    let names = guard.get_or_insert_with(HashSet::new);
    if let Some(found) = names.get(name) {
        return found;
    }
    let kept: &'static str = Box::leak(name.to_owned().into_boxed_str());
    names.insert(kept);
    kept
}

impl MapBlock {
    fn copy(&self) -> Self {
        Self {
            spot: self.spot,
            kind: self.kind.clone(),
            arrow: self.arrow,
            fhir_type: self.fhir_type.clone(),
            key: self.key.clone(),
            rows: self.rows.clone(),
        }
    }
}
