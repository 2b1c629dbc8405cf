//! Laws 1, 2c and 4 over what only goes forward: timing, routes, ingredients and dispenses of a
//! prescription, timing of an order, services, places, people and things of an appointment. None of
//! their fields is left over.

use crate::fields::{cwe, name, number, one_of, optional, pl, segment, stamp, word, xcn};
use crate::messages::{always, forward};
use crate::segments::pid;
use proptest::prelude::*;

type Lines = Vec<String>;

fn header(code: &str, structure: &str) -> String {
    format!("MSH|^~\\&|PHARM||EHR||20240105101600-0600||{code}^{structure}|1|P|2.5.1")
}

fn amount() -> BoxedStrategy<String> {
    (number(), one_of(&["mg", "mL", "{tbl}"]))
        .prop_map(|(value, unit)| format!("{value}^{unit}&&UCUM"))
        .boxed()
}

fn pattern() -> BoxedStrategy<String> {
    one_of(&[
        "BID", "TID", "Q6H", "Q36H", "QAM", "QOD", "Once", "PRN", "Q1W",
    ])
}

/// Generates a timing by its number; before 2.5 there is none.
fn timing(which: &'static str) -> BoxedStrategy<String> {
    let how = (
        optional(amount()),
        pattern(),
        optional(one_of(&["0800", "203000"])),
        optional(amount()),
    );
    let when = (
        optional(stamp_of_day()),
        optional(stamp_of_day()),
        optional(one_of(&["S", "A", "R"])),
    );
    let words = (optional(word()), optional(word()), optional("[1-9]"));
    (how, when, words)
        .prop_map(
            move |((dose, often, at, long), (from, to, priority), (on, text, count))| {
                let fields = vec![
                    (1, which.to_owned()),
                    (2, dose),
                    (3, often),
                    (4, at),
                    (6, long),
                    (7, from),
                    (8, to),
                    (9, priority),
                    (10, on),
                    (11, text),
                    (14, count),
                ];
                segment("TQ1", fields)
            },
        )
        .boxed()
}

fn stamp_of_day() -> impl Strategy<Value = String> {
    stamp().prop_filter("a day", |stamp| 8 <= stamp.len())
}

fn route() -> BoxedStrategy<String> {
    let way = one_of(&[
        "PO^Oral^HL70162",
        "IV^Intravenous^HL70162",
        "XX^by a way of ours^99WAY",
    ]);
    (
        way,
        optional(one_of(&["LA^Left arm^HL70163", "LG^Left gluteus^HL70163"])),
        optional(cwe()),
    )
        .prop_map(|(way, site, method)| segment("RXR", vec![(1, way), (2, site), (4, method)]))
        .boxed()
}

fn ingredient(kind: &'static str) -> BoxedStrategy<String> {
    (cwe(), number())
        .prop_map(move |(code, value)| {
            let unit = "mL^mL^UCUM".to_owned();
            segment(
                "RXC",
                vec![(1, kind.to_owned()), (2, code), (3, value), (4, unit)],
            )
        })
        .boxed()
}

fn prescription() -> impl Strategy<Value = Lines> {
    let order = (cwe(), number(), optional(word()), optional(xcn()));
    let more = (
        timing("1"),
        prop::option::of(timing("2")),
        route(),
        prop::option::of((ingredient("B"), ingredient("A"))),
        prop::option::of((cwe(), stamp_of_day(), number(), optional(xcn()))),
    );
    (pid(), order, more).prop_map(|(pid, order, (first, second, route, mixture, dispense))| {
        let (code, dose, text, doctor) = order;
        let numbers = [(1, "NW"), (2, "P1^EHR"), (3, "F1^PHARM")];
        let mut orc: Vec<(usize, String)> =
            numbers.map(|(at, text)| (at, text.to_owned())).to_vec();
        orc.push((12, doctor));
        let unit = "mg^mg^UCUM".to_owned();
        let words = if text.is_empty() {
            text
        } else {
            format!("^{text}")
        };
        let rxe = vec![(2, code), (3, dose), (5, unit.clone()), (7, words)];
        let mut lines = vec![header("RDE^O11", "RDE_O11"), pid, segment("ORC", orc)];
        lines.push(segment("RXE", rxe));
        lines.push(first);
        lines.extend(second);
        lines.push(route);
        if let Some((base, additive)) = mixture {
            lines.extend([base, additive]);
        }
        if let Some((code, at, many, who)) = dispense {
            let rxd = vec![
                (1, "1".to_owned()),
                (2, code),
                (3, at),
                (4, many),
                (5, unit),
                (10, who),
            ];
            lines.push(segment("RXD", rxd));
        }
        lines
    })
}

