//! Message structures, prepared for matching on first use.

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

use super::rows::Tables;
use super::version::Version;

/// The slot holds a segment.
pub(crate) const NO_GROUP: u16 = u16::MAX;

/// A message structure.
#[derive(Debug)]
pub(crate) struct Spec {
    /// The groups, with the structure itself first.
    pub(crate) groups: Vec<GroupSpec>,
}

/// A group and its contents, in order.
#[derive(Debug)]
pub(crate) struct GroupSpec {
    pub(crate) name: &'static str,
    pub(crate) slots: Vec<Slot>,
    /// Bit set of the slots that hold required segments.
    pub(crate) required: u64,
}

/// A segment or a group within a group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) segment: [u8; 3],
    pub(crate) group: u16,
    pub(crate) required: bool,
    pub(crate) repeats: bool,
}

type Cache = HashMap<&'static str, [OnceLock<Option<Spec>>; Version::ALL.len()]>;

static CACHE: LazyLock<Cache> = LazyLock::new(|| {
    let names = Tables::all()
        .groups
        .keys()
        .filter(|name| !name.contains('.'));
    names.map(|name| (*name, Default::default())).collect()
});

pub(super) fn get(version: Version, name: &str) -> Option<&'static Spec> {
    let (name, by_version) = CACHE.get_key_value(name)?;
    let cell = by_version.get(version as usize)?;
    cell.get_or_init(|| Spec::read(version, name)).as_ref()
}

pub(super) fn has(version: Version, name: &str) -> bool {
    !name.contains('.') && body(version, name).is_some()
}

pub(super) fn names(version: Version) -> impl Iterator<Item = &'static str> {
    CACHE.keys().copied().filter(move |name| has(version, name))
}

pub(super) fn of_event(version: Version, code: &str, event: &str) -> Option<&'static str> {
    let mut name = String::with_capacity(8);
    name.push_str(code);
    if !event.is_empty() {
        name.push('_');
        name.push_str(event);
    }
    if let Some(rows) = Tables::all().events.get(name.as_str()) {
        let own = rows
            .iter()
            .find(|(versions, _)| versions & version.bit() != 0);
        if let Some((_, structure)) = own {
            return Some(structure);
        }
    }
    CACHE
        .get_key_value(name.as_str())
        .map(|(name, _)| *name)
        .filter(|name| has(version, name))
}

fn body(version: Version, name: &str) -> Option<&'static str> {
    let rows = Tables::all().groups.get(name)?;
    rows.iter()
        .find(|(versions, _)| versions & version.bit() != 0)
        .map(|(_, body)| *body)
}

// === impl Spec ===

impl Spec {
    /// Returns the slots of a group, depth first.
    pub(super) fn order(&self, group: &str) -> Vec<(usize, super::Slot)> {
        let mut found = Vec::new();
        let at = self.groups.iter().position(|own| own.name == group);
        if let Some(at) = at {
            self.walk(at, 0, &mut found);
        }
        found
    }

    fn walk(&self, at: usize, depth: usize, found: &mut Vec<(usize, super::Slot)>) {
        let slots = self.groups.get(at).map(|group| group.slots.as_slice());
        for slot in slots.unwrap_or_default() {
            if slot.group == NO_GROUP {
                found.push((depth, super::Slot::Segment(slot.segment)));
                continue;
            }
            let below = usize::from(slot.group);
            let group = self.groups.get(below);
            found.extend(group.map(|own| (depth, super::Slot::Group(own.name))));
            self.walk(below, depth + 1, found);
        }
    }

    fn read(version: Version, name: &'static str) -> Option<Self> {
        let mut spec = Self { groups: Vec::new() };
        spec.add(version, name, name, body(version, name)?, 0);
        Some(spec)
    }

    /// Adds a group and everything below it. Returns its index.
    fn add(
        &mut self,
        version: Version,
        root: &str,
        name: &'static str,
        items: &str,
        depth: usize,
    ) -> u16 {
        let place = self.groups.len();
        self.groups.push(GroupSpec {
            name,
            slots: Vec::new(),
            required: 0,
        });
        let mut slots = Vec::new();
        for item in items.split(' ') {
            let Some((what, how)) = item.split_at_checked(item.len().saturating_sub(1)) else {
                continue;
            };
            let (required, repeats) = (matches!(how, "!" | "+"), matches!(how, "*" | "+"));
            let mut slot = Slot {
                segment: [0; 3],
                group: NO_GROUP,
                required,
                repeats,
            };
            if let Some(group) = what.strip_prefix('@') {
                let full = format!("{root}.{group}");
                let found = Tables::all().groups.get_key_value(full.as_str());
                let short = found.and_then(|(key, _)| key.split_once('.'));
                if let (Some((_, short)), Some(items), true) =
                    (short, body(version, &full), depth < 12)
                {
                    slot.group = self.add(version, root, short, items, depth + 1);
                    slots.push(slot);
                }
            } else if let Ok(segment) = what.as_bytes().try_into() {
                slot.segment = segment;
                slots.push(slot);
            }
        }
        let required = |(idx, slot): (usize, &Slot)| {
            if slot.required && slot.group == NO_GROUP && idx < 64 {
                1 << idx
            } else {
                0
            }
        };
        let required = slots
            .iter()
            .enumerate()
            .map(required)
            .fold(0, |all, bit: u64| all | bit);
        if let Some(group) = self.groups.get_mut(place) {
            group.slots = slots;
            group.required = required;
        }
        place as u16
    }
}
