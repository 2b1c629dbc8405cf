//! Checks maps without a message (law 6).
//!
//! Errors that the compiler finds while binding (paths, types, converters, labels) are not repeated
//! here.

mod codes;
mod elements;
mod fields;
mod guards;
mod inverse;
mod slices;

use crate::diagnostic::{Diagnostic, Spot};
use crate::program::{Body, MapRow, Program, Repeat, Row, RowId, Source};
use std::sync::Arc;

/// Returns everything that is doubtful about a program.
pub(crate) fn check(program: &Program) -> Vec<Diagnostic> {
    let mut checker = Checker {
        program,
        found: Vec::new(),
    };
    checker.fields();
    checker.elements();
    checker.codes();
    checker.inverse();
    checker.guards();
    checker.slices();
    checker.overwrites();
    checker
        .found
        .sort_by(|one, other| (&one.file, one.spot).cmp(&(&other.file, other.spot)));
    checker.found.dedup();
    checker.found
}

pub(super) struct Checker<'p> {
    program: &'p Program,
    found: Vec<Diagnostic>,
}

// === impl Checker ===

impl Checker<'_> {
    fn place(&self, id: RowId) -> (Arc<str>, Spot) {
        match self.program.row(id) {
            Some(row) => (
                Arc::clone(&row.file),
                Spot {
                    line: row.line,
                    column: row.column,
                },
            ),
            None => ("".into(), Spot::default()),
        }
    }

    fn line(&self, id: RowId) -> u32 {
        self.place(id).1.line
    }

    fn error(&mut self, id: RowId, message: impl Into<String>, remedy: impl Into<String>) {
        let (file, spot) = self.place(id);
        self.found
            .push(Diagnostic::error(&file, spot, message).with_remedy(remedy));
    }

    fn warning(&mut self, id: RowId, message: impl Into<String>) {
        let (file, spot) = self.place(id);
        self.found.push(Diagnostic::warning(&file, spot, message));
    }
}

/// Returns every mapping row of a body and of the `each` rows in it.
pub(super) fn map_rows(body: &Body) -> Vec<&MapRow> {
    let mut found = Vec::new();
    for row in &body.rows {
        match row {
            Row::Map(row) => {
                found.push(row);
                if let Some(reference) = &row.reference {
                    found.extend(map_rows(&reference.body));
                }
            }
            Row::Each(row) => found.extend(map_rows(&row.body)),
            Row::Set(_) | Row::Drop(_) => {}
        }
    }
    found
}

/// Formats a source as a map writes it.
pub(super) fn source_text(source: Source) -> String {
    match source {
        Source::Field {
            segment,
            field,
            component,
            sub,
            ..
        } => {
            let mut text = format!("{}-{field}", String::from_utf8_lossy(&segment));
            for part in [component, sub] {
                if part != 0 {
                    text.push('.');
                    text.push_str(&part.to_string());
                }
            }
            text
        }
        Source::Cell { component, sub: 0 } => format!(".{component}"),
        Source::Cell { component, sub } => format!(".{component}.{sub}"),
        Source::Member(number) => format!("${number}"),
        Source::This => "this".to_owned(),
    }
}

/// Resolves a place in a condition of a row on `own`: `.3` of a row on OBX-5 is OBX-5.3. The repeat
/// does not matter.
pub(super) fn absolute(own: Source, source: Source) -> Source {
    let (segment, field, component, sub) = match (own, source) {
        (Source::Field { segment, field, .. }, Source::Cell { component, sub })
        | (
            _,
            Source::Field {
                segment,
                field,
                component,
                sub,
                ..
            },
        ) => (segment, field, component, sub),
        (_, other) => return other,
    };
    Source::Field {
        segment,
        field,
        repeat: Repeat::At(1),
        component,
        sub,
    }
}
