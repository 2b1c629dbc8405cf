//! A resource under construction, and the origin of each of its values.

use super::cell::Origin;
use crate::program::{Element, Hop, RowId, Slice, Target};
use crate::syntax::Place;
use fhir::build::Value;
use std::sync::Arc;

/// A step of an element's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seg {
    Name(&'static str),
    Index(u32),
}

/// A value and its source.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    pub(crate) start: u32,
    pub(crate) len: u16,
    pub(crate) origin: Origin,
    pub(crate) row: RowId,
    /// The span in the message; empty for constants.
    pub(crate) raw: Span,
}

/// A range of a message's bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

/// The effect of a row on its place.
#[derive(Clone, Debug)]
pub(crate) struct Touch {
    pub(crate) target: Arc<Target>,
    pub(crate) row: RowId,
    pub(crate) delete: bool,
    /// Append to the list and remove nothing (`+=`).
    pub(crate) adds: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Build {
    pub(crate) trail: Vec<Seg>,
    pub(crate) segs: Vec<Seg>,
    pub(crate) traces: Vec<Trace>,
    pub(crate) touches: Vec<Touch>,
}

/// The error that another row has set another type of the same choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rivalled;

// === impl Build ===

impl Build {
    /// Creates a build with the capacity that a resource usually needs.
    pub(crate) fn for_resource() -> Self {
        Self {
            trail: Vec::with_capacity(8),
            segs: Vec::with_capacity(64),
            traces: Vec::with_capacity(16),
            touches: Vec::with_capacity(8),
        }
    }

    /// Records the origin of the value at the current trail.
    pub(crate) fn trace(&mut self, origin: Origin, row: RowId, raw: Span) {
        let start = self.segs.len() as u32;
        self.segs.extend_from_slice(&self.trail);
        let len = self.trail.len() as u16;
        self.traces.push(Trace {
            start,
            len,
            origin,
            row,
            raw,
        });
    }

    /// Records the origin of a constant's values below the trail.
    pub(crate) fn trace_at(&mut self, below: &[Seg], origin: Origin, row: RowId, raw: Span) {
        let before = self.trail.len();
        self.trail.extend_from_slice(below);
        self.trace(origin, row, raw);
        self.trail.truncate(before);
    }

    pub(crate) fn path(&self, trace: &Trace) -> &[Seg] {
        let start = trace.start as usize;
        self.segs
            .get(start..start + usize::from(trace.len))
            .unwrap_or_default()
    }

    /// Walks the hops without changing anything; the trail grows as [`put`] will extend it.
    pub(crate) fn walk(&mut self, here: &Value, hops: &[Hop]) {
        let mut at = Some(here);
        for (place, hop) in hops.iter().enumerate() {
            let name = hop.name();
            self.trail.push(Seg::Name(name));
            if place + 1 == hops.len() && matches!(hop, Hop::Field(_)) {
                return;
            }
            let next = at.and_then(|value| value.get_named(&hop.element().name));
            at = match hop {
                Hop::Field(_) => next,
                Hop::One(_, slice) => {
                    let items = next
                        .and_then(Value::as_array)
                        .map_or(&[][..], Vec::as_slice);
                    let found = items.iter().position(|item| slice.holds(item));
                    self.trail
                        .push(Seg::Index(found.unwrap_or(items.len()) as u32));
                    found.and_then(|place| items.get(place))
                }
                Hop::Many(..) => {
                    let length = next.and_then(Value::as_array).map_or(0, Vec::len);
                    self.trail.push(Seg::Index(length as u32));
                    None
                }
            };
        }
    }
}

/// Puts a value where the hops lead and creates what is missing on the way.
pub(crate) fn put(here: &mut Value, target: &Target, leaf: Value) -> Result<(), Rivalled> {
    put_hops(here, &target.hops, &target.rivals, leaf)
}

fn put_hops(
    here: &mut Value,
    hops: &[Hop],
    rivals: &[Element],
    leaf: Value,
) -> Result<(), Rivalled> {
    let Some((hop, rest)) = hops.split_first() else {
        merge(here, leaf);
        return Ok(());
    };
    match hop {
        Hop::Field(name) => {
            if rest.is_empty() && has_any(here, rivals) {
                return Err(Rivalled);
            }
            put_hops(here.entry_named(&name.name), rest, rivals, leaf)
        }
        Hop::One(name, slice) => match one(here.entry_named(&name.name), slice) {
            Some(element) => put_hops(element, rest, rivals, leaf),
            None => Err(Rivalled),
        },
        Hop::Many(name, slice) => {
            let mut element = Value::Null;
            put_hops(&mut element, rest, rivals, leaf)?;
            slice.mark(&mut element);
            let list = here.entry_named(&name.name);
            if !matches!(list, Value::Array(_)) {
                *list = Value::Array(Vec::new());
            }
            list.push(element);
            Ok(())
        }
    }
}

fn has_any(here: &Value, names: &[Element]) -> bool {
    names
        .iter()
        .any(|element| here.get_named(&element.name).is_some())
}

/// Returns the element of the slice, created if absent.
pub(crate) fn one<'v>(list: &'v mut Value, slice: &Slice) -> Option<&'v mut Value> {
    if !matches!(list, Value::Array(_)) {
        *list = Value::Array(Vec::new());
    }
    let found = list
        .as_array()
        .and_then(|items| items.iter().position(|item| slice.holds(item)));
    let place = found.unwrap_or_else(|| {
        let mut element = Value::Null;
        slice.mark(&mut element);
        list.push(element);
        list.as_array().map_or(0, |items| items.len() - 1)
    });
    list.as_array_mut()?.get_mut(place)
}

/// Appends texts to a list of primitives.
pub(crate) fn append(
    here: &mut Value,
    hops: &[Hop],
    place: Place,
    text: &str,
    build: &mut Build,
) -> usize {
    let mut list = here;
    for hop in hops {
        list = match hop {
            Hop::Field(name) => list.entry_named(&name.name),
            Hop::One(name, slice) | Hop::Many(name, slice) => {
                let Some(element) = one(list.entry_named(&name.name), slice) else {
                    return 0;
                };
                element
            }
        };
    }
    if !matches!(list, Value::Array(_)) {
        *list = Value::Array(Vec::new());
    }
    let Value::Array(items) = list else { return 0 };
    let before = items.len();
    match place {
        Place::At(_) => items.push(text.into()),
        Place::Rest => items.extend(text.split_whitespace().map(Value::from)),
    }
    build.trail.push(Seg::Index(before as u32));
    items.len() - before
}

/// Merges a new value: an object's fields are set one by one, anything else replaces the old value.
pub(crate) fn merge(old: &mut Value, new: Value) {
    match new {
        Value::Object(fields) => match old {
            Value::Object(old) => old.extend(fields),
            other => *other = Value::Object(fields),
        },
        other => *old = other,
    }
}
