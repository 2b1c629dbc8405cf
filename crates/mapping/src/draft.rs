//! Drafts: the changes that a message makes to one resource, and the result of applying them.
//!
//! Invariants (law 2c): [`Draft::apply`] changes nothing outside the places that its rows touched,
//! and is idempotent: applying a draft twice gives the same result as applying it once.

mod apply;
mod husk;

use crate::forward::build::{Build, Seg};
use crate::list::Listed;
use crate::missing::{self, Missing};
use crate::program::RowId;
use crate::received::Received;
use crate::report::FieldPlace;
use crate::syntax::Ownership;
use base::DateTime;
use fhir::build::Value;
pub use fhir::identifier::Names;
use std::fmt;
use std::sync::Arc;

/// One resource that a message describes.
#[derive(Clone)]
pub struct Draft {
    /// The resource type.
    pub resource_type: &'static str,
    /// The label from the message map: `patient`, `results`; the resource type if a reference made
    /// the draft.
    pub label: Arc<str>,
    /// The business keys, in descending order of weight. A later key counts only if the record or
    /// the message lacks an earlier one.
    pub keys: Vec<BusinessKey>,
    /// The ownership: who may change an existing resource.
    pub ownership: Ownership,
    /// The event time: EVN-6, EVN-2, else MSH-7. Older data never overwrites newer data.
    pub event_time: Option<DateTime>,
    /// The raw OBX-11, OBR-25 or ORC-5: see [`crate::lifecycle`].
    pub status_code: Option<String>,
    /// The draft's role in one of its sender's lists, if it is in one.
    pub listed: Option<Listed>,
    /// The URL by which other drafts refer to this one: `urn:uuid:…`.
    pub full_url: String,
    pub(crate) value: Value,
    pub(crate) build: Build,
    pub(crate) received: Arc<Received>,
    pub(crate) missing: Option<Arc<[Missing]>>,
    /// The draft has no touched places: the resource exists as a whole or not at all.
    pub(crate) whole: bool,
}

/// A business key, by which the chart finds the resource.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct BusinessKey {
    /// The assigning authority: a URI, or a name within the source. Empty means the source itself.
    pub authority: String,
    /// The identifier's type code for `key identifier`, else the draft's label or type.
    pub kind: String,
    /// The value. PHI.
    pub value: String,
    /// The draft of the conversion within whose resource the key is unique.
    pub within: Option<usize>,
    /// The rank among the alternatives of the key: rank 0 decides before rank 1.
    pub rank: u8,
    /// Several resources may share the key (`else its place among equals`); their other content
    /// distinguishes them.
    pub is_shared: bool,
    /// For a Patient, the person whom the key names.
    pub names: Names,
}

/// A resource after a draft was applied.
#[derive(Clone)]
pub struct Applied {
    /// The whole resource.
    pub value: Value,
    /// The origin of each value that the draft set.
    pub lineage: Vec<Lineage>,
    /// The resource differs from what it was before.
    pub changed: bool,
    /// Fields whose elements the draft may not change.
    pub withheld: Vec<FieldPlace>,
}

/// The origin of a value.
#[derive(Clone, PartialEq, Eq)]
pub struct Lineage {
    /// The element: `name[0].family`.
    pub element: String,
    /// The field; `None` for a constant of the map.
    pub place: Option<FieldPlace>,
    /// The raw text of the field. PHI.
    pub raw: Box<str>,
    /// The row.
    pub row: RowId,
}

// === impl Draft ===

impl Default for Draft {
    fn default() -> Self {
        Self {
            resource_type: "",
            label: "".into(),
            keys: Vec::new(),
            ownership: Ownership::Owns,
            event_time: None,
            status_code: None,
            listed: None,
            full_url: String::new(),
            value: Value::Null,
            build: Build::default(),
            received: Arc::default(),
            missing: None,
            whole: false,
        }
    }
}

