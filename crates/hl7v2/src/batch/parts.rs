//! Splits a file into its parts: headers, messages, trailers, and lines that belong to none of
//! them.

use bytes::Bytes;

use super::Member;
use crate::delimiters::can_separate;
use crate::issue::{Issue, IssueKind, Place};

/// One part of a file, in file order. Together the parts are the whole file except line ends and
/// MLLP framing.
#[derive(Clone, Debug)]
pub enum Part {
    /// An FHS segment.
    FileHeader(Bytes),
    /// A BHS segment.
    BatchHeader(Bytes),
    /// One message.
    Message(Member),
    /// A BTS segment.
    BatchTrailer(Trailer),
    /// An FTS segment.
    FileTrailer(Trailer),
    /// A line that is in no message and is not an envelope segment.
    Stray(Bytes),
}

/// A trailer and its count.
#[derive(Clone, Debug)]
pub struct Trailer {
    /// The segment.
    pub bytes: Bytes,
    /// BTS-1 or FTS-1 as written; empty if the sender does not count.
    pub claimed: String,
    /// The actual number of messages in the batch, or of batches in the file.
    pub counted: usize,
}

/// Reader over the parts of a file. Envelope errors collect in [`Parts::issues`].
#[derive(Debug)]
pub struct Parts {
    bytes: Bytes,
    at: usize,
    /// Offset of the message currently being read.
    message: Option<usize>,
    /// The field separator of that message.
    separator: u8,
    in_batch: bool,
    in_file: bool,
    n_in_batch: usize,
    n_batches: usize,
    issues: Vec<Issue>,
    ended: bool,
}

/// The kind of segment that a line begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opening {
    Message,
    FileHeader,
    BatchHeader,
    BatchTrailer,
    FileTrailer,
    Nothing,
}

/// A line and its position; `start` is before any skipped framing.
struct Line {
    start: usize,
    text: std::ops::Range<usize>,
    next: usize,
}

/// Cap on reported issues; more would not help anyone.
const MAX_ISSUES: usize = 100;

/// Returns whether the bytes hold more than one message: an envelope, or a second MSH.
pub fn is_batch(bytes: &[u8]) -> bool {
    let start = bytes.iter().take(64).take_while(|byte| is_noise(**byte));
    let first = bytes.get(start.count()..).unwrap_or_default();
    if matches!(
        opening(first, None),
        Opening::FileHeader | Opening::BatchHeader
    ) {
        return true;
    }
    if !first.starts_with(b"MSH") {
        return false;
    }
    let separator = first.get(3).copied().unwrap_or(b'|');
    memchr::memmem::find_iter(first, b"MSH").skip(1).any(|at| {
        let (before, line) = first.split_at_checked(at).unwrap_or_default();
        let framing = before.iter().rev().take_while(|byte| is_framing(**byte));
        let n_framing = framing.count();
        let before = before.get(..at - n_framing).unwrap_or_default();
        let inside = match before {
            [.., b'\r'] | [.., b'\r', b'\n'] => None,
            [.., b'\n'] => Some(separator),
            _ => return false,
        };
        opening(line, inside) == Opening::Message
    })
}

fn is_noise(byte: u8) -> bool {
    byte.is_ascii_whitespace() || is_framing(byte)
}

/// Returns whether the byte is a start or end block (someone wrote frames into a file) or part of a
/// byte order mark.
fn is_framing(byte: u8) -> bool {
    matches!(byte, 0x0B | 0x1C | 0xEF | 0xBB | 0xBF)
}

/// Classifies the start of a line. A line after a bare LF inside a message (`inside` is its
/// separator) may be text, so it must look like the complete segment.
fn opening(line: &[u8], inside: Option<u8>) -> Opening {
    let Some((name, rest)) = line.split_first_chunk::<3>() else {
        return Opening::Nothing;
    };
    let rest_ends = matches!(rest.first(), None | Some(b'\r' | b'\n' | 0x1C));
    let separated = rest
        .first()
        .is_some_and(|byte| can_separate(*byte) && *byte != b' ');
    if !rest_ends && !separated {
        return Opening::Nothing;
    }
    let (found, is_header) = match name {
        b"MSH" => (Opening::Message, true),
        b"FHS" => (Opening::FileHeader, true),
        b"BHS" => (Opening::BatchHeader, true),
        b"BTS" => (Opening::BatchTrailer, false),
        b"FTS" => (Opening::FileTrailer, false),
        _ => return Opening::Nothing,
    };
    let fits = match (inside, is_header) {
        (None, _) => true,
        (Some(_), true) => declares_delimiters(rest),
        (Some(separator), false) => rest_ends || rest.first() == Some(&separator),
    };
    if fits { found } else { Opening::Nothing }
}

/// Matches `|^~\&|`: a separator, encoding characters, and the separator again.
fn declares_delimiters(rest: &[u8]) -> bool {
    let Some((separator, rest)) = rest.split_first() else {
        return false;
    };
    let encoding = rest
        .iter()
        .take_while(|byte| can_separate(**byte) && *byte != separator);
    let n = encoding.count();
    (1..8).contains(&n) && rest.get(n) == Some(separator)
}

// === impl Parts ===

