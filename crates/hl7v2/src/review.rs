//! Reading a message: find the header, index the bytes, choose the character set, list what is odd.

use std::sync::OnceLock;

use bytes::Bytes;

use crate::charset::Charset;
use crate::delimiters::Delimiters;
use crate::escape;
use crate::issue::{Issue, IssueKind, Place};
use crate::message::{Message, Segment, is_header_name};
use crate::piece::{Field, Piece};
use crate::scan::{self, Scanner};

/// More issues than this tell nobody anything.
const MAX_ISSUES: usize = 100;

/// Where the header is.
struct Header {
    start: usize,
    /// Where indexing begins: at the header where only noise stands before it.
    from: usize,
    issue: Option<IssueKind>,
}

pub(crate) fn parse(raw: Bytes) -> Message {
    let header = find_header(&raw);
    let header_bytes = raw.get(header.start..).unwrap_or_default();
    let (delimiters, flaws) = match header.issue {
        Some(IssueKind::NoHeader) if header.start == header.from => Default::default(),
        _ => Delimiters::read(header_bytes),
    };
    let declared = declared_charset(header_bytes, delimiters);
    let first = declared
        .split(|&byte| byte == delimiters.repeat)
        .next()
        .unwrap_or_default();
    let first = std::str::from_utf8(first).unwrap_or("?").trim();
    let wide = Charset::named(first).is_some_and(Charset::has_ascii_trail_bytes);
    let index = Scanner::new(delimiters, wide).scan(&raw, header.from);
    let ascii = index.flags & scan::HIGH == 0;
    let (charset, charset_issue) = Charset::choose(first, &raw, ascii);
    let alternates = first.len() < declared.len() && !ascii;

    let structure = OnceLock::new();
    let mut message = Message {
        raw,
        delimiters,
        charset,
        index,
        issues: Vec::new(),
        structure,
    };
    let mut found = Found {
        message: &message,
        issues: Vec::new(),
    };
    if let Some(kind) = header.issue {
        found.at_offset(kind, 0);
    }
    if !flaws.is_empty() {
        found.in_header(IssueKind::BadDelimiters, header.start, 2);
    }
    if let Some(kind) = charset_issue {
        found.in_header(kind, header.start, 18);
    }
    if alternates {
        found.in_header(IssueKind::AlternateCharsets, header.start, 18);
    }
    found.terminators();
    found.header_fields();
    found.lines();
    message.issues = found.issues;
    message
}

fn find_header(raw: &[u8]) -> Header {
    if begins_with_header(raw) {
        return Header {
            start: 0,
            from: 0,
            issue: None,
        };
    }
    let noise =
        |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, 0 | 0x0B | 0xEF | 0xBB | 0xBF);
    let start = raw.iter().take(64).take_while(|byte| noise(byte)).count();
    if begins_with_header(raw.get(start..).unwrap_or_default()) {
        return Header {
            start,
            from: start,
            issue: Some(IssueKind::BytesBeforeHeader),
        };
    }
    let later = memchr::memmem::find_iter(raw, b"MSH")
        .take(64)
        .find(|&at| at > 0 && matches!(raw.get(at - 1), Some(b'\r' | b'\n' | 0x0B)));
    Header {
        start: later.unwrap_or(0),
        from: 0,
        issue: Some(IssueKind::NoHeader),
    }
}

fn begins_with_header(raw: &[u8]) -> bool {
    let name = raw.first_chunk::<3>();
    let next = raw.get(3);
    name.is_some_and(|name| is_header_name(*name))
        && next.is_none_or(|byte| !byte.is_ascii_alphanumeric())
}

/// MSH-18, before anything is indexed: it may change how the bytes are to be read.
fn declared_charset(header: &[u8], delimiters: Delimiters) -> &[u8] {
    if !header.starts_with(b"MSH") {
        return &[];
    }
    let end = memchr::memchr2(b'\r', b'\n', header).unwrap_or(header.len());
    let line = header.get(..end).unwrap_or_default();
    line.split(|&byte| byte == delimiters.field)
        .nth(17)
        .unwrap_or_default()
}

/// Collects issues, up to the limit.
struct Found<'m> {
    message: &'m Message,
    issues: Vec<Issue>,
}

// === impl Found ===

impl<'m> Found<'m> {
    fn push(&mut self, kind: IssueKind, place: Place) {
        match self.issues.len() {
            0..MAX_ISSUES => self.issues.push(Issue { kind, place }),
            MAX_ISSUES => self.issues.push(Issue {
                kind: IssueKind::TooManyIssues,
                place,
            }),
            _ => {}
        }
    }

    fn is_full(&self) -> bool {
        self.issues.len() > MAX_ISSUES
    }

    fn at_offset(&mut self, kind: IssueKind, offset: usize) {
        self.push(
            kind,
            Place {
                offset: offset as u32,
                ..Place::default()
            },
        );
    }

