//! Character sets: MSH-18 (HL7 table 0211) and the spellings that senders use instead.
//!
//! The declared set is checked against the bytes. Bytes that are invalid in the declared set, or
//! that come without a declaration, are read as UTF-8 if valid, otherwise as windows-1252 (ISO
//! 8859-1 with the gaps filled), and an issue is reported.

use std::borrow::Cow;

use encoding_rs::Encoding;

use crate::issue::IssueKind;

/// The character set in which a message is read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charset {
    encoding: &'static Encoding,
    /// The text is pure ASCII, so all sets read alike.
    ascii: bool,
}

// === impl Charset ===

impl Default for Charset {
    fn default() -> Self {
        Self::UTF_8
    }
}

impl Charset {
    /// Unicode as UTF-8.
    pub const UTF_8: Self = Self {
        encoding: encoding_rs::UTF_8,
        ascii: false,
    };

    /// Returns the set for a name in HL7 table 0211 or for a sender's own spelling.
    pub fn named(name: &str) -> Option<Self> {
        let squeezed: String = name
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_uppercase())
            .collect();
        let label = match squeezed.as_str() {
            // Seven-bit ISO 2022 sets: unswitched text is ASCII.
            "ASCII" | "USASCII" | "ISOIR6" | "ISOIR87" | "ISOIR159" => {
                return Some(Self {
                    encoding: encoding_rs::UTF_8,
                    ascii: true,
                });
            }
            "UNICODE" | "UNICODEUTF8" | "UTF8" => "utf-8",
            "ISOIR100" | "LATIN1" => "iso-8859-1",
            "ISOIR101" => "iso-8859-2",
            "ISOIR109" => "iso-8859-3",
            "ISOIR110" => "iso-8859-4",
            "ISOIR144" => "iso-8859-5",
            "ISOIR127" => "iso-8859-6",
            "ISOIR126" => "iso-8859-7",
            "ISOIR138" => "iso-8859-8",
            "ISOIR148" => "iso-8859-9",
            "ISOIR166" => "windows-874",
            // JIS X 0201, whose katakana is included in Shift_JIS.
            "ISOIR13" | "ISOIR14" => "shift_jis",
            "ISOIR58" => "gbk",
            "GB180302000" | "GB18030" => "gb18030",
            "KSX1001" | "ISOIR149" => "euc-kr",
            "BIG5" => "big5",
            "CNS116431992" => return None,
            "WINDOWS1252" | "CP1252" | "WIN1252" | "ANSI" => "windows-1252",
            other => {
                return iso_8859(other)
                    .or_else(|| windows(other))
                    .or_else(|| Encoding::for_label(name.trim().as_bytes()))
                    .filter(|encoding| encoding.is_ascii_compatible())
                    .map(Self::of);
            }
        };
        Encoding::for_label(label.as_bytes()).map(Self::of)
    }

    pub(crate) fn of(encoding: &'static Encoding) -> Self {
        Self {
            encoding,
            ascii: false,
        }
    }

    /// Chooses the set to read `raw` in, given the declaration in MSH-18.
    pub(crate) fn choose(declared: &str, raw: &[u8], ascii: bool) -> (Self, Option<IssueKind>) {
        let named = Self::named(declared);
        if ascii {
            let wrong = match named {
                None if is_wide(declared) => Some(IssueKind::WrongCharset),
                None if !declared.is_empty() => Some(IssueKind::UnknownCharset),
                _ => None,
            };
            let encoding = named.map_or(encoding_rs::UTF_8, |set| set.encoding);
            return (
                Self {
                    encoding,
                    ascii: true,
                },
                wrong,
            );
        }
        let is_utf8 = std::str::from_utf8(raw).is_ok();
        let fallback = if is_utf8 {
            Self::UTF_8
        } else {
            Self::of(encoding_rs::WINDOWS_1252)
        };
        match named {
            None if declared.is_empty() => (fallback, Some(IssueKind::UndeclaredCharset)),
            None if is_wide(declared) => (fallback, Some(IssueKind::WrongCharset)),
            None => (fallback, Some(IssueKind::UnknownCharset)),
            Some(set) if set.ascii => (fallback, Some(IssueKind::WrongCharset)),
            Some(set) if set.encoding == encoding_rs::UTF_8 => {
                (fallback, (!is_utf8).then_some(IssueKind::WrongCharset))
            }
            Some(_) if is_utf8 => (Self::UTF_8, Some(IssueKind::WrongCharset)),
            Some(set) => (set, (!set.has(raw)).then_some(IssueKind::WrongCharset)),
        }
    }

    /// Returns the encoding if the second byte of a character can look like a delimiter.
    pub(crate) fn with_ascii_trail_bytes(self) -> Option<&'static Encoding> {
        let sets = [
            encoding_rs::GB18030,
            encoding_rs::GBK,
            encoding_rs::BIG5,
            encoding_rs::SHIFT_JIS,
        ];
        sets.contains(&self.encoding).then_some(self.encoding)
    }

    /// Returns the name of the encoding, such as `UTF-8` or `windows-1252`.
    pub fn name(self) -> &'static str {
        self.encoding.name()
    }

    /// Decodes bytes. Invalid bytes become U+FFFD; in a message that is ASCII apart from its
    /// `\X..\` escapes, they are read as windows-1252.
    pub fn decode(self, bytes: &[u8]) -> Cow<'_, str> {
        if self.encoding != encoding_rs::UTF_8 {
            // Most values are ASCII, whatever the set: that is seen sooner than the decoder is set up.
            if self.encoding.is_ascii_compatible()
                && bytes.is_ascii()
                && let Ok(text) = std::str::from_utf8(bytes)
            {
                return Cow::Borrowed(text);
            }
            return self.encoding.decode_without_bom_handling(bytes).0;
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) if self.ascii => {
                encoding_rs::WINDOWS_1252
                    .decode_without_bom_handling(bytes)
                    .0
            }
            Err(_) => String::from_utf8_lossy(bytes),
        }
    }

    /// Returns whether the bytes are valid text in this set.
    pub(crate) fn has(self, bytes: &[u8]) -> bool {
        let decoded = self
            .encoding
            .decode_without_bom_handling_and_without_replacement(bytes);
        decoded.is_some()
    }

    /// Encodes text. A character that the set lacks becomes `?`.
    pub fn encode(self, text: &str) -> Cow<'_, [u8]> {
        if self.encoding == encoding_rs::UTF_8 || text.is_ascii() {
            return Cow::Borrowed(text.as_bytes());
        }
        let mut out = Vec::with_capacity(text.len());
        for c in text.chars() {
            let mut buffer = [0; 4];
            let (bytes, _, lossy) = self.encoding.encode(c.encode_utf8(&mut buffer));
            if lossy {
                out.push(b'?');
            } else {
                out.extend_from_slice(&bytes);
            }
        }
        Cow::Owned(out)
    }
}

