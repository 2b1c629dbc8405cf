//! The messages are reproducible, readable, and irregular only as their notes say.

use crate::town;
use hl7v2::{IssueKind, Message};
use simulate::{Oddity, Options, Peer, Simulation};
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let options = Options {
        n_patients: 60,
        ..Options::default()
    };
    let first: Vec<_> = Simulation::new(options).collect();
    let second: Vec<_> = Simulation::new(options).collect();
    assert_eq!(first, second);
    let other: Vec<_> = Simulation::new(Options { seed: 2, ..options }).collect();
    assert_ne!(first, other);
}

#[test]
fn time_never_runs_backwards() {
    let mut last = i64::MIN;
    for sent in town() {
        assert!(last <= sent.at.micros());
        last = sent.at.micros();
    }
}

#[test]
fn only_announced_issues() {
    for sent in town() {
        let message = Message::parse(sent.bytes.clone());
        let found: BTreeSet<String> = message
            .issues()
            .iter()
            .chain(message.structure().issues())
            .map(|issue| format!("{:?}", issue.kind))
            .collect();
        let announced: BTreeSet<String> = sent
            .note
            .iter()
            .flat_map(|oddity| oddity.issues())
            .map(|kind| format!("{kind:?}"))
            .collect();
        assert_eq!(found, announced, "{:?}\n{}", sent.note, shown(&sent.bytes));
    }
}

#[test]
fn a_message_without_a_note_is_clean() {
    let clean = town().iter().filter(|sent| sent.note.is_empty()).count();
    assert!(1000 < clean, "{clean}");
}

/// The events and versions that occur: readers of the demo's guide see any change here.
#[test]
fn every_kind_of_message_comes() {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for sent in town() {
        let message = Message::parse(sent.bytes.clone());
        *kinds
            .entry(format!(
                "{} {} {}^{}",
                sent.peer,
                message.header(12, 1),
                message.code(),
                message.event()
            ))
            .or_default() += 1;
    }
    let rare: Vec<_> = kinds.iter().filter(|(_, n)| **n < 2).collect();
    assert!(rare.is_empty(), "{rare:?}");
    let names: Vec<&str> = kinds.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "clinic 2.3.1 SIU^S12",
            "clinic 2.3.1 SIU^S13",
            "clinic 2.3.1 SIU^S15",
            "clinic 2.4 ADT^A28",
            "clinic 2.4 ADT^A31",
            "clinic 2.4 ADT^A40",
            "clinic 2.5.1 ADT^A01",
            "clinic 2.5.1 ADT^A02",
            "clinic 2.5.1 ADT^A03",
            "clinic 2.5.1 ADT^A04",
            "clinic 2.5.1 ADT^A08",
            "clinic 2.5.1 ADT^A11",
            "clinic 2.5.1 ADT^A13",
            "clinic 2.5.1 DFT^P03",
            "immunization 2.5.1 VXU^V04",
            "immunization 2.8 VXU^V04",
            "laboratory 2.3 ORU^R01",
            "laboratory 2.5.1 ORU^R01",
            "pharmacy 2.5 RDS^O13",
            "pharmacy 2.6 RDE^O11",
        ]
    );
}

#[test]
fn flags_follow_from_values() {
    let mut n_flagged = 0;
    for sent in town().iter().filter(|sent| sent.peer == Peer::Laboratory) {
        let message = Message::parse(sent.bytes.clone());
        for obx in message
            .named("OBX")
            .filter(|obx| obx.field(2).text() == "NM")
        {
            let Ok(value) = obx.field(5).text().parse::<f64>() else {
                assert!(sent.note.contains(&Oddity::TextInNumber));
                continue;
            };
            let flag = obx.field(8).text().into_owned();
            let range = obx.field(7).text().into_owned();
            let (low, high) = bounds(&range);
            let expected = match flag.as_str() {
                "N" => low <= value && value <= high,
                "H" | "HH" => high < value || (range.starts_with('<') && high <= value),
                "L" | "LL" => value < low,
                other => panic!("flag {other:?}"),
            };
            assert!(expected, "{value} in {range}: {flag}");
            n_flagged += usize::from(flag != "N");
        }
    }
    assert!(500 < n_flagged, "{n_flagged}");
}

