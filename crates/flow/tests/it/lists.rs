//! Senders' lists in snapshot mode (HL7 v2 2.10.4.1): a new list replaces the sender's previous
//! one.

use crate::chart_site::{ChartSite, id_of, permit};
use fhir::build::Value;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::tempdir;

/// The lists in an ADT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Allergies,
    Relatives,
    Guarantors,
    Coverages,
    Diagnoses,
}

const KINDS: [Kind; 5] = [
    Kind::Allergies,
    Kind::Relatives,
    Kind::Guarantors,
    Kind::Coverages,
    Kind::Diagnoses,
];

// === impl Kind ===

impl Kind {
    fn segment(self, n: usize, entry: &str) -> String {
        match (self, entry) {
            (Self::Allergies, "") => format!("AL1|{n}||\"\"\r"),
            (Self::Allergies, entry) => format!("AL1|{n}|DA|{entry}^Drug {entry}^L|SV|Hives\r"),
            (Self::Relatives, "") => format!("NK1|{n}|\"\"\r"),
            (Self::Relatives, entry) => format!("NK1|{n}|ZZ{entry}^KIN|SPO^Spouse^HL70063\r"),
            (Self::Guarantors, "") => format!("GT1|{n}||\"\"\r"),
            (Self::Guarantors, entry) => format!("GT1|{n}||ZZ{entry}^GUARANTOR\r"),
            (Self::Coverages, "") => format!("IN1|{n}|\"\"\r"),
            (Self::Coverages, entry) => {
                format!("IN1|{n}|{entry}|INS{entry}|INSURANCE {entry}|||||||||||||ZZT^A|SEL\r")
            }
            (Self::Diagnoses, "") => format!("DG1|{n}||\"\"\r"),
            (Self::Diagnoses, entry) => format!("DG1|{n}||{entry}^Problem {entry}^L|||W\r"),
        }
    }

    /// Returns type, identification of the entry, and true if it is active.
    fn entry(self, value: &Value) -> Option<(String, bool)> {
        let text = |path: &str| value.at(path).and_then(Value::as_str).map(str::to_owned);
        let status = text("clinicalStatus.coding[0].code");
        let family = text("name[0].family").map(|name| name.trim_start_matches("ZZ").to_owned());
        let is_active = value.get("active").and_then(Value::as_bool) != Some(false);
        match self {
            Self::Allergies => Some((text("code.coding[0].code")?, status? == "active")),
            Self::Diagnoses => {
                let is_active = status.is_none_or(|status| status == "active");
                Some((text("code.coding[0].code")?, is_active))
            }
            Self::Relatives if text("name[0].given[0]")? == "KIN" => Some((family?, is_active)),
            Self::Guarantors if text("name[0].given[0]")? == "GUARANTOR" => {
                Some((family?, is_active))
            }
            Self::Relatives | Self::Guarantors => None,
            Self::Coverages => Some((text("class[0].value")?, text("status")? == "active")),
        }
    }

    fn resource_type(self) -> &'static str {
        match self {
            Self::Allergies => "AllergyIntolerance",
            Self::Relatives | Self::Guarantors => "RelatedPerson",
            Self::Coverages => "Coverage",
            Self::Diagnoses => "Condition",
        }
    }
}

/// Builds an ADT of a sender: each list in it, with its entries; an empty list is one null segment.
fn adt(
    (control, sender): (&str, &str),
    (patient, visit): (&str, &str),
    at: &str,
    lists: &[(Kind, Vec<&str>)],
) -> String {
    let of = |kind: Kind| -> String {
        let entries = lists.iter().filter(|(own, _)| *own == kind);
        let segments = entries.map(|(kind, entries)| match entries.as_slice() {
            [] => kind.segment(1, ""),
            entries => (1..)
                .zip(entries)
                .map(|(n, entry)| kind.segment(n, entry))
                .collect(),
        });
        segments.collect()
    };
    format!(
        "MSH|^~\\&|{sender}|ZZHOSP|CW|ZZ|{at}||ADT^A08^ADT_A01|{control}|P|2.5.1\rEVN|A08|{at}\r\
         PID|1||{patient}^^^ZZHOSP^MR||TESTPATIENT^ANNA||19800102|F\r{}\
         PV1|1|I|W1|||||||||||||||{visit}^^^ZZHOSP^VN\r{}{}{}{}",
        of(Kind::Relatives),
        of(Kind::Allergies),
        of(Kind::Diagnoses),
        of(Kind::Guarantors),
        of(Kind::Coverages),
    )
    .replace("|||||||||||||||V", "||||||||||||||||V")
}

