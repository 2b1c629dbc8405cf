//! Parses bytes into a tree, in one pass after the UTF-8 check.

use super::{
    Document, ESCAPED, JsonError, JsonErrorKind, Kind, MAX_DEPTH, NAME_ESCAPED, NAMED, Node, Slot,
    Tree, UNDERSCORE, name, text,
};
use JsonErrorKind as Fault;
use base::Issue;
use std::collections::HashSet;
use std::sync::Arc;

/// Number of fields above which duplicate names are detected with a set.
const MANY_FIELDS: usize = 32;

struct Parser<'s> {
    source: &'s [u8],
    text: &'s str,
    at: usize,
    slots: Vec<Slot>,
    escaped_names: Vec<(u32, Box<str>)>,
    /// Nodes whose name already occurred in the same object.
    duplicates: Vec<u32>,
}

/// The names seen in an object.
#[derive(Default)]
struct Seen {
    n_fields: usize,
    /// One bit per hashed name: no bit set, no duplicate.
    bits: u64,
    maybe_duplicate: bool,
    underscore: bool,
}

type Parsed<T> = Result<T, (Fault, usize)>;

pub(super) fn parse(bytes: &[u8]) -> Result<Document, JsonError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| JsonError::at(Fault::NotUtf8, bytes, error.valid_up_to()))?;
    if u32::try_from(bytes.len()).is_err() {
        return Err(JsonError::at(Fault::TooLong, bytes, 0));
    }
    let mut parser = Parser {
        source: bytes,
        text,
        at: 0,
        slots: Vec::with_capacity(bytes.len() / 24 + 4),
        escaped_names: Vec::new(),
        duplicates: Vec::new(),
    };
    parser
        .document()
        .map_err(|(kind, offset)| JsonError::at(kind, bytes, offset))?;
    let Parser {
        slots,
        escaped_names,
        duplicates,
        ..
    } = parser;
    let tree = Tree {
        source: text.into(),
        slots,
        escaped_names,
        issues: Vec::new(),
    };
    let document = Document(Arc::new(tree));
    if duplicates.is_empty() {
        Ok(document)
    } else {
        Ok(with_issues(document, &duplicates))
    }
}

fn with_issues(document: Document, duplicates: &[u32]) -> Document {
    let issue = |&index: &u32| {
        let path = document.path_of(Node::new(&document, index));
        Issue::error(
            "structure",
            path,
            "this name occurs twice in its object; send it once",
        )
    };
    let issues: Vec<Issue> = duplicates.iter().take(100).map(issue).collect();
    match Arc::try_unwrap(document.0) {
        Ok(tree) => Document(Arc::new(Tree { issues, ..tree })),
        Err(shared) => Document(shared),
    }
}

// === impl Parser ===

