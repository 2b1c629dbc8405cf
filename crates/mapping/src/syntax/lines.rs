//! Splits a text into lines and nests them by indentation.

use super::Cursor;

/// A line without its comment, and the lines indented under it.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) number: u32,
    pub(super) indent: usize,
    pub(super) text: &'a str,
    pub(super) children: Vec<Line<'a>>,
}

/// Parses the lines of a text into a tree. Empty lines and comments are left out.
pub(super) fn tree(text: &str) -> Vec<Line<'_>> {
    let mut roots: Vec<Line<'_>> = Vec::new();
    for (place, raw) in text.lines().enumerate() {
        let content = without_comment(raw).trim_end();
        let text = content.trim_start();
        if text.is_empty() {
            continue;
        }
        let indent = content.len() - text.len();
        let line = Line {
            number: place as u32 + 1,
            indent,
            text,
            children: Vec::new(),
        };
        insert(&mut roots, line, 0);
    }
    roots
}

/// Inserts a line. Depth is capped: lines indented deeper than any map needs stay on the last
/// level.
fn insert<'a>(siblings: &mut Vec<Line<'a>>, line: Line<'a>, depth: usize) {
    match siblings.last_mut() {
        Some(last) if last.indent < line.indent && depth < 16 => {
            insert(&mut last.children, line, depth + 1);
        }
        _ => siblings.push(line),
    }
}

/// Removes a comment: `#` at the start or after white space, outside quotes.
fn without_comment(line: &str) -> &str {
    let (mut quoted, mut escaped, mut after_space) = (false, false, true);
    for (offset, ch) in line.char_indices() {
        match ch {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' if quoted || after_space || line.get(..offset).is_some_and(opens_quote) => {
                quoted = !quoted;
            }
            '#' if !quoted && after_space => return line.get(..offset).unwrap_or(line),
            _ => {}
        }
        after_space = ch.is_whitespace();
    }
    line
}

fn opens_quote(before: &str) -> bool {
    before.ends_with(['(', '=', ',', '{', '|'])
}

// === impl Line ===

impl<'a> Line<'a> {
    pub(super) fn cursor(&self) -> Cursor<'a> {
        Cursor::new(self.text, self.number, self.indent as u32 + 1)
    }
}
