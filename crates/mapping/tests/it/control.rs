//! Order control: ORC-1 is what happened, ORC-5 what the sender knew (HL7 v2 4.5.1.1, table 0119).
//! Appointments: SCH-25 as scheduling systems write it, days without a time, and no visit before a
//! patient has arrived.

use crate::fields::one_of;
use crate::messages::{always, forward};
use fhir::build::Value;
use proptest::prelude::*;

/// Table 0119: the codes that end or cancel an order.
const ENDS: [&str; 11] = [
    "CA", "CR", "OC", "UA", "DC", "DR", "OD", "RP", "RQ", "RU", "DE",
];
const HOLDS: [&str; 3] = ["HD", "OH", "HR"];
/// Table 0038.
const STATUSES: [&str; 10] = ["", "A", "CA", "CM", "DC", "ER", "HD", "IP", "RP", "SC"];
const CODES: [&str; 47] = [
    "AF", "CA", "CH", "CN", "CP", "CR", "DC", "DE", "DF", "DR", "FU", "HD", "HR", "LI", "MC", "NA",
    "NW", "OC", "OD", "OE", "OF", "OH", "OK", "OP", "OR", "PA", "PR", "PY", "RE", "RF", "RL", "RO",
    "RP", "RQ", "RR", "RU", "SC", "SN", "SR", "SS", "UA", "UC", "UD", "UF", "UH", "UM", "XO",
];

fn status(lines: &str, resource_type: &str) -> String {
    let (message, conversion) = forward(lines);
    always(&message, &conversion).unwrap();
    let own = conversion
        .drafts
        .iter()
        .find(|draft| draft.resource_type == resource_type);
    own.and_then(|draft| draft.value().text("status").map(str::to_owned))
        .unwrap_or_default()
}

#[test]
fn what_ends_or_holds_an_order_never_leaves_it_active() {
    for code in CODES {
        for known in STATUSES {
            let order = format!(
                "MSH|^~\\&|E||L||20240105||ORM^O01^ORM_O01|1|P|2.5.1\rPID|||1\rORC|{code}|P1^E|||{known}\rOBR|1|P1^E||1^X^L\r"
            );
            let medicine = format!(
                "MSH|^~\\&|E||L||20240105||RDE^O11^RDE_O11|1|P|2.5.1\rPID|||1\rORC|{code}|P1^E|F1^E||{known}\rRXE||1^X^L|1||TAB\r"
            );
            for (lines, kind) in [(order, "ServiceRequest"), (medicine, "MedicationRequest")] {
                let status = status(&lines, kind);
                assert!(!status.is_empty(), "{kind} {code} {known}");
                if ENDS.contains(&code) {
                    let ended = ["revoked", "cancelled", "stopped", "entered-in-error"];
                    assert!(
                        ended.contains(&status.as_str()),
                        "{kind} {code} {known}: {status}"
                    );
                }
                if HOLDS.contains(&code) {
                    assert!(status != "active", "{kind} {code} {known}: {status}");
                }
                if ["RL", "OE", "OR"].contains(&code) && known == "HD" {
                    assert_eq!(status, "active", "{kind} {code} {known}");
                }
            }
        }
    }
}

/// Distinct orders stay distinct: each order of a message is one resource, in every version that
/// has the message, with one number or three.
#[test]
fn three_orders_are_three() {
    for version in [
        "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.1", "2.8.2",
    ] {
        for (event, structure) in [("OML^O21", "OML_O21"), ("ORM^O01", "ORM_O01")] {
            for own in [[1, 2, 3], [1, 1, 1]] {
                let mut lines = format!(
                    "MSH|^~\\&|E||L||20240105||{event}^{structure}|1|P|{version}\rPID|||1\r"
                );
                for (n, number) in own.into_iter().enumerate() {
                    lines = format!("{lines}ORC|NW|P{number}^E\rOBR|{n}|P{number}^E||C{n}^X^L\r");
                }
                let (_, conversion) = forward(&lines);
                let orders = conversion.drafts.iter();
                let orders = orders.filter(|draft| draft.resource_type == "ServiceRequest");
                assert_eq!(orders.count(), 3, "{event} {version} {own:?}");
            }
        }
    }
}

