//! Laws 1, 2 and 4 over whole messages: generated ones in their normal form, and those of the
//! synthetic town, which are written as real senders write them.

use crate::fields::{
    cwe, date, name, number, one_of, optional, repeats, segment, stamp, word, xad, xcn, xpn, xtn,
};
use crate::laws::without_urls;
use crate::segments::{obx, pid, pv1};
use fhir::build::Value;
use hl7v2::Message;
use mapping::{Conversion, MapSet, Source, Target};
use proptest::prelude::*;
use std::collections::BTreeMap;

type Lines = Vec<String>;

// --- generators ---

fn header(code: &str, event: &str, structure: &str) -> String {
    format!("MSH|^~\\&|LAB||EHR||20240105101600-0600||{code}^{event}^{structure}|1|P|2.5.1")
}

fn entity(prefix: &'static str) -> BoxedStrategy<String> {
    (name(), "[1-9][0-9]{6}")
        .prop_map(move |(space, number)| format!("{prefix}{number}^{space}"))
        .boxed()
}

fn al1() -> BoxedStrategy<String> {
    cwe()
        .prop_map(|code| segment("AL1", vec![(3, code)]))
        .boxed()
}

fn dg1() -> BoxedStrategy<String> {
    (cwe(), optional(stamp()), optional(stamp()), entity("D"))
        .prop_map(|(code, onset, told, number)| {
            segment("DG1", vec![(3, code), (5, onset), (19, told), (20, number)])
        })
        .boxed()
}

fn pr1() -> BoxedStrategy<String> {
    (cwe(), optional(stamp()), entity("R"))
        .prop_map(|(code, at, number)| segment("PR1", vec![(3, code), (5, at), (19, number)]))
        .boxed()
}

fn nk1() -> BoxedStrategy<String> {
    let phones = (repeats(xtn(&["PRN", "PRS"]), 2), repeats(xtn(&["WPN"]), 1));
    (
        xpn(),
        one_of(&["MTH", "FTH", "SPO", "SIB", "GRD"]),
        repeats(xad(), 1),
        phones,
        optional(date()),
    )
        .prop_map(|(named, role, home, (phone, work), born)| {
            let fields = vec![
                (2, named),
                (3, role),
                (4, home),
                (5, phone),
                (6, work),
                (16, born),
            ];
            segment("NK1", fields)
        })
        .boxed()
}

fn nte() -> BoxedStrategy<String> {
    (
        prop::collection::vec(word(), 1..4),
        optional(xcn()),
        optional(stamp()),
    )
        .prop_map(|(lines, who, at)| segment("NTE", vec![(3, lines.join("~")), (5, who), (6, at)]))
        .boxed()
}

fn some(strategy: impl Strategy<Value = String> + 'static, most: usize) -> BoxedStrategy<Lines> {
    prop::collection::vec(strategy, 0..=most).boxed()
}

fn adt() -> impl Strategy<Value = Lines> {
    let first = (one_of(&["A01", "A08", "A04"]), pid(), some(nk1(), 2), pv1());
    let rest = (
        some(obx(), 2),
        some(al1(), 2),
        some(dg1(), 2),
        some(pr1(), 2),
    );
    (first, rest).prop_map(|((event, pid, nk1, pv1), (obx, al1, dg1, pr1))| {
        let mut lines = vec![header("ADT", &event, "ADT_A01"), pid];
        lines.extend(nk1);
        lines.push(pv1);
        for more in [obx, al1, dg1, pr1] {
            lines.extend(more);
        }
        distinct(lines)
    })
}

/// Removes duplicates, because equal keys make one resource: a second allergy to the same
/// substance, a relative of the same name.
fn distinct(lines: Lines) -> Lines {
    let mut kept: Lines = Vec::new();
    for line in lines {
        let key = |line: &str| -> String { line.split('|').take(4).collect::<Vec<_>>().join("|") };
        let alone = !["AL1", "NK1"].contains(&&line[..3]);
        if alone || !kept.iter().any(|own| key(own) == key(&line)) {
            kept.push(line);
        }
    }
    kept
}

