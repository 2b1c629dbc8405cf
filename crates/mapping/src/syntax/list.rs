//! Parses the lists of a message map: what a sender lists completely in each message.
//!
//! ```text
//! AL1 -> AllergyIntolerance as allergies
//!   owns, patient = patient, snapshot of patient when choice lists = snapshot
//!   end clinicalStatus = allergyintolerance-clinical|inactive else allergyintolerance-clinical|active
//!   none when AL1-3.1 = NKA
//!   ended when DG1-21 = D
//! ```

use super::condition::{Side, condition};
use super::cursor::Parsed;
use super::path::path;
use super::row::optional_when;
use super::{Condition, Cursor, SetRow};
use crate::diagnostic::Spot;

/// The lines of one item about its list.
#[derive(Debug, Default)]
pub(crate) struct ListLines {
    pub(crate) snapshot: Option<Snapshot>,
    /// The values set in an entry that is no longer listed.
    pub(crate) ends: Vec<End>,
    /// The condition for an entry that says that there is none.
    pub(crate) none: Option<(Spot, Condition)>,
    /// The condition for an entry that the message itself ends.
    pub(crate) ended: Option<(Spot, Condition)>,
}

/// `end status = cancelled else active`
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) row: SetRow,
    /// The value set if the entry is listed again.
    pub(crate) again: Option<SetRow>,
}

/// `snapshot of encounter else patient when …`
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) spot: Spot,
    /// The labels that may own the list: the first of them that the message names.
    pub(crate) within: Vec<(Spot, String)>,
    pub(crate) when: Option<Condition>,
}

/// Parses the rest of a line after `snapshot`.
pub(super) fn snapshot(cursor: &mut Cursor<'_>, spot: Spot) -> Parsed<Snapshot> {
    cursor.expect_keyword("of")?;
    let mut within = Vec::new();
    loop {
        let spot = cursor.spot();
        within.push((spot, cursor.name("a label")?));
        if !cursor.keyword("else") {
            break;
        }
    }
    let when = optional_when(cursor)?;
    Ok(Snapshot { spot, within, when })
}

/// Parses a line of a list; returns false if it is none of these.
pub(super) fn line(cursor: &mut Cursor<'_>, lines: &mut ListLines) -> Parsed<bool> {
    let spot = cursor.spot();
    if cursor.next_word_is("end") {
        cursor.expect_keyword("end")?;
        let target = path(cursor)?;
        cursor.expect("=")?;
        let row = SetRow {
            spot,
            target,
            value: cursor.value(&[])?,
            when: None,
        };
        let again = cursor.keyword("else").then(|| {
            Ok(SetRow {
                value: cursor.value(&[])?,
                ..row.clone()
            })
        });
        let again = again.transpose()?;
        lines.ends.push(End { row, again });
    } else if cursor.next_word_is("none") {
        cursor.expect_keyword("none")?;
        cursor.expect_keyword("when")?;
        lines.none = Some((spot, condition(cursor, Side::Message)?));
    } else if cursor.next_word_is("ended") {
        cursor.expect_keyword("ended")?;
        cursor.expect_keyword("when")?;
        lines.ended = Some((spot, condition(cursor, Side::Message)?));
    } else {
        return Ok(false);
    }
    cursor.finish()?;
    Ok(true)
}
