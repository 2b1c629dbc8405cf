//! A message: its bytes, the index of its parts, and its issues.

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use bytes::Bytes;

use crate::charset::Charset;
use crate::delimiters::Delimiters;
use crate::dictionary::{Dictionary, Version};
use crate::form::Wire;
use crate::issue::Issue;
use crate::parse;
use crate::path::Path;
use crate::piece::{Field, Piece};
use crate::scan::{Index, Line};
use crate::structure::Structure;

/// One message, which owns its bytes and never changes them.
///
/// `Debug` prints the type and size only: the content is PHI.
#[derive(Clone)]
pub struct Message {
    pub(crate) raw: Bytes,
    /// The bytes that are read, if they differ from the bytes received.
    pub(crate) read: Option<Bytes>,
    pub(crate) wire: Wire,
    pub(crate) delimiters: Delimiters,
    pub(crate) charset: Charset,
    pub(crate) index: Index,
    pub(crate) issues: Vec<Issue>,
    pub(crate) structure: OnceLock<Structure>,
}

/// One segment of a message.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'m> {
    message: &'m Message,
    line: &'m Line,
    index: usize,
}

// === impl Message ===

impl Message {
    /// Parses any bytes. Never fails: problems are in [`Message::issues`].
    pub fn parse(bytes: impl Into<Bytes>) -> Self {
        parse::parse(bytes.into())
    }

    /// Returns the bytes as received.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Returns the bytes as received, shared.
    pub fn bytes(&self) -> &Bytes {
        &self.raw
    }

    /// Returns the bytes that are read and that offsets refer to: the bytes as received, except
    /// that each ADD segment follows the one it continues, and that the text is UTF-8 if the
    /// sender's character set has characters that could be mistaken for delimiters (UTF-16, ISO
    /// 2022, GB 18030, Big5 …).
    pub fn body(&self) -> &Bytes {
        self.read.as_ref().unwrap_or(&self.raw)
    }

    /// Returns the issues with the text. The order of segments is checked by [`Structure::issues`].
    pub fn issues(&self) -> &[Issue] {
        &self.issues
    }

    /// Returns the offset at which splitting stopped, in a message with more segments (65,535) or
    /// separators (262,144) than any sender needs. Everything after it is kept, unsplit, in the
    /// last segment.
    pub fn unsplit_from(&self) -> Option<usize> {
        self.index.stopped.map(|at| at as usize)
    }

    /// Returns the delimiters that the message declares.
    pub fn delimiters(&self) -> &Delimiters {
        &self.delimiters
    }

    /// Returns the character set of the body.
    pub fn charset(&self) -> Charset {
        self.charset
    }