fn result() -> BoxedStrategy<Lines> {
    (obx(), some(nte(), 1))
        .prop_map(|(obx, nte)| std::iter::once(obx).chain(nte).collect())
        .boxed()
}

fn spm() -> BoxedStrategy<String> {
    let number = ("[1-9][0-9]{6}", name());
    (
        number,
        cwe(),
        optional(cwe()),
        optional(stamp()),
        one_of(&["", "Y", "N"]),
    )
        .prop_map(|((number, space), kind, method, at, there)| {
            let own = format!("S{number}&{space}");
            segment(
                "SPM",
                vec![(2, own), (4, kind), (7, method), (18, at), (20, there)],
            )
        })
        .boxed()
}

fn order() -> BoxedStrategy<Lines> {
    let numbers = (entity("P"), entity("F"));
    let report = (
        cwe(),
        optional(stamp()),
        one_of(&["P", "F", "C"]),
        optional(stamp_of_day()),
    );
    let below = (
        some(nte(), 1),
        prop::collection::vec(result(), 0..4),
        some(spm(), 1),
    );
    (numbers, optional(xcn()), report, below)
        .prop_map(
            |((placer, filler), doctor, (code, at, status, issued), (nte, results, spm))| {
                let orc = vec![
                    (2, placer.clone()),
                    (3, filler.clone()),
                    (12, doctor.clone()),
                ];
                let obr = vec![
                    (2, placer),
                    (3, filler),
                    (4, code),
                    (7, at.clone()),
                    (16, doctor),
                    (22, issued),
                    // Without a section it is the laboratory, which the normal form states.
                    (24, "LAB".to_owned()),
                    (25, status),
                ];
                let mut lines = vec![segment("ORC", orc), segment("OBR", obr)];
                lines.extend(nte);
                // The normal form states the time of each result: OBR-7 if OBX-14 is empty.
                let results = results.into_iter().flatten();
                lines.extend(results.map(|line| timed(line, &at)));
                lines.extend(spm);
                lines
            },
        )
        .boxed()
}

fn timed(line: String, at: &str) -> String {
    let mut fields: Vec<&str> = line.split('|').collect();
    if fields[0] != "OBX" || fields.get(14).is_some_and(|time| !time.is_empty()) || at.is_empty() {
        return line;
    }
    fields.resize(fields.len().max(15), "");
    fields[14] = at;
    fields.join("|")
}

fn stamp_of_day() -> BoxedStrategy<String> {
    (1..29_u32, 0..24_u32)
        .prop_map(|(day, hour)| format!("202401{day:02}{hour:02}1500-0600"))
        .boxed()
}

fn oru() -> impl Strategy<Value = Lines> {
    (pid(), prop::collection::vec(order(), 1..4)).prop_map(|(pid, orders)| {
        let mut lines = vec![header("ORU", "R01", "ORU_R01"), pid];
        lines.extend(orders.into_iter().flatten());
        lines
    })
}