impl Parser<'_> {
    fn document(&mut self) -> Parsed<()> {
        self.space();
        if self.at == self.source.len() {
            return Err((Fault::Empty, self.at));
        }
        self.value(0, Slot::NOTHING)?;
        self.space();
        if self.at < self.source.len() {
            Err((Fault::Trailing, self.at))
        } else {
            Ok(())
        }
    }

    fn peek(&self) -> Option<u8> {
        self.source.get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// Reads a value into a new slot that starts out as `slot` (with its name).
    fn value(&mut self, depth: usize, mut slot: Slot) -> Parsed<()> {
        let start = self.at;
        let index = self.slots.len();
        slot.start = start as u32;
        self.slots.push(slot);
        let (kind, flags) = match self.peek() {
            None => return Err((Fault::Unfinished, self.at)),
            Some(b'"') => {
                self.at += 1;
                let escaped = self.string()?;
                (Kind::String, if escaped { ESCAPED } else { 0 })
            }
            Some(b'{') => {
                self.object(depth + 1, index)?;
                (Kind::Object, 0)
            }
            Some(b'[') => {
                self.array(depth + 1)?;
                (Kind::Array, 0)
            }
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                (Kind::Number, 0)
            }
            Some(b't') => (self.word(b"true")?, 0),
            Some(b'f') => (self.word(b"false")?, 0),
            Some(b'n') => {
                self.word(b"null")?;
                (Kind::Null, 0)
            }
            Some(_) => return Err((Fault::ExpectedValue, self.at)),
        };
        let next = self.slots.len() as u32;
        if let Some(slot) = self.slots.get_mut(index) {
            slot.end = self.at as u32;
            slot.next = next;
            slot.kind = kind;
            slot.flags |= flags;
        }
        Ok(())
    }

    fn word(&mut self, word: &[u8]) -> Parsed<Kind> {
        if self.source.get(self.at..self.at + word.len()) == Some(word) {
            self.at += word.len();
            return Ok(Kind::Bool);
        }
        Err((Fault::ExpectedValue, self.at))
    }

    fn array(&mut self, depth: usize) -> Parsed<()> {
        self.enter(depth)?;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(depth, Slot::NOTHING)?;
            self.space();
            if self.comma_or(b']')? {
                return Ok(());
            }
        }
    }

    fn object(&mut self, depth: usize, index: usize) -> Parsed<()> {
        self.enter(depth)?;
        let mut seen = Seen::default();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            let slot = self.name(&mut seen)?;
            self.space();
            if self.peek() != Some(b':') {
                return Err((self.fault(Fault::ExpectedColon), self.at));
            }
            self.at += 1;
            self.space();
            self.value(depth, slot)?;
            self.space();
            if self.comma_or(b'}')? {
                break;
            }
        }
        if seen.maybe_duplicate {
            self.find_duplicates(index, seen.n_fields);
        }
        if seen.underscore {
            self.pair(index);
        }
        Ok(())
    }

    fn enter(&mut self, depth: usize) -> Parsed<()> {
        if MAX_DEPTH < depth {
            return Err((Fault::TooDeep, self.at));
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    /// Consumes `,` and the space after it (false) or the closing bracket (true).
    fn comma_or(&mut self, end: u8) -> Parsed<bool> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.space();
                Ok(false)
            }
            Some(b) if b == end => {
                self.at += 1;
                Ok(true)
            }
            _ => Err((self.fault(Fault::ExpectedCommaOrEnd), self.at)),
        }
    }

    fn fault(&self, fault: Fault) -> Fault {
        if self.at < self.source.len() {
            fault
        } else {
            Fault::Unfinished
        }
    }

    fn name(&mut self, seen: &mut Seen) -> Parsed<Slot> {
        if self.peek() != Some(b'"') {
            return Err((self.fault(Fault::ExpectedName), self.at));
        }
        self.at += 1;
        let start = self.at;
        let escaped = self.string()?;
        let written = self.source.get(start..self.at - 1).unwrap_or_default();
        let mut slot = Slot {
            name: start as u32,
            flags: NAMED,
            ..Slot::NOTHING
        };
        let decoded: Option<String> =
            escaped.then(|| text::unescape(self.text.get(start..self.at - 1).unwrap_or_default()));
        let bytes = decoded.as_deref().map_or(written, str::as_bytes);
        let plain = bytes.strip_prefix(b"_").unwrap_or(bytes);
        if plain.len() < bytes.len() {
            slot.flags |= UNDERSCORE;
            seen.underscore = true;
        }
        slot.symbol = name::number_of(plain);
        seen.note(slot, bytes);
        if let Some(decoded) = decoded {
            slot.flags |= NAME_ESCAPED;
            self.escaped_names.push((start as u32, decoded.into()));
        }
        Ok(slot)
    }

    /// Consumes the rest of a string after its opening quote; returns whether it has escapes.
    fn string(&mut self) -> Parsed<bool> {
        let mut escaped = false;
        loop {
            self.at += plain_run(self.source.get(self.at..).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return Err((Fault::ControlCharacter, self.at)),
                None => return Err((Fault::Unfinished, self.at)),
            }
        }
    }

    fn escape(&mut self) -> Parsed<()> {
        let bad = (Fault::BadEscape, self.at);
        match self.source.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let high = text::hex4(self.source.get(self.at + 2..).unwrap_or_default());
                let high = high.ok_or(bad)?;
                self.at += 6;
                if char::from_u32(high).is_none() {
                    let rest = self.source.get(self.at..).unwrap_or_default();
                    let low = rest.strip_prefix(b"\\u").and_then(text::hex4).ok_or(bad)?;
                    text::surrogates(high, low).ok_or(bad)?;
                    self.at += 6;
                }
            }
            Some(_) => return Err(bad),
            None => return Err((Fault::Unfinished, self.source.len())),
        }
        Ok(())
    }

    fn number(&mut self) -> Parsed<()> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        match self.peek() {
            Some(b'0'..=b'9' | b'.' | b'+' | b'-' | b'e' | b'E') => {
                Err((Fault::BadNumber, self.at))
            }
            _ => Ok(()),
        }
    }

    /// Consumes one or more digits.
    fn digits(&mut self) -> Parsed<()> {
        let from = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if from == self.at {
            Err((self.fault(Fault::BadNumber), self.at))
        } else {
            Ok(())
        }
    }

    // --- relations between the fields of an object ---

    /// Iterates over the indices of the children of the object at `index`, whose slot is not closed
    /// yet.
    fn child_indexes(&self, index: usize) -> impl Iterator<Item = u32> + '_ {
        let end = self.slots.len() as u32;
        std::iter::successors(Some(index as u32 + 1), |&at| {
            self.slots.get(at as usize).map(|slot| slot.next)
        })
        .take_while(move |&at| at < end)
    }

    fn written_name(&self, slot: &Slot) -> &str {
        if slot.flags & NAME_ESCAPED != 0 {
            let found = self
                .escaped_names
                .binary_search_by_key(&slot.name, |(at, _)| *at)
                .ok();
            return found
                .and_then(|idx| self.escaped_names.get(idx))
                .map_or("", |(_, n)| n);
        }
        let rest = self
            .text
            .get(slot.name as usize..slot.start as usize)
            .unwrap_or_default();
        rest.split_once('"').map_or(rest, |(name, _)| name)
    }

    fn find_duplicates(&mut self, index: usize, n_fields: usize) {
        let mut found = Vec::new();
        let mut names: HashSet<&str> = HashSet::with_capacity(n_fields.min(1 << 16));
        for at in self.child_indexes(index) {
            let Some(slot) = self.slots.get(at as usize) else {
                break;
            };
            if !names.insert(self.written_name(slot)) {
                found.push(at);
            }
        }
        self.duplicates.append(&mut found);
    }

    /// Links each `x` to its `_x`, and their items if they are arrays.
    fn pair(&mut self, index: usize) {
        let fields: Vec<u32> = self.child_indexes(index).collect();
        let mut pairs = Vec::new();
        for &at in &fields {
            let Some(extension) = self.slots.get(at as usize) else {
                break;
            };
            if extension.flags & UNDERSCORE == 0 {
                continue;
            }
            // Unknown names are not paired in very large objects: nobody needs it, and it would be
            // slow.
            if extension.symbol == 0 && MANY_FIELDS < fields.len() {
                continue;
            }
            let wanted = self.written_name(extension).get(1..).unwrap_or_default();
            let partner = fields.iter().copied().find(|&other| {
                self.slots.get(other as usize).is_some_and(|slot| {
                    slot.flags & UNDERSCORE == 0
                        && slot.symbol == extension.symbol
                        && (slot.symbol != 0 || self.written_name(slot) == wanted)
                })
            });
            pairs.extend(partner.map(|partner| (partner, at)));
        }
        for (value, extension) in pairs {
            self.tie(value, extension);
        }
    }

    fn tie(&mut self, value: u32, extension: u32) {
        let kind_of = |at: u32| self.slots.get(at as usize).map(|slot| slot.kind);
        let both = kind_of(value) == Some(Kind::Array) && kind_of(extension) == Some(Kind::Array);
        if let Some(slot) = self.slots.get_mut(value as usize) {
            slot.pair = extension;
        }
        if !both {
            return;
        }
        let (mut item, mut beside) = (value + 1, extension + 1);
        let end_of = |slots: &[Slot], at: u32| slots.get(at as usize).map_or(0, |slot| slot.next);
        let (end, beside_end) = (end_of(&self.slots, value), end_of(&self.slots, extension));
        while item < end && beside < beside_end {
            let (after_item, after_beside) =
                (end_of(&self.slots, item), end_of(&self.slots, beside));
            if let Some(slot) = self.slots.get_mut(item as usize) {
                slot.pair = beside;
            }
            (item, beside) = (after_item, after_beside);
        }
    }
}

