//! Two things stay two: groups of one message, serial results, allergies with one code.

use crate::chart_site::ChartSite;
use fhir::build::Value;
use std::collections::BTreeMap;
use store::journal::{Filter, State};
use tempfile::tempdir;

fn oru(control: &str, at: &str, results: &str) -> String {
    format!(
        "MSH|^~\\&|LAB|ZZLAB|CW|ZZ|{at}||ORU^R01^ORU_R01|{control}|P|2.5.1\r\
         PID|1||N1^^^ZZHOSP^MR||ZZTEST^ANN||19800101|F\r\
         OBR|1|P1^ZZHOSP|F1^ZZLAB|24323-8^CMP^LN|||20240105060000\r{results}"
    )
}

/// Builds a glucose result at some hour, without OBX-4.
fn glucose(hour: u32, value: u32, status: &str) -> String {
    format!(
        "OBX|1|NM|2345-7^Glucose^LN||{value}|mg/dL|||||{status}|||202401{:02}{:02}0000\r",
        5 + hour / 24,
        hour % 24
    )
}

fn values(site: &ChartSite) -> Vec<String> {
    let mut values: Vec<String> = site
        .all("Observation")
        .iter()
        .map(|result| {
            let value = result
                .at("valueQuantity.value")
                .and_then(Value::number_text);
            value.unwrap_or_default().to_owned()
        })
        .collect();
    values.sort();
    values
}

/// HL7 v2.5.1, 7.4.2.4 and 7.4.2.14: without OBX-4 the time of the observation distinguishes
/// results of one code. In whatever order they arrive, one by one or together, repeated or
/// corrected, the chart has the last value of each time. Thirty of them exceed the number up to
/// which a key is walked.
#[test]
fn serial_results_are_told_apart_by_their_time() {
    let mut random = 3_u64;
    let mut below = |bound: u64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 33) % bound
    };
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    let mut told: BTreeMap<u32, u32> = BTreeMap::new();
    for n in 0..60_u32 {
        let n_lines = 1 + below(3);
        let mut lines = String::new();
        let mut seen = Vec::new();
        for line in 0..n_lines as u32 {
            let hour = below(30) as u32;
            if seen.contains(&hour) {
                continue;
            }
            seen.push(hour);
            let value = 1000 + n * 10 + line;
            let status = if told.contains_key(&hour) { "C" } else { "F" };
            lines.push_str(&glucose(hour, value, status));
            told.insert(hour, value);
        }
        let at = format!("20240110{:02}{:02}00", n / 60, n % 60);
        assert_eq!(site.send("lab", &oru(&format!("C{n}"), &at, &lines)), "AA");
    }
    let mut expected: Vec<String> = told.values().map(u32::to_string).collect();
    expected.sort();
    assert_eq!(values(&site), expected);
}

#[test]
fn a_correction_that_moves_the_time() {
    for (clause, first, then, expected, state) in [
        (
            "of the only one corrects it",
            glucose(8, 98, "F"),
            glucose(9, 89, "C"),
            vec!["89"],
            State::Mapped,
        ),
        (
            "the final of a preliminary",
            glucose(8, 98, "P"),
            glucose(9, 89, "F"),
            vec!["89"],
            State::Mapped,
        ),
        (
            "of one of several stands beside them, and is told",
            [glucose(8, 98, "F"), glucose(9, 97, "F")].concat(),
            glucose(10, 89, "C"),
            vec!["89", "97", "98"],
            State::NeedsAttention,
        ),
        (
            "is none where the result is final anew",
            glucose(8, 98, "F"),
            glucose(9, 89, "F"),
            vec!["89", "98"],
            State::Mapped,
        ),
    ] {
        let dir = tempdir().unwrap();
        let site = ChartSite::start(dir.path());
        site.send("lab", &oru("C1", "20240110100000", &first));
        site.send("lab", &oru("C2", "20240110110000", &then));
        assert_eq!(values(&site), expected, "{clause}");
        assert_eq!(site.row(&Filter::default()).state, state, "{clause}");
    }
}

/// Every group of orders in one message is a separate order, whatever numbers they share; repeating
/// the message changes nothing.
#[test]
fn groups_of_one_message_are_never_one_record() {
    let numbers = ["|||", "|P1||", "||F1|", "|P1|F1|"];
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    let mut n_orders = 0;
    for (place, shared) in numbers.into_iter().enumerate() {
        for repeat in 0..2 {
            let group = |n: u32| {
                format!("ORC|NW{shared}\rRXE||D{n}^Drug {n} of {place}^L|1||TAB\rTQ1|1||BID\r")
            };
            let groups = [0, 1, 2].map(group).concat();
            let text = format!(
                "MSH|^~\\&|PHARM|ZZHOSP|CW|ZZ|2024010110{place:02}{repeat:02}||RDE^O11^RDE_O11|R{place}{repeat}|P|2.5.1\r\
                 PID|1||N{place}^^^ZZHOSP^MR||ZZTEST^N{place}||1980010{place}|F\r{groups}"
            );
            assert_eq!(site.send("adt", &text), "AA");
            if repeat == 0 {
                n_orders += 3;
            }
            assert_eq!(
                site.all("MedicationRequest").len(),
                n_orders,
                "{shared} {repeat}"
            );
        }
    }
}

/// A list of allergies whose local code says nothing: the text distinguishes them, in any order.
#[test]
fn allergies_of_one_code_are_told_apart_by_their_text() {
    let adt = |control: u32, texts: &[&str]| {
        let line = |(n, text): (usize, &&str)| {
            format!("AL1|{}|DA|OTH^{text}^L|SV|Hives of {text}\r", n + 1)
        };
        let lines: Vec<String> = texts.iter().enumerate().map(line).collect();
        let lines = lines.concat();
        format!(
            "MSH|^~\\&|REG|ZZHOSP|CW|ZZ|2024010110{control:02}00||ADT^A08^ADT_A01|A{control}|P|2.5.1\r\
             EVN|A08|2024010110{control:02}00\rPID|1||N1^^^ZZHOSP^MR||ZZTEST^ANN||19800101|F\r\
             PV1|1|N\r{lines}"
        )
    };
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    for (control, texts) in [
        vec!["Contrast dye", "Shellfish"],
        vec!["Shellfish", "Contrast dye"],
        vec!["Latex", "Shellfish", "Contrast dye", "Shellfish"],
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(site.send("adt", &adt(control as u32, &texts)), "AA");
        for allergy in site.all("AllergyIntolerance") {
            let text = allergy
                .at("code.text")
                .or_else(|| allergy.at("code.coding[0].display"));
            let text = text.and_then(Value::as_str).unwrap().to_owned();
            let body = String::from_utf8(allergy.to_bytes()).unwrap();
            assert!(body.contains(&format!("Hives of {text}")), "{body}");
        }
    }
    assert_eq!(site.all("AllergyIntolerance").len(), 3);
}
