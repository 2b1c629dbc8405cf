//! Files of messages: with FHS/BHS/BTS/FTS envelopes (2.8.2 chapter 2.10.3), or just one message
//! after the other.

use bytes::Bytes;

use crate::build::MessageBuilder;
use crate::delimiters::Delimiters;
use crate::issue::{Issue, IssueKind, Place};
use crate::message::Message;

/// What a file holds.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The FHS segment, as a message of its own.
    pub file_header: Option<Message>,
    /// The BHS segments.
    pub batch_headers: Vec<Message>,
    /// The messages in their order.
    pub messages: Vec<Member>,
    /// Counts that do not fit, envelopes that do not close. Offsets are those of the file.
    pub issues: Vec<Issue>,
}

/// One message of a file.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its bytes, a part of the file's.
    pub bytes: Bytes,
    /// Where it begins in the file.
    pub offset: usize,
    /// Which batch it stands in, from zero; none outside of all.
    pub batch: Option<usize>,
}

/// Reads a file.
pub fn read(bytes: impl Into<Bytes>) -> Batch {
    Reader::new(bytes.into()).run()
}

/// Reads a file whose bytes are borrowed.
impl From<&[u8]> for Batch {
    fn from(bytes: &[u8]) -> Self {
        read(Bytes::copy_from_slice(bytes))
    }
}

/// Writes messages as one batch in one file, with its counts. What the headers say of sender and
/// receiver is taken from the first message.
pub fn write<'a>(messages: impl IntoIterator<Item = &'a [u8]>, name: &str) -> Vec<u8> {
    let messages: Vec<&[u8]> = messages.into_iter().collect();
    let first = messages.first().map(|bytes| Message::from(*bytes));
    let delimiters = first
        .as_ref()
        .map_or_else(Delimiters::default, |first| *first.delimiters());
    let mut head = MessageBuilder::new(delimiters);
    for segment in ["FHS", "BHS"] {
        let mut segment = head.segment(segment);
        if let Some(msh) = first.as_ref().and_then(|first| first.first("MSH")) {
            for n in 3..=7 {
                segment.raw(n, msh.field(n).raw());
            }
        }
        segment.field(9, name);
    }
    let mut out = head.finish();
    for message in &messages {
        out.extend_from_slice(message);
        if !matches!(message.last(), Some(b'\r' | b'\n')) {
            out.push(b'\r');
        }
    }
    let mut tail = MessageBuilder::new(delimiters);
    tail.segment("BTS").field(1, &messages.len().to_string());
    tail.segment("FTS").field(1, "1");
    out.extend(tail.finish());
    out
}

/// Walks over the lines.
struct Reader {
    bytes: Bytes,
    batch: Batch,
    /// Where the message begins that is being read.
    message: Option<usize>,
    in_batch: bool,
    in_file: bool,
    n_in_batch: usize,
}

// === impl Reader ===

impl Reader {
    fn new(bytes: Bytes) -> Self {
        let batch = Batch::default();
        Self {
            bytes,
            batch,
            message: None,
            in_batch: false,
            in_file: false,
            n_in_batch: 0,
        }
    }

