//! A conversion as one Bundle.

use crate::Conversion;
use fhir::build::Value;

// === impl Conversion ===

impl Conversion {
    /// The resources as the message alone tells them: a `message` Bundle with its MessageHeader
    /// first where there is one, else a `collection`. Full urls come from the message's bytes.
    pub fn bundle(&self) -> Value {
        let is_header = |at: &usize| {
            self.drafts
                .get(*at)
                .is_some_and(|draft| draft.resource_type == "MessageHeader")
        };
        let mut order: Vec<usize> = (0..self.drafts.len()).collect();
        order.sort_by_key(|at| !is_header(at));
        let kind = if order.first().is_some_and(is_header) {
            "message"
        } else {
            "collection"
        };
        let entries = order
            .iter()
            .filter_map(|at| self.drafts.get(*at))
            .map(|draft| {
                Value::object()
                    .with("fullUrl", draft.full_url.as_str())
                    .with("resource", draft.whole_value())
            });
        let mut bundle = Value::resource("Bundle").with("type", kind);
        if let Some(at) = self.event_time {
            bundle.set("timestamp", at.to_fhir());
        }
        let entries: Vec<Value> = entries.collect();
        // FHIR's JSON has no empty list.
        if entries.is_empty() {
            return bundle;
        }
        bundle.with("entry", entries)
    }
}
