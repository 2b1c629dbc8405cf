//! Lists: which ones a message has, each draft's role in them, and entries that name nothing.

use super::Run;
use super::cell::{Origin, Reading};
use super::scope;
use super::scope::{Bound, Scope};
use crate::list::{List, Listed, Part};
use crate::program::{Condition, ListSpec, ResourceItem};
use std::sync::Arc;

/// The reason that the fields of an entry that names nothing are not mapped.
const NAMES_NOTHING: &str = "the entry names nothing: the other entries make up the list";

/// Records that the message has a segment of this list and so states its content, even if that is
/// nothing.
pub(super) fn begin(
    run: &mut Run<'_, '_>,
    item: &ResourceItem,
    spec: &Arc<ListSpec>,
    (bound, reading): (&Bound, &Reading),
) {
    let Some(first) = item.places.first() else {
        return;
    };
    let scope = scope(run.message, reading, bound);
    let holds = |when: &Condition| scope.holds(when, None);
    let is_snapshot = spec.when.as_ref().is_none_or(holds);
    run.lists.push(List {
        label: Arc::clone(&item.label),
        resource_type: item.resource_type,
        segment: String::from_utf8_lossy(&first.segment).into_owned(),
        is_snapshot,
        spec: Arc::clone(spec),
    });
}

/// Returns the role of an item's draft in the item's list.
pub(super) fn listed(lists: &[List], item: &ResourceItem, scope: &Scope<'_, '_>) -> Option<Listed> {
    let spec = item.list.as_ref()?;
    let list = lists.iter().position(|list| list.label == item.label)?;
    let holds = |when: &Option<Condition>| {
        let when = when.as_ref();
        when.is_some_and(|when| scope.holds(when, None))
    };
    let part = if holds(&spec.ended) {
        Part::Ended
    } else if holds(&spec.none) {
        Part::Nothing
    } else {
        Part::Entry
    };
    Some(Listed { list, part })
}

/// Accounts for a segment that has only its number and `""`: it made no draft.
pub(super) fn account_for_null(run: &mut Run<'_, '_>, spec: &ListSpec, segment: u32) {
    let Some(own) = run.message.segment_at(segment as usize) else {
        return;
    };
    let valued = run.valued.get(segment as usize).copied().unwrap_or(0);
    let fields = (1..64_u16).filter(|field| valued & (1 << *field) != 0);
    let is_null = |field: &u16| {
        let raw = own.field(usize::from(*field));
        *field == 1 || raw.raw() == b"\"\""
    };
    if !fields.clone().all(|field| is_null(&field)) {
        return;
    }
    let reason: Arc<str> = NAMES_NOTHING.into();
    for field in fields {
        let origin = Origin {
            segment,
            field,
            ..Origin::default()
        };
        run.accounts.dropped(origin, spec.id, &reason);
    }
}
