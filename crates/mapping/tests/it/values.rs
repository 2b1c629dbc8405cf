//! The value of OBX-5 is in the chart: no value is lost, none is changed by guessing (HL7 v2
//! 7.4.2.5, 2A).

use fhir::build::Value;
use hl7v2::Message;
use mapping::{Conversion, MapSet, Source};
use proptest::prelude::{Just, ProptestConfig, Strategy, prop, prop_assert, proptest};

pub(crate) fn convert(kind: &str, lines: &[String]) -> Conversion {
    let header = format!("MSH|^~\\&|APP|NORTH|EHR|HOSP|20240105121000-0600||{kind}|1|P|2.5.1");
    let text = format!("{header}\r{}\r", lines.join("\r"));
    MapSet::builtin().forward(&Message::parse(text.into_bytes()), &Source::default())
}

pub(crate) fn json(value: &Value) -> String {
    String::from_utf8(value.to_bytes()).unwrap()
}

/// Returns the segments of a report on a person's specimen.
pub(crate) fn report(results: &[&str]) -> Vec<String> {
    let around = [
        "PID|1||T1^^^HOSP^MR||ZZTEST^JANE||19800102|F",
        "OBR|1|P1^HOSP|F1^LAB|24323-8^CMP^LN|||20240105101500-0600|||||||||||||||20240105120000-0600||CH|F",
    ];
    let all = around.iter().chain(results);
    all.map(|&line| line.to_owned()).collect()
}

pub(crate) fn observations(made: &Conversion) -> Vec<Value> {
    let own = made
        .drafts
        .iter()
        .filter(|draft| draft.resource_type == "Observation");
    own.map(mapping::Draft::whole_value).collect()
}

/// Returns the Observation that one OBX in a report becomes.
pub(crate) fn observation(obx: &str) -> Value {
    let made = convert("ORU^R01^ORU_R01", &report(&[obx]));
    observations(&made).into_iter().next().unwrap()
}

/// Formats the value as a clinician reads it.
fn value(made: &Value) -> String {
    let number = |value: &Value| value.number_text().unwrap_or_default().to_owned();
    let quantity = |value: &Value| {
        let mark = value.text("comparator").unwrap_or_default();
        let digits = value.get("value").map(number).unwrap_or_default();
        let unit = value.text("unit").unwrap_or_default();
        format!("{mark}{digits} {unit}").trim().to_owned()
    };
    let Value::Object(fields) = made else {
        panic!("no object")
    };
    let found = fields.iter().find(|(name, _)| name.starts_with("value"));
    match found {
        Some(("valueQuantity", value)) => quantity(value),
        Some(("valueRange", value)) => {
            let [low, high] =
                ["low", "high"].map(|end| value.get(end).map(quantity).unwrap_or_default());
            format!("{low} - {high}")
        }
        Some(("valueRatio", value)) => {
            let [one, other] =
                ["numerator", "denominator"].map(|part| quantity(value.get(part).unwrap()));
            format!("{one}:{other}")
        }
        Some((_, value)) => value.as_str().map_or_else(|| json(value), str::to_owned),
        None => String::new(),
    }
}

fn severity(obx: &str) -> Option<base::Severity> {
    let made = convert("ORU^R01^ORU_R01", &report(&[obx]));
    let own = made
        .report
        .unusable
        .iter()
        .filter(|one| one.place.segment == *b"OBX");
    own.map(|one| one.severity).max()
}

