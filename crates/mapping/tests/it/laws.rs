//! Law 2 of the maps: what goes forward comes back, what is applied twice is applied once.
//!
//! The generators write messages in their normal form: no trailing empty parts, the `<->` spelling of
//! codes, given names from the first on, defaults filled in. `normal_form` tests the other spellings.

use fhir::build::Value;
use hl7v2::Message;
use mapping::{Conversion, MapSet, Source};
use proptest::prelude::*;

const HEADER: &str = "MSH|^~\\&|LAB|NORTH|EHR|HOSP|20240105101600-0600||ADT^A08^ADT_A01|1|P|2.5.1";

fn word() -> impl Strategy<Value = String> {
    "[A-Z][A-Za-z0-9&|^~\\\\ ü]{0,8}[a-z]".prop_map(|text| escape(&text))
}

/// A word without spaces: given names after the first are split at them.
fn name() -> impl Strategy<Value = String> {
    "[A-Z][A-Za-z'ü-]{0,8}"
}

fn escape(text: &str) -> String {
    let delimiters = hl7v2::Delimiters::default();
    let bytes = hl7v2::escape::escape(text, &delimiters, hl7v2::Charset::UTF_8);
    String::from_utf8(bytes).unwrap()
}

fn date() -> impl Strategy<Value = String> {
    (1900..2030_u32, 1..13_u32, 1..29_u32, 0..3_u8).prop_map(
        |(year, month, day, parts)| match parts {
            0 => format!("{year}"),
            1 => format!("{year}{month:02}"),
            _ => format!("{year}{month:02}{day:02}"),
        },
    )
}

fn stamp() -> impl Strategy<Value = String> {
    let time = (date(), 0..24_u32, 0..60_u32, 0..60_u32, prop::bool::ANY);
    time.prop_map(|(date, hour, minute, second, west)| match date.len() {
        8 => format!(
            "{date}{hour:02}{minute:02}{second:02}{}",
            if west { "-0600" } else { "+0100" }
        ),
        _ => date,
    })
}

fn optional(strategy: impl Strategy<Value = String> + 'static) -> BoxedStrategy<String> {
    prop_oneof![1 => Just(String::new()), 2 => strategy].boxed()
}

fn one_of(codes: &'static [&'static str]) -> BoxedStrategy<String> {
    prop::sample::select(codes).prop_map(str::to_owned).boxed()
}

fn join(parts: &[String], separator: char) -> String {
    let mut text = parts.join(&separator.to_string());
    while text.ends_with(separator) {
        text.pop();
    }
    text
}

fn repeats(strategy: BoxedStrategy<String>, most: usize) -> BoxedStrategy<String> {
    prop::collection::vec(strategy, 0..=most)
        .prop_map(|all| all.join("~"))
        .boxed()
}

fn hd() -> BoxedStrategy<String> {
    prop_oneof![
        name(),
        (name(), "[1-9]\\.[1-9]{1,3}\\.[1-9]{1,4}")
            .prop_map(|(name, oid)| format!("{name}&{oid}&ISO")),
        "[1-9]\\.[1-9]{1,3}\\.[1-9]{1,4}".prop_map(|oid| format!("&{oid}&ISO")),
    ]
    .boxed()
}

fn cx() -> BoxedStrategy<String> {
    (
        word(),
        optional(hd()),
        optional(one_of(&["MR", "PI", "PT", "AN", "VS"])),
        optional(date()),
    )
        .prop_map(|(value, authority, kind, start)| {
            let parts = [
                value,
                String::new(),
                String::new(),
                authority,
                kind,
                String::new(),
                start,
            ];
            join(&parts, '^')
        })
        .boxed()
}

