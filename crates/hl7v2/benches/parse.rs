//! Benchmarks for parsing a synthetic ORU^R01 with 20 OBX (about 5.7 kB), next to two other crates.
//!
//! `ours` is eager: it indexes every separator, collects issues, picks the character set, builds
//! the groups, then reads ten fields. `ours_text_only` skips the groups. Divan reports bytes per
//! second.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench"
)]

use bytes::Bytes;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use hl7v2::Message;

fn main() {
    divan::main();
}

/// An ORU with a realistic share of separators, identifiers and repeated names.
fn oru() -> String {
    let doctor = "1999999999^ZZDOCTOR^TESTA^^^DR^^^NPI";
    let mut segments = vec![
        "MSH|^~\\&|ZZLAB|ZZHOSP_LAB|ZZHUB|ZZHOSP|20260311101244-0600||ORU^R01^ORU_R01|ZZ20260311-8841|P|2.5.1|||AL|NE|USA|UNICODE UTF-8".to_owned(),
        "PID|1||ZZ0045821^^^ZZHOSP^MR~ZZ-00-0142^^^ZZISS^PI||TESTPATIENT^ZOE^ANNE^^MRS^^L||19620417|F||2106-3^White^CDCREC|1 TEST LANE^APT 4B^TESTVILLE^IL^00000^USA^H||^PRN^PH^^1^217^5550134~^NET^Internet^zz.test@example.org|^WPN^PH^^1^217^5550199|eng^English^ISO639|M^Married^HL70002|CHR|ZZACCT771209^^^ZZHOSP^AN|||||2186-5^Not Hispanic^CDCREC||||||||N".to_owned(),
        format!("PV1|1|I|4WEST^412^A^ZZHOSP||||{doctor}||||||||||||ZZVN20260311^^^ZZHOSP^VN"),
        format!("ORC|RE|ZZORD778812^ZZHUB|ZZACC0311-114^ZZLAB|||CM||||||{doctor}"),
        format!("OBR|1|ZZORD778812^ZZHUB|ZZACC0311-114^ZZLAB|24323-8^Comprehensive metabolic panel and CBC^LN|||20260311091000-0600|||||||20260311092200-0600|^^Venous blood|{doctor}||||||20260311101200-0600||LAB|F"),
    ];
    for i in 1..=20 {
        let flag = ["", "", "", "H", "", "L", ""].get(i % 7).unwrap();
        segments.push(format!(
            "OBX|{i}|NM|2345-{i}^Test analyte {i:02}^LN^L{i:03}^Test analyte {i:02} local^L||{}.{i}|mmol/L^mmol/L^UCUM|7{i}-99|{flag}|||F|||20260311091000-0600||TECH{i:02}^ZZTECH^TESTB|||20260311100500-0600||||ZZHOSP LAB^^^^^CLIA^XX^^^99D0000000|1 TEST ST^^TESTVILLE^IL^00000",
            i * 3
        ));
        if !flag.is_empty() {
            segments.push(format!("NTE|{i}|L|Value outside the reference range; verified by repeat analysis \\T\\ delta check."));
        }
    }
    segments.push("SPM|1|ZZS778812^ZZHUB&ZZS114^ZZLAB||119297000^Blood specimen^SCT|||||||||||||20260311091000-0600|20260311092200-0600".to_owned());
    segments.join("\r") + "\r"
}

/// Reads ten fields, as an interface engine does to route a message.
fn ten_fields(message: &Message) -> usize {
    let msh = message.first("MSH").unwrap();
    let pid = message.first("PID").unwrap();
    let obr = message.first("OBR").unwrap();
    let mut n = msh.field(9).component(1).text().len()
        + msh.field(9).component(2).text().len()
        + msh.field(10).text().len();
    n += pid.field(3).component(1).text().len()
        + pid.field(5).component(1).text().len()
        + pid.field(7).text().len();
    n += message.first("PV1").unwrap().field(2).text().len()
        + obr.field(4).component(1).text().len();
    let mut results = message.named("OBX");
    n += results.next().unwrap().field(5).text().len();
    n + results.last().unwrap().field(5).text().len()
}

