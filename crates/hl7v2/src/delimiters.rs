//! The separators that a message declares in MSH-1 and MSH-2.

/// Delimiter and escape bytes (2.8.2 chapter 2.5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Delimiters {
    /// Between fields, `|`.
    pub field: u8,
    /// Between components, `^`.
    pub component: u8,
    /// Between repeats, `~`.
    pub repeat: u8,
    /// Around escape sequences, `\`. A sender without escapes may leave it out.
    pub escape: Option<u8>,
    /// Between subcomponents, `&`. A sender without subcomponents may leave it out; it then equals
    /// `component` and never occurs within one.
    pub subcomponent: u8,
    /// At the end of a truncated value, `#`, from 2.7 on.
    pub truncation: Option<u8>,
}

/// A defect in a delimiter declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// MSH-1 cannot be a separator; `|` is used.
    Field,
    /// MSH-2 is too short; the default characters are used.
    Short,
    /// MSH-2 is longer than five characters.
    Long,
    /// Two delimiters are the same, or one is not a printable ASCII punctuation character.
    Ambiguous,
}

// === impl Delimiters ===

impl Default for Delimiters {
    fn default() -> Self {
        Self {
            field: b'|',
            component: b'^',
            repeat: b'~',
            escape: Some(b'\\'),
            subcomponent: b'&',
            truncation: None,
        }
    }
}

impl Delimiters {
    /// Returns MSH-2 as this message writes it.
    pub fn encoding_characters(&self) -> Vec<u8> {
        let mut out = vec![self.component, self.repeat];
        out.extend(self.escape);
        if self.has_subcomponents() {
            out.push(self.subcomponent);
        }
        out.extend(self.truncation);
        out
    }

    /// Returns whether the sender uses subcomponents.
    pub fn has_subcomponents(&self) -> bool {
        self.subcomponent != self.component
    }

    /// Reads the declaration from the bytes of a header segment (MSH, FHS, BHS).
    pub(crate) fn read(header: &[u8]) -> (Self, Vec<Flaw>) {
        let mut found = Self::default();
        let mut flaws = Vec::new();
        // A header that is only delimiters ends with its segment.
        let end = memchr::memchr2(b'\r', b'\n', header).unwrap_or(header.len());
        let header = header.get(..end).unwrap_or_default();
        match header.get(3) {
            Some(&byte) if can_separate(byte) || declares(header, byte) => found.field = byte,
            _ => flaws.push(Flaw::Field),
        }
        let rest = header.get(4..).unwrap_or_default();
        let end = memchr::memchr(found.field, rest).unwrap_or(rest.len());
        let declared = rest.get(..end).unwrap_or_default();
        match *declared {
            [] => flaws.push(Flaw::Short),
            [component] => {
                found.component = component;
                flaws.push(Flaw::Short);
            }
            // 2.5.4: a sender without subcomponents and escapes may leave both out. Then `&` and
            // `\` are text.
            [component, repeat] => {
                (found.component, found.repeat) = (component, repeat);
                (found.escape, found.subcomponent) = (None, component);
            }
            [component, repeat, b'&'] => {
                (found.component, found.repeat, found.escape) = (component, repeat, None);
                flaws.push(Flaw::Short);
            }
            [component, repeat, escape] => {
                (found.component, found.repeat, found.escape) = (component, repeat, Some(escape));
                found.subcomponent = component;
            }
            [component, repeat, escape, subcomponent, ref more @ ..] => {
                (found.component, found.repeat) = (component, repeat);
                (found.escape, found.subcomponent) = (Some(escape), subcomponent);
                found.truncation = more.first().copied();
                if more.len() > 1 {
                    flaws.push(Flaw::Long);
                }
            }
        }
        if found.is_ambiguous() {
            flaws.push(Flaw::Ambiguous);
        }
        (found, flaws)
    }

    fn is_ambiguous(self) -> bool {
        let mut all = self.encoding_characters();
        all.push(self.field);
        // 2.14.9.18: printable characters of 7-bit ASCII, regardless of the message's character
        // set.
        let odd = all
            .iter()
            .any(|&byte| !byte.is_ascii_graphic() || !can_separate(byte));
        all.sort_unstable();
        odd || all.windows(2).any(|pair| pair.first() == pair.last())
    }
}

