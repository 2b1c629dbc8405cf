//! Plain text extracted from an RTF report (Rich Text Format 1.9), without fonts, pictures and
//! fields.

use std::str::Chars;

/// The groups that contain no text to read.
const SKIPPED: [&str; 15] = [
    "fonttbl",
    "colortbl",
    "stylesheet",
    "info",
    "pict",
    "object",
    "header",
    "headerl",
    "headerr",
    "footer",
    "footerl",
    "footerr",
    "generator",
    "fldinst",
    "listtable",
];
/// The nesting limit. No sender nests deeper; deeper groups are not read.
const MAX_DEPTH: usize = 64;

/// The state that a group inherits.
#[derive(Clone, Copy)]
struct Group {
    is_silent: bool,
    /// The number of characters after `\u` that repeat it for old readers.
    n_fallback: usize,
}

struct Reader<'a> {
    rest: Chars<'a>,
    out: String,
    groups: Vec<Group>,
    now: Group,
    to_skip: usize,
}

/// Extracts the text, with each paragraph on a line.
pub(super) fn text(rtf: &str) -> String {
    let now = Group {
        is_silent: false,
        n_fallback: 1,
    };
    let mut reader = Reader {
        rest: rtf.chars(),
        out: String::with_capacity(rtf.len() / 2),
        groups: Vec::new(),
        now,
        to_skip: 0,
    };
    reader.read();
    reader.out
}

// === impl Reader ===

impl Reader<'_> {
    fn read(&mut self) {
        while let Some(c) = self.rest.next() {
            match c {
                '{' if self.groups.len() < MAX_DEPTH => self.groups.push(self.now),
                '{' => return,
                '}' => self.now = self.groups.pop().unwrap_or(self.now),
                '\\' => self.control(),
                '\r' | '\n' => {}
                c => self.put(c),
            }
        }
    }

    fn put(&mut self, c: char) {
        if 0 < self.to_skip {
            self.to_skip -= 1;
        } else if !self.now.is_silent {
            self.out.push(c);
        }
    }

    fn control(&mut self) {
        let mut ahead = self.rest.clone();
        match ahead.next() {
            Some(c) if c.is_ascii_alphabetic() => self.word(),
            Some('\'') => {
                self.rest = ahead;
                self.byte();
            }
            Some('*') => {
                self.rest = ahead;
                self.now.is_silent = true;
            }
            Some('~') => {
                self.rest = ahead;
                self.put(' ');
            }
            Some('\r' | '\n') => {
                self.rest = ahead;
                self.put('\n');
            }
            Some(c) => {
                self.rest = ahead;
                if matches!(c, '\\' | '{' | '}') {
                    self.put(c);
                }
            }
            None => {}
        }
    }

    /// Reads a byte such as `\'e9` as Windows-1252, which nearly every writer uses.
    fn byte(&mut self) {
        let digits: String = self.rest.by_ref().take(2).collect();
        if let Ok(byte) = u8::from_str_radix(&digits, 16) {
            self.put(match byte {
                0x91 | 0x92 => '\'',
                0x93 | 0x94 => '"',
                0x95 => '•',
                0x96 | 0x97 => '–',
                byte => char::from(byte),
            });
        }
    }

    fn word(&mut self) {
        let mut name = String::new();
        let mut number = String::new();
        let mut ahead = self.rest.clone();
        while let Some(c) = ahead.next() {
            match c {
                c if c.is_ascii_alphabetic() && number.is_empty() && name.len() < 32 => {
                    name.push(c);
                }
                '-' if number.is_empty() => number.push(c),
                c if c.is_ascii_digit() && number.len() < 10 => number.push(c),
                ' ' => {
                    self.rest = ahead;
                    break;
                }
                _ => break,
            }
            self.rest = ahead.clone();
        }
        self.obey(&name, number.parse().ok());
    }

    fn obey(&mut self, name: &str, number: Option<i32>) {
        match name {
            "par" | "line" | "row" | "sect" | "page" => self.put('\n'),
            "tab" | "cell" => self.put('\t'),
            "emdash" | "endash" => self.put('–'),
            "bullet" => self.put('•'),
            "lquote" | "rquote" => self.put('\''),
            "ldblquote" | "rdblquote" => self.put('"'),
            "uc" => self.now.n_fallback = usize::try_from(number.unwrap_or(1)).unwrap_or(1),
            "u" => {
                // A 16-bit field represents values above 32,767 as negative numbers.
                let code = number.map(|n| if n < 0 { n + 65_536 } else { n });
                let c = code
                    .and_then(|code| u32::try_from(code).ok())
                    .and_then(char::from_u32);
                self.put(c.unwrap_or('\u{fffd}'));
                self.to_skip = self.now.n_fallback;
            }
            name if SKIPPED.contains(&name) => self.now.is_silent = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_text_is_left() {
        for (rtf, expected) in [
            (
                r"{\rtf1\ansi{\fonttbl{\f0 Arial;}}\f0\fs20 Impression:\par No acute {\b finding}.}",
                "Impression:\nNo acute finding.",
            ),
            (r"{\rtf1 caf\'e9 \{x\} a\\b}", r"café {x} a\b"),
            (r"{\rtf1 \u8805?5 and \u-10179?}", "≥5 and \u{fffd}"),
            (r"{\rtf1{\*\generator X;}a\tab b}", "a\tb"),
            (r"{\rtf1 unfinished {group \", "unfinished group "),
        ] {
            assert_eq!(text(rtf), expected, "{rtf}");
        }
        assert_eq!(text(&"{".repeat(1000)), "");
    }
}
