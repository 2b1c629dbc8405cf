//! Orders that a message ends by number alone.
//!
//! A sender that cancels or discontinues an order may omit its detail (HL7 v2.5.1, 4.5.1.1: ORC-1
//! gives the new state of the order that ORC-2 and ORC-3 identify). No row makes a resource of such
//! an ORC, so the order is looked up here, within its patient.
//!
//! Invariant: an order that is not found is not invented; the segment stays among those that no row
//! handled, and the message needs attention.

use super::apart;
use super::find::Hit;
use super::keys;
use super::plan::{Planner, Unfit};
use super::whose::Whose;
use base::Timestamp;
use hl7v2::{Message, Segment};
use mapping::{FieldPlace, Lineage, RowId};
use store::chart::BusinessKey;

/// Codes of table 0119 that end an order, with the resulting status of an order and of a
/// prescription.
const ENDS: [(&str, &str, &str); 6] = [
    ("CA", "revoked", "cancelled"),
    ("OC", "revoked", "cancelled"),
    ("CR", "revoked", "cancelled"),
    ("DC", "revoked", "stopped"),
    ("OD", "revoked", "stopped"),
    ("DR", "revoked", "stopped"),
];

/// Segments that carry the detail of an order.
const DETAILS: [&str; 9] = [
    "OBR", "RXO", "RXE", "RXD", "RXG", "RXA", "ODS", "ODT", "RQD",
];

/// Resource types to search, with the label of their keys.
const ORDERS: [(&str, &str); 2] = [
    ("ServiceRequest", "order"),
    ("MedicationRequest", "prescription"),
];

/// Maximum number of orders with one number that one segment ends.
const MAX_ORDERS: usize = 64;

/// Ends the orders named by the message's ORC segments without a detail.
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

/// Ends the orders that one segment names; false where there is none with that number.
fn end(
    planner: &mut Planner<'_>,
    orc: &Segment<'_>,
    (code, order, prescription): (&str, &str, &str),
    (place, event): (FieldPlace, Option<Timestamp>),
) -> Result<bool, Unfit> {
    let patient = planner.patients();
    if patient.len() != 1 {
        // Nothing says which patient is meant.
        return Ok(false);
    }
    // The filler's number takes precedence where there is one (4.5.1.3).
    for field in [3, 2] {
        let mut found = false;
        for (resource_type, label) in ORDERS {
            for id in named(planner, orc, field, (resource_type, label))? {
                let read = planner.finder.one(resource_type, &id, false);
                let Some(existing) = read.map_err(Unfit::Read)? else {
                    continue;
                };
                let filler = orc.field(3).repeat(1).component(1).text().into_owned();
                let belongs_to_other =
                    planner.whose_of(&patient, &existing)? == Whose::OtherPatient;
                if belongs_to_other || apart::has_other_number(&existing.value, "FILL", &filler) {
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

/// Returns the resources that have the number in a field, alone or next to a service.
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
    // A number next to a service has no authority in its key.
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
        let all = planner
            .finder
            .all_of(&own, MAX_ORDERS)
            .map_err(Unfit::Read)?;
        found.extend(all);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}