/// Generates the OBX segments of a dose as `B` writes them, renumbered.
fn about_the_dose() -> BoxedStrategy<Lines> {
    let statement = (name(), optional(date_of_day()), optional(date_of_day()));
    let dose = (1..9_u32, prop::option::of(1..9_u32));
    let alone = (prop::option::of(cwe()), prop::option::of(cwe()));
    (
        alone,
        prop::collection::vec(statement, 0..3),
        prop::option::of(dose),
    )
        .prop_map(|((eligible, paid), statements, dose)| {
            let line = |kind: &str, code: &str, number: &str, value: &str| {
                format!("OBX||{kind}|{code}^^LN|{number}|{value}||||||F")
            };
            let mut lines = Vec::new();
            lines.extend(eligible.map(|code| line("CE", "64994-7", "", &code)));
            lines.extend(paid.map(|code| line("CE", "30963-3", "", &code)));
            let mut number = 0;
            for (named, published, shown) in statements {
                number += 1;
                let own = number.to_string();
                lines.push(line("CE", "69764-9", &own, &format!("^{named}")));
                for (code, at) in [("29768-9", published), ("29769-7", shown)] {
                    if !at.is_empty() {
                        lines.push(line("TS", code, &own, &at));
                    }
                }
            }
            if let Some((dose, series)) = dose {
                let own = (number + 1).to_string();
                lines.push(line("NM", "30973-2", &own, &dose.to_string()));
                lines.extend(series.map(|n| line("NM", "59782-3", &own, &n.to_string())));
            }
            lines
        })
        .boxed()
}

fn date_of_day() -> BoxedStrategy<String> {
    (1..29_u32)
        .prop_map(|day| format!("202401{day:02}"))
        .boxed()
}

fn dose() -> BoxedStrategy<Lines> {
    let who = (entity("P"), entity("F"), optional(xcn()));
    let what = (stamp(), cwe(), number(), optional(word()), optional(date()));
    let how = (
        one_of(&["CP", "NA"]),
        optional(cwe()),
        one_of(&["", "SC", "IM"]),
    );
    (who, what, how, about_the_dose(), some(obx(), 1))
        .prop_map(
            |((placer, filler, giver), (at, code, amount, lot, until), how, about, more)| {
                let (status, reason, route) = how;
                // A reason for refusal makes it a refusal: `medicines` has the messages that state
                // both.
                let status = if reason.is_empty() {
                    status
                } else {
                    "NA".to_owned()
                };
                let rxa = vec![
                    (3, at),
                    (5, code),
                    (6, amount),
                    (10, giver),
                    (15, lot),
                    (16, until),
                    (18, reason),
                    (20, status),
                ];
                let mut lines = vec![
                    segment("ORC", vec![(2, placer), (3, filler)]),
                    segment("RXA", rxa),
                ];
                if !route.is_empty() {
                    lines.push(segment("RXR", vec![(1, route)]));
                }
                lines.extend(about);
                lines.extend(more);
                lines
            },
        )
        .boxed()
}

fn vxu() -> impl Strategy<Value = Lines> {
    (pid(), prop::collection::vec(dose(), 1..3)).prop_map(|(pid, doses)| {
        let mut lines = vec![header("VXU", "V04", "VXU_V04"), pid];
        lines.extend(doses.into_iter().flatten());
        lines
    })
}

fn siu() -> impl Strategy<Value = Lines> {
    let kind = one_of(&["", "Normal", "Tentative"]);
    let status = one_of(&["Booked", "Pending", "Waitlist", "Complete"]);
    (entity("P"), entity("F"), kind, status, pid()).prop_map(
        |(placer, filler, kind, status, pid)| {
            let sch = vec![(1, placer), (2, filler), (8, kind), (25, status)];
            vec![header("SIU", "S12", "SIU_S12"), segment("SCH", sch), pid]
        },
    )
}

fn prescription() -> BoxedStrategy<Lines> {
    let who = (entity("P"), entity("F"), optional(xcn()), optional(xcn()));
    let what = (
        cwe(),
        number(),
        optional(name()),
        one_of(&["CM", "DC", "HD", "IP"]),
    );
    let supply = (
        optional("[1-9][0-9]?"),
        optional("[0-9]"),
        repeats(cwe(), 2),
    );
    (who, what, supply)
        .prop_map(
            |((placer, filler, typed, doctor), (code, dose, unit, status), supply)| {
                let (amount, refills, reasons) = supply;
                let orc = vec![
                    (2, placer),
                    (3, filler),
                    (5, status),
                    (10, typed),
                    (12, doctor),
                ];
                let rxe = vec![
                    (2, code),
                    (3, dose),
                    (5, unit),
                    (10, amount),
                    (12, refills),
                    (27, reasons),
                ];
                vec![segment("ORC", orc), segment("RXE", rxe)]
            },
        )
        .boxed()
}

