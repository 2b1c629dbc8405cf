//! Parses rows of segment and type maps.

use super::condition::{Side, condition};
use super::cursor::Parsed;
use super::lines::Line;
use super::path::{arrow, is_segment, is_source, path, source};
use super::{
    Clauses, Convert, Cursor, EachRow, KeyClause, KeyPart, MapRow, Over, Ownership, Piece, Place,
    Row, SetRow,
};

/// Parses a row with the lines under it. Lines that could not be parsed go to `errors`.
pub(super) fn row(line: &Line<'_>, errors: &mut Vec<super::cursor::SyntaxError>) -> Option<Row> {
    let mut cursor = line.cursor();
    let read = if cursor.next_word_is("each") {
        each(&mut cursor, line, errors)
    } else if cursor.next_word_is("set") {
        set_row(&mut cursor)
    } else {
        mapping(&mut cursor, line, errors)
    };
    match read.and_then(|row| cursor.finish().map(|()| row)) {
        Ok(row) => Some(row),
        Err(error) => {
            errors.push(error);
            None
        }
    }
}

pub(super) fn rows(lines: &[Line<'_>], errors: &mut Vec<super::cursor::SyntaxError>) -> Vec<Row> {
    lines.iter().filter_map(|line| row(line, errors)).collect()
}

/// Parses a constant of the resource, or one of the message if a field follows `set`.
fn set_row(cursor: &mut Cursor<'_>) -> Parsed<Row> {
    let mut ahead = cursor.clone();
    let spot = ahead.spot();
    ahead.expect_keyword("set")?;
    if !is_source(&mut ahead) {
        return set(cursor).map(Row::Set);
    }
    *cursor = ahead;
    let source = source(cursor)?;
    cursor.expect("=")?;
    let value = cursor.value(&[])?;
    let when = optional_when(cursor)?;
    Ok(Row::SetField {
        spot,
        source,
        value,
        when,
    })
}

pub(super) fn set(cursor: &mut Cursor<'_>) -> Parsed<SetRow> {
    let spot = cursor.spot();
    cursor.expect_keyword("set")?;
    let target = path(cursor)?;
    cursor.expect("=")?;
    let value = cursor.value(&[])?;
    let when = optional_when(cursor)?;
    Ok(SetRow {
        spot,
        target,
        value,
        when,
    })
}

pub(super) fn optional_when(cursor: &mut Cursor<'_>) -> Parsed<Option<super::Condition>> {
    if cursor.keyword("when") {
        condition(cursor, Side::Message).map(Some)
    } else {
        Ok(None)
    }
}

fn mapping(
    cursor: &mut Cursor<'_>,
    line: &Line<'_>,
    errors: &mut Vec<super::cursor::SyntaxError>,
) -> Parsed<Row> {
    let spot = cursor.spot();
    let joined = joined(cursor)?;
    let mut sources = if joined.is_empty() {
        vec![source(cursor)?]
    } else {
        sources_of(&joined)
    };
    let without = without(cursor)?;
    while joined.is_empty() && cursor.take("=") {
        sources.push(source(cursor)?);
    }
    if cursor.keyword("drop") {
        let reason = cursor.quoted()?;
        return match (sources.len(), sources.pop()) {
            (1, Some(source)) => {
                let when = optional_when(cursor)?;
                Ok(Row::Drop {
                    spot,
                    source,
                    reason,
                    when,
                })
            }
            _ => cursor.error("a drop names one field"),
        };
    }
    let arrow = arrow(cursor)?;
    let target = path(cursor)?;
    let place = place(cursor);
    let reference = if cursor.take("=>") {
        Some(cursor.name("a resource type")?)
    } else {
        None
    };
    let convert = convert(cursor)?;
    let clauses = clauses(cursor)?;
    let (key, below) = keyed(&line.children)?;
    if let (None, Some(child)) = (&reference, line.children.first()) {
        return child.cursor().error_with(
            "rows are allowed only under a row that makes a resource",
            "FIELD -> element => TYPE",
        );
    }
    let rows = rows(below, errors);
    Ok(Row::Map(MapRow {
        spot,
        sources,
        arrow,
        target,
        place,
        reference,
        convert,
        clauses,
        key,
        without,
        rows,
        joined,
    }))
}

/// Parses `RXE-2.2 + (RXE-25 RXE-26) + "…"`; empty if the row has one source or mirrors.
fn joined(cursor: &mut Cursor<'_>) -> Parsed<Vec<Vec<Piece>>> {
    let mut ahead = cursor.clone();
    let begins = ahead.next_is("(") || ahead.next_is("\"");
    let is_joined = begins || source(&mut ahead).is_ok() && ahead.next_is("+");
    if !is_joined {
        return Ok(Vec::new());
    }
    let mut groups = Vec::new();
    loop {
        let mut group = Vec::new();
        if cursor.take("(") {
            while !cursor.take(")") {
                group.push(piece(cursor)?);
            }
        } else {
            group.push(piece(cursor)?);
        }
        groups.push(group);
        if !cursor.take("+") {
            return Ok(groups);
        }
    }
}

fn piece(cursor: &mut Cursor<'_>) -> Parsed<Piece> {
    if cursor.next_is("\"") {
        return cursor.quoted().map(Piece::Text);
    }
    source(cursor).map(Piece::Source)
}

fn sources_of(joined: &[Vec<Piece>]) -> Vec<super::Source> {
    let pieces = joined.iter().flatten();
    let sources = pieces.filter_map(|piece| match piece {
        Piece::Source(source) => Some(source.clone()),
        Piece::Text(_) => None,
    });
    sources.collect()
}

/// Parses `without (.3 .9)`: components that the row does not see.
fn without(cursor: &mut Cursor<'_>) -> Parsed<Vec<u8>> {
    let mut hidden = Vec::new();
    if !cursor.keyword("without") {
        return Ok(hidden);
    }
    cursor.expect("(")?;
    while !cursor.take(")") {
        match source(cursor)? {
            super::Source::Cell {
                component, sub: 0, ..
            } => hidden.push(component),
            _ => return cursor.error_with("expected a component", "this without (.3 .9)"),
        }
    }
    Ok(hidden)
}

/// Returns the key line, if the first line is one, and the lines after it.
pub(super) fn keyed<'l, 'a>(lines: &'l [Line<'a>]) -> Parsed<(Option<KeyClause>, &'l [Line<'a>])> {
    match lines.split_first() {
        Some((first, below)) if first.cursor().next_word_is("key") => {
            Ok((Some(key_line(&mut first.cursor())?), below))
        }
        _ => Ok((None, lines)),
    }
}