    /// Returns the segments in order.
    pub fn segments(&self) -> impl ExactSizeIterator<Item = Segment<'_>> + DoubleEndedIterator {
        let lines = self.index.lines.iter().enumerate();
        lines.map(|(index, line)| Segment {
            message: self,
            line,
            index,
        })
    }

    /// Returns the number of repetition separators in all fields of all segments.
    pub fn repeat_count(&self) -> usize {
        let body = self.body();
        let repeat = Some(&self.delimiters.repeat);
        let marks = self.index.marks.iter();
        marks.filter(|at| body.get(**at as usize) == repeat).count()
    }

    /// Returns the segment with this index in the message, from zero.
    pub fn segment_at(&self, index: usize) -> Option<Segment<'_>> {
        let line = self.index.lines.get(index)?;
        Some(Segment {
            message: self,
            line,
            index,
        })
    }

    /// Returns the first segment with this name.
    pub fn first(&self, name: &str) -> Option<Segment<'_>> {
        self.named(name).next()
    }

    /// Returns all segments with this name.
    pub fn named<'a>(&'a self, name: &str) -> impl Iterator<Item = Segment<'a>> + use<'a> {
        let wanted: Option<[u8; 3]> = name.as_bytes().try_into().ok();
        self.segments()
            .filter(move |segment| Some(segment.line.name) == wanted)
    }

    /// Returns the first value at a path, or `None` if it is absent or empty.
    pub fn get(&self, path: &Path) -> Option<Piece<'_>> {
        path.find_first(self)
    }

    /// Returns all values at a path: a number that the path leaves out means *each*.
    pub fn get_all(&self, path: &Path) -> Vec<Piece<'_>> {
        path.find_all(self)
    }

    /// Returns the groups that the segments form. Computed once.
    pub fn structure(&self) -> &Structure {
        self.structure.get_or_init(|| Structure::of(self))
    }

    /// Returns the version in MSH-12, or the nearest known one.
    pub fn version(&self) -> Version {
        Version::nearest(&self.header(12, 1))
    }

    /// Returns the dictionary of the message's version.
    pub fn dictionary(&self) -> Dictionary {
        Dictionary::of(self.version())
    }

    /// Returns MSH-9.1, such as `ADT`.
    pub fn code(&self) -> Cow<'_, str> {
        self.header(9, 1)
    }

    /// Returns MSH-9.2, such as `A01`.
    pub fn event(&self) -> Cow<'_, str> {
        self.header(9, 2)
    }

    /// Returns MSH-10.
    pub fn control_id(&self) -> Cow<'_, str> {
        self.header(10, 1)
    }

    /// Returns MSH-11.1: `P`, `T` or `D`.
    pub fn processing_id(&self) -> Cow<'_, str> {
        self.header(11, 1)
    }

    /// Returns a component of the message header; empty if absent.
    pub fn header(&self, field: usize, component: usize) -> Cow<'_, str> {
        match self.index.lines.first() {
            Some(line) if &line.name == b"MSH" => {
                let segment = Segment {
                    message: self,
                    line,
                    index: 0,
                };
                segment.field(field).component(component).value()
            }
            _ => self.first("MSH").map_or(Cow::Borrowed(""), |msh| {
                msh.field(field).component(component).value()
            }),
        }
    }
}

impl From<&[u8]> for Message {
    fn from(bytes: &[u8]) -> Self {
        Self::parse(Bytes::copy_from_slice(bytes))
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, segments) = (self.raw.len(), self.index.lines.len());
        write!(f, "Message({segments} segments, {bytes} bytes)")
    }
}

// === impl Segment ===

