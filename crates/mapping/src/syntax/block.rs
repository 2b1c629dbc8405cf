//! Parses blocks, which begin at the left margin.

use super::cursor::{Parsed, SyntaxError};
use super::function::function;
use super::lines::Line;
use super::missing::missing;
use super::path::{arrow, is_segment, path, source};
use super::row::{convert, keyed, row, rows};
use super::{
    Arrow, Block, CodeRow, CodesBlock, Cursor, DialectBlock, DialectRow, Expectation, MapBlock,
    MapKind, MeaningBlock, SystemRow, TestBlock, message,
};
use crate::diagnostic::Diagnostic;
use std::sync::Arc;

const HEADS: [&str; 11] = [
    "segment",
    "type",
    "codes",
    "systems",
    "extensions",
    "meaning",
    "message",
    "missing",
    "dialect",
    "choice",
    "test",
];

/// Parses a file's lines into blocks.
pub(super) fn blocks(
    file: &Arc<str>,
    lines: Vec<Line<'_>>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut errors = Vec::new();
    let mut pending: Option<(Line<'_>, Vec<Line<'_>>)> = None;
    for line in lines {
        if line.indent == 0 && is_head(&line, pending.as_ref().map(|(head, _)| head)) {
            finish(pending.take(), &mut blocks, &mut errors);
            let mut head = line;
            let body = std::mem::take(&mut head.children);
            pending = Some((head, body));
        } else if let Some((_, body)) = &mut pending {
            body.push(line);
        } else {
            errors.push(SyntaxError {
                spot: line.cursor().spot(),
                message: "a row before any block".to_owned(),
                remedy: Some("segment PID <-> Patient".to_owned()),
            });
        }
    }
    finish(pending, &mut blocks, &mut errors);
    diagnostics.extend(errors.into_iter().map(|error| {
        let found = Diagnostic::error(file, error.spot, error.message);
        match error.remedy {
            Some(remedy) => found.with_remedy(remedy),
            None => found,
        }
    }));
    blocks
}

/// Returns whether the line starts a block. In a dialect, `choice NK1 = contact` is a row; in a
/// message, only rows may follow.
fn is_head(line: &Line<'_>, current: Option<&Line<'_>>) -> bool {
    let mut cursor = line.cursor();
    let Some(word) = cursor.word() else {
        return false;
    };
    let in_dialect = current.is_some_and(|head| head.cursor().next_word_is("dialect"));
    HEADS.contains(&word) && !(in_dialect && word == "choice")
}

fn finish(
    pending: Option<(Line<'_>, Vec<Line<'_>>)>,
    blocks: &mut Vec<Block>,
    errors: &mut Vec<SyntaxError>,
) {
    if let Some((head, body)) = pending {
        match block(&head, &body, errors) {
            Ok(block) => blocks.push(block),
            Err(error) => errors.push(error),
        }
    }
}

fn block(head: &Line<'_>, body: &[Line<'_>], errors: &mut Vec<SyntaxError>) -> Parsed<Block> {
    let mut cursor = head.cursor();
    match cursor.clone().word().unwrap_or_default() {
        "segment" => segment(&mut cursor, body, errors).map(Block::Map),
        "type" => data_type(&mut cursor, body, errors).map(Block::Map),
        "codes" => codes(&mut cursor, body, errors).map(Block::Codes),
        "systems" => Ok(Block::Systems(each_line(body, errors, system))),
        "extensions" => Ok(Block::Extensions(each_line(body, errors, |cursor| {
            let spot = cursor.spot();
            let name = cursor.name("a short name")?;
            cursor.expect("=")?;
            Ok((spot, name, cursor.quoted()?))
        }))),
        "meaning" => meaning(&mut cursor, body, errors).map(Block::Meaning),
        "message" => message::message(&mut cursor, body, errors).map(Block::Message),
        "missing" => missing(&mut cursor, body, errors).map(Block::Missing),
        "dialect" => dialect(&mut cursor, body, errors).map(Block::Dialect),
        "choice" => choice(&mut cursor),
        "test" => test(&mut cursor, body, errors).map(Block::Test),
        _ => cursor.error("not a block"),
    }
}