#[test]
fn each_value_by_its_type_else_by_what_stands_there() {
    for (obx, expected) in [
        // 7.4.2.5, 2A NM: a number; a comparator before one; else the text.
        ("NM|X^X^L||98|mg/dL", "98 mg/dL"),
        ("NM|X^X^L||<0.01|ng/mL", "<0.01 ng/mL"),
        ("NM|X^X^L||>600|mg/dL", ">600 mg/dL"),
        ("NM|X^X^L||<= 5|mg/dL", "<=5 mg/dL"),
        ("NM|X^X^L||\u{2265}5|mg/dL", ">=5 mg/dL"),
        ("NM|X^X^L||1,234|mg/dL", "1,234"),
        ("NM|X^X^L||7,2|mmol/L", "7,2"),
        ("NM|X^X^L||HEMOLYZED|mmol/L", "HEMOLYZED"),
        ("NM|X^X^L||10^3|/uL", "10^3"),
        ("NM|X^X^L||~5|mg/dL", "~5"),
        ("SI|X^X^L||12", "12"),
        // 2A SN.
        ("SN|X^X^L||<^5|mg/dL", "<5 mg/dL"),
        ("SN|X^X^L||^5|mg/dL", "5 mg/dL"),
        ("SN|X^X^L||=^5|mg/dL", "5 mg/dL"),
        ("SN|X^X^L||^10^-^20|mg/dL", "10 mg/dL - 20 mg/dL"),
        ("SN|X^X^L||^1^:^128", "1:128"),
        ("SN|X^X^L||^2^+", "2+"),
        ("SN|X^X^L||<>^5|mg/dL", "<>5"),
        ("SN|X^X^L||>^10^-^20", ">10-20"),
        ("SN|X^X^L||^TNTC|/HPF", "TNTC"),
        ("SN|X^X^L||<5|mg/dL", "<5 mg/dL"),
        ("SN|X^X^L||5|mg/dL", "5 mg/dL"),
        ("NR|X^X^L||5^10", "5 - 10"),
        ("NR|X^X^L||low^10", "low - 10"),
        ("CQ|X^X^L||5^mg", "5 mg"),
        // OBX-2 empty or no type at all.
        ("|X^X^L||98|mg/dL", "98 mg/dL"),
        ("|X^X^L||<5|mg/dL", "<5 mg/dL"),
        ("|X^X^L||No growth after 5 days", "No growth after 5 days"),
        ("NUMERIC|X^X^L||98|mg/dL", "98 mg/dL"),
        ("nm|X^X^L||98|mg/dL", "98 mg/dL"),
        ("TEXT|X^X^L||10^3 cells", "10^3 cells"),
        // Types for which FHIR has no value.
        ("TN|X^X^L||5550101", "5550101"),
        ("PN|X^X^L||TESTDOC^FINN^B.", "FINN B. TESTDOC"),
        (
            "XPN|X^X^L||TESTDOC^FINN^B.^III^DR",
            "DR FINN B. TESTDOC III",
        ),
        ("XCN|X^X^L||9001^TESTDOC^ANN", "ANN TESTDOC 9001"),
        (
            "XAD|X^X^L||1 TEST ST^^TESTVILLE^MI^48001",
            "1 TEST ST, TESTVILLE, MI, 48001",
        ),
        ("CX|X^X^L||123^^^HOSP^MR", "123, HOSP, MR"),
        ("EI|X^X^L||ABC^LAB", "ABC, LAB"),
        (
            "XCN|X^X^L||9001^TESTDOC^ANN~9002^TESTDOC^BEN",
            "ANN TESTDOC 9001\nBEN TESTDOC 9002",
        ),
        ("NA|X^X^L||1^2^3~4^5^6", ""),
        // 2A DTM, TM, DR.
        ("TS|X^X^L||20180703212010+00", "2018-07-03T21:20:10+00:00"),
        ("DT|X^X^L||20180703", "2018-07-03"),
        ("TS|X^X^L||last week", "last week"),
        ("TM|X^X^L||0930", "09:30:00"),
        ("TM|X^X^L||201807030930Z", "2018-07-03T09:30:00Z"),
        (
            "DR|X^X^L||20240105^20240107",
            r#"{"start":"2024-01-05","end":"2024-01-07"}"#,
        ),
        ("ST|X^X^L||a^b&c", "a^b&c"),
    ] {
        let line = format!("OBX|1|{obx}");
        let fields = line.split('|').count();
        let line = format!("{line}{}F", "|".repeat(12 - fields));
        let made = observation(&line);
        assert!(
            made.get("dataAbsentReason").is_none(),
            "{obx}: {}",
            json(&made)
        );
        if !expected.is_empty() {
            assert_eq!(value(&made), expected, "{obx}");
        }
    }
}

