//! Checks for rows that write into an element that another row makes and owns.
//!
//! A row on one distinguished element of a list (`identifier{type = SS}.value`) fills the first
//! element that matches, and makes one only if none does. If another row makes elements of that
//! list (`identifier[*] : CX`) and its data type can write the distinguishing values, the first row
//! overwrites a fact of the second.

use super::super::inverse::exclude;
use super::super::{Checker, source_text};
use crate::program::{
    Body, Convert, Discriminator, Hop, Literal, MapRow, Program, ResourceItem, Row, RowId, Slice,
    Target,
};
use std::collections::BTreeSet;

/// A row that reaches into a list, and the index of its map in the program.
struct Reach<'p> {
    map: usize,
    id: RowId,
    name: String,
    list: String,
    slice: &'p Slice,
    /// The row fills the one element that matches.
    fills: bool,
    row: Option<&'p MapRow>,
    content: Content<'p>,
}

/// The content that a row writes into the element besides the distinguishing values.
enum Content<'p> {
    /// Content written by a type map or by the rows of an `each`.
    Body(&'p Body),
    /// One element below the list element.
    Below(Vec<&'static str>),
}

// === impl Checker ===

impl Checker<'_> {
    pub(in crate::check) fn overwrites(&mut self) {
        let program = self.program;
        let together = together(program);
        let mut all = Vec::new();
        for (place, map) in program.segments.iter().enumerate() {
            reaches(program, place, &map.body, &mut all);
        }
        for filler in all.iter().filter(|reach| reach.fills) {
            let maker = all.iter().find(|maker| {
                maker.id != filler.id
                    && maker.list == filler.list
                    && (maker.map == filler.map || together.contains(&(maker.map, filler.map)))
                    && makes(program, maker, &filler.slice.discriminators)
                    && !apart(filler, maker)
            });
            if let Some(maker) = maker {
                self.check_pair(filler, maker);
            }
        }
    }

    fn check_pair(&mut self, filler: &Reach<'_>, maker: &Reach<'_>) {
        let named: Vec<String> = filler.slice.discriminators.iter().map(words).collect();
        let named = named.join(", ");
        let list = &filler.list;
        let message = format!(
            "{} writes into {list}{{{named}}}, which {} (line {}) can make and owns: the later value would replace the earlier.",
            filler.name,
            maker.name,
            self.line(maker.id)
        );
        let remedy = format!(
            "what {} never writes into the braces, such as {list}{{{named}, use = secondary}}",
            maker.name
        );
        self.error(filler.id, message, remedy);
    }
}

/// Returns whether the rows' conditions never hold together.
fn apart(filler: &Reach<'_>, maker: &Reach<'_>) -> bool {
    let guarded = |row: &&MapRow| row.when.is_some();
    match (filler.row.filter(guarded), maker.row.filter(guarded)) {
        (Some(filler), Some(maker)) => exclude(filler, maker),
        _ => false,
    }
}

/// Returns the pairs of maps that run on one resource of some message, in both orders.
fn together(program: &Program) -> BTreeSet<(usize, usize)> {
    let mut found = BTreeSet::new();
    for message in program.messages.values() {
        for item in items(&message.items) {
            for one in &item.maps {
                found.extend(item.maps.iter().map(|other| (*one, *other)));
            }
        }
    }
    found
}

fn items(items: &[crate::program::Item]) -> Vec<&ResourceItem> {
    use crate::program::Item;
    items
        .iter()
        .flat_map(|item| match item {
            Item::Group { items: inner, .. } => self::items(inner),
            Item::Resource(item) => vec![item],
        })
        .collect()
}

