//! Binds message maps.

use super::{Binder, segment_name, source};
use crate::program::{
    Hop, Item, Key, KeyPart, Link, MessageMap, ResourceItem, SegmentName, SegmentPlace,
};
use crate::syntax::{self, KeyClause, MessageBlock, Ownership};
use fhir::definitions::{TypeKind, type_named};
use std::collections::HashSet;
use std::sync::Arc;

// === impl Binder ===

impl Binder<'_> {
    pub(super) fn message(&mut self, block: &MessageBlock) {
        let mut labels = HashSet::new();
        gather(&block.items, &mut labels);
        let items = self.items(&block.items, &labels);
        let map = Arc::new(MessageMap { items });
        for structure in &block.structures {
            if self
                .program
                .messages
                .insert(structure.clone(), Arc::clone(&map))
                .is_some()
            {
                self.error(block.spot, format!("message {structure} has two maps"));
            }
        }
    }

    fn items(&mut self, items: &[syntax::Item], labels: &HashSet<String>) -> Vec<Item> {
        let mut bound = Vec::new();
        for item in items {
            match item {
                syntax::Item::Group { name, items, .. } => {
                    let items = self.items(items, labels);
                    bound.push(Item::Group {
                        name: name.clone(),
                        items,
                    });
                }
                syntax::Item::Resource(item) => {
                    bound.extend(self.resource(item, labels).map(Item::Resource));
                }
            }
        }
        bound
    }

    fn resource(
        &mut self,
        item: &syntax::ResourceItem,
        labels: &HashSet<String>,
    ) -> Option<ResourceItem> {
        let Some(def) = type_named(&item.fhir_type).filter(|def| def.kind == TypeKind::Resource)
        else {
            self.error(
                item.spot,
                format!("FHIR R4 has no resource {}", item.fhir_type),
            );
            return None;
        };
        let places: Vec<SegmentPlace> = item
            .places
            .iter()
            .filter_map(|place| {
                let segment = segment_name(&place.segment)?;
                Some(SegmentPlace {
                    groups: place.groups.clone(),
                    segment,
                })
            })
            .collect();
        for place in &item.places {
            let known = hl7v2::Version::ALL.iter().any(|version| {
                hl7v2::Dictionary::of(*version)
                    .segment_name(&place.segment)
                    .is_some()
            });
            if !known && !place.segment.starts_with('Z') {
                let message = format!("no version of HL7 v2 has a segment {}", place.segment);
                self.error(place.spot, message);
            }
        }
        let maps = self.maps_for(&places, def.name);
        if maps.is_empty() {
            let names: Vec<&str> = item
                .places
                .iter()
                .map(|place| place.segment.as_str())
                .collect();
            let head = format!("segment {} <-> {}", names.join(" + "), def.name);
            self.error_with(item.spot, format!("there is no map {head}"), head.clone());
            return None;
        }
        let key = match &item.key {
            Some(key) => self.key(key, labels)?,
            None => Key::default(),
        };
        let links = item
            .links
            .iter()
            .filter_map(|link| self.link(def.name, link, labels));
        let links: Vec<Link> = links.collect();
        let sets = item
            .sets
            .iter()
            .filter_map(|set| self.set_row(def.name, set))
            .collect();
        let list = self.list(def.name, item, &key, labels);
        Some(ResourceItem {
            id: self.row_id(item.spot),
            places,
            resource_type: def.name,
            label: item.label.as_str().into(),
            when: self.optional(item.when.as_ref())?,
            maps,
            key,
            ownership: item.ownership.unwrap_or(Ownership::Owns),
            lines: item.lines,
            links,
            sets,
            list,
        })
    }

    /// Returns every segment map of the type whose segments are among those of the item.
    fn maps_for(&self, places: &[SegmentPlace], fhir_type: &str) -> Vec<usize> {
        let has = |segment: &SegmentName| places.iter().any(|place| place.segment == *segment);
        let maps = self.program.segments.iter().enumerate();
        let fitting =
            maps.filter(|(_, map)| map.body.fhir_type == fhir_type && map.segments.iter().all(has));
        fitting.map(|(place, _)| place).collect()
    }

    fn key(&mut self, clause: &KeyClause, labels: &HashSet<String>) -> Option<Key> {
        let mut alternatives = Vec::new();
        for parts in &clause.alternatives {
            let mut bound = Vec::new();
            for part in parts {
                bound.push(match part {
                    syntax::KeyPart::Identifier => KeyPart::Identifier,
                    syntax::KeyPart::Source(from) => KeyPart::Source(source(from)),
                    syntax::KeyPart::FirstOf(from) => {
                        KeyPart::FirstOf(from.iter().map(source).collect())
                    }
                    syntax::KeyPart::Coded(from, system) => {
                        KeyPart::Coded(source(from), system.as_str().into())
                    }
                    syntax::KeyPart::Day(from) => KeyPart::Day(source(from)),
                    syntax::KeyPart::Text(_) => {
                        self.error(
                            clause.spot,
                            "a text distinguishes references, not resources",
                        );
                        return None;
                    }
                    syntax::KeyPart::Label(_, label) if labels.contains(label) => {
                        KeyPart::Label(label.as_str().into())
                    }
                    syntax::KeyPart::Label(spot, label) => {
                        self.error(*spot, format!("no resource is labelled {label}"));
                        return None;
                    }
                });
            }
            alternatives.push(bound);
        }
        Some(Key {
            alternatives,
            any_of: clause.any_of,
            otherwise: clause.otherwise,
            place_among_equals: clause.place_among_equals,
        })
    }

    fn link(
        &mut self,
        base: &'static str,
        link: &syntax::LinkClause,
        labels: &HashSet<String>,
    ) -> Option<Link> {
        let mut target = self.target(base, &link.path)?;
        if let Some(Hop::One(name, slice)) = target.hops.last().cloned() {
            // Each reference is an element of its own.
            target.hops.pop();
            target.hops.push(Hop::Many(name, slice));
        }
        if target.fhir_type != "Reference" {
            self.error(
                link.spot,
                format!("{base}: this element is not a reference"),
            );
            return None;
        }
        if !labels.contains(&link.label) {
            self.error(link.spot, format!("no resource is labelled {}", link.label));
            return None;
        }
        let required = match target.hops.as_slice() {
            [hop @ Hop::Field(_)] => type_named(base)
                .and_then(|def| def.element_for(hop.name()))
                .is_some_and(|(element, _)| 0 < element.min),
            _ => false,
        };
        let is_list = target.hops.iter().any(|hop| !matches!(hop, Hop::Field(_)));
        Some(Link {
            id: self.row_id(link.spot),
            target: Arc::new(target),
            is_list,
            pairs: link
                .path
                .steps
                .iter()
                .any(|step| step.many == syntax::Many::All),
            adds: link.adds,
            label: link.label.as_str().into(),
            when: self.optional(link.when.as_ref())?,
            required,
        })
    }
}

fn gather(items: &[syntax::Item], labels: &mut HashSet<String>) {
    for item in items {
        match item {
            syntax::Item::Group { items, .. } => gather(items, labels),
            syntax::Item::Resource(item) => {
                labels.insert(item.label.clone());
            }
        }
    }
}
