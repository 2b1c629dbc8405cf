//! Parses a message: finds the header, chooses the character set, converts the body into the form
//! in which it is read, and indexes it.

use std::sync::OnceLock;

use bytes::Bytes;

use crate::charset::Charset;
use crate::delimiters::{Delimiters, follows_header};
use crate::form::{self, Made, Wire};
use crate::issue::IssueKind;
use crate::message::{Message, is_header_name};
use crate::review::{self, Early};
use crate::scan::{self, Index, Scanner};

/// Location of the header.
struct Header {
    start: usize,
    /// Offset at which indexing begins: the header if only noise precedes it.
    from: usize,
    issue: Option<IssueKind>,
}

/// The form that the bytes were converted to.
#[derive(Default)]
struct Form {
    body: Option<Bytes>,
    wire: Wire,
    /// Characters were lost in the conversion.
    lossy: bool,
    /// The segments that ADD segments were joined to, once that is done.
    joined: Option<Vec<u32>>,
}

/// A body and the facts known before its segments are examined.
struct Draft {
    delimiters: Delimiters,
    charset: Charset,
    index: Index,
    early: Vec<Early>,
}

pub(crate) fn parse(raw: Bytes) -> Message {
    let mut form = form::from_wide(&raw).map_or_else(Form::default, Form::from);
    loop {
        let draft = read(&raw, &form);
        if let Some(other) = another(&raw, &form, &draft) {
            form = other;
            continue;
        }
        let mut message = Message {
            raw,
            read: form.body,
            wire: form.wire,
            delimiters: draft.delimiters,
            charset: draft.charset,
            index: draft.index,
            issues: Vec::new(),
            structure: OnceLock::new(),
        };
        message.issues = review::issues(&message, &draft.early);
        return message;
    }
}

fn read(raw: &Bytes, form: &Form) -> Draft {
    let body = form.body.as_ref().unwrap_or(raw);
    let header = find_header(body);
    let header_bytes = body.get(header.start..).unwrap_or_default();
    let (delimiters, flaws) = match header.issue {
        Some(IssueKind::NoHeader) if header.start == header.from => Default::default(),
        _ => Delimiters::read(header_bytes),
    };
    let (first, alternates) = declared_sets(header_bytes, delimiters);
    let index = Scanner::new(delimiters).scan(body, header.from);
    let ascii = index.flags & scan::HIGH == 0;
    let (charset, charset_issue) = match form.wire {
        Wire::Same => Charset::choose(first, body, ascii),
        _ => (
            Charset::UTF_8,
            form.lossy.then_some(IssueKind::WrongCharset),
        ),
    };
    let mut early = Vec::new();
    early.extend(header.issue.map(Early::Start));
    let mut in_header = |kind, field| early.push(Early::Header(kind, header.start, field));
    if !flaws.is_empty() {
        in_header(IssueKind::BadDelimiters, 2);
    }
    if let Some(kind) = charset_issue {
        in_header(kind, 18);
    }
    if !ascii && !are_known(alternates, delimiters.repeat) {
        in_header(IssueKind::AlternateCharsets, 18);
    }
    let continued = form.joined.iter().flatten();
    early.extend(continued.map(|at| Early::Segment(IssueKind::ContinuedSegment, *at)));
    Draft {
        delimiters,
        charset,
        index,
        early,
    }
}

/// Returns the form that the body should have instead. Each is applied at most once: first Unicode,
/// then the joined segments.
fn another(raw: &Bytes, form: &Form, draft: &Draft) -> Option<Form> {
    let body = form.body.as_ref().unwrap_or(raw);
    let flags = draft.index.flags;
    if form.wire == Wire::Same && form.joined.is_none() {
        let delimiters = draft.delimiters;
        let trail = draft.charset.with_ascii_trail_bytes();
        if let Some(encoding) = trail.filter(|_| flags & scan::HIGH != 0) {
            return Some(form::from_multi_byte(body, encoding, delimiters).into());
        }
        let made = (flags & (scan::CONTROL | scan::ESCAPE) != 0)
            .then(|| form::from_shifts(body, draft.charset, delimiters));
        if let Some(made) = made.flatten() {
            return Some(made.into());
        }
    }
    if form.joined.is_some() {
        return None;
    }
    let (joined, continued) = form::joined(body, &draft.index, draft.delimiters.field)?;
    Some(Form {
        body: Some(joined),
        wire: form.wire,
        lossy: form.lossy,
        joined: Some(continued),
    })
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
    name.is_some_and(|name| is_header_name(*name)) && follows_header(raw)
}

/// Reads the first set of MSH-18 and the alternatives before anything is indexed: they may change
/// how the bytes are read.
fn declared_sets(header: &[u8], delimiters: Delimiters) -> (&str, &[u8]) {
    if !header.starts_with(b"MSH") {
        return ("", &[]);
    }
    let end = memchr::memchr2(b'\r', b'\n', header).unwrap_or(header.len());
    let line = header.get(..end).unwrap_or_default();
    let field = line.split(|&byte| byte == delimiters.field).nth(17);
    let field = field.unwrap_or_default();
    let first = field.split(|&byte| byte == delimiters.repeat).next();
    let first = first.unwrap_or_default();
    let others = field.get(first.len()..).unwrap_or_default();
    (std::str::from_utf8(first).unwrap_or("?").trim(), others)
}

/// Returns whether every alternative set is known.
fn are_known(alternates: &[u8], repeat: u8) -> bool {
    let mut names = alternates
        .split(|&byte| byte == repeat)
        .map(|name| std::str::from_utf8(name).unwrap_or("?").trim());
    names.all(|name| name.is_empty() || Charset::named(name).is_some())
}

// === impl Form ===

impl From<Made> for Form {
    fn from(made: Made) -> Self {
        Self {
            body: Some(made.body),
            wire: made.wire,
            lossy: made.lossy,
            joined: None,
        }
    }
}