pub(super) fn each_line<T>(
    body: &[Line<'_>],
    errors: &mut Vec<SyntaxError>,
    mut read: impl FnMut(&mut Cursor<'_>) -> Parsed<T>,
) -> Vec<T> {
    let mut found = Vec::new();
    for line in body {
        let mut cursor = line.cursor();
        match read(&mut cursor).and_then(|value| cursor.finish().map(|()| value)) {
            Ok(value) => found.push(value),
            Err(error) => errors.push(error),
        }
    }
    found
}

fn segment(
    cursor: &mut Cursor<'_>,
    body: &[Line<'_>],
    errors: &mut Vec<SyntaxError>,
) -> Parsed<MapBlock> {
    let spot = cursor.spot();
    cursor.expect_keyword("segment")?;
    let mut segments = Vec::new();
    loop {
        cursor.spot();
        match cursor.plain_word() {
            Some(name) if is_segment(name) => segments.push(name.to_owned()),
            _ => return cursor.error_with("expected a segment's name", "segment PID <-> Patient"),
        }
        if !cursor.take("+") {
            break;
        }
    }
    let arrow = arrow(cursor)?;
    let fhir_type = cursor.name("a resource type")?;
    cursor.finish()?;
    let kind = MapKind::Segments(segments);
    Ok(MapBlock {
        spot,
        kind,
        arrow,
        fhir_type,
        key: None,
        rows: rows(body, errors),
    })
}

fn data_type(
    cursor: &mut Cursor<'_>,
    body: &[Line<'_>],
    errors: &mut Vec<SyntaxError>,
) -> Parsed<MapBlock> {
    let spot = cursor.spot();
    cursor.expect_keyword("type")?;
    let kind = MapKind::Type(cursor.name("a data type")?);
    let arrow = arrow(cursor)?;
    let fhir_type = cursor.name("a FHIR type")?;
    cursor.finish()?;
    let (key, body) = keyed(body)?;
    Ok(MapBlock {
        spot,
        kind,
        arrow,
        fhir_type,
        key,
        rows: rows(body, errors),
    })
}

fn codes(
    cursor: &mut Cursor<'_>,
    body: &[Line<'_>],
    errors: &mut Vec<SyntaxError>,
) -> Parsed<CodesBlock> {
    let spot = cursor.spot();
    cursor.expect_keyword("codes")?;
    let name = cursor.name("the table's name")?;
    let table = cursor.name("the HL7 table, such as HL70001")?;
    arrow(cursor)?;
    let system = cursor.value(&[])?;
    cursor.finish()?;
    let mut found = Vec::new();
    for line in body {
        let mut cursor = line.cursor();
        while !cursor.is_done() {
            match code(&mut cursor) {
                Ok(row) => found.push(row),
                Err(error) => {
                    errors.push(error);
                    break;
                }
            }
        }
    }
    Ok(CodesBlock {
        spot,
        name,
        table,
        system,
        rows: found,
    })
}

fn code(cursor: &mut Cursor<'_>) -> Parsed<CodeRow> {
    let spot = cursor.spot();
    let from = cursor.value(&[])?;
    let arrow = arrow(cursor)?;
    let to = cursor.value(&[])?;
    let mut row = CodeRow {
        spot,
        from,
        arrow,
        to,
        system: None,
        display: None,
    };
    if cursor.next_word_is("in") && !is_code_row(cursor) {
        cursor.expect_keyword("in")?;
        row.system = Some(cursor.value(&[])?);
    }
    if cursor.next_is("\"") && !is_code_row(cursor) {
        row.display = Some(cursor.quoted()?);
    }
    Ok(row)
}

/// Returns whether another row follows on the same line.
fn is_code_row(cursor: &Cursor<'_>) -> bool {
    let mut ahead = cursor.clone();
    ahead.value(&[]).is_ok() && arrow(&mut ahead).is_ok()
}

fn system(cursor: &mut Cursor<'_>) -> Parsed<SystemRow> {
    let name = cursor.value(&[])?;
    let arrow = arrow(cursor)?;
    let uri = cursor.quoted()?;
    let short = if cursor.keyword("as") {
        Some(cursor.name("a short name")?)
    } else {
        None
    };
    let width = if cursor.keyword("width") {
        match cursor.value(&[])?.parse() {
            Ok(width @ 1..=16) => Some(width),
            _ => return cursor.error("expected a width from 1 to 16"),
        }
    } else {
        None
    };
    Ok(SystemRow {
        name,
        arrow,
        uri,
        short,
        width,
    })
}

fn meaning(
    cursor: &mut Cursor<'_>,
    body: &[Line<'_>],
    errors: &mut Vec<SyntaxError>,
) -> Parsed<MeaningBlock> {
    let spot = cursor.spot();
    cursor.expect_keyword("meaning")?;
    let fhir_type = cursor.name("a resource type")?;
    cursor.finish()?;
    let rows = each_line(body, errors, |cursor| {
        let name = cursor.name("a meaning")?;
        cursor.expect("=")?;
        Ok((name, path(cursor)?, convert(cursor)?))
    });
    Ok(MeaningBlock {
        spot,
        fhir_type,
        rows,
    })
}

fn choice(cursor: &mut Cursor<'_>) -> Parsed<Block> {
    let spot = cursor.spot();
    cursor.expect_keyword("choice")?;
    let name = cursor.name("the choice's name")?;
    cursor.expect("=")?;
    let mut options = vec![cursor.name("an option")?];
    while cursor.take("|") {
        options.push(cursor.name("an option")?);
    }
    cursor.finish()?;
    Ok(Block::Choice {
        spot,
        name,
        options,
    })
}

fn dialect(
    cursor: &mut Cursor<'_>,
    body: &[Line<'_>],
    errors: &mut Vec<SyntaxError>,
) -> Parsed<DialectBlock> {
    let spot = cursor.spot();
    cursor.expect_keyword("dialect")?;
    let name = cursor.name("the dialect's name")?;
    cursor.expect_keyword("extends")?;
    let extends = cursor.name("what it extends")?;
    cursor.finish()?;
    let mut found = Vec::new();
    for line in body {
        match dialect_row(line, errors) {
            Ok(Some(row)) => found.push(row),
            Ok(None) => {}
            Err(error) => errors.push(error),
        }
    }
    Ok(DialectBlock {
        spot,
        name,
        extends,
        rows: found,
    })
}

/// Parses a code of table 0203 or the site's own; `""` is a number without a type.
fn number_type(cursor: &mut Cursor<'_>) -> Parsed<String> {
    if cursor.next_is("\"") {
        cursor.quoted()
    } else {
        cursor.name("a type of identifier such as MR")
    }
}

fn dialect_row(line: &Line<'_>, errors: &mut Vec<SyntaxError>) -> Parsed<Option<DialectRow>> {
    let mut cursor = line.cursor();
    let spot = cursor.spot();
    if cursor.keyword("zone") {
        return Ok(Some(DialectRow::Zone(spot, cursor.quoted()?)));
    }
    if cursor.keyword("decimal") {
        let mark = cursor.name("`comma` or `point`")?;
        cursor.finish()?;
        return Ok(Some(DialectRow::Decimal(spot, mark)));
    }
    for head in ["authority", "system"] {
        if cursor.keyword(head) {
            let name = cursor.quoted()?;
            cursor.expect("=")?;
            let uri = cursor.quoted()?;
            cursor.finish()?;
            return Ok(Some(if head == "system" {
                DialectRow::System(name, uri)
            } else {
                DialectRow::Authority(name, uri)
            }));
        }
    }
    if cursor.keyword("patient") {
        cursor.expect_keyword("numbers")?;
        let mut types = vec![number_type(&mut cursor)?];
        while cursor.take(",") {
            types.push(number_type(&mut cursor)?);
        }
        cursor.finish()?;
        return Ok(Some(DialectRow::Numbers(types)));
    }
    if cursor.keyword("visits") {
        cursor.expect_keyword("by")?;
        let spot = cursor.spot();
        let word = cursor.name("`account`, `admission`, `either` or `none`")?;
        cursor.finish()?;
        return Ok(Some(DialectRow::Visits(spot, word)));
    }
    if cursor.keyword("choice") {
        let name = cursor.name("the choice's name")?;
        cursor.expect("=")?;
        let option = cursor.name("one of its options")?;
        cursor.finish()?;
        return Ok(Some(DialectRow::Choice { spot, name, option }));
    }
    if cursor.keyword("function") {
        return function(&mut cursor, spot).map(|row| Some(DialectRow::Function(row)));
    }
    let replace = cursor.next_word_is("replace");
    if replace || cursor.next_word_is("add") {
        cursor.word();
        let on = if cursor.keyword("on") {
            Some(cursor.name("a resource type")?)
        } else {
            None
        };
        let column = cursor.spot().column;
        let inner = Line {
            number: line.number,
            indent: column as usize - 1,
            text: cursor.take_rest(),
            children: Vec::new(),
        };
        // The lines below belong to the row and are parsed in place.
        let row = row(&with_children(inner, line), errors);
        return Ok(row.map(|row| DialectRow::Change {
            spot,
            replace,
            on,
            row: Box::new(row),
        }));
    }
    let source = source(&mut cursor)?;
    cursor.expect_keyword("means")?;
    let meaning = cursor.name("a meaning")?;
    cursor.finish()?;
    Ok(Some(DialectRow::Means {
        spot,
        source,
        meaning,
    }))
}

fn with_children<'a>(mut inner: Line<'a>, outer: &Line<'a>) -> Line<'a> {
    inner.children = outer.children.iter().map(copy).collect();
    inner
}

fn copy<'a>(line: &Line<'a>) -> Line<'a> {
    Line {
        number: line.number,
        indent: line.indent,
        text: line.text,
        children: line.children.iter().map(copy).collect(),
    }
}

fn test(
    cursor: &mut Cursor<'_>,
    body: &[Line<'_>],
    errors: &mut Vec<SyntaxError>,
) -> Parsed<TestBlock> {
    let spot = cursor.spot();
    cursor.expect_keyword("test")?;
    let name = cursor.quoted()?;
    cursor.finish()?;
    let mut test = TestBlock {
        spot,
        name,
        given: Vec::new(),
        expectations: Vec::new(),
    };
    for line in body {
        if let Err(error) = test_line(line, &mut test) {
            errors.push(error);
        }
        for child in &line.children {
            if let Err(error) = test_line(child, &mut test) {
                errors.push(error);
            }
        }
    }
    Ok(test)
}

fn test_line(line: &Line<'_>, test: &mut TestBlock) -> Parsed<()> {
    let mut cursor = line.cursor();
    let given = cursor.keyword("given");
    if !given && !cursor.keyword("and") && !cursor.keyword("then") {
        return cursor.error_with(
            "expected `given`, `then` or `and`",
            "given PID|1||123^^^HOSP^MR",
        );
    }
    let spot = cursor.spot();
    let text = cursor.take_rest();
    let is_segment_line = text.get(..3).is_some_and(is_segment)
        && text
            .get(3..4)
            .is_none_or(|mark| !mark.starts_with(|ch: char| ch.is_alphanumeric()));
    if given || (is_segment_line && test.expectations.is_empty()) {
        test.given.push(text.to_owned());
        return Ok(());
    }
    test.expectations.push((spot, expectation(text)));
    Ok(())
}

fn expectation(text: &str) -> Expectation {
    let mut words = text.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some("back"), None, None) => Expectation::Back,
        (Some("issues"), Some("none"), None) => Expectation::IssuesNone,
        (Some("unmapped"), Some("none"), None) => Expectation::Unmapped(Vec::new()),
        (Some("unmapped"), Some(_), _) => {
            let fields = text.trim_start_matches("unmapped").split(',');
            Expectation::Unmapped(fields.map(|field| field.trim().to_owned()).collect())
        }
        _ => Expectation::Holds(text.to_owned()),
    }
}

/// The arrow of a block is kept for rows that leave theirs open; none do yet.
impl Arrow {
    pub(crate) fn forward(self) -> bool {
        matches!(self, Self::Forward | Self::Both)
    }

    pub(crate) fn back(self) -> bool {
        matches!(self, Self::Back | Self::Both)
    }
}
