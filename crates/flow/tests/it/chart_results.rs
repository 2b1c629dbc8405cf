//! Results and orders of real senders in the chart: several reports with one number, doctors named
//! in one place and only numbered in another.

use crate::chart_site::ChartSite;
use fhir::build::Value;
use store::journal::{Filter, State};
use tempfile::tempdir;

fn culture(control: &str) -> String {
    let obr = |n: u8, code: &str, parent: &str| {
        format!(
            "OBR|{n}|P1^CLINIC|F1^ZZLAB|{code}^Panel^LN|||20240517100000|||||||||||||||\
             20240517120000||MB|F|{parent}\r"
        )
    };
    format!(
        "MSH|^~\\&|LAB|ZZLAB|CW|ZZ|20240517120000||ORU^R01^ORU_R01|{control}|P|2.5.1\r\
         PID|1||1^^^ZZHOSP^MR||TESTPATIENT\r\
         {}OBX|1|CWE|630-4^Bacteria^LN|1|E1^E. coli^L||||||F\r\
         OBX|2|CWE|630-4^Bacteria^LN|2|K1^Klebsiella^L||||||F\r\
         {}OBX|1|NM|18906-8^Ciprofloxacin^LN|1|0.25|ug/mL||S|||F\r\
         {}OBX|1|NM|18906-8^Ciprofloxacin^LN|1|4|ug/mL||R|||F\r",
        obr(1, "630-4", ""),
        obr(2, "50545-3", "630-4&Bacteria&LN^1^E. coli"),
        obr(3, "50545-3", "630-4&Bacteria&LN^2^Klebsiella"),
    )
}

#[test]
fn two_antibiograms_of_one_number_do_not_overwrite_each_other() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    for control in ["C1", "C2"] {
        assert_eq!(site.send("lab", &culture(control)), "AA");
    }
    assert_eq!(site.all("DiagnosticReport").len(), 3);
    let mut found: Vec<(String, String)> = site
        .all("Observation")
        .iter()
        .filter_map(|result| {
            let isolate = result.at("derivedFrom[0].display")?.as_str()?;
            let code = result.at("interpretation[0].coding[0].code")?.as_str()?;
            Some((isolate.to_owned(), code.to_owned()))
        })
        .collect();
    found.sort();
    let expected = [("E. coli", "S"), ("Klebsiella", "R")];
    assert_eq!(
        found,
        expected.map(|(isolate, code)| (isolate.to_owned(), code.to_owned()))
    );
}

/// Builds a prescription: attending doctor (PV1-7) and ordering doctor (ORC-12).
fn rde(control: &str, number: &str, attends: &str, orders: &str) -> String {
    format!(
        "MSH|^~\\&|PHARM|ZZHOSP|CW|ZZ|20240517120000||RDE^O11^RDE_O11|{control}|P|2.5.1\r\
         PID|1||1^^^ZZHOSP^MR||TESTPATIENT\r\
         PV1|1|I|4W||||{attends}||||||||||||V{number}^^^ZZHOSP^VN\r\
         ORC|NW|RX{number}^ZZHOSP|RX{number}^PHARM|||||||||{orders}\r\
         RXE||860975^Metformin^RXNORM|1||TAB\r\
         RXR|PO\r"
    )
}

const NAMED: &str = "1234^ZZSMITH^JOHN^^^^^^NORTH";
const NUMBER: &str = "1234^^^^^^^^NORTH";
const OTHER: &str = "1234^ZZJONES^AMY^^^^^^NORTH";

fn requesters(site: &ChartSite) -> Vec<String> {
    let people = site.all("Practitioner");
    let family = |reference: &str| {
        let id = reference.strip_prefix("Practitioner/").unwrap();
        let found = people
            .iter()
            .find(|one| one.text("id") == Some(id))
            .unwrap();
        let family = found.at("name[0].family").and_then(Value::as_str);
        family.unwrap_or("nobody").to_owned()
    };
    let mut all: Vec<String> = site
        .all("MedicationRequest")
        .iter()
        .map(|request| {
            family(
                request
                    .at("requester.reference")
                    .and_then(Value::as_str)
                    .unwrap(),
            )
        })
        .collect();
    all.sort();
    all
}

