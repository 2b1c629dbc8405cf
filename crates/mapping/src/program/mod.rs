//! A map bound to the v2 dictionary and the FHIR definitions, ready to run.
//!
//! Invariants:
//! - no name is looked up and no path is read at run time: elements are `&'static str` from the
//!   definitions, types and tables are places in vectors of the program;
//! - every row keeps the number under which its file and line are found.

mod codes;
mod condition;
mod need;
mod systems;
mod table;
mod target;

pub(crate) use codes::{CodeTable, Translation};
pub(crate) use condition::{Condition, Op, ResourceCondition, ResourceOp};
pub(crate) use need::{Need, There, bit};
pub(crate) use systems::Systems;
pub(crate) use table::Table;
pub(crate) use target::{Element, Hop, Literal, Slice, Target, Told, walk};

use crate::missing::Missing;
use crate::script::Script;
use crate::syntax::{Arrow, Ownership, Place};
use crate::values::number::Decimals;
use crate::visits::Visits;
use std::collections::HashMap;
use std::sync::Arc;

/// A row of a map: where lineage and reports point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub(crate) u32);

impl RowId {
    /// No row: what HL7 itself says and no map has to.
    pub const NONE: Self = Self(u32::MAX);
}

/// Where a row stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowInfo {
    /// The file: `v2/pid.map`.
    pub file: Arc<str>,
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

/// A segment's name: three letters or digits.
pub(crate) type SegmentName = [u8; 3];

/// Everything of one dialect.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) rows: Vec<RowInfo>,
    pub(crate) segments: Vec<SegmentMap>,
    pub(crate) types: Vec<TypeMap>,
    pub(crate) tables: Vec<CodeTable>,
    pub(crate) functions: Vec<Function>,
    pub(crate) messages: HashMap<String, Arc<MessageMap>>,
    pub(crate) systems: Systems,
    /// What is there with a reason where no field told it, by resource type.
    pub(crate) missing: Table<&'static str, Arc<[Missing]>>,
    /// Assigning authorities: name and URI.
    pub(crate) authorities: Vec<(String, String)>,
    pub(crate) zone: Option<String>,
    /// The types of PID-3 that name this source's patients, where its dialect says them.
    pub(crate) patient_numbers: Option<Vec<String>>,
    /// By what the source's visits without a number are known.
    pub(crate) visits: Visits,
    /// What the source's comma in a number means.
    pub(crate) decimals: Decimals,
}

/// A function where a row calls it.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) forward: Arc<Script>,
    pub(crate) back: Option<Arc<Script>>,
    /// What reads the text that it makes: the converter of the element's own type.
    pub(crate) then: Convert,
}

/// `segment PID <-> Patient`.
#[derive(Debug)]
pub(crate) struct SegmentMap {
    pub(crate) segments: Vec<SegmentName>,
    pub(crate) body: Body,
    pub(crate) spot: RowId,
}

/// `type CX <-> Identifier`.
#[derive(Debug)]
pub(crate) struct TypeMap {
    pub(crate) name: String,
    pub(crate) body: Body,
    /// A unit: `10^3/uL` is one, not two components.
    pub(crate) joins_powers: bool,
    pub(crate) spot: RowId,
}

/// The rows of a map or of an `each`.
#[derive(Debug, Default)]
pub(crate) struct Body {
    pub(crate) fhir_type: &'static str,
    pub(crate) rows: Vec<Row>,
    /// One for each row: see [`Body::settle`].
    pub(crate) needs: Vec<Need>,
    /// The segments that needs speak of.
    pub(crate) segments: Vec<SegmentName>,
    /// Constants of the message, for going back.
    pub(crate) written: Vec<FieldConstant>,
}

/// `set OBX-11 = F when …`.
#[derive(Debug)]
pub(crate) struct FieldConstant {
    pub(crate) id: RowId,
    pub(crate) source: Source,
    pub(crate) value: Box<str>,
    pub(crate) when: Option<Condition>,
}

#[derive(Debug)]
pub(crate) enum Row {
    Map(MapRow),
    Set(SetRow),
    Drop(DropRow),
    Each(EachRow),
}

#[derive(Debug)]
pub(crate) struct MapRow {
    pub(crate) id: RowId,
    pub(crate) sources: Vec<Source>,
    pub(crate) arrow: Arrow,
    pub(crate) target: Arc<Target>,
    pub(crate) place: Option<Place>,
    pub(crate) convert: Convert,
    pub(crate) text: TextPart,
    /// Its source is a field whose type another field names: OBX-5.
    pub(crate) varies: bool,
    pub(crate) when: Option<Condition>,
    /// The condition reads fields only: it says the same of each value and is asked once.
    pub(crate) when_first: bool,
    pub(crate) when_resource: Option<ResourceCondition>,
    /// How many hops lead to what `when_resource` reads: the element, or what holds a primitive.
    pub(crate) resource_base: usize,
    pub(crate) otherwise: Option<String>,
    pub(crate) report: bool,
    pub(crate) reference: Option<ReferenceSpec>,
    /// `otherwise assigner`: where the name of an unregistered authority goes.
    pub(crate) assigner: Option<Target>,
    /// Bits of the components that the row does not see.
    pub(crate) hidden: u64,
    /// The words of several places, in groups that stand or fall together. Empty where the row is no such.
    pub(crate) joined: Vec<Vec<Piece>>,
}