fn order() -> impl Strategy<Value = Lines> {
    (pid(), cwe(), timing("1"), optional(one_of(&["S", "R"]))).prop_map(
        |(pid, code, timing, priority)| {
            let orc = segment("ORC", vec![(1, "NW".to_owned()), (2, "P1^EHR".to_owned())]);
            let obr = vec![(2, "P1^EHR".to_owned()), (4, code), (5, priority)];
            vec![
                header("OML^O21", "OML_O21"),
                pid,
                orc,
                timing,
                segment("OBR", obr),
            ]
        },
    )
}

/// Generates a service, thing, place or person: the code, the start, the duration, the status.
fn resource(name: &'static str, what: BoxedStrategy<String>, at: usize) -> BoxedStrategy<String> {
    let status = one_of(&["Booked", "Pending", "Cancelled"]);
    (
        what,
        optional(cwe()),
        stamp_of_day(),
        optional("[1-9][0-9]"),
        status,
    )
        .prop_map(move |(what, kind, start, long, status)| {
            let mut fields = vec![(1, "1".to_owned()), (2, "A".to_owned()), (3, what)];
            if name != "AIS" {
                fields.push((4, kind));
            }
            fields.push((at, start));
            if !long.is_empty() {
                fields.push((at + 4, "min".to_owned()));
            }
            fields.push((at + 3, long));
            fields.push((at + 6, status));
            segment(name, fields)
        })
        .boxed()
}

fn appointment() -> impl Strategy<Value = Lines> {
    let thing = (name(), name()).prop_map(|(code, text)| format!("{code}^{text}^99RES"));
    let resources = (
        resource("AIS", cwe(), 4),
        prop::option::of(resource("AIG", thing.boxed(), 8)),
        prop::option::of(resource("AIL", pl(), 6)),
        prop::option::of(resource("AIP", xcn(), 6)),
    );
    (pid(), resources, prop::bool::ANY).prop_map(|(pid, (ais, aig, ail, aip), timed)| {
        let mut sch: Vec<(usize, String)> = [(1, "A1^NORTH"), (2, "A1^SCHED"), (25, "Booked")]
            .map(|(at, text)| (at, text.to_owned()))
            .to_vec();
        if timed {
            sch.push((11, "^^^20240110090000-0600^20240110093000-0600".to_owned()));
        }
        let mut lines = vec![header("SIU^S12", "SIU_S12"), segment("SCH", sch), pid];
        lines.extend(["RGS|1|A".to_owned(), ais]);
        lines.extend([aig, ail, aip].into_iter().flatten());
        lines
    })
}

fn leaves_nothing(lines: &[String]) -> Result<(), TestCaseError> {
    let text = format!("{}\r", lines.join("\r"));
    let (message, conversion) = forward(&text);
    always(&message, &conversion)?;
    let left: Vec<String> = conversion
        .report
        .unmapped
        .iter()
        .map(|entry| entry.place.to_string())
        .collect();
    prop_assert!(left.is_empty(), "{:?} of {}", left, text);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn a_prescription(lines in prescription()) {
        leaves_nothing(&lines)?;
    }

    #[test]
    fn an_order_with_its_timing(lines in order()) {
        leaves_nothing(&lines)?;
    }

    #[test]
    fn an_appointment_with_its_resources(lines in appointment()) {
        leaves_nothing(&lines)?;
    }
}
