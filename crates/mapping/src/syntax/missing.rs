//! Parses `missing TYPE`: elements present with a reason if no field supplied them.

use super::condition::{Side, condition};
use super::cursor::{Parsed, SyntaxError};
use super::lines::Line;
use super::path::path;
use super::{Condition, Cursor, Path};
use crate::diagnostic::Spot;

#[derive(Debug)]
pub(crate) struct MissingBlock {
    pub(crate) spot: Spot,
    pub(crate) fhir_type: String,
    pub(crate) rows: Vec<MissingRow>,
}

/// One row: `gender = unknown when …`.
#[derive(Debug)]
pub(crate) struct MissingRow {
    pub(crate) target: Path,
    /// The code for a missing value, if the element must have a code.
    pub(crate) code: Option<String>,
    /// A test of the resource.
    pub(crate) when: Option<Condition>,
}

pub(super) fn missing(
    cursor: &mut Cursor<'_>,
    body: &[Line<'_>],
    errors: &mut Vec<SyntaxError>,
) -> Parsed<MissingBlock> {
    let spot = cursor.spot();
    cursor.expect_keyword("missing")?;
    let fhir_type = cursor.name("a resource type")?;
    cursor.finish()?;
    Ok(MissingBlock {
        spot,
        fhir_type,
        rows: super::block::each_line(body, errors, row),
    })
}

fn row(cursor: &mut Cursor<'_>) -> Parsed<MissingRow> {
    let target = path(cursor)?;
    let code = if cursor.take("=") {
        Some(cursor.value(&[])?)
    } else {
        None
    };
    let when = if cursor.keyword("when") {
        Some(condition(cursor, Side::Resource)?)
    } else {
        None
    };
    Ok(MissingRow { target, code, when })
}