fn place(cursor: &mut Cursor<'_>) -> Option<Place> {
    let words = [
        ("first", Place::At(0)),
        ("second", Place::At(1)),
        ("third", Place::At(2)),
        ("rest", Place::Rest),
    ];
    words
        .into_iter()
        .find(|(word, _)| cursor.keyword(word))
        .map(|(_, place)| place)
}

/// Parses `: NAME [codes TABLE]`, `: codes TABLE`, or nothing.
pub(super) fn convert(cursor: &mut Cursor<'_>) -> Parsed<Convert> {
    if !cursor.take(":") {
        return Ok(Convert::default());
    }
    let spot = cursor.spot();
    let name = if cursor.next_word_is("codes") {
        None
    } else {
        Some(cursor.name("a converter")?)
    };
    let codes = if cursor.keyword("codes") {
        Some(cursor.name("a code table")?)
    } else {
        None
    };
    if name.as_deref() == Some("rhai") {
        let remedy = "function NAME(text) = rhai \"…\" in a dialect, and : NAME here";
        return cursor.error_with("a row names a function", remedy);
    }
    Ok(Convert { spot, name, codes })
}

fn clauses(cursor: &mut Cursor<'_>) -> Parsed<Clauses> {
    let mut clauses = Clauses::default();
    loop {
        if cursor.keyword("when") {
            if !cursor.next_is("|") {
                clauses.when = Some(condition(cursor, Side::Message)?);
            }
            if cursor.take("|") {
                clauses.when_resource = Some(condition(cursor, Side::Resource)?);
            }
        } else if cursor.take("|") {
            clauses.when_resource = Some(condition(cursor, Side::Resource)?);
        } else if cursor.keyword("otherwise") {
            clauses.otherwise = Some(cursor.value(&[])?);
            if cursor.keyword("and") {
                cursor.expect_keyword("report")?;
                clauses.report = true;
            }
        } else if cursor.keyword("fills") {
            cursor.expect_keyword("gap")?;
            clauses.fills_gap = true;
        } else if cursor.keyword("merge") {
            cursor.expect_keyword("by")?;
            clauses.merge_by = Some(path(cursor)?);
        } else {
            return Ok(clauses);
        }
    }
}