fn reaches<'p>(program: &'p Program, map: usize, body: &'p Body, found: &mut Vec<Reach<'p>>) {
    for row in &body.rows {
        let (id, name, target, made) = match row {
            Row::Map(row) if row.arrow.forward() => {
                let name = row.sources.first().map(|source| source_text(*source));
                let made = match row.convert {
                    Convert::Type { map, .. } if row.reference.is_none() => {
                        program.type_map(map).map(|map| &map.body)
                    }
                    _ => None,
                };
                (row.id, name.unwrap_or_default(), &row.target, made)
            }
            Row::Each(row) if row.arrow.forward() => {
                (row.id, "each".to_owned(), &row.target, Some(&row.body))
            }
            Row::Set(row) if row.value != Literal::Absent => {
                (row.id, "set".to_owned(), &row.target, None)
            }
            Row::Map(_) | Row::Each(_) | Row::Set(_) | Row::Drop(_) => continue,
        };
        found.extend(lists(target).into_iter().map(|at| {
            let below: Vec<&'static str> =
                target.hops.iter().skip(at.depth).map(Hop::name).collect();
            Reach {
                map,
                id,
                name: name.clone(),
                list: at.list,
                slice: at.slice,
                fills: at.fills,
                row: match row {
                    Row::Map(row) => Some(row),
                    Row::Set(_) | Row::Drop(_) | Row::Each(_) => None,
                },
                content: match made.filter(|_| below.is_empty()) {
                    Some(body) => Content::Body(body),
                    None => Content::Below(below),
                },
            }
        }));
    }
}

/// A list on a row's path.
struct At<'p> {
    list: String,
    slice: &'p Slice,
    fills: bool,
    /// The number of steps that lead to the list's elements.
    depth: usize,
}

/// Returns every list on the path; elements below an extension are distinguished by it.
fn lists(target: &Target) -> Vec<At<'_>> {
    let mut found = Vec::new();
    let mut list = String::new();
    for (place, hop) in target.hops.iter().enumerate() {
        if !list.is_empty() {
            list.push('.');
        }
        list.push_str(hop.name());
        let (slice, fills) = match hop {
            Hop::Field(_) => continue,
            Hop::One(_, slice) => (slice, !slice.discriminators.is_empty()),
            Hop::Many(_, slice) => (slice, false),
        };
        found.push(At {
            list: list.clone(),
            slice,
            fills,
            depth: place + 1,
        });
        for discriminator in &slice.discriminators {
            list.push_str(&words(discriminator));
        }
    }
    found
}

/// Returns whether the row can make an element with these distinguishing values.
fn makes(program: &Program, maker: &Reach<'_>, discriminators: &[Discriminator]) -> bool {
    let same = |one: &Discriminator, other: &Discriminator| {
        one.path == other.path && one.values == other.values
    };
    let own = &maker.slice.discriminators;
    if !own.is_empty()
        && own.len() == discriminators.len()
        && own.iter().zip(discriminators).all(|(a, b)| same(a, b))
    {
        return false; // one slice
    }
    discriminators.iter().all(|discriminator| {
        match own.iter().find(|own| own.path == discriminator.path) {
            Some(own) if !own.default => own
                .values
                .iter()
                .any(|value| discriminator.values.contains(value)),
            _ => writes(program, &maker.content, discriminator),
        }
    })
}

fn writes(program: &Program, content: &Content<'_>, discriminator: &Discriminator) -> bool {
    match content {
        Content::Below(below) => !below.is_empty() && leads(below, &discriminator.path),
        Content::Body(body) => body.rows.iter().any(|row| match row {
            Row::Map(row) => {
                let path: Vec<&'static str> = row.target.hops.iter().map(Hop::name).collect();
                row.arrow.forward()
                    && leads(&path, &discriminator.path)
                    && can_be(program, row.convert, discriminator)
            }
            Row::Each(row) => {
                let path: Vec<&'static str> = row.target.hops.iter().map(Hop::name).collect();
                row.arrow.forward() && leads(&path, &discriminator.path)
            }
            Row::Set(row) => {
                let path: Vec<&'static str> = row.target.hops.iter().map(Hop::name).collect();
                path == discriminator.path && discriminator.values.contains(&row.value)
            }
            Row::Drop(_) => false,
        }),
    }
}

/// Returns whether one of the paths leads into the other.
fn leads(one: &[&str], other: &[&str]) -> bool {
    one.iter().zip(other).all(|(one, other)| one == other)
}

/// Returns whether a code table can lead to the value.
fn can_be(program: &Program, convert: Convert, discriminator: &Discriminator) -> bool {
    let Convert::Codes(table) = convert else {
        return true;
    };
    let Some(table) = program.table(table) else {
        return true;
    };
    discriminator.values.iter().any(|value| match value {
        Literal::Text(text) => table.forward.values().any(|to| to.code == **text),
        _ => true,
    })
}

fn words(discriminator: &Discriminator) -> String {
    let values: Vec<String> = discriminator.values.iter().map(super::words).collect();
    format!("{} = {}", discriminator.path.join("."), values.join(", "))
}
