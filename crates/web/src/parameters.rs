//! Query strings and form bodies as name-value pairs, and links built from them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The characters that need no encoding in a query value, kept plain so that links stay legible.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'/')
    .remove(b',')
    .remove(b'$')
    .remove(b'*');

/// Parses and decodes `a=b&c=d`. Bytes that are not valid UTF-8 become U+FFFD, which no stored
/// value contains.
pub fn parse(query: &str) -> Vec<(String, String)> {
    pairs(query).collect()
}

/// Works like [`parse`], but returns none if there are more than `most` pairs, without reading the
/// rest.
pub fn parse_within(query: &str, most: usize) -> Option<Vec<(String, String)>> {
    let found: Vec<_> = pairs(query).take(most + 1).collect();
    (found.len() <= most).then_some(found)
}

fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
}

/// Renders and encodes pairs as `a=b&c=d`.
pub fn render<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        text.extend(utf8_percent_encode(name, PLAIN));
        text.push('=');
        text.extend(utf8_percent_encode(value, PLAIN));
    }
    text
}

/// Returns the value of a parameter, if present.
pub fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

fn decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', " "))
        .decode_utf8_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let pairs = parse("code=http%3A%2F%2Floinc.org%7C8302-2&name=a+b&&x&y=%zz%ff");
        assert_eq!(pairs[0], ("code".into(), "http://loinc.org|8302-2".into()));
        assert_eq!(pairs[1].1, "a b");
        assert_eq!(pairs[2], ("x".into(), String::new()));
        assert_eq!(pairs[3].1, "%zz\u{fffd}");
        let rendered = render(pairs.iter().take(2).map(|(n, v)| (n.as_str(), v.as_str())));
        assert_eq!(parse(&rendered), pairs[..2]);
        assert_eq!(parse_within("a&&b=1", 2).map(|pairs| pairs.len()), Some(2));
        assert_eq!(parse_within("a&b&c", 2), None);
    }
}