fn bounds(range: &str) -> (f64, f64) {
    if let Some(high) = range.strip_prefix('<') {
        return (f64::MIN, high.parse().unwrap());
    }
    if let Some(low) = range.strip_prefix(">=") {
        return (low.parse().unwrap(), f64::MAX);
    }
    let (low, high) = range.split_once('-').unwrap();
    (low.parse().unwrap(), high.parse().unwrap())
}

/// HbA1c falls under treatment; the creatinine of a failing kidney rises.
#[test]
fn trends_are_seen() {
    for (code, falls) in [("4548-4", true), ("2160-0", false)] {
        let mut series: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for sent in town().iter().filter(|sent| sent.peer == Peer::Laboratory) {
            let message = Message::parse(sent.bytes.clone());
            if message.named("OBR").count() != 1 || sent.note.contains(&Oddity::Correction) {
                continue;
            }
            let who = message
                .first("PID")
                .unwrap()
                .field(3)
                .repeat(1)
                .component(1)
                .text()
                .into_owned();
            for obx in message
                .named("OBX")
                .filter(|obx| obx.field(3).component(1).text() == code)
            {
                series
                    .entry(who.clone())
                    .or_default()
                    .extend(obx.field(5).text().parse::<f64>().ok());
            }
        }
        let moved = series
            .values()
            .filter(|values| 4 <= values.len())
            .filter(|values| {
                let (first, last) = (values[0], values[values.len() - 1]);
                if falls {
                    last < first - 0.8
                } else {
                    first * 1.15 < last
                }
            });
        assert!(5 < moved.count(), "{code}");
    }
}

#[test]
fn the_same_report_keeps_its_number() {
    let mut stages: BTreeMap<String, String> = BTreeMap::new();
    for sent in town().iter().filter(|sent| sent.peer == Peer::Laboratory) {
        if sent.note.contains(&Oddity::Repeat) {
            continue;
        }
        let message = Message::parse(sent.bytes.clone());
        let number = message
            .first("OBR")
            .unwrap()
            .field(3)
            .component(1)
            .text()
            .into_owned();
        stages
            .entry(number)
            .or_default()
            .push_str(&message.first("OBX").unwrap().field(11).text());
    }
    let seen: BTreeSet<&str> = stages.values().map(String::as_str).collect();
    let expected = ["F", "FC", "FW", "PF", "PFC"];
    assert!(
        expected.iter().all(|stages| seen.contains(stages)),
        "{seen:?}"
    );
    let rarer = ["P", "PFW"];
    assert!(
        seen.iter()
            .all(|stages| expected.contains(stages) || rarer.contains(stages)),
        "{seen:?}"
    );
}

#[test]
fn the_letter_is_a_pdf() {
    let message = town()
        .iter()
        .map(|sent| Message::parse(sent.bytes.clone()))
        .find(|message| {
            message
                .first("OBX")
                .is_some_and(|obx| obx.field(2).text() == "ED")
        })
        .unwrap();
    let obx = message.first("OBX").unwrap();
    assert_eq!(obx.field(5).component(4).text(), "Base64");
    assert!(obx.field(5).component(5).text().starts_with("JVBERi0xLjQK"));
}

#[test]
fn bench_messages_are_clean() {
    let made = simulate::bench::mix(3, 300)
        .chain(simulate::bench::adt(3, 20))
        .chain(simulate::bench::oru(3, 20, 20))
        .chain(simulate::bench::vxu(3, 20));
    for bytes in made {
        let message = Message::parse(bytes.clone());
        let found: Vec<IssueKind> = message
            .issues()
            .iter()
            .chain(message.structure().issues())
            .map(|issue| issue.kind)
            .collect();
        assert_eq!(found, [], "{}", shown(&bytes));
    }
    let oru = Message::parse(simulate::bench::oru(3, 1, 20).next().unwrap());
    assert_eq!(oru.named("OBX").count(), 20);
    let first: Vec<_> = simulate::bench::mix(3, 50).collect();
    assert_eq!(first, simulate::bench::mix(3, 50).collect::<Vec<_>>());
    let n_adt = simulate::bench::mix(5, 2000)
        .filter(|bytes| bytes.windows(4).any(|w| w == b"|ADT"))
        .count();
    assert!((1130..1270).contains(&n_adt), "60 % are ADT: {n_adt}");
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\r', "\n")
}
