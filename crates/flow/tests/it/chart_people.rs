//! Patient identity: numbers that identify nobody, a number given to somebody else, no patient at
//! all.

use crate::chart_site::ChartSite;
use flow::Attention;
use store::journal::{Filter, State};
use tempfile::tempdir;

fn adt(control: u32, numbers: &str, who: &str) -> String {
    format!(
        "MSH|^~\\&|REG|ZZHOSP|CW|ZZ|2024010110{control:02}00||ADT^A28^ADT_A05|{control}|P|2.5.1\r\
         EVN|A28|2024010110{control:02}00\rPID|1||{numbers}||{who}\r"
    )
}

const FRED: &str = "ZZALPHA^FRED||19700101|M";
const DORA: &str = "ZZALPHA^DORA||20050505|F";

/// HL7 table 0203: the number of a policy, an account, a visit or a group is not a patient's.
#[test]
fn what_names_no_person_finds_none() {
    for kind in [
        "MB", "SN", "GN", "AN", "VN", "XX", "FI", "EI", "NIIP", "MA", "MC", "HC", "WC", "PE", "TAX",
    ] {
        for own in ["", "A1^^^ZZHOSP^MR~"] {
            let dir = tempdir().unwrap();
            let site = ChartSite::start(dir.path());
            let shared = format!("S9^^^ACME&2.16.840.1.113883.19.9&ISO^{kind}");
            let other = own.replace("A1", "B2");
            site.send("adt", &adt(1, &format!("{own}{shared}"), FRED));
            site.send("adt", &adt(2, &format!("{other}{shared}"), DORA));
            assert_eq!(site.all("Patient").len(), 2, "{kind} {own}");
        }
    }
}

#[test]
fn placeholders_name_nobody_and_are_told() {
    for value in [
        "UNKNOWN", "unknown", "N/A", "0", "000000", "99999999", "NONE", "-",
    ] {
        let dir = tempdir().unwrap();
        let site = ChartSite::start(dir.path());
        site.send("adt", &adt(1, &format!("{value}^^^ZZHOSP^MR"), FRED));
        site.send("adt", &adt(2, &format!("{value}^^^ZZHOSP^MR"), DORA));
        assert_eq!(site.all("Patient").len(), 2, "{value}");
        let row = site.row(&Filter::default());
        assert_eq!(row.state, State::NeedsAttention, "{value}");
        let reason = row.reason.unwrap_or_default();
        assert!(
            reason.starts_with(Attention::NamelessPatient.code()),
            "{reason}"
        );
    }
}

#[test]
fn a_message_about_somebody_else_waits_for_a_person() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    assert_eq!(site.send("adt", &adt(1, "A1^^^ZZHOSP^MR", FRED)), "AA");
    assert_eq!(
        site.send("adt", &adt(2, "A1^^^ZZHOSP^MR", "ZZBETA^JANE||19500505|F")),
        "AE"
    );
    let row = site.row(&Filter::default());
    assert_eq!(row.state, State::NeedsAttention);
    let family = |site: &ChartSite| {
        let patient = site.only("Patient");
        patient
            .at("name[0].family")
            .and_then(fhir::build::Value::as_str)
            .unwrap()
            .to_owned()
    };
    assert_eq!(family(&site), "ZZALPHA");
    // A change of one or two of the three is a correction.
    assert_eq!(
        site.send(
            "adt",
            &adt(3, "A1^^^ZZHOSP^MR", "ZZALPHA^FREDDY||19700101|M")
        ),
        "AA"
    );
    // Other messages with the number continue meanwhile; releasing the message confirms it.
    site.engine.release(row.sequence).unwrap();
    for _ in 0..200 {
        if family(&site) == "ZZBETA" {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    // Its news is older than the correction's, so the stored values stay; it is applied all the
    // same.
    let row = site.journal.read(row.sequence).unwrap().unwrap().summary;
    assert_eq!(row.state, State::Mapped);
}

/// One national number in two records that cannot be one person's: each keeps its own person, and
/// the conflict is reported once.
#[test]
fn contradicting_records_under_one_number_are_told_once() {
    const SSN: &str = "219-09-1234^^^USSSA&2.16.840.1.113883.4.1&ISO^SS";
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    let say = |control: u32, number: &str, who: &str| {
        let text = adt(control, &format!("{number}^^^ZZHOSP^MR~{SSN}"), who);
        assert_eq!(site.send("adt", &text), "AA", "it is in the chart");
        site.row(&Filter::default())
    };
    assert_eq!(say(1, "A1", FRED).state, State::Mapped);
    let row = say(2, "B2", DORA);
    assert_eq!(row.state, State::NeedsAttention);
    let told = flow::attention::read(row.reason.as_deref().unwrap());
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].reason, Attention::SharedIdentifier);
    for number in ["A1", "B2"] {
        let id = site.patient(number).text("id").unwrap().to_owned();
        assert!(told[0].why.contains(&format!("Patient/{id}")), "{told:?}");
    }
    assert!(told[0].why.contains("type SS"), "{told:?}");
    assert!(told[0].why.contains("birth date, sex and name"), "{told:?}");
    assert!(!told[0].why.contains("1234"), "its value is not told");
    let person = |number: &str| {
        let id = site.patient(number).text("id").unwrap().to_owned();
        let person = site.chart.person_of(&crate::chart_site::permit(), &id);
        person.unwrap().unwrap().id
    };
    assert_ne!(person("A1"), person("B2"));

    // Later messages about either report nothing new.
    assert_eq!(
        say(3, "B2", "ZZALPHA^DORA||20050506|F").state,
        State::Mapped
    );
    assert_eq!(
        say(4, "A1", "ZZALPHA^FRED||19700102|M").state,
        State::Mapped
    );
    // A third record contradicts one of them, and is one person with the other.
    let third = say(5, "C3", "ZZALPHA^DORA||20050506|F");
    let told = flow::attention::read(third.reason.as_deref().unwrap());
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(person("C3"), person("B2"));
}

