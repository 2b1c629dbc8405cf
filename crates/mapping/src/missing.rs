//! Elements that a profile requires and no field supplied: present without a value, with a reason.
//!
//! Invariants:
//! - a filled-in element never counts as new data: it belongs to no row, is stripped before a draft
//!   is merged with what exists, counts as absent there, and does not go back into a message;
//! - filling in is idempotent, and stripping restores what was there before.

use crate::back::resource_holds;
use crate::program::ResourceCondition;
use fhir::build::Value;

const REASON: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";
const REASONS: &str = "http://terminology.hl7.org/CodeSystem/data-absent-reason";

/// One row of a `missing` block.
#[derive(Clone, Debug)]
pub(crate) struct Missing {
    /// The path from the resource to the element's parent.
    pub(crate) path: Vec<Step>,
    /// The other types of the same choice.
    pub(crate) rivals: Vec<&'static str>,
    pub(crate) leaf: Leaf,
    pub(crate) when: Option<ResourceCondition>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) reach: Reach,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// An element that occurs once.
    Once,
    /// Each existing item of a list.
    Each,
    /// An item of a list, created if there is none.
    New,
}

/// The way in which an element says that it is missing.
#[derive(Clone, Debug)]
pub(crate) enum Leaf {
    /// An extension beside it (`_gender`), and a code if the element must have one.
    Primitive {
        beside: &'static str,
        code: Option<Box<str>>,
    },
    /// A code of data-absent-reason.
    Concept,
    /// An extension inside it.
    Complex,
}

/// Fills in the missing elements of the resource.
pub(crate) fn fill(rows: &[Missing], resource: &mut Value) {
    for row in rows {
        let holds = |when| resource_holds(when, resource);
        if row.when.as_ref().is_none_or(holds) {
            row.fill(resource, &row.path);
        }
    }
}

/// Strips the elements that were filled in.
pub(crate) fn strip(rows: &[Missing], resource: &mut Value) {
    for row in rows.iter().rev() {
        row.strip(resource, &row.path);
    }
}

// === impl Missing ===

impl Missing {
    fn fill(&self, here: &mut Value, path: &[Step]) {
        let Some((step, rest)) = path.split_first() else {
            return;
        };
        if rest.is_empty() {
            return self.fill_leaf(here, *step);
        }
        match step.reach {
            Reach::Once => {
                if let Some(next) = here.get_mut(step.name) {
                    self.fill(next, rest);
                }
            }
            Reach::Each => {
                let items = here.get_mut(step.name).and_then(Value::as_array_mut);
                items
                    .into_iter()
                    .flatten()
                    .for_each(|item| self.fill(item, rest));
            }
            Reach::New => {
                if here.each(step.name).next().is_none() {
                    let mut item = Value::object();
                    self.fill(&mut item, rest);
                    here.set(step.name, Value::Array(vec![item]));
                }
            }
        }
    }

    fn fill_leaf(&self, here: &mut Value, step: Step) {
        let has = |name: &str| here.get(name).is_some_and(|value| !value.is_empty());
        if has(step.name) || self.rivals.iter().any(|name| has(name)) {
            return;
        }
        match &self.leaf {
            Leaf::Primitive { beside, code } => {
                if has(beside) {
                    return;
                }
                if let Some(code) = code {
                    here.set(step.name, &**code);
                }
                here.set(beside, reason());
            }
            Leaf::Concept | Leaf::Complex => {
                here.set(step.name, self.absence(step.reach));
            }
        }
    }

    fn strip(&self, here: &mut Value, path: &[Step]) {
        let Some((step, rest)) = path.split_first() else {
            return;
        };
        if rest.is_empty() {
            return self.strip_leaf(here, *step);
        }
        match step.reach {
            Reach::Once => {
                if let Some(next) = here.get_mut(step.name) {
                    self.strip(next, rest);
                }
            }
            Reach::Each | Reach::New => {
                let Some(items) = here.get_mut(step.name).and_then(Value::as_array_mut) else {
                    return;
                };
                for item in items.iter_mut() {
                    self.strip(item, rest);
                }
                if step.reach == Reach::New && items.iter().all(Value::is_empty) {
                    here.remove(step.name);
                }
            }
        }
    }

    fn strip_leaf(&self, here: &mut Value, step: Step) {
        match &self.leaf {
            Leaf::Primitive { beside, code } => {
                let stands = here.get(step.name).and_then(Value::as_str);
                if here.get(beside) == Some(&reason()) && stands == code.as_deref() {
                    here.remove(step.name);
                    here.remove(beside);
                }
            }
            Leaf::Concept | Leaf::Complex => {
                if here.get(step.name) == Some(&self.absence(step.reach)) {
                    here.remove(step.name);
                }
            }
        }
    }

    /// Returns the element that stands in when no value was supplied.
    fn absence(&self, reach: Reach) -> Value {
        let value = match self.leaf {
            Leaf::Concept => Value::object().with("coding", vec![unknown()]),
            Leaf::Primitive { .. } | Leaf::Complex => reason(),
        };
        match reach {
            Reach::Once => value,
            Reach::Each | Reach::New => Value::Array(vec![value]),
        }
    }
}

fn unknown() -> Value {
    Value::object()
        .with("system", REASONS)
        .with("code", "unknown")
        .with("display", "Unknown")
}

/// Returns an element without a value, with the reason that it is unknown.
pub(crate) fn reason() -> Value {
    let reason = Value::object()
        .with("url", REASON)
        .with("valueCode", "unknown");
    Value::object().with("extension", vec![reason])
}