    fn in_header(&mut self, kind: IssueKind, start: usize, field: u32) {
        let message = self.message;
        let segment = message.segments().find(|segment| segment.offset() >= start);
        let place = segment.map_or_else(Place::default, |segment| {
            let offset = segment.field(field as usize).offset() as u32;
            Place {
                field,
                offset,
                ..segment.place()
            }
        });
        self.push(kind, place);
    }

    fn terminators(&mut self) {
        let endings = self.message.index.endings;
        if let Some(at) = endings.odd {
            self.at_offset(IssueKind::WrongTerminator, at as usize);
        }
        if let Some(at) = endings.empty {
            self.at_offset(IssueKind::EmptyLine, at as usize);
        }
        if endings.unterminated {
            self.at_offset(IssueKind::NoFinalTerminator, self.message.raw.len());
        }
        if let Some(at) = self.message.index.stopped {
            self.at_offset(IssueKind::TooManySeparators, at as usize);
        }
        if self.message.raw.len() >= u32::MAX as usize {
            self.push(
                IssueKind::TooLong,
                Place {
                    offset: u32::MAX,
                    ..Place::default()
                },
            );
        }
    }

    fn header_fields(&mut self) {
        let Some(msh) = self.message.first("MSH") else {
            return;
        };
        for n in [9, 10, 11, 12] {
            if msh.field(n).is_empty() {
                let offset = msh.field(n).offset() as u32;
                let place = Place {
                    field: n as u32,
                    offset,
                    ..msh.place()
                };
                self.push(IssueKind::MissingHeaderField, place);
            }
        }
    }

    fn lines(&mut self) {
        const LOOK: u8 = scan::ESCAPE | scan::CONTROL | scan::LINE_FEED;
        let message = self.message;
        let mut headers = 0;
        for (segment, line) in message.segments().zip(&message.index.lines) {
            if !segment.has_name() {
                self.push(IssueKind::BadSegmentName, segment.place());
            }
            if &line.name == b"MSH" {
                headers += 1;
                if headers > 1 {
                    self.push(IssueKind::SecondHeader, segment.place());
                }
            }
            if line.flags & LOOK != 0 {
                self.line(segment, line.flags);
            }
            if self.is_full() {
                return;
            }
        }
    }

    fn line(&mut self, segment: Segment<'m>, flags: u8) {
        let rare = flags & (scan::CONTROL | scan::LINE_FEED) != 0;
        let escape = self.message.delimiters.escape.unwrap_or(0);
        let header = is_header_name(segment.raw().first_chunk().copied().unwrap_or_default());
        for (n, field) in segment.fields() {
            let encoding_characters = header && n <= 2;
            if encoding_characters || !(rare || memchr::memchr(escape, field.raw()).is_some()) {
                continue;
            }
            self.field(segment, n, field);
            if self.is_full() {
                return;
            }
        }
    }

    fn field(&mut self, segment: Segment<'m>, n: usize, field: Field<'m>) {
        for (repeat_idx, repeat) in field.repeats().enumerate() {
            for (component_idx, component) in repeat.components().enumerate() {
                for (sub_idx, sub) in component.subcomponents().enumerate() {
                    let numbers = [n, repeat_idx + 1, component_idx + 1, sub_idx + 1];
                    self.leaf(segment, numbers, *sub);
                }
                if self.is_full() {
                    return;
                }
            }
        }
    }

    fn leaf(&mut self, segment: Segment<'m>, numbers: [usize; 4], leaf: Piece<'m>) {
        let [field, repeat, component, subcomponent] = numbers.map(|n| n as u32);
        let place = |offset: usize| Place {
            field,
            repeat,
            component,
            subcomponent: if subcomponent > 1 { subcomponent } else { 0 },
            offset: offset as u32,
            ..segment.place()
        };
        let raw = leaf.raw();
        let control = |byte: &u8| (*byte < 0x20 && !matches!(byte, b'\t' | b'\n')) || *byte == 0x7F;
        if let Some(at) = raw.iter().position(control) {
            self.push(IssueKind::ControlCharacter, place(leaf.offset() + at));
        }
        if let Some(at) = memchr::memchr(b'\n', raw) {
            self.push(IssueKind::LineFeedInData, place(leaf.offset() + at));
        }
        if self
            .message
            .delimiters
            .escape
            .is_none_or(|escape| memchr::memchr(escape, raw).is_none())
        {
            return;
        }
        let mut offset = leaf.offset();
        let mut tokens = escape::tokens(raw, &self.message.delimiters);
        while let Some(token) = tokens.next() {
            if let Some(kind) = token.issue() {
                self.push(kind, place(offset));
            }
            if self.is_full() {
                return;
            }
            offset = leaf.offset() + raw.len() - tokens.remaining();
        }
    }
}

impl Segment<'_> {
    /// Where it is, for an issue.
    pub(crate) fn place(&self) -> Place {
        let name = self
            .has_name()
            .then(|| self.raw().first_chunk::<3>().copied())
            .flatten();
        Place {
            segment: self.index() as u32 + 1,
            name,
            occurrence: self.occurrence() as u32,
            offset: self.offset() as u32,
            ..Place::default()
        }
    }
}
