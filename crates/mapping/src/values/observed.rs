//! Determines how OBX-5 is read: by the type that OBX-2 names if the value conforms to it,
//! otherwise by its content.
//!
//! Facts: HL7 v2 7.4.2.2 (OBX-2), 7.4.2.5 (OBX-5), 2A (the types). Invariants: every value that was
//! sent is read in some way; a text is never turned into a number by guessing.

use super::number;
use super::time;
use crate::forward::cell::{Cell, Origin, Reading};
use hl7v2::Dictionary;

/// A comparator and a number in one text: `<0.01`.
pub(crate) const COMPARED: &[u8] = b"compared";
/// Parts that have no element of their own and are joined in reading order.
pub(crate) const WORDS: &[u8] = b"words";
const TEXT: &[u8] = b"ST";

/// The type as which a value is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Observed<'m> {
    /// The type that conditions see as OBX-2.
    pub(crate) kind: &'m [u8],
    /// The reason that the type differs from OBX-2, if it does.
    pub(crate) why: Option<Reason>,
}

/// The reason that a value is not read as OBX-2 says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A comparator precedes a number.
    Compared,
    /// The value does not conform to the declared type.
    Mismatch,
    /// A text contains a document.
    Document,
    /// OBX-2 is empty or names no type.
    Unnamed,
    /// FHIR has no such value type.
    NoElement,
}

// === impl Reason ===

impl Reason {
    /// Describes the reason.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Compared => "a comparator precedes the number: both were read",
            Self::Mismatch => {
                "the value does not conform to the type in OBX-2: kept as it was sent"
            }
            Self::Document => "the text contains a document: read as a document",
            Self::Unnamed => "OBX-2 names no type: read by its content",
            Self::NoElement => "FHIR has no value with the parts of this type: kept as words",
        }
    }
}

// === impl Observed ===

impl<'m> Observed<'m> {
    /// A text of several lines.
    pub(crate) const TEXT: Self = Self {
        kind: b"TX",
        why: None,
    };

    fn new(kind: &'m [u8], why: Option<Reason>) -> Self {
        Self { kind, why }
    }

    fn mismatch() -> Self {
        Self::new(TEXT, Some(Reason::Mismatch))
    }

    /// Determines the type from a whole OBX-2 and a whole OBX-5.
    pub(crate) fn of(declared: &'m [u8], field: &'m [u8], reading: &Reading) -> Self {
        let value = Values { field, reading };
        if value.is_empty() {
            return Self::new(declared, None);
        }
        match declared {
            b"NM" | b"SI" => value.number(),
            b"ST" | b"TX" | b"FT" => value.text(declared),
            b"SN" => value.structured(),
            b"CWE" | b"CE" | b"CNE" | b"CF" | b"IS" | b"ID" | b"RP" | b"ED" => {
                Self::new(declared, None)
            }
            b"TS" | b"DTM" | b"DT" => value.time(declared),
            b"TM" => value.time_of_day(),
            b"DR" => value.pair(declared, |text| time::read(text).is_ok()),
            b"NR" => value.pair(declared, |text| number::is_number(text, reading.decimals)),
            b"CQ" => value.composite_quantity(),
            b"NA" | b"MA" => Self::new(TEXT, Some(Reason::NoElement)),
            _ if has_parts(declared) => Self::new(WORDS, Some(Reason::NoElement)),
            _ if is_type(declared) => Self::new(TEXT, None),
            _ => value.unnamed(),
        }
    }
}

/// Returns whether the type has components.
fn has_parts(declared: &[u8]) -> bool {
    let name = std::str::from_utf8(declared).unwrap_or_default();
    Dictionary::newest_component(name, 1).is_some()
}

/// Returns whether the type is a single-part type that FHIR keeps as a text.
fn is_type(declared: &[u8]) -> bool {
    matches!(declared, b"TN" | b"GTS" | b"NUL" | b"STRING")
}

/// All repeats of OBX-5.
#[derive(Clone, Copy)]
struct Values<'a, 'm> {
    field: &'m [u8],
    reading: &'a Reading,
}

// === impl Values ===

