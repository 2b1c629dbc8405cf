//! String escapes: reading and writing.

/// Resolves the escapes in a string's contents, which the parser has checked.
pub(super) fn unescape(inner: &str) -> String {
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(rest.get(..at).unwrap_or_default());
        let escape = rest.get(at + 1..).unwrap_or_default();
        let (character, n_bytes) = match escape.bytes().next() {
            Some(b'u') => unicode(escape.get(1..).unwrap_or_default()),
            Some(b'n') => ('\n', 1),
            Some(b't') => ('\t', 1),
            Some(b'r') => ('\r', 1),
            Some(b'b') => ('\u{8}', 1),
            Some(b'f') => ('\u{c}', 1),
            Some(b'/') => ('/', 1),
            Some(b'\\') => ('\\', 1),
            Some(b'"') => ('"', 1),
            _ => (char::REPLACEMENT_CHARACTER, 0),
        };
        out.push(character);
        rest = escape.get(n_bytes..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// Returns the character of `XXXX` or `XXXX\uXXXX`, and the number of bytes in the escape after its
/// backslash.
fn unicode(digits: &str) -> (char, usize) {
    let Some(high) = hex4(digits.as_bytes()) else {
        return (char::REPLACEMENT_CHARACTER, 1);
    };
    if let Some(character) = char::from_u32(high) {
        return (character, 5);
    }
    let low = digits
        .get(6..)
        .and_then(|rest| hex4(rest.as_bytes()))
        .unwrap_or(0);
    match surrogates(high, low) {
        Some(character) => (character, 11),
        None => (char::REPLACEMENT_CHARACTER, 5),
    }
}

/// Returns the character of a surrogate pair.
pub(super) fn surrogates(high: u32, low: u32) -> Option<char> {
    let pair = (0xD800..0xDC00).contains(&high) && (0xDC00..0xE000).contains(&low);
    if pair {
        char::from_u32(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
    } else {
        None
    }
}

/// Reads four hexadecimal digits.
pub(super) fn hex4(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.get(..4)?;
    digits
        .iter()
        .try_fold(0, |sum, &b| Some(sum << 4 | char::from(b).to_digit(16)?))
}

/// Writes a quoted string with only the escapes that JSON requires.
pub(crate) fn write_string(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    // Text rarely contains anything to escape, and checking for that is fast.
    let plain = |b: &u8| 0x20 <= *b && *b != b'"' && *b != b'\\';
    if bytes.iter().fold(true, |all, b| all & plain(b)) {
        out.extend_from_slice(bytes);
        out.push(b'"');
        return;
    }
    let mut from = 0;
    for (at, &b) in bytes.iter().enumerate() {
        if plain(&b) {
            continue;
        }
        out.extend_from_slice(bytes.get(from..at).unwrap_or_default());
        from = at + 1;
        match b {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => out.extend_from_slice(format!("\\u{b:04x}").as_bytes()),
        }
    }
    out.extend_from_slice(bytes.get(from..).unwrap_or_default());
    out.push(b'"');
}
