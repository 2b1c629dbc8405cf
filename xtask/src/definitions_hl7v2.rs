//! Generates `crates/hl7v2/data/dictionary.gz` from PyPI `hl7apy` (segments, fields, data types,
//! message groups) and npm `hl7-dictionary` (names, table values, events). Both are MIT.
//!
//! The row format is documented at its reader, `crates/hl7v2/src/dictionary/rows.rs`. A row that is
//! the same in several versions is written once with the set of its versions.

mod python;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use python::{Blocks, Entry, Fact, begins_block, blocks, cardinality, number_of, quoted};

const HL7APY: &str = "hl7apy==1.3.5";
const HL7_DICTIONARY: &str = "hl7-dictionary@1.0.1";

/// Versions of `hl7apy`, oldest first: the order of the bits in the rows.
const VERSIONS: [&str; 12] = [
    "2_1", "2_2", "2_3", "2_3_1", "2_4", "2_5", "2_5_1", "2_6", "2_7", "2_8", "2_8_1", "2_8_2",
];
/// Versions of `hl7-dictionary`, newest first: the newest name wins.
const NAMED_VERSIONS: [&str; 10] = [
    "2.7.1", "2.7", "2.6", "2.5.1", "2.5", "2.4", "2.3.1", "2.3", "2.2", "2.1",
];

/// Index of 2.3.1 in [`VERSIONS`].
const FIRST_WITH_TABLE: usize = 3;

/// The rows: sort key and cells, with the versions in which each is valid.
type Rows = BTreeMap<(u8, String, u32, String), u16>;

pub(crate) fn run(root: &Path) -> Result<(), String> {
    let work = root.join("target/definitions/hl7v2");
    fetch(&work)?;
    let names = Names::read(&work.join("package/lib"))?;
    let mut rows = Rows::new();
    let mut structures: Vec<HashMap<String, String>> = Vec::new();
    for (bit, version) in VERSIONS.iter().enumerate() {
        let source = Source {
            dir: work.join(format!("py/hl7apy/v{version}")),
            bit: 1 << bit,
        };
        source.segments(&names, &mut rows)?;
        source.components(&names, &mut rows)?;
        structures.push(source.structures(&mut rows)?);
    }
    let mut rows = with_tables(rows);
    events(&names, &structures, &mut rows);
    let mut text = String::new();
    for ((_, _, _, cells), versions) in &rows {
        let _ = writeln!(text, "{cells}\t{versions:x}");
    }
    text.push_str(&tables(&names, &work)?);
    write(&root.join("crates/hl7v2/data/dictionary.gz"), &text)
}

/// Fetches the two packages through their own clients, once.
fn fetch(work: &Path) -> Result<(), String> {
    std::fs::create_dir_all(work).map_err(|error| format!("{}: {error}", work.display()))?;
    if !work.join("py/hl7apy").exists() {
        command(
            work,
            "pip",
            &["install", "--quiet", "--no-deps", "--target", "py", HL7APY],
        )?;
    }
    if !work.join("package/lib").exists() {
        command(work, "npm", &["pack", "--silent", HL7_DICTIONARY])?;
        command(work, "tar", &["xzf", "hl7-dictionary-1.0.1.tgz"])?;
    }
    Ok(())
}

fn command(dir: &Path, program: &str, args: &[&str]) -> Result<(), String> {
    let status = Command::new(program).args(args).current_dir(dir).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{program} {}: {status}", args.join(" "))),
        Err(error) => Err(format!("{program}: {error}")),
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer
        .write_all(text.as_bytes())
        .map_err(|error| error.to_string())?;
    let packed = packer.finish().map_err(|error| error.to_string())?;
    std::fs::write(path, &packed).map_err(|error| format!("{}: {error}", path.display()))?;
    println!(
        "{}: {} rows, {} bytes",
        path.display(),
        text.lines().count(),
        packed.len()
    );
    Ok(())
}

/// The names in words, and the tables, from `hl7-dictionary`.
struct Names {
    /// Names by segment or data type and number: each name that some version has, newest first.
    parts: HashMap<(String, usize), Vec<String>>,
    segments: HashMap<String, String>,
    tables: Value,
}

// === impl Names ===

