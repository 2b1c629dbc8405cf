//! The rows of the dictionary in memory.
//!
//! The packed text has one row per line, with cells separated by tabs; the last cell is the set of
//! versions as hexadecimal bits, 2.1 lowest. The first cell gives the kind of row:
//!
//! - `S PID "Patient Identification"`: a segment;
//! - `F PID 3 "Patient Identifier List" CX 0106 R* 250`: a field, its data type, table, whether
//!   required (`R`) and repeating (`*`), maximum length;
//! - `C CX 4 "Assigning Authority" HD 0363`: a component;
//! - `T 0001 "Administrative Sex"` and `V 0001 F Female`: a table and its codes;
//! - `M ORU_R01 MSH! SFT* @PATIENT_RESULT+`: a message structure, `G ORU_R01.PATIENT_RESULT …` one
//!   of its groups; `!` once, `?` at most once, `*` any number, `+` at least one;
//! - `E ADT_A04 ADT_A01`: an event and its structure.

use std::collections::HashMap;
use std::io::Read;
use std::sync::LazyLock;

/// A field of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldDef {
    /// Field number, from one.
    pub number: u8,
    /// Name in words.
    pub name: &'static str,
    /// Data type, such as `CX`; `varies` for OBX-5.
    pub datatype: &'static str,
    /// HL7 table of the field's codes, four digits.
    pub table: Option<&'static str>,
    /// The field is required by the standard.
    pub required: bool,
    /// The field may repeat.
    pub repeats: bool,
    /// Maximum length, if the standard gives one.
    pub length: Option<u32>,
}

/// A component of a data type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentDef {
    /// Component number, from one.
    pub number: u8,
    /// Name in words.
    pub name: &'static str,
    /// Data type of the component; the components of that type are the subcomponents.
    pub datatype: &'static str,
    /// HL7 table of the component's codes, four digits.
    pub table: Option<&'static str>,
}

/// A table of codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDef {
    /// Name in words.
    pub name: &'static str,
    /// The codes in table order.
    pub codes: Vec<CodeDef>,
}

/// A code of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeDef {
    /// The code.
    pub code: &'static str,
    /// Meaning; empty if the sources give none.
    pub meaning: &'static str,
}

type Rows<T> = HashMap<&'static str, Vec<(u16, T)>>;

/// All tables.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) segments: Rows<&'static str>,
    pub(super) fields: Rows<FieldDef>,
    pub(super) components: Rows<ComponentDef>,
    /// Structures and groups by full name, with their contents.
    pub(super) groups: Rows<&'static str>,
    pub(super) events: Rows<&'static str>,
}

static PACKED: &[u8] = include_bytes!("../../data/dictionary.gz");

static TEXT: LazyLock<String> = LazyLock::new(|| {
    let mut text = String::with_capacity(PACKED.len() * 10);
    // The packed text is part of the program; a test reads every row of it.
    let _ = flate2::read::GzDecoder::new(PACKED).read_to_string(&mut text);
    text
});

static TABLES: LazyLock<Tables> = LazyLock::new(|| Tables::read(&TEXT));

/// Tables of codes by number, built on first use: only callers that show or check codes need them.
static CODES: LazyLock<HashMap<&'static str, TableDef>> = LazyLock::new(|| {
    let mut codes = HashMap::new();
    for line in base::pieces(&TEXT, b'\n') {
        code_row(&mut codes, line);
    }
    codes
});

/// Returns a table of codes.
pub(super) fn codes_of(number: &str) -> Option<&'static TableDef> {
    CODES.get(number)
}

// === impl TableDef ===

impl TableDef {
    /// Returns the meaning of a code.
    pub fn meaning(&self, code: &str) -> Option<&'static str> {
        self.codes
            .iter()
            .find(|def| def.code == code)
            .map(|def| def.meaning)
    }
}

// === impl Tables ===

impl Tables {
    pub(super) fn all() -> &'static Self {
        &TABLES
    }

    fn read(text: &'static str) -> Self {
        let mut tables = Self::default();
        for line in base::pieces(text, b'\n') {
            tables.row(line);
        }
        tables
    }

    /// Adds one row. Returns `None` if the row is malformed or belongs to a table of codes.
    fn row(&mut self, line: &'static str) -> Option<()> {
        if is_of_codes(line) {
            return None;
        }
        let mut cells = base::pieces(line, b'\t');
        let kind = cells.next()?;
        let name = cells.next()?;
        let mut next = || cells.next();
        match kind {
            "S" => {
                let title = next()?;
                add(&mut self.segments, name, title, next()?)
            }
            "F" => {
                let number = next()?.parse().ok()?;
                let (title, datatype, table, flags) = (next()?, next()?, next()?, next()?);
                let field = FieldDef {
                    number,
                    name: title,
                    datatype,
                    table: filled(table),
                    required: flags.contains('R'),
                    repeats: flags.contains('*'),
                    length: next()?.parse().ok(),
                };
                add(&mut self.fields, name, field, next()?)
            }
            "C" => {
                let number = next()?.parse().ok()?;
                let (title, datatype, table) = (next()?, next()?, filled(next()?));
                let component = ComponentDef {
                    number,
                    name: title,
                    datatype,
                    table,
                };
                add(&mut self.components, name, component, next()?)
            }
            "M" | "G" => {
                let body = next()?;
                add(&mut self.groups, name, body, next()?)
            }
            "E" => {
                let structure = next()?;
                add(&mut self.events, name, structure, next()?)
            }
            _ => None,
        }
    }
}

fn is_of_codes(line: &str) -> bool {
    line.starts_with(['T', 'V'])
}

/// Takes in a row of a table of codes; gives nothing where the row is malformed or another one.
fn code_row(codes: &mut HashMap<&'static str, TableDef>, line: &'static str) -> Option<()> {
    if !is_of_codes(line) {
        return None;
    }
    let mut cells = base::pieces(line, b'\t');
    let (kind, number) = (cells.next()?, cells.next()?);
    if kind == "T" {
        let name = cells.next()?;
        let table = TableDef {
            name,
            codes: Vec::new(),
        };
        codes.insert(number, table);
    } else {
        let (code, meaning) = (cells.next()?, cells.next()?);
        codes.get_mut(number)?.codes.push(CodeDef { code, meaning });
    }
    Some(())
}

fn add<T>(rows: &mut Rows<T>, name: &'static str, row: T, versions: &str) -> Option<()> {
    let versions = u16::from_str_radix(versions, 16).ok()?;
    rows.entry(name).or_default().push((versions, row));
    Some(())
}

fn filled(cell: &'static str) -> Option<&'static str> {
    (!cell.is_empty()).then_some(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read() {
        let (mut tables, mut codes) = (Tables::default(), HashMap::new());
        for line in TEXT.lines() {
            let is_structure = tables.row(line).is_some();
            let is_code = code_row(&mut codes, line).is_some();
            assert!(is_structure != is_code, "{line}");
        }
        assert!(!tables.fields.is_empty() && !codes.is_empty());
    }
}
