//! Segments under construction.

use crate::program::SegmentName;
use hl7v2::{Charset, Delimiters, Dictionary, escape};

/// A repeat, component or subcomponent: a text, or parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OutCell {
    pub(crate) text: String,
    pub(crate) parts: Vec<OutCell>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct OutSegment {
    pub(crate) name: SegmentName,
    /// Repeats by field, starting with field 1.
    pub(crate) fields: Vec<Vec<OutCell>>,
    /// The rank in the order of the enclosing group.
    pub(crate) rank: usize,
}

// === impl OutCell ===

impl OutCell {
    pub(crate) fn of(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            parts: Vec::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty() && self.parts.iter().all(Self::is_empty)
    }

    /// Returns the text of the first part.
    pub(crate) fn plain(&self) -> &str {
        match self.parts.first() {
            Some(first) => first.plain(),
            None => &self.text,
        }
    }

    /// Returns the date of a date and time: a DT (2A.3.21) contains nothing more.
    fn day(&self) -> Option<&str> {
        let (day, rest) = self.text.split_at_checked(8)?;
        let is_time = self.parts.is_empty() && rest.starts_with(|c: char| c.is_ascii_digit());
        (is_time && day.bytes().all(|byte| byte.is_ascii_digit())).then_some(day)
    }

    pub(crate) fn part(&self, n: u8) -> Option<&Self> {
        match n {
            0 => Some(self),
            1 if self.parts.is_empty() => Some(self),
            n => self.parts.get(usize::from(n) - 1),
        }
    }

    /// Returns part `n`, created if absent; part 0 is the whole.
    pub(crate) fn part_mut(&mut self, n: u8) -> &mut Self {
        if n == 0 {
            return self;
        }
        if self.parts.is_empty() {
            let text = std::mem::take(&mut self.text);
            self.parts.push(Self::of(text));
        }
        let place = usize::from(n) - 1;
        while self.parts.len() <= place {
            self.parts.push(Self::default());
        }
        #[expect(clippy::indexing_slicing, reason = "grown to hold it just above")]
        &mut self.parts[place]
    }

    /// Takes the parts of `other` that are empty here.
    pub(crate) fn merge(&mut self, other: Self) {
        if self.is_empty() {
            *self = other;
            return;
        }
        if other.parts.is_empty() {
            if self.plain().is_empty() {
                self.part_mut(1).text = other.text;
            }
            return;
        }
        for (place, part) in other.parts.into_iter().enumerate().take(255) {
            if !part.is_empty() {
                self.part_mut(place as u8 + 1).merge(part);
            }
        }
    }

    fn write(&self, level: usize, formatted: bool, pen: &Pen, out: &mut Vec<u8>) {
        let Some(separator) = pen.separators.get(level) else {
            out.extend(pen.escape(self.plain(), formatted));
            return;
        };
        if self.parts.is_empty() {
            out.extend(pen.escape(&self.text, formatted));
            return;
        }
        let last = self.parts.iter().rposition(|part| !part.is_empty());
        for (place, part) in self
            .parts
            .iter()
            .enumerate()
            .take(last.map_or(0, |last| last + 1))
        {
            if place != 0 {
                out.push(*separator);
            }
            part.write(level + 1, formatted, pen, out);
        }
    }
}

/// The delimiters and escapes used for writing.
#[derive(Debug)]
pub(crate) struct Pen {
    delimiters: Delimiters,
    separators: [u8; 2],
}

// === impl Pen ===

impl Pen {
    pub(crate) fn new(delimiters: Delimiters) -> Self {
        Self {
            separators: [delimiters.component, delimiters.subcomponent],
            delimiters,
        }
    }

    /// Escapes a text. Formatting commands are for formatted text (2.7.6); in any other type a line
    /// break is escaped like other characters that cannot stand for themselves.
    fn escape(&self, text: &str, formatted: bool) -> Vec<u8> {
        if formatted && text.contains('\n') {
            return escape::escape_formatted(text, &self.delimiters, Charset::UTF_8);
        }
        escape::escape(text, &self.delimiters, Charset::UTF_8)
    }

