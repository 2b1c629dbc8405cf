//! Results of a report: all that belong to it and were not withdrawn.
//!
//! Laboratories send the results of one order as they become available, and a correction with the
//! corrected result alone. So a message adds to `DiagnosticReport.result` (`+=` in the map), even
//! if it is not news for the report itself, and a result is removed once it is cancelled or entered
//! in error (OBX-11 `X`, `D`, `W`; HL7 v2 table 0085), judged by its final state in the chart.

use super::plan::Planner;
use super::slot::Slot;
use fhir::build::Value;
use mapping::{Draft, Lineage};

const RESULT: &str = "result";

/// Corrects the results of the message's reports, once all bodies are computed.
pub(super) fn settle(planner: &mut Planner<'_>, drafts: &[Draft]) {
    for (at, draft) in drafts.iter().enumerate() {
        if draft.resource_type != "DiagnosticReport" {
            continue;
        }
        let Some(report) = planner.slot_of_draft(at) else {
            continue;
        };
        let named = draft.value().each(RESULT);
        let named: Vec<usize> = named
            .filter_map(|result| {
                let url = result.text("reference")?;
                let place = drafts.iter().position(|draft| draft.full_url == url)?;
                planner.slot_of_draft(place)
            })
            .collect();
        for result in named {
            let Some(slot) = planner.slots.get(result) else {
                continue;
            };
            let reference = format!("{}/{}", slot.resource_type, slot.id);
            let stands = !slot.now().is_some_and(is_withdrawn);
            if let Some(report) = planner.slots.get_mut(report) {
                correct_results(report, &reference, (stands, draft));
            }
        }
    }
}

fn is_withdrawn(result: &Value) -> bool {
    let status = result.text("status");
    matches!(status, Some("entered-in-error" | "cancelled"))
}

/// Adds missing results and removes withdrawn ones.
fn correct_results(report: &mut Slot, reference: &str, (stands, draft): (bool, &Draft)) {
    let is_it = |item: &Value| item.text("reference") == Some(reference);
    let has = |report: &Slot| {
        let now = report.now();
        now.is_some_and(|now| now.each(RESULT).any(is_it))
    };
    match (stands, has(report)) {
        (true, true) | (false, false) => {}
        (true, false) => {
            let value = report.now_mut();
            let place = value.each(RESULT).len();
            let item = Value::object().with("reference", reference);
            value.entry(RESULT).push(item);
            let row = draft
                .lineage()
                .into_iter()
                .find(|line| line.element.starts_with("result["));
            report.lineage.extend(row.map(|line| Lineage {
                element: format!("result[{place}].reference"),
                ..line
            }));
        }
        (false, true) => {
            let value = report.now_mut();
            let kept: Vec<Value> = value
                .each(RESULT)
                .filter(|item| !is_it(item))
                .cloned()
                .collect();
            if kept.is_empty() {
                value.remove(RESULT);
            } else {
                value.set(RESULT, Value::Array(kept));
            }
        }
    }
}