#[test]
fn an_error_where_a_final_value_is_none_of_its_type() {
    use base::Severity::{Error, Warning};
    for (obx, expected) in [
        ("OBX|1|NM|X^X^L||98|mg/dL|||||F", None),
        ("OBX|1|NM|X^X^L||<0.01|mg/dL|||||F", Some(Warning)),
        ("OBX|1|NM|X^X^L||see comment|mg/dL|||||F", Some(Error)),
        ("OBX|1|NM|X^X^L||see comment|mg/dL|||||C", Some(Error)),
        ("OBX|1|NM|X^X^L||see comment|mg/dL|||||P", Some(Warning)),
        ("OBX|1|NM|X^X^L||hemolyzed|mg/dL|||||X", Some(Warning)),
        ("OBX|1|NM|X^X^L||1,234|mg/dL|||||F", Some(Error)),
        ("OBX|1|SN|X^X^L||^2^+||||||F", None),
        ("OBX|1|SN|X^X^L||^TNTC||||||F", Some(Error)),
        ("OBX|1||X^X^L||98|mg/dL|||||F", Some(Warning)),
        ("OBX|1|XPN|X^X^L||TESTDOC^ANN||||||F", Some(Warning)),
        ("OBX|1|TS|X^X^L||soon||||||F", Some(Error)),
        ("OBX|1|ST|X^X^L||soon||||||F", None),
    ] {
        assert_eq!(severity(obx), expected, "{obx}");
    }
}

#[test]
fn no_value_beside_a_reason_for_its_absence() {
    let made = observation("OBX|1|NM|X^X^L||98|mg/dL|||||N");
    assert!(made.get("dataAbsentReason").is_none() && made.get("valueQuantity").is_some());
    let made = observation("OBX|1|NM|X^X^L|||mg/dL|||||N");
    assert_eq!(
        made.at("dataAbsentReason.coding[0].code")
            .and_then(Value::as_str),
        Some("not-asked")
    );
    assert!(
        made.get("valueQuantity").is_none(),
        "a unit alone: {}",
        json(&made)
    );
}

#[test]
fn a_null_leaves_no_unit_alone() {
    for kind in ["NM", "SN", "ST", "TX", "CWE", "TS", "TM", "ED", ""] {
        for status in ["F", "C", "P", "X"] {
            let sent = format!("OBX|1|{kind}|718-7^Hemoglobin^LN||\"\"|g/dL|12-16||||{status}");
            let made = convert("ORU^R01^ORU_R01", &report(&[&sent]));
            for result in observations(&made) {
                assert_eq!(value(&result), "", "{sent}: {}", json(&result));
                assert!(result.get("valueQuantity").is_none(), "{sent}");
            }
        }
    }
    // The existing value is removed completely.
    let draft = |value: &str| {
        let obx = format!("OBX|1|NM|718-7^Hemoglobin^LN||{value}|g/dL|||||C");
        let made = convert("ORU^R01^ORU_R01", &report(&[&obx]));
        let own = made
            .drafts
            .into_iter()
            .find(|draft| draft.resource_type == "Observation");
        own.unwrap()
    };
    let known = draft("12.1").apply(None).value;
    assert_eq!(value(&known), "12.1 g/dL");
    let gone = draft("\"\"").apply(Some(&known)).value;
    assert!(gone.get("valueQuantity").is_none(), "{}", json(&gone));
}

#[test]
fn a_source_says_what_its_comma_means() {
    let convert = |word: &str, sent: &str| {
        let map = format!("dialect SITE extends v2\n{word}\n");
        let files = MapSet::builtin_files().iter().copied();
        let (set, faults) = MapSet::read(files.chain([("site.map", map.as_str())]));
        assert!(faults.is_empty(), "{faults:?}");
        let lines = report(&[&format!("OBX|1|NM|X^X^L||{sent}|mg/dL|||||F")]);
        let text = format!(
            "MSH|^~\\&|LAB|N|EHR|H|20240105121000-0600||ORU^R01^ORU_R01|1|P|2.5.1\r{}\r",
            lines.join("\r")
        );
        let source = Source {
            dialect: Some("SITE".into()),
            ..Source::default()
        };
        let made = set.forward(&Message::parse(text.into_bytes()), &source);
        value(&observations(&made)[0])
    };
    assert_eq!(convert("decimal comma", "7,2"), "7.2 mg/dL");
    assert_eq!(convert("decimal comma", "1.234,5"), "1234.5 mg/dL");
    assert_eq!(convert("decimal comma", "<7,2"), "<7.2 mg/dL");
    assert_eq!(convert("decimal comma", "1.234"), "1.234", "either");
    assert_eq!(convert("decimal point", "1,234"), "1234 mg/dL");
    assert_eq!(convert("decimal point", "7,2"), "7,2");
    let wrong = MapSet::with([("site.map", "dialect SITE extends v2\ndecimal dash\n")]);
    assert!(format!("{:?}", wrong.err().unwrap()).contains("a comma or a point"));
}

