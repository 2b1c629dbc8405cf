//! Parses the condition after `when`.

use super::cursor::Parsed;
use super::path::{path, source};
use super::{At, Compare, Condition, Cursor, Op};

/// The side of `|`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Message,
    Resource,
}

/// The maximum nesting depth of conditions.
const MAX_DEPTH: u8 = 16;

pub(super) fn condition(cursor: &mut Cursor<'_>, side: Side) -> Parsed<Condition> {
    any(cursor, side, 0)
}

fn any(cursor: &mut Cursor<'_>, side: Side, depth: u8) -> Parsed<Condition> {
    let first = all(cursor, side, depth)?;
    let mut parts = vec![first];
    while cursor.keyword("or") {
        parts.push(all(cursor, side, depth)?);
    }
    Ok(one_or(parts, Condition::Any))
}

fn all(cursor: &mut Cursor<'_>, side: Side, depth: u8) -> Parsed<Condition> {
    let mut parts = vec![test(cursor, side, depth)?];
    while cursor.keyword("and") {
        parts.push(test(cursor, side, depth)?);
    }
    Ok(one_or(parts, Condition::All))
}

fn one_or(mut parts: Vec<Condition>, join: fn(Vec<Condition>) -> Condition) -> Condition {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, Some(last)) => {
            parts.push(last);
            join(parts)
        }
        (_, None) => join(parts),
    }
}

fn test(cursor: &mut Cursor<'_>, side: Side, depth: u8) -> Parsed<Condition> {
    if MAX_DEPTH < depth {
        return cursor.error("conditions nest too deep");
    }
    if cursor.keyword("not") {
        return Ok(Condition::Not(Box::new(test(cursor, side, depth + 1)?)));
    }
    if cursor.take("(") {
        let inner = any(cursor, side, depth + 1)?;
        cursor.expect(")")?;
        return Ok(inner);
    }
    let spot = cursor.spot();
    if cursor.next_word_is("choice") {
        cursor.expect_keyword("choice")?;
        let name = cursor.name("the choice's name")?;
        cursor.expect("=")?;
        let option = cursor.name("one of the choice's options")?;
        return Ok(Condition::Choice { spot, name, option });
    }
    let at = match side {
        Side::Message => At::Source(source(cursor)?),
        Side::Resource => At::Path(path(cursor)?),
    };
    let op = op(cursor)?;
    Ok(Condition::Test { at, op })
}

const STOPS: &[char] = &[',', ')'];

fn op(cursor: &mut Cursor<'_>) -> Parsed<Op> {
    if cursor.keyword("empty") {
        return Ok(Op::Empty);
    }
    if cursor.keyword("valued") || cursor.keyword("exists") {
        return Ok(Op::Valued);
    }
    if cursor.keyword("null") {
        return Ok(Op::Null);
    }
    if cursor.keyword("has") {
        if cursor.keyword("number") {
            return Ok(Op::HasNumber);
        }
        if cursor.keyword("check") {
            cursor.expect_keyword("digit")?;
            return Ok(Op::HasCheckDigit);
        }
        if cursor.keyword("word") {
            return Ok(Op::HasWord(cursor.value(STOPS)?));
        }
        cursor.expect_keyword("time")?;
        return Ok(Op::HasTime);
    }
    if cursor.keyword("same") {
        cursor.expect_keyword("as")?;
        return Ok(Op::SameAs(path(cursor)?));
    }
    if cursor.keyword("count") {
        let compare = compare(cursor)?;
        cursor.spot();
        return Ok(Op::Count(compare, cursor.number()?));
    }
    if cursor.keyword("in") {
        return Ok(Op::In(list(cursor)?));
    }
    if cursor.keyword("not") {
        cursor.expect_keyword("in")?;
        return Ok(Op::NotIn(list(cursor)?));
    }
    if cursor.take("!=") {
        return Ok(Op::NotIn(vec![cursor.value(STOPS)?]));
    }
    if cursor.take("=") {
        return Ok(Op::In(vec![cursor.value(STOPS)?]));
    }
    cursor.error_with(
        "expected a test",
        "`= X`, `!= X`, `in (X, Y)`, `empty`, `valued`, `null`, `has time`, `has number` or `count > 1`",
    )
}

fn list(cursor: &mut Cursor<'_>) -> Parsed<Vec<String>> {
    cursor.expect("(")?;
    let mut values = vec![cursor.value(STOPS)?];
    while cursor.take(",") {
        values.push(cursor.value(STOPS)?);
    }
    cursor.expect(")")?;
    Ok(values)
}

fn compare(cursor: &mut Cursor<'_>) -> Parsed<Compare> {
    let marks = [
        ("!=", Compare::NotEqual),
        ("<=", Compare::LessEqual),
        (">=", Compare::GreaterEqual),
        ("=", Compare::Equal),
        ("<", Compare::Less),
        (">", Compare::Greater),
    ];
    for (mark, compare) in marks {
        if cursor.take(mark) {
            return Ok(compare);
        }
    }
    cursor.error("expected `=`, `!=`, `<`, `<=`, `>` or `>=`")
}
