//! No word is lost (HL7 v2 2.5.3: a type without components is not divided): wherever a row reads a
//! text, every word of it reaches a resource, whatever separators its sender left unescaped in it.

use crate::values::{convert, json, observation, observations, report};
use fhir::build::Value;
use hl7v2::{Dictionary, Message};
use mapping::{Conversion, MapSet, Source};
use proptest::prelude::*;
use std::fmt::Write;

/// Messages that contain most of the segments of the maps.
const MESSAGES: [(&str, &[&str]); 6] = [
    (
        "ADT^A01^ADT_A01",
        &[
            "EVN|A01|20240105101500-0600",
            "PID|1||1^^^HOSP^MR||DOE^JANE",
            "PD1||",
            "NK1|1|DOE^JOHN|FTH",
            "PV1|1|I|||||||||||||||||V1^^^HOSP^VN",
            "PV2||",
            "AL1|1|DA|70618^Penicillin^L",
            "DG1|1||E11.9^Diabetes^I10C",
            "PR1|1||30767^Scan^L||20240105",
            "GT1|1||DOE^JOHN",
            "IN1|1|PLAN^Plan^L|77|Payer",
        ],
    ),
    (
        "ORU^R01^ORU_R01",
        &[
            "PID|1||1^^^HOSP^MR||DOE^JANE",
            "ORC|RE|P1^HOSP|F1^LAB",
            "OBR|1|P1^HOSP|F1^LAB|24323-8^Panel^LN|||20240105101500-0600",
            "OBX|1|ST|8251-1^Comment^LN||clear||||||F",
            "NTE|1|L|verified",
            "SPM|1|S1||119297000^Blood^SCT",
        ],
    ),
    (
        "OML^O21^OML_O21",
        &[
            "PID|1||1^^^HOSP^MR||DOE^JANE",
            "ORC|NW|P1^HOSP",
            "OBR|1|P1^HOSP||24323-8^Panel^LN",
            "NTE|1|P|fasting",
        ],
    ),
    (
        "RDE^O11^RDE_O11",
        &[
            "PID|1||1^^^HOSP^MR||DOE^JANE",
            "ORC|NW|P1^HOSP|F1^PHARM",
            "RXE||860975^Metformin^RXNORM|1||TAB",
            "RXR|PO^Oral^HL70162",
            "TQ1|1||BID",
        ],
    ),
    (
        "VXU^V04^VXU_V04",
        &[
            "PID|1||1^^^HOSP^MR||DOE^JANE",
            "ORC|RE|P1^HOSP|F1^WEST",
            "RXA|0|1|20240105||20^DTaP^CVX|0.5|mL^mL^UCUM||||||||L1|||||CP",
            "RXR|IM^Intramuscular^HL70162",
        ],
    ),
    (
        "SIU^S12^SIU_S12",
        &[
            "SCH|A1^HOSP|||||CHECK^Check-up^L|||30|min|^^^20240105101500-0600^20240105104500-0600",
            "NTE|1|P|bring papers",
            "PID|1||1^^^HOSP^MR||DOE^JANE",
            "AIP|1||9001^TESTDOC^ANN",
            "AIL|1||ROOM1^^^HOSP",
        ],
    ),
];

/// Returns the segment with that text at a field's component; 0 is the field.
fn with(line: &str, field: usize, component: usize, text: &str) -> String {
    let mut fields: Vec<String> = line.split('|').map(str::to_owned).collect();
    fields.resize(fields.len().max(field + 1), String::new());
    let mut parts: Vec<&str> = fields[field].split('^').collect();
    fields[field] = match component {
        0 => text.to_owned(),
        n => {
            parts.resize(parts.len().max(n), "");
            parts[n - 1] = text;
            parts.join("^")
        }
    };
    fields.join("|")
}

