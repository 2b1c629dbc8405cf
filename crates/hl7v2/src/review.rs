//! Finds the issues in a parsed message.

use crate::escape::{self, Token};
use crate::issue::{Issue, IssueKind, Place};
use crate::message::{Message, Segment, is_header_name};
use crate::piece::{Field, Piece};
use crate::scan;

/// Cap on reported issues; more would not help anyone.
const MAX_ISSUES: usize = 100;

/// Issues found before the segments are examined, and their places.
pub(crate) enum Early {
    /// In the first bytes.
    Start(IssueKind),
    /// In this field of the header, which begins at the offset.
    Header(IssueKind, usize, u32),
    /// In the segment with this number, from zero.
    Segment(IssueKind, u32),
}

/// Collects all issues.
pub(crate) fn issues(message: &Message, early: &[Early]) -> Vec<Issue> {
    let mut found = Found {
        message,
        issues: Vec::new(),
    };
    for seen in early {
        found.early(seen);
    }
    found.terminators();
    found.header_fields();
    found.lines();
    found.issues
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

    fn early(&mut self, seen: &Early) {
        match *seen {
            Early::Start(kind) => self.at_offset(kind, 0),
            Early::Header(kind, start, field) => self.in_header(kind, start, field),
            Early::Segment(kind, at) => {
                if let Some(segment) = self.message.segment_at(at as usize) {
                    self.push(kind, segment.place());
                }
            }
        }
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
            self.at_offset(IssueKind::NoFinalTerminator, self.message.body().len());
        }
        if let Some(at) = self.message.index.stopped {
            self.at_offset(IssueKind::TooManySeparators, at as usize);
        }
        if self.message.body().len() >= u32::MAX as usize {
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
        let mut high_hex = false;
        while let Some(token) = tokens.next() {
            high_hex |= matches!(&token, Token::Hex(bytes) if !bytes.is_ascii());
            if let Some(kind) = token.issue() {
                self.push(kind, place(offset));
            }
            if self.is_full() {
                return;
            }
            offset = leaf.offset() + raw.len() - tokens.remaining();
        }
        // A character may be spread over several sequences, so they are checked together.
        if high_hex {
            let mut text = Vec::new();
            escape::tokens(raw, &self.message.delimiters)
                .for_each(|token| token.append_to(&mut text));
            if !self.message.charset.has(&text) {
                self.push(IssueKind::WrongCharset, place(leaf.offset()));
            }
        }
    }
}

impl Segment<'_> {
    /// Returns the piece's place, for an issue.
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
