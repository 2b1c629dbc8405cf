//! HL7 v2 as sent over the wire: every segment ends in CR (2.8.2 chapter 2.5.4), whatever line ends
//! a file uses.

use crate::batch::{Part, Parts};
use crate::message::Message;
use bytes::Bytes;

/// Returns the bytes of a message or of a file of messages with CR after each segment.
///
/// A line feed inside a field is text and stays. Input whose segments already end in CR is returned
/// unchanged, and so is a message in a character set in which a line feed may be half of a
/// character (UTF-16 …).
pub fn with_cr(bytes: &Bytes) -> Bytes {
    // UTF-16 and UTF-32 have zero bytes; text does not.
    if !bytes.contains(&b'\n') || bytes.contains(&0) {
        return bytes.clone();
    }
    let mut out = Vec::with_capacity(bytes.len() + 1);
    for part in Parts::new(bytes.clone()) {
        match part {
            Part::Message(member) => message(member.bytes, &mut out),
            Part::FileHeader(line) | Part::BatchHeader(line) | Part::Stray(line) => {
                segment(&line, &mut out);
            }
            Part::BatchTrailer(trailer) | Part::FileTrailer(trailer) => {
                segment(&trailer.bytes, &mut out);
            }
        }
    }
    Bytes::from(out)
}

fn message(bytes: Bytes, out: &mut Vec<u8>) {
    let message = Message::parse(bytes);
    // If the message was converted to be read, or not read to its end, leave the sender's bytes
    // alone.
    if message.body() != message.bytes() || message.unsplit_from().is_some() {
        out.extend_from_slice(message.raw());
        return;
    }
    for found in message.segments() {
        segment(found.raw(), out);
    }
}

fn segment(line: &[u8], out: &mut Vec<u8>) {
    let line = line.trim_ascii_end();
    if !line.is_empty() {
        out.extend_from_slice(line);
        out.push(b'\r');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(text: &str) -> String {
        String::from_utf8(with_cr(&Bytes::from(text.to_owned())).to_vec()).unwrap()
    }

    #[test]
    fn every_segment_ends_in_cr() {
        let right = "MSH|^~\\&|A||B||20240105||ADT^A01|1|P|2.5.1\rPID|||1\rPV1||I\r";
        for end in ["\n", "\r\n", "\r"] {
            assert_eq!(wire(&right.replace('\r', end)), right, "{end:?}");
            let without = right.replace('\r', end);
            assert_eq!(
                wire(without.trim_end()).trim_end(),
                right.trim_end(),
                "{end:?}"
            );
        }
    }

    #[test]
    fn a_line_feed_in_a_field_is_text() {
        let text = "MSH|^~\\&|A||B||20240105||ORU^R01|1|P|2.5.1\rOBX|1|TX|X||one\ntwo\r";
        assert_eq!(wire(text), text);
    }

    #[test]
    fn an_envelope_too() {
        let text = "FHS|^~\\&\nBHS|^~\\&\nMSH|^~\\&|A||B||20240105||ADT^A01|1|P|2.5.1\nPID|||1\nBTS|1\nFTS|1\n";
        assert_eq!(wire(text), text.replace('\n', "\r"));
    }

    #[test]
    fn other_character_sets_stay() {
        let text: Vec<u8> = "MSH|^~\\&|A||B||20240105||ADT^A01|1|P|2.5.1||||||UNICODE\rPID|||1\n\r"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        let bytes = Bytes::from([vec![0xFE, 0xFF], text].concat());
        assert_eq!(with_cr(&bytes), bytes);
    }
}
