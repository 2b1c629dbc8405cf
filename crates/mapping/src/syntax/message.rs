//! Parses message maps: groups, resources, links.

use super::condition::{Side, condition};
use super::cursor::{Parsed, SyntaxError};
use super::lines::Line;
use super::path::{is_segment, path};
use super::row::{key, ownership, set};
use super::{Cursor, Item, LinkClause, MessageBlock, ResourceItem, SegmentPlace};

pub(super) fn message(
    cursor: &mut Cursor<'_>,
    rows: &[Line<'_>],
    errors: &mut Vec<SyntaxError>,
) -> Parsed<MessageBlock> {
    let spot = cursor.spot();
    cursor.expect_keyword("message")?;
    let mut structures = vec![cursor.name("a message structure such as ORU_R01")?];
    while cursor.take(",") {
        structures.push(cursor.name("a message structure such as ORU_R01")?);
    }
    cursor.expect("->")?;
    cursor.expect_keyword("Bundle")?;
    cursor.finish()?;
    Ok(MessageBlock {
        spot,
        structures,
        items: items(rows, errors),
    })
}

fn items(lines: &[Line<'_>], errors: &mut Vec<SyntaxError>) -> Vec<Item> {
    let mut items = Vec::new();
    for line in lines {
        match item(line, errors) {
            Ok(item) => items.push(item),
            Err(error) => errors.push(error),
        }
    }
    items
}

fn item(line: &Line<'_>, errors: &mut Vec<SyntaxError>) -> Parsed<Item> {
    let mut cursor = line.cursor();
    let spot = cursor.spot();
    let first = place(&mut cursor)?;
    if !is_segment(&first.segment) {
        if !first.groups.is_empty() {
            return cursor.error("a group that holds rows is named alone");
        }
        cursor.finish()?;
        return Ok(Item::Group {
            name: first.segment,
            items: items(&line.children, errors),
        });
    }
    let mut places = vec![first];
    while cursor.take("+") {
        places.push(place(&mut cursor)?);
    }
    cursor.expect("->")?;
    let fhir_type = cursor.name("a resource type")?;
    cursor.expect_keyword("as")?;
    let label = cursor.name("a label")?;
    let when = if cursor.keyword("when") {
        Some(condition(&mut cursor, Side::Message)?)
    } else {
        None
    };
    cursor.finish()?;
    let mut item = ResourceItem {
        spot,
        places,
        fhir_type,
        label,
        when,
        key: None,
        ownership: None,
        lines: false,
        links: Vec::new(),
        sets: Vec::new(),
        list: super::ListLines::default(),
    };
    for child in &line.children {
        if let Err(error) = clauses(&mut child.cursor(), &mut item) {
            errors.push(error);
        }
    }
    Ok(Item::Resource(Box::new(item)))
}

/// Parses `ORDER_OBSERVATION.OBR[*]`; a group without a segment is returned as the segment.
fn place(cursor: &mut Cursor<'_>) -> Parsed<SegmentPlace> {
    let spot = cursor.spot();
    let mut names = Vec::new();
    loop {
        match cursor.plain_word() {
            Some(name) => names.push(name.to_owned()),
            None => {
                return cursor.error_with("expected a segment or a group", "ORDER_OBSERVATION.OBR");
            }
        }
        if cursor.touches("[*]") {
            cursor.expect("[*]")?;
        }
        if !cursor.touches(".") {
            break;
        }
        cursor.expect(".")?;
    }
    match names.pop() {
        Some(segment) => Ok(SegmentPlace {
            spot,
            groups: names,
            segment,
        }),
        None => cursor.error("expected a segment or a group"),
    }
}

fn clauses(cursor: &mut Cursor<'_>, item: &mut ResourceItem) -> Parsed<()> {
    if cursor.next_word_is("set") {
        item.sets.push(set(cursor)?);
        return cursor.finish();
    }
    if super::list::line(cursor, &mut item.list)? {
        return Ok(());
    }
    loop {
        let spot = cursor.spot();
        if cursor.keyword("snapshot") {
            item.list.snapshot = Some(super::list::snapshot(cursor, spot)?);
        } else if cursor.keyword("key") {
            let key = key(cursor)?;
            item.ownership = key.ownership.or(item.ownership);
            item.key = Some(key);
        } else if cursor.keyword("lines") {
            item.lines = true;
        } else if let Some(found) = ownership(cursor)? {
            item.ownership = Some(found);
        } else {
            item.links.push(link(cursor)?);
        }
        if !cursor.take(",") {
            return cursor.finish();
        }
    }
}

fn link(cursor: &mut Cursor<'_>) -> Parsed<LinkClause> {
    let spot = cursor.spot();
    let path = path(cursor)?;
    let adds = cursor.take("+=");
    if !adds && !cursor.take("=") {
        return cursor.error_with(
            "expected `key`, `lines`, `owns`, `fills gaps`, `only links`, `snapshot of` or an element and a label",
            "subject = patient",
        );
    }
    let label = cursor.name("a label")?;
    let when = if cursor.keyword("when") {
        Some(condition(cursor, Side::Message)?)
    } else {
        None
    };
    Ok(LinkClause {
        spot,
        path,
        adds,
        label,
        when,
    })
}
