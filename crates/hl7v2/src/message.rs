//! A message: its bytes, where its parts are, and what is wrong with it.

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

/// One message. It owns its bytes and never changes them.
///
/// It prints as its type and size: the content is PHI.
#[derive(Clone)]
pub struct Message {
    pub(crate) raw: Bytes,
    /// What is read, where that is not what came.
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
    /// Reads any bytes. It never fails: what is wrong is in [`Message::issues`].
    pub fn parse(bytes: impl Into<Bytes>) -> Self {
        parse::parse(bytes.into())
    }

    /// The bytes as they came.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The bytes, shared.
    pub fn bytes(&self) -> &Bytes {
        &self.raw
    }

    /// What is read, and what offsets count in: the bytes as they came, but with each ADD segment
    /// behind the one that it continues, and in UTF-8 where the sender's character set has
    /// characters that could be taken for delimiters (UTF-16, ISO 2022, GB 18030, Big5 …).
    pub fn body(&self) -> &Bytes {
        self.read.as_ref().unwrap_or(&self.raw)
    }

    /// What was wrong with the text. The order of segments is judged by [`Structure::issues`].
    pub fn issues(&self) -> &[Issue] {
        &self.issues
    }

    /// Where splitting stopped, in a message with more segments (65,535) or separators (262,144) than
    /// any sender has a use for. All behind it is kept, unsplit, in the last segment.
    pub fn unsplit_from(&self) -> Option<usize> {
        self.index.stopped.map(|at| at as usize)
    }

    /// The delimiters that it declares.
    pub fn delimiters(&self) -> &Delimiters {
        &self.delimiters
    }

    /// The character set that the body is read in.
    pub fn charset(&self) -> Charset {
        self.charset
    }

    /// The segments in their order.
    pub fn segments(&self) -> impl ExactSizeIterator<Item = Segment<'_>> + DoubleEndedIterator {
        let lines = self.index.lines.iter().enumerate();
        lines.map(|(index, line)| Segment {
            message: self,
            line,
            index,
        })
    }

    /// How many repetition separators stand in all its fields.
    pub fn repeat_count(&self) -> usize {
        let body = self.body();
        let repeat = Some(&self.delimiters.repeat);
        let marks = self.index.marks.iter();
        marks.filter(|at| body.get(**at as usize) == repeat).count()
    }

    /// The segment with this place in the message, from zero.
    pub fn segment_at(&self, index: usize) -> Option<Segment<'_>> {
        let line = self.index.lines.get(index)?;
        Some(Segment {
            message: self,
            line,
            index,
        })
    }

    /// The first segment with this name.
    pub fn first(&self, name: &str) -> Option<Segment<'_>> {
        self.named(name).next()
    }

    /// All segments with this name.
    pub fn named<'a>(&'a self, name: &str) -> impl Iterator<Item = Segment<'a>> + use<'a> {
        let wanted: Option<[u8; 3]> = name.as_bytes().try_into().ok();
        self.segments()
            .filter(move |segment| Some(segment.line.name) == wanted)
    }

    /// The first value at a path; nothing where it is absent or empty.
    pub fn get(&self, path: &Path) -> Option<Piece<'_>> {
        path.find_first(self)
    }

    /// All values at a path: a number that the path leaves out means *each*.
    pub fn get_all(&self, path: &Path) -> Vec<Piece<'_>> {
        path.find_all(self)
    }

    /// The groups that the segments form. Worked out once.
    pub fn structure(&self) -> &Structure {
        self.structure.get_or_init(|| Structure::of(self))
    }

    /// The version of MSH-12, or the nearest one that is known.
    pub fn version(&self) -> Version {
        Version::nearest(&self.header(12, 1))
    }

    /// The dictionary of its version.
    pub fn dictionary(&self) -> Dictionary {
        Dictionary::of(self.version())
    }

    /// MSH-9.1, such as `ADT`.
    pub fn code(&self) -> Cow<'_, str> {
        self.header(9, 1)
    }

    /// MSH-9.2, such as `A01`.
    pub fn event(&self) -> Cow<'_, str> {
        self.header(9, 2)
    }

    /// MSH-10.
    pub fn control_id(&self) -> Cow<'_, str> {
        self.header(10, 1)
    }

    /// MSH-11.1: `P`, `T` or `D`.
    pub fn processing_id(&self) -> Cow<'_, str> {
        self.header(11, 1)
    }

    /// A component of the message header; empty where it is absent.
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
    /// Its name of three letters; for a line without one, what stands before the first separator.
    pub fn name(&self) -> &'m str {
        let raw = self.raw();
        let end = memchr::memchr(self.message.delimiters.field, raw).unwrap_or(raw.len());
        let end = if self.has_name() { 3 } else { end.min(16) };
        std::str::from_utf8(raw.get(..end).unwrap_or_default()).unwrap_or_default()
    }

    /// Whether it begins with a proper name.
    pub fn has_name(&self) -> bool {
        self.line.name != [0; 3]
    }

    pub(crate) fn packed_name(&self) -> Option<[u8; 3]> {
        self.has_name().then_some(self.line.name)
    }

    /// Its place in the message, from zero.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Which of the segments with its name it is, from one. Counts from the message's start.
    pub fn occurrence(&self) -> usize {
        let before = self.message.index.lines.iter().take(self.index);
        before.filter(|line| line.name == self.line.name).count() + 1
    }

    /// Where it begins in the message.
    pub fn offset(&self) -> usize {
        self.line.start as usize
    }

    /// Its bytes without the terminator.
    pub fn raw(&self) -> &'m [u8] {
        let range = self.line.start as usize..self.line.end as usize;
        self.message.body().get(range).unwrap_or_default()
    }

    /// The message that it stands in.
    pub fn message(&self) -> &'m Message {
        self.message
    }

    /// The number of the last field that is there.
    pub fn field_count(&self) -> usize {
        self.field_marks().len() + usize::from(self.is_header())
    }

    /// The fields with their numbers.
    pub fn fields(&self) -> impl Iterator<Item = (usize, Field<'m>)> + use<'m> {
        let segment = *self;
        (1..=self.field_count()).map(move |n| (n, segment.field(n)))
    }

    /// The field with this number, as HL7 counts: MSH-1 is the separator itself.
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

    /// The bytes of a field, and whether separators may stand in it: less than [`Segment::field`]
    /// tells, and quicker where a field is asked for again and again.
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

    /// Bits of the fields that hold something, bit `n` for field `n`; those after field 63 have none.
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
