//! Changes that a message may make (the table of bad input and the rules for news, keys, merges).

use crate::chart_site::{ChartSite, id_of, permit};
use crate::client::{Client, adt, field, msa1};
use fhir::build::Value;
use store::journal::{Filter, Page, Sequence, State};
use tempfile::tempdir;

const T1: &str = "20240517100000";
const T2: &str = "20240517110000";
const T3: &str = "20240517120000";

/// Builds a result: one observation of a patient, with OBX-11 and the time of the message.
fn oru(control: &str, patient: &str, value: &str, status: &str, at: &str) -> String {
    format!(
        "MSH|^~\\&|LAB|ZZLAB|CW|ZZ|{at}||ORU^R01^ORU_R01|{control}|P|2.5.1\r\
         PID|1||{patient}^^^ZZHOSP^MR||TESTPATIENT\r\
         OBR|1|P1^CLINIC|F1^ZZLAB|24323-8^CMP^LN|||{T1}||||||||||||||||||{status}\r\
         OBX|1|NM|2345-7^Glucose^LN||{value}|mg/dL^mg/dL^UCUM|70-99|H|||{status}|||{T1}\r"
    )
}

fn merge(control: &str, stays: &str, goes: &str, at: &str) -> String {
    format!(
        "MSH|^~\\&|REG|ZZHOSP|CW|ZZ|{at}||ADT^A40^ADT_A39|{control}|P|2.5.1\r\
         EVN|A40|{at}\r\
         PID|1||{stays}^^^ZZHOSP^MR||TESTPATIENT^MERGED||19800102|F\r\
         MRG|{goes}^^^ZZHOSP^MR\r"
    )
}

fn given(patient: &Value) -> &str {
    patient
        .at("name[0].given[0]")
        .and_then(Value::as_str)
        .unwrap_or("")
}

#[test]
fn a_message_makes_a_patient_with_an_encounter_that_refers_to_it() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    assert_eq!(site.send("adt", &adt("A01", "C1", "1", "ANNA", T1)), "AA");
    let patient = site.patient("1");
    assert_eq!(given(&patient), "ANNA");
    let subject = site
        .only("Encounter")
        .at("subject.reference")
        .and_then(Value::as_str)
        .unwrap()
        .to_owned();
    assert_eq!(subject, format!("Patient/{}", id_of(&patient)));
    assert_eq!(id_of(&patient).len(), 32, "128 random bits");
    let lineage = site
        .chart
        .lineage(
            &permit(),
            "Patient",
            &id_of(&patient),
            Some("Patient.birthDate"),
        )
        .unwrap();
    assert_eq!(lineage[0].origin.source, "PID-7");
    assert_eq!(lineage[0].origin.value, "19800102");
    assert!(
        lineage[0].origin.row.contains("pid.map:"),
        "{}",
        lineage[0].origin.row
    );
}

#[test]
fn the_same_message_twice_changes_nothing() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    for control in ["C1", "C2", "C3"] {
        assert_eq!(
            site.send("adt", &adt("A01", control, "1", "ANNA", T1)),
            "AA"
        );
    }
    let patient = id_of(&site.patient("1"));
    assert_eq!(site.versions("Patient", &patient).len(), 1);
    assert_eq!(
        site.versions("Encounter", &id_of(&site.only("Encounter")))
            .len(),
        1
    );
    // The very same message, replayed by a person, is recognized as applied.
    let first = site
        .journal
        .list(
            &Filter::default(),
            Page {
                before: None,
                limit: 10,
            },
        )
        .unwrap()
        .rows;
    site.engine
        .replay(first.last().unwrap().sequence, "zztest")
        .unwrap();
    site.drain();
    assert_eq!(site.versions("Patient", &patient).len(), 1);
}

