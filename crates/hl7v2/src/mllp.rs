//! MLLP frames without sockets: start block 0x0B, message, end block 0x1C 0x0D.
//!
//! Invariants:
//! - any split of the bytes yields the same messages and the same noise;
//! - no byte is searched twice for an end block: the decoder remembers how far it has searched;
//! - a message is handed out without copying its bytes, whatever its size;
//! - a frame that exceeds the cap is refused before it fills memory.

mod head;

use bytes::{Buf, Bytes, BytesMut};

const START: u8 = 0x0B;
const END: u8 = 0x1C;
const CARRIAGE_RETURN: u8 = 0x0D;
/// Capacity above which the buffer is given away with the message that needed it.
const KEPT_BUFFER: usize = 64 * 1024;
/// Frame size from which the buffer reserves room for the largest frame.
const LARGE_FRAME: usize = 1 << 20;

/// Incremental decoder. Every byte that it has not yet handed out is in its buffer.
#[derive(Debug)]
pub struct Decoder {
    buffer: BytesMut,
    max_frame: usize,
    /// Number of leading buffer bytes known to contain no end block.
    searched: usize,
    /// A frame was too long: no more input is decoded.
    refused: bool,
}

/// Result of a decoding step.
#[derive(Clone, PartialEq, Eq)]
pub enum Step {
    /// No complete frame yet.
    NeedMore,
    /// One message, without its framing.
    Message(Bytes),
    /// Bytes outside of frames; the peer may be probing, or may speak another protocol.
    Noise(Bytes),
    /// More bytes than the cap without an end block. Close the connection: the decoder reads no
    /// further.
    TooLong {
        /// The first bytes, up to the cap.
        kept: Bytes,
    },
}

/// Wraps a message in a frame.
pub fn frame(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 3);
    out.push(START);
    out.extend_from_slice(message);
    out.extend([END, CARRIAGE_RETURN]);
    out
}

/// Returns the start of a frame, for a frame that is written in pieces.
pub fn frame_start() -> [u8; 1] {
    [START]
}

/// Returns the end of a frame.
pub fn frame_end() -> [u8; 2] {
    [END, CARRIAGE_RETURN]
}

// === impl Decoder ===