fn rde() -> impl Strategy<Value = Lines> {
    (pid(), prop::collection::vec(prescription(), 1..3)).prop_map(|(pid, orders)| {
        let mut lines = vec![header("RDE", "O11", "RDE_O11"), pid];
        lines.extend(orders.into_iter().flatten());
        lines
    })
}

// --- the laws ---

pub(crate) fn forward(text: &str) -> (Message, Conversion) {
    let message = Message::parse(text.as_bytes().to_vec());
    let conversion = MapSet::builtin().forward(&message, &Source::default());
    (message, conversion)
}

fn back(conversion: &Conversion) -> (String, Vec<String>) {
    let header = conversion
        .drafts
        .iter()
        .find(|draft| &*draft.label == "header");
    let header = header
        .map(|draft| draft.full_url.clone())
        .unwrap_or_default();
    let made = MapSet::builtin()
        .back(
            &conversion.bundle(),
            conversion.structure,
            &Target::default(),
        )
        .unwrap();
    let own = made.lost.iter().filter(|loss| loss.resource != header);
    let lost = own
        .map(|loss| format!("{}: {}", loss.resource, loss.element))
        .collect();
    (String::from_utf8(made.message).unwrap(), lost)
}

fn without_header(text: &str) -> Vec<&str> {
    let lines = text.split('\r').filter(|line| !line.is_empty());
    lines.filter(|line| !line.starts_with("MSH")).collect()
}

fn resources(conversion: &Conversion) -> Vec<Value> {
    let own = conversion
        .drafts
        .iter()
        .filter(|draft| &*draft.label != "header");
    let mut all: Vec<Value> = own.map(|draft| draft.value().clone()).collect();
    all.iter_mut().for_each(without_urls);
    // A message in the standard's order makes them in a different order.
    all.sort_by_key(Value::to_bytes);
    all
}

/// Checks a message in its normal form whose fields are all two-way.
fn survives(lines: &[String]) -> Result<(), TestCaseError> {
    let text = format!("{}\r", lines.join("\r"));
    let (message, conversion) = forward(&text);
    always(&message, &conversion)?;
    let (returned, lost) = back(&conversion);
    prop_assert_eq!(without_header(&returned), without_header(&text), "law 2a");
    prop_assert!(lost.is_empty(), "law 2b: lost {:?} of {}", lost, text);
    let (_, again) = forward(&returned);
    prop_assert!(
        resources(&again) == resources(&conversion),
        "law 2b: {}",
        text
    );
    Ok(())
}

/// Checks what holds for any message.
pub(crate) fn always(message: &Message, conversion: &Conversion) -> Result<(), TestCaseError> {
    adds_up(message, conversion)?;
    for draft in &conversion.drafts {
        let text = || String::from_utf8(draft.value().to_bytes()).unwrap();
        let once = draft.apply(None);
        let twice = draft.apply(Some(&once.value));
        prop_assert!(!twice.changed, "law 2c: {}", text());
        // The chart keeps the elements in FHIR's order.
        let kept = Value::parse(once.value.to_bytes()).unwrap();
        let again = draft.apply(Some(&kept));
        prop_assert!(!again.changed, "law 2c, from the chart: {}", text());
        for line in &once.lineage {
            let there = once.value.at(&line.element).is_some();
            prop_assert!(there, "law 4: {} leads nowhere in {}", line.element, text());
        }
    }
    Ok(())
}

