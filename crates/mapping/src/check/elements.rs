//! Checks the right side: required elements and keys.

use super::Checker;
use crate::program::{Body, Item, KeyPart, ResourceItem, Row, Source, Target};
use fhir::definitions::type_named;
use hl7v2::{Dictionary, Version};

// === impl Checker ===

impl Checker<'_> {
    pub(super) fn elements(&mut self) {
        let program = self.program;
        let mut maps: Vec<_> = program.messages.values().collect();
        maps.sort_by_key(|map| std::sync::Arc::as_ptr(map));
        maps.dedup_by_key(|map| std::sync::Arc::as_ptr(map));
        for map in maps {
            for item in &map.items {
                self.item(item);
            }
        }
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Group { items, .. } => items.iter().for_each(|item| self.item(item)),
            Item::Resource(item) => {
                self.required(item);
                self.key(item);
            }
        }
    }

    /// Reports required elements that no row, constant or link of the resource writes.
    fn required(&mut self, item: &ResourceItem) {
        let Some(def) = type_named(item.resource_type) else {
            return;
        };
        let mut written: Vec<&str> = Vec::new();
        for map in item
            .maps
            .iter()
            .filter_map(|map| self.program.segments.get(*map))
        {
            firsts(&map.body, &mut written);
        }
        written.extend(item.sets.iter().filter_map(|set| first(&set.target)));
        written.extend(item.links.iter().filter_map(|link| first(&link.target)));
        for element in def.elements.iter().filter(|element| 0 < element.min) {
            let has = element
                .types
                .iter()
                .any(|each| written.contains(&each.json_name));
            if !has {
                let name = element.name;
                let message = format!("{}.{name} is required, but no row writes it", def.name);
                self.error(
                    item.id,
                    message,
                    format!("a row or a constant: set {name} = …"),
                );
            }
        }
    }

    fn key(&mut self, item: &ResourceItem) {
        if item.key.alternatives.is_empty() {
            if item.resource_type != "MessageHeader" {
                let message = format!("{} has no key: each message makes a new one", item.label);
                self.warning(item.id, message);
            }
            return;
        }
        let always = item
            .key
            .alternatives
            .iter()
            .any(|parts| item.key.place_among_equals || parts.iter().any(is_required));
        if !always && !item.key.any_of && item.key.alternatives.len() == 1 {
            let parts = item.key.alternatives.first();
            if parts
                .is_some_and(|parts| !parts.iter().any(|part| matches!(part, KeyPart::Identifier)))
            {
                self.warning(item.id, format!("the key of {} may be empty", item.label));
            }
        }
    }
}

fn is_required(part: &KeyPart) -> bool {
    let dictionary = Dictionary::of(Version::nearest("2.5.1"));
    match part {
        KeyPart::Identifier => true,
        KeyPart::Source(Source::Field { segment, field, .. })
        | KeyPart::Coded(Source::Field { segment, field, .. }, _)
        | KeyPart::Day(Source::Field { segment, field, .. }) => {
            let name = String::from_utf8_lossy(segment).into_owned();
            let found = dictionary.field(&name, usize::from(*field));
            found.is_some_and(|field| field.required)
        }
        KeyPart::Label(_)
        | KeyPart::FirstOf(_)
        | KeyPart::Source(_)
        | KeyPart::Coded(..)
        | KeyPart::Day(_) => false,
    }
}

fn firsts<'t>(body: &'t Body, written: &mut Vec<&'t str>) {
    for row in &body.rows {
        match row {
            Row::Map(row) => written.extend(first(&row.target)),
            Row::Set(row) => written.extend(first(&row.target)),
            Row::Each(row) => written.extend(first(&row.target)),
            Row::Drop(_) => {}
        }
    }
}

/// Returns the first element of the path. `_status` counts as `status`: it says why that is absent.
fn first(target: &Target) -> Option<&'static str> {
    let name = target.hops.first().map(crate::program::Hop::name)?;
    Some(name.strip_prefix('_').unwrap_or(name))
}
