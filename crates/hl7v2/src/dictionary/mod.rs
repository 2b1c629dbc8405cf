//! What the standard says of segments, fields, data types, tables and message structures,
//! 2.1 to 2.8.2. Made by `cargo xtask definitions hl7v2`; sources in `data/README.md`.
//!
//! One table holds all versions: each row carries the versions that it is true for. It is unpacked
//! at its first use; nothing is read from disk or network.

mod rows;
mod specs;
mod version;

pub use rows::{CodeDef, ComponentDef, FieldDef, TableDef};
pub(crate) use specs::{GroupSpec, NO_GROUP, Spec};
pub use version::Version;

use rows::Tables;

/// A place in a message structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// A segment.
    Segment([u8; 3]),
    /// A group.
    Group(&'static str),
}

/// The dictionary of one version. A handle: copy it freely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dictionary {
    version: Version,
}

// === impl Slot ===

impl Slot {
    /// Is it the group of that name?
    pub fn is_group(&self, name: &str) -> bool {
        matches!(self, Self::Group(own) if *own == name)
    }
}

// === impl Dictionary ===

impl Dictionary {
    /// The dictionary of a version.
    pub fn of(version: Version) -> Self {
        Self { version }
    }

    /// Its version.
    pub fn version(self) -> Version {
        self.version
    }

    /// A segment's name in words: `Patient Identification`.
    pub fn segment_name(self, segment: &str) -> Option<&'static str> {
        self.any(Tables::all().segments.get(segment)?).copied()
    }

    /// A segment's fields in their order; none for an unknown segment.
    pub fn fields(self, segment: &str) -> impl Iterator<Item = &'static FieldDef> + use<> {
        let bit = self.version.bit();
        let rows = Tables::all()
            .fields
            .get(segment)
            .map(Vec::as_slice)
            .unwrap_or_default();
        rows.iter()
            .filter(move |(versions, _)| versions & bit != 0)
            .map(|(_, field)| field)
    }

    /// One field, as `field("PID", 3)`.
    pub fn field(self, segment: &str, number: usize) -> Option<&'static FieldDef> {
        self.fields(segment)
            .find(|field| usize::from(field.number) == number)
    }

    /// A field as the newest version knows it that has it and has not withdrawn it (`WD`).
    pub fn newest_field(segment: &str, number: usize) -> Option<&'static FieldDef> {
        newest(Tables::all().fields.get(segment)?, |field| {
            usize::from(field.number) == number && field.datatype != "WD"
        })
    }

    /// A component as the newest version that has it knows it.
    pub fn newest_component(datatype: &str, number: usize) -> Option<&'static ComponentDef> {
        newest(Tables::all().components.get(datatype)?, |part| {
            usize::from(part.number) == number && part.datatype != "WD"
        })
    }

    /// Is the data type a text? Such a value has no parts (2.5.3): a separator that stands in it belongs to it.
    pub fn is_text(datatype: &str) -> bool {
        matches!(datatype, "ST" | "TX" | "FT")
    }

    /// A data type's components in their order; none for a primitive or unknown type.
    pub fn components(self, datatype: &str) -> impl Iterator<Item = &'static ComponentDef> + use<> {
        let bit = self.version.bit();
        let rows = Tables::all()
            .components
            .get(datatype)
            .map(Vec::as_slice)
            .unwrap_or_default();
        rows.iter()
            .filter(move |(versions, _)| versions & bit != 0)
            .map(|(_, part)| part)
    }

    /// One component, as `component("CX", 4)`.
    pub fn component(self, datatype: &str, number: usize) -> Option<&'static ComponentDef> {
        self.components(datatype)
            .find(|part| usize::from(part.number) == number)
    }

    /// An HL7 table by its four digits. Tables are the same for all versions.
    pub fn table(self, number: &str) -> Option<&'static TableDef> {
        rows::codes_of(number)
    }

    /// Whether the version has a message structure of this name, such as `ORU_R01`.
    pub fn has_structure(self, name: &str) -> bool {
        specs::has(self.version, name)
    }

    /// The names of the version's message structures.
    pub fn structures(self) -> impl Iterator<Item = &'static str> {
        specs::names(self.version)
    }

    /// The structure of an event (table 0354): `ADT`, `A04` gives `ADT_A01`.
    pub fn structure_of(self, code: &str, event: &str) -> Option<&'static str> {
        specs::of_event(self.version, code, event)
    }

    /// What stands in a group of a structure (in the structure itself where the names are the same), in
    /// its order: its segments and groups at depth 0, and after each group what stands in that, one
    /// deeper.
    pub fn order(self, structure: &str, group: &str) -> Vec<(usize, Slot)> {
        self.spec(structure)
            .map(|spec| spec.order(group))
            .unwrap_or_default()
    }

    /// The groups of a structure.
    pub(crate) fn spec(self, name: &str) -> Option<&'static Spec> {
        specs::get(self.version, name)
    }

    /// The row for this version, else the newest row there is: a 2.5.1 sender may use segments of
    /// a later version, and a name is better than none.
    fn any<T>(self, rows: &'static [(u16, T)]) -> Option<&'static T> {
        let bit = self.version.bit();
        let own = rows.iter().find(|(versions, _)| versions & bit != 0);
        own.or_else(|| rows.iter().max_by_key(|(versions, _)| *versions))
            .map(|(_, row)| row)
    }
}

/// The row of the newest version for which it fits.
fn newest<T>(rows: &'static [(u16, T)], fits: impl Fn(&T) -> bool) -> Option<&'static T> {
    let fitting = rows.iter().filter(|(_, row)| fits(row));
    // The highest bit is the newest version.
    let newest = fitting.min_by_key(|(versions, _)| versions.leading_zeros());
    newest.map(|(_, row)| row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_that_of_the_last_version_that_has_it() {
        let names = Tables::all().fields.keys();
        for (segment, number) in names.flat_map(|name| (0..=60).map(move |n| (*name, n))) {
            let fields = Version::ALL.iter().rev().filter_map(|version| {
                let field = Dictionary::of(*version).field(segment, number);
                field.filter(|field| field.datatype != "WD")
            });
            let found = Dictionary::newest_field(segment, number);
            assert_eq!(found, fields.into_iter().next(), "{segment}-{number}");
        }
        let names = Tables::all().components.keys();
        for (name, number) in names.flat_map(|name| (0..=30).map(move |n| (*name, n))) {
            let parts = Version::ALL.iter().rev().filter_map(|version| {
                let part = Dictionary::of(*version).component(name, number);
                part.filter(|part| part.datatype != "WD")
            });
            let found = Dictionary::newest_component(name, number);
            assert_eq!(found, parts.into_iter().next(), "{name}.{number}");
        }
    }
}