#[test]
fn a_sparse_result_does_not_wipe_an_address_and_null_deletes() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    site.send("adt", &adt("A01", "C1", "1", "ANNA", T1));
    assert_eq!(site.send("lab", &oru("L1", "1", "105", "F", T2)), "AA");
    let patient = site.patient("1");
    assert_eq!(
        patient.at("address[0].city").and_then(Value::as_str),
        Some("ZZTOWN"),
        "absent keeps"
    );
    let observation = site.only("Observation");
    let subject = observation
        .at("subject.reference")
        .and_then(Value::as_str)
        .unwrap();
    assert_eq!(
        subject,
        format!("Patient/{}", id_of(&patient)),
        "the lab links to the clinic's patient"
    );
    let without = adt("A08", "C2", "1", "ANNA", T2).replace("1 TEST ST^^ZZTOWN^IL^60601", "\"\"");
    assert_eq!(site.send("adt", &without), "AA");
    assert_eq!(site.patient("1").get("address"), None, "\"\" deletes");
    let silent = adt("A08", "C3", "1", "ANNA", T3).replace("|19800102|", "||");
    assert_eq!(site.send("adt", &silent), "AA");
    assert_eq!(
        site.patient("1").text("birthDate"),
        Some("1980-01-02"),
        "absent keeps"
    );
}

#[test]
fn late_old_news_does_not_overwrite() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    site.send("adt", &adt("A08", "C1", "1", "NEW", T2));
    assert_eq!(site.send("adt", &adt("A08", "C2", "1", "OLD", T1)), "AA");
    assert_eq!(given(&site.patient("1")), "NEW");
    // News that changes nothing is still the newest.
    site.send("adt", &adt("A08", "C3", "1", "NEW", T3));
    site.send("adt", &adt("A08", "C4", "1", "BETWEEN", "20240517113000"));
    assert_eq!(given(&site.patient("1")), "NEW");
}

#[test]
fn results_go_through_their_life_in_any_order() {
    for (clause, codes, expected) in [
        (
            "P F C W",
            &[("P", T1), ("F", T2), ("C", T3), ("W", "20240517130000")][..],
            "entered-in-error",
        ),
        ("F before P", &[("F", T2), ("P", T1)], "final"),
        ("F before P, sent later", &[("F", T1), ("P", T2)], "final"),
        ("P F C", &[("P", T1), ("F", T2), ("C", T3)], "corrected"),
        (
            "C before F",
            &[("P", T1), ("C", T3), ("F", T2)],
            "corrected",
        ),
    ] {
        let dir = tempdir().unwrap();
        let site = ChartSite::start(dir.path());
        for (n, (code, at)) in codes.iter().enumerate() {
            let message = oru(&format!("L{n}"), "1", &format!("10{n}"), code, at);
            assert_eq!(site.send("lab", &message), "AA", "{clause}");
        }
        let observation = site.only("Observation");
        assert_eq!(observation.text("status"), Some(expected), "{clause}");
    }
}