fn xpn() -> BoxedStrategy<String> {
    let given = (
        name(),
        optional(prop::collection::vec(name(), 1..3).prop_map(|all| all.join(" "))),
    );
    (
        word(),
        given,
        optional(name()),
        optional(name()),
        optional(one_of(&["L", "D", "M", "N", "BAD", "MSK", "TEMP"])),
    )
        .prop_map(|(family, (first, rest), suffix, prefix, kind)| {
            join(
                &[family, first, rest, suffix, prefix, String::new(), kind],
                '^',
            )
        })
        .boxed()
}

fn xad() -> BoxedStrategy<String> {
    (
        word(),
        optional(word()),
        optional(word()),
        optional(name()),
        optional("[0-9]{5}"),
        optional(one_of(&["H", "O", "C", "BA", "BI", "M"])),
        optional(word()),
    )
        .prop_map(|(line, other, city, state, zip, kind, county)| {
            join(
                &[
                    line,
                    other,
                    city,
                    state,
                    zip,
                    "USA".into(),
                    kind,
                    String::new(),
                    county,
                ],
                '^',
            )
        })
        .boxed()
}

fn xtn(uses: &'static [&'static str]) -> BoxedStrategy<String> {
    prop_oneof![
        (one_of(uses), one_of(&["PH", "FX", "BP"]), "555-01[0-9]{2}")
            .prop_map(|(used, kind, number)| format!("{number}^{used}^{kind}")),
        (one_of(uses), "[a-z]{1,8}@example\\.org")
            .prop_map(|(used, mail)| format!("^{used}^Internet^{mail}")),
        (one_of(uses), "01[0-9]{2}")
            .prop_map(|(used, local)| format!("^{used}^PH^^1^555^555{local}")),
    ]
    .boxed()
}

fn cwe() -> BoxedStrategy<String> {
    let coding = (
        word(),
        optional(word()),
        one_of(&["LN", "SCT", "L", "99LAB", "HL70123"]),
    )
        .prop_map(|(code, display, system)| [code, display, system]);
    let second = prop_oneof![
        Just([String::new(), String::new(), String::new()]),
        (word(), optional(word()), one_of(&["LN", "L"])).prop_map(|(a, b, c)| [a, b, c])
    ];
    (coding, second, optional(word()))
        .prop_map(|(first, second, text)| {
            let mut parts: Vec<String> = first.into_iter().chain(second).collect();
            parts.extend([String::new(), String::new(), text]);
            join(&parts, '^')
        })
        .boxed()
}

fn xcn() -> BoxedStrategy<String> {
    ("[1-9][0-9]{3}", word(), name(), optional(hd()))
        .prop_map(|(id, family, given, authority)| {
            let mut parts = vec![id, family, given];
            parts.resize(8, String::new());
            parts.push(authority);
            join(&parts, '^')
        })
        .boxed()
}

fn segment(name: &str, fields: Vec<(usize, String)>) -> String {
    let last = fields.iter().map(|(number, _)| *number).max().unwrap_or(0);
    let mut all = vec![String::new(); last + 1];
    name.clone_into(&mut all[0]);
    for (number, text) in fields {
        all[number] = text;
    }
    join(&all, '|')
}

