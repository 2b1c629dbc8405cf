//! A set of maps, and the conversion of a message.

use crate::back::{self, Backward, Target};
use crate::compile;
use crate::diagnostic::Diagnostic;
use crate::draft::Draft;
use crate::forward;
use crate::list::List;
use crate::program::{Program, RowId, RowInfo};
use crate::report::Report;
use crate::syntax::{self, Block, File};
use crate::visits::Visits;
use base::{Timestamp, Zone};
use hl7v2::Message;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, LazyLock};

/// The base maps and their dialects.
pub struct MapSet {
    pub(crate) files: Vec<File>,
    /// The name and text of each file, for display.
    texts: Vec<(Arc<str>, Arc<str>)>,
    base: Arc<Program>,
    dialects: HashMap<String, Arc<Program>>,
}

/// The known facts about a message's sender.
#[derive(Clone, Debug)]
pub struct Source {
    /// The time zone of times without an offset, unless the dialect sets one.
    pub zone: Zone,
    /// The assigning authorities: name and URI.
    pub authorities: Vec<(String, String)>,
    /// The dialect; `None` means the base maps.
    pub dialect: Option<String>,
}

/// The changes that a message makes, and the report on its fields.
#[derive(Clone)]
pub struct Conversion {
    /// One draft for each resource. A referenced draft does not always precede the draft that
    /// refers to it.
    pub drafts: Vec<Draft>,
    /// The outcome of each field.
    pub report: Report,
    /// The event time: EVN-6, EVN-2, else MSH-7.
    pub event_time: Option<Timestamp>,
    /// Lists for which the message has at least one segment.
    pub lists: Vec<List>,
    /// The message structure: `ORU_R01`.
    pub structure: &'static str,
    /// A map exists for this structure.
    pub supported: bool,
    pub(crate) program: Arc<Program>,
}

/// No message map exists for the structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no map for that message structure")]
pub struct NoMap;

// === impl MapSet ===

