//! The form in which a message is read, if it differs from the bytes received.
//!
//! Invariants:
//! - the received bytes are kept alongside, and they are what is written back;
//! - a body converted to Unicode is UTF-8 throughout: its `\X..\` escapes are converted too, and no
//!   character in it ends in a byte that looks like a delimiter;
//! - an answer or an edit built from it is converted back into the sender's character set.

mod shifts;
mod wide;

use std::borrow::Cow;

use bytes::Bytes;
use encoding_rs::Encoding;

use crate::charset::Charset;
use crate::delimiters::Delimiters;
use crate::escape::{self, Token};
use crate::message::is_header_name;
use crate::scan::Index;
pub(crate) use wide::Wide;

/// The encoding of the sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wire {
    /// The same as the body.
    #[default]
    Same,
    /// A set whose characters may end in a byte that looks like a delimiter.
    MultiByte(&'static Encoding),
    /// Two or four bytes per character, for a set that HL7 allows in no other form.
    Wide(Wide),
    /// ASCII with shifts to other sets (ISO 2022).
    Shifts,
}

/// A converted body, and whether characters were lost.
pub(crate) struct Made {
    pub(crate) body: Bytes,
    pub(crate) wire: Wire,
    pub(crate) lossy: bool,
}

// === impl Wire ===

impl Wire {
    /// Converts text from the form of the body into the sender's form.
    pub(crate) fn encode(self, body: Vec<u8>) -> Vec<u8> {
        let text = |body: &[u8]| String::from_utf8_lossy(body).into_owned();
        match self {
            Self::Same => body,
            Self::MultiByte(encoding) => Charset::of(encoding).encode(&text(&body)).into_owned(),
            Self::Wide(wide) => wide.encode(&text(&body)),
            Self::Shifts => Charset::of(encoding_rs::ISO_2022_JP)
                .encode(&text(&body))
                .into_owned(),
        }
    }
}

/// Converts from UTF-16 or UTF-32, which the standard allows in MSH-18 and in which no delimiter
/// can be found bytewise.
pub(crate) fn from_wide(raw: &Bytes) -> Option<Made> {
    let wide = Wide::of(raw)?;
    let (text, lossy) = wide.decode(raw);
    Some(Made {
        body: text.into(),
        wire: Wire::Wide(wide),
        lossy,
    })
}

/// Converts from a set such as GB 18030, Big5 or Shift_JIS.
pub(crate) fn from_multi_byte(
    raw: &[u8],
    encoding: &'static Encoding,
    delimiters: Delimiters,
) -> Made {
    let (text, lossy) = encoding.decode_without_bom_handling(raw);
    let body = hexadecimal_in_unicode(text.as_bytes(), encoding, delimiters);
    Made {
        body: Bytes::from(body.into_owned()),
        wire: Wire::MultiByte(encoding),
        lossy,
    }
}

/// Converts text that switches sets, by the ISO 2022 escape character or by `\Cxxyy\` and
/// `\Mxxyyzz\`. `base` is the set of non-ASCII bytes before any switch.
pub(crate) fn from_shifts(raw: &[u8], base: Charset, delimiters: Delimiters) -> Option<Made> {
    let (body, lossy) = shifts::decode(raw, base, delimiters)?;
    Some(Made {
        body: body.into(),
        wire: Wire::Shifts,
        lossy,
    })
}

/// Moves each ADD segment (2.8.2 chapter 2.10.2) behind the segment that it continues. Returns the
/// new body and the numbers of those segments, from zero, or `None` if there are none. An ADD right
/// after the header continues a segment of another message and stays in place.
pub(crate) fn joined(body: &[u8], index: &Index, separator: u8) -> Option<(Bytes, Vec<u32>)> {
    let pairs = index.lines.iter().zip(index.lines.iter().skip(1));
    let (mut out, mut continued) = (Vec::new(), Vec::new());
    let (mut from, mut n_gone) = (0, 0);
    let mut goes_on = false;
    for (number, (before, line)) in (0..).zip(pairs) {
        // An ADD after a joined ADD continues the same segment.
        let joins = match &before.name {
            b"ADD" => goes_on,
            name => !is_header_name(*name),
        };
        goes_on = joins && &line.name == b"ADD";
        if !goes_on {
            continue;
        }
        out.extend_from_slice(body.get(from..before.end as usize).unwrap_or_default());
        let behind = body.get(line.start as usize + 3);
        from = line.start as usize + 3 + usize::from(behind == Some(&separator));
        let base: u32 = number - n_gone;
        if continued.last() != Some(&base) {
            continued.push(base);
        }
        n_gone += 1;
    }
    if continued.is_empty() {
        return None;
    }
    out.extend_from_slice(body.get(from..).unwrap_or_default());
    Some((out.into(), continued))
}

/// Converts `\X..\` in the sender's set to `\X..\` in UTF-8.
fn hexadecimal_in_unicode<'t>(
    text: &'t [u8],
    encoding: &'static Encoding,
    delimiters: Delimiters,
) -> Cow<'t, [u8]> {
    let Some(escape) = delimiters.escape else {
        return Cow::Borrowed(text);
    };
    if memchr::memmem::find(text, &[escape, b'X']).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    // An escape sequence spans no delimiter, and the escape character in MSH-2 begins none.
    let Delimiters {
        field,
        component,
        repeat,
        subcomponent,
        ..
    } = delimiters;
    let ends = [field, component, repeat, subcomponent, b'\r', b'\n'];
    for value in text.split_inclusive(|byte| ends.contains(byte)) {
        let mut tokens = escape::tokens(value, &delimiters);
        let mut at = 0;
        while let Some(token) = tokens.next() {
            let end = value.len() - tokens.remaining();
            match token {
                Token::Hex(bytes) if !bytes.is_ascii() => {
                    let character = encoding.decode_without_bom_handling(&bytes).0;
                    out.extend(escape::hex(character.as_bytes(), delimiters));
                }
                _ => out.extend_from_slice(value.get(at..end).unwrap_or_default()),
            }
            at = end;
        }
    }
    Cow::Owned(out)
}