impl Names {
    fn read(lib: &Path) -> Result<Self, String> {
        let tables = javascript(&lib.join("tables.js"))?;
        let mut names = Self {
            parts: HashMap::new(),
            segments: HashMap::new(),
            tables,
        };
        for version in NAMED_VERSIONS {
            let dir = lib.join(version);
            for (file, list) in [("segments.js", "fields"), ("fields.js", "subfields")] {
                if dir.join(file).exists() {
                    names.add(&javascript(&dir.join(file))?, list);
                }
            }
        }
        Ok(names)
    }

    fn add(&mut self, all: &Value, list: &str) {
        for (key, item) in all.as_object().into_iter().flatten() {
            if let Some(title) = item.get("desc").and_then(Value::as_str) {
                self.segments
                    .entry(key.clone())
                    .or_insert_with(|| clean(title));
            }
            let parts = item
                .get(list)
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            for (idx, part) in parts.enumerate() {
                let title = part.get("desc").and_then(Value::as_str).unwrap_or_default();
                self.parts
                    .entry((key.clone(), idx + 1))
                    .or_default()
                    .push(clean(title));
            }
        }
    }

    /// Returns the name in words that matches `hl7apy`'s, otherwise `hl7apy`'s in lower case.
    fn of(&self, key: &str, number: usize, shouted: &str) -> String {
        let same = |title: &&String| squeezed(title) == squeezed(shouted);
        let titles = self.parts.get(&(key.to_owned(), number));
        let found = titles.into_iter().flatten().find(same);
        found.cloned().unwrap_or_else(|| in_words(shouted))
    }
}

