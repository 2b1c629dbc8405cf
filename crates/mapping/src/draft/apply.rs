//! Merges a draft into the existing resource.

use super::{Applied, Draft, Lineage, husk, path_text};
use crate::forward::build::{Seg, Touch, merge, one};
use crate::forward::cell::Origin;
use crate::missing;
use crate::program::{Hop, RowId, Slice, Target};
use crate::report::FieldPlace;
use crate::syntax::Ownership;
use fhir::build::{Name, Value};
use std::collections::HashSet;

/// A list element's new position: list, index in the draft, index in the resource.
type Move = (Vec<Seg>, u32, u32);

pub(super) fn apply(
    draft: &Draft,
    existing: Option<&Value>,
    resolve: &dyn Fn(&str) -> Option<String>,
) -> Applied {
    let new = resolved(draft, resolve);
    let Some(stored) = existing else {
        let lineage = lineage(draft, &[], &[]);
        let mut value = new;
        missing::fill(draft.missing(), &mut value);
        return Applied {
            value,
            lineage,
            changed: true,
            withheld: Vec::new(),
        };
    };
    let mut stripped = stored.clone();
    missing::strip(draft.missing(), &mut stripped);
    let existing = &stripped;
    let mut value = stripped.clone();
    let mut moves = Vec::new();
    let mut withheld: HashSet<RowId> = HashSet::new();
    let mut passed: Vec<RowId> = Vec::new();
    let mut deleted = Vec::new();
    let may_change = !draft.whole && draft.ownership != Ownership::OnlyLinks;
    for touch in &draft.build.touches {
        let gap = || is_gap(existing, &touch.target.hops);
        let allowed = match draft.ownership {
            Ownership::Owns => true,
            Ownership::FillsGaps => !touch.delete && gap(),
            Ownership::OnlyLinks => false,
        };
        if !allowed || !may_change {
            withheld.insert(touch.row);
            continue;
        }
        // An element that still matches the row belongs to the row.
        let is_other = || {
            let names: Vec<_> = touch.target.hops.iter().map(Hop::name).collect();
            crate::program::walk(existing, &names) != crate::program::walk(&new, &names)
        };
        if touch.target.fills_gap && !gap() && is_other() {
            passed.push(touch.row);
            continue;
        }
        join(&mut value, &new, touch);
        if touch.delete {
            deleted.extend(touch.target.hops.first().map(Hop::name));
        }
    }
    for name in deleted {
        husk::sweep(&mut value, name);
    }
    if may_change {
        for touch in &draft.build.touches {
            if !withheld.contains(&touch.row) && !passed.contains(&touch.row) {
                find_moves(
                    &value,
                    &new,
                    &touch.target.hops,
                    &mut Vec::new(),
                    &mut moves,
                );
            }
        }
        value.prune();
    }
    let places = withheld_places(draft, &withheld, may_change);
    let skipped: Vec<RowId> = withheld.into_iter().chain(passed).collect();
    let lineage = if may_change {
        lineage(draft, &moves, &skipped)
    } else {
        Vec::new()
    };
    // Only new data changes a resource: elements filled in earlier stay as they are.
    let changed = value != *existing;
    if changed {
        missing::fill(draft.missing(), &mut value);
    } else {
        value.clone_from(stored);
    }
    Applied {
        changed,
        value,
        lineage,
        withheld: places,
    }
}

pub(super) fn resolved(draft: &Draft, resolve: &dyn Fn(&str) -> Option<String>) -> Value {
    resolved_copy(&draft.value, &Name::new("reference"), resolve)
}

fn withheld_places(draft: &Draft, rows: &HashSet<RowId>, may_change: bool) -> Vec<FieldPlace> {
    let own = draft
        .build
        .traces
        .iter()
        .filter(|trace| trace.origin != Origin::NOWHERE);
    let out = own.filter(|trace| !may_change || rows.contains(&trace.row));
    out.map(|trace| draft.received.place(trace.origin))
        .collect()
}

/// Returns the lineage of every trace, with the final list indices.
pub(super) fn lineage(draft: &Draft, moves: &[Move], skipped: &[RowId]) -> Vec<Lineage> {
    let mut found = Vec::with_capacity(draft.build.traces.len());
    for trace in &draft.build.traces {
        if skipped.contains(&trace.row) {
            continue;
        }
        let path = draft.build.path(trace);
        let element = if moves.is_empty() {
            path_text(path)
        } else {
            moved(path, moves)
        };
        found.push(Lineage {
            element,
            place: (trace.origin != Origin::NOWHERE).then(|| draft.received.place(trace.origin)),
            raw: draft.received.text(trace.raw),
            row: trace.row,
        });
    }
    found
}