/// A piece of a joined text.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    /// A field or a part of one; `whole` where the dictionary gives it no components.
    Source {
        source: Source,
        whole: bool,
    },
    Text(Box<str>),
}

/// What of its source a row reads as a text: separators in a text belong to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TextPart {
    /// It reads no text.
    #[default]
    None,
    /// The whole is one.
    Whole,
    /// Its first component is one.
    First,
}

/// `=> Practitioner : XCN` with its key.
#[derive(Debug)]
pub(crate) struct ReferenceSpec {
    pub(crate) resource_type: &'static str,
    /// None where the rows below say all.
    pub(crate) type_map: Option<usize>,
    pub(crate) keys: Vec<Vec<ReferenceKeyPart>>,
    /// The key is within the value at hand: equal values mean the same resource.
    pub(crate) own_key: bool,
    pub(crate) ownership: Ownership,
    /// The rows below, which run on the resource.
    pub(crate) body: Body,
}

/// A part of a reference's key.
#[derive(Clone, Debug)]
pub(crate) enum ReferenceKeyPart {
    Source(Source),
    Text(Box<str>),
}

#[derive(Debug)]
pub(crate) struct SetRow {
    pub(crate) id: RowId,
    pub(crate) target: Arc<Target>,
    pub(crate) value: Literal,
    pub(crate) when: Option<Condition>,
}

#[derive(Debug)]
pub(crate) struct DropRow {
    pub(crate) id: RowId,
    pub(crate) source: Source,
    pub(crate) reason: Arc<str>,
    pub(crate) when: Option<Condition>,
}

#[derive(Debug)]
pub(crate) struct EachRow {
    pub(crate) id: RowId,
    /// All but the first.
    pub(crate) further: bool,
    pub(crate) over: Over,
    pub(crate) by: Option<Source>,
    pub(crate) filter: Option<Condition>,
    pub(crate) arrow: Arrow,
    pub(crate) target: Arc<Target>,
    pub(crate) when: Option<Condition>,
    pub(crate) when_resource: Option<ResourceCondition>,
    pub(crate) body: Body,
}

#[derive(Debug)]
pub(crate) enum Over {
    Segment(SegmentName),
    Repeats(Source),
    Groups(Vec<Vec<Source>>),
}

/// The left side of a row. Component and sub 0 stand for the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Field {
        segment: SegmentName,
        field: u16,
        repeat: Repeat,
        component: u8,
        sub: u8,
    },
    Cell {
        component: u8,
        sub: u8,
    },
    Member(u8),
    This,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    All,
    At(u16),
}

/// How a field's value becomes an element's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Convert {
    Text,
    /// The text with the separators that stand in it.
    Whole,
    Words,
    /// The number of an XTN that comes in parts: country, area, local, extension.
    Phone,
    /// The parts of an OBX-5 as words, in the order of its type.
    Readable,
    /// The comparator before a number: `<` of `<0.01`.
    Comparator,
    /// The number behind a comparator.
    Compared,
    /// The bytes of an ED, in Base64 whatever its encoding.
    Content,
    /// A PL in words: point of care, room, bed.
    Place,
    /// The repeats of a field as the lines of one text.
    Lines,
    /// The names of the concepts of all repeats, one after the other.
    Names,
    /// An id as a URN: `urn:oid:`, `urn:uuid:` before it where it is one.
    Urn(crate::values::universal::Kind),
    /// An ED's or RP's type of data and subtype as a MIME type.
    Media,
    Code,
    Date,
    DateTime,
    Instant,
    Time,
    Number,
    Integer,
    Uri,
    /// An HD as an address that need not be reachable.
    Endpoint,
    Base64,
    System,
    /// An HD whose parts begin at `first`: 1 of a component, 2 of an EI.
    Authority {
        assigner: bool,
        first: u8,
    },
    Codes(usize),
    /// A function of the dialect: a place in the program's functions.
    Function(usize),
    Type {
        map: usize,
        codes: Option<usize>,
    },
}

/// `message ORU_R01 -> Bundle`.
#[derive(Debug)]
pub(crate) struct MessageMap {
    pub(crate) items: Vec<Item>,
}

#[derive(Debug)]
pub(crate) enum Item {
    Group { name: String, items: Vec<Item> },
    Resource(ResourceItem),
}

