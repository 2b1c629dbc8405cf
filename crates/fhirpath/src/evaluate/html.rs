//! `htmlChecks`: the allowed content of a narrative (FHIR R4 narrative.html, txt-1 and txt-2).
//!
//! The check looks at tags, attributes and content; it is not an XML parser.

/// The tags of XHTML 1.0 that a narrative may have.
const TAGS: &[&str] = &[
    "a",
    "abbr",
    "acronym",
    "b",
    "big",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "li",
    "ol",
    "p",
    "pre",
    "q",
    "samp",
    "small",
    "span",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "tt",
    "ul",
    "var",
];

/// Returns whether the text has a `div` as its only root, only allowed tags, nothing active, and
/// some content.
pub(super) fn is_narrative(text: &str) -> bool {
    let text = text.trim();
    if !text.starts_with("<div") || !text.ends_with('>') {
        return false;
    }
    let mut open: Vec<&str> = Vec::new();
    let mut has_content = false;
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        if open.is_empty() && !(before.is_empty() && std::ptr::eq(rest, text)) {
            // There is text after the end of the root.
            return false;
        }
        has_content |= !before.trim().is_empty();
        if let Some(comment) = after.strip_prefix("!--") {
            let Some((_, tail)) = comment.split_once("-->") else {
                return false;
            };
            rest = tail;
            continue;
        }
        let Some((tag, tail)) = split_tag(after) else {
            return false;
        };
        has_content |= tag.starts_with("img");
        if !take_tag(tag, &mut open) {
            return false;
        }
        rest = tail;
    }
    open.is_empty() && rest.trim().is_empty() && has_content
}

/// Splits at the `>` that ends the tag, skipping any in attribute values.
fn split_tag(text: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    let end = text.find(|c: char| match (quote, c) {
        (None, '"' | '\'') => {
            quote = Some(c);
            false
        }
        (Some(open), c) if open == c => {
            quote = None;
            false
        }
        (None, '>') => true,
        _ => false,
    })?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

fn take_tag<'t>(tag: &'t str, open: &mut Vec<&'t str>) -> bool {
    if let Some(name) = tag.strip_prefix('/') {
        return open.pop() == Some(name.trim());
    }
    let (tag, is_empty) = match tag.strip_suffix('/') {
        Some(tag) => (tag, true),
        None => (tag, false),
    };
    let end = tag.find(char::is_whitespace).unwrap_or(tag.len());
    let (name, attributes) = tag.split_at(end);
    if !is_empty {
        open.push(name);
    }
    TAGS.contains(&name) && attributes_are_safe(attributes)
}

/// Returns whether there are no event handlers and no script links.
fn attributes_are_safe(attributes: &str) -> bool {
    let lower = attributes.to_ascii_lowercase();
    let is_handler = |word: &str| word.starts_with("on") && word.contains('=');
    !lower.contains("javascript:") && !lower.split_whitespace().any(is_handler)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r4_txt_1_and_txt_2() {
        for (text, expected) in [
            (
                "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>x</p></div>",
                true,
            ),
            ("<div><img src=\"#a\" alt=\">\"/></div>", true),
            ("<div><!-- > --><br/>x</div>", true),
            ("<div> </div>", false),
            ("<div/>", false),
            ("<p>x</p>", false),
            ("<div><script>x</script></div>", false),
            ("<div onclick=\"x()\">x</div>", false),
            ("<div><a href=\"javascript:x()\">x</a></div>", false),
            ("<div><p>x</div></p>", false),
            ("<div>x</div><div>y</div>", false),
            ("<div>x", false),
            ("", false),
        ] {
            assert_eq!(is_narrative(text), expected, "{text}");
        }
    }
}
