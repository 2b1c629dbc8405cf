//! Checks the left side against the v2 dictionary.

use super::{Checker, source_text};
use crate::program::{Body, Condition, Over, Row, RowId, SegmentName, Source};
use hl7v2::{Dictionary, Version};
use std::collections::{BTreeMap, BTreeSet};

/// The fields that are read, by segment.
type Read = BTreeMap<SegmentName, (RowId, BTreeSet<u16>)>;

// === impl Checker ===

impl Checker<'_> {
    pub(super) fn fields(&mut self) {
        let mut read = Read::new();
        let program = self.program;
        for map in &program.segments {
            for name in &map.segments {
                read.entry(*name)
                    .or_insert_with(|| (map.spot, BTreeSet::new()));
            }
            self.sources(&map.body, &mut read);
        }
        for map in &program.types {
            self.components(&map.name, map.spot, &map.body);
        }
        self.unread(&read);
    }

    fn sources(&mut self, body: &Body, read: &mut Read) {
        for constant in &body.written {
            self.known(constant.id, constant.source);
        }
        for row in &body.rows {
            let mut sources = Vec::new();
            let (id, when) = match row {
                Row::Map(row) => {
                    sources.extend(&row.sources);
                    if let Some(reference) = &row.reference {
                        self.sources(&reference.body, read);
                    }
                    (row.id, &row.when)
                }
                Row::Drop(row) => {
                    sources.push(row.source);
                    (row.id, &row.when)
                }
                Row::Set(row) => (row.id, &row.when),
                Row::Each(row) => {
                    if let Over::Repeats(source) = &row.over {
                        sources.push(*source);
                    }
                    sources.extend(row.by);
                    if let Some(filter) = &row.filter {
                        filter.sources(&mut sources);
                    }
                    self.sources(&row.body, read);
                    (row.id, &row.when)
                }
            };
            for source in &sources {
                note(read, *source);
            }
            if let Some(when) = when {
                Condition::sources(when, &mut sources);
            }
            for source in sources {
                self.known(id, source);
            }
        }
    }

    /// Reports a field, or a component of its type, that exists in no version.
    fn known(&mut self, id: RowId, source: Source) {
        let Source::Field {
            segment,
            field,
            component,
            ..
        } = source
        else {
            return;
        };
        let name = String::from_utf8_lossy(&segment).into_owned();
        if name.starts_with('Z') {
            return;
        }
        let mut versions = Version::ALL
            .iter()
            .rev()
            .map(|version| Dictionary::of(*version));
        let Some((dictionary, found)) = versions.find_map(|dictionary| {
            dictionary
                .field(&name, usize::from(field))
                .map(|found| (dictionary, found))
        }) else {
            let text = source_text(source);
            return self.error(
                id,
                format!("no version of HL7 v2 has {text}"),
                "another field",
            );
        };
        let n_components = dictionary.components(found.datatype).count();
        if usize::from(component) > n_components.max(1) && found.datatype != "varies" {
            let message = format!(
                "{} is a {}, which has {n_components} components",
                source_text(source),
                found.datatype
            );
            let wider = Version::ALL.iter().any(|version| {
                let own = Dictionary::of(*version);
                own.field(&name, usize::from(field)).is_some_and(|field| {
                    usize::from(component) <= own.components(field.datatype).count()
                })
            });
            if !wider {
                self.error(id, message, "another component");
            }
        }
    }

    fn components(&mut self, name: &str, id: RowId, body: &Body) {
        let most = Version::ALL
            .iter()
            .map(|version| Dictionary::of(*version).components(name).count());
        let Some(most) = most.max().filter(|most| 0 < *most) else {
            return;
        };
        for row in super::map_rows(body) {
            for source in &row.sources {
                if source
                    .cell_component()
                    .is_some_and(|component| most < usize::from(component))
                {
                    let text = source_text(*source);
                    self.error(
                        row.id,
                        format!("{name} has no component {text}"),
                        "another component",
                    );
                }
            }
        }
        let _ = id;
    }

    /// Reports fields that no row accounts for.
    fn unread(&mut self, read: &Read) {
        let dictionary = Dictionary::of(Version::nearest("2.5.1"));
        for (segment, (id, fields)) in read {
            let name = String::from_utf8_lossy(segment).into_owned();
            let missing: Vec<String> = dictionary
                .fields(&name)
                .filter(|field| !fields.contains(&u16::from(field.number)))
                .filter(|field| !(name == "MSH" && field.number <= 2))
                .map(|field| format!("{name}-{}", field.number))
                .collect();
            if !missing.is_empty() {
                self.warning(*id, format!("no row accounts for {}", missing.join(", ")));
            }
        }
    }
}

fn note(read: &mut Read, source: Source) {
    if let Source::Field { segment, field, .. } = source
        && let Some((_, fields)) = read.get_mut(&segment)
    {
        fields.insert(field);
    }
}