#[derive(Debug)]
pub(crate) struct ResourceItem {
    pub(crate) id: RowId,
    pub(crate) places: Vec<SegmentPlace>,
    pub(crate) resource_type: &'static str,
    pub(crate) label: Arc<str>,
    pub(crate) when: Option<Condition>,
    pub(crate) maps: Vec<usize>,
    pub(crate) key: Key,
    pub(crate) ownership: Ownership,
    /// Segments that are lines of one text make one resource.
    pub(crate) lines: bool,
    pub(crate) links: Vec<Link>,
    pub(crate) sets: Vec<SetRow>,
    pub(crate) list: Option<Arc<ListSpec>>,
}

/// `end status = cancelled else active`
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) element: &'static str,
    pub(crate) value: Literal,
    pub(crate) again: Option<Literal>,
}

/// `snapshot of encounter else patient` and the lines that belong to it.
#[derive(Debug)]
pub(crate) struct ListSpec {
    pub(crate) id: RowId,
    pub(crate) within: Vec<Arc<str>>,
    pub(crate) when: Option<Condition>,
    pub(crate) ends: Vec<End>,
    pub(crate) none: Option<Condition>,
    pub(crate) ended: Option<Condition>,
}

#[derive(Clone, Debug)]
pub(crate) struct SegmentPlace {
    pub(crate) groups: Vec<String>,
    pub(crate) segment: SegmentName,
}

#[derive(Debug, Default)]
pub(crate) struct Key {
    pub(crate) alternatives: Vec<Vec<KeyPart>>,
    pub(crate) any_of: bool,
    /// From here on the alternatives count only where none before has a value.
    pub(crate) otherwise: Option<usize>,
    pub(crate) place_among_equals: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum KeyPart {
    Identifier,
    Label(Arc<str>),
    Source(Source),
    /// The first that has a value.
    FirstOf(Vec<Source>),
    /// The code of a system, in whichever triplet of the field it stands.
    Coded(Source, Box<str>),
    Day(Source),
}

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: RowId,
    pub(crate) target: Arc<Target>,
    pub(crate) is_list: bool,
    /// `diagnosis[*].condition`: the first goes into the first element that is there, and so on.
    pub(crate) pairs: bool,
    pub(crate) adds: bool,
    pub(crate) label: Arc<str>,
    pub(crate) when: Option<Condition>,
    /// FHIR asks for the element: where nothing is known, a new resource says that.
    pub(crate) required: bool,
}

/// The bit of part `n` in what accounts and cells keep: part 1 is bit 0.
pub(crate) fn part_bit(n: u8) -> u64 {
    let place = u32::from(n).wrapping_sub(1);
    1_u64.checked_shl(place).unwrap_or(0)
}

// === impl Program ===

impl Program {
    pub(crate) fn row(&self, id: RowId) -> Option<&RowInfo> {
        self.rows.get(id.0 as usize)
    }

    pub(crate) fn table(&self, place: usize) -> Option<&CodeTable> {
        self.tables.get(place)
    }

    pub(crate) fn type_map(&self, place: usize) -> Option<&TypeMap> {
        self.types.get(place)
    }
}

// === impl MapRow ===

impl MapRow {
    /// Is its source a field? Then `.n` in its condition is a component of that field, else of the
    /// value at hand.
    pub(crate) fn reads_field(&self) -> bool {
        matches!(self.sources.first(), Some(Source::Field { .. }))
    }
}

// === impl Repeat ===

impl Repeat {
    /// The one that is read where one value is wanted.
    pub(crate) fn first(self) -> u16 {
        match self {
            Self::All => 1,
            Self::At(number) => number,
        }
    }
}

// === impl Source ===

impl Source {
    /// The same of every repeat of its field.
    pub(crate) fn all_repeats(mut self) -> Self {
        if let Self::Field { repeat, .. } = &mut self {
            *repeat = Repeat::All;
        }
        self
    }

    /// The same of the first repeat, where it asks for each.
    pub(crate) fn first_repeat(mut self) -> Self {
        if let Self::Field {
            repeat: repeat @ Repeat::All,
            ..
        } = &mut self
        {
            *repeat = Repeat::At(1);
        }
        self
    }

    pub(crate) fn is_field(self) -> bool {
        matches!(self, Self::Field { .. })
    }

    /// Does it ask for each repeat of its field?
    pub(crate) fn is_each(self) -> bool {
        matches!(
            self,
            Self::Field {
                repeat: Repeat::All,
                ..
            }
        )
    }

    /// The component that it reads of the value at hand.
    pub(crate) fn cell_component(self) -> Option<u8> {
        match self {
            Self::Cell { component, .. } => Some(component),
            Self::Field { .. } | Self::Member(_) | Self::This => None,
        }
    }
}