fn each(
    cursor: &mut Cursor<'_>,
    line: &Line<'_>,
    errors: &mut Vec<super::cursor::SyntaxError>,
) -> Parsed<Row> {
    let spot = cursor.spot();
    cursor.expect_keyword("each")?;
    let further = cursor.keyword("further");
    let over = over(cursor)?;
    let by = if cursor.keyword("by") {
        Some(source(cursor)?)
    } else {
        None
    };
    let filter = if cursor.keyword("where") {
        Some(condition(cursor, Side::Message)?)
    } else {
        None
    };
    let arrow = arrow(cursor)?;
    let target = path(cursor)?;
    let clauses = clauses(cursor)?;
    if line.children.is_empty() {
        return cursor.error_with(
            "an `each` without rows",
            "the rows, indented, on the lines below",
        );
    }
    let rows = rows(&line.children, errors);
    Ok(Row::Each(EachRow {
        spot,
        further,
        over,
        by,
        filter,
        arrow,
        target,
        clauses,
        rows,
    }))
}

fn over(cursor: &mut Cursor<'_>) -> Parsed<Over> {
    if cursor.next_is("(") {
        let mut groups = Vec::new();
        while cursor.take("(") {
            let mut group = Vec::new();
            while !cursor.take(")") {
                group.push(source(cursor)?);
            }
            groups.push(group);
        }
        return Ok(Over::Groups(groups));
    }
    if is_source(cursor) {
        return source(cursor).map(Over::Repeats);
    }
    cursor.spot();
    match cursor.plain_word() {
        Some(name) if is_segment(name) => Ok(Over::Segment(name.to_owned())),
        _ => cursor.error_with(
            "expected a segment, a field or groups of components",
            "each OBX-5",
        ),
    }
}

/// Parses `key …, only links` under a reference row.
fn key_line(cursor: &mut Cursor<'_>) -> Parsed<KeyClause> {
    cursor.expect_keyword("key")?;
    let key = key(cursor)?;
    cursor.finish()?;
    Ok(key)
}

/// Parses what follows `key`, and an ownership if one follows.
pub(super) fn key(cursor: &mut Cursor<'_>) -> Parsed<KeyClause> {
    let mut key = KeyClause {
        spot: cursor.spot(),
        ..KeyClause::default()
    };
    if cursor.keyword("any") {
        cursor.expect_keyword("of")?;
        any_of(cursor, &mut key)?;
    } else {
        key.alternatives.push(vec![part(cursor)?]);
        parts(cursor, &mut key)?;
    }
    if cursor.next_is(",") {
        let mut ahead = cursor.clone();
        ahead.expect(",")?;
        if let Some(found) = ownership(&mut ahead)? {
            key.ownership = Some(found);
            *cursor = ahead;
        }
    }
    Ok(key)
}

/// Parses `any of OBR-3 else ORC-3, OBR-2 with OBR-4, else any of (patient, PID-18), else its place
/// among equals`.
fn any_of(cursor: &mut Cursor<'_>, key: &mut KeyClause) -> Parsed<()> {
    key.any_of = true;
    numbers(cursor, key)?;
    loop {
        let mut ahead = cursor.clone();
        if !ahead.take(",") || !ahead.keyword("else") {
            return Ok(());
        }
        if ahead.keyword("any") {
            ahead.expect_keyword("of")?;
            key.otherwise.get_or_insert(key.alternatives.len());
            numbers(&mut ahead, key)?;
        } else {
            place_among_equals(&mut ahead)?;
            key.place_among_equals = true;
        }
        *cursor = ahead;
    }
}