/// Parses `var x = {…};` as JSON.
fn javascript(path: &Path) -> Result<Value, String> {
    let text = read(path)?;
    let (start, end) = (
        text.find('{').unwrap_or(0),
        text.rfind('}').map_or(0, |at| at + 1),
    );
    let object = text.get(start..end).unwrap_or_default();
    serde_json::from_str(object).map_err(|error| format!("{}: {error}", path.display()))
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn clean(title: &str) -> String {
    title.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn squeezed(title: &str) -> String {
    title
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_uppercase()
}

/// Converts `SET_ID___AFF` to `Set ID Aff`.
fn in_words(shouted: &str) -> String {
    let words = shouted
        .split('_')
        .filter(|word| !word.is_empty())
        .map(|word| match word {
            "ID" | "DNA" | "SSN" | "HL7" | "NDC" | "VAT" => word.to_owned(),
            "OF" | "FOR" | "AND" | "OR" | "THE" | "TO" | "IN" | "BY" | "ON" => word.to_lowercase(),
            _ => {
                let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
                format!("{first}{}", rest.to_lowercase())
            }
        });
    words.collect::<Vec<_>>().join(" ")
}

/// One version of `hl7apy`.
struct Source {
    dir: PathBuf,
    bit: u16,
}

// === impl Source ===

impl Source {
    fn segments(&self, names: &Names, rows: &mut Rows) -> Result<(), String> {
        let fields = read(&self.dir.join("fields.py"))?;
        let facts: HashMap<String, Fact> = fields.lines().filter_map(Fact::read).collect();
        let text = read(&self.dir.join("segments.py"))?;
        let mut segment = String::new();
        for line in text.lines() {
            let quotes = quoted(line);
            if begins_block(line) {
                segment = quotes.first().cloned().unwrap_or_default();
                let title = names.segments.get(&segment).cloned().unwrap_or_default();
                self.add(rows, b'S', &segment, 0, format!("S\t{segment}\t{title}"));
                continue;
            }
            let Some(key) = quotes.iter().find(|quote| facts.contains_key(*quote)) else {
                continue;
            };
            let number = number_of(key);
            let (Some(fact), Some((min, max))) = (facts.get(key), cardinality(line)) else {
                return Err(format!("{}: {line}", self.dir.display()));
            };
            let flags = format!(
                "{}{}",
                if min > 0 { "R" } else { "" },
                if max == 1 { "" } else { "*" }
            );
            let title = names.of(&segment, number, &fact.name);
            let Fact {
                datatype,
                table,
                length,
                ..
            } = fact;
            let cells =
                format!("F\t{segment}\t{number}\t{title}\t{datatype}\t{table}\t{flags}\t{length}");
            self.add(rows, b'F', &segment, number, cells);
        }
        Ok(())
    }

    fn components(&self, names: &Names, rows: &mut Rows) -> Result<(), String> {
        let text = read(&self.dir.join("datatypes.py"))?;
        for (key, fact) in text
            .lines()
            .filter(|line| line.contains(": ["))
            .filter_map(Fact::read)
        {
            let Some((datatype, _)) = key.rsplit_once('_') else {
                continue;
            };
            let number = number_of(&key);
            let title = names.of(datatype, number, &fact.name);
            let cells = format!(
                "C\t{datatype}\t{number}\t{title}\t{}\t{}",
                fact.datatype, fact.table
            );
            self.add(rows, b'C', datatype, number, cells);
        }
        Ok(())
    }

    /// Returns the structures by name.
    fn structures(&self, rows: &mut Rows) -> Result<HashMap<String, String>, String> {
        let groups = blocks(&read(&self.dir.join("groups.py"))?);
        let messages = blocks(&read(&self.dir.join("messages.py"))?);
        let mut names = HashMap::new();
        for (name, (_, entries)) in &messages {
            let mut inner = Vec::new();
            let body = body(name, entries, &groups, &mut inner);
            if body.is_empty() {
                continue;
            }
            self.add(rows, b'M', name, 0, format!("M\t{name}\t{body}"));
            for (group, body) in inner {
                self.add(rows, b'M', &group, 0, format!("G\t{group}\t{body}"));
            }
            names.insert(name.clone(), body);
        }
        Ok(names)
    }

    fn add(&self, rows: &mut Rows, kind: u8, name: &str, number: usize, cells: String) {
        *rows
            .entry((kind, name.to_owned(), number as u32, cells))
            .or_default() |= self.bit;
    }
}

/// Formats the items of a structure or group and adds its groups to `inner`. The members of a
/// choice replace the choice, and none of them is required.
fn body(
    root: &str,
    entries: &[Entry],
    groups: &Blocks,
    inner: &mut Vec<(String, String)>,
) -> String {
    let mut items = Vec::new();
    for Entry {
        name,
        how,
        is_group,
    } in entries
    {
        match groups.get(name).filter(|_| *is_group) {
            Some((true, members)) => {
                let looser = |how: char| if "+*".contains(how) { '*' } else { '?' };
                let members: Vec<Entry> = members
                    .iter()
                    .map(|member| Entry {
                        name: member.name.clone(),
                        how: looser(if "+*".contains(*how) { '*' } else { member.how }),
                        is_group: member.is_group,
                    })
                    .collect();
                items.push(body(root, &members, groups, inner));
            }
            Some((false, members)) => {
                let short = short_name(root, name);
                items.push(format!("@{short}{how}"));
                let key = format!("{root}.{short}");
                if inner.iter().all(|(known, _)| *known != key) {
                    let place = inner.len();
                    inner.push((key.clone(), String::new()));
                    let text = body(root, members, groups, inner);
                    if let Some(slot) = inner.get_mut(place) {
                        slot.1 = text;
                    }
                }
            }
            // `ANYHL7SEGMENT` and similar entries say nothing about order.
            None if name.len() == 3 => items.push(format!("{name}{how}")),
            None => {}
        }
    }
    items.retain(|item| !item.is_empty());
    items.join(" ")
}

/// Shortens a group name: `ORU_R01_PATIENT_RESULT` is PATIENT_RESULT within ORU_R01.
fn short_name(root: &str, group: &str) -> String {
    let own = group
        .strip_prefix(root)
        .and_then(|rest| rest.strip_prefix('_'));
    let foreign = || {
        group
            .get(8..)
            .filter(|_| group.get(3..4) == Some("_") && group.get(7..8) == Some("_"))
    };
    own.or_else(foreign).unwrap_or(group).to_owned()
}

/// Adds events from table 0354, such as `ADT_A01: "A01, A04, A08, A13"`: rows for versions in which
/// ADT_A04 is not a structure of its own.
fn events(names: &Names, structures: &[HashMap<String, String>], rows: &mut Rows) {
    let values = names
        .tables
        .pointer("/354/values")
        .and_then(Value::as_object);
    for (structure, events) in values.into_iter().flatten() {
        let Some((code, _)) = structure.split_once('_') else {
            continue;
        };
        let events = events.as_str().unwrap_or_default();
        for event in events
            .split([',', '.'])
            .map(str::trim)
            .filter(|event| event.len() == 3)
        {
            let name = format!("{code}_{event}");
            // From 2.3.1 on, MSH-9.3 names the structure and the table takes precedence; before, a
            // separate structure counts unless only its name differs.
            let fits = |bit: usize, known: &HashMap<String, String>| match known.get(&name) {
                None => known.contains_key(structure),
                Some(_) if name == *structure => false,
                Some(own) => known
                    .get(structure)
                    .is_some_and(|theirs| bit >= FIRST_WITH_TABLE || theirs == own),
            };
            for (bit, _) in structures
                .iter()
                .enumerate()
                .filter(|(bit, known)| fits(*bit, known))
            {
                let cells = format!("E\t{name}\t{structure}");
                *rows.entry((b'E', name.clone(), 0, cells)).or_default() |= 1 << bit;
            }
        }
    }
}

/// Formats the tables: values and meanings from `hl7-dictionary`, codes of newer versions from
/// `hl7apy`.
fn tables(names: &Names, work: &Path) -> Result<String, String> {
    let mut tables: BTreeMap<String, (String, Vec<(String, String)>)> = BTreeMap::new();
    for (number, table) in names.tables.as_object().into_iter().flatten() {
        let title = clean(
            table
                .get("desc")
                .and_then(Value::as_str)
                .unwrap_or_default(),
        );
        let values = table
            .get("values")
            .and_then(Value::as_object)
            .into_iter()
            .flatten();
        let codes = values
            .map(|(code, meaning)| (clean(code), clean(meaning.as_str().unwrap_or_default())));
        tables.insert(format!("{number:0>4}"), (title, codes.collect()));
    }
    let text = read(&work.join("py/hl7apy/v2_8_2/tables.py"))?;
    let mut current = String::new();
    for line in text.lines() {
        let mut quotes = quoted(line);
        if line.starts_with("    'HL7") && !quotes.is_empty() {
            let number = quotes.remove(0);
            number.trim_start_matches("HL7").clone_into(&mut current);
            let title = if quotes.is_empty() {
                String::new()
            } else {
                clean(&quotes.remove(0))
            };
            tables
                .entry(current.clone())
                .or_insert_with(|| (title, Vec::new()));
        }
        let Some((_, codes)) = tables.get_mut(&current) else {
            continue;
        };
        for code in quotes
            .iter()
            .map(|code| clean(code))
            .filter(|code| !code.is_empty())
        {
            if codes.iter().all(|(known, _)| *known != code) {
                codes.push((code, String::new()));
            }
        }
    }
    let mut out = String::new();
    for (number, (title, codes)) in tables.iter().filter(|(_, (_, codes))| !codes.is_empty()) {
        let _ = writeln!(out, "T\t{number}\t{title}");
        for (code, meaning) in codes {
            let _ = writeln!(out, "V\t{number}\t{code}\t{meaning}");
        }
    }
    Ok(out)
}

/// Completes tables: some versions of the source omit the table that others give for the same field
/// or component; where the others agree on one, it applies to all.
fn with_tables(rows: Rows) -> Rows {
    const TABLE: usize = 5;
    let without = |cells: &str| -> (String, String) {
        let mut parts: Vec<&str> = cells.split('\t').collect();
        let table = parts.get_mut(TABLE).map_or("", std::mem::take);
        // The last cell of a field, its maximum length, may differ.
        (
            parts.get(..TABLE).unwrap_or_default().join("\t"),
            table.to_owned(),
        )
    };
    let mut known: HashMap<String, Vec<String>> = HashMap::new();
    for (_, _, _, cells) in rows.keys().filter(|(kind, ..)| matches!(kind, b'F' | b'C')) {
        let (key, table) = without(cells);
        let tables = known.entry(key).or_default();
        if !table.is_empty() && !tables.contains(&table) {
            tables.push(table);
        }
    }
    let mut filled = Rows::new();
    for ((kind, name, number, cells), versions) in rows {
        let (key, table) = without(&cells);
        let cells = match known.get(&key).map(Vec::as_slice) {
            Some([only]) if table.is_empty() => {
                let mut parts: Vec<&str> = cells.split('\t').collect();
                if let Some(slot) = parts.get_mut(TABLE) {
                    *slot = only;
                }
                parts.join("\t")
            }
            _ => cells,
        };
        *filled.entry((kind, name, number, cells)).or_default() |= versions;
    }
    filled
}
