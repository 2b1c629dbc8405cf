//! Numbers of orders, visits, prescriptions, doses and appointments: whatever senders reuse, a fact
//! stays with its patient.

use crate::chart_site::ChartSite;
use fhir::build::Value;
use flow::Attention;
use std::collections::BTreeMap;
use store::journal::{Filter, State};
use tempfile::tempdir;

/// Synthetic patients, none of whom can be taken for another.
const PATIENTS: [(&str, &str, &str); 3] = [
    ("ALPHA^ANN", "19800101", "F"),
    ("BETA^BOB", "19500505", "M"),
    ("GAMMA^GIL", "20050909", "F"),
];

fn header(event: &str, control: u32) -> String {
    format!(
        "MSH|^~\\&|ZZAPP|ZZFAC|CW|ZZ|20240101{:02}{:02}00||{event}|{control}|P|2.5.1\r",
        control / 60,
        control % 60
    )
}

fn pid(patient: usize) -> String {
    let (name, born, sex) = PATIENTS[patient];
    format!("PID|1||N{patient}^^^ZZHOSP^MR||ZZ{name}||{born}|{sex}\r")
}

/// Builds one fact about a patient under a number, with a mark by which the chart shows whose it
/// is.
fn message(kind: usize, control: u32, patient: usize, number: u32, mark: &str) -> String {
    let pid = pid(patient);
    match kind {
        0 => format!(
            "{}{pid}OBR|1|P{number}^ZZHOSP|F{number}^ZZLAB|24323-8^CMP^LN|||20240101\r\
             OBX|1|ST|8251-1^Comment^LN||{mark}||||||F\r",
            header("ORU^R01^ORU_R01", control)
        ),
        1 => format!(
            "{}{pid}OBR|1|P{number}^ZZHOSP||24323-8^CMP^LN|||20240101\r\
             OBX|1|ST|8251-1^Comment^LN||{mark}||||||F\r",
            header("ORU^R01^ORU_R01", control)
        ),
        2 => format!(
            "{}EVN|A01|20240101\r{pid}PV1|1|I|{mark}||||||||||||||||V{number}\r",
            header("ADT^A01^ADT_A01", control)
        ),
        3 => format!(
            "{}{pid}ORC|NW|P{number}|F{number}\rRXE||{mark}^{mark}^L|1||TAB||||||||||{number}\r\
             TQ1|1||BID\r",
            header("RDE^O11^RDE_O11", control)
        ),
        4 => format!(
            "{}{pid}ORC|RE|P{number}|F{number}\r\
             RXA|0|1|20240101||20^DTaP^CVX|0.5|mL||00^New^NIP001||||||{mark}\r",
            header("VXU^V04^VXU_V04", control)
        ),
        5 => format!(
            "{}SCH|{number}|{number}|||||{mark}^{mark}^L||30|MIN|^^30^20240110090000^\r{pid}",
            header("SIU^S12^SIU_S12", control)
        ),
        _ => format!(
            "{}EVN|A08|20240101\r{pid}PV1|1|N\r\
             DG1|1||{mark}^{mark}^L|||W||||||||||||||{number}\r",
            header("ADT^A08^ADT_A01", control)
        ),
    }
}

/// The resource type that each kind of message makes, and the location of its mark.
const KINDS: [(&str, &str); 7] = [
    ("Observation", "valueString"),
    ("Observation", "valueString"),
    ("Encounter", "location"),
    ("MedicationRequest", "medicationCodeableConcept"),
    ("Immunization", "lotNumber"),
    ("Appointment", "reasonCode"),
    ("Condition", "code"),
];

fn patient_of(value: &Value) -> String {
    let direct = ["subject", "patient"]
        .into_iter()
        .find_map(|name| value.get(name)?.text("reference"));
    let actor = || {
        let mut participants = value.each("participant");
        participants.find_map(|one| one.get("actor")?.text("reference"))
    };
    direct.or_else(actor).unwrap_or_default().to_owned()
}

