//! Plain text extracted from an HTML report. No markup survives; the page escapes the rest.

/// The elements whose content is not text to read.
const SKIPPED: [&str; 5] = ["script", "style", "head", "template", "noscript"];
/// The elements that start a new line.
const BLOCKS: [&str; 23] = [
    "address",
    "article",
    "blockquote",
    "body",
    "br",
    "center",
    "div",
    "dl",
    "dt",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "section",
    "tr",
    "ul",
];

/// Extracts the text: each block on a line, table cells apart, entities as characters.
pub(super) fn text(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        let (before, tag) = rest.split_at(start);
        words(before, &mut out);
        rest = after_tag(tag, &mut out);
    }
    words(rest, &mut out);
    out.trim().to_owned()
}

/// Returns the text after the tag that `tag` begins with.
fn after_tag<'a>(tag: &'a str, out: &mut String) -> &'a str {
    if tag.starts_with("<!--") {
        return tag.split_once("-->").map_or("", |(_, rest)| rest);
    }
    let inner = tag.get(1..).unwrap_or_default();
    let is_tag =
        inner.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'));
    if !is_tag {
        out.push('<');
        return inner;
    }
    let Some((inside, rest)) = inner.split_once('>') else {
        return "";
    };
    let name: String = inside
        .trim_start_matches('/')
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_ascii_lowercase();
    if SKIPPED.contains(&name.as_str()) && !inside.starts_with('/') && !inside.ends_with('/') {
        return after_end_of(&name, rest);
    }
    let is_cell = matches!(name.as_str(), "td" | "th") && !inside.starts_with('/');
    let inside_a_line = !out.is_empty() && !out.ends_with('\n');
    if inside_a_line && BLOCKS.contains(&name.as_str()) {
        out.push('\n');
    } else if inside_a_line && is_cell {
        out.push('\t');
    }
    rest
}

fn after_end_of<'a>(name: &str, text: &'a str) -> &'a str {
    let end = format!("</{name}");
    let lower = text.to_ascii_lowercase();
    match lower.find(&end) {
        Some(at) => text
            .get(at..)
            .and_then(|rest| rest.split_once('>'))
            .map_or("", |(_, rest)| rest),
        None => "",
    }
}

/// Appends text with white space collapsed to one space and entities decoded.
fn words(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if c.is_whitespace() {
            if !out.is_empty() && !out.ends_with([' ', '\n', '\t']) {
                out.push(' ');
            }
            rest = rest.trim_start();
            continue;
        }
        if c == '&'
            && let Some((name, after)) = rest.get(1..).and_then(|rest| rest.split_once(';'))
            && let Some(meant) = entity(name)
        {
            out.push(meant);
            rest = after;
            continue;
        }
        out.push(c);
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
}

fn entity(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code);
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "deg" => '°',
        "micro" => 'µ',
        "plusmn" => '±',
        "le" => '≤',
        "ge" => '≥',
        "ndash" => '–',
        "mdash" => '—',
        "hellip" => '…',
        "bull" => '•',
        "sup2" => '²',
        "times" => '×',
        "copy" => '©',
        "reg" => '®',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_text_is_left() {
        for (html, expected) in [
            (
                "<h1>Report</h1><p>Temp &gt; 38&deg;C</p>",
                "Report\nTemp > 38°C",
            ),
            ("a<script>alert(1)</script>b<style>x{}</style>c", "abc"),
            ("a<SCRIPT src=x>alert(1)", "a"),
            (
                "<table><tr><td>K</td><td>4.1</td></tr><tr><td>Na</td></tr></table>",
                "K\t4.1\nNa",
            ),
            ("a <!-- <b>no</b> --> b", "a b"),
            (
                "1 < 2 &amp; 3 &unknown; &#65;&#x42;",
                "1 < 2 & 3 &unknown; AB",
            ),
            ("a<img src=x onerror=alert(1)", "a"),
            ("line\n  line<br/>line", "line line\nline"),
        ] {
            assert_eq!(text(html), expected, "{html}");
        }
    }
}
