//! Decides from its first bytes whether a frame can still become a message.
//!
//! The answer is no only if the bytes cannot be meant as a message: senders put blanks, byte order
//! marks, lines of their own or a second start block before the header, write its name in lower
//! case or its text in UTF-16, and all of that is kept and read, or refused, as a whole.

use crate::delimiters::follows_header;

/// Number of bytes searched for a header.
const LOOK: usize = 256;

/// Length of a name with all the delimiters that may follow it.
const DECLARATION: usize = 10;

/// Returns whether `n_bytes` of a frame have arrived after its leading blanks without a header.
pub(super) fn lacks_header(frame: &[u8], n_bytes: usize) -> bool {
    let blanks = frame.iter().take(LOOK).take_while(|byte| is_blank(**byte));
    let text = frame.get(blanks.count()..).unwrap_or_default();
    let head = text.get(..text.len().min(LOOK)).unwrap_or_default();
    n_bytes <= text.len() && !may_hold_header(head, head.len() == text.len())
}

/// Returns whether a header begins in `head`, or may begin there if `open` says that more bytes
/// follow.
fn may_hold_header(head: &[u8], open: bool) -> bool {
    // In UTF-16 and UTF-32, every ASCII letter has zeros beside it.
    let letters: Vec<u8> = head.iter().copied().filter(|byte| *byte != 0).collect();
    (0..letters.len()).any(|at| {
        let (before, rest) = letters.split_at_checked(at).unwrap_or_default();
        let begins = before.last().is_none_or(|byte| is_blank(*byte));
        let name = rest.get(..3).unwrap_or(rest);
        let names = ["MSH", "FHS", "BHS"].map(str::as_bytes);
        begins
            && names.iter().any(|known| match rest.len() {
                0..3 => open && known.starts_with(&name.to_ascii_uppercase()),
                n => {
                    let declares = follows_header(rest) || (open && n < DECLARATION);
                    name.eq_ignore_ascii_case(known) && declares
                }
            })
    })
}

/// Matches white space, a start or end block, a byte of any byte order mark, or a zero.
fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, 0 | 0x0B | 0x1C | 0xEF | 0xBB | 0xBF | 0xFE | 0xFF)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mllp::{Decoder, Step};

    #[test]
    fn frames_that_may_become_a_message_and_frames_that_cannot() {
        let long = |text: &str| [text.as_bytes(), &b"x".repeat(300)].concat();
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for (clause, frame, lacks) in [
            ("a message", long("MSH|^~\\&|"), false),
            ("a batch", long("FHS|^~\\&|"), false),
            ("a batch without a file", long("BHS|^~\\&|"), false),
            ("small letters", long("msh|^~\\&|"), false),
            ("a letter as separator", long("MSHx^~\\&x"), false),
            ("blanks before it", long(&(" ".repeat(250) + "MSH|")), false),
            ("a byte order mark", long("\u{feff}MSH|"), false),
            ("two start blocks", long("\u{b}MSH|"), false),
            ("a line before it", long("hello\rMSH|"), false),
            (
                "UTF-16",
                wide(&("MSH|^~\\&|".to_owned() + &"x".repeat(300))),
                false,
            ),
            (
                "UTF-32",
                b"\0\0\xfe\xff\0\0\0M\0\0\0S\0\0\0H\0\0\0|".repeat(20),
                false,
            ),
            ("text", long("hello"), true),
            ("no header's name", long("MSHX|"), true),
            (
                "a header that another segment should follow",
                long("PID|1||MSH"),
                true,
            ),
            (
                "a name's first letter where the look ends",
                long(&("x".repeat(254) + " m")),
                true,
            ),
            ("nothing but blanks", b" ".repeat(600), true),
        ] {
            assert_eq!(lacks_header(&frame, 256), lacks, "{clause}");
        }
        assert!(!lacks_header(b"hello", 256), "it is too early to say");
        assert!(lacks_header(b"hello", 5));
        assert!(!lacks_header(b" \r MS", 2), "it may be on its way");
        assert!(!lacks_header(b"", 1) && !lacks_header(b"   ", 1));
    }

    #[test]
    fn only_an_open_frame_lacks_one() {
        let mut decoder = Decoder::new(1000);
        decoder.feed(&b"x".repeat(300));
        assert!(!decoder.lacks_header(256), "no frame has begun");
        assert!(matches!(decoder.step(), Step::Noise(_)));
        decoder.feed(b"\x0b");
        decoder.feed(&b"x".repeat(255));
        assert_eq!(decoder.step(), Step::NeedMore);
        assert!(!decoder.lacks_header(256));
        decoder.feed(b"x");
        assert!(decoder.lacks_header(256));
        decoder.feed(b"\x1c\r\x0bMSH|");
        assert!(
            matches!(decoder.step(), Step::Message(_)),
            "it is handed out as ever"
        );
        assert!(!decoder.lacks_header(1));
    }
}
