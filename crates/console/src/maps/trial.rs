//! A trial run of one message through the maps: the result, and the rows that produced it.

use super::tally::{Tally, source_of};
use hl7v2::Message;
use web::App;

/// The result of a trial run.
pub(super) struct Trial {
    /// Every row of the file that ran, such as `12:2 15:1`, for the page's script.
    pub(super) lines: String,
    /// The reason why the message was refused.
    pub(super) refused: Option<String>,
    pub(super) values: Vec<Value>,
    /// The number of values set by rows of other files.
    pub(super) n_elsewhere: usize,
    /// The location and reason of each unusable value.
    pub(super) unusable: Vec<(String, String)>,
    pub(super) unmapped: Vec<String>,
    pub(super) tally: Tally,
}

/// A value set by a row of the file.
pub(super) struct Value {
    pub(super) line: u32,
    /// The field and its raw value; empty for a constant.
    pub(super) field: String,
    pub(super) raw: String,
    pub(super) element: String,
}

const MAX_VALUES: usize = 300;
const MAX_RAW_CHARS: usize = 60;

// === impl Trial ===

impl Trial {
    pub(super) fn run(app: &App, (file, flow): (&str, &str), body: Vec<u8>) -> Self {
        let message = Message::parse(body);
        let conversion = app.maps.current().forward(&message, &source_of(app, flow));
        let tally = Tally::of(&conversion);
        let refused = match (message.first("MSH").is_some(), conversion.supported) {
            (false, _) => Some("This is not a message: it does not begin with MSH.".to_owned()),
            (true, false) => Some(format!(
                "No map reads {} messages.",
                match conversion.structure {
                    "" => "such",
                    structure => structure,
                }
            )),
            (true, true) => None,
        };
        let mut values = Vec::new();
        let mut n_elsewhere = 0;
        for draft in &conversion.drafts {
            for lineage in draft.lineage() {
                let Some(row) = conversion.row(lineage.row) else {
                    continue;
                };
                if &*row.file != file {
                    n_elsewhere += 1;
                    continue;
                }
                if values.len() < MAX_VALUES {
                    values.push(Value {
                        line: row.line,
                        field: lineage
                            .place
                            .map(|place| place.to_string())
                            .unwrap_or_default(),
                        raw: cut(&lineage.raw),
                        element: format!("{}.{}", draft.resource_type, lineage.element),
                    });
                }
            }
        }
        let report = &conversion.report;
        let mut lines: Vec<(u32, u32)> = tally
            .hits
            .iter()
            .filter(|((name, _), _)| name == file)
            .map(|((_, line), n)| (*line, *n))
            .collect();
        lines.sort_unstable();
        let lines: Vec<String> = lines
            .into_iter()
            .map(|(line, n)| format!("{line}:{n}"))
            .collect();
        Self {
            lines: lines.join(" "),
            refused,
            values,
            n_elsewhere,
            unusable: report
                .unusable
                .iter()
                .map(|found| (found.place.to_string(), found.why.clone()))
                .collect(),
            unmapped: report
                .unmapped
                .iter()
                .map(|entry| entry.place.to_string())
                .collect(),
            tally,
        }
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_RAW_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
