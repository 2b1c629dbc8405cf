//! UTF-16 and UTF-32, detected by a byte order mark or by the zeros around the `M` of `MSH`.

/// Width and byte order of a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wide {
    /// Bytes per character: 2 or 4.
    width: usize,
    big_endian: bool,
    /// The sender writes a byte order mark.
    mark: bool,
}

// === impl Wide ===

impl Wide {
    /// Detects the form of these bytes, if it is one of these encodings.
    pub(crate) fn of(raw: &[u8]) -> Option<Self> {
        let form = |width, big_endian, mark| {
            Some(Self {
                width,
                big_endian,
                mark,
            })
        };
        match *raw {
            [0xFF, 0xFE, 0, 0, ..] => form(4, false, true),
            [0, 0, 0xFE, 0xFF, ..] => form(4, true, true),
            [0xFF, 0xFE, ..] => form(2, false, true),
            [0xFE, 0xFF, ..] => form(2, true, true),
            [b'M' | b'F' | b'B', 0, 0, 0, ..] => form(4, false, false),
            [0, 0, 0, b'M' | b'F' | b'B', ..] => form(4, true, false),
            [b'M' | b'F' | b'B', 0, b'S' | b'H', 0, ..] => form(2, false, false),
            [0, b'M' | b'F' | b'B', 0, b'S' | b'H', ..] => form(2, true, false),
            _ => None,
        }
    }

    /// Decodes the text and reports whether some of it was invalid.
    pub(crate) fn decode(self, raw: &[u8]) -> (String, bool) {
        let body = raw.get(if self.mark { self.width } else { 0 }..);
        let units = body.unwrap_or_default().chunks(self.width);
        let mut lossy = !raw.len().is_multiple_of(self.width);
        let values = units.map(|unit| self.value(unit));
        let mut text = String::with_capacity(raw.len() / self.width);
        let mut push = |c: Option<char>| {
            lossy |= c.is_none();
            text.push(c.unwrap_or(char::REPLACEMENT_CHARACTER));
        };
        if self.width == 4 {
            values.for_each(|value| push(char::from_u32(value)));
        } else {
            char::decode_utf16(values.map(|value| value as u16)).for_each(|c| push(c.ok()));
        }
        (text, lossy)
    }

    /// Encodes a text.
    pub(crate) fn encode(self, text: &str) -> Vec<u8> {
        let mark = self.mark.then_some('\u{FEFF}');
        let mut out = Vec::with_capacity(text.len() * self.width);
        for c in mark.into_iter().chain(text.chars()) {
            if self.width == 4 {
                self.push(u32::from(c), &mut out);
                continue;
            }
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                self.push(u32::from(*unit), &mut out);
            }
        }
        out
    }

    fn value(self, unit: &[u8]) -> u32 {
        let add = |value: u32, byte: &u8| value << 8 | u32::from(*byte);
        if self.big_endian {
            unit.iter().fold(0, add)
        } else {
            unit.iter().rev().fold(0, add)
        }
    }

    fn push(self, value: u32, out: &mut Vec<u8>) {
        let bytes = value.to_be_bytes().into_iter().skip(4 - self.width);
        if self.big_endian {
            out.extend(bytes);
        } else {
            out.extend(bytes.rev());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for width in [2, 4] {
            for big_endian in [true, false] {
                for mark in [true, false] {
                    let wide = Wide {
                        width,
                        big_endian,
                        mark,
                    };
                    let text = "MSH|^~\\&|ŁÓDŹ 漢字 😀\r";
                    let raw = wide.encode(text);
                    assert_eq!(Wide::of(&raw), Some(wide));
                    assert_eq!(wide.decode(&raw), (text.to_owned(), false));
                }
            }
        }
        let half = Wide::of(b"M\0S\0H\0\x00\xD8").unwrap();
        assert_eq!(half.decode(b"M\0S\0\x00\xD8"), ("MS\u{FFFD}".into(), true));
    }
}
