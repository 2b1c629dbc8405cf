//! Chains of merges: in one message, over many, and closed to a cycle.

use crate::chart_site::{ChartSite, id_of};
use fhir::build::Value;
use tempfile::tempdir;

/// Builds the merges of one message: survivor and retired.
fn merges(control: &str, pairs: &[(u32, u32)]) -> String {
    let pair = |(stays, goes): &(u32, u32)| {
        format!("PID|1||{stays}^^^ZZHOSP^MR||TESTPATIENT^N{stays}\rMRG|{goes}^^^ZZHOSP^MR\r")
    };
    let pairs: Vec<String> = pairs.iter().map(pair).collect();
    format!(
        "MSH|^~\\&|REG|ZZHOSP|CW|ZZ|20240517100000||ADT^A40^ADT_A39|{control}|P|2.5.1\r\
         EVN|A40|20240517100000\r{}",
        pairs.concat()
    )
}

fn subject_of_news(site: &ChartSite, number: u32) -> String {
    let news = format!(
        "MSH|^~\\&|REG|ZZHOSP|CW|ZZ|20240518100000||ADT^A01|N{number}|P|2.5.1\r\
         EVN|A01|20240518100000\r\
         PID|1||{number}^^^ZZHOSP^MR||TESTPATIENT\r\
         PV1|1|I|||||||||||||||||V1^^^ZZHOSP^VN\r"
    );
    assert_eq!(site.send("adt", &news), "AA");
    let encounter = site.only("Encounter");
    let reference = encounter.at("subject.reference").and_then(Value::as_str);
    reference.unwrap().to_owned()
}

#[test]
fn a_chain_in_one_message_makes_one_record_of_each_number() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    let chain: Vec<(u32, u32)> = (1..=40).map(|n| (n + 1, n)).collect();
    assert_eq!(site.send("adt", &merges("C1", &chain)), "AA");
    let patients = site.all("Patient");
    assert_eq!(patients.len(), 41);
    for patient in &patients {
        let links = |kind: &str| {
            patient
                .each("link")
                .filter(|link| link.text("type") == Some(kind))
                .count()
        };
        let number = patient.at("identifier[0].value").and_then(Value::as_str);
        let ends = [number == Some("1"), number == Some("41")];
        assert_eq!(links("replaces"), usize::from(!ends[0]), "{number:?}");
        assert_eq!(links("replaced-by"), usize::from(!ends[1]), "{number:?}");
        assert_eq!(patient.get("active").is_none(), ends[1], "{number:?}");
    }
    assert_eq!(site.send("adt", &merges("C2", &chain)), "AA");
    assert_eq!(site.all("Patient").len(), 41);
    let last = id_of(&site.patient("41"));
    assert_eq!(subject_of_news(&site, 1), format!("Patient/{last}"));
}

#[test]
fn news_of_the_first_number_reaches_the_last_however_many_merges_lie_between() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    for n in 1..=25 {
        assert_eq!(
            site.send("adt", &merges(&format!("C{n}"), &[(n + 1, n)])),
            "AA"
        );
    }
    let last = id_of(&site.patient("26"));
    assert_eq!(subject_of_news(&site, 1), format!("Patient/{last}"));
}

#[test]
fn a_circle_within_one_message_changes_nothing() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    let circle = [(2, 1), (3, 2), (1, 3)];
    assert_eq!(site.send("adt", &merges("C1", &circle)), "AE");
    assert_eq!(site.all("Patient").len(), 0);
}

#[test]
fn a_later_merge_takes_no_earlier_one_back() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    for (n, pairs) in [
        vec![(9, 1)],
        vec![(9, 2), (9, 3)],
        vec![(9, 4)],
        vec![(9, 2)],
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(site.send("adt", &merges(&format!("C{n}"), pairs)), "AA");
    }
    let survivor = site.patient("9");
    let mut others: Vec<_> = survivor
        .each("link")
        .filter(|link| link.text("type") == Some("replaces"))
        .filter_map(|link| link.get("other")?.text("reference").map(str::to_owned))
        .collect();
    let mut expected: Vec<_> = ["1", "2", "3", "4"]
        .map(|number| format!("Patient/{}", id_of(&site.patient(number))))
        .into();
    others.sort();
    expected.sort();
    assert_eq!(others, expected, "each once");
}