/// Returns every field and component that the dictionary declares as a text, with the separators
/// that do not belong there.
fn places(name: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for number in 1..=60 {
        let Some(field) = Dictionary::newest_field(name, number) else {
            continue;
        };
        if Dictionary::is_text(field.datatype) {
            found.push((number, 0));
        }
        for part in 1..=22 {
            let component = Dictionary::newest_component(field.datatype, part);
            if component.is_some_and(|part| Dictionary::is_text(part.datatype)) {
                found.push((number, part));
            }
        }
    }
    found
}

fn says(made: &Conversion, words: &[&str]) -> bool {
    let all: String = made
        .drafts
        .iter()
        .map(|draft| json(draft.value()))
        .collect();
    words.iter().all(|word| all.contains(word))
}

/// Returns the separators at which a text is cut in that field of the segment; empty if no row
/// reads a text there.
fn cut_at(
    kind: &str,
    lines: &[&str],
    at: usize,
    (field, component): (usize, usize),
) -> Option<Vec<String>> {
    let sent = |text: &str| {
        let mut own: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
        own[at] = with(lines[at], field, component, text);
        convert(kind, &own)
    };
    // A row that reads a code leaves its words to the table: it maps no text.
    if !says(&sent("Wordone Wordtwo"), &["Wordone Wordtwo"]) {
        return None;
    }
    let separators: &[&str] = match component {
        0 => &["&", " & ", " ^ "],
        _ => &["&", " & "],
    };
    let is_cut = |separator: &&&str| {
        let made = sent(&format!("Wordone{separator}Wordtwo"));
        !says(&made, &["Wordone", "Wordtwo"])
    };
    let cut = separators.iter().filter(is_cut);
    let name = &lines[at][..3];
    let told = cut.map(|separator| format!("{kind} {name}-{field}.{component} {separator:?}"));
    Some(told.collect())
}