#[test]
fn two_messages_at_once_for_one_patient_both_count() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    // Two flows share no partition, so they meet in the chart.
    let threads: Vec<_> = (0..8)
        .map(|n| {
            let (flow, address) = if n % 2 == 0 {
                ("adt", site.address("adt"))
            } else {
                ("lab", site.address("lab"))
            };
            std::thread::spawn(move || {
                let mut client = Client::connect(address);
                for k in 0..10 {
                    let control = format!("{flow}{n}-{k}");
                    let message = if flow == "adt" {
                        adt("A08", &control, "1", "ANNA", T1)
                    } else {
                        oru(&control, "1", "105", "F", T1).replace("2345-7", &format!("{n}-{k}"))
                    };
                    assert_eq!(client.send(&message), "AA");
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(site.all("Observation").len(), 40, "none lost");
    let owned: Vec<Value> = site
        .all("Patient")
        .into_iter()
        .filter(|patient| patient.get("birthDate").is_some())
        .collect();
    assert_eq!(owned.len(), 1, "one record of the clinic's");
}

#[test]
fn a_merge_links_and_the_retired_number_stays_an_alias() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    site.send("adt", &adt("A01", "C1", "1", "ANNA", T1));
    site.send("adt", &adt("A01", "C2", "2", "ANNE", T1));
    let (one, two) = (id_of(&site.patient("1")), id_of(&site.patient("2")));
    assert_eq!(site.send("adt", &merge("M1", "1", "2", T2)), "AA");
    let read = |id: &str| site.versions("Patient", id).pop().unwrap();
    let link = |patient: &Value| {
        let link = patient.at("link[0]").unwrap();
        (
            link.text("type").unwrap().to_owned(),
            link.at("other.reference")
                .and_then(Value::as_str)
                .unwrap()
                .to_owned(),
        )
    };
    assert_eq!(
        link(&read(&two)),
        ("replaced-by".to_owned(), format!("Patient/{one}"))
    );
    assert_eq!(
        link(&read(&one)),
        ("replaces".to_owned(), format!("Patient/{two}"))
    );
    assert_eq!(
        read(&two).get("active").and_then(Value::as_bool),
        Some(false)
    );
    let n_versions = site.versions("Patient", &one).len();
    assert_eq!(
        site.send("adt", &merge("M2", "1", "2", T2)),
        "AA",
        "again changes nothing"
    );
    assert_eq!(site.versions("Patient", &one).len(), n_versions);
    assert_eq!(site.send("lab", &oru("L1", "2", "105", "F", T3)), "AA");
    let subject = site
        .only("Observation")
        .at("subject.reference")
        .and_then(Value::as_str)
        .unwrap()
        .to_owned();
    assert_eq!(
        subject,
        format!("Patient/{one}"),
        "the retired number means the one who stayed"
    );
    assert_eq!(site.send("adt", &adt("A08", "C3", "2", "LATER", T3)), "AA");
    assert_eq!(given(&read(&one)), "LATER");
    assert_eq!(
        read(&one).at("identifier[0].value").and_then(Value::as_str),
        Some("1"),
        "it keeps its own number"
    );
    let person = |id: &str| site.chart.person_of(&permit(), id).unwrap().unwrap().id;
    assert_eq!(person(&one), person(&two), "one person");
}

#[test]
fn merges_that_make_no_sense_change_nothing_and_are_shown() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    for (control, patient) in [("C1", "1"), ("C2", "2"), ("C3", "3")] {
        site.send("adt", &adt("A01", control, patient, "ANNA", T1));
    }
    assert_eq!(site.send("adt", &merge("M1", "1", "2", T2)), "AA");
    assert_eq!(site.send("adt", &merge("M2", "3", "1", T2)), "AA");
    for (clause, control, stays, goes, reason) in [
        ("with itself", "M3", "1", "1", "merge_with_itself"),
        ("in a circle", "M4", "1", "3", "merge_circle"),
        ("in a longer circle", "M5", "2", "3", "merge_circle"),
    ] {
        let before = site.all("Patient");
        let mut client = Client::connect(site.address("adt"));
        client.post(&merge(control, stays, goes, T3));
        let ack = client.answer().unwrap();
        assert_eq!(
            (msa1(&ack).as_str(), &field(&ack, "ERR", 3)[..3]),
            ("AE", "205"),
            "{clause}"
        );
        assert_eq!(site.all("Patient"), before, "{clause}");
        let filter = Filter {
            control_id: Some(control.to_owned()),
            ..Filter::default()
        };
        let row = site.row(&filter);
        assert_eq!(
            (row.state, row.reason.as_deref()),
            (State::NeedsAttention, Some(reason)),
            "{clause}"
        );
    }
    assert_eq!(
        site.send("adt", &merge("M6", "1", "77", T3)),
        "AA",
        "of one never seen: its number is kept"
    );
    assert_eq!(site.send("lab", &oru("L1", "77", "105", "F", T3)), "AA");
    let subject = site
        .only("Observation")
        .at("subject.reference")
        .and_then(Value::as_str)
        .unwrap()
        .to_owned();
    assert_eq!(
        subject,
        format!("Patient/{}", id_of(&site.patient("3"))),
        "1 was merged into 3"
    );
}

#[test]
fn a_field_that_the_map_cannot_use_is_reported_and_the_rest_goes_through() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    let message = adt("A01", "C1", "1", "ANNA", T1).replace("|19800102|F|", "|1980-13-45|Q|");
    assert_eq!(site.send("adt", &message), "AA");
    let patient = site.patient("1");
    assert_eq!(
        (given(&patient), patient.text("birthDate")),
        ("ANNA", None),
        "nothing is invented"
    );
    let row = site.row(&Filter::default());
    assert!(
        1 < row.n_issues,
        "date and code are reported: {}",
        row.n_issues
    );
}

#[test]
fn what_no_map_takes_is_refused_at_the_door() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start_with(dir.path(), |flow| {
        flow.acknowledge = flow::AckPolicy::Received;
    });
    for (clause, from, to, condition, reason) in [
        (
            "a type without a map",
            "ADT^A01^ADT_A01",
            "ZZZ^Z99",
            "200",
            "no_map",
        ),
        ("version 3", "|P|2.5.1", "|P|3.0", "203", "unknown_version"),
    ] {
        let mut client = Client::connect(site.address("adt"));
        client.post(&adt("A01", "C1", "1", "ANNA", T1).replace(from, to));
        let ack = client.answer().unwrap();
        assert_eq!(
            (msa1(&ack).as_str(), &field(&ack, "ERR", 3)[..3]),
            ("AR", condition),
            "{clause}"
        );
        let row = site.row(&Filter::default());
        assert_eq!(row.reason.as_deref(), Some(reason), "{clause}");
    }
    assert_eq!(site.all("Patient").len(), 0);
}