impl MapSet {
    /// Returns the maps that ship with Causeway.
    pub fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<MapSet> = LazyLock::new(|| {
            // An error in them fails a test, not startup.
            MapSet::read(crate::builtin::FILES.iter().copied()).0
        });
        &BUILTIN
    }

    /// Returns the name and text of each built-in map.
    pub fn builtin_files() -> &'static [(&'static str, &'static str)] {
        crate::builtin::FILES
    }

    /// Loads the built-in maps together with other files (a site's dialects).
    pub fn with<'f>(
        files: impl IntoIterator<Item = (&'f str, &'f str)>,
    ) -> Result<Self, Vec<Diagnostic>> {
        let all: Vec<(&str, &str)> = crate::builtin::FILES.iter().copied().chain(files).collect();
        Self::load(all)
    }

    /// Loads files (name and text). Warnings do not reject a map.
    pub fn load<'f>(
        files: impl IntoIterator<Item = (&'f str, &'f str)>,
    ) -> Result<Self, Vec<Diagnostic>> {
        let (set, mut diagnostics) = Self::read(files);
        diagnostics.extend(set.check());
        if diagnostics.iter().any(Diagnostic::is_error) {
            Err(diagnostics)
        } else {
            Ok(set)
        }
    }

    /// Parses and binds files. Returns the set as far as it could be understood, and the
    /// diagnostics.
    pub fn read<'f>(
        files: impl IntoIterator<Item = (&'f str, &'f str)>,
    ) -> (Self, Vec<Diagnostic>) {
        let mut diagnostics = Vec::new();
        let mut read = Vec::new();
        let mut texts = Vec::new();
        for (name, text) in files {
            let (file, found) = syntax::parse(name, text);
            texts.push((Arc::clone(&file.name), Arc::from(text)));
            diagnostics.extend(found);
            read.push(file);
        }
        let base = Arc::new(compile::compile(&read, None, &mut diagnostics));
        let mut dialects = HashMap::new();
        for file in &read {
            for block in &file.blocks {
                let Block::Dialect(dialect) = block else {
                    continue;
                };
                let mut found = Vec::new();
                let program = compile::compile(&read, Some((&file.name, dialect)), &mut found);
                // The base's own errors were reported already.
                diagnostics.extend(found.into_iter().filter(|found| found.file == file.name));
                dialects.insert(dialect.name.clone(), Arc::new(program));
            }
        }
        unique(&mut diagnostics);
        (
            Self {
                files: read,
                texts,
                base,
                dialects,
            },
            diagnostics,
        )
    }

    /// Checks the maps without a message.
    pub fn check(&self) -> Vec<Diagnostic> {
        let mut found = crate::check::check(&self.base);
        for program in self.dialects.values() {
            found.extend(crate::check::check(program));
        }
        unique(&mut found);
        found
    }

    /// Returns the name and text of every file, the built-in ones first.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().map(|(name, text)| (&**name, &**text))
    }

    /// Returns the message structures that have a map, sorted by name.
    pub fn structures(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.base.messages.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// Returns every row, including those that dialects add or substitute.
    pub fn rows(&self) -> impl Iterator<Item = &RowInfo> {
        let of_dialects = self.dialects.values().flat_map(|program| &program.rows);
        self.base.rows.iter().chain(of_dialects)
    }

    /// Returns the names of the dialects.
    pub fn dialects(&self) -> impl Iterator<Item = &str> {
        self.dialects.keys().map(String::as_str)
    }

    /// Returns whether a message map exists for the structure.
    pub fn supports(&self, structure: &str) -> bool {
        self.base.messages.contains_key(structure)
    }

    /// Returns the program of a dialect; the base program if the dialect is unknown.
    pub(crate) fn program(&self, dialect: Option<&str>) -> &Arc<Program> {
        dialect
            .and_then(|name| self.dialects.get(name))
            .unwrap_or(&self.base)
    }

    /// Converts a message to the changes that it makes.
    pub fn forward(&self, message: &Message, source: &Source) -> Conversion {
        forward::convert(self.program(source.dialect.as_deref()), message, source)
    }

    /// Converts resources to a message of the structure, and reports what the message does not
    /// carry.
    pub fn back(
        &self,
        bundle: &fhir::build::Value,
        structure: &str,
        target: &Target,
    ) -> Result<Backward, NoMap> {
        let program = self.program(target.dialect.as_deref());
        back::message(program, bundle, structure, target).ok_or(NoMap)
    }

    /// Runs the segment maps of one resource type, whatever the structure. Used by tests of maps.
    pub fn forward_segments(
        &self,
        message: &Message,
        source: &Source,
        resource_type: &str,
    ) -> Conversion {
        let name = fhir::definitions::type_named(resource_type).map_or("", |def| def.name);
        forward::segments(
            self.program(source.dialect.as_deref()),
            message,
            source,
            name,
        )
    }

    /// Returns the segments with the given names that the maps make of a conversion's resources of
    /// one type.
    pub fn back_segments(
        &self,
        conversion: &Conversion,
        resource_type: &str,
        segments: &[&str],
    ) -> Vec<Vec<u8>> {
        let program = &conversion.program;
        let mut back = back::Back::new(program, &[]);
        let drafts = conversion.drafts.iter();
        back.resources = drafts
            .map(|draft| (draft.full_url.clone(), draft.value()))
            .collect();
        let maps: Vec<usize> = program
            .segments
            .iter()
            .enumerate()
            .filter(|(_, map)| {
                let all = |name: &[u8; 3]| segments.iter().any(|own| own.as_bytes() == name);
                map.body.fhir_type == resource_type && map.segments.first().is_some_and(all)
            })
            .map(|(place, _)| place)
            .collect();
        let own = conversion
            .drafts
            .iter()
            .filter(|draft| draft.resource_type == resource_type);
        own.flat_map(|draft| back.segments(draft.value(), &maps))
            .collect()
    }

    /// Returns a number that changes when a map changes: what was applied under another version is
    /// applied again.
    pub fn version(&self) -> String {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in format!("{:?}", self.files).bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
        format!("{hash:016x}")
    }
}

/// Removes duplicates: an error in the base is found again for each dialect.
fn unique(diagnostics: &mut Vec<Diagnostic>) {
    let mut seen = HashSet::new();
    diagnostics.retain(|found| seen.insert(found.to_string()));
}

impl fmt::Debug for MapSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MapSet({} files)", self.files.len())
    }
}

// === impl Source ===

impl Default for Source {
    fn default() -> Self {
        Self {
            zone: Zone::utc(),
            authorities: Vec::new(),
            dialect: None,
        }
    }
}

// === impl Conversion ===

impl Conversion {
    /// Returns how the source's visits without a number are identified.
    pub fn visits(&self) -> Visits {
        self.program.visits
    }

    /// Returns the position of a row.
    pub fn row(&self, row: RowId) -> Option<&RowInfo> {
        self.program.row(row)
    }
}

impl fmt::Debug for Conversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Conversion({}: {:?}, {:?})",
            self.structure, self.drafts, self.report
        )
    }
}