/// HL7 v2 3.3.46 to 3.3.49: A46 to A49 give a patient another number; no record replaces another.
#[test]
fn another_number_is_no_merge_and_leads_nowhere() {
    for event in ["A46", "A47"] {
        let dir = tempdir().unwrap();
        let site = ChartSite::start(dir.path());
        assert_eq!(site.send("adt", &merges("C1", &[(1, 7)])), "AA");
        let before = site.patient("1");
        for (n, (now, then)) in [(2, 1), (3, 2)].into_iter().enumerate() {
            let news = format!(
                "MSH|^~\\&|REG|ZZHOSP|CW|ZZ|20240518100000||ADT^{event}^ADT_A30|N{n}|P|2.5.1\r\
                 EVN|{event}|2024051810000{n}\r\
                 PID|1||{now}^^^ZZHOSP^MR||TESTPATIENT^N1\rMRG|{then}^^^ZZHOSP^MR\r"
            );
            assert_eq!(site.send("adt", &news), "AA");
        }
        let after = site.patient("3");
        assert_eq!(id_of(&after), id_of(&before), "the same record");
        let links: Vec<_> = after
            .each("link")
            .map(|link| link.at("other.reference").and_then(Value::as_str))
            .collect();
        let merged = format!("Patient/{}", id_of(&site.patient("7")));
        assert_eq!(links, [Some(merged.as_str())], "{event}");
        assert_eq!(site.all("Patient").len(), 2);
        let last = format!("Patient/{}", id_of(&after));
        assert_eq!(
            subject_of_news(&site, 1),
            last,
            "the old number leads there"
        );
    }
}

#[test]
fn whoever_tells_of_the_survivor_leaves_the_merges_as_they_are() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    for n in 1..=20 {
        let sent = site.send("adt", &merges(&format!("C{n}"), &[(90, n)]));
        assert_eq!(sent, "AA");
    }
    let links = |site: &ChartSite| -> Vec<(String, String)> {
        let survivor = site.patient("90");
        let told = |link: &Value| {
            let other = link.get("other")?.text("reference")?;
            Some((link.text("type")?.to_owned(), other.to_owned()))
        };
        survivor.each("link").filter_map(told).collect()
    };
    let replaced: Vec<(String, String)> = (1..=20)
        .map(|n| {
            let old = id_of(&site.patient(&n.to_string()));
            ("replaces".to_owned(), format!("Patient/{old}"))
        })
        .collect();
    assert_eq!(links(&site), replaced, "in the order in which they came");
    // News under its own number, under one that was retired, a repeat, and its own end.
    subject_of_news(&site, 90);
    let of_alias = site.send(
        "adt",
        "MSH|^~\\&|REG|ZZHOSP|CW|ZZ|20240519100000||ADT^A08|N3|P|2.5.1\r\
         EVN|A08|20240519100000\r\
         PID|1||3^^^ZZHOSP^MR||TESTPATIENT^NEW||19800101|F\r",
    );
    assert_eq!(of_alias, "AA");
    assert_eq!(site.send("adt", &merges("C90", &[(90, 7)])), "AA");
    assert_eq!(links(&site), replaced);
    assert_eq!(site.send("adt", &merges("C91", &[(91, 90)])), "AA");
    let heir = id_of(&site.patient("91"));
    let end = ("replaced-by".to_owned(), format!("Patient/{heir}"));
    let all: Vec<_> = replaced.into_iter().chain([end]).collect();
    assert_eq!(links(&site), all);
}
