//! Generators of segments in their normal form.

use crate::fields::{
    cwe, cx, date, name, number, one_of, optional, pl, repeats, segment, stamp, word, xad, xcn,
    xpn, xtn,
};
use proptest::prelude::*;

pub(crate) fn pid() -> impl Strategy<Value = String> {
    let first = (
        prop::collection::vec(cx(), 1..3).prop_map(|all| all.join("~")),
        repeats(xpn(), 3),
        optional(name()),
        optional(date()),
        optional(one_of(&["F", "M", "O", "U"])),
        repeats(xad(), 2),
        repeats(xtn(&["PRN", "PRS"]), 2),
        repeats(xtn(&["WPN"]), 2),
    );
    let second = (
        optional(one_of(&["en", "es", "zh", "vi"])),
        optional(one_of(&[
            "M",
            "D",
            "S",
            "W",
            "A^Separated^99LAB",
            "M^Married^HL70002",
            "U",
        ])),
        optional(cwe()),
        optional("000-00-[0-9]{4}"),
        optional(word()),
        optional("[1-9]"),
        optional(cwe()),
        optional(
            prop_oneof![
                stamp().prop_map(|time| (time, String::new())),
                one_of(&["Y", "N"]).prop_map(|dead| (String::new(), dead))
            ]
            .prop_map(|(time, dead)| format!("{time}|{dead}")),
        ),
    );
    (first, second).prop_map(
        |(
            (ids, names, maiden, birth, sex, homes, phones, works),
            (language, marital, religion, ssn, place, order, nation, death),
        )| {
            let (time, dead) = death
                .split_once('|')
                .map_or((String::new(), String::new()), |(a, b)| {
                    (a.to_owned(), b.to_owned())
                });
            segment(
                "PID",
                vec![
                    (3, ids),
                    (5, names),
                    (6, maiden),
                    (7, birth),
                    (8, sex),
                    (11, homes),
                    (13, phones),
                    (14, works),
                    (15, language),
                    (16, marital),
                    (17, religion),
                    (19, ssn),
                    (23, place),
                    (25, order),
                    (28, nation),
                    (29, time),
                    (30, dead),
                ],
            )
        },
    )
}

pub(crate) fn pv1() -> impl Strategy<Value = String> {
    let first = (
        one_of(&["I", "O", "E", "P", "R", "U"]),
        optional(pl()),
        optional(cwe()),
        optional(pl()),
        repeats(xcn(), 2),
        repeats(xcn(), 1),
        optional(cwe()),
    );
    let second = (
        optional(cwe()),
        repeats(xcn(), 1),
        optional(word().prop_map(|number| format!("{number}^^^HOSP^VN"))),
        optional(cwe()),
        optional(stamp()),
        optional(stamp()),
        repeats(cx(), 2),
    );
    (first, second).prop_map(
        |(
            (class, place, kind, prior, attending, referring, service),
            (source, admitting, visit, out, start, end, others),
        )| {
            segment(
                "PV1",
                vec![
                    (2, class),
                    (3, place),
                    (4, kind),
                    (6, prior),
                    (7, attending),
                    (8, referring),
                    (10, service),
                    (14, source),
                    (17, admitting),
                    (19, visit),
                    (36, out),
                    (44, start),
                    (45, end),
                    (50, others),
                ],
            )
        },
    )
}

pub(crate) fn value() -> BoxedStrategy<(String, String, String)> {
    let unit = prop_oneof![
        Just(String::new()),
        one_of(&[
            "mg/dL",
            "mmol/L^^UCUM",
            "mg/dL^milligram per deciliter^UCUM",
            "10*3/uL^^UCUM"
        ])
    ];
    prop_oneof![
        (number(), unit.clone()).prop_map(|(value, unit)| ("NM".into(), value, unit)),
        (one_of(&["<", "<=", ">", ">="]), number(), unit).prop_map(|(mark, value, unit)| (
            "SN".into(),
            format!("{mark}^{value}"),
            unit
        )),
        (number(), number()).prop_map(|(a, b)| ("SN".into(), format!("^{a}^-^{b}"), String::new())),
        (number(), number()).prop_map(|(a, b)| ("SN".into(), format!("^{a}^:^{b}"), String::new())),
        word().prop_map(|text| ("ST".into(), text, String::new())),
        cwe().prop_map(|code| ("CWE".into(), code, String::new())),
        stamp().prop_map(|time| ("TS".into(), time, String::new())),
        prop::collection::vec(word(), 2..4).prop_map(|all| (
            "ST".into(),
            all.join("~"),
            String::new()
        )),
        prop::collection::vec(number(), 2..4).prop_map(|all| (
            "NM".into(),
            all.join("~"),
            String::new()
        )),
        Just((String::new(), String::new(), String::new())),
    ]
    .boxed()
}

pub(crate) fn obx() -> impl Strategy<Value = String> {
    (
        value(),
        cwe(),
        optional(name()),
        optional(word()),
        repeats(one_of(&["H", "L", "HH", "N", "A", "ZZ^odd^99LAB"]), 2),
        one_of(&["P", "F", "C", "A", "X", "W", "I"]),
        optional(stamp()),
        repeats(xcn(), 2),
        optional(cwe()),
        optional(stamp()),
        optional(cwe()),
    )
        .prop_map(
            |(
                (kind, value, unit),
                code,
                sub,
                range,
                flags,
                status,
                time,
                who,
                method,
                analysed,
                site,
            )| {
                segment(
                    "OBX",
                    vec![
                        (2, kind),
                        (3, code),
                        (4, sub),
                        (5, value),
                        (6, unit),
                        (7, range),
                        (8, flags),
                        (11, status),
                        (14, time),
                        (16, who),
                        (17, method),
                        (19, analysed),
                        (20, site),
                    ],
                )
            },
        )
}
