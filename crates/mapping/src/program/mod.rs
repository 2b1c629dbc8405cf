//! A map bound to the v2 dictionary and the FHIR definitions, ready to run.
//!
//! Invariants:
//! - no name is looked up and no path is parsed at run time: elements are `&'static str` from the
//!   definitions, types and tables are indices into vectors of the program;
//! - every row keeps the ID under which its file and line are found.

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
pub(crate) use target::{Discriminator, Element, Hop, Literal, Slice, Target, walk};

use crate::missing::Missing;
use crate::script::Script;
use crate::syntax::{Arrow, Ownership, Place};
use crate::values::number::Decimals;
use crate::visits::Visits;
use std::collections::HashMap;
use std::sync::Arc;

/// The ID of a map's row, to which lineage and reports point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub(crate) u32);

impl RowId {
    /// No row: something that HL7 itself defines and no map has to.
    pub const NONE: Self = Self(u32::MAX);
}

/// The position of a row.
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

/// The program of one dialect.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) rows: Vec<RowInfo>,
    pub(crate) segments: Vec<SegmentMap>,
    pub(crate) types: Vec<TypeMap>,
    pub(crate) tables: Vec<CodeTable>,
    pub(crate) functions: Vec<Function>,
    pub(crate) messages: HashMap<String, Arc<MessageMap>>,
    pub(crate) systems: Systems,
    /// The elements present with a reason if no field supplied them, by resource type.
    pub(crate) missing: Table<&'static str, Arc<[Missing]>>,
    /// The assigning authorities: name and URI.
    pub(crate) authorities: Vec<(String, String)>,
    pub(crate) zone: Option<String>,
    /// The types of PID-3 that name this source's patients, if its dialect states them.
    pub(crate) patient_numbers: Option<Vec<String>>,
    /// How the source's visits without a number are identified.
    pub(crate) visits: Visits,
    /// The meaning of a comma in the source's numbers.
    pub(crate) decimals: Decimals,
}

/// A function as a row calls it.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) forward: Arc<Script>,
    pub(crate) back: Option<Arc<Script>>,
    /// The converter that reads the function's result: that of the element's own type.
    pub(crate) then: Convert,
}

/// A segment map: `segment PID <-> Patient`.
#[derive(Debug)]
pub(crate) struct SegmentMap {
    pub(crate) segments: Vec<SegmentName>,
    pub(crate) body: Body,
    pub(crate) spot: RowId,
}

/// A type map: `type CX <-> Identifier`.
#[derive(Debug)]
pub(crate) struct TypeMap {
    pub(crate) name: String,
    pub(crate) body: Body,
    /// The type is a unit: `10^3/uL` is one unit, not two components.
    pub(crate) joins_powers: bool,
    pub(crate) spot: RowId,
}

/// The rows of a map or of an `each`.
#[derive(Debug, Default)]
pub(crate) struct Body {
    pub(crate) fhir_type: &'static str,
    pub(crate) rows: Vec<Row>,
    /// One need for each row: see [`Body::settle`].
    pub(crate) needs: Vec<Need>,
    /// The segments that the needs refer to.
    pub(crate) segments: Vec<SegmentName>,
    /// Constants of the message, used going back.
    pub(crate) written: Vec<FieldConstant>,
}

/// A constant of the message: `set OBX-11 = F when …`.
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
    /// The row's source is a field whose type is named by another field: OBX-5.
    pub(crate) varies: bool,
    pub(crate) when: Option<Condition>,
    /// The condition reads only fields, so it has the same result for each value and is evaluated
    /// once.
    pub(crate) when_first: bool,
    pub(crate) when_resource: Option<ResourceCondition>,
    /// The number of hops to what `when_resource` reads: the element, or the parent of a primitive.
    pub(crate) resource_base: usize,
    pub(crate) otherwise: Option<String>,
    pub(crate) report: bool,
    pub(crate) reference: Option<ReferenceSpec>,
    /// `otherwise assigner`: the place for the name of an unregistered authority.
    pub(crate) assigner: Option<Target>,
    /// A bit for each component that the row does not see.
    pub(crate) hidden: u64,
    /// The words of several places, in groups that are kept or omitted together. Empty if the row
    /// joins nothing.
    pub(crate) joined: Vec<Vec<Piece>>,
}

