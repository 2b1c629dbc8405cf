//! A line-by-line reader of `hl7apy`'s Python tables, which are generated with one fact per line.

use std::collections::BTreeMap;

/// An entry of a structure: name, cardinality, and segment or group.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) how: char,
    pub(super) is_group: bool,
}

/// The structures of a file by name: true for a choice, and the entries.
pub(super) type Blocks = BTreeMap<String, (bool, Vec<Entry>)>;

/// The facts about a field or component: `'CX_4': ['sequence', None, 'HD', 'NAME', 'HL70363',
/// -1],`.
pub(super) struct Fact {
    pub(super) datatype: String,
    pub(super) name: String,
    pub(super) table: String,
    pub(super) length: String,
}

// === impl Fact ===

impl Fact {
    pub(super) fn read(line: &str) -> Option<(String, Self)> {
        // The second cell refers to the components of the data type, which the third one names.
        let (before, after) = line.split_once("DATATYPES_STRUCTS").unwrap_or((line, ""));
        let after = after.split_once(']').map_or(after, |(_, after)| after);
        let mut quotes = quoted(&format!("{before}{after}"));
        // 2.8 writes `'varies', 'varies'` for the field of any type.
        quotes.dedup_by(|next, one| next == "varies" && one == "varies");
        let [key, _, datatype, name, rest @ ..] = quotes.as_slice() else {
            return None;
        };
        let table = rest
            .first()
            .map(|table| table.trim_start_matches("HL7").to_owned());
        // 9999 means no table.
        let table = table.filter(|table| table != "9999");
        let last = line.trim_end_matches([')', ']', ',']).rsplit(", ").next()?;
        let length: i64 = last.trim().parse().ok()?;
        let length = if length > 0 {
            length.to_string()
        } else {
            String::new()
        };
        let fact = Self {
            datatype: datatype.clone(),
            name: name.clone(),
            table: table.unwrap_or_default(),
            length,
        };
        Some((key.clone(), fact))
    }
}

/// Parses the structures of a file by name: true for a choice, and the entries.
pub(super) fn blocks(text: &str) -> Blocks {
    let mut blocks = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        let quotes = quoted(line);
        if begins_block(line) {
            current = quotes.first().cloned().unwrap_or_default();
            blocks.insert(current.clone(), (line.contains("'choice'"), Vec::new()));
        }
        let is_group = line.contains("'GRP'");
        let name = quotes
            .iter()
            .find(|quote| !["sequence", "choice"].contains(&quote.as_str()));
        let (Some(name), Some((min, max)), Some((_, entries))) =
            (name, cardinality(line), blocks.get_mut(&current))
        else {
            continue;
        };
        let how = match (min, max) {
            (0, 1) => '?',
            (_, 1) => '!',
            (0, _) => '*',
            _ => '+',
        };
        entries.push(Entry {
            name: name.clone(),
            how,
            is_group,
        });
    }
    blocks
}

/// Returns the number in a name: `CX_4` is number 4.
pub(super) fn number_of(key: &str) -> usize {
    key.rsplit('_')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

/// Parses the cardinality `(0, -1)` of a line.
pub(super) fn cardinality(line: &str) -> Option<(i32, i32)> {
    let (_, rest) = line.rsplit_once('(')?;
    let (pair, _) = rest.split_once(')')?;
    let (min, max) = pair.split_once(", ")?;
    Some((min.parse().ok()?, max.parse().ok()?))
}

/// Returns the quoted texts of a line of Python.
pub(super) fn quoted(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut chars = line.chars();
    while let Some(quote) = chars.by_ref().find(|c| matches!(c, '\'' | '"')) {
        let mut text = String::new();
        while let Some(c) = chars.next() {
            match c {
                '\\' => text.extend(chars.next()),
                c if c == quote => break,
                c => text.push(c),
            }
        }
        found.push(text);
    }
    found
}

/// Returns true for a line such as `'SIU_S13': ('sequence',`: some of these have lost their indent
/// in the source.
pub(super) fn begins_block(line: &str) -> bool {
    line.trim_start().starts_with('\'') && line.contains("': (")
}