fn reference(patient: &Value) -> String {
    format!("Patient/{}", id_of(patient))
}

/// Returns the entries of a patient, each true if active.
fn entries(site: &ChartSite, kind: Kind, patient: &str) -> BTreeMap<String, bool> {
    let all = site.all(kind.resource_type());
    let own = all.iter().filter(|value| {
        ["patient", "subject", "beneficiary"].iter().any(|name| {
            let reference = value.get(name).and_then(|value| value.text("reference"));
            reference == Some(patient)
        })
    });
    own.filter_map(|value| kind.entry(value)).collect()
}

fn active(site: &ChartSite, kind: Kind, patient: &str) -> BTreeSet<String> {
    let entries = entries(site, kind, patient).into_iter();
    entries
        .filter(|(_, is_active)| *is_active)
        .map(|(name, _)| name)
        .collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

const T1: &str = "20240517100000";
const T2: &str = "20240517110000";
const T3: &str = "20240517120000";
const T4: &str = "20240517130000";

/// One generated message.
#[derive(Clone, Debug)]
struct Told {
    sender: usize,
    /// Seconds; a message may be late.
    at: usize,
    lists: Vec<(Kind, BTreeSet<&'static str>)>,
}

fn told() -> impl Strategy<Value = Told> {
    let kind = prop::sample::select(KINDS.to_vec());
    let entries =
        prop::collection::btree_set(prop::sample::select(vec!["A", "B", "C", "NKA"]), 0..4);
    let lists = prop::collection::btree_map(kind, entries, 0..4);
    (0..2_usize, 0..60_usize, lists).prop_map(|(sender, at, lists)| Told {
        sender,
        at,
        lists: lists.into_iter().collect(),
    })
}

/// After any messages of two senders, the active entries are those that each sender listed in its
/// latest message with that list; "no known allergy" is active only where no allergy is.
#[test]
fn what_is_active_is_what_each_sender_listed_last() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    let n_cases = AtomicUsize::new(0);
    let mut runner = TestRunner::new(Config {
        cases: 60,
        failure_persistence: None,
        ..Config::default()
    });
    let result = runner.run(&prop::collection::vec(told(), 1..9), |messages| {
        let number = n_cases.fetch_add(1, Ordering::Relaxed);
        let (patient, visit) = (format!("P{number}"), format!("V{number}"));
        let mut model: BTreeMap<(Kind, usize), (usize, BTreeSet<&str>)> = BTreeMap::new();
        for (n, told) in messages.iter().enumerate() {
            let lists: Vec<(Kind, Vec<&str>)> = told
                .lists
                .iter()
                .map(|(kind, entries)| (*kind, entries.iter().copied().collect()))
                .collect();
            let control = format!("{number}.{n}");
            let at = format!("202405171000{:02}", told.at);
            let message = adt(
                (&control, ["REG", "WARD"][told.sender]),
                (&patient, &visit),
                &at,
                &lists,
            );
            prop_assert_eq!(site.send("adt", &message), "AA");
            for (kind, entries) in &told.lists {
                let known = model.entry((*kind, told.sender)).or_default();
                if known.0 <= told.at {
                    *known = (told.at, entries.clone());
                }
            }
        }
        let patient = reference(&site.patient(&patient));
        for kind in KINDS {
            let lists = model.iter().filter(|((own, _), _)| *own == kind);
            let mut expected: BTreeSet<String> = lists
                .flat_map(|(_, (_, entries))| entries.iter().map(|entry| (*entry).to_owned()))
                .collect();
            if kind == Kind::Allergies && 1 < expected.len() {
                expected.remove("NKA");
            }
            prop_assert_eq!(active(&site, kind, &patient), expected, "{:?}", kind);
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// A message without a segment of a list says nothing about it; one with `""` alone empties it.
#[test]
fn absent_keeps_and_null_empties() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    for kind in KINDS {
        let (number, visit) = (format!("P{kind:?}"), format!("V{kind:?}"));
        let send = |control: &str, at: &str, lists: &[(Kind, Vec<&str>)]| {
            let control = format!("{control}{kind:?}");
            let message = adt((&control, "REG"), (&number, &visit), at, lists);
            assert_eq!(site.send("adt", &message), "AA");
        };
        send("C1", T1, &[(kind, vec!["A", "B"])]);
        let patient = reference(&site.patient(&number));
        let is = |clause: &str, expected: &[&str]| {
            assert_eq!(
                active(&site, kind, &patient),
                set(expected),
                "{kind:?}: {clause}"
            );
        };
        send("C2", T2, &[]);
        is("none", &["A", "B"]);
        send("C3", T3, &[(kind, vec!["B"])]);
        is("one of two", &["B"]);
        assert_eq!(
            entries(&site, kind, &patient).len(),
            2,
            "{kind:?}: never deleted"
        );
        send("C4", T2, &[(kind, vec!["A", "C"])]);
        is(
            "an older list ends nothing, and what it alone has is ended",
            &["B"],
        );
        send("C5", T4, &[(kind, vec![])]);
        is("emptied", &[]);
        assert_eq!(
            entries(&site, kind, &patient).len(),
            3,
            "{kind:?}: a null is no entry"
        );
        send("C6", "20240517140000", &[(kind, vec!["A"])]);
        is("listed again", &["A"]);
    }
}

/// The lineage shows which message ended an entry, whose list it was, and where the map says so.
#[test]
fn the_end_of_an_entry_is_explained() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    for (control, at, entries) in [("C1", T1, vec!["A", "B"]), ("C2", T2, vec!["B"])] {
        let message = adt(
            (control, "REG"),
            ("1", "V1"),
            at,
            &[(Kind::Allergies, entries)],
        );
        assert_eq!(site.send("adt", &message), "AA");
    }
    let all = site.all("AllergyIntolerance");
    let ended = all
        .iter()
        .find(|value| value.at("code.coding[0].code").and_then(Value::as_str) == Some("A"));
    let ended = ended.unwrap();
    let mark = ended.at("extension[0]").unwrap();
    assert_eq!(mark.text("url"), Some("urn:causeway:no-longer-listed"));
    let part = |path: &str| mark.at(path).and_then(Value::as_str).unwrap().to_owned();
    assert_eq!(part("extension[0].valueString"), "REG at ZZHOSP");
    assert_eq!(
        part("extension[1].valueInstant"),
        "2024-05-17T11:00:00.000Z"
    );
    assert_eq!(part("extension[2].valueCode"), "unlisted");
    let lineage = site
        .chart
        .lineage(
            &permit(),
            "AllergyIntolerance",
            &id_of(ended),
            Some("AllergyIntolerance.clinicalStatus"),
        )
        .unwrap();
    let second = site.rows()[1].sequence.get().to_be_bytes().to_vec();
    let newest = &lineage[0];
    let origin = &newest.origin;
    assert_eq!(origin.element, "AllergyIntolerance.clinicalStatus");
    assert_eq!(newest.message, second, "the message that listed it no more");
    assert_eq!(
        (origin.source.as_str(), origin.value.as_str()),
        ("AL1", "no longer listed by REG at ZZHOSP")
    );
    assert!(origin.row.contains("message/adt.map:"), "{}", origin.row);
    // Listed again, it has no mark.
    let message = adt(
        ("C3", "REG"),
        ("1", "V1"),
        T3,
        &[(Kind::Allergies, vec!["A", "B"])],
    );
    assert_eq!(site.send("adt", &message), "AA");
    for value in site.all("AllergyIntolerance") {
        assert_eq!(value.get("extension"), None);
    }
}

/// DG1 lists the diagnoses of the visit that the message names.
#[test]
fn diagnoses_are_those_of_a_visit() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    let send = |control: &str, visit: &str, at: &str, entries: Vec<&str>| {
        let message = adt(
            (control, "REG"),
            ("1", visit),
            at,
            &[(Kind::Diagnoses, entries)],
        );
        assert_eq!(site.send("adt", &message), "AA");
    };
    send("C1", "V1", T1, vec!["A", "B"]);
    send("C2", "V2", T2, vec!["C"]);
    let patient = reference(&site.patient("1"));
    let is = |expected: &[&str]| {
        assert_eq!(active(&site, Kind::Diagnoses, &patient), set(expected));
    };
    is(&["A", "B", "C"]);
    send("C3", "V2", T3, vec!["D"]);
    is(&["A", "B", "D"]);
    send("C4", "V1", T3, vec!["B"]);
    is(&["B", "D"]);
}

/// Two flows keep separate records: a list of one ends nothing of the other.
#[test]
fn a_sender_ends_nobody_elses_entries() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    for (flow, control, at, entries) in [
        ("adt", "C1", T1, vec!["A", "B"]),
        ("lab", "C2", T2, vec!["C"]),
        ("lab", "C3", T3, vec![]),
    ] {
        let message = adt(
            (control, "REG"),
            ("1", "V1"),
            at,
            &[(Kind::Allergies, entries)],
        );
        assert_eq!(site.send(flow, &message), "AA");
    }
    let all = site.all("AllergyIntolerance");
    let active = all.iter().filter_map(|value| Kind::Allergies.entry(value));
    let active: BTreeSet<String> = active
        .filter(|(_, is_active)| *is_active)
        .map(|(name, _)| name)
        .collect();
    assert_eq!(active, set(&["A", "B"]));
}

/// After a merge, the survivor's list also covers the record that was merged into it.
#[test]
fn a_merge_joins_the_lists() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    let send = |control: &str, patient: &str, at: &str, entries: Vec<&str>| {
        let visit = format!("V{patient}");
        let message = adt(
            (control, "REG"),
            (patient, &visit),
            at,
            &[(Kind::Allergies, entries)],
        );
        assert_eq!(site.send("adt", &message), "AA");
    };
    send("C1", "1", T1, vec!["A", "B"]);
    send("C2", "2", T1, vec!["B", "C"]);
    let [staying, going] = ["1", "2"].map(|number| reference(&site.patient(number)));
    let merge = format!(
        "MSH|^~\\&|REG|ZZHOSP|CW|ZZ|{T2}||ADT^A40^ADT_A39|M1|P|2.5.1\rEVN|A40|{T2}\r\
         PID|1||1^^^ZZHOSP^MR\rMRG|2^^^ZZHOSP^MR\r"
    );
    assert_eq!(site.send("adt", &merge), "AA");
    assert_eq!(
        active(&site, Kind::Allergies, &going),
        set(&["B", "C"]),
        "a merge ends nothing"
    );
    // The retired number still leads to the survivor.
    send("C3", "2", T3, vec!["B", "C"]);
    assert_eq!(active(&site, Kind::Allergies, &staying), set(&["B", "C"]));
    assert_eq!(
        active(&site, Kind::Allergies, &going),
        set(&[]),
        "told again of the survivor"
    );
}