/// 2.8.2 chapter 2.10.2: half a message must not be taken for a whole one.
#[test]
fn a_part_of_a_message_is_kept_and_shown() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    let whole = adt("A01", "C1", "1", "ANNA", T1);
    let first = format!("{whole}DSC|ZZ2|F\r");
    let second = whole.replacen("|P|2.5.1\r", "|P|2.5.1||ZZ2\rADD|rest\r", 1);
    for (clause, message) in [("DSC-1", first), ("MSH-14", second)] {
        let mut client = Client::connect(site.address("adt"));
        client.post(&message);
        let ack = client.answer().unwrap();
        assert_eq!(
            (msa1(&ack).as_str(), &field(&ack, "ERR", 3)[..3]),
            ("AR", "200"),
            "{clause}"
        );
        let row = site.row(&Filter::default());
        assert_eq!(row.reason.as_deref(), Some("fragment"), "{clause}");
    }
    assert_eq!(site.all("Patient").len(), 0);
}

/// Chapter 2.10.2.1, and a character set that switches: the text that was read reaches the chart.
#[test]
fn continued_segments_and_switched_sets_reach_the_chart() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    let japanese = adt("A01", "C1", "1", "\x1b$B2V;R\x1b(B", T1)
        .replacen("|P|2.5.1\r", "|P|2.5.1||||||~ISO IR87\r", 1)
        .replace("||19800102|F", "||198001\rADD|02|F");
    assert_eq!(site.send("adt", &japanese), "AA");
    let patient = site.patient("1");
    assert_eq!(given(&patient), "花子");
    assert_eq!(patient.text("birthDate"), Some("1980-01-02"));
}

#[test]
fn a_dry_run_shows_the_difference_and_stores_nothing() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    site.send("adt", &adt("A01", "C1", "1", "ANNA", T1));
    let before = site.journal.last();
    let dry = site
        .engine
        .dry_run("adt", adt("A08", "C2", "1", "BERTA", T2).as_bytes())
        .unwrap();
    let patient = dry
        .changes
        .iter()
        .find(|change| change.resource_type == "Patient")
        .unwrap();
    assert!(patient.id.is_some());
    assert!(String::from_utf8_lossy(&patient.after).contains("BERTA"));
    assert!(String::from_utf8_lossy(patient.before.as_ref().unwrap()).contains("ANNA"));
    assert_eq!(given(&site.patient("1")), "ANNA");
    assert_eq!(site.journal.last(), before);
    assert_ne!(before, Sequence::ZERO);
}

#[test]
fn the_lab_may_come_first_and_the_clinic_takes_the_record_over() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start_with(dir.path(), |flow| {
        flow.map
            .authorities
            .insert("ZZHOSP".to_owned(), "urn:oid:2.999.1".to_owned());
    });
    site.send("lab", &oru("L1", "1", "105", "F", T1));
    site.send("adt", &adt("A01", "C1", "1", "ANNA", T1));
    assert_eq!(given(&site.only("Patient")), "ANNA");
    site.send("lab", &oru("L2", "1", "107", "C", T2));
    assert_eq!(site.all("Patient").len(), 1);
}