#[test]
fn a_number_alone_is_the_one_who_is_named_in_the_message_or_the_chart() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    assert_eq!(site.send("adt", &rde("C1", "1", NAMED, NUMBER)), "AA");
    // Named after the mention.
    let other = |text: &str| text.replace("1234", "77");
    let (number, named) = (other(NUMBER), other(NAMED));
    assert_eq!(site.send("adt", &rde("C2", "2", &number, &named)), "AA");
    // Named by an earlier message.
    assert_eq!(site.send("adt", &rde("C3", "3", NUMBER, NUMBER)), "AA");
    assert_eq!(site.all("Practitioner").len(), 2);
    assert_eq!(requesters(&site), ["ZZSMITH"; 3]);
}

#[test]
fn a_number_that_two_people_have_means_neither() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    assert_eq!(site.send("adt", &rde("C1", "1", NAMED, OTHER)), "AA");
    assert_eq!(site.send("adt", &rde("C2", "2", NAMED, NUMBER)), "AA");
    assert_eq!(site.all("Practitioner").len(), 3);
    assert_eq!(requesters(&site), ["ZZJONES", "nobody"]);
}

#[test]
fn a_message_about_nobody_is_not_done() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    let nobody = "MSH|^~\\&|REG|ZZHOSP|CW|ZZ|20240517120000||ADT^A08^ADT_A01|C1|P|2.5.1\r\
                  EVN|A08|20240517120000\r";
    assert_eq!(site.send("adt", nobody), "AE");
    assert_eq!(site.all("Organization").len(), 0);
}

#[test]
fn a_discharge_taken_back_takes_its_disposition_with_it() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    let visit = |event: &str, at: &str, from_36: &str| {
        format!(
            "MSH|^~\\&|REG|ZZHOSP|CW|ZZ|{at}||ADT^{event}|{event}|P|2.5.1\r\
             EVN|{event}|{at}\r\
             PID|1||1^^^ZZHOSP^MR||TESTPATIENT\r\
             PV1|1|I|4W||||||||||||||||V1^^^ZZHOSP^VN|||||||||||||||||{from_36}\r"
        )
    };
    let out = "01^Home^HL70112|SNF1|||||||20240512080000|20240517100000";
    assert_eq!(site.send("adt", &visit("A03", "20240517100000", out)), "AA");
    assert!(
        site.only("Encounter")
            .at("hospitalization.dischargeDisposition")
            .is_some()
    );
    let back = "||||||||20240512080000";
    assert_eq!(
        site.send("adt", &visit("A13", "20240517110000", back)),
        "AA"
    );
    let encounter = site.only("Encounter");
    assert_eq!(encounter.text("status"), Some("in-progress"));
    assert!(encounter.at("period.end").is_none());
    assert!(encounter.at("period.start").is_some());
    assert!(encounter.at("hospitalization").is_none(), "{encounter:?}");
}

#[test]
fn a_transfer_taken_back_leaves_the_patient_where_he_was() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    for (hour, event, now, before, places) in [
        (8, "A01", "4W", "", 1),
        (9, "A02", "5E", "4W", 2),
        (10, "A12", "4W", "", 1),
        (11, "A02", "6N", "4W", 2),
        (12, "A08", "6N", "", 2),
    ] {
        let message = format!(
            "MSH|^~\\&|REG|ZZHOSP|CW|ZZ|20240517{hour:02}0000||ADT^{event}|C{hour}|P|2.5.1\r\
             EVN|{event}|20240517{hour:02}0000\r\
             PID|1||1^^^ZZHOSP^MR||TESTPATIENT\r\
             PV1|1|I|{now}|||{before}|||||||||||||V1^^^ZZHOSP^VN\r"
        );
        assert_eq!(site.send("adt", &message), "AA");
        let visit = site.only("Encounter");
        let with = |status: &str| {
            let own = visit
                .each("location")
                .filter(|place| place.text("status") == Some(status));
            own.count()
        };
        assert_eq!(
            (with("active"), visit.each("location").count()),
            (1, places),
            "{event}: {visit:?}"
        );
    }
}

const PARTS_AT: [&str; 3] = ["20240517100000", "20240517110000", "20240517120000"];

