//! Parses the text of a map into a tree.
//!
//! Invariants:
//! - parsing never fails and never panics: it returns the tree of what it understood, and a
//!   diagnostic with line and column for each line that it did not;
//! - nothing is looked up here: names are text until the compiler binds them.

mod block;
mod condition;
mod cursor;
mod function;
mod lines;
mod list;
mod message;
mod missing;
mod path;
mod row;
#[cfg(test)]
mod tests;

use crate::diagnostic::{Diagnostic, Spot};
use std::sync::Arc;

pub(crate) use cursor::Cursor;
pub(crate) use list::ListLines;
pub(crate) use missing::{MissingBlock, MissingRow};

/// One file.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) name: Arc<str>,
    pub(crate) blocks: Vec<Block>,
}

/// One block.
#[derive(Debug)]
pub(crate) enum Block {
    Map(MapBlock),
    Codes(CodesBlock),
    Systems(Vec<SystemRow>),
    Extensions(Vec<(Spot, String, String)>),
    Meaning(MeaningBlock),
    Message(MessageBlock),
    Missing(MissingBlock),
    Dialect(DialectBlock),
    Choice {
        spot: Spot,
        name: String,
        options: Vec<String>,
    },
    Test(TestBlock),
}

/// A map: `segment PID <-> Patient` or `type CX <-> Identifier`.
#[derive(Debug)]
pub(crate) struct MapBlock {
    pub(crate) spot: Spot,
    pub(crate) kind: MapKind,
    pub(crate) arrow: Arrow,
    pub(crate) fhir_type: String,
    /// The key by which a resource that a type map makes is found again.
    pub(crate) key: Option<KeyClause>,
    pub(crate) rows: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MapKind {
    Segments(Vec<String>),
    Type(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrow {
    Forward,
    Back,
    Both,
}

#[derive(Clone, Debug)]
pub(crate) enum Row {
    Map(MapRow),
    Drop {
        spot: Spot,
        source: Source,
        reason: String,
        when: Option<Condition>,
    },
    Set(SetRow),
    /// A constant of the message, written going back: `set OBX-11 = F`.
    SetField {
        spot: Spot,
        source: Source,
        value: String,
        when: Option<Condition>,
    },
    Each(EachRow),
    /// A row that a dialect inserted among those of another file: its errors and lineage name its
    /// own file.
    Foreign {
        file: Arc<str>,
        row: Box<Row>,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct MapRow {
    pub(crate) spot: Spot,
    pub(crate) sources: Vec<Source>,
    pub(crate) arrow: Arrow,
    pub(crate) target: Path,
    pub(crate) place: Option<Place>,
    pub(crate) reference: Option<String>,
    pub(crate) convert: Convert,
    pub(crate) clauses: Clauses,
    pub(crate) key: Option<KeyClause>,
    /// `without (.3)`: components that the row does not see.
    pub(crate) without: Vec<u8>,
    /// Rows that run on the resource that `=>` leads to.
    pub(crate) rows: Vec<Row>,
    /// `A + (B "/" C)`: the words of several places. Empty if the row joins nothing.
    pub(crate) joined: Vec<Vec<Piece>>,
}

/// A piece of a joined text.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Source(Source),
    Text(String),
}

/// The items of a list of primitives that a row means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    At(u8),
    Rest,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Convert {
    pub(crate) spot: Spot,
    pub(crate) name: Option<String>,
    pub(crate) codes: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Clauses {
    pub(crate) when: Option<Condition>,
    pub(crate) when_resource: Option<Condition>,
    pub(crate) otherwise: Option<String>,
    pub(crate) report: bool,
    pub(crate) merge_by: Option<Path>,
    /// `fills gap`: only if nothing is there.
    pub(crate) fills_gap: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct SetRow {
    pub(crate) spot: Spot,
    pub(crate) target: Path,
    pub(crate) value: String,
    pub(crate) when: Option<Condition>,
}

#[derive(Clone, Debug)]
pub(crate) struct EachRow {
    pub(crate) spot: Spot,
    /// `each further`: all but the first.
    pub(crate) further: bool,
    pub(crate) over: Over,
    pub(crate) by: Option<Source>,
    pub(crate) filter: Option<Condition>,
    pub(crate) arrow: Arrow,
    pub(crate) target: Path,
    pub(crate) clauses: Clauses,
    pub(crate) rows: Vec<Row>,
}

#[derive(Clone, Debug)]
pub(crate) enum Over {
    Segment(String),
    Repeats(Source),
    Groups(Vec<Vec<Source>>),
}

/// The left side of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Field {
        spot: Spot,
        segment: String,
        field: u16,
        repeat: Repeat,
        component: u8,
        sub: u8,
    },
    Cell {
        spot: Spot,
        component: u8,
        sub: u8,
    },
    Member {
        spot: Spot,
        number: u8,
    },
    This {
        spot: Spot,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    All,
    At(u16),
}

/// The right side of a row; `this` has no steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) spot: Spot,
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) spot: Spot,
    pub(crate) name: StepName,
    pub(crate) many: Many,
    pub(crate) discriminators: Vec<Discriminator>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StepName {
    Element(String),
    Extension(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Many {
    One,
    All,
    New,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Discriminator {
    pub(crate) path: Path,
    pub(crate) values: Vec<String>,
    pub(crate) default: bool,
    pub(crate) absent: bool,
    /// The text of a concept: `type = REF "referrer"`.
    pub(crate) text: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Choice {
        spot: Spot,
        name: String,
        option: String,
    },
    Test {
        at: At,
        op: Op,
    },
}

/// The subject of a test: a source left of `|`, a path right of it.
#[derive(Clone, Debug)]
pub(crate) enum At {
    Source(Source),
    Path(Path),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Empty,
    Valued,
    Null,
    HasTime,
    HasNumber,
    HasCheckDigit,
    HasWord(String),
    In(Vec<String>),
    NotIn(Vec<String>),
    Count(Compare, u32),
    SameAs(Path),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compare {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct KeyClause {
    pub(crate) spot: Spot,
    /// The alternatives, each made of parts; with `any of`, in descending order of weight.
    pub(crate) alternatives: Vec<Vec<KeyPart>>,
    pub(crate) any_of: bool,
    /// The index from which the alternatives count only if no earlier one has a value.
    pub(crate) otherwise: Option<usize>,
    pub(crate) place_among_equals: bool,
    pub(crate) ownership: Option<Ownership>,
}

#[derive(Clone, Debug)]
pub(crate) enum KeyPart {
    Identifier,
    Label(Spot, String),
    Source(Source),
    /// `OBR-3 else ORC-3`: the first that has a value.
    FirstOf(Vec<Source>),
    /// `RXA-5 in CVX`: the code of that system, in whichever triplet of the field it stands.
    Coded(Source, String),
    /// `RXA-3 to the day`.
    Day(Source),
    /// A word that distinguishes resources of one person or place: `"MDIR"`.
    Text(String),
}

/// The ownership: who may change an existing resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// Sets and deletes the elements that its rows map.
    Owns,
    /// Sets only absent elements.
    FillsGaps,
    /// Creates a resource that does not exist yet and changes nothing that exists.
    OnlyLinks,
}

#[derive(Debug)]
pub(crate) struct CodesBlock {
    pub(crate) spot: Spot,
    pub(crate) name: String,
    pub(crate) table: String,
    pub(crate) system: String,
    pub(crate) rows: Vec<CodeRow>,
}

#[derive(Clone, Debug)]
pub(crate) struct CodeRow {
    pub(crate) spot: Spot,
    pub(crate) from: String,
    pub(crate) arrow: Arrow,
    pub(crate) to: String,
    pub(crate) system: Option<String>,
    pub(crate) display: Option<String>,
}

#[derive(Debug)]
pub(crate) struct SystemRow {
    pub(crate) name: String,
    pub(crate) arrow: Arrow,
    pub(crate) uri: String,
    pub(crate) short: Option<String>,
    /// The minimum number of characters of the system's codes.
    pub(crate) width: Option<usize>,
}

#[derive(Debug)]
pub(crate) struct MeaningBlock {
    pub(crate) spot: Spot,
    pub(crate) fhir_type: String,
    pub(crate) rows: Vec<(String, Path, Convert)>,
}

#[derive(Debug)]
pub(crate) struct MessageBlock {
    pub(crate) spot: Spot,
    pub(crate) structures: Vec<String>,
    pub(crate) items: Vec<Item>,
}

#[derive(Debug)]
pub(crate) enum Item {
    Group { name: String, items: Vec<Item> },
    Resource(Box<ResourceItem>),
}

#[derive(Debug)]
pub(crate) struct ResourceItem {
    pub(crate) spot: Spot,
    pub(crate) places: Vec<SegmentPlace>,
    pub(crate) fhir_type: String,
    pub(crate) label: String,
    pub(crate) when: Option<Condition>,
    pub(crate) key: Option<KeyClause>,
    pub(crate) ownership: Option<Ownership>,
    /// Segments that are lines of one text make one resource.
    pub(crate) lines: bool,
    pub(crate) links: Vec<LinkClause>,
    pub(crate) sets: Vec<SetRow>,
    pub(crate) list: ListLines,
}

#[derive(Clone, Debug)]
pub(crate) struct SegmentPlace {
    pub(crate) spot: Spot,
    pub(crate) groups: Vec<String>,
    pub(crate) segment: String,
}

#[derive(Clone, Debug)]
pub(crate) struct LinkClause {
    pub(crate) spot: Spot,
    pub(crate) path: Path,
    pub(crate) adds: bool,
    pub(crate) label: String,
    pub(crate) when: Option<Condition>,
}

#[derive(Debug)]
pub(crate) struct DialectBlock {
    pub(crate) spot: Spot,
    pub(crate) name: String,
    pub(crate) extends: String,
    pub(crate) rows: Vec<DialectRow>,
}

#[derive(Debug)]
pub(crate) enum DialectRow {
    Zone(Spot, String),
    /// The decimal mark of the source's numbers.
    Decimal(Spot, String),
    Authority(String, String),
    System(String, String),
    /// `patient numbers MR, EPI`: the types of PID-3 that name this source's patients.
    Numbers(Vec<String>),
    /// `visits by account`: how this source's visits without a number are identified.
    Visits(Spot, String),
    Means {
        spot: Spot,
        source: Source,
        meaning: String,
    },
    Choice {
        spot: Spot,
        name: String,
        option: String,
    },
    Function(FunctionRow),
    Change {
        spot: Spot,
        replace: bool,
        on: Option<String>,
        row: Box<Row>,
    },
}

/// A function: `function room(text) = rhai "…" back "…"`.
#[derive(Clone, Debug)]
pub(crate) struct FunctionRow {
    pub(crate) spot: Spot,
    pub(crate) name: String,
    pub(crate) parameter: String,
    pub(crate) forward: Quoted,
    pub(crate) back: Option<Quoted>,
}

/// A quoted text and its position.
#[derive(Clone, Debug)]
pub(crate) struct Quoted {
    /// The position of the first character.
    pub(crate) spot: Spot,
    pub(crate) text: String,
    /// The text as written between the quotes.
    raw: String,
}

#[derive(Debug)]
pub(crate) struct TestBlock {
    pub(crate) spot: Spot,
    pub(crate) name: String,
    pub(crate) given: Vec<String>,
    pub(crate) expectations: Vec<(Spot, Expectation)>,
}

#[derive(Debug)]
pub(crate) enum Expectation {
    Holds(String),
    Unmapped(Vec<String>),
    IssuesNone,
    Back,
}

/// Parses one file.
pub(crate) fn parse(name: &str, text: &str) -> (File, Vec<Diagnostic>) {
    let name: Arc<str> = name.into();
    let mut diagnostics = Vec::new();
    let blocks = block::blocks(&name, lines::tree(text), &mut diagnostics);
    (File { name, blocks }, diagnostics)
}

// === impl Source ===

impl Source {
    pub(crate) fn spot(&self) -> Spot {
        match self {
            Self::Field { spot, .. }
            | Self::Cell { spot, .. }
            | Self::Member { spot, .. }
            | Self::This { spot } => *spot,
        }
    }
}
