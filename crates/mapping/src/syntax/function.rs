//! Parses functions of a dialect.

use super::cursor::Parsed;
use super::{Cursor, FunctionRow, Quoted};
use crate::diagnostic::Spot;

/// Parses the rest of a line after `function`: `room(text) = rhai "…" back "…"`.
pub(super) fn function(cursor: &mut Cursor<'_>, spot: Spot) -> Parsed<FunctionRow> {
    let name = cursor.name("the function's name")?;
    cursor.expect("(")?;
    let parameter = cursor.name("the name of its text")?;
    cursor.expect(")")?;
    cursor.expect("=")?;
    cursor.expect_keyword("rhai")?;
    let forward = quoted(cursor)?;
    let back = if cursor.keyword("back") {
        Some(quoted(cursor)?)
    } else {
        None
    };
    cursor.finish()?;
    Ok(FunctionRow {
        spot,
        name,
        parameter,
        forward,
        back,
    })
}

fn quoted(cursor: &mut Cursor<'_>) -> Parsed<Quoted> {
    let quote = cursor.spot();
    let before = cursor.rest();
    let text = cursor.quoted()?;
    let length = before.len() - cursor.rest().len();
    let raw = before.get(1..length.saturating_sub(1));
    Ok(Quoted {
        spot: Spot {
            column: quote.column + 1,
            ..quote
        },
        text,
        raw: raw.unwrap_or_default().to_owned(),
    })
}

// === impl Quoted ===

impl Quoted {
    /// Returns the position in the file of a character of the text, counted from 1.
    pub(crate) fn place(&self, character: usize) -> Spot {
        let mut left = character.saturating_sub(1);
        let mut offset = 0;
        let mut escaped = false;
        for ch in self.raw.chars() {
            if !escaped && ch == '\\' {
                escaped = true;
                offset += 1;
                continue;
            }
            escaped = false;
            if left == 0 {
                break;
            }
            left -= 1;
            offset += ch.len_utf8();
        }
        Spot {
            column: self.spot.column + offset as u32,
            ..self.spot
        }
    }
}