const AT: &str = "OBR|1||F1|P^P^L|||20240105101500-0600|||||||||||||||20240105120000-0600|||F";
const SPAN: &str = "OBR|1||F1|P^P^L|||20240105-0600|20240106||||||||||||||20240107120000-0600|||F";
const NONE: &str = "OBR|1||F1|P^P^L||||||||||||||||||20240105120000-0600|||F";
const SPM: &str = "SPM|1|S1||119297000^Blood^SCT|||||||||||||20240104";
const BOTH: &str = "SPM|1|S1||119297000^Blood^SCT|||||||||||||20240103^20240104";

#[test]
fn a_time_for_every_result() {
    let timed = |obr: &str, obx14: &str, spm: &str| {
        let lines = [
            "PID|1||T1^^^HOSP^MR||ZZTEST^JANE".to_owned(),
            obr.to_owned(),
            format!("OBX|1|NM|X^X^L||98|mg/dL|||||F|||{obx14}"),
            spm.to_owned(),
        ];
        let made = convert("ORU^R01^ORU_R01", &lines);
        let made = observations(&made).remove(0);
        let period = made.get("effectivePeriod").map(json);
        made.text("effectiveDateTime").map(str::to_owned).or(period)
    };
    for (obr, obx14, spm, expected) in [
        (
            AT,
            "20240105110000-0600",
            SPM,
            Some("2024-01-05T11:00:00-06:00"),
        ),
        (AT, "", SPM, Some("2024-01-05T10:15:00-06:00")),
        (AT, "unknown", SPM, None),
        (AT, "20240105Z", SPM, Some("2024-01-05")),
        (
            SPAN,
            "",
            SPM,
            Some(r#"{"start":"2024-01-05","end":"2024-01-06"}"#),
        ),
        (NONE, "", SPM, Some("2024-01-04")),
        (
            NONE,
            "",
            BOTH,
            Some(r#"{"start":"2024-01-03","end":"2024-01-04"}"#),
        ),
        // 7.4.1.22: OBR-22 is when the report came out.
        (NONE, "", "NTE|1", None),
    ] {
        assert_eq!(
            timed(obr, obx14, spm).as_deref(),
            expected,
            "{obr} {obx14} {spm}"
        );
    }
}

fn kinds() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "NM", "SN", "ST", "TX", "FT", "CWE", "CE", "CNE", "IS", "ID", "TS", "DTM", "DT", "TM",
        "DR", "NR", "CQ", "SI", "", "PN", "XPN", "XCN", "XAD", "CX", "EI", "TN", "XTN", "PL", "HD",
        "MO", "NA", "NUMBER", "ZZ", "nm",
    ])
}

