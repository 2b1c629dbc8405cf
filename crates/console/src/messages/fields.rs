//! The parsed message as a tree: groups, segments, fields and components, each with its name and
//! meaning.

use super::place::key;
use hl7v2::dictionary::{ComponentDef, Dictionary, FieldDef};
use hl7v2::structure::{Child, Group};
use hl7v2::{Issue, Message, Place, Repeat, Segment};
use mapping::Report;
use std::collections::HashMap;

/// A line of the tree, in display order.
pub(super) enum Line {
    /// A group of the structure, at this depth.
    Group { name: &'static str, depth: usize },
    /// A segment.
    Segment(SegmentLine),
}

/// A segment with its fields.
pub(super) struct SegmentLine {
    pub(super) name: String,
    pub(super) title: &'static str,
    pub(super) occurrence: usize,
    pub(super) depth: usize,
    pub(super) issues: Vec<String>,
    pub(super) fields: Vec<FieldLine>,
}

/// A field that is not empty or that has something to report.
pub(super) struct FieldLine {
    pub(super) key: String,
    pub(super) path: String,
    pub(super) title: String,
    pub(super) values: Vec<FieldValue>,
    pub(super) issues: Vec<String>,
    /// The path of an embedded document that can be shown in the page.
    pub(super) document: Option<String>,
    /// The class and the text of what the map did with the field.
    pub(super) fate: Option<(&'static str, String)>,
}

/// A value with its meaning, and its components if it has several.
pub(super) struct FieldValue {
    pub(super) text: String,
    pub(super) meaning: Option<&'static str>,
    pub(super) parts: Vec<Part>,
}

/// A component.
pub(super) struct Part {
    pub(super) number: usize,
    pub(super) title: &'static str,
    pub(super) text: String,
    pub(super) meaning: Option<&'static str>,
}

const MAX_CHARS: usize = 400;
const MAX_LINES: usize = 600;

/// A builder of a message's tree.
pub(super) struct Tree<'a> {
    message: &'a Message,
    dictionary: Dictionary,
    issues: HashMap<String, Vec<String>>,
    fates: HashMap<String, (&'static str, String)>,
    lines: Vec<Line>,
}

// === impl Tree ===

impl<'a> Tree<'a> {
    pub(super) fn of(message: &'a Message, report: &Report) -> Vec<Line> {
        let mut tree = Tree {
            message,
            dictionary: message.dictionary(),
            issues: HashMap::new(),
            fates: fates(report),
            lines: Vec::new(),
        };
        for issue in message.issues().iter().chain(message.structure().issues()) {
            let place = place_key(&issue.place);
            tree.issues.entry(place).or_default().push(words(issue));
        }
        for unusable in &report.unusable {
            let place = &unusable.place;
            let at = key(
                place.segment_name(),
                usize::from(place.occurrence),
                usize::from(place.field),
            );
            tree.issues
                .entry(at)
                .or_default()
                .push(unusable.why.clone());
        }
        tree.group(message.structure().root(), 0);
        tree.lines
    }

    fn group(&mut self, group: Group<'_>, depth: usize) {
        if !group.name().is_empty() && 0 < depth {
            self.lines.push(Line::Group {
                name: group.name(),
                depth: depth - 1,
            });
        }
        for child in group.children() {
            if MAX_LINES <= self.lines.len() {
                return;
            }
            match child {
                Child::Group(group) => self.group(group, (depth + 1).min(5)),
                Child::Segment(index) => {
                    if let Some(segment) = self.message.segment_at(index) {
                        let line = self.segment(segment, depth);
                        self.lines.push(Line::Segment(line));
                    }
                }
            }
        }
    }

    fn segment(&self, segment: Segment<'_>, depth: usize) -> SegmentLine {
        let (name, occurrence) = (segment.name(), segment.occurrence());
        let at = format!("{name}.{occurrence}");
        let fields = segment.fields().filter_map(|(n, field)| {
            let key = key(name, occurrence, n);
            let issues = self.issues.get(&key).cloned().unwrap_or_default();
            if field.is_empty() && issues.is_empty() {
                return None;
            }
            let def = self.dictionary.field(name, n);
            let is_separators = matches!(name, "MSH" | "FHS" | "BHS") && n <= 2;
            let values = if is_separators {
                vec![FieldValue {
                    text: shown(&field.text()),
                    meaning: None,
                    parts: Vec::new(),
                }]
            } else {
                field
                    .repeats()
                    .filter(|repeat| !repeat.is_empty())
                    .map(|repeat| self.value(repeat, segment, (n, def)))
                    .collect()
            };
            let is_document = name == "OBX"
                && n == 5
                && super::document::is_encapsulated(&segment.field(2).value(), field.repeat(1));
            let path = path(name, occurrence, n);
            Some(FieldLine {
                document: is_document.then(|| super::super::markup::encode(&path)),
                path,
                title: def.map_or("not in the standard".to_owned(), |def| def.name.to_owned()),
                values,
                issues,
                fate: self.fates.get(&key).cloned(),
                key,
            })
        });
        SegmentLine {
            title: self
                .dictionary
                .segment_name(name)
                .unwrap_or("not in the standard"),
            occurrence,
            depth,
            issues: self.issues.get(&at).cloned().unwrap_or_default(),
            fields: fields.collect(),
            name: name.to_owned(),
        }
    }