fn pid() -> impl Strategy<Value = String> {
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
        optional(cwe()),
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

fn pl() -> BoxedStrategy<String> {
    (
        name(),
        optional("[0-9]{3}"),
        optional(one_of(&["A", "B"])),
        optional(name()),
    )
        .prop_map(|(unit, room, bed, site)| join(&[unit, room, bed, site], '^'))
        .boxed()
}

fn pv1() -> impl Strategy<Value = String> {
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

fn number() -> impl Strategy<Value = String> {
    prop_oneof!["-?[1-9][0-9]{0,4}", "0\\.[0-9]{1,4}", "[1-9]\\.[0-9]{0,2}0"]
}

fn value() -> BoxedStrategy<(String, String, String)> {
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

fn obx() -> impl Strategy<Value = String> {
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

fn forward(segment: &str, resource_type: &str) -> Conversion {
    let message = Message::parse(format!("{HEADER}\r{segment}\r").into_bytes());
    MapSet::builtin().forward_segments(&message, &Source::default(), resource_type)
}

fn back(conversion: &Conversion, resource_type: &str, name: &str) -> String {
    let segments = MapSet::builtin().back_segments(conversion, resource_type, &[name]);
    let texts = segments
        .into_iter()
        .map(|segment| String::from_utf8(segment).unwrap());
    texts.collect::<Vec<String>>().join("\r")
}

fn resource(conversion: &Conversion, resource_type: &str) -> Value {
    let own = conversion
        .drafts
        .iter()
        .find(|draft| draft.resource_type == resource_type);
    own.unwrap_or_else(|| panic!("no {resource_type}"))
        .value()
        .clone()
}

/// Full urls come from the message's bytes: only what they lead to is compared.
fn without_urls(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(without_urls),
        Value::Object(fields) => {
            if fields.contains("reference") {
                fields.set("reference", "somewhere");
            }
            fields.values_mut().for_each(without_urls);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn holds(segment: &str, resource_type: &str) -> Result<(), TestCaseError> {
    let name = &segment[..3];
    let conversion = forward(segment, resource_type);
    let made = resource(&conversion, resource_type);
    let text = String::from_utf8(made.to_bytes()).unwrap();
    // 2a: B(F(m)) = N(m). PV1's counters and OBX-2 of an empty value are nothing's source.
    let returned = back(&conversion, resource_type, name);
    prop_assert_eq!(&returned, segment, "law 2a, from {}", text);
    // 2b: F(B(r)) = r.
    let again = forward(&returned, resource_type);
    let (mut one, mut two) = (made.clone(), resource(&again, resource_type));
    without_urls(&mut one);
    without_urls(&mut two);
    prop_assert!(
        one == two,
        "law 2b: {} became {}",
        text,
        String::from_utf8(two.to_bytes()).unwrap()
    );
    // 2c: F(m, F(m, r)) = F(m, r).
    let draft = conversion
        .drafts
        .iter()
        .find(|draft| draft.resource_type == resource_type)
        .unwrap();
    let once = draft.apply(None);
    let twice = draft.apply(Some(&once.value));
    prop_assert!(
        !twice.changed,
        "law 2c: {} became {}",
        text,
        String::from_utf8(twice.value.to_bytes()).unwrap()
    );
    let mut paths: Vec<String> = once
        .lineage
        .iter()
        .map(|line| line.element.clone())
        .collect();
    let mut after: Vec<String> = twice
        .lineage
        .iter()
        .map(|line| line.element.clone())
        .collect();
    paths.sort();
    after.sort();
    prop_assert_eq!(paths, after, "lineage after applying twice");
    // 4: every lineage path leads to a value.
    for line in &once.lineage {
        prop_assert!(
            once.value.at(&line.element).is_some(),
            "law 4: {} leads nowhere in {}",
            line.element,
            text
        );
    }
    // 1: the report adds up.
    adds_up(segment, &conversion)?;
    Ok(())
}

fn adds_up(segment: &str, conversion: &Conversion) -> Result<(), TestCaseError> {
    let report = &conversion.report;
    let n_fields = segment
        .split('|')
        .skip(1)
        .filter(|field| !field.is_empty())
        .count();
    let name = &segment.as_bytes()[..3];
    let mut places: Vec<String> = [&report.mapped, &report.dropped, &report.unmapped]
        .into_iter()
        .flatten()
        .filter(|entry| entry.place.segment == name)
        .map(|entry| entry.place.whole_field().to_string())
        .collect();
    places.sort();
    places.dedup();
    prop_assert_eq!(places.len(), n_fields, "law 1: {:?} of {}", places, segment);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn pid_survives(segment in pid()) {
        holds(&segment, "Patient")?;
    }

    #[test]
    fn pv1_survives(segment in pv1()) {
        holds(&segment, "Encounter")?;
    }

    #[test]
    fn obx_survives(segment in obx()) {
        holds(&segment, "Observation")?;
    }
}