/// A generator of whole numbers that look random and are the same in each run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % bound
    }
}

/// HL7 v2.5.1, 4.5.1.2, 4.5.1.3, 3.4.3.19, 10.6.1.1: a number belongs to its issuer, and is unique
/// among the issuer's current numbers.
#[test]
fn a_number_never_moves_to_another_patient() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    let mut chance = Chance(7);
    // Latest mark under each number of each patient, by kind.
    let mut told: BTreeMap<(usize, usize, u64), String> = BTreeMap::new();
    for control in 0..240 {
        let kind = chance.below(KINDS.len() as u64) as usize;
        let patient = chance.below(PATIENTS.len() as u64) as usize;
        let number = 1 + chance.below(3);
        let mark = format!("M{patient}X{control}");
        let text = message(
            kind,
            control,
            patient,
            number as u32 * 100 + kind as u32,
            &mark,
        );
        assert_eq!(site.send("adt", &text), "AA", "{text}");
        told.insert((kind, patient, number), mark);
    }
    let ids: Vec<String> = (0..PATIENTS.len())
        .map(|n| {
            format!(
                "Patient/{}",
                site.patient(&format!("N{n}")).text("id").unwrap()
            )
        })
        .collect();
    for (kind, (resource_type, element)) in KINDS.into_iter().enumerate() {
        for resource in site.all(resource_type) {
            let text = String::from_utf8(resource.to_bytes()).unwrap();
            let whose = patient_of(&resource);
            for (n, id) in ids.iter().enumerate() {
                let is_marked = text.contains(&format!("M{n}X"));
                assert!(
                    !is_marked || whose == *id,
                    "{resource_type} of another: {text}"
                );
            }
        }
        for ((of_kind, patient, _), mark) in &told {
            if *of_kind != kind || element == "location" {
                continue;
            }
            let found = site.all(resource_type).into_iter().any(|resource| {
                let text = String::from_utf8(resource.to_bytes()).unwrap();
                text.contains(mark.as_str()) && patient_of(&resource) == ids[*patient]
            });
            assert!(found, "{resource_type} {mark} is gone");
        }
    }
    let visits = told.keys().filter(|(kind, ..)| *kind == 2).count();
    assert_eq!(site.all("Encounter").len(), visits);
}

#[test]
fn who_gives_a_number_of_anothers_is_told_once() {
    for kind in 0..KINDS.len() {
        let dir = tempdir().unwrap();
        let site = ChartSite::start(dir.path());
        site.send("adt", &message(kind, 1, 0, 5, "M0X"));
        site.send("adt", &message(kind, 2, 1, 5, "M1X"));
        site.send("adt", &message(kind, 3, 1, 5, "M1Y"));
        let row = |control: &str| {
            site.row(&Filter {
                control_id: Some(control.to_owned()),
                ..Filter::default()
            })
        };
        assert_eq!(row("1").state, State::Mapped, "{kind}");
        let second = row("2");
        assert_eq!(second.state, State::NeedsAttention, "{kind}");
        let reason = second.reason.unwrap_or_default();
        assert!(
            reason.starts_with(Attention::NumberOfAnother.code()),
            "{kind}: {reason}"
        );
        assert_eq!(row("3").state, State::Mapped, "{kind}: it is known by now");
    }
}

/// A merge explains two ids of one patient: the order of the retired number is the survivor's.
#[test]
fn a_merge_explains_the_number() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    site.send("adt", &message(0, 1, 0, 5, "M0X"));
    let merge = format!(
        "{}EVN|A40|20240102\rPID|1||NEW^^^ZZHOSP^MR||ZZALPHA^ANN||19800101|F\rMRG|N0^^^ZZHOSP^MR\r",
        header("ADT^A40^ADT_A39", 2)
    );
    assert_eq!(site.send("adt", &merge), "AA");
    let later = message(0, 3, 0, 5, "M0Y").replace("N0^^^ZZHOSP", "NEW^^^ZZHOSP");
    assert_eq!(site.send("adt", &later), "AA");
    assert_eq!(site.only("Observation").text("valueString"), Some("M0Y"));
    assert_eq!(site.row(&Filter::default()).state, State::Mapped);
}