/// Returns whether the bytes after a three-letter name make it the name of a header.
pub(crate) fn follows_header(raw: &[u8]) -> bool {
    let next = raw.get(3);
    next.is_none_or(|byte| !byte.is_ascii_alphanumeric() || declares(raw, *byte))
}

/// Returns whether a letter or digit after the name is the separator after all: four or five
/// characters that can only be delimiters, then the same letter again.
fn declares(header: &[u8], separator: u8) -> bool {
    let rest = header.get(4..).unwrap_or_default();
    let n = memchr::memchr(separator, rest).unwrap_or(0);
    let encoding = rest.get(..n).unwrap_or_default();
    separator.is_ascii_alphanumeric()
        && matches!(n, 4 | 5)
        && encoding.iter().all(u8::is_ascii_punctuation)
}

pub(crate) fn can_separate(byte: u8) -> bool {
    !byte.is_ascii_alphanumeric() && !matches!(byte, b'\r' | b'\n' | 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations() {
        let usual = Delimiters::default();
        let cases: [(&[u8], Delimiters, &[Flaw]); 19] = [
            (b"MSH|^~\\&|X", usual, &[]),
            (
                b"MSH|^~\\&#|X",
                Delimiters {
                    truncation: Some(b'#'),
                    ..usual
                },
                &[],
            ),
            (
                b"MSH$%*/@$X",
                Delimiters {
                    field: b'$',
                    component: b'%',
                    repeat: b'*',
                    escape: Some(b'/'),
                    subcomponent: b'@',
                    truncation: None,
                },
                &[],
            ),
            (b"MSH", usual, &[Flaw::Field, Flaw::Short]),
            (b"MSH||X", usual, &[Flaw::Short]),
            (
                b"MSH|^~&|X",
                Delimiters {
                    escape: None,
                    ..usual
                },
                &[Flaw::Short],
            ),
            (
                b"MSH|^^\\&|X",
                Delimiters {
                    repeat: b'^',
                    ..usual
                },
                &[Flaw::Ambiguous],
            ),
            (b"MSHA^~\\&|X", usual, &[Flaw::Field]),
            // Only delimiters, followed by another segment.
            (b"MSH|^~\\&\rPID|1", usual, &[]),
            (b"MSH|^~\\&\nPID|1", usual, &[]),
            (b"MSH|\rPID|^", usual, &[Flaw::Short]),
            (b"MSH\r", usual, &[Flaw::Field, Flaw::Short]),
            // Without subcomponents, and without escapes too.
            (
                b"MSH|^~\\|X",
                Delimiters {
                    subcomponent: b'^',
                    ..usual
                },
                &[],
            ),
            (
                b"MSH|^~|X",
                Delimiters {
                    escape: None,
                    subcomponent: b'^',
                    ..usual
                },
                &[],
            ),
            (
                b"MSH|^~\\&#$|X",
                Delimiters {
                    truncation: Some(b'#'),
                    ..usual
                },
                &[Flaw::Long],
            ),
            // A letter is accepted when it cannot be anything else, and reported.
            (
                b"MSHx^~\\&xAPP",
                Delimiters {
                    field: b'x',
                    ..usual
                },
                &[Flaw::Ambiguous],
            ),
            (
                b"MSH|abcd|X",
                Delimiters {
                    component: b'a',
                    repeat: b'b',
                    escape: Some(b'c'),
                    subcomponent: b'd',
                    ..usual
                },
                &[Flaw::Ambiguous],
            ),
            (
                b"MSH\x1d\x1e\x1f\x01\x02\x1dX",
                Delimiters {
                    field: 0x1D,
                    component: 0x1E,
                    repeat: 0x1F,
                    escape: Some(1),
                    subcomponent: 2,
                    truncation: None,
                },
                &[Flaw::Ambiguous],
            ),
            // A section sign in ISO 8859-1 is one byte, and not ASCII.
            (
                b"MSH\xa7^~\\&\xa7X",
                Delimiters {
                    field: 0xA7,
                    ..usual
                },
                &[Flaw::Ambiguous],
            ),
        ];
        for (header, expected, flaws) in cases {
            let (found, found_flaws) = Delimiters::read(header);
            assert_eq!(
                (found, found_flaws.as_slice()),
                (expected, flaws),
                "{header:?}"
            );
        }
    }
}
