//! Escape sequences (2.8.2 chapter 2.7): reading them as tokens, converting them to plain text, and
//! writing them.
//!
//! An unrecognized sequence is kept verbatim. `\Xdd..\` gives bytes in the message's character set,
//! so one character may be spread over several sequences. In plain text, formatting commands become
//! line breaks and spaces, and highlighting is dropped.

use std::borrow::Cow;

use crate::charset::Charset;
use crate::delimiters::Delimiters;
use crate::issue::IssueKind;

/// One token of an escaped value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// Literal bytes.
    Text(&'a [u8]),
    /// `\F\ \S\ \T\ \R\ \E\ \P\`: a delimiter as text.
    Delimiter(u8),
    /// `\Xdd..\`: bytes.
    Hex(Vec<u8>),
    /// `\H\` (true) and `\N\` (false).
    Highlight(bool),
    /// `\.br\` and the other commands of formatted text.
    Format(Format),
    /// `\Cxxyy\` and `\Mxxyyzz\`: a switch to an unknown character set, as the whole sequence.
    Charset(&'a [u8]),
    /// `\Z..\`: a locally defined sequence, whole.
    Local(&'a [u8]),
    /// A sequence that no version defines, whole.
    Unknown(&'a [u8]),
    /// `\X..\` with anything other than pairs of hexadecimal digits, whole.
    BadHex(&'a [u8]),
    /// An escape character without a closing one, and the text after it.
    Unterminated(&'a [u8]),
}

/// The commands of formatted text (2.8.2 chapter 2.7.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `.br`: a new line.
    Break,
    /// `.sp` and `.sp3`: this many new lines.
    Space(u8),
    /// `.sk3`: this many spaces.
    Skip(u8),
    /// `.ce`: a new line with centred text.
    Centre,
    /// `.in+3`: indent by this amount.
    Indent(i16),
    /// `.ti+3`: indent the next line by this amount.
    TemporaryIndent(i16),
    /// `.fi`: wrap words.
    Wrap,
    /// `.nf`: do not wrap words.
    NoWrap,
}

/// Splits a value into tokens.
pub fn tokens<'a>(raw: &'a [u8], delimiters: &Delimiters) -> Tokens<'a> {
    Tokens {
        rest: raw,
        delimiters: *delimiters,
    }
}

/// Iterator over the tokens of a value; see [`tokens`].
#[derive(Clone, Debug)]
pub struct Tokens<'a> {
    rest: &'a [u8],
    delimiters: Delimiters,
}

/// Returns the plain text of a value.
pub fn unescape<'a>(raw: &'a [u8], delimiters: &Delimiters, charset: Charset) -> Cow<'a, str> {
    match delimiters.escape {
        Some(escape) if memchr::memchr(escape, raw).is_some() => {
            let mut bytes = Vec::with_capacity(raw.len());
            for token in tokens(raw, delimiters) {
                token.append_to(&mut bytes);
            }
            Cow::Owned(charset.decode(&bytes).into_owned())
        }
        _ => charset.decode(raw),
    }
}

/// Escapes text as a value: every delimiter and control character, and also the text `""`, which
/// would otherwise mean null.
pub fn escape(text: &str, delimiters: &Delimiters, charset: Charset) -> Vec<u8> {
    let bytes = charset.encode(text);
    let mut out = Vec::with_capacity(bytes.len() + 8);
    if text == "\"\"" {
        out.extend_from_slice(&hex(b"\"\"", *delimiters));
        return out;
    }
    for &byte in bytes.iter() {
        match letter(byte, *delimiters) {
            Some(letter) => out.extend(wrapped(&[letter], *delimiters)),
            None if byte < 0x20 || byte == 0x7F => out.extend(hex(&[byte], *delimiters)),
            None => out.push(byte),
        }
    }
    out
}

/// Escapes like [`escape`], for the formatted text type FT: a new line becomes `\.br\`.
pub fn escape_formatted(text: &str, delimiters: &Delimiters, charset: Charset) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 8);
    for (idx, line) in text.split('\n').enumerate() {
        if idx > 0 {
            out.extend(wrapped(b".br", *delimiters));
        }
        let line = line.strip_suffix('\r').unwrap_or(line);
        out.extend(escape(line, delimiters, charset));
    }
    out
}

fn letter(byte: u8, delimiters: Delimiters) -> Option<u8> {
    Some(match byte {
        _ if byte == delimiters.field => b'F',
        _ if byte == delimiters.component => b'S',
        _ if byte == delimiters.repeat => b'R',
        _ if byte == delimiters.subcomponent => b'T',
        _ if Some(byte) == delimiters.escape => b'E',
        _ if Some(byte) == delimiters.truncation => b'P',
        _ => return None,
    })
}

/// Wraps a sequence in escape characters. Empty if the sender has no escape character.
fn wrapped(sequence: &[u8], delimiters: Delimiters) -> Vec<u8> {
    match delimiters.escape {
        Some(escape) => [&[escape], sequence, &[escape]].concat(),
        None => vec![b' '],
    }
}

pub(crate) fn hex(bytes: &[u8], delimiters: Delimiters) -> Vec<u8> {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    let pairs = bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    let sequence: String = std::iter::once('X').chain(pairs).collect();
    wrapped(sequence.to_ascii_uppercase().as_bytes(), delimiters)
}

// === impl Tokens ===