/// A result has a patient, or it is not in the chart.
#[test]
fn facts_about_nobody_are_refused() {
    for (clause, message) in [
        (
            "a result",
            "MSH|^~\\&|LAB|ZZLAB|CW|ZZ|20240105||ORU^R01^ORU_R01|1|P|2.5.1\r\
             OBR|1|P1|F1|24323-8^CMP^LN\rOBX|1|NM|2345-7^Glucose^LN||98|mg/dL|||||F\r",
        ),
        (
            "an order",
            "MSH|^~\\&|EHR|ZZFAC|CW|ZZ|20240105||OML^O21^OML_O21|1|P|2.5.1\r\
             ORC|NW|P1\rOBR|1|P1||24323-8^CMP^LN\r",
        ),
        (
            "a prescription",
            "MSH|^~\\&|PHARM|ZZFAC|CW|ZZ|20240105||RDE^O11^RDE_O11|1|P|2.5.1\r\
             ORC|NW|P1\rRXE||W^Warfarin^L|1||TAB\r",
        ),
    ] {
        let dir = tempdir().unwrap();
        let site = ChartSite::start(dir.path());
        assert_eq!(site.send("lab", message), "AE", "{clause}");
        let row = site.row(&Filter::default());
        assert_eq!(row.state, State::NeedsAttention, "{clause}");
        let reason = row.reason.unwrap_or_default();
        assert!(
            reason.starts_with(Attention::NoPatient.code()),
            "{clause}: {reason}"
        );
        assert!(site.all("Observation").is_empty(), "{clause}");
    }
}

/// A visit without a number is the patient's one open visit (IHE RAD TF-2, 4.1.4.1.2.4 for PID-18).
#[test]
fn visits_without_a_number() {
    let visit = |control: u32, event: &str, account: &str, admitted: &str| {
        let dots = "|".repeat(41);
        format!(
            "MSH|^~\\&|REG|ZZHOSP|CW|ZZ|2024010{control}100000||ADT^{event}^ADT_A01|{control}|P|2.5.1\r\
             EVN|{event}|2024010{control}100000\r\
             PID|1||A1^^^ZZHOSP^MR||{FRED}||||||||||{account}\rPV1|1|I|W{control}{dots}{admitted}\r"
        )
    };
    for (clause, messages, expected) in [
        (
            "one stay by its account",
            vec![
                ("A01", "ACC1", "20240101"),
                ("A02", "ACC1", ""),
                ("A03", "ACC1", ""),
            ],
            vec!["finished"],
        ),
        (
            "one stay by its admission",
            vec![
                ("A01", "", "20240101"),
                ("A02", "", "20240101"),
                ("A03", "", "20240101"),
            ],
            vec!["finished"],
        ),
        (
            "one stay of which nothing more is told",
            vec![
                ("A01", "", ""),
                ("A08", "", ""),
                ("A03", "", ""),
                ("A08", "", ""),
            ],
            vec!["finished"],
        ),
        (
            "two stays",
            vec![
                ("A01", "", "20240101"),
                ("A03", "", "20240101"),
                ("A01", "", "20240103"),
            ],
            vec!["finished", "in-progress"],
        ),
        (
            "two stays on one account",
            vec![
                ("A01", "ACC1", "20240101"),
                ("A03", "ACC1", ""),
                ("A01", "ACC1", "20240103"),
            ],
            vec!["finished", "in-progress"],
        ),
    ] {
        let dir = tempdir().unwrap();
        let site = ChartSite::start(dir.path());
        for (n, (event, account, admitted)) in messages.into_iter().enumerate() {
            let text = visit(n as u32 + 1, event, account, admitted);
            assert_eq!(site.send("adt", &text), "AA", "{clause}");
        }
        let mut found: Vec<String> = site
            .all("Encounter")
            .iter()
            .map(|visit| visit.text("status").unwrap().to_owned())
            .collect();
        found.sort();
        assert_eq!(found, expected, "{clause}");
    }
}