/// A piece of a joined text.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    /// A field or a part of one; `whole` if the dictionary gives it no components.
    Source {
        source: Source,
        whole: bool,
    },
    Text(Box<str>),
}

/// The part of its source that a row reads as a text: separators in a text belong to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TextPart {
    /// The row reads no text.
    #[default]
    None,
    /// The whole source is a text.
    Whole,
    /// The first component is a text.
    First,
}

/// A reference with its key: `=> Practitioner : XCN`.
#[derive(Debug)]
pub(crate) struct ReferenceSpec {
    pub(crate) resource_type: &'static str,
    /// The type map; `None` if the rows below are enough.
    pub(crate) type_map: Option<usize>,
    pub(crate) keys: Vec<Vec<ReferenceKeyPart>>,
    /// The key is within the current value: equal values mean the same resource.
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

/// The left side of a row. Component 0 and sub 0 mean the whole.
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

/// How a field's value becomes an element's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Convert {
    Text,
    /// The text including its separators.
    Whole,
    Words,
    /// The number of an XTN that comes in parts: country, area, local, extension.
    Phone,
    /// The parts of an OBX-5 as words, in the order of its type.
    Readable,
    /// The comparator before a number: `<` of `<0.01`.
    Comparator,
    /// The number after a comparator.
    Compared,
    /// The bytes of an ED, in Base64 whatever the original encoding.
    Content,
    /// A PL in words: point of care, room, bed.
    Place,
    /// The repeats of a field as the lines of one text.
    Lines,
    /// The names of the concepts of all repeats, in order.
    Names,
    /// An ID as a URN, prefixed with `urn:oid:` or `urn:uuid:` if it is one.
    Urn(crate::values::universal::Kind),
    /// The type of data and subtype of an ED or RP as a MIME type.
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
    /// A function of the dialect: an index into the program's functions.
    Function(usize),
    Type {
        map: usize,
        codes: Option<usize>,
    },
}

/// A message map: `message ORU_R01 -> Bundle`.
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

/// The change to an entry that is no longer listed: `end status = cancelled else active`.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) element: &'static str,
    pub(crate) value: Literal,
    pub(crate) again: Option<Literal>,
}

/// A list: `snapshot of encounter else patient` and the lines that belong to it.
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
    /// The index from which the alternatives count only if no earlier one has a value.
    pub(crate) otherwise: Option<usize>,
    pub(crate) place_among_equals: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum KeyPart {
    Identifier,
    Label(Arc<str>),
    Source(Source),
    /// The first source that has a value.
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
    /// `diagnosis[*].condition`: the first reference goes into the first existing element, and so
    /// on.
    pub(crate) pairs: bool,
    pub(crate) adds: bool,
    pub(crate) label: Arc<str>,
    pub(crate) when: Option<Condition>,
    /// FHIR requires the element: if nothing is known, a new resource says so.
    pub(crate) required: bool,
}

/// Returns the bit of part `n` in accounts and cells: part 1 is bit 0.
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
    /// Returns whether the row's source is a field. If so, `.n` in its condition is a component of
    /// that field, otherwise of the current value.
    pub(crate) fn reads_field(&self) -> bool {
        matches!(self.sources.first(), Some(Source::Field { .. }))
    }
}

// === impl Repeat ===

impl Repeat {
    /// Returns the repeat that is read if one value is wanted.
    pub(crate) fn first(self) -> u16 {
        match self {
            Self::All => 1,
            Self::At(number) => number,
        }
    }
}

// === impl Source ===

impl Source {
    /// Returns the same source for every repeat of its field.
    pub(crate) fn all_repeats(mut self) -> Self {
        if let Self::Field { repeat, .. } = &mut self {
            *repeat = Repeat::All;
        }
        self
    }

    /// Returns the same source for the first repeat, if it asks for each.
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

    /// Returns whether the source asks for each repeat of its field.
    pub(crate) fn is_each(self) -> bool {
        matches!(
            self,
            Self::Field {
                repeat: Repeat::All,
                ..
            }
        )
    }

    /// Returns the component of the current value that the source reads.
    pub(crate) fn cell_component(self) -> Option<u8> {
        match self {
            Self::Cell { component, .. } => Some(component),
            Self::Field { .. } | Self::Member(_) | Self::This => None,
        }
    }
}