    /// Writes the segment without its terminator.
    pub(crate) fn segment(&self, segment: &OutSegment) -> Vec<u8> {
        let mut out = segment.name.to_vec();
        let is_header = &segment.name == b"MSH";
        let has = |repeats: &Vec<OutCell>| repeats.iter().any(|cell| !cell.is_empty());
        let last = segment
            .fields
            .iter()
            .rposition(has)
            .map_or(0, |last| last + 1);
        if is_header {
            out.push(self.delimiters.field);
            out.extend(self.delimiters.encoding_characters());
        }
        let skip = if is_header { 2 } else { 0 };
        for (number, repeats) in (1..).zip(&segment.fields).take(last).skip(skip) {
            out.push(self.delimiters.field);
            let datatype = segment.datatype(number);
            let formatted = datatype == Some("FT");
            let n_repeats = repeats.iter().rposition(|cell| !cell.is_empty());
            for (place, cell) in repeats
                .iter()
                .enumerate()
                .take(n_repeats.map_or(0, |n| n + 1))
            {
                if place != 0 {
                    out.push(self.delimiters.repeat);
                }
                match cell.day().filter(|_| datatype == Some("DT")) {
                    Some(day) => out.extend(day.as_bytes()),
                    None => cell.write(0, formatted, self, &mut out),
                }
            }
        }
        out
    }
}

// === impl OutSegment ===

impl OutSegment {
    pub(crate) fn new(name: SegmentName) -> Self {
        Self {
            name,
            fields: Vec::new(),
            rank: 0,
        }
    }

    /// Splits an OBX with a text of several lines into one OBX for each line, as most senders write
    /// them.
    pub(super) fn in_lines(mut self) -> Vec<Self> {
        let is_text = |cell: &OutCell| matches!(cell.plain(), "TX" | "FT");
        let lines = match self.fields.get_mut(4) {
            Some(lines) if 1 < lines.len() => std::mem::take(lines),
            _ => return vec![self],
        };
        if &self.name != b"OBX" || !self.repeat(2, 1).is_some_and(is_text) {
            if let Some(field) = self.fields.get_mut(4) {
                *field = lines;
            }
            return vec![self];
        }
        let mut made = Vec::new();
        for (place, line) in lines.into_iter().enumerate() {
            let mut own = self.clone();
            for (number, field) in (1..).zip(&mut own.fields) {
                match number {
                    5 => *field = vec![line.clone()],
                    // The fields that make it a line of the same text, and its status.
                    2 | 3 | 4 | 11 | 14 => {}
                    _ if place == 0 => {}
                    _ => field.clear(),
                }
            }
            made.push(own);
        }
        made
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.fields.iter().flatten().all(OutCell::is_empty)
    }

    pub(crate) fn repeat_mut(&mut self, field: u16, repeat: u16) -> Option<&mut OutCell> {
        let place = usize::from(field).checked_sub(1)?;
        while self.fields.len() <= place {
            self.fields.push(Vec::new());
        }
        let repeats = self.fields.get_mut(place)?;
        let at = usize::from(repeat.max(1)) - 1;
        while repeats.len() <= at {
            repeats.push(OutCell::default());
        }
        repeats.get_mut(at)
    }

    /// Returns the type of the field in the newest version that has it; OBX-2 gives that of OBX-5.
    fn datatype(&self, field: usize) -> Option<&str> {
        let name = std::str::from_utf8(&self.name).ok()?;
        match Dictionary::newest_field(name, field)?.datatype {
            "varies" => self.repeat(2, 1).map(OutCell::plain),
            datatype => Some(datatype),
        }
    }

    pub(super) fn repeat(&self, field: u16, repeat: u16) -> Option<&OutCell> {
        let repeats = self.fields.get(usize::from(field).checked_sub(1)?)?;
        repeats.get(usize::from(repeat.max(1)) - 1)
    }
}