/// A source in action-code mode sends one entry at a time: entries it does not name stay.
#[test]
fn action_codes_end_only_what_they_name() {
    let dir = tempdir().unwrap();
    let dialect = "dialect ACTIONS extends v2\nchoice lists = actions\n";
    let maps = mapping::MapSet::with([("site/actions.map", dialect)]).unwrap();
    let site = ChartSite::start_by(
        dir.path(),
        flow::Maps::Own(std::sync::Arc::new(maps)),
        |flow| {
            flow.map.dialect = Some("ACTIONS".to_owned());
        },
    );
    let send = |control: &str, at: &str, lists: &[(Kind, Vec<&str>)]| {
        let message = adt((control, "REG"), ("1", "V1"), at, lists);
        assert_eq!(site.send("adt", &message), "AA");
    };
    send(
        "C1",
        T1,
        &[(Kind::Allergies, vec!["NKA"]), (Kind::Diagnoses, vec!["A"])],
    );
    send(
        "C2",
        T2,
        &[(Kind::Allergies, vec!["A"]), (Kind::Diagnoses, vec!["B"])],
    );
    send("C3", T3, &[(Kind::Allergies, vec!["B"])]);
    let patient = reference(&site.patient("1"));
    assert_eq!(
        active(&site, Kind::Allergies, &patient),
        set(&["A", "B"]),
        "A ends NKA"
    );
    assert_eq!(active(&site, Kind::Diagnoses, &patient), set(&["A", "B"]));
}