#[test]
fn every_word_of_every_text_comes_through() {
    let mut n_tried = 0;
    let mut found = Vec::new();
    for (kind, lines) in MESSAGES {
        for (at, line) in lines.iter().enumerate() {
            for place in places(&line[..3]) {
                let cut = cut_at(kind, lines, at, place);
                n_tried += usize::from(cut.is_some());
                found.extend(cut.into_iter().flatten());
            }
        }
    }
    assert!(300 < n_tried, "only {n_tried} places");
    assert!(found.is_empty(), "{n_tried} tried, cut: {found:#?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Texts of any words arrive as sent, in one element, with a warning.
    #[test]
    fn a_text_is_as_it_was_sent(
        words in prop::collection::vec("[A-Za-z0-9/%.,()-]{1,8}", 2..5),
        marks in prop::collection::vec(prop::sample::select(vec!["&", " & ", "&&"]), 4),
    ) {
        let mut text = words[0].clone();
        for (word, mark) in words[1..].iter().zip(&marks) {
            text.push_str(mark);
            text.push_str(word);
        }
        let made = convert("ADT^A01^ADT_A01", &[
            "PID|1||1^^^HOSP^MR||DOE^JANE".to_owned(),
            "PV1|1|I|||||||||||||||||V1^^^HOSP^VN".to_owned(),
            format!("AL1|1|DA|70618^{text}^L|SV|{text}"),
            format!("DG1|1||E11.9^{text}^I10C|{text}"),
        ]);
        let all: String = made.drafts.iter().map(|draft| json(draft.value())).collect();
        let n_there = all.matches(&format!("\"{text}\"")).count();
        prop_assert!(4 <= n_there, "{} in {}", text, all);
        let warned = made.report.unusable.iter().filter(|one| one.replaced && one.code == "structure");
        prop_assert!(4 <= warned.count());
    }
}

#[test]
fn units_are_whole() {
    for (sent, unit, code) in [
        ("10^3/uL", "10^3/uL", None),
        ("mL/min/1.73 m^2", "mL/min/1.73 m^2", None),
        ("10^3/uL^^UCUM", "10^3/uL", Some("10^3/uL")),
        ("10^9/L^10^9/L^UCUM", "10^9/L", Some("10^9/L")),
        ("mL^milliliter^UCUM", "milliliter", Some("mL")),
        ("mmol/L^^UCUM", "mmol/L", Some("mmol/L")),
        ("mg&dL", "mg&dL", None),
    ] {
        let made = observation(&format!("OBX|1|NM|6690-2^WBC^LN||7.2|{sent}|||||F"));
        let quantity = made.get("valueQuantity").unwrap();
        assert_eq!(quantity.text("unit"), Some(unit), "{sent}");
        assert_eq!(quantity.text("code"), code, "{sent}");
    }
}

#[test]
fn a_code_may_have_an_ampersand() {
    let made = observation("OBX|1|NM|H&H^Hemoglobin & Hematocrit^L||7.2|g/dL|||||F");
    let coding = made.at("code.coding[0]").unwrap();
    assert_eq!(coding.text("code"), Some("H&H"));
    assert_eq!(coding.text("display"), Some("Hemoglobin & Hematocrit"));
}

#[test]
fn what_kind_of_name_it_is_is_no_name() {
    let message = Message::parse(
        b"MSH|^~\\&|ADT|NORTH|EHR|HOSP|20240101100000||ADT^A28^ADT_A01|1|P|2.5.1\rPID|1||A1^^^HOSP^MR||^^^^^^L~DOE^JANE^^^^^N||||||^^^^^^H||^PRN^PH\r"
            .to_vec(),
    );
    let made = MapSet::builtin().forward(&message, &Source::default());
    let patient = made
        .drafts
        .iter()
        .find(|draft| draft.resource_type == "Patient")
        .unwrap()
        .value();
    let names: Vec<Option<&str>> = patient
        .each("name")
        .map(|name| name.text("family"))
        .collect();
    assert_eq!(names, [Some("DOE")]);
    assert!(
        patient.get("address").is_none() && patient.get("telecom").is_none(),
        "{}",
        json(patient)
    );
    let told = &made.report.unmapped;
    assert_eq!(
        told.iter()
            .filter(|entry| entry.place.segment == *b"PID")
            .count(),
        3,
        "{told:?}"
    );
}

#[test]
fn blanks_are_no_text() {
    let made = convert(
        "ORU^R01^ORU_R01",
        &report(&[
            "OBX|1|ST|A^A^L|| ||||||F",
            "NTE|1|L|  ",
            "OBX|2|TX|B^ ^L||  x||||||F",
        ]),
    );
    let all = observations(&made);
    assert!(all[0].get("valueString").is_none(), "{}", json(&all[0]));
    assert!(all[0].get("note").is_none(), "{}", json(&all[0]));
    assert_eq!(all[1].text("valueString"), Some("  x"));
    assert!(all[1].at("code.coding[0].display").is_none());
}

#[test]
fn of_which_kind_a_number_would_be_is_no_number() {
    let made = convert(
        "ADT^A28^ADT_A05",
        &["PID|1||A1^^^HOSP^MR~^^^HOSP^AN~\"\"^^^^DL~ ^^^STATE^PPN~7^^^HOSP^PI||DOE^JANE||||||||||||\"\"^^^HOSP".to_owned()],
    );
    let own = made
        .drafts
        .iter()
        .find(|draft| draft.resource_type == "Patient");
    let patient = own.unwrap().whole_value();
    let numbers: Vec<Option<&str>> = patient
        .each("identifier")
        .map(|number| number.text("value"))
        .collect();
    assert_eq!(numbers, [Some("A1"), Some("7")], "{}", json(&patient));
    let told = made.report.unmapped.iter().map(|entry| &entry.place);
    let of_pid3 = |place: &&_| format!("{place}").starts_with("PID-3");
    assert_eq!(told.filter(of_pid3).count(), 3, "{:?}", made.report);
}

#[test]
fn a_number_is_one_in_whichever_component_it_stands() {
    for (sent, expected) in [
        ("^PRN^PH^^^555^1234567", "(555)1234567"),
        ("5551234^PRN^PH", "5551234"),
        ("^P^T^5551234", "5551234"),
        ("^PRN^PH^5551234", "5551234"),
        ("^PRN^CP^5551234", "5551234"),
        ("^NET^Internet^a@b.example", "a@b.example"),
        ("^NET^^a@b.example", "a@b.example"),
        ("^PRN^PH^a@b.example^^555^1234567", "(555)1234567"),
    ] {
        let made = convert(
            "ADT^A28^ADT_A05",
            &[format!("PID|1||A1^^^HOSP^MR||DOE^JANE||||||||{sent}")],
        );
        let own = made
            .drafts
            .iter()
            .find(|draft| draft.resource_type == "Patient");
        let patient = own.unwrap().whole_value();
        let value = patient.at("telecom[0].value").and_then(Value::as_str);
        let digits = |text: &str| -> String { text.split([' ', '(', ')', '-']).collect() };
        assert_eq!(value.map(digits), Some(digits(expected)), "{sent}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// FHIR R4 datatypes.html: a string has no characters below the space but tabulator and line ends.
    #[test]
    fn no_text_has_control_characters(
        parts in prop::collection::vec(("[a-z]{1,3}", 0u8..0x20), 1..6),
        is_raw in prop::bool::ANY,
    ) {
        let is_kept = |byte: u8| matches!(byte, b'\t' | b'\n' | b'\r');
        let mut sent = String::new();
        let mut expected = String::new();
        for (word, control) in &parts {
            sent.push_str(word);
            expected.push_str(word);
            if is_raw && !is_kept(*control) {
                sent.push(char::from(*control));
            } else {
                let _ = write!(sent, "\\X00{control:02X}\\");
                expected.extend(is_kept(*control).then(|| char::from(*control)));
            }
        }
        sent.push('.');
        expected.push('.');
        let made = convert(
            "ORU^R01^ORU_R01",
            &report(&[
                &format!("OBX|1|ST|A^{sent}^L||{sent}||||||F"),
                &format!("NTE|1|L|{sent}"),
                &format!("OBX|2|TX|B^B^L||{sent}||||||F"),
                &format!("OBX|3|CWE|C^C^L||X^{sent}^L||||||F"),
            ]),
        );
        let all = observations(&made);
        let texts = [
            all[0].text("valueString"),
            all[0].at("code.coding[0].display").and_then(Value::as_str),
            all[0].at("note[0].text").and_then(Value::as_str),
            all[1].text("valueString"),
            all[2].at("valueCodeableConcept.coding[0].display").and_then(Value::as_str),
        ];
        for text in texts {
            prop_assert_eq!(text, Some(expected.as_str()), "{}", sent);
        }
    }
}

#[test]
fn a_null_and_its_kind_deletes() {
    let header = "MSH|^~\\&|ADT|NORTH|EHR|HOSP|20240101100000||ADT^A31^ADT_A01|1|P|2.5.1\rPID|1||A1^^^HOSP^MR||DOE^JANE";
    let draft = |phone: &str| {
        let text = format!("{header}||||||||{phone}\r");
        let made =
            MapSet::builtin().forward(&Message::parse(text.into_bytes()), &Source::default());
        let own = made
            .drafts
            .into_iter()
            .find(|draft| draft.resource_type == "Patient");
        own.unwrap()
    };
    let known = draft("5550100^PRN^PH").apply(None).value;
    let kept = draft("^PRN^PH").apply(Some(&known)).value;
    assert!(json(&kept).contains("5550100"), "nothing was said of it");
    let gone = draft("\"\"^PRN^PH").apply(Some(&known)).value;
    assert!(gone.get("telecom").is_none(), "{}", json(&gone));
}
