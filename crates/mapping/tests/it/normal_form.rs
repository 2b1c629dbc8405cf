//! Law 2d: the normal form N, which is what comes back: N(N(m)) = N(m), the resource stays the
//! same, and N changes only what the law lists. One row for each item of the list.

use crate::laws::{back, forward, resource, without_urls};
use crate::segments::{obx, pid, pv1};
use proptest::prelude::*;

/// The clause, the resource, the segment as a sender wrote it, and its normal form.
const ROWS: [(&str, &str, &str, &str); 22] = [
    (
        "trailing empties",
        "Patient",
        "PID|||1^^^^MR^^^||DOE^^||||",
        "PID|||1^^^^MR||DOE",
    ),
    ("trailing empty repeats", "Patient", "PID|||1~~", "PID|||1"),
    (
        "a default",
        "Patient",
        "PID|||1||||||||||555-0100^^PH",
        "PID|||1||||||||||555-0100^PRN^PH",
    ),
    (
        "spelling of a code",
        "Patient",
        "PID|||1|||||A",
        "PID|||1|||||O",
    ),
    (
        "spelling of a status",
        "Observation",
        "OBX||ST|A^^L||x||||||D",
        "OBX||ST|A^^L||x||||||W",
    ),
    (
        "a code alone",
        "Patient",
        "PID|||1|||||F^Female^HL70001",
        "PID|||1|||||F",
    ),
    (
        "the first of in",
        "Observation",
        "OBX||CE|A^^L||B^^L||||||F",
        "OBX||CWE|A^^L||B^^L||||||F",
    ),
    (
        "the first of in: times",
        "Observation",
        "OBX||DTM|A^^L||2024||||||F",
        "OBX||TS|A^^L||2024||||||F",
    ),
    (
        "the first of in: texts",
        "Observation",
        "OBX||FT|A^^L||x||||||F",
        "OBX||ST|A^^L||x||||||F",
    ),
    (
        "zero seconds",
        "Encounter",
        "PV1||I||||||||||||||||||||||||||||||||||||||||||202401051015-0600",
        "PV1||I||||||||||||||||||||||||||||||||||||||||||20240105101500-0600",
    ),
    (
        "the source's offset",
        "Encounter",
        "PV1||I||||||||||||||||||||||||||||||||||||||||||20240105101500",
        "PV1||I||||||||||||||||||||||||||||||||||||||||||20240105101500-0600",
    ),
    (
        "list positions",
        "Patient",
        "PID|||1||DOE^^JANE",
        "PID|||1||DOE^JANE",
    ),
    (
        "a sign and zeros",
        "Observation",
        "OBX||NM|A^^L||+07.20||||||F",
        "OBX||NM|A^^L||7.20||||||F",
    ),
    (
        "no digit is lost",
        "Observation",
        "OBX||NM|A^^L||7.20||||||F",
        "OBX||NM|A^^L||7.20||||||F",
    ),
    (
        "a precise date stays",
        "Patient",
        "PID|||1||||19800102",
        "PID|||1||||19800102",
    ),
    (
        "a year stays a year",
        "Patient",
        "PID|||1||||1980",
        "PID|||1||||1980",
    ),
    (
        "a unit's spelling stays",
        "Observation",
        "OBX||NM|A^^L||1|Mg/DL|||||F",
        "OBX||NM|A^^L||1|Mg/DL|||||F",
    ),
    (
        "an unknown code stays",
        "Observation",
        "OBX||ST|A^^L||x|||ZZ^odd^99LAB|||F",
        "OBX||ST|A^^L||x|||ZZ^odd^99LAB|||F",
    ),
    (
        "escapes stay",
        "Patient",
        "PID|||1||D\\T\\E",
        "PID|||1||D\\T\\E",
    ),
    (
        "order of repeats stays",
        "Patient",
        "PID|||2~1",
        "PID|||2~1",
    ),
    (
        "an own sub-id stays",
        "Observation",
        "OBX||ST|A^^L|1.2|x||||||F",
        "OBX||ST|A^^L|1.2|x||||||F",
    ),
    (
        "a third spelling of a code",
        "Patient",
        "PID|||1|||||N",
        "PID|||1|||||O",
    ),
];

fn normal(segment: &str, resource_type: &str) -> String {
    back(
        &forward(segment, resource_type),
        resource_type,
        &segment[..3],
    )
}

fn made_of(segment: &str, resource_type: &str) -> String {
    let mut value = resource(&forward(segment, resource_type), resource_type);
    without_urls(&mut value);
    String::from_utf8(value.to_bytes()).unwrap()
}

#[test]
fn each_thing_on_the_list() {
    for (clause, resource_type, sent, expected) in ROWS {
        let once = normal(sent, resource_type);
        assert_eq!(once, expected, "{clause}");
        assert_eq!(
            normal(&once, resource_type),
            once,
            "{clause}: N(N(m)) = N(m)"
        );
        let (one, other) = (made_of(sent, resource_type), made_of(&once, resource_type));
        assert_eq!(one, other, "{clause}: another resource");
    }
}

/// Adds empty parts at the ends of fields, repeats and the segment.
fn untidy(segment: &str, at: usize, trailing: &str) -> String {
    let mut fields: Vec<String> = segment.split('|').map(str::to_owned).collect();
    // The end of a text belongs to it.
    let is_text = |n: usize| segment.starts_with("OBX") && [4, 5, 7].contains(&n);
    let valued: Vec<usize> = (1..fields.len())
        .filter(|n| !fields[*n].is_empty() && !is_text(*n))
        .collect();
    if let Some(field) = valued.get(at % valued.len().max(1)) {
        fields[*field].push_str(trailing);
    }
    fields.join("|") + "||"
}

fn stays(
    segment: &str,
    resource_type: &str,
    (at, trailing): (usize, &str),
) -> Result<(), TestCaseError> {
    let sent = untidy(segment, at, trailing);
    prop_assert_eq!(normal(&sent, resource_type), segment, "N({})", sent);
    prop_assert_eq!(normal(segment, resource_type), segment, "N(N(m)) = N(m)");
    Ok(())
}

fn trailing() -> impl Strategy<Value = (usize, &'static str)> {
    (
        0..40_usize,
        prop::sample::select(vec!["", "^", "^^^", "&", "~", "~~", "^~"]),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn a_patient_stays(segment in pid(), how in trailing()) {
        stays(&segment, "Patient", how)?;
    }

    #[test]
    fn a_visit_stays(segment in pv1(), how in trailing()) {
        stays(&segment, "Encounter", how)?;
    }

    #[test]
    fn a_result_stays(segment in obx(), how in trailing()) {
        stays(&segment, "Observation", how)?;
    }
}
