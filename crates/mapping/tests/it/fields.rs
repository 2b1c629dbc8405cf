//! Generators of fields in their normal form: no trailing empty parts, the `<->` spelling of codes,
//! given names from the first on, defaults filled in.

use proptest::prelude::*;

pub(crate) fn word() -> impl Strategy<Value = String> {
    "[A-Z][A-Za-z0-9&|^~\\\\ ü]{0,8}[a-z]".prop_map(|text| escape(&text))
}

/// Generates a word without spaces: given names after the first are split at spaces.
pub(crate) fn name() -> impl Strategy<Value = String> {
    "[A-Z][A-Za-z'ü-]{0,8}"
}

pub(crate) fn escape(text: &str) -> String {
    let delimiters = hl7v2::Delimiters::default();
    let bytes = hl7v2::escape::escape(text, &delimiters, hl7v2::Charset::UTF_8);
    String::from_utf8(bytes).unwrap()
}

pub(crate) fn date() -> impl Strategy<Value = String> {
    (1900..2030_u32, 1..13_u32, 1..29_u32, 0..3_u8).prop_map(
        |(year, month, day, parts)| match parts {
            0 => format!("{year}"),
            1 => format!("{year}{month:02}"),
            _ => format!("{year}{month:02}{day:02}"),
        },
    )
}

pub(crate) fn stamp() -> impl Strategy<Value = String> {
    let time = (date(), 0..24_u32, 0..60_u32, 0..60_u32, prop::bool::ANY);
    time.prop_map(|(date, hour, minute, second, west)| match date.len() {
        8 => format!(
            "{date}{hour:02}{minute:02}{second:02}{}",
            if west { "-0600" } else { "+0100" }
        ),
        _ => date,
    })
}

pub(crate) fn optional(strategy: impl Strategy<Value = String> + 'static) -> BoxedStrategy<String> {
    prop_oneof![1 => Just(String::new()), 2 => strategy].boxed()
}

pub(crate) fn one_of(codes: &'static [&'static str]) -> BoxedStrategy<String> {
    prop::sample::select(codes).prop_map(str::to_owned).boxed()
}

pub(crate) fn join(parts: &[String], separator: char) -> String {
    let mut text = parts.join(&separator.to_string());
    while text.ends_with(separator) {
        text.pop();
    }
    text
}

pub(crate) fn repeats(strategy: BoxedStrategy<String>, most: usize) -> BoxedStrategy<String> {
    prop::collection::vec(strategy, 0..=most)
        .prop_map(|all| all.join("~"))
        .boxed()
}

pub(crate) fn hd() -> BoxedStrategy<String> {
    prop_oneof![
        name(),
        (name(), "[1-9]\\.[1-9]{1,3}\\.[1-9]{1,4}")
            .prop_map(|(name, oid)| format!("{name}&{oid}&ISO")),
        "[1-9]\\.[1-9]{1,3}\\.[1-9]{1,4}".prop_map(|oid| format!("&{oid}&ISO")),
    ]
    .boxed()
}

pub(crate) fn cx() -> BoxedStrategy<String> {
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

pub(crate) fn xpn() -> BoxedStrategy<String> {
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

pub(crate) fn xad() -> BoxedStrategy<String> {
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

pub(crate) fn xtn(uses: &'static [&'static str]) -> BoxedStrategy<String> {
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

pub(crate) fn cwe() -> BoxedStrategy<String> {
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

pub(crate) fn xcn() -> BoxedStrategy<String> {
    let person = ("[1-9][0-9]{8}", word(), name(), optional(name()));
    let titles = (optional(one_of(&["JR", "III"])), optional(one_of(&["DR"])));
    (
        person,
        titles,
        optional(hd()),
        optional(one_of(&["NPI", "DN"])),
    )
        .prop_map(
            |((id, family, given, middle), (suffix, prefix), authority, kind)| {
                let mut parts = vec![id, family, given, middle, suffix, prefix];
                parts.resize(8, String::new());
                parts.push(authority);
                parts.resize(12, String::new());
                parts.push(kind);
                join(&parts, '^')
            },
        )
        .boxed()
}

pub(crate) fn segment(name: &str, fields: Vec<(usize, String)>) -> String {
    let last = fields.iter().map(|(number, _)| *number).max().unwrap_or(0);
    let mut all = vec![String::new(); last + 1];
    name.clone_into(&mut all[0]);
    for (number, text) in fields {
        all[number] = text;
    }
    join(&all, '|')
}

/// Generates a level of a place: a name, or a name with its universal ID.
fn level() -> BoxedStrategy<String> {
    prop_oneof![
        3 => name(),
        1 => (name(), "[1-9]\\.[1-9]{1,3}\\.[1-9]{1,4}").prop_map(|(name, oid)| format!("{name}&{oid}&ISO")),
        1 => (name(), "[0-9]{2}D[0-9]{4}").prop_map(|(name, id)| format!("{name}&{id}&CLIA")),
    ]
    .boxed()
}

pub(crate) fn pl() -> BoxedStrategy<String> {
    let levels = (
        optional(level()),
        optional(level()),
        optional(level()),
        level(),
        optional(level()),
        optional(level()),
    );
    levels
        .prop_map(|(unit, room, bed, site, building, floor)| {
            let none = String::new;
            join(
                &[unit, room, bed, site, none(), none(), building, floor],
                '^',
            )
        })
        .boxed()
}

pub(crate) fn number() -> impl Strategy<Value = String> {
    prop_oneof!["-?[1-9][0-9]{0,4}", "0\\.[0-9]{1,4}", "[1-9]\\.[0-9]{0,2}0"]
}