impl Parts {
    /// Creates a reader over a file.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self {
            bytes: bytes.into(),
            at: 0,
            message: None,
            separator: b'|',
            in_batch: false,
            in_file: false,
            n_in_batch: 0,
            n_batches: 0,
            issues: Vec::new(),
            ended: false,
        }
    }

    /// Returns the issues found so far: wrong counts and unclosed envelopes. Offsets are relative
    /// to the file.
    pub fn issues(&self) -> &[Issue] {
        &self.issues
    }

    pub(super) fn into_issues(self) -> Vec<Issue> {
        self.issues
    }

    fn line(&self) -> Option<Line> {
        let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
        let n = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        let line = rest.get(..n).unwrap_or_default();
        let skipped = line.iter().take_while(|byte| is_framing(**byte)).count();
        Some(Line {
            start: self.at,
            text: self.at + skipped..self.at + n,
            next: self.at + n + 1,
        })
    }

    /// Returns the separator of the message that continues here, if the line follows a bare LF.
    fn inside(&self, at: usize) -> Option<u8> {
        let before = self.bytes.get(..at).unwrap_or_default();
        let bare = before.ends_with(b"\n") && !before.ends_with(b"\r\n");
        (self.message.is_some() && bare).then_some(self.separator)
    }

    fn end_message(&mut self, end: usize) -> Option<Part> {
        let start = self.message.take()?;
        let mut bytes = self.bytes.slice(start..end);
        let framing = |byte: &u8| matches!(byte, b'\r' | b'\n' | 0x1C);
        let text = bytes
            .iter()
            .rposition(|byte| !framing(byte))
            .map_or(0, |at| at + 1);
        let tail = bytes.get(text..).unwrap_or_default();
        if let Some(at) = memchr::memchr(0x1C, tail) {
            bytes.truncate(text + at);
        }
        let batch = self.in_batch.then(|| self.n_batches.saturating_sub(1));
        self.n_in_batch += 1;
        Some(Part::Message(Member {
            bytes,
            offset: start,
            batch,
        }))
    }

    fn envelope(&mut self, opening: Opening, text: std::ops::Range<usize>) -> Option<Part> {
        let at = text.start;
        let bytes = self.bytes.slice(text);
        match opening {
            Opening::FileHeader => {
                self.expect(!self.in_file && !self.in_batch, at);
                self.in_file = true;
                self.n_batches = 0;
                Some(Part::FileHeader(bytes))
            }
            Opening::BatchHeader => {
                self.expect(!self.in_batch, at);
                self.in_batch = true;
                self.n_in_batch = 0;
                self.n_batches += 1;
                Some(Part::BatchHeader(bytes))
            }
            Opening::BatchTrailer => {
                self.expect(self.in_batch, at);
                self.in_batch = false;
                let trailer = self.trailer(bytes, at, self.n_in_batch);
                Some(Part::BatchTrailer(trailer))
            }
            Opening::FileTrailer => {
                self.expect(self.in_file && !self.in_batch, at);
                (self.in_file, self.in_batch) = (false, false);
                let trailer = self.trailer(bytes, at, self.n_batches);
                Some(Part::FileTrailer(trailer))
            }
            Opening::Message => None,
            Opening::Nothing => {
                let blank = bytes.iter().all(u8::is_ascii_whitespace);
                self.expect(blank, at);
                (!blank).then_some(Part::Stray(bytes))
            }
        }
    }

    fn trailer(&mut self, bytes: Bytes, at: usize, counted: usize) -> Trailer {
        let separator = bytes.get(3).copied().unwrap_or(b'|');
        let field = bytes.split(|byte| *byte == separator).nth(1);
        let claimed = String::from_utf8_lossy(field.unwrap_or_default());
        let trailer = Trailer {
            claimed: claimed.trim().to_owned(),
            counted,
            bytes,
        };
        if !trailer.fits() {
            self.note(IssueKind::WrongCount, at);
        }
        trailer
    }

    fn expect(&mut self, fits: bool, at: usize) {
        if !fits {
            self.note(IssueKind::BadEnvelope, at);
        }
    }

    fn note(&mut self, kind: IssueKind, at: usize) {
        if self.issues.len() < MAX_ISSUES {
            let place = Place {
                offset: at as u32,
                ..Place::default()
            };
            self.issues.push(Issue { kind, place });
        }
    }
}

impl Iterator for Parts {
    type Item = Part;

    fn next(&mut self) -> Option<Part> {
        while let Some(line) = self.line() {
            let text = self.bytes.get(line.text.clone()).unwrap_or_default();
            let opening = opening(text, self.inside(line.start));
            if self.message.is_some() {
                if opening != Opening::Nothing {
                    return self.end_message(line.start);
                }
            } else if opening == Opening::Message {
                self.separator = text.get(3).copied().unwrap_or(b'|');
                self.message = Some(line.text.start);
            } else {
                self.at = line.next;
                if let Some(part) = self.envelope(opening, line.text) {
                    return Some(part);
                }
            }
            self.at = line.next;
        }
        if let Some(last) = self.end_message(self.bytes.len()) {
            return Some(last);
        }
        if !std::mem::replace(&mut self.ended, true) && (self.in_batch || self.in_file) {
            self.note(IssueKind::BadEnvelope, self.bytes.len());
        }
        None
    }
}

// === impl Trailer ===

impl Trailer {
    /// Returns whether the count is right. An empty count claims nothing.
    pub fn fits(&self) -> bool {
        self.claimed.is_empty() || self.claimed.parse() == Ok(self.counted)
    }
}
