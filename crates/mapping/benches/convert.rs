//! Measures the conversion of messages to the JSON of their resources, in memory on one thread:
//! bytes → message → drafts → JSON.
//!
//! Goals (docs/BENCHMARKS.md): 10,000 ADT and 3,000 ORU of 20 OBX per second and core.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use hl7v2::Message;
use mapping::{MapSet, Source, Target};
use std::fmt::Write;

fn main() {
    divan::main();
}

const PID: &str = "PID|1||TEST1001^^^HOSP&2.16.840.1.113883.19.5&ISO^MR~000-00-1001^^^SSA^SS||ZZTEST^JANE^Q^^^^L||19800102|F||2106-3^White^CDCREC|1 TEST ST^APT 4^TESTVILLE^IL^60000^USA^H||^PRN^PH^^1^555^5550100~^NET^Internet^jane@example.org|^WPN^PH^^1^555^5550101|en^English^ISO639|M^Married^HL70002|||000-00-1001|||2186-5^Not Hispanic^CDCREC\r";

fn adt() -> Vec<u8> {
    let mut text = String::from(
        "MSH|^~\\&|ADT|NORTH|CAUSEWAY|HOSP|20240105101600-0600||ADT^A01^ADT_A01|MSG00001|P|2.5.1\rEVN|A01|20240105101600-0600\r",
    );
    text.push_str(PID);
    text.push_str("NK1|1|ZZTEST^JOHN|SPO^Spouse^HL70063|1 TEST ST^^TESTVILLE^IL^60000|^PRN^PH^^1^555^5550102\r");
    text.push_str("PV1|1|I|ICU^101^A^NORTH|E|||9001^TESTDOC^ANN^^^DR^^^NPI~9002^TESTDOC^BOB^^^DR^^^NPI|9003^TESTREF^CAT^^^DR^^^NPI||MED||||1|||9001^TESTDOC^ANN^^^DR^^^NPI|IN|V1001^^^HOSP^VN|||||||||||||||||||||||||20240105100000-0600\r");
    text.push_str("DG1|1||I10^Essential hypertension^I10C||20240105|A\rAL1|1|DA|7980^Penicillin^RXNORM|SV|Hives\r");
    text.into_bytes()
}

fn oru() -> Vec<u8> {
    let mut text = String::from(
        "MSH|^~\\&|LAB|NORTH|CAUSEWAY|HOSP|20240105101600-0600||ORU^R01^ORU_R01|MSG00002|P|2.5.1\r",
    );
    text.push_str(PID);
    text.push_str(
        "PV1|1|O|CLINIC^^^NORTH||||9001^TESTDOC^ANN^^^DR^^^NPI||||||||||||V1001^^^HOSP^VN\r",
    );
    text.push_str("ORC|RE|P1001^EHR|F1001^LAB|||||||||9001^TESTDOC^ANN^^^DR^^^NPI\r");
    text.push_str("OBR|1|P1001^EHR|F1001^LAB|24323-8^Comprehensive metabolic panel^LN|||20240105090000-0600|||||||||9001^TESTDOC^ANN^^^DR^^^NPI||||||20240105101500-0600||CH|F\r");
    for number in 1..=20 {
        let _ = write!(
            text,
            "OBX|{number}|NM|{}-{}^Test analyte number {number}^LN^A{number}^ANALYTE {number}^L||{number}.50|mmol/L^mmol/L^UCUM|3.9-5.5|H^High^HL70078|||F|||20240105090000-0600||9101^TESTTECH^DAN^^^^^^LAB||ANALYZER^1^L||20240105101000-0600||||TEST LAB^^^^^CLIA&2.16.840.1.113883.4.7&ISO^XX^^^00D0000000|1 LAB RD^^TESTVILLE^IL^60000\r",
            2000 + number,
            number % 10,
        );
    }
    text.into_bytes()
}

fn run(bytes: &[u8]) -> usize {
    let message = Message::from(bytes);
    let conversion = MapSet::builtin().forward(&message, &Source::default());
    conversion
        .drafts
        .iter()
        .map(|draft| draft.value().to_bytes().len())
        .sum()
}

#[divan::bench]
fn adt_a01(bencher: divan::Bencher<'_, '_>) {
    let bytes = adt();
    MapSet::builtin();
    bencher
        .counter(divan::counter::ItemsCount::new(1_u32))
        .bench(|| run(&bytes));
}

#[divan::bench]
fn oru_20_obx(bencher: divan::Bencher<'_, '_>) {
    let bytes = oru();
    MapSet::builtin();
    bencher
        .counter(divan::counter::ItemsCount::new(1_u32))
        .bench(|| run(&bytes));
}

#[divan::bench]
fn oru_20_obx_with_lineage(bencher: divan::Bencher<'_, '_>) {
    let bytes = oru();
    bencher
        .counter(divan::counter::ItemsCount::new(1_u32))
        .bench(|| {
            let message = Message::from(bytes.as_slice());
            let conversion = MapSet::builtin().forward(&message, &Source::default());
            conversion
                .drafts
                .iter()
                .map(|draft| draft.apply(None).lineage.len())
                .sum::<usize>()
        });
}

#[divan::bench]
fn back_oru_20_obx(bencher: divan::Bencher<'_, '_>) {
    let message = Message::parse(oru());
    let bundle = MapSet::builtin()
        .forward(&message, &Source::default())
        .bundle();
    bencher.bench(|| {
        MapSet::builtin()
            .back(&bundle, "ORU_R01", &Target::default())
            .unwrap()
    });
}

/// Parses and binds every built-in map: the first message waits for this.
#[divan::bench]
fn load_builtin() -> usize {
    MapSet::read(MapSet::builtin_files().iter().copied())
        .1
        .len()
}