/// Builds one message of a report: code and OBX-11 of its results.
fn part(control: &str, at: &str, status: &str, results: &[(&str, &str)]) -> String {
    let obx = (1..).zip(results).map(|(n, (code, status))| {
        let value = if matches!(*status, "D" | "X") {
            "\"\""
        } else {
            "5.0"
        };
        format!("OBX|{n}|NM|{code}^Test {code}^LN||{value}|mmol/L|||||{status}|||20240517090000\r")
    });
    format!(
        "MSH|^~\\&|LAB|ZZLAB|CW|ZZ|{at}||ORU^R01^ORU_R01|{control}|P|2.5.1\r\
         PID|1||1^^^ZZHOSP^MR||TESTPATIENT\r\
         OBR|1|P{c}^CLINIC|F{c}^ZZLAB|24323-8^Panel^LN|||20240517090000|||||||||||||||{at}||CH|{status}\r{}",
        obx.collect::<String>(),
        c = control.split('.').next().unwrap(),
    )
}

/// Returns the codes of the results that the newest report names.
fn named(site: &ChartSite, filler: &str) -> Vec<String> {
    let is_it = |report: &&Value| {
        report
            .each("identifier")
            .any(|id| id.text("value") == Some(filler))
    };
    let reports = site.all("DiagnosticReport");
    let report = reports.iter().find(is_it).unwrap();
    let results = site.all("Observation");
    let mut codes: Vec<String> = report
        .each("result")
        .map(|item| {
            let id = item
                .text("reference")
                .unwrap()
                .trim_start_matches("Observation/");
            let result = results.iter().find(|result| result.text("id") == Some(id));
            let code = result
                .unwrap()
                .at("code.coding[0].code")
                .and_then(Value::as_str);
            code.unwrap().to_owned()
        })
        .collect();
    codes.sort();
    codes
}

/// A report names all of its results that were not withdrawn (table 0085: D, W, X), in whatever
/// parts and order they arrive.
#[test]
fn a_report_names_what_belongs_to_it() {
    let [t1, t2, t3] = PARTS_AT;
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    for (n, (clause, parts, expected)) in [
        (
            "one by one",
            vec![(t1, "A", vec![("1-8", "F")]), (t2, "F", vec![("2-6", "F")])],
            vec!["1-8", "2-6"],
        ),
        (
            "the later part first",
            vec![(t2, "F", vec![("2-6", "F")]), (t1, "A", vec![("1-8", "F")])],
            vec!["1-8", "2-6"],
        ),
        (
            "a correction with the corrected result alone",
            vec![
                (t1, "F", vec![("1-8", "F"), ("2-6", "F")]),
                (t2, "C", vec![("2-6", "C")]),
            ],
            vec!["1-8", "2-6"],
        ),
        (
            "one withdrawn, one posted for the wrong patient, one that cannot be obtained",
            vec![
                (
                    t1,
                    "F",
                    vec![("1-8", "F"), ("2-6", "F"), ("3-4", "F"), ("4-2", "F")],
                ),
                (t2, "C", vec![("1-8", "D"), ("2-6", "W"), ("3-4", "X")]),
            ],
            vec!["4-2"],
        ),
        (
            "withdrawn and sent again",
            vec![
                (t1, "F", vec![("1-8", "F")]),
                (t2, "C", vec![("1-8", "W")]),
                (t3, "C", vec![("1-8", "C")]),
            ],
            vec!["1-8"],
        ),
        (
            "all withdrawn",
            vec![(t1, "F", vec![("1-8", "F")]), (t2, "C", vec![("1-8", "D")])],
            vec![],
        ),
        (
            "the same again",
            vec![(t1, "F", vec![("1-8", "F")]), (t2, "F", vec![("1-8", "F")])],
            vec!["1-8"],
        ),
    ]
    .into_iter()
    .enumerate()
    {
        for (m, (at, status, results)) in parts.iter().enumerate() {
            let message = part(&format!("{n}.{m}"), at, status, results);
            assert_eq!(site.send("lab", &message), "AA", "{clause}");
        }
        assert_eq!(named(&site, &format!("F{n}")), expected, "{clause}");
    }
}

