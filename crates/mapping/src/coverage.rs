//! Field coverage: which fields of a structure's segments the maps account for.

use crate::MapSet;
use crate::program::{Body, Item, Over, Program, Row, SegmentName, Source};
use crate::syntax::Arrow;
use hl7v2::{Dictionary, Version};
use std::collections::BTreeMap;

/// How the maps treat a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Coverage {
    /// No row reads the field.
    None,
    /// Dropped, with a reason.
    Dropped,
    /// Mapped in one direction.
    OneWay,
    /// Mapped in both directions.
    BothWays,
}

/// One field of a segment.
#[derive(Clone, Debug)]
pub struct FieldCoverage {
    /// The segment.
    pub segment: String,
    /// The field's number.
    pub field: u16,
    /// The field's name in the standard.
    pub name: &'static str,
    /// How the maps treat the field.
    pub coverage: Coverage,
}

type Found = BTreeMap<(SegmentName, u16), Coverage>;

// === impl MapSet ===

impl MapSet {
    /// Returns the fields (HL7 v2.5.1) of the segments that the map of a message structure reads,
    /// ordered by segment name; empty for a structure without a map.
    pub fn coverage(&self, structure: &str) -> Vec<FieldCoverage> {
        let program = self.program(None);
        let Some(map) = program.messages.get(structure) else {
            return Vec::new();
        };
        let mut segments = Vec::new();
        let mut found = Found::new();
        for item in &map.items {
            visit(program, item, &mut segments, &mut found);
        }
        segments.sort_unstable();
        segments.dedup();
        let dictionary = Dictionary::of(Version::nearest("2.5.1"));
        let mut all = Vec::new();
        for segment in segments {
            let name = String::from_utf8_lossy(&segment).into_owned();
            for field in dictionary.fields(&name) {
                let number = u16::from(field.number);
                let coverage = found
                    .get(&(segment, number))
                    .copied()
                    .unwrap_or(Coverage::None);
                all.push(FieldCoverage {
                    segment: name.clone(),
                    field: number,
                    name: field.name,
                    coverage,
                });
            }
        }
        all
    }
}

fn visit(program: &Program, item: &Item, segments: &mut Vec<SegmentName>, found: &mut Found) {
    match item {
        Item::Group { items, .. } => {
            for item in items {
                visit(program, item, segments, found);
            }
        }
        Item::Resource(item) => {
            segments.extend(item.places.iter().map(|place| place.segment));
            for map in item
                .maps
                .iter()
                .filter_map(|map| program.segments.get(*map))
            {
                read(&map.body, found);
            }
        }
    }
}

fn read(body: &Body, found: &mut Found) {
    for row in &body.rows {
        match row {
            Row::Map(row) => {
                for source in &row.sources {
                    note(*source, of(row.arrow), found);
                }
                if let Some(reference) = &row.reference {
                    read(&reference.body, found);
                }
            }
            Row::Drop(row) => note(row.source, Coverage::Dropped, found),
            Row::Each(row) => {
                if let Over::Repeats(source) = &row.over {
                    note(*source, of(row.arrow), found);
                }
                read(&row.body, found);
            }
            Row::Set(_) => {}
        }
    }
}

fn of(arrow: Arrow) -> Coverage {
    if arrow == Arrow::Both {
        Coverage::BothWays
    } else {
        Coverage::OneWay
    }
}

fn note(source: Source, coverage: Coverage, found: &mut Found) {
    if let Source::Field { segment, field, .. } = source {
        let best = found.entry((segment, field)).or_insert(coverage);
        *best = coverage.max(*best);
    }
}