impl Decoder {
    /// Creates a decoder that refuses frames with more than `max_frame` bytes of message.
    pub fn new(max_frame: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            max_frame,
            searched: 0,
            refused: false,
        }
    }

    /// Adds bytes in any split; a frame may arrive one byte at a time.
    pub fn feed(&mut self, bytes: &[u8]) {
        if !self.refused {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Returns the buffer, so that the caller can read into its end without a copy. Only append.
    pub fn buffer(&mut self) -> &mut BytesMut {
        let is_full = self.buffer.len() == self.buffer.capacity();
        if is_full && LARGE_FRAME <= self.buffer.len() {
            // Reserve room for the largest frame at once. Growing by doubling would take three
            // times the frame while copying, and twice the frame afterwards.
            let room = self.max_frame.max(self.buffer.len()) + LARGE_FRAME;
            let mut buffer = BytesMut::with_capacity(room);
            buffer.extend_from_slice(&self.buffer);
            self.buffer = buffer;
        }
        &mut self.buffer
    }

    /// Decodes the next step. Call until it returns [`Step::NeedMore`].
    pub fn step(&mut self) -> Step {
        if self.refused {
            self.buffer.clear();
            return Step::NeedMore;
        }
        match self.buffer.first() {
            None => Step::NeedMore,
            Some(&START) => self.in_frame(),
            Some(_) => {
                let n = memchr::memchr(START, &self.buffer).unwrap_or(self.buffer.len());
                Step::Noise(self.buffer.split_to(n).freeze())
            }
        }
    }

    /// Returns what is left when the connection ends: the start of a frame, including its start
    /// block.
    pub fn finish(&mut self) -> Option<Bytes> {
        self.searched = 0;
        let rest = std::mem::take(&mut self.buffer).freeze();
        (!rest.is_empty()).then_some(rest)
    }

    /// Returns whether an incomplete frame is buffered.
    pub fn is_inside_frame(&self) -> bool {
        !self.refused && self.buffer.first() == Some(&START)
    }

    /// Returns whether the incomplete frame has reached an end block without the CR after it: some
    /// senders leave it out, or write LF. A complete segment must precede it, because 0x1C may also
    /// be a byte of binary data.
    pub fn is_at_end_block(&self) -> bool {
        let frame = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
        let ends = frame.ends_with(&[CARRIAGE_RETURN, END]) || frame.ends_with(&[b'\n', END]);
        self.is_inside_frame() && ends
    }

    /// Accepts such an end block as the end of the frame; the next step hands out the message.
    /// Returns false if there is none.
    pub fn end_frame(&mut self) -> bool {
        let is_end = self.is_at_end_block();
        if is_end {
            let length = self.buffer.len() - usize::from(self.buffer.ends_with(b"\n"));
            self.buffer.truncate(length);
            self.buffer.extend_from_slice(&[CARRIAGE_RETURN]);
            self.searched = length - 1;
        }
        is_end
    }

    /// Returns whether the incomplete frame can no longer become a message: `n_bytes` of it have
    /// arrived, not counting leading blanks, and there is no header where a sender might put one.
    pub fn lacks_header(&self, n_bytes: usize) -> bool {
        let frame = self.buffer.get(1..).unwrap_or_default();
        self.is_inside_frame() && head::lacks_header(frame, n_bytes)
    }

    fn in_frame(&mut self) -> Step {
        let mut from = self.searched.max(1);
        while let Some(at) = self
            .buffer
            .get(from..)
            .and_then(|rest| memchr::memchr(END, rest))
        {
            let end = from + at;
            match self.buffer.get(end + 1) {
                None => {
                    self.searched = end;
                    return self.wait(end);
                }
                Some(&CARRIAGE_RETURN) => return self.hand_out(end, 2),
                // The sender forgot the CR and began the next frame.
                Some(&START) => return self.hand_out(end, 1),
                // A 0x1C inside the message, as in binary or GB 18030 text.
                Some(_) => from = end + 1,
            }
        }
        self.searched = self.buffer.len();
        self.wait(self.buffer.len())
    }

    fn hand_out(&mut self, end: usize, n_end: usize) -> Step {
        if end - 1 > self.max_frame {
            return self.refuse();
        }
        self.searched = 0;
        let mut frame = self.buffer.split_to(end + n_end);
        if self.buffer.is_empty() && frame.capacity() > KEPT_BUFFER {
            self.buffer = BytesMut::new();
        }
        frame.advance(1);
        frame.truncate(end - 1);
        Step::Message(frame.freeze())
    }

    fn wait(&mut self, end: usize) -> Step {
        if end - 1 > self.max_frame {
            self.refuse()
        } else {
            Step::NeedMore
        }
    }

    fn refuse(&mut self) -> Step {
        self.refused = true;
        let mut kept = std::mem::take(&mut self.buffer);
        kept.advance(1);
        kept.truncate(self.max_frame);
        Step::TooLong {
            kept: kept.freeze(),
        }
    }
}

// === impl Step ===

impl std::fmt::Debug for Step {
    /// Prints sizes only: the bytes may be PHI.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NeedMore => f.write_str("NeedMore"),
            Self::Message(bytes) => write!(f, "Message({} bytes)", bytes.len()),
            Self::Noise(bytes) => write!(f, "Noise({} bytes)", bytes.len()),
            Self::TooLong { kept } => write!(f, "TooLong({} bytes kept)", kept.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(decoder: &mut Decoder) -> Vec<Step> {
        std::iter::from_fn(|| match decoder.step() {
            Step::NeedMore => None,
            step => Some(step),
        })
        .collect()
    }

    fn message(text: &'static [u8]) -> Step {
        Step::Message(Bytes::from_static(text))
    }

    fn noise(text: &'static [u8]) -> Step {
        Step::Noise(Bytes::from_static(text))
    }

    #[test]
    fn frames_noise_and_missing_ends() {
        let cases: [(&[u8], Vec<Step>); 6] = [
            (b"\x0bMSH|x\r\x1c\r", vec![message(b"MSH|x\r")]),
            (
                b"\x0ba\x1c\r\x0bb\x1c\r",
                vec![message(b"a"), message(b"b")],
            ),
            (b"GET / HTTP/1.1\r\n", vec![noise(b"GET / HTTP/1.1\r\n")]),
            (
                b"\n\x0ba\x1c\r\n",
                vec![noise(b"\n"), message(b"a"), noise(b"\n")],
            ),
            (b"\x0ba\x1c\x0bb\x1c\r", vec![message(b"a"), message(b"b")]),
            (b"\x0ba\x1cb\x1c\r", vec![message(b"a\x1cb")]),
        ];
        for (wire, expected) in cases {
            let mut decoder = Decoder::new(100);
            decoder.feed(wire);
            assert_eq!(all(&mut decoder), expected, "{wire:?}");
        }
    }

    #[test]
    fn the_cap_is_on_the_message_and_final() {
        for (length, fits) in [(10, true), (11, false)] {
            let body = vec![b'x'; length];
            let mut decoder = Decoder::new(10);
            decoder.feed(&frame(&body));
            let kept = Bytes::from(vec![b'x'; 10]);
            let expected = if fits {
                Step::Message(body.into())
            } else {
                Step::TooLong { kept }
            };
            assert_eq!(all(&mut decoder), [expected]);
        }
        let mut decoder = Decoder::new(10);
        decoder.feed(b"\x0b12345678901");
        assert_eq!(all(&mut decoder).len(), 1);
        decoder.feed(b"\x1c\r\x0ba\x1c\r");
        assert_eq!(all(&mut decoder), []);
    }

    #[test]
    fn an_end_block_without_a_return_ends_the_frame_when_asked() {
        let cases: [(&[u8], Option<&[u8]>); 6] = [
            (b"\x0bMSH|x\r\x1c", Some(b"MSH|x\r")),
            (b"\x0bMSH|x\r\x1c\n", Some(b"MSH|x\r")),
            (b"\x0bMSH|x\n\x1c", Some(b"MSH|x\n")),
            // May be data.
            (b"\x0bMSH|x\x1c", None),
            (b"\x0bMSH|x\r\x1cy", None),
            (b"\r\x1c", None),
        ];
        for (wire, expected) in cases {
            let mut decoder = Decoder::new(100);
            decoder.feed(wire);
            while decoder.step() != Step::NeedMore {}
            assert_eq!(decoder.end_frame(), expected.is_some(), "{wire:?}");
            let expected = expected.map(|body| vec![Step::Message(Bytes::from_static(body))]);
            assert_eq!(all(&mut decoder), expected.unwrap_or_default(), "{wire:?}");
        }
    }

    #[test]
    fn what_is_left_at_the_end() {
        let mut decoder = Decoder::new(100);
        decoder.feed(b"\x0bMSH|");
        assert_eq!(decoder.step(), Step::NeedMore);
        assert!(decoder.is_inside_frame());
        assert_eq!(decoder.finish(), Some(Bytes::from_static(b"\x0bMSH|")));
        assert_eq!(decoder.finish(), None);
    }
}