fn moved(path: &[Seg], moves: &[Move]) -> String {
    let mut out: Vec<Seg> = Vec::with_capacity(path.len());
    for (place, seg) in path.iter().enumerate() {
        let before = path.get(..place).unwrap_or_default();
        out.push(match seg {
            Seg::Index(from) => {
                let found = moves
                    .iter()
                    .find(|(list, old, _)| list == before && old == from);
                Seg::Index(found.map_or(*from, |(_, _, to)| *to))
            }
            Seg::Name(_) => *seg,
        });
    }
    path_text(&out)
}

/// Returns whether nothing exists where the hops lead.
fn is_gap(value: &Value, hops: &[Hop]) -> bool {
    let Some((hop, rest)) = hops.split_first() else {
        return value.is_empty();
    };
    let Some(next) = value.get(hop.name()) else {
        return true;
    };
    match hop {
        Hop::Field(_) => is_gap(next, rest),
        Hop::One(_, slice) => {
            let found = next
                .as_array()
                .into_iter()
                .flatten()
                .find(|item| slice.holds(item));
            found.is_none_or(|item| is_gap(item, rest))
        }
        Hop::Many(_, slice) => !next
            .as_array()
            .into_iter()
            .flatten()
            .any(|item| slice.holds(item)),
    }
}

fn join(value: &mut Value, new: &Value, touch: &Touch) {
    for rival in &touch.target.rivals {
        let parent = touch.target.hops.len().saturating_sub(1);
        let hops = touch.target.hops.get(..parent).unwrap_or_default();
        if !touch.delete {
            remove_at(value, hops, rival);
        }
    }
    join_hops(value, Some(new), &touch.target.hops, touch);
}

fn remove_at(value: &mut Value, hops: &[Hop], name: &str) {
    match hops.split_first() {
        None => {
            value.remove(name);
        }
        Some((Hop::Field(field), rest)) => {
            if let Some(next) = value.get_mut(field) {
                remove_at(next, rest, name);
            }
        }
        Some((Hop::One(..) | Hop::Many(..), _)) => {}
    }
}

fn join_hops(value: &mut Value, new: Option<&Value>, hops: &[Hop], touch: &Touch) {
    let Some((hop, rest)) = hops.split_first() else {
        leaf(value, new, &touch.target);
        return;
    };
    let from = new.and_then(|new| new.get(hop.name()));
    match hop {
        Hop::Field(name) => {
            if from.is_none() && value.get(name).is_none() {
                return;
            }
            join_hops(value.entry(name), from, rest, touch);
            if value.get(name).is_some_and(Value::is_empty) {
                value.remove(name);
            }
        }
        Hop::One(name, slice) => {
            let source = from
                .and_then(Value::as_array)
                .and_then(|items| items.iter().find(|item| slice.holds(item)));
            let has = value.each(name).any(|item| slice.holds(item));
            if source.is_none() && !has {
                return;
            }
            if let Some(element) = one(value.entry(name), slice) {
                join_hops(element, source, rest, touch);
            }
            // A removed element leaves no gap in its list.
            if let Some(Value::Array(items)) = value.get_mut(name) {
                items.retain(|item| !item.is_empty());
            }
            if value.get(name).is_some_and(Value::is_empty) {
                value.remove(name);
            }
        }
        Hop::Many(name, slice) => {
            let items = from
                .and_then(Value::as_array)
                .map_or(&[][..], Vec::as_slice);
            join_list(value, name, slice, items, touch);
        }
    }
}

/// Sets a whole element, or only the new parts if the row is not the first for its place.
fn leaf(value: &mut Value, new: Option<&Value>, target: &Target) {
    match new {
        None => *value = Value::Null,
        Some(new) if target.principal => *value = new.clone(),
        Some(new) => merge(value, new.clone()),
    }
}

