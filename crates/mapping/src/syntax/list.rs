//! Lists of a message map: what a sender lists anew in each message.
//!
//! ```text
//! AL1 -> AllergyIntolerance as allergies
//!   owns, patient = patient, snapshot of patient when choice lists = snapshot
//!   end clinicalStatus = allergyintolerance-clinical|inactive else allergyintolerance-clinical|active
//!   none when AL1-3.1 = NKA
//!   ended when DG1-21 = D
//! ```

use super::condition::{Side, condition};
use super::cursor::Read;
use super::path::path;
use super::row::optional_when;
use super::{Condition, Cursor, SetRow};
use crate::diagnostic::Spot;

/// What the lines of one item say of its list.
#[derive(Debug, Default)]
pub(crate) struct ListLines {
    pub(crate) snapshot: Option<Snapshot>,
    /// What is set in an entry that is listed no more.
    pub(crate) ends: Vec<End>,
    /// An entry that says that there is none.
    pub(crate) none: Option<(Spot, Condition)>,
    /// An entry that the message itself ends.
    pub(crate) ended: Option<(Spot, Condition)>,
}

/// `end status = cancelled else active`
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) row: SetRow,
    /// What it is where the entry is listed again.
    pub(crate) again: Option<SetRow>,
}

/// `snapshot of encounter else patient when …`
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) spot: Spot,
    /// Whose list it is: the first of these that the message names.
    pub(crate) within: Vec<(Spot, String)>,
    pub(crate) when: Option<Condition>,
}

/// What follows `snapshot`.
pub(super) fn snapshot(cursor: &mut Cursor<'_>, spot: Spot) -> Read<Snapshot> {
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

/// A line of its own; false where it is none of these.
pub(super) fn line(cursor: &mut Cursor<'_>, lines: &mut ListLines) -> Read<bool> {
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