    fn value(
        &self,
        repeat: Repeat<'_>,
        segment: Segment<'_>,
        (number, def): (usize, Option<&FieldDef>),
    ) -> FieldValue {
        // OBX-2 gives the datatype of OBX-5.
        let datatype = segment.field(2).value();
        let datatype = match def.map_or("", |def| def.datatype) {
            _ if segment.name() == "OBX" && number == 5 => datatype.as_ref(),
            datatype => datatype,
        };
        let components: Vec<_> = repeat.components().collect();
        let table = def.and_then(|def| def.table);
        if components.len() < 2 {
            let text = repeat.text();
            return FieldValue {
                meaning: self.meaning(table, &text),
                text: shown(&text),
                parts: Vec::new(),
            };
        }
        let parts = components
            .iter()
            .enumerate()
            .filter(|(_, part)| !part.is_empty());
        let parts = parts.map(|(idx, part)| {
            let def: Option<&ComponentDef> = self.dictionary.component(datatype, idx + 1);
            let text = part.text();
            let own_table = def
                .and_then(|def| def.table)
                .or(if idx == 0 { table } else { None });
            Part {
                number: idx + 1,
                title: def.map_or("", |def| def.name),
                meaning: self.meaning(own_table, &text),
                text: shown(&text),
            }
        });
        FieldValue {
            text: String::new(),
            meaning: None,
            parts: parts.collect(),
        }
    }

    fn meaning(&self, table: Option<&str>, code: &str) -> Option<&'static str> {
        let meaning = self.dictionary.table(table?)?.meaning(code)?;
        // `R01` adds nothing to `ORU_R01`.
        (!meaning.is_empty() && !code.contains(meaning)).then_some(meaning)
    }
}

/// Returns what the map did with each field. A field that two rows read shows the first.
fn fates(report: &Report) -> HashMap<String, (&'static str, String)> {
    let mut fates = HashMap::new();
    let reason = |entry: &mapping::Entry, otherwise: &str| {
        entry.reason.as_deref().unwrap_or(otherwise).to_owned()
    };
    let lists = [
        (&report.mapped, "good", "mapped"),
        (&report.withheld, "off", "withheld: another source owns it"),
        (&report.dropped, "off", "dropped"),
        (&report.unmapped, "wait", "not mapped"),
    ];
    for (entries, class, word) in lists {
        for entry in entries {
            let place = &entry.place;
            let at = key(
                place.segment_name(),
                usize::from(place.occurrence),
                usize::from(place.field),
            );
            let words = match class {
                "off" if word == "dropped" => {
                    format!("dropped: {}", reason(entry, "no reason given"))
                }
                _ => word.to_owned(),
            };
            fates.entry(at).or_insert((class, words));
        }
    }
    fates
}

fn path(segment: &str, occurrence: usize, field: usize) -> String {
    match occurrence {
        1 => format!("{segment}-{field}"),
        n => format!("{segment}[{n}]-{field}"),
    }
}

fn place_key(place: &Place) -> String {
    let name = place
        .name
        .map(|name| String::from_utf8_lossy(&name).into_owned())
        .unwrap_or_default();
    match place.field {
        0 => format!("{name}.{}", place.occurrence),
        field => key(&name, place.occurrence as usize, field as usize),
    }
}

/// Describes an issue, with the part of the field that it concerns.
pub(super) fn words(issue: &Issue) -> String {
    let place = &issue.place;
    let words = issue.text();
    if 0 < place.component {
        return format!("{words} (component {})", place.component);
    }
    words.to_owned()
}

/// Returns the anchor of an issue's location, and the location in words.
pub(super) fn place_of(issue: &Issue) -> (String, String) {
    let place = &issue.place;
    let name = place
        .name
        .map(|name| String::from_utf8_lossy(&name).into_owned())
        .unwrap_or_default();
    let path = match (name.as_str(), place.field) {
        ("", _) => format!("byte {}", place.offset),
        (name, 0) => format!("{name}[{}]", place.occurrence.max(1)),
        (name, field) => path(name, place.occurrence as usize, field as usize),
    };
    (place_key(place), path)
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{} … {} bytes", text.get(..end).unwrap_or(""), text.len()),
        None => text.to_owned(),
    }
}