impl<'m> Segment<'m> {
    /// Returns the three-letter name; for a line without one, the text before the first separator.
    pub fn name(&self) -> &'m str {
        let raw = self.raw();
        let end = memchr::memchr(self.message.delimiters.field, raw).unwrap_or(raw.len());
        let end = if self.has_name() { 3 } else { end.min(16) };
        std::str::from_utf8(raw.get(..end).unwrap_or_default()).unwrap_or_default()
    }

    /// Returns whether the segment begins with a proper name.
    pub fn has_name(&self) -> bool {
        self.line.name != [0; 3]
    }

    pub(crate) fn packed_name(&self) -> Option<[u8; 3]> {
        self.has_name().then_some(self.line.name)
    }

    /// Returns the segment's index in the message, from zero.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Returns the segment's number among those with the same name, from one. Counts from the start
    /// of the message.
    pub fn occurrence(&self) -> usize {
        let before = self.message.index.lines.iter().take(self.index);
        before.filter(|line| line.name == self.line.name).count() + 1
    }

    /// Returns the byte offset of the segment in the message.
    pub fn offset(&self) -> usize {
        self.line.start as usize
    }

    /// Returns the segment's bytes without the terminator.
    pub fn raw(&self) -> &'m [u8] {
        let range = self.line.start as usize..self.line.end as usize;
        self.message.body().get(range).unwrap_or_default()
    }

    /// Returns the message that contains the segment.
    pub fn message(&self) -> &'m Message {
        self.message
    }

    /// Returns the number of the last field present.
    pub fn field_count(&self) -> usize {
        self.field_marks().len() + usize::from(self.is_header())
    }

    /// Returns the fields with their numbers.
    pub fn fields(&self) -> impl Iterator<Item = (usize, Field<'m>)> + use<'m> {
        let segment = *self;
        (1..=self.field_count()).map(move |n| (n, segment.field(n)))
    }

    /// Returns the field with this number, counted as in HL7: MSH-1 is the separator itself.
    pub fn field(&self, n: usize) -> Field<'m> {
        let number = match (self.is_header(), n) {
            (true, 1) => return self.field_separator(),
            (true, n) => n.wrapping_sub(1),
            (false, n) => n,
        };
        let fields = self.field_marks();
        let index = &self.message.index;
        let here = number.checked_sub(1).and_then(|idx| fields.get(idx));
        let offset = here.and_then(|&mark| Some((mark, *index.marks.get(mark as usize)?)));
        let Some((mark, at)) = offset else {
            return self.piece(self.line.end, self.line.end, &[]);
        };
        let next = fields.get(number).copied();
        let end = next
            .and_then(|next| index.marks.get(next as usize))
            .copied();
        let marks = match next {
            _ if self.is_header() && n == 2 => 0..0,
            Some(next) => mark as usize + 1..next as usize,
            None => mark as usize + 1..self.end_mark(),
        };
        let marks = index.marks.get(marks).unwrap_or_default();
        self.piece(at + 1, end.unwrap_or(self.line.end), marks)
    }

    /// Returns the bytes of a field, and whether they may contain separators: less than
    /// [`Segment::field`] returns, but faster when a field is read repeatedly.
    pub fn field_bytes(&self, n: usize) -> (&'m [u8], bool) {
        if self.is_header() {
            let field = self.field(n);
            return (field.raw(), true);
        }
        let index = &self.message.index;
        let fields = self.field_marks();
        let here = n.checked_sub(1).and_then(|at| fields.get(at)).copied();
        let Some(here) = here else {
            return (&[], false);
        };
        let next = fields.get(n).copied();
        let mark = |at: u32| index.marks.get(at as usize).map(|mark| *mark as usize);
        let start = mark(here).map_or(0, |mark| mark + 1);
        let end = next.and_then(mark).unwrap_or(self.line.end as usize);
        let raw = self.message.body().get(start..end).unwrap_or_default();
        (raw, next != Some(here + 1))
    }

    /// Returns a bit set of the fields that have a value, bit `n` for field `n`; fields after 63
    /// have no bit.
    pub fn valued_fields(&self) -> u64 {
        let marks = |at: &u32| self.message.index.marks.get(*at as usize).copied();
        let fields = self.field_marks();
        let first = 1 + u32::from(self.is_header());
        let mut valued = if self.is_header() { 0b10 } else { 0 };
        for (idx, at) in fields.iter().enumerate().take(63) {
            let start = marks(at).map_or(self.line.end, |mark| mark + 1);
            let end = fields.get(idx + 1).and_then(marks);
            if start < end.unwrap_or(self.line.end) {
                valued |= 1_u64.checked_shl(first + idx as u32).unwrap_or(0);
            }
        }
        valued
    }

    fn piece(&self, start: u32, end: u32, marks: &'m [u32]) -> Field<'m> {
        Field(Piece {
            message: self.message,
            start,
            end,
            marks,
        })
    }

    fn field_separator(&self) -> Field<'m> {
        let start = (self.line.start + 3).min(self.line.end);
        self.piece(start, (start + 1).min(self.line.end), &[])
    }

    fn is_header(&self) -> bool {
        is_header_name(self.line.name)
    }

    fn field_marks(&self) -> &'m [u32] {
        let index = &self.message.index;
        let end = self
            .next_line()
            .map_or(index.fields.len(), |next| next.first_field as usize);
        index
            .fields
            .get(self.line.first_field as usize..end)
            .unwrap_or_default()
    }

    fn end_mark(&self) -> usize {
        self.next_line()
            .map_or(self.message.index.marks.len(), |next| {
                next.first_mark as usize
            })
    }

    fn next_line(&self) -> Option<&'m Line> {
        self.message.index.lines.get(self.index + 1)
    }
}

/// Segments that declare delimiters.
pub(crate) fn is_header_name(name: [u8; 3]) -> bool {
    matches!(&name, b"MSH" | b"FHS" | b"BHS")
}