impl Draft {
    /// Returns the resource as the message alone states it. References are [`Draft::full_url`]s.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Returns [`value`](Self::value) with missing elements filled in.
    pub fn whole_value(&self) -> Value {
        let mut value = self.value.clone();
        missing::fill(self.missing(), &mut value);
        value
    }

    /// Returns [`whole_value`](Self::whole_value) and consumes the draft.
    pub(crate) fn into_whole_value(self) -> Value {
        let mut value = self.value;
        missing::fill(self.missing.as_deref().unwrap_or_default(), &mut value);
        value
    }

    fn missing(&self) -> &[Missing] {
        self.missing.as_deref().unwrap_or_default()
    }

    /// Returns the resource with this draft's changes. References to other drafts are full URLs.
    pub fn apply(&self, existing: Option<&Value>) -> Applied {
        self.apply_resolved(existing, &|_| None)
    }

    /// Applies the draft and resolves references to other drafts: a full URL becomes `Patient/123`.
    pub fn apply_resolved(
        &self,
        existing: Option<&Value>,
        resolve: &dyn Fn(&str) -> Option<String>,
    ) -> Applied {
        apply::apply(self, existing, resolve)
    }

    /// Returns the resource as the message alone states it, with references to other drafts
    /// resolved.
    pub fn resolved(&self, resolve: &dyn Fn(&str) -> Option<String>) -> Value {
        apply::resolved(self, resolve)
    }

    /// Returns the full URLs of the drafts that this one refers to.
    pub fn references(&self) -> Vec<&str> {
        let mut found = Vec::new();
        references(&self.value, &mut found);
        found
    }

    /// Returns the origin of each value of a resource that this draft created.
    pub fn lineage(&self) -> Vec<Lineage> {
        apply::lineage(self, &[], &[])
    }

    pub(crate) fn is_bare(&self) -> bool {
        let fields = self.value.as_object().map_or(0, fhir::build::Object::len);
        fields < 2 && self.build.touches.is_empty()
    }
}

// === impl BusinessKey ===

impl BusinessKey {
    /// Sets whom the key names if the source declares which types name its patients.
    pub(crate) fn named_by(mut self, types: &[String]) -> Self {
        let is_named = types.contains(&self.kind);
        self.names = match self.names {
            Names::Placeholder => Names::Placeholder,
            _ if is_named => Names::Record,
            Names::Person => Names::Person,
            Names::Record | Names::Local | Names::Nobody => Names::Nobody,
        };
        self
    }
}

fn references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Object(fields) => {
            for (name, value) in fields.iter() {
                match value.as_str() {
                    Some(url) if name == "reference" && url.starts_with("urn:uuid:") => {
                        found.push(url);
                    }
                    _ => references(value, found),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Formats an element's path.
pub(crate) fn path_text(path: &[Seg]) -> String {
    let room = |seg: &Seg| match seg {
        Seg::Name(name) => name.len() + 1,
        Seg::Index(_) => 3,
    };
    let mut text = String::with_capacity(path.iter().map(room).sum());
    for seg in path {
        match seg {
            Seg::Name(name) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(name);
            }
            Seg::Index(index) => {
                text.push('[');
                match char::from_digit(*index, 10) {
                    Some(digit) => text.push(digit),
                    None => text.push_str(&index.to_string()),
                }
                text.push(']');
            }
        }
    }
    text
}

impl fmt::Debug for Draft {
    /// Omits the content, which is PHI.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Draft({} as {})", self.resource_type, self.label)
    }
}

impl fmt::Debug for BusinessKey {
    /// Omits the value, which is PHI.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BusinessKey({} {})", self.authority, self.kind)
    }
}

impl fmt::Debug for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Applied(changed: {}, {} values)",
            self.changed,
            self.lineage.len()
        )
    }
}

impl fmt::Debug for Lineage {
    /// Omits the raw text, which may be PHI.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some(place) => write!(f, "{} <- {place}", self.element),
            None => write!(f, "{} <- constant", self.element),
        }
    }
}
