//! Builds a FHIR Bundle from a conversion.

use crate::Conversion;
use crate::draft::Draft;
use fhir::build::Value;

// === impl Conversion ===

impl Conversion {
    /// Returns the resources as the message alone states them: a `message` Bundle that starts with
    /// the MessageHeader if there is one, otherwise a `collection`. Full URLs are derived from the
    /// message's bytes.
    pub fn bundle(&self) -> Value {
        self.clone().into_bundle()
    }

    /// Returns the same Bundle and consumes the conversion, so that nothing is copied.
    pub fn into_bundle(self) -> Value {
        let is_header = |draft: &Draft| draft.resource_type == "MessageHeader";
        let kind = if self.drafts.iter().any(is_header) {
            "message"
        } else {
            "collection"
        };
        let (headers, others): (Vec<_>, Vec<_>) = self.drafts.into_iter().partition(is_header);
        let drafts = headers.into_iter().chain(others);
        let entries = drafts.map(|mut draft| {
            let url = std::mem::take(&mut draft.full_url);
            Value::object()
                .with("fullUrl", url)
                .with("resource", draft.into_whole_value())
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