fn numbers(cursor: &mut Cursor<'_>, key: &mut KeyClause) -> Parsed<()> {
    let mut numbers = vec![number(cursor)?];
    while cursor.next_is(",") {
        let mut ahead = cursor.clone();
        ahead.expect(",")?;
        if !ahead.next_is("(") && !is_source(&mut ahead) {
            break;
        }
        numbers.push(number(&mut ahead)?);
        *cursor = ahead;
    }
    let mut beside = Vec::new();
    if cursor.keyword("with") {
        beside.push(part(cursor)?);
        while cursor.next_is(",") {
            let mut ahead = cursor.clone();
            ahead.expect(",")?;
            if !is_source(&mut ahead) {
                break;
            }
            beside.push(part(&mut ahead)?);
            *cursor = ahead;
        }
    }
    for (mut parts, takes_more) in numbers {
        if takes_more {
            parts.extend(beside.iter().cloned());
        }
        key.alternatives.push(parts);
    }
    Ok(())
}

/// Parses one alternative of `any of`; a key of several parts in parentheses is complete by itself.
fn number(cursor: &mut Cursor<'_>) -> Parsed<(Vec<KeyPart>, bool)> {
    if !cursor.take("(") {
        return Ok((vec![part(cursor)?], true));
    }
    let mut parts = vec![part(cursor)?];
    while cursor.take(",") {
        parts.push(part(cursor)?);
    }
    cursor.expect(")")?;
    Ok((parts, false))
}

fn place_among_equals(cursor: &mut Cursor<'_>) -> Parsed<()> {
    for word in ["its", "place", "among", "equals"] {
        cursor.expect_keyword(word)?;
    }
    Ok(())
}

fn parts(cursor: &mut Cursor<'_>, key: &mut KeyClause) -> Parsed<()> {
    loop {
        let mut ahead = cursor.clone();
        let joined = ahead.take("+") || ahead.take(",");
        if joined && ahead.keyword("else") {
            if ahead.next_word_is("its") {
                place_among_equals(&mut ahead)?;
                key.place_among_equals = true;
            } else {
                key.alternatives.push(vec![part(&mut ahead)?]);
            }
        } else if joined && ownership(&mut ahead.clone())?.is_none() && !is_link(&mut ahead) {
            let part = part(&mut ahead)?;
            if let Some(last) = key.alternatives.last_mut() {
                last.push(part);
            }
        } else {
            return Ok(());
        }
        *cursor = ahead;
    }
}

/// Returns whether a link follows: `subject = patient` after a comma is not part of the key.
fn is_link(cursor: &mut Cursor<'_>) -> bool {
    let mut ahead = cursor.clone();
    path(&mut ahead).is_ok() && (ahead.next_is("=") || ahead.next_is("+="))
}

fn part(cursor: &mut Cursor<'_>) -> Parsed<KeyPart> {
    if cursor.keyword("identifier") {
        return Ok(KeyPart::Identifier);
    }
    if is_source(cursor) {
        return field(cursor);
    }
    if cursor.next_is("\"") {
        return cursor.quoted().map(KeyPart::Text);
    }
    let spot = cursor.spot();
    match cursor.word() {
        Some(label) => Ok(KeyPart::Label(spot, label.to_owned())),
        None => cursor.error_with("expected a part of a key", "identifier, a field or a label"),
    }
}

/// Parses a field of a key and how it is read.
fn field(cursor: &mut Cursor<'_>) -> Parsed<KeyPart> {
    let first = source(cursor)?;
    if cursor.keyword("in") {
        let system = cursor.name("a code system as table 0396 names it")?;
        return Ok(KeyPart::Coded(first, system));
    }
    if cursor.keyword("to") {
        cursor.expect_keyword("the")?;
        cursor.expect_keyword("day")?;
        return Ok(KeyPart::Day(first));
    }
    let mut all = vec![first];
    while cursor.next_word_is("else") {
        let mut ahead = cursor.clone();
        ahead.expect_keyword("else")?;
        all.push(source(&mut ahead)?);
        *cursor = ahead;
    }
    match <[_; 1]>::try_from(all) {
        Ok([only]) => Ok(KeyPart::Source(only)),
        Err(all) => Ok(KeyPart::FirstOf(all)),
    }
}

pub(super) fn ownership(cursor: &mut Cursor<'_>) -> Parsed<Option<Ownership>> {
    if cursor.keyword("owns") {
        return Ok(Some(Ownership::Owns));
    }
    if cursor.keyword("fills") {
        cursor.expect_keyword("gaps")?;
        return Ok(Some(Ownership::FillsGaps));
    }
    if cursor.keyword("only") {
        cursor.expect_keyword("links")?;
        return Ok(Some(Ownership::OnlyLinks));
    }
    Ok(None)
}
