//! Restrictions on narratives (narrative.html#xhtml): they are shown in other people's browsers.

/// Elements that run, load or ask for something, or that do not belong in a page body.
const REFUSED: [&str; 16] = [
    "applet", "base", "body", "embed", "form", "frame", "frameset", "head", "html", "iframe",
    "input", "link", "math", "object", "script", "svg",
];

/// Returns true if no element, attribute or address of the XHTML is active.
pub(super) fn is_inert(text: &str) -> bool {
    let mut rest = text;
    while let Some((_, inside)) = rest.split_once('<') {
        if let Some(comment) = inside.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let (tag, after) = inside.split_at(end_of_tag(inside));
        if !is_inert_tag(tag) {
            return false;
        }
        rest = after;
    }
    true
}

/// Finds the end of a tag. A `>` in a quoted value does not end it.
fn end_of_tag(inside: &str) -> usize {
    let mut quote = None;
    for (at, c) in inside.char_indices() {
        match (quote, c) {
            (None, '>') => return at,
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
    }
    inside.len()
}

fn is_inert_tag(tag: &str) -> bool {
    let tag = tag.trim_start_matches('/');
    let name_end = tag
        .find(|c: char| c.is_whitespace() || c == '/')
        .unwrap_or(tag.len());
    let (name, mut rest) = tag.split_at(name_end);
    if REFUSED.contains(&name.to_ascii_lowercase().as_str()) {
        return false;
    }
    while let Some((before, after)) = rest.split_once('=') {
        let attribute = before.split_whitespace().next_back().unwrap_or("");
        let after = after.trim_start();
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (value, behind) = match quote {
            Some(quote) => after
                .get(1..)
                .and_then(|inner| inner.split_once(quote))
                .unwrap_or((after, "")),
            None => after.split_once(char::is_whitespace).unwrap_or((after, "")),
        };
        if !is_inert_attribute(&attribute.to_ascii_lowercase(), value) {
            return false;
        }
        rest = behind;
    }
    true
}

fn is_inert_attribute(name: &str, value: &str) -> bool {
    if name.starts_with("on") {
        return false;
    }
    if !matches!(
        name,
        "href" | "src" | "xlink:href" | "action" | "background"
    ) {
        return true;
    }
    // A browser ignores white space and character references before the colon.
    let scheme = value.split(':').next().unwrap_or("");
    let scheme: String = scheme.split_whitespace().collect();
    let acts = scheme.to_ascii_lowercase().ends_with("script") && value.contains(':');
    !acts && !scheme.contains("&#")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn active_content_is_refused_and_the_rest_is_not() {
        for inert in [
            "<div>a &lt; b <b class=\"x\">on=1</b></div>",
            "<div><a href=\"http://a.example/?x=1&amp;y=javascript:2\" title='onclick=\"x\"'>x</a><br/></div>",
            "<div><!-- <script> --><img src=\"#pic\" alt=\"a > b\"/><table><thead><tr/></thead></table></div>",
            "<div><a href=\"urn:uuid:1\"/> 1 < 2</div>",
        ] {
            assert!(is_inert(inert), "{inert}");
        }
        for acting in [
            "<div><script>x</script></div>",
            "<div><SCRIPT src='x'/></div>",
            "<div onclick=\"x\"></div>",
            "<div><b title='>' OnLoad = 'x'/></div>",
            "<div><a href=\" java\nscript:x\"/></div>",
            "<div><a href='&#106;avascript:x'/></div>",
            "<div><iframe src='http://a.example'/></div>",
            "<div><svg><a/></svg></div>",
        ] {
            assert!(!is_inert(acting), "{acting}");
        }
    }
}