fn join_list(value: &mut Value, name: &str, slice: &Slice, new: &[Value], touch: &Touch) {
    // Edit in place to keep the order of the fields.
    let mut list = match std::mem::take(value.entry(name)) {
        Value::Array(items) => items,
        Value::Null => Vec::new(),
        other => vec![other],
    };
    let own: Vec<&Value> = new.iter().filter(|item| slice.holds(item)).collect();
    let strays: Vec<&Value> = new.iter().filter(|item| !slice.holds(item)).collect();
    // Elements already in this order stay where they are, between those that others added.
    let stands = list.iter().filter(|item| slice.holds(item));
    if touch.delete || !stands.eq(own.iter().copied()) {
        put_own(&mut list, &own, slice, touch);
    }
    // An element that the row made for another row's slice replaces that slice's element.
    let mut replaced: Vec<usize> = Vec::new();
    for stray in strays {
        let apart = slice.others.iter().enumerate();
        let mut homes = apart.filter(|(_, own)| {
            Slice {
                discriminators: (*own).clone(),
                others: Vec::new(),
            }
            .holds(stray)
        });
        if let Some((home, own)) = homes.next()
            && !replaced.contains(&home)
            && !list.contains(stray)
        {
            let other = Slice {
                discriminators: own.clone(),
                others: Vec::new(),
            };
            let kept: Vec<&Value> = new.iter().collect();
            replace(&mut list, |item| other.holds(item) && !kept.contains(&item));
            replaced.push(home);
        }
        if !list.contains(stray) {
            list.push(stray.clone());
        }
    }
    if list.is_empty() {
        value.remove(name);
    } else {
        value.set(name, Value::Array(list));
    }
}

/// Puts the row's own elements in place of its earlier ones.
fn put_own(list: &mut Vec<Value>, own: &[&Value], slice: &Slice, touch: &Touch) {
    let mut at = list.len();
    if !touch.adds {
        at = replace(list, |item| {
            slice.holds(item) && (touch.delete || is_replaced(item, own, &touch.target.merge_by))
        });
    }
    for item in own {
        if !(touch.adds && list.contains(item)) {
            list.insert(at.min(list.len()), (*item).clone());
            at += 1;
        }
    }
}

/// Removes the matching elements and returns the index of the first of them.
fn replace(list: &mut Vec<Value>, gone: impl Fn(&Value) -> bool) -> usize {
    let first = list.iter().position(&gone).unwrap_or(list.len());
    list.retain(|item| !gone(item));
    first.min(list.len())
}

fn is_replaced(item: &Value, new: &[&Value], merge_by: &[Hop]) -> bool {
    if merge_by.is_empty() {
        return true;
    }
    let key = |value: &Value| {
        let names: Vec<&'static str> = merge_by.iter().map(Hop::name).collect();
        crate::program::walk(value, &names).cloned()
    };
    let own = key(item);
    new.iter().any(|other| key(other) == own)
}

/// Records where the draft's elements are in the resource.
fn find_moves(
    value: &Value,
    new: &Value,
    hops: &[Hop],
    path: &mut Vec<Seg>,
    moves: &mut Vec<Move>,
) {
    let Some((hop, rest)) = hops.split_first() else {
        return;
    };
    let name = hop.name();
    let (Some(to), Some(from)) = (value.get(name), new.get(name)) else {
        return;
    };
    let depth = path.len();
    path.push(Seg::Name(name));
    match hop {
        Hop::Field(_) => find_moves(to, from, rest, path, moves),
        Hop::One(_, slice) => {
            let place = |list: &Value| {
                list.as_array()
                    .and_then(|items| items.iter().position(|item| slice.holds(item)))
            };
            if let (Some(new_at), Some(old_at)) = (place(from), place(to)) {
                moves.push((path.clone(), new_at as u32, old_at as u32));
                path.push(Seg::Index(new_at as u32));
                if let (Some(to), Some(from)) = (to.item(old_at), from.item(new_at)) {
                    find_moves(to, from, rest, path, moves);
                }
            }
        }
        Hop::Many(..) => {
            let mut taken = HashSet::new();
            for (place, item) in from.as_array().into_iter().flatten().enumerate() {
                let places = to.as_array().into_iter().flatten().enumerate();
                let mut equal = places.filter(|(at, other)| *other == item && !taken.contains(at));
                let found = equal.next().map(|(at, _)| at);
                if let Some(at) = found {
                    taken.insert(at);
                    moves.push((path.clone(), place as u32, at as u32));
                }
            }
        }
    }
    path.truncate(depth);
}

/// Returns a copy in which each `reference` known to `resolve` is replaced.
fn resolved_copy(
    value: &Value,
    reference: &Name,
    resolve: &dyn Fn(&str) -> Option<String>,
) -> Value {
    let copy = |value: &Value| resolved_copy(value, reference, resolve);
    match value {
        Value::Array(items) => Value::Array(items.iter().map(copy).collect()),
        Value::Object(fields) => Value::Object(fields.map_values(|name, value| match value {
            Value::String(text) if name == reference => {
                resolve(text).map_or_else(|| value.clone(), Value::from)
            }
            _ => copy(value),
        })),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}
