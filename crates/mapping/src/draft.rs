//! What a message wants to change in one resource, and what comes of it.
//!
//! Invariants (law 2c): [`Draft::apply`] changes nothing outside of the places that its rows touched,
//! and applying a draft twice gives what applying it once gave.

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

/// One resource that a message speaks of.
#[derive(Clone)]
pub struct Draft {
    /// The resource type.
    pub resource_type: &'static str,
    /// The label of the message map: `patient`, `results`; the type for what a reference made.
    pub label: Arc<str>,
    /// How it is found again, the number that weighs most first. A later one counts only where the
    /// record or the message lacks an earlier one.
    pub keys: Vec<BusinessKey>,
    /// Who may change what exists.
    pub ownership: Ownership,
    /// The time of the event: EVN-6, EVN-2, else MSH-7. Older news never overwrites newer.
    pub event_time: Option<DateTime>,
    /// Raw OBX-11, OBR-25 or ORC-5: see [`crate::lifecycle`].
    pub status_code: Option<String>,
    /// What it is in a list of its sender's; none where it is in no list.
    pub listed: Option<Listed>,
    /// Under this url other drafts refer to it: `urn:uuid:…`.
    pub full_url: String,
    pub(crate) value: Value,
    pub(crate) build: Build,
    pub(crate) received: Arc<Received>,
    pub(crate) missing: Option<Arc<[Missing]>>,
    /// It has no touched places: it is there as a whole or not at all.
    pub(crate) whole: bool,
}

/// A key of the business: under it the chart finds the resource.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct BusinessKey {
    /// Who gave it: a URI, or a name within the source. Empty is the source itself.
    pub authority: String,
    /// The identifier's type code for `key identifier`, else the draft's label or type.
    pub kind: String,
    /// The value. PHI.
    pub value: String,
    /// It holds only within the resource of that draft of the conversion.
    pub within: Option<usize>,
    /// Its place among the alternatives of the key: the number at 0 decides before the one at 1.
    pub rank: u8,
    /// Several resources may have it (`else its place among equals`): what else they say tells them
    /// apart.
    pub is_shared: bool,
    /// Whom it names, for a Patient.
    pub names: Names,
}

/// A resource after a draft.
#[derive(Clone)]
pub struct Applied {
    /// The whole resource.
    pub value: Value,
    /// Where each value that the draft set came from.
    pub lineage: Vec<Lineage>,
    /// Is it another than before?
    pub changed: bool,
    /// Fields whose elements the draft may not change.
    pub withheld: Vec<FieldPlace>,
}

/// Where a value came from.
#[derive(Clone, PartialEq, Eq)]
pub struct Lineage {
    /// The element: `name[0].family`.
    pub element: String,
    /// The field; none for a constant of the map.
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
    /// What the message alone tells of the resource. Its references are [`Draft::full_url`]s.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The same with what is missing filled in.
    pub fn whole_value(&self) -> Value {
        let mut value = self.value.clone();
        missing::fill(self.missing(), &mut value);
        value
    }

    /// The same for who needs the draft no longer.
    pub(crate) fn into_whole_value(self) -> Value {
        let mut value = self.value;
        missing::fill(self.missing.as_deref().unwrap_or_default(), &mut value);
        value
    }

    fn missing(&self) -> &[Missing] {
        self.missing.as_deref().unwrap_or_default()
    }

    /// The resource with this draft's changes. References to other drafts are their full urls.
    pub fn apply(&self, existing: Option<&Value>) -> Applied {
        self.apply_resolved(existing, &|_| None)
    }

    /// The same, with references to other drafts resolved: from a full url to `Patient/123`.
    pub fn apply_resolved(
        &self,
        existing: Option<&Value>,
        resolve: &dyn Fn(&str) -> Option<String>,
    ) -> Applied {
        apply::apply(self, existing, resolve)
    }

    /// The resource as the message alone tells it, with references to other drafts resolved.
    pub fn resolved(&self, resolve: &dyn Fn(&str) -> Option<String>) -> Value {
        apply::resolved(self, resolve)
    }

    /// The full urls of other drafts that it refers to.
    pub fn references(&self) -> Vec<&str> {
        let mut found = Vec::new();
        references(&self.value, &mut found);
        found
    }

    /// Where each value came from, for a resource that this draft made.
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
    /// The same where a source says which types name its patients.
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

/// An element's path as text.
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
    /// Without content: it is PHI.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Draft({} as {})", self.resource_type, self.label)
    }
}

impl fmt::Debug for BusinessKey {
    /// Without the value: it is PHI.
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
    /// Without the raw text: it may be PHI.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some(place) => write!(f, "{} <- {place}", self.element),
            None => write!(f, "{} <- constant", self.element),
        }
    }
}
