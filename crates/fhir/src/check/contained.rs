//! Checks which resources a whole resource contains, and that something refers to each.

use crate::json::Node;
use base::Severity;
use std::borrow::Cow;

/// The contained resources of one whole resource and the `#` references seen in it.
#[derive(Default)]
pub(super) struct Scope<'a> {
    ids: Vec<Cow<'a, str>>,
    mentions: Vec<(Cow<'a, str>, String)>,
}

// === impl Scope ===

impl<'a> Scope<'a> {
    pub(super) fn of(resource: Node<'a>) -> Self {
        let ids = resource
            .each("contained")
            .filter_map(|contained| contained.text("id"));
        Self {
            ids: ids.collect(),
            mentions: Vec::new(),
        }
    }

    /// Records a reference or canonical found at `location`.
    pub(super) fn mention(&mut self, text: Node<'a>, location: String) {
        if !text.raw().starts_with(b"\"#") {
            return;
        }
        if let Some(Cow::Borrowed(text)) = text.as_str() {
            self.mentions
                .push((Cow::Borrowed(text.trim_start_matches('#')), location));
        }
    }

    /// Reports dangling references and contained resources that nothing refers to (dom-3).
    pub(super) fn close(
        self,
        mut tell: impl FnMut(Severity, &'static str, Option<String>, &'static str),
    ) {
        for (id, location) in &self.mentions {
            if !id.is_empty() && !self.ids.contains(id) {
                let text = "no contained resource has this id";
                tell(Severity::Error, "not-found", Some(location.clone()), text);
            }
        }
        let to_container = self.mentions.iter().any(|(id, _)| id.is_empty());
        let mentioned = |id: &Cow<'a, str>| self.mentions.iter().any(|(other, _)| other == id);
        if !to_container && !self.ids.iter().all(mentioned) {
            let text = "nothing refers to one of the contained resources";
            tell(Severity::Warning, "structure", None, text);
        }
        for (place, id) in self.ids.iter().enumerate() {
            if self.ids.iter().take(place).any(|other| other == id) {
                let text = "two contained resources have the same id";
                tell(Severity::Error, "duplicate", None, text);
            }
        }
    }
}
