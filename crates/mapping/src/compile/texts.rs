//! Determines from the dictionary which rows read a text that has no parts, in one place for all
//! maps.
//!
//! Invariant: a row whose source is a text (ST, TX, FT) and whose element is a text loses no word,
//! whatever separators a sender left unescaped in it (HL7 v2 2.5.3: only a type with components is
//! divided).

use crate::program::{Body, Convert, MapRow, Over, Piece, Program, Row, Source, TextPart};
use hl7v2::Dictionary;

/// The owner that the `.n` and `this` of a body refer to.
#[derive(Clone, Copy, Debug)]
enum Owner<'a> {
    /// None: a segment's rows name fields.
    Nothing,
    /// A data type by its name in the dictionary; a map's own name if there is none (`unit`).
    Type(&'a str),
    /// Groups of the components of a data type.
    Groups(&'a str, &'a [Source]),
}

pub(super) fn settle(program: &mut Program) {
    for map in &mut program.types {
        map.joins_powers = map.name == "unit";
        // A unit is a CWE that may contain a power.
        let name = if map.joins_powers { "CWE" } else { &map.name };
        walk(&mut map.body, Owner::Type(name));
    }
    for map in &mut program.segments {
        walk(&mut map.body, Owner::Nothing);
    }
}

fn walk(body: &mut Body, owner: Owner<'_>) {
    for row in &mut body.rows {
        match row {
            Row::Map(row) => map_row(row, owner),
            Row::Each(row) => {
                let inner = match (&row.over, owner) {
                    (Over::Repeats(source), _) => match datatype(*source, owner) {
                        Some(name) => Owner::Type(name),
                        None => Owner::Nothing,
                    },
                    (Over::Groups(groups), Owner::Type(name)) => {
                        let first = groups.first().map(Vec::as_slice);
                        Owner::Groups(name, first.unwrap_or_default())
                    }
                    (Over::Groups(_) | Over::Segment(_), owner) => owner,
                };
                walk(&mut row.body, inner);
            }
            Row::Set(_) | Row::Drop(_) => {}
        }
    }
}

fn map_row(row: &mut MapRow, owner: Owner<'_>) {
    let own = row
        .sources
        .first()
        .and_then(|source| datatype(*source, owner));
    row.varies = own == Some("varies");
    if let Some(reference) = &mut row.reference {
        walk(&mut reference.body, own.map_or(owner, Owner::Type));
    }
    for piece in row.joined.iter_mut().flatten() {
        if let Piece::Source { source, whole } = piece {
            let has_parts = |name| Dictionary::newest_component(name, 1).is_some();
            *whole = !datatype(*source, owner).is_some_and(has_parts);
        }
    }
    let reads_text = matches!(
        row.convert,
        Convert::Text | Convert::Words | Convert::Code | Convert::Uri
    );
    // A component of an unknown type is treated as a text, so that nothing of it is lost.
    let level = row.sources.first().map_or(2, |source| level(*source));
    row.text = match own {
        _ if !reads_text => TextPart::None,
        Some(name) if Dictionary::is_text(name) => TextPart::Whole,
        Some(name) if level < 2 && part(name, 1, 0).is_some_and(Dictionary::is_text) => {
            TextPart::First
        }
        None if level == 1 && row.convert == Convert::Text => TextPart::Whole,
        _ => TextPart::None,
    };
}

/// Returns 0 for a field, 1 for a component, 2 for a subcomponent.
fn level(source: Source) -> u8 {
    match source {
        Source::Field { component, sub, .. } | Source::Cell { component, sub } => {
            u8::from(component != 0) + u8::from(sub != 0)
        }
        Source::Member(_) => 1,
        Source::This => 0,
    }
}

/// Returns the data type of what a source leads to.
fn datatype(source: Source, owner: Owner<'_>) -> Option<&str> {
    match (source, owner) {
        (
            Source::Field {
                segment,
                field,
                component,
                sub,
                ..
            },
            _,
        ) => {
            let name = std::str::from_utf8(&segment).ok()?;
            let whole = Dictionary::newest_field(name, usize::from(field))?.datatype;
            part(whole, component, sub)
        }
        (Source::Cell { component, sub }, Owner::Type(name)) => part(name, component, sub),
        (Source::Member(number), Owner::Groups(name, members)) => {
            let member = members.get(usize::from(number).checked_sub(1)?)?;
            datatype(*member, Owner::Type(name))
        }
        (Source::This, Owner::Type(name)) => Some(name),
        (Source::Cell { .. } | Source::Member(_) | Source::This, _) => None,
    }
}

fn part(whole: &str, component: u8, sub: u8) -> Option<&str> {
    let mut found = whole;
    for number in [component, sub] {
        if number != 0 {
            found = Dictionary::newest_component(found, usize::from(number))?.datatype;
        }
    }
    Some(found)
}