    fn run(mut self) -> Batch {
        let bytes = self.bytes.clone();
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let end = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
            let line = rest.get(..end).unwrap_or_default();
            let framing = |byte: &&u8| matches!(byte, 0x0B | 0x1C | 0xEF | 0xBB | 0xBF);
            let skipped = line.iter().take_while(framing).count();
            self.line(line.get(skipped..).unwrap_or_default(), at + skipped, at);
            at += end + 1;
        }
        self.end_message(bytes.len());
        if self.in_batch || self.in_file {
            self.note(IssueKind::BadEnvelope, bytes.len());
        }
        self.batch
    }

    fn line(&mut self, line: &[u8], at: usize, line_start: usize) {
        let name = line.first_chunk::<3>();
        let separated = line.get(3).is_none_or(|byte| !byte.is_ascii_alphanumeric());
        match name.filter(|_| separated) {
            Some(b"MSH") => {
                self.end_message(line_start);
                self.message = Some(at);
            }
            Some(b"FHS") => {
                self.end_message(line_start);
                self.expect(!self.in_file && !self.in_batch, at);
                self.in_file = true;
                self.batch.file_header = Some(Message::from(line));
            }
            Some(b"BHS") => {
                self.end_message(line_start);
                self.expect(!self.in_batch, at);
                self.in_batch = true;
                self.n_in_batch = 0;
                self.batch.batch_headers.push(Message::from(line));
            }
            Some(b"BTS") => {
                self.end_message(line_start);
                self.expect(self.in_batch, at);
                self.count(line, at, self.n_in_batch);
                self.in_batch = false;
            }
            Some(b"FTS") => {
                self.end_message(line_start);
                self.expect(self.in_file && !self.in_batch, at);
                self.count(line, at, self.batch.batch_headers.len());
                (self.in_file, self.in_batch) = (false, false);
            }
            // A line of a message, or noise between messages.
            Some(_) | None => {
                if self.message.is_none() && line.iter().any(|byte| !byte.is_ascii_whitespace()) {
                    self.note(IssueKind::BadEnvelope, at);
                }
            }
        }
    }

    fn end_message(&mut self, end: usize) {
        let Some(start) = self.message.take() else {
            return;
        };
        let mut bytes = self.bytes.slice(start..end);
        // Framing bytes of MLLP, where somebody wrote frames into a file.
        let framing = |byte: &u8| matches!(byte, b'\r' | b'\n' | 0x1C);
        let text = bytes
            .iter()
            .rposition(|byte| !framing(byte))
            .map_or(0, |at| at + 1);
        if let Some(at) = bytes
            .get(text..)
            .and_then(|tail| memchr::memchr(0x1C, tail))
        {
            bytes.truncate(text + at);
        }
        let batch = self
            .in_batch
            .then(|| self.batch.batch_headers.len().saturating_sub(1));
        self.batch.messages.push(Member {
            bytes,
            offset: start,
            batch,
        });
        self.n_in_batch += 1;
    }

    /// BTS-1 counts messages, FTS-1 batches. An empty count claims nothing.
    fn count(&mut self, line: &[u8], at: usize, actual: usize) {
        let separator = line.get(3).copied().unwrap_or(b'|');
        let field = line
            .split(|byte| *byte == separator)
            .nth(1)
            .unwrap_or_default();
        let claimed = std::str::from_utf8(field).unwrap_or("?").trim();
        if !claimed.is_empty() && claimed.parse() != Ok(actual) {
            self.note(IssueKind::WrongCount, at);
        }
    }

    fn expect(&mut self, fits: bool, at: usize) {
        if !fits {
            self.note(IssueKind::BadEnvelope, at);
        }
    }

    fn note(&mut self, kind: IssueKind, at: usize) {
        if self.batch.issues.len() < 100 {
            let place = Place {
                offset: at as u32,
                ..Place::default()
            };
            self.batch.issues.push(Issue { kind, place });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(batch: &Batch) -> Vec<IssueKind> {
        batch.issues.iter().map(|issue| issue.kind).collect()
    }

    #[test]
    fn envelopes_and_counts() {
        use IssueKind::{BadEnvelope, WrongCount};
        let cases: [(&[u8], usize, &[IssueKind]); 9] = [
            (b"MSH|^~\\&|A\rPID|1\rMSH|^~\\&|B\rPID|2\r", 2, &[]),
            (
                b"FHS|^~\\&\rBHS|^~\\&\rMSH|1\rMSH|2\rBTS|2\rFTS|1\r",
                2,
                &[],
            ),
            (b"BHS|^~\\&\nMSH|1\nBTS|1\n", 1, &[]),
            (
                b"FHS|^~\\&\rBHS|^~\\&\rMSH|1\rBTS|2\rFTS|3\r",
                1,
                &[WrongCount, WrongCount],
            ),
            (b"FHS|^~\\&\rBHS|^~\\&\rMSH|1\rBTS\rFTS|\r", 1, &[]),
            (b"BHS|^~\\&\rMSH|1\r", 1, &[BadEnvelope]),
            (b"MSH|1\rBTS|1\r", 1, &[BadEnvelope]),
            (b"\x0bMSH|1\r\x1c\r\x0bMSH|2\r\x1c\r", 2, &[]),
            (b"garbage\rMSH|1\r", 1, &[BadEnvelope]),
        ];
        for (file, n_messages, expected) in cases {
            let batch = read(file);
            assert_eq!(batch.messages.len(), n_messages, "{file:?}");
            assert_eq!(kinds(&batch), expected, "{file:?}");
        }
    }

    #[test]
    fn messages_are_slices_without_framing() {
        let batch = read(&b"\x0bMSH|1\rPID|1\r\x1c\r\x0bMSH|2\r\x1c\r"[..]);
        let found: Vec<&[u8]> = batch
            .messages
            .iter()
            .map(|member| &member.bytes[..])
            .collect();
        assert_eq!(found, [&b"MSH|1\rPID|1\r"[..], b"MSH|2\r"]);
        assert_eq!(batch.messages[1].offset, 16);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let messages: [&[u8]; 2] = [
            b"MSH|^~\\&|ZZAPP|ZZFAC\rPID|1\r",
            b"MSH|^~\\&|ZZAPP|ZZFAC\rPID|2\r",
        ];
        let batch = read(write(messages, "ZZTEST"));
        assert_eq!(kinds(&batch), []);
        let found: Vec<&[u8]> = batch
            .messages
            .iter()
            .map(|member| &member.bytes[..])
            .collect();
        assert_eq!(found, messages);
        let header = batch.file_header.unwrap();
        assert_eq!(header.first("FHS").unwrap().field(3).text(), "ZZAPP");
    }
}
