//! What results and orders of real senders do to the chart: several reports of one number, doctors
//! who are named here and only numbered there.

use crate::chart_site::ChartSite;
use fhir::build::Value;
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

/// A prescription: who attends (PV1-7) and who orders (ORC-12).
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
    // Named after it was mentioned.
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
