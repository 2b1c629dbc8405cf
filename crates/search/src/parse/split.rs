//! Splits values at `,`, `$` and `|`; a backslash makes each of them literal
//! (search.html#escaping).

/// Returns the parts between unescaped `mark`s, still escaped. At least one.
pub(super) fn split(text: &str, mark: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((part, after)) = split_once(rest, mark) {
        parts.push(part);
        rest = after;
    }
    parts.push(rest);
    parts
}

/// Returns the text before and after the first unescaped `mark`, still escaped.
pub(super) fn split_once(text: &str, mark: char) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if letter == '\\' {
            escaped = true;
        } else if letter == mark {
            return Some((text.get(..at)?, text.get(at + mark.len_utf8()..)?));
        }
    }
    None
}

/// Removes the backslashes before `,`, `$`, `|` and `\`. Any other backslash is literal.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, letters.peek()) {
            ('\\', Some(&next @ (',' | '$' | '|' | '\\'))) => {
                out.push(next);
                letters.next();
            }
            _ => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        assert_eq!(split("a,b\\,c,", ','), ["a", "b\\,c", ""]);
        assert_eq!(split("a\\\\,b", ','), ["a\\\\", "b"]);
        assert_eq!(split_once("s|c|d", '|'), Some(("s", "c|d")));
        assert_eq!(split_once("s\\|c", '|'), None);
        assert_eq!(unescape("a\\,b\\$c\\|d\\\\e\\n\\"), "a,b$c|d\\e\\n\\");
    }
}