/// A law: however the results of a report are split into messages, it names each result once,
/// unless the last status withdrew it.
#[test]
fn a_report_is_the_union_of_its_parts() {
    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    let n_cases = std::cell::Cell::new(0);
    let result = prop::sample::select(vec!["1-8", "2-6", "3-4"]);
    let status = prop::sample::select(vec!["P", "F", "C", "D", "W", "X"]);
    let message = prop::collection::btree_map(result, status, 1..4);
    let messages = prop::collection::vec(message, 1..6);
    let mut runner = TestRunner::new(Config {
        cases: 30,
        failure_persistence: None,
        ..Config::default()
    });
    let law = runner.run(&messages, |messages| {
        let number = n_cases.replace(n_cases.get() + 1);
        let mut last: std::collections::BTreeMap<&str, &str> = std::collections::BTreeMap::new();
        for (n, results) in messages.iter().enumerate() {
            let results: Vec<_> = results
                .iter()
                .map(|(code, status)| (*code, *status))
                .collect();
            let at = format!("202405171000{n:02}");
            let message = part(&format!("L{number}.{n}"), &at, "C", &results);
            prop_assert_eq!(site.send("lab", &message), "AA");
            for (code, status) in results {
                let known = last.get(code).copied();
                if mapping::lifecycle::allowed(known, status) {
                    last.insert(code, status);
                }
            }
        }
        let stands = |(_, status): &(&&str, &&str)| !matches!(**status, "D" | "W" | "X");
        let expected: Vec<String> = last
            .iter()
            .filter(stands)
            .map(|(code, _)| (*code).to_owned())
            .collect();
        prop_assert_eq!(named(&site, &format!("FL{number}")), expected);
        Ok(())
    });
    if let Err(error) = law {
        panic!("{error}");
    }
}

/// Lines of a report whose sender omits OBX-3 are one text, and a shorter correction replaces all
/// of it.
#[test]
fn a_text_without_a_code_is_corrected_whole() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    let report = |control: &str, status: &str, lines: &[&str]| {
        let lines: Vec<String> = (1..)
            .zip(lines)
            .map(|(n, line)| format!("OBX|{n}|TX|||{line}||||||{status}\r"))
            .collect();
        format!(
            "MSH|^~\\&|LAB|ZZLAB|CW|ZZ|20240517120000||ORU^R01^ORU_R01|{control}|P|2.5.1\r\
             PID|1||1^^^ZZHOSP^MR||TESTPATIENT\r\
             OBR|1|P1^CLINIC|F1^ZZLAB|CXR^Chest^L|||20240517100000|||||||||||||||20240517120000||RAD|{status}\r{}",
            lines.concat()
        )
    };
    for (control, status, lines) in [
        (
            "C1",
            "F",
            &["IMPRESSION:", "Nodule left.", "Follow up."][..],
        ),
        ("C2", "C", &["IMPRESSION:", "Nodule right."]),
        ("C3", "C", &["No nodule."]),
    ] {
        assert_eq!(site.send("lab", &report(control, status, lines)), "AA");
        let text = site.only("Observation");
        assert_eq!(text.text("valueString"), Some(lines.join("\n").as_str()));
    }
}

/// A line end inside a field cuts the segment: the rest begins with no segment name and is not
/// read.
#[test]
fn a_segment_that_a_line_end_cut_needs_attention() {
    let whole = "first line\\.br\\second line";
    for (text, state) in [
        (whole, State::Mapped),
        ("first line\rsecond line", State::NeedsAttention),
        ("first line\rOBX of the second line", State::NeedsAttention),
        ("first line\r\r", State::Mapped),
    ] {
        let dir = tempdir().unwrap();
        let site = ChartSite::start(dir.path());
        let message = format!(
            "MSH|^~\\&|LAB|ZZLAB|CW|ZZ|20240517120000||ORU^R01^ORU_R01|C1|P|2.5.1\r\
             PID|1||1^^^ZZHOSP^MR||TESTPATIENT\r\
             OBR|1|P1^CLINIC|F1^ZZLAB|CXR^Chest^L|||20240517100000|||||||||||||||20240517120000||RAD|F\r\
             NTE|1|L|{text}\r"
        );
        assert_eq!(site.send("lab", &message), "AA");
        let row = site.row(&Filter::default());
        assert_eq!(row.state, state, "{text:?}: {:?}", row.reason);
        let is_told = row
            .reason
            .is_some_and(|reason| reason.starts_with("incomplete"));
        assert_eq!(is_told, state == State::NeedsAttention, "{text:?}");
    }
}