#[divan::bench]
fn ours(bencher: Bencher<'_, '_>) {
    let bytes = Bytes::from(oru());
    bencher.counter(BytesCount::new(bytes.len())).bench(|| {
        let message = Message::parse(black_box(bytes.clone()));
        let n_groups = message.structure().root().children().count();
        ten_fields(&message) + n_groups + message.issues().len()
    });
}

#[divan::bench]
fn ours_text_only(bencher: Bencher<'_, '_>) {
    let bytes = Bytes::from(oru());
    bencher.counter(BytesCount::new(bytes.len())).bench(|| {
        let message = Message::parse(black_box(bytes.clone()));
        ten_fields(&message) + message.issues().len()
    });
}

#[divan::bench]
fn every_value(bencher: Bencher<'_, '_>) {
    let message = Message::parse(oru());
    bencher
        .counter(BytesCount::new(message.raw().len()))
        .bench(|| {
            let fields = message.segments().flat_map(|segment| segment.fields());
            let repeats = fields.flat_map(|(_, field)| field.repeats());
            let components = repeats.flat_map(|repeat| repeat.components());
            components
                .flat_map(|part| part.subcomponents())
                .map(|sub| sub.text().len())
                .sum::<usize>()
        });
}

/// Decodes a 50 MB frame that arrives in 64 kB chunks.
#[divan::bench(sample_count = 5)]
fn mllp_50_mb(bencher: Bencher<'_, '_>) {
    let wire = hl7v2::mllp::frame(&vec![b'x'; 50_000_000]);
    bencher.counter(BytesCount::new(wire.len())).bench(|| {
        let mut decoder = hl7v2::mllp::Decoder::new(64_000_000);
        let mut n_messages = 0;
        for piece in wire.chunks(65_536) {
            decoder.feed(piece);
            n_messages += usize::from(decoder.step() != hl7v2::mllp::Step::NeedMore);
        }
        n_messages
    });
}

#[divan::bench]
fn acknowledgement(bencher: Bencher<'_, '_>) {
    let message = Message::parse(oru());
    let at = base::Timestamp::from_micros(0);
    bencher.bench(|| {
        hl7v2::ack::acknowledge(&message, hl7v2::ack::AckCode::AA, &[], black_box(at), "ZZ1").len()
    });
}

#[divan::bench]
fn hl7_parser(bencher: Bencher<'_, '_>) {
    let text = oru();
    bencher.counter(BytesCount::new(text.len())).bench(|| {
        let message = hl7_parser::Message::parse(black_box(&text)).unwrap();
        let paths = [
            "MSH.9.1",
            "MSH.9.2",
            "MSH.10",
            "PID.3.1",
            "PID.5.1",
            "PID.7",
            "PV1.2",
            "OBR.4.1",
            "OBX.5",
            "OBX[20].5",
        ];
        paths
            .iter()
            .map(|path| message.query(*path).map_or(0, |v| v.raw_value().len()))
            .sum::<usize>()
    });
}

#[divan::bench]
fn rust_hl7(bencher: Bencher<'_, '_>) {
    let text = oru().trim_end_matches('\r').to_owned();
    bencher.counter(BytesCount::new(text.len())).bench(|| {
        let message = rusthl7::message::Message::try_from(black_box(text.as_str())).unwrap();
        let paths = [
            "MSH.F9.R1.C1",
            "MSH.F9.R1.C2",
            "MSH.F10",
            "PID.F3.R1.C1",
            "PID.F5.R1.C1",
            "PID.F7",
            "PV1.F2",
            "OBR.F4.R1.C1",
            "OBX.F5",
            "OBX.F5",
        ];
        paths
            .iter()
            .map(|path| message.query(*path).len())
            .sum::<usize>()
    });
}