fn sent() -> impl Strategy<Value = String> {
    let text = "[A-Za-z0-9<>=+.,:/%()*#-]{1,10}( [A-Za-z0-9.]{1,6})?";
    prop::collection::vec(text, 1..5)
        .prop_flat_map(|words| {
            let marks = prop::collection::vec(
                prop::sample::select(vec!["^", "&", "^^", "~", "^"]),
                words.len(),
            );
            (Just(words), marks)
        })
        .prop_map(|(words, marks)| {
            let parts = words
                .iter()
                .zip(&marks)
                .map(|(word, mark)| format!("{word}{mark}"));
            let text: String = parts.collect();
            text.trim_end_matches(['^', '&', '~']).to_owned()
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// A final result is present whatever its value and its declared type: every number and word of
    /// it, and no reason for its absence beside it.
    #[test]
    fn a_value_that_was_sent_is_there(kind in kinds(), sent in sent(), unit in prop::sample::select(vec!["", "mg/dL", "10^3/uL"])) {
        let obx = format!("OBX|1|{kind}|X^X^L||{sent}|{unit}|||||F");
        let made = observation(&obx);
        let text = json(&made);
        prop_assert!(made.get("dataAbsentReason").is_none(), "{} became {}", obx, text);
        let is_lone_unit = made.get("valueQuantity").is_some_and(|value| value.get("value").is_none());
        prop_assert!(!is_lone_unit, "{} became {}", obx, text);
        let coded = matches!(kind, "CWE" | "CE" | "CNE" | "IS" | "ID") || made.get("valueCodeableConcept").is_some();
        let report = convert("ORU^R01^ORU_R01", &report(&[&obx])).report;
        let told = report.unmapped.iter().any(|entry| entry.place.segment == *b"OBX" && entry.place.field == 5);
        // The unit is present too: in the quantity, or beside a value that is not one.
        let is_unit_there = unit.is_empty() || text.contains(&format!("\"unit\":\"{unit}\""));
        prop_assert!(is_unit_there, "{} became {}", obx, text);
        if coded && told {
            // A code has nine parts; any further ones are reported.
            return Ok(());
        }
        // The third component names a coding system, which becomes its URI.
        let sent: String = if coded {
            sent.split('^').take(2).collect::<Vec<_>>().join(" ")
        } else {
            sent.clone()
        };
        for word in sent.split(|c: char| !c.is_alphanumeric()).filter(|word| 1 < word.len()) {
            let digits = word.trim_start_matches('0');
            prop_assert!(text.contains(word) || text.contains(digits), "{} of {} is not in {}", word, obx, text);
        }
    }
}

/// A unit beside a text becomes an extension and goes back to OBX-6 with its code and system. One
/// line of TX comes back as ST, like every one-line text.
#[test]
fn a_unit_beside_a_text_comes_back() {
    for (kind, sent, unit) in [
        ("ST", "5-10", "/HPF"),
        ("ST", "1,234", "mg/dL^milligram per deciliter^UCUM"),
        ("ST", "about 5", "mL"),
        ("TX", "about 5", "mL"),
        ("CWE", "A^about 5^L", "mL"),
    ] {
        let lines = report(&[&format!("OBX|1|{kind}|X^X^L||{sent}|{unit}|||||F")]);
        let made = convert("ORU^R01^ORU_R01", &lines);
        let written = crate::narrative::back(&made);
        let obx = written
            .iter()
            .find(|line| line.starts_with("OBX|"))
            .unwrap();
        let field = |n: usize| obx.split('|').nth(n).unwrap_or_default();
        let kind = if kind == "TX" { "ST" } else { kind };
        assert_eq!([field(2), field(5), field(6)], [kind, sent, unit]);
    }
}

/// The results of a laboratory of the synthetic town, including words in numeric fields: each final
/// result with a value has it, and its time.
#[test]
fn simulated_results_have_their_values() {
    let options = simulate::Options {
        n_patients: 60,
        ..simulate::Options::default()
    };
    let (mut n_results, mut n_words) = (0, 0);
    for sent in simulate::Simulation::new(options) {
        let message = Message::parse(sent.bytes.clone());
        if message.code() != "ORU" {
            continue;
        }
        let made = MapSet::builtin().forward(&message, &Source::default());
        let in_words = |one: &&mapping::Unusable| one.why.contains("does not conform to the type");
        n_words += made.report.unusable.iter().filter(in_words).count();
        let sent = message.named("OBX").filter(|obx| !obx.field(5).is_empty());
        let n_sent = sent.count();
        for result in observations(&made) {
            n_results += 1;
            let is_final = matches!(
                result.text("status"),
                Some("final" | "corrected" | "amended")
            );
            let absent = result.get("dataAbsentReason").is_some();
            assert!(!is_final || n_sent == 0 || !absent, "{}", json(&result));
            let timed = ["effectiveDateTime", "effectivePeriod"];
            assert!(
                timed.iter().any(|name| result.get(name).is_some()),
                "{}",
                json(&result)
            );
        }
    }
    assert!(
        500 < n_results && 0 < n_words,
        "{n_results} results, {n_words} with words"
    );
}
