//! Marks on entries that are no longer in a list.
//!
//! ```text
//! extension  url urn:causeway:no-longer-listed
//!   by       REG at NORTH
//!   since    2024-01-02T10:00:00Z
//!   because  unlisted    its sender's latest list does not name it
//!            superseded  it states an absence, and an entry of the kind is known
//! ```

use base::Timestamp;
use fhir::build::Value;

/// Url of the extension.
pub(super) const URL: &str = "urn:causeway:no-longer-listed";

/// The reason an entry was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Because {
    Unlisted,
    Superseded,
}

// === impl Because ===

impl Because {
    fn code(self) -> &'static str {
        match self {
            Self::Unlisted => "unlisted",
            Self::Superseded => "superseded",
        }
    }
}

/// Marks an entry, once for each sender and cause.
pub(super) fn put(entry: &mut Value, sender: &str, because: Because, since: Option<Timestamp>) {
    if has(entry, |mark| is(mark, sender, because)) {
        return;
    }
    let part = |url: &str| Value::object().with("url", url);
    let mut parts = vec![part("by").with("valueString", sender)];
    if let Some(since) = since {
        parts.push(part("since").with("valueInstant", since.to_fhir()));
    }
    parts.push(part("because").with("valueCode", because.code()));
    let mark = part(URL).with("extension", parts);
    entry.entry("extension").push(mark);
}

/// Removes a sender's marks.
pub(super) fn take(entry: &mut Value, sender: &str) {
    remove(entry, |mark| is(mark, sender, Because::Unlisted));
}

/// Removes the marks of superseding entries; true where there was one.
pub(super) fn take_superseded(entry: &mut Value) -> bool {
    remove(entry, |mark| {
        because(mark) == Some(Because::Superseded.code())
    })
}

/// Returns true where the entry carries any mark.
pub(super) fn is_marked(entry: &Value) -> bool {
    has(entry, |_| true)
}

fn has(entry: &Value, wanted: impl Fn(&Value) -> bool) -> bool {
    let mut marks = entry.each("extension");
    marks.any(|mark| mark.text("url") == Some(URL) && wanted(mark))
}

fn remove(entry: &mut Value, gone: impl Fn(&Value) -> bool) -> bool {
    let is_gone = |mark: &Value| mark.text("url") == Some(URL) && gone(mark);
    if !entry.each("extension").any(is_gone) {
        return false;
    }
    let kept: Vec<Value> = entry
        .each("extension")
        .filter(|mark| !is_gone(mark))
        .cloned()
        .collect();
    if kept.is_empty() {
        entry.remove("extension");
    } else {
        entry.set("extension", Value::Array(kept));
    }
    true
}

fn is(mark: &Value, sender: &str, why: Because) -> bool {
    part(mark, "by").and_then(|part| part.text("valueString")) == Some(sender)
        && because(mark) == Some(why.code())
}

fn because(mark: &Value) -> Option<&str> {
    part(mark, "because")?.text("valueCode")
}

fn part<'v>(mark: &'v Value, url: &str) -> Option<&'v Value> {
    mark.each("extension")
        .find(|part| part.text("url") == Some(url))
}