impl<'m> Values<'_, 'm> {
    /// Returns the repeats. If the first is empty, the repeat separator precedes a number (`~5`)
    /// and is text.
    fn repeats(self) -> impl Iterator<Item = Cell<'m>> {
        let repeat = self.reading.delimiters.repeat;
        let is_text = self.field.first() == Some(&repeat);
        let parts = self.field.split(move |byte| *byte == repeat && !is_text);
        parts.map(|raw| Cell::new(raw, Origin::default()))
    }

    fn valued(self) -> impl Iterator<Item = Cell<'m>> {
        let reading = self.reading;
        self.repeats().filter(move |cell| !cell.is_empty(reading))
    }

    fn is_empty(self) -> bool {
        self.field == b"\"\"" || self.valued().next().is_none()
    }

    /// Returns the value if there is exactly one.
    fn single(self) -> Option<Cell<'m>> {
        let mut all = self.valued();
        let first = all.next()?;
        all.next().is_none().then_some(first)
    }

    fn is_number(self, cell: Cell<'_>) -> bool {
        !cell.is_divided(self.reading)
            && number::is_number(&cell.plain(self.reading), self.reading.decimals)
    }

    fn is_compared(self, cell: Cell<'_>) -> bool {
        !cell.is_divided(self.reading)
            && number::split_comparator(&cell.plain(self.reading), self.reading.decimals).is_some()
    }

    fn number(self) -> Observed<'m> {
        if self.valued().all(|cell| self.is_number(cell)) {
            return Observed::new(b"NM", None);
        }
        match self.single() {
            Some(cell) if self.is_compared(cell) => Observed::new(COMPARED, Some(Reason::Compared)),
            _ => Observed::mismatch(),
        }
    }

    /// Reads a text, which may contain a document: a sender who embeds one expects it to be opened.
    fn text(self, declared: &'m [u8]) -> Observed<'m> {
        match self.single() {
            Some(cell) if super::media::is_document(cell, self.reading) => {
                Observed::new(b"ED", Some(Reason::Document))
            }
            _ => Observed::new(declared, None),
        }
    }

    fn structured(self) -> Observed<'m> {
        let Some(cell) = self.single() else {
            return Observed::new(WORDS, Some(Reason::NoElement));
        };
        let part = |n| cell.part(n, self.reading).plain(self.reading);
        let (sign, first, between, second) = (part(1), part(2), part(3), part(4));
        let is_number = |text: &str| number::is_number(text, self.reading.decimals);
        let known = matches!(&*sign, "" | "<" | ">" | "<=" | ">=" | "=" | "<>");
        match (&*sign, &*between) {
            ("" | "<" | ">" | "<=" | ">=" | "=", "") if is_number(&first) && second.is_empty() => {
                Observed::new(b"SN", None)
            }
            ("", "-" | ":" | "/") if is_number(&first) && is_number(&second) => {
                Observed::new(b"SN", None)
            }
            _ if self.is_number(cell) => Observed::new(b"NM", Some(Reason::Mismatch)),
            _ if self.is_compared(cell) => Observed::new(COMPARED, Some(Reason::Compared)),
            _ => {
                let all = [&first, &second];
                let numbers = all.iter().all(|text| text.is_empty() || is_number(text));
                let why = (!known || !numbers).then_some(Reason::Mismatch);
                Observed::new(WORDS, why)
            }
        }
    }

    fn time(self, declared: &'m [u8]) -> Observed<'m> {
        let fits = |cell: Cell<'_>| time::read(&cell.plain(self.reading)).is_ok();
        if self.valued().all(fits) {
            Observed::new(declared, None)
        } else {
            Observed::mismatch()
        }
    }

    fn time_of_day(self) -> Observed<'m> {
        match self.single() {
            Some(cell) if time::time(&cell.plain(self.reading)).is_ok() => {
                Observed::new(b"TM", None)
            }
            Some(cell) if time::read(&cell.plain(self.reading)).is_ok() => {
                Observed::new(b"TS", Some(Reason::Mismatch))
            }
            _ => Observed::mismatch(),
        }
    }

    fn pair(self, declared: &'m [u8], fits: impl Fn(&str) -> bool) -> Observed<'m> {
        let Some(cell) = self.single() else {
            return Observed::new(WORDS, Some(Reason::NoElement));
        };
        let mut parts = [1, 2]
            .map(|n| cell.part(n, self.reading).plain(self.reading))
            .into_iter();
        if parts.all(|text| text.is_empty() || fits(&text)) {
            Observed::new(declared, None)
        } else {
            Observed::new(WORDS, Some(Reason::Mismatch))
        }
    }

    fn composite_quantity(self) -> Observed<'m> {
        match self.single() {
            Some(cell) if self.is_number(cell.part(1, self.reading)) => Observed::new(b"CQ", None),
            Some(_) => Observed::new(WORDS, Some(Reason::Mismatch)),
            None => Observed::new(WORDS, Some(Reason::NoElement)),
        }
    }

    /// Determines the type when OBX-2 says nothing.
    fn unnamed(self) -> Observed<'m> {
        let why = Some(Reason::Unnamed);
        let Some(cell) = self.single() else {
            let numbers = self.valued().all(|cell| self.is_number(cell));
            return Observed::new(if numbers { b"NM" } else { TEXT }, why);
        };
        if super::media::is_document(cell, self.reading) {
            return Observed::new(b"ED", why);
        }
        if !cell.is_divided(self.reading) {
            return match () {
                () if self.is_number(cell) => Observed::new(b"NM", why),
                () if self.is_compared(cell) => Observed::new(COMPARED, why),
                () => Observed::new(TEXT, why),
            };
        }
        if matches!(self.structured(), Observed { kind: b"SN", .. }) {
            return Observed::new(b"SN", why);
        }
        // A code, its text and its coding system.
        let coded = [1, 2, 3].map(|n| !cell.part(n, self.reading).is_empty(self.reading));
        let coded = matches!(coded, [true, _, true] | [false, true, true]);
        Observed::new(if coded { b"CWE" } else { TEXT }, why)
    }
}

/// Joins the parts of a value in reading order.
pub(crate) fn words(declared: &[u8], cell: Cell<'_>, reading: &Reading) -> String {
    let (order, between): (&[u8], &str) = match declared {
        b"SN" => (&[1, 2, 3, 4], ""),
        b"NR" | b"DR" => (&[1, 2], " - "),
        b"PN" | b"XPN" | b"PPN" => (&[5, 2, 3, 1, 4, 6], " "),
        b"CN" | b"XCN" | b"CNN" => (&[6, 3, 4, 2, 5, 7, 1], " "),
        b"TN" | b"XTN" => (&[1, 4, 5, 6, 7, 8, 9, 12], " "),
        _ => (&[], ", "),
    };
    let mut said: Vec<String> = Vec::new();
    let mut say = |part: Cell<'_>| {
        // A part that has subparts is the join of those.
        let texts = part.parts(reading).map(|part| part.plain(reading));
        let texts: Vec<String> = texts
            .filter(|text| !text.is_empty())
            .map(Into::into)
            .collect();
        if !texts.is_empty() {
            said.push(texts.join(" "));
        }
    };
    for n in order {
        say(cell.part(*n, reading));
    }
    for (n, part) in (1..=u8::MAX).zip(cell.parts(reading)) {
        if !order.contains(&n) {
            say(part);
        }
    }
    said.join(between)
}
