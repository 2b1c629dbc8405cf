//! Files of messages: either with FHS/BHS/BTS/FTS envelopes (2.8.2 chapter 2.10.3) or as a plain
//! sequence.
//!
//! Invariant: every byte of a file except line ends and MLLP framing is in exactly one [`Part`],
//! whatever the envelopes say; a wrong count loses no message.

mod parts;
mod reply;

pub use parts::{Part, Parts, Trailer, is_batch};
pub use reply::Reply;

use bytes::Bytes;

use crate::build::MessageBuilder;
use crate::delimiters::Delimiters;
use crate::issue::Issue;
use crate::message::Message;

/// The contents of a file.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The FHS segment.
    pub file_header: Option<Bytes>,
    /// The BHS segments.
    pub batch_headers: Vec<Bytes>,
    /// The messages in file order.
    pub messages: Vec<Member>,
    /// Wrong counts and unclosed envelopes. Offsets are relative to the file.
    pub issues: Vec<Issue>,
}

/// One message in a file.
#[derive(Clone, Debug)]
pub struct Member {
    /// The message's bytes, a slice of the file.
    pub bytes: Bytes,
    /// Byte offset of the message in the file.
    pub offset: usize,
    /// Index of the batch that contains the message, from zero; `None` outside any batch.
    pub batch: Option<usize>,
}

/// Reads a file.
pub fn read(bytes: impl Into<Bytes>) -> Batch {
    let mut batch = Batch::default();
    let mut parts = Parts::new(bytes);
    for part in &mut parts {
        match part {
            Part::FileHeader(bytes) => batch.file_header = Some(bytes),
            Part::BatchHeader(bytes) => batch.batch_headers.push(bytes),
            Part::Message(member) => batch.messages.push(member),
            Part::BatchTrailer(_) | Part::FileTrailer(_) | Part::Stray(_) => {}
        }
    }
    batch.issues = parts.into_issues();
    batch
}

/// Reads a file from borrowed bytes.
impl From<&[u8]> for Batch {
    fn from(bytes: &[u8]) -> Self {
        read(Bytes::copy_from_slice(bytes))
    }
}

/// Writes messages as one batch in one file, with correct counts. Sender and receiver in the
/// headers come from the first message.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::issue::IssueKind;

    fn kinds(batch: &Batch) -> Vec<IssueKind> {
        batch.issues.iter().map(|issue| issue.kind).collect()
    }

    #[test]
    fn envelopes_and_counts() {
        use IssueKind::{BadEnvelope, WrongCount};
        let cases: [(&[u8], usize, &[IssueKind]); 20] = [
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
            (b"BHS|^~\\&\rBTS|0\r", 0, &[]),
            (b"BHS|^~\\&\rBTS|1\r", 0, &[WrongCount]),
            (b"BHS|^~\\&\rMSH|1\rBTS|one\r", 1, &[WrongCount]),
            (b"BHS|^~\\&\rMSH|1\rBTS|01|remark\r", 1, &[]),
            (b"BHS$%*/@\rMSH$%*/@\rBTS$2\r", 1, &[WrongCount]),
            (b"FHS|^~\\&\rMSH|1\rMSH|2\rFTS|0\r", 2, &[]),
            (b"FHS|^~\\&\rBHS|^~\\&\rMSH|1\rFTS|1\r", 1, &[BadEnvelope]),
            (b"BHS|^~\\&\rBHS|^~\\&\rMSH|1\rBTS|1\r", 1, &[BadEnvelope]),
            (
                b"FHS|^~\\&\r\n\r\nBHS|^~\\&\r\nMSH|1\r\n\r\nBTS|1\r\nFTS|1\r\n\x1a",
                1,
                &[BadEnvelope],
            ),
            (b"BTS|0\rFTS|0\r", 0, &[BadEnvelope, BadEnvelope]),
            (
                b"\xef\xbb\xbfFHS|^~\\&\rBHS|^~\\&\rMSH|1\rBTS|1\rFTS|1\r",
                1,
                &[],
            ),
        ];
        for (file, n_messages, expected) in cases {
            let batch = read(file);
            assert_eq!(batch.messages.len(), n_messages, "{file:?}");
            assert_eq!(kinds(&batch), expected, "{file:?}");
        }
    }

    #[test]
    fn each_batch_counts_for_itself() {
        let file = b"FHS|^~\\&\rBHS|^~\\&|A\rMSH|1\rMSH|2\rBTS|2\rMSH|3\rBHS|^~\\&|B\rMSH|4\rBTS|2\rFTS|2\r";
        let batch = read(&file[..]);
        let places: Vec<Option<usize>> = batch.messages.iter().map(|one| one.batch).collect();
        assert_eq!(places, [Some(0), Some(0), None, Some(1)]);
        assert_eq!(kinds(&batch), [IssueKind::WrongCount]);
        let wrong = batch.issues[0].place.offset as usize;
        assert!(file[wrong..].starts_with(b"BTS|2\rFTS"), "at the trailer");
        assert_eq!(
            (batch.batch_headers.len(), batch.file_header.is_some()),
            (2, true)
        );
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
        let header = Message::parse(batch.file_header.unwrap());
        assert_eq!(header.first("FHS").unwrap().field(3).text(), "ZZAPP");
    }
}
