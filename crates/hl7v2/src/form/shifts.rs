//! ISO 2022: one text in several sets, switched by escape sequences.
//!
//! HL7 writes the same switches as `\Cxxyy\` (one byte per character) and `\Mxxyyzz\` (several),
//! where the digits are the bytes after the ISO 2022 escape character. At the end of a segment, the
//! first set of MSH-18 is in force again.

use encoding_rs::Encoding;

use crate::charset::Charset;
use crate::delimiters::Delimiters;

const ESCAPE: u8 = 0x1B;

/// The meaning of the bytes below 0x80.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Low {
    Ascii,
    /// JIS X 0201, half-width katakana.
    Katakana,
    /// Two bytes per character: with the high bits set, and after the prefix, they are the
    /// encoding's own bytes.
    Pairs(&'static Encoding, Option<u8>),
}

/// The target of an escape sequence.
#[derive(Clone, Copy, Debug)]
enum Switch {
    Low(Low),
    /// The bytes from 0x80 up.
    High(&'static Encoding),
}

struct Decoder<'r> {
    raw: &'r [u8],
    at: usize,
    base: Charset,
    delimiters: Delimiters,
    low: Low,
    high: Charset,
    out: Vec<u8>,
    lossy: bool,
}

/// Decodes to UTF-8 and reports whether characters were lost. Returns `None` if the text switches
/// to no known set.
pub(super) fn decode(raw: &[u8], base: Charset, delimiters: Delimiters) -> Option<(Vec<u8>, bool)> {
    if !may_switch(raw, delimiters) {
        return None;
    }
    let mut decoder = Decoder {
        raw,
        at: 0,
        base,
        delimiters,
        low: Low::Ascii,
        high: base,
        out: Vec::with_capacity(raw.len() * 3 / 2),
        lossy: false,
    };
    let mut n_switches = 0_usize;
    while decoder.at < raw.len() {
        n_switches += usize::from(decoder.step());
    }
    (n_switches > 0).then_some((decoder.out, decoder.lossy))
}

/// Escapes are rare, so checking each is cheap; most messages go no further than this.
fn may_switch(raw: &[u8], delimiters: Delimiters) -> bool {
    let by_hl7 = |escape: u8| {
        let mut escapes = memchr::memchr_iter(escape, raw);
        escapes.any(|at| matches!(raw.get(at + 1), Some(b'C' | b'M')))
    };
    memchr::memchr(ESCAPE, raw).is_some() || delimiters.escape.is_some_and(by_hl7)
}

// === impl Decoder ===

impl Decoder<'_> {
    /// Consumes one switch (and returns true) or some text.
    fn step(&mut self) -> bool {
        let rest = self.raw.get(self.at..).unwrap_or_default();
        if let Some((length, switch)) = self.switch(rest) {
            self.at += length;
            match switch {
                Switch::Low(low) => self.low = low,
                Switch::High(encoding) => self.high = Charset::of(encoding),
            }
            return true;
        }
        match (rest, self.low) {
            ([b'\r' | b'\n', ..], _) => {
                (self.low, self.high) = (Low::Ascii, self.base);
                self.plain(1);
            }
            ([0x80..=0xFF, ..], _) => self.high(rest),
            // No set has a row that begins with these bytes: the sender forgot to switch back.
            ([byte, ..], Low::Pairs(..) | Low::Katakana)
                if *byte == self.delimiters.field && *byte > b'z' =>
            {
                self.low = Low::Ascii;
                self.lossy = true;
                self.plain(1);
            }
            ([first @ 0x21..=0x7E, second @ 0x21..=0x7E, ..], Low::Pairs(encoding, prefix)) => {
                let pair = [prefix.unwrap_or(0), first | 0x80, second | 0x80];
                let pair = pair.get(usize::from(prefix.is_none())..);
                self.push(encoding, pair.unwrap_or_default());
                self.at += 2;
            }
            ([byte @ 0x21..=0x5F, ..], Low::Katakana) => {
                let c = char::from_u32(0xFF61 + u32::from(byte - 0x21));
                let mut buffer = [0; 4];
                let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
                self.out
                    .extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
                self.at += 1;
            }
            ([0x21..=0x7E, ..], Low::Pairs(..) | Low::Katakana) => {
                self.out.extend_from_slice("\u{FFFD}".as_bytes());
                self.lossy = true;
                self.at += 1;
            }
            (_, Low::Pairs(..) | Low::Katakana) => self.plain(1),
            (_, Low::Ascii) => {
                let special = |byte: &u8| {
                    matches!(*byte, ESCAPE | b'\r' | b'\n' | 0x80..)
                        || Some(*byte) == self.delimiters.escape
                };
                let behind = rest.iter().skip(1).position(special);
                self.plain(behind.map_or(rest.len(), |behind| behind + 1));
            }
        }
        false
    }

    fn plain(&mut self, n: usize) {
        let text = self.raw.get(self.at..self.at + n).unwrap_or_default();
        self.out.extend_from_slice(text);
        self.at += n;
    }

    /// Decodes the run of non-ASCII bytes.
    fn high(&mut self, rest: &[u8]) {
        let n = rest.iter().take_while(|byte| **byte >= 0x80).count();
        let text = rest.get(..n).unwrap_or_default();
        let decoded = self.high.decode(text);
        self.lossy |= decoded.contains(char::REPLACEMENT_CHARACTER);
        self.out.extend_from_slice(decoded.as_bytes());
        self.at += n;
    }

    fn push(&mut self, encoding: &'static Encoding, bytes: &[u8]) {
        let (text, lossy) = encoding.decode_without_bom_handling(bytes);
        self.lossy |= lossy;
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Returns the switch at this position, in either notation, and its length.
    fn switch(&self, rest: &[u8]) -> Option<(usize, Switch)> {
        let (first, behind) = rest.split_first()?;
        if *first == ESCAPE {
            let lengths = [2, 3];
            return lengths.into_iter().find_map(|n| {
                let switch = switch_of(behind.get(..n)?)?;
                Some((n + 1, switch))
            });
        }
        if Some(*first) != self.delimiters.escape || !matches!(behind, [b'C' | b'M', ..]) {
            return None;
        }
        let end = behind.iter().take(8).position(|byte| byte == first)?;
        let digits = behind.get(1..end)?;
        let value = |digit: &u8| char::from(*digit).to_digit(16);
        let bytes: Option<Vec<u8>> = digits
            .chunks(2)
            .map(|pair| match pair {
                [high, low] => Some((value(high)? * 16 + value(low)?) as u8),
                _ => None,
            })
            .collect();
        Some((end + 2, switch_of(&bytes?)?))
    }
}