/// HL7 v2.5.1, 4.5.1.3: the filler's number distinguishes the filler's orders.
#[test]
fn the_weightier_number_decides() {
    let rde = |control: u32, placer: &str, filler: &str, drug: &str| {
        format!(
            "{}{}ORC|NW|{placer}|{filler}\rRXE||{drug}^{drug}^L|1||TAB\rTQ1|1||BID\r",
            header("RDE^O11^RDE_O11", control),
            pid(0)
        )
    };
    for (clause, messages, expected) in [
        ("placer, then both", vec![("P1", ""), ("P1", "F1")], 1),
        ("both, then placer", vec![("P1", "F1"), ("P1", "")], 1),
        ("both, then filler", vec![("P1", "F1"), ("", "F1")], 1),
        (
            "two fillers of one placer",
            vec![("P1", "F1"), ("P1", "F2")],
            2,
        ),
        (
            "two placers of one filler",
            vec![("P1", "F1"), ("P2", "F1")],
            1,
        ),
        (
            "the second again",
            vec![("P1", "F1"), ("P1", "F2"), ("P1", "F2")],
            2,
        ),
    ] {
        let dir = tempdir().unwrap();
        let site = ChartSite::start(dir.path());
        for (n, (placer, filler)) in messages.into_iter().enumerate() {
            let text = rde(n as u32 + 1, placer, filler, "DRUG");
            assert_eq!(site.send("adt", &text), "AA", "{clause}");
        }
        assert_eq!(site.all("MedicationRequest").len(), expected, "{clause}");
    }
}

/// HL7 v2.5.1, 4.5.1.1: ORC-1 gives the new state of the order; its detail may be omitted.
#[test]
fn an_order_ends_by_its_number_alone() {
    let orm = |control: u32, patient: usize, orders: &str| {
        format!(
            "{}{}{orders}",
            header("ORM^O01^ORM_O01", control),
            pid(patient)
        )
    };
    for (clause, code, number, patient, expected, state) in [
        (
            "by the placer",
            "CA",
            "P1|",
            0,
            ["revoked", "revoked"],
            State::Mapped,
        ),
        (
            "by the filler",
            "DC",
            "|F1",
            0,
            ["revoked", "active"],
            State::Mapped,
        ),
        (
            "of another patient",
            "CA",
            "P1|",
            1,
            ["active", "active"],
            State::NeedsAttention,
        ),
        (
            "of nobody",
            "CA",
            "P9|",
            0,
            ["active", "active"],
            State::NeedsAttention,
        ),
        (
            "of another filler",
            "CA",
            "P1|F9",
            0,
            ["active", "active"],
            State::NeedsAttention,
        ),
    ] {
        let dir = tempdir().unwrap();
        let site = ChartSite::start(dir.path());
        let orders = "ORC|NW|P1|F1||IP\rOBR|1|P1|F1|24323-8^CMP^LN\r\
                      ORC|NW|P1|F2||IP\rOBR|2|P1|F2|718-7^Hemoglobin^LN\r";
        assert_eq!(site.send("adt", &orm(1, 0, orders)), "AA", "{clause}");
        site.send(
            "adt",
            &orm(2, patient, &format!("ORC|{code}|{number}||IP\r")),
        );
        let status = |order: &Value| order.text("status").unwrap().to_owned();
        let mut found: Vec<String> = site.all("ServiceRequest").iter().map(status).collect();
        found.sort_by(|a, b| b.cmp(a));
        let mut expected = expected.map(str::to_owned);
        expected.sort_by(|a, b| b.cmp(a));
        assert_eq!(found, expected, "{clause}");
        assert_eq!(site.row(&Filter::default()).state, state, "{clause}");
    }
}