/// Matches `UNICODE UTF-16` and similar: detected from the bytes, before any name is read.
fn is_wide(declared: &str) -> bool {
    ["16", "32"].iter().any(|width| {
        let name = declared.to_ascii_uppercase();
        name.contains("UTF") && name.contains(width)
    })
}

/// Matches `8859/1` of table 0211, `ISO-8859-1`, `ISO8859_15`.
fn iso_8859(squeezed: &str) -> Option<&'static Encoding> {
    let part = squeezed
        .strip_prefix("ISO")
        .unwrap_or(squeezed)
        .strip_prefix("8859")?;
    Encoding::for_label(format!("iso-8859-{part}").as_bytes())
}

/// Matches `windows-1250`, `CP1250`, `WIN1250`.
fn windows(squeezed: &str) -> Option<&'static Encoding> {
    let page = ["WINDOWS", "CP", "WIN"]
        .iter()
        .find_map(|prefix| squeezed.strip_prefix(prefix))?;
    Encoding::for_label(format!("windows-{page}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_table_0211_and_others() {
        let cases = [
            ("ASCII", Some("UTF-8")),
            ("8859/1", Some("windows-1252")),
            ("8859/2", Some("ISO-8859-2")),
            ("8859/9", Some("windows-1254")),
            ("8859/15", Some("ISO-8859-15")),
            ("UNICODE UTF-8", Some("UTF-8")),
            ("UNICODE", Some("UTF-8")),
            ("GB 18030-2000", Some("gb18030")),
            ("KS X 1001", Some("EUC-KR")),
            ("BIG-5", Some("Big5")),
            ("ISO IR100", Some("windows-1252")),
            ("utf8", Some("UTF-8")),
            ("ISO-8859-1", Some("windows-1252")),
            ("iso8859_15", Some("ISO-8859-15")),
            ("windows-1252", Some("windows-1252")),
            ("CP1250", Some("windows-1250")),
            ("ISO IR87", Some("UTF-8")),
            ("ISO IR159", Some("UTF-8")),
            ("ISO IR14", Some("Shift_JIS")),
            ("CNS 11643-1992", None),
            ("UNICODE UTF-16", None),
            ("UNICODE UTF-32", None),
            ("UTF-16LE", None),
            ("NONSENSE", None),
        ];
        for (name, expected) in cases {
            assert_eq!(Charset::named(name).map(Charset::name), expected, "{name}");
        }
    }

    #[test]
    fn wrong_declarations_are_issues() {
        let cases: [(&str, &[u8], &str, Option<IssueKind>); 10] = [
            (
                "KS X 1001",
                b"\xb1\xe8\xff",
                "김\u{FFFD}",
                Some(IssueKind::WrongCharset),
            ),
            (
                "UNICODE UTF-16",
                b"Zo\xeb",
                "Zoë",
                Some(IssueKind::WrongCharset),
            ),
            ("UNICODE UTF-8", "Zoë".as_bytes(), "Zoë", None),
            (
                "UNICODE UTF-8",
                b"Zo\xeb",
                "Zoë",
                Some(IssueKind::WrongCharset),
            ),
            ("8859/1", b"Zo\xeb", "Zoë", None),
            (
                "8859/1",
                "Zoë".as_bytes(),
                "Zoë",
                Some(IssueKind::WrongCharset),
            ),
            ("", b"Zo\xeb", "Zoë", Some(IssueKind::UndeclaredCharset)),
            (
                "",
                "Zoë".as_bytes(),
                "Zoë",
                Some(IssueKind::UndeclaredCharset),
            ),
            ("ASCII", b"Zo\xeb", "Zoë", Some(IssueKind::WrongCharset)),
            ("8859/2", b"\xb3", "ł", None),
        ];
        for (declared, raw, text, issue) in cases {
            let (set, found) = Charset::choose(declared, raw, false);
            assert_eq!(
                (set.decode(raw).as_ref(), found),
                (text, issue),
                "{declared} {raw:?}"
            );
        }
        assert_eq!(
            Charset::named("8859/2").unwrap().encode("łß漢").as_ref(),
            b"\xb3\xdf?"
        );
    }
}