/// Maps the final bytes of ISO 2375's registry to the sets of HL7 table 0211 (and the ISO 8859
/// parts).
fn switch_of(bytes: &[u8]) -> Option<Switch> {
    let pairs = |encoding| Some(Switch::Low(Low::Pairs(encoding, None)));
    match bytes {
        // ISO IR6, and the Latin letters of ISO IR14, which differ in two characters that HL7 uses
        // as delimiters.
        b"(B" | b"(J" => Some(Switch::Low(Low::Ascii)),
        b"(I" => Some(Switch::Low(Low::Katakana)),
        // ISO IR87, its 1978 edition, and ISO IR159.
        b"$B" | b"$@" | b"$(B" => pairs(encoding_rs::EUC_JP),
        b"$(D" => Some(Switch::Low(Low::Pairs(encoding_rs::EUC_JP, Some(0x8F)))),
        b"$A" | b"$(A" => pairs(encoding_rs::GBK),
        b"$(C" => pairs(encoding_rs::EUC_KR),
        b"$)A" => Some(Switch::High(encoding_rs::GBK)),
        b"$)C" => Some(Switch::High(encoding_rs::EUC_KR)),
        b")I" => Some(Switch::High(encoding_rs::SHIFT_JIS)),
        [b'-', part] => {
            let (_, name) = PARTS.iter().find(|(last, _)| last == part)?;
            Encoding::for_label(name.as_bytes()).map(Switch::High)
        }
        _ => None,
    }
}

/// The parts of ISO 8859 that `-` and this byte switch to.
const PARTS: [(u8, &str); 12] = [
    (b'A', "iso-8859-1"),
    (b'B', "iso-8859-2"),
    (b'C', "iso-8859-3"),
    (b'D', "iso-8859-4"),
    (b'F', "iso-8859-7"),
    (b'G', "iso-8859-6"),
    (b'H', "iso-8859-8"),
    (b'L', "iso-8859-5"),
    (b'M', "iso-8859-9"),
    (b'T', "windows-874"),
    (b'V', "iso-8859-10"),
    (b'b', "iso-8859-15"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The clause, the bytes, the text and whether some of it is lost.
    type Case = (&'static str, &'static [u8], Option<(&'static str, bool)>);

    #[test]
    fn sets_by_their_switches() {
        let cases: [Case; 13] = [
            ("ISO IR87", b"a\x1b$B;3ED\x1b(B^b", Some(("a山田^b", false))),
            (
                "ISO IR87 as HL7 writes it",
                b"a\\M2442\\;3ED\\C2842\\^b",
                Some(("a山田^b", false)),
            ),
            ("ISO IR159", b"\x1b$(D0!\x1b(B|", Some(("丂|", false))),
            (
                "ISO IR13 in seven bits",
                b"\x1b(I1\x1b(B|",
                Some(("ｱ|", false)),
            ),
            ("GB 2312", b"\x1b$A;(\x1b(B|", Some(("花|", false))),
            (
                "KS X 1001",
                b"\\M242843\\1h\\C2842\\|",
                Some(("김|", false)),
            ),
            (
                "KS X 1001 in eight bits",
                b"\x1b$)C\xb1\xe8|",
                Some(("김|", false)),
            ),
            (
                "ISO 8859-2",
                b"\\C2D42\\\xb3\\C2D41\\\xeb",
                Some(("łë", false)),
            ),
            (
                "the segment's end switches back",
                b"\x1b$B;3\rA",
                Some(("山\rA", false)),
            ),
            (
                "the sender forgot to switch back",
                b"\x1b$B;3|A",
                Some(("山|A", true)),
            ),
            (
                "half a character",
                b"\x1b$B;\x1b(B|",
                Some(("\u{FFFD}|", true)),
            ),
            ("no such set", b"\x1b$Za\\C2899\\", None),
            ("no switch at all", b"plain \\H\\text\\N\\", None),
        ];
        let latin = Charset::named("8859/1").unwrap();
        for (clause, raw, expected) in cases {
            let found = decode(raw, latin, Delimiters::default());
            let found = found.map(|(text, lossy)| (String::from_utf8(text).unwrap(), lossy));
            let expected = expected.map(|(text, lossy)| (text.to_owned(), lossy));
            assert_eq!(found, expected, "{clause}");
        }
    }
}