/// A merge of a number that identifies nobody would retire a patient into nobody (HL7 v2.5.1,
/// 3.6.2).
#[test]
fn merges_are_of_people() {
    let merge = |control: u32, stays: &str, goes: &str| {
        format!(
            "MSH|^~\\&|REG|ZZHOSP|CW|ZZ|2024010110{control:02}00||ADT^A40^ADT_A39|{control}|P|2.5.1\r\
             EVN|A40|2024010110{control:02}00\rPID|1||{stays}||{FRED}\rMRG|{goes}\r"
        )
    };
    for (clause, stays, goes, answer, n_active) in [
        (
            "into a placeholder",
            "UNKNOWN^^^ZZHOSP^MR",
            "A1^^^ZZHOSP^MR",
            "AE",
            2,
        ),
        (
            "of a placeholder",
            "A1^^^ZZHOSP^MR",
            "000^^^ZZHOSP^MR",
            "AE",
            2,
        ),
        (
            "by an account alone",
            "A1^^^ZZHOSP^MR",
            "S9^^^ZZHOSP^AN",
            "AE",
            2,
        ),
        (
            "beside one account of both",
            "A1^^^ZZHOSP^MR~S9^^^ZZHOSP^AN",
            "B2^^^ZZHOSP^MR~S9^^^ZZHOSP^AN",
            "AA",
            1,
        ),
    ] {
        let dir = tempdir().unwrap();
        let site = ChartSite::start(dir.path());
        site.send("adt", &adt(1, "A1^^^ZZHOSP^MR", FRED));
        site.send("adt", &adt(2, "B2^^^ZZHOSP^MR", FRED));
        assert_eq!(site.send("adt", &merge(3, stays, goes)), answer, "{clause}");
        let is_active = |patient: &&fhir::build::Value| patient.get("active").is_none();
        let patients = site.all("Patient");
        assert_eq!(
            patients.iter().filter(is_active).count(),
            n_active,
            "{clause}"
        );
    }
}

/// Two patients in one message, whose orders have one number.
#[test]
fn one_message_about_two_patients() {
    let group = |number: &str, who: &str, value: u32| {
        format!(
            "PID|1||{number}^^^ZZHOSP^MR||{who}\r\
             OBR|1|P1^ZZHOSP|F1^ZZLAB|24323-8^CMP^LN|||20240105\r\
             OBX|1|NM|2345-7^Glucose^LN||{value}|mg/dL|||||F\r"
        )
    };
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    for control in [1, 2] {
        let text = format!(
            "MSH|^~\\&|LAB|ZZLAB|CW|ZZ|2024010{control}||ORU^R01^ORU_R01|{control}|P|2.5.1\r{}{}",
            group("A1", FRED, 98),
            group("B2", DORA, 450)
        );
        assert_eq!(site.send("lab", &text), "AA");
        assert_eq!(site.all("Observation").len(), 2);
        assert_eq!(site.all("DiagnosticReport").len(), 2);
        for (number, value) in [("A1", "98"), ("B2", "450")] {
            let id = format!("Patient/{}", site.patient(number).text("id").unwrap());
            let own = site.all("Observation").into_iter().find(|result| {
                result
                    .at("subject.reference")
                    .and_then(fhir::build::Value::as_str)
                    == Some(&id)
            });
            let own = own.unwrap();
            assert_eq!(
                own.at("valueQuantity.value").unwrap().number_text(),
                Some(value)
            );
        }
    }
}
