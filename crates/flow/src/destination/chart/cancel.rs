//! Orders that a message ends by their numbers alone.
//!
//! A sender that cancels or discontinues an order may leave its detail out (HL7 v2.5.1, 4.5.1.1: ORC-1
//! says what becomes of the order that ORC-2 and ORC-3 name). No row makes a resource of such an ORC, so
//! the order is looked for here, within its patient.
//!
//! Invariant: an order that nobody finds is not made up; the segment stays among what no row took, and
//! the message needs attention.

use super::apart;
use super::find::Hit;
use super::keys;
use super::plan::{Planner, Unfit};
use super::whose::Whose;
use base::Timestamp;
use hl7v2::{Message, Segment};
use mapping::{FieldPlace, Lineage, RowId};
use store::chart::BusinessKey;

/// Codes of table 0119 that end an order: what an order and what a prescription becomes.
const ENDS: [(&str, &str, &str); 6] = [
    ("CA", "revoked", "cancelled"),
    ("OC", "revoked", "cancelled"),
    ("CR", "revoked", "cancelled"),
    ("DC", "revoked", "stopped"),
    ("OD", "revoked", "stopped"),
    ("DR", "revoked", "stopped"),
];

/// Segments that say what is ordered.
const DETAILS: [&str; 9] = [
    "OBR", "RXO", "RXE", "RXD", "RXG", "RXA", "ODS", "ODT", "RQD",
];

/// What is looked for: the type and the label of its keys.
const ORDERS: [(&str, &str); 2] = [
    ("ServiceRequest", "order"),
    ("MedicationRequest", "prescription"),
];

/// So many orders of one number are ended by one segment.
const MOST: usize = 64;

/// Ends what the message's orders without a detail name.
pub(super) fn settle(
    planner: &mut Planner<'_>,
    message: &Message,
    event: Option<Timestamp>,
) -> Result<(), Unfit> {
    let segments: Vec<Segment<'_>> = message.segments().collect();
    let mut occurrence = 0;
    for (idx, segment) in segments.iter().enumerate() {
        if segment.name() != "ORC" {
            continue;
        }
        occurrence += 1;
        let code = segment.field(1).repeat(1).component(1).text().into_owned();
        let Some(ends) = ENDS.iter().find(|(own, ..)| *own == code) else {
            continue;
        };
        let rest = segments.get(idx + 1..).unwrap_or_default();
        let has_detail = rest
            .iter()
            .take_while(|other| other.name() != "ORC")
            .any(|other| DETAILS.contains(&other.name()));
        if has_detail {
            continue;
        }
        let place = FieldPlace {
            segment: *b"ORC",
            occurrence,
            field: 1,
            repeat: 0,
            component: 0,
            sub: 0,
        };
        if end(planner, segment, *ends, (place, event))? {
            planner.answered.push(FieldPlace { field: 0, ..place });
        }
    }
    Ok(())
}

/// Ends what one segment names; false where there is nothing of that number.
fn end(
    planner: &mut Planner<'_>,
    orc: &Segment<'_>,
    (code, order, prescription): (&str, &str, &str),
    (place, event): (FieldPlace, Option<Timestamp>),
) -> Result<bool, Unfit> {
    let patient = planner.patients();
    if patient.len() != 1 {
        // Which of several is meant, nothing says.
        return Ok(false);
    }
    // The filler's number decides where there is one (4.5.1.3).
    for field in [3, 2] {
        let mut found = false;
        for (resource_type, label) in ORDERS {
            for id in named(planner, orc, field, (resource_type, label))? {
                let read = planner.finder.one(resource_type, &id, false);
                let Some(existing) = read.map_err(Unfit::Read)? else {
                    continue;
                };
                let filler = orc.field(3).repeat(1).component(1).text().into_owned();
                let is_anothers = planner.whose_of(&patient, &existing)? == Whose::Anothers;
                if is_anothers || apart::has_other_number(&existing.value, "FILL", &filler) {
                    continue;
                }
                found = true;
                let is_late =
                    matches!((event, existing.event), (Some(at), Some(known)) if at < known);
                let is_over = matches!(
                    existing.value.text("status"),
                    Some("revoked" | "completed" | "stopped" | "cancelled" | "entered-in-error")
                );
                if is_late || is_over {
                    planner.n_notes += 1;
                    continue;
                }
                let hit = Hit {
                    existing: Some(existing),
                    ..Hit::default()
                };
                let slot = planner.slot(resource_type, hit)?;
                let status = if resource_type == "ServiceRequest" {
                    order
                } else {
                    prescription
                };
                let line = Lineage {
                    element: "status".to_owned(),
                    place: Some(place),
                    raw: code.into(),
                    row: RowId::NONE,
                };
                planner.set_status(slot, status, line);
            }
        }
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What has the number of a field, alone or beside a service.
fn named(
    planner: &Planner<'_>,
    orc: &Segment<'_>,
    field: usize,
    (resource_type, label): (&str, &str),
) -> Result<Vec<String>, Unfit> {
    let part = |n: usize| orc.field(field).repeat(1).component(n).text().into_owned();
    let (value, name, id) = (part(1), part(2), part(3));
    if value.is_empty() || value == "\"\"" {
        return Ok(Vec::new());
    }
    // A number beside a service has no authority in its key.
    let mut authorities = vec![String::new(), name];
    if id.contains(['.', ':']) {
        authorities.push(id);
    }
    authorities.dedup();
    let mut found: Vec<String> = Vec::new();
    for authority in authorities {
        let key = mapping::BusinessKey {
            authority,
            kind: label.to_owned(),
            value: value.clone(),
            ..mapping::BusinessKey::default()
        };
        let own: BusinessKey = keys::own(&planner.scope, resource_type, &key, None);
        let all = planner.finder.all_of(&own, MOST).map_err(Unfit::Read)?;
        found.extend(all);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}