// === impl Seen ===

impl Seen {
    fn note(&mut self, slot: Slot, name: &[u8]) {
        let underscore = u32::from(slot.flags & UNDERSCORE);
        let hashed = match slot.symbol {
            0 => name
                .iter()
                .fold(underscore, |sum, &b| sum.wrapping_mul(31) + u32::from(b)),
            symbol => u32::from(symbol) * 3 + underscore,
        };
        let bit = 1_u64 << (hashed.wrapping_mul(0x9E37_79B1) >> 26);
        self.maybe_duplicate |= self.bits & bit != 0;
        self.bits |= bit;
        self.n_fields += 1;
    }
}

/// Returns the number of bytes from the start of `bytes` that need no special handling in a string.
fn plain_run(bytes: &[u8]) -> usize {
    let mut n = 0;
    let mut words = bytes.chunks_exact(8);
    for word in words.by_ref() {
        let Some(word) = word
            .first_chunk::<8>()
            .map(|word| u64::from_le_bytes(*word))
        else {
            break;
        };
        let special = special_bits(word);
        if special != 0 {
            return n + (special.trailing_zeros() / 8) as usize;
        }
        n += 8;
    }
    let plain = |&&b: &&u8| 0x20 <= b && b != b'"' && b != b'\\';
    n + words.remainder().iter().take_while(plain).count()
}

/// Returns the high bit of the first byte that is a quote, a backslash or a control character; bits
/// of later bytes may be wrong.
fn special_bits(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = ONES << 7;
    let zero_in = |x: u64| x.wrapping_sub(ONES) & !x & HIGHS;
    let quote = zero_in(word ^ (ONES * u64::from(b'"')));
    let backslash = zero_in(word ^ (ONES * u64::from(b'\\')));
    let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
    quote | backslash | control
}