/// The words that scheduling systems write, and the FHIR codes.
const WORDS: [(&str, &str); 16] = [
    ("Booked", "booked"),
    ("CONFIRMED", "booked"),
    ("SCHEDULED", "booked"),
    ("ARRIVED", "arrived"),
    ("CHECKED-IN", "checked-in"),
    ("Checked In", "checked-in"),
    ("Started", "checked-in"),
    ("COMPLETED", "fulfilled"),
    ("Complete", "fulfilled"),
    ("CANCELLED", "cancelled"),
    ("Canceled", "cancelled"),
    ("NOSHOW", "noshow"),
    ("NO-SHOW", "noshow"),
    ("No Show", "noshow"),
    ("PENDING", "pending"),
    ("Waitlist", "waitlist"),
];

fn siu(event: &str, fields: &str) -> String {
    format!(
        "MSH|^~\\&|S||E||20240105101600-0600||SIU^{event}^SIU_S12|1|P|2.5.1\rSCH|A1^S|A1^S|||||FOLLOWUP|||{fields}\rPID|||1\rPV1||O|||||||||||||||||V1^^^H\r"
    )
}

fn own(lines: &str, resource_type: &str) -> Value {
    let (message, conversion) = forward(lines);
    always(&message, &conversion).unwrap();
    let found = conversion
        .drafts
        .iter()
        .find(|draft| draft.resource_type == resource_type);
    found.unwrap().apply(None).value
}

#[test]
fn a_visit_is_not_in_progress_because_it_was_booked() {
    for (event, expected) in [
        ("S12", "planned"),
        ("S13", "planned"),
        ("S14", "planned"),
        ("S15", "cancelled"),
        ("S16", "cancelled"),
        ("S17", "entered-in-error"),
        ("S26", "cancelled"),
    ] {
        let visit = own(&siu(event, "|^^^20240110090000-0600"), "Encounter");
        assert_eq!(visit.text("status"), Some(expected), "{event}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_status_is_read_however_it_is_spelled((word, status) in prop::sample::select(&WORDS[..]), small in prop::bool::ANY) {
        let word = if small { word.to_lowercase() } else { word.to_uppercase() };
        let made = own(&siu("S14", &format!("|^^^20240110090000-0600{}{word}", "|".repeat(14))), "Appointment");
        prop_assert_eq!(made.text("status"), Some(status), "{}", word);
    }

    /// A day is kept as a day, a time as a start; a booked appointment has a start and an end, or
    /// the reason for its absence (FHIR app-2, app-3).
    #[test]
    fn a_day_is_kept(day in "202[0-9]0[1-9](1[0-9]|2[0-8])", time in one_of(&["", "0930-0600"]), field in one_of(&["SCH", "TQ1", "AIS"]), status in one_of(&["Booked", "Arrived", "Cancelled", ""])) {
        let at = format!("{day}{time}");
        let pattern = if field == "SCH" { format!("^^^{at}") } else { String::new() };
        let mut lines = siu("S12", &format!("|{pattern}{}{status}", "|".repeat(14)));
        if field == "TQ1" {
            lines = lines.replace("\rPID", &format!("\rTQ1|1||||||{at}\rPID"));
        }
        if field == "AIS" {
            lines = format!("{lines}RGS|1|A\rAIS|1|A|1^X^L|{at}\r");
        }
        let made = own(&lines, "Appointment");
        let said = String::from_utf8(made.to_bytes()).unwrap();
        let date = format!("{}-{}-{}", &day[..4], &day[4..6], &day[6..8]);
        prop_assert!(said.contains(&date), "{} of {}", said, lines);
        let period = made.at("requestedPeriod[0].start").is_some();
        prop_assert_eq!(period, time.is_empty(), "{}", said);
        let both = (made.get("start").is_some() || made.get("_start").is_some(), made.get("end").is_some() || made.get("_end").is_some());
        prop_assert_eq!(both.0, both.1, "app-2: {}", said);
        prop_assert!(both.0 || status == "Cancelled", "app-3: {}", said);
    }
}