impl Tokens<'_> {
    /// Returns the number of bytes left to read.
    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let rest = self.rest;
        let escape = match self.delimiters.escape {
            _ if rest.is_empty() => return None,
            Some(escape) => escape,
            None => {
                self.rest = &[];
                return Some(Token::Text(rest));
            }
        };
        let start = memchr::memchr(escape, rest).unwrap_or(rest.len());
        if start > 0 {
            let (text, after) = rest.split_at(start);
            self.rest = after;
            return Some(Token::Text(text));
        }
        let body = rest.get(1..).unwrap_or_default();
        let Some(end) = memchr::memchr(escape, body) else {
            self.rest = &[];
            return Some(Token::Unterminated(rest));
        };
        let (whole, after) = rest.split_at(end + 2);
        let token = classify(body.get(..end).unwrap_or_default(), whole, self.delimiters);
        // Something that cannot be a sequence (`C:\dir and D:\other`) is text up to the next escape
        // character.
        if matches!(token, Token::Unterminated(_)) {
            let (text, after) = rest.split_at(end + 1);
            self.rest = after;
            return Some(Token::Unterminated(text));
        }
        self.rest = after;
        Some(token)
    }
}

fn classify<'a>(body: &'a [u8], whole: &'a [u8], delimiters: Delimiters) -> Token<'a> {
    match body {
        b"F" => Token::Delimiter(delimiters.field),
        b"S" => Token::Delimiter(delimiters.component),
        b"T" if delimiters.has_subcomponents() => Token::Delimiter(delimiters.subcomponent),
        // A sender that declares no subcomponent separator means the default one.
        b"T" => Token::Delimiter(b'&'),
        b"R" => Token::Delimiter(delimiters.repeat),
        b"E" => delimiters
            .escape
            .map_or(Token::Unknown(whole), Token::Delimiter),
        b"P" => delimiters
            .truncation
            .map_or(Token::Unknown(whole), Token::Delimiter),
        b"H" => Token::Highlight(true),
        b"N" => Token::Highlight(false),
        [b'X', digits @ ..] => bytes_of(digits).map_or(Token::BadHex(whole), Token::Hex),
        [b'C', digits @ ..] if is_hex(digits, &[4]) => Token::Charset(whole),
        [b'M', digits @ ..] if is_hex(digits, &[4, 6]) => Token::Charset(whole),
        [b'Z', ..] => Token::Local(whole),
        [b'.', command @ ..] => {
            format_command(command).map_or(Token::Unknown(whole), Token::Format)
        }
        _ if body.is_empty() || body.len() > 32 || body.contains(&b' ') => {
            Token::Unterminated(whole)
        }
        _ => Token::Unknown(whole),
    }
}

fn is_hex(digits: &[u8], lengths: &[usize]) -> bool {
    lengths.contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit)
}

fn bytes_of(digits: &[u8]) -> Option<Vec<u8>> {
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return None;
    }
    let value = |digit: &u8| char::from(*digit).to_digit(16);
    digits
        .chunks_exact(2)
        .map(|pair| Some((value(pair.first()?)? * 16 + value(pair.last()?)?) as u8))
        .collect()
}

fn format_command(command: &[u8]) -> Option<Format> {
    let text = std::str::from_utf8(command).ok()?;
    let (name, number) = text.split_at_checked(2)?;
    let number = number.trim();
    let count = || {
        if number.is_empty() {
            Some(1)
        } else {
            number.parse().ok()
        }
    };
    let signed = || number.strip_prefix('+').unwrap_or(number).parse().ok();
    let bare = number.is_empty();
    Some(match name {
        "br" if bare => Format::Break,
        "ce" if bare => Format::Centre,
        "fi" if bare => Format::Wrap,
        "nf" if bare => Format::NoWrap,
        "sp" => Format::Space(
            number
                .strip_prefix('+')
                .unwrap_or(number)
                .parse()
                .ok()
                .or_else(count)?,
        ),
        "sk" => Format::Skip(count()?),
        "in" => Format::Indent(signed()?),
        "ti" => Format::TemporaryIndent(signed()?),
        _ => return None,
    })
}

// === impl Token ===

impl Token<'_> {
    /// Appends the bytes of the plain text.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(raw)
            | Self::Charset(raw)
            | Self::Local(raw)
            | Self::Unknown(raw)
            | Self::BadHex(raw)
            | Self::Unterminated(raw) => out.extend_from_slice(raw),
            Self::Delimiter(byte) => out.push(*byte),
            Self::Hex(bytes) => out.extend_from_slice(bytes),
            Self::Highlight(_) => {}
            Self::Format(format) => match format {
                Format::Break | Format::Centre => out.push(b'\n'),
                Format::Space(n) => out.extend(std::iter::repeat_n(b'\n', usize::from(*n))),
                Format::Skip(n) => out.extend(std::iter::repeat_n(b' ', usize::from(*n))),
                Format::Indent(_) | Format::TemporaryIndent(_) | Format::Wrap | Format::NoWrap => {}
            },
        }
    }

    /// Returns the issue with the token, if any.
    pub fn issue(&self) -> Option<IssueKind> {
        match self {
            Self::Text(_)
            | Self::Delimiter(_)
            | Self::Hex(_)
            | Self::Highlight(_)
            | Self::Format(_)
            | Self::Local(_) => None,
            Self::Charset(_) => Some(IssueKind::CharsetEscape),
            Self::Unknown(_) => Some(IssueKind::UnknownEscape),
            Self::BadHex(_) => Some(IssueKind::BadHexEscape),
            Self::Unterminated(_) => Some(IssueKind::UnterminatedEscape),
        }
    }
}