/// Checks law 1: every non-empty field is in exactly one of the report's lists.
fn adds_up(message: &Message, conversion: &Conversion) -> Result<(), TestCaseError> {
    let report = &conversion.report;
    let lists = [
        &report.mapped,
        &report.dropped,
        &report.withheld,
        &report.unmapped,
    ];
    let mut entries: BTreeMap<String, usize> = BTreeMap::new();
    for entry in lists.into_iter().flatten() {
        let whole = entry.place.whole_field();
        let count = entries.entry(whole.to_string()).or_default();
        *count += usize::from(whole == entry.place);
    }
    let mut seen: BTreeMap<Vec<u8>, u16> = BTreeMap::new();
    let mut fields: BTreeMap<String, usize> = BTreeMap::new();
    for segment in message.segments() {
        let name = segment.name().as_bytes().to_vec();
        let occurrence = seen.entry(name.clone()).or_default();
        *occurrence += 1;
        let first = if name == b"MSH" { 3 } else { 1 };
        for number in first..=segment.field_count() {
            if segment.field(number).is_empty() {
                continue;
            }
            let Ok(segment) = <[u8; 3]>::try_from(name.as_slice()) else {
                continue;
            };
            let place = mapping::FieldPlace {
                segment,
                occurrence: *occurrence,
                field: number as u16,
                repeat: 0,
                component: 0,
                sub: 0,
            };
            fields.insert(place.whole_field().to_string(), 1);
        }
    }
    prop_assert_eq!(entries, fields, "law 1");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn adt_survives(lines in adt()) {
        survives(&lines)?;
    }

    #[test]
    fn oru_survives(lines in oru()) {
        survives(&lines)?;
    }

    #[test]
    fn vxu_survives(lines in vxu()) {
        survives(&lines)?;
    }

    #[test]
    fn siu_survives(lines in siu()) {
        survives(&lines)?;
    }

    #[test]
    fn rde_survives(lines in rde()) {
        survives(&lines)?;
    }

    /// Messages as senders write them come back in a normal form, which then stays the same.
    #[test]
    fn what_the_town_sends(seed in 0..1_000_u64) {
        for bytes in simulate::bench::mix(seed, 8) {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let (message, conversion) = forward(&text);
            always(&message, &conversion)?;
            let (once, _) = back(&conversion);
            let (_, again) = forward(&once);
            let (twice, _) = back(&again);
            prop_assert_eq!(without_header(&twice), without_header(&once), "from {}", text);
        }
    }
}

/// HL7 v2 2.5.3: `""` names nothing. The message still has the list, so the list is empty.
#[test]
fn a_null_is_no_entry_of_a_list() {
    let head = "MSH|^~\\&|ADT|NORTH|EHR|HOSP|20240109101600-0600||ADT^A08^ADT_A01|1|P|2.5.1\r\
                PID|1||123^^^HOSP^MR||ZZTEST^JANE||19800102|F\rPV1|1|I\r";
    for (segment, label, n_unmapped) in [
        ("NK1|1|\"\"", "relatives", 0),
        ("AL1|1||\"\"", "allergies", 0),
        // Other content there is reported.
        ("AL1|1|DA|\"\"^\"\"", "allergies", 3),
        ("DG1|1||\"\"", "diagnoses", 0),
        ("GT1|1||\"\"", "guarantors", 0),
        ("IN1|1|\"\"", "coverages", 0),
    ] {
        let message = hl7v2::Message::parse(format!("{head}{segment}\r"));
        let conversion = MapSet::builtin().forward(&message, &Source::default());
        let lists: Vec<&str> = conversion.lists.iter().map(|list| &*list.label).collect();
        assert_eq!(lists, [label], "{segment}");
        let made = conversion.drafts.iter().any(|draft| &*draft.label == label);
        assert!(!made, "{segment} makes no {label}");
        assert_eq!(conversion.report.unmapped.len(), n_unmapped, "{segment}");
    }
    let message = hl7v2::Message::parse(head);
    let conversion = MapSet::builtin().forward(&message, &Source::default());
    assert!(
        conversion.lists.is_empty(),
        "no segment, no word about a list"
    );
}
