//! Elements that a profile requires and no field supplied (`missing` blocks): present with a
//! reason, and never new data.

use fhir::build::Value;
use hl7v2::Message;
use mapping::{Conversion, MapSet, Ownership, Source, Target};

fn converted(event: &str, segments: &[&str]) -> Conversion {
    let header = format!("MSH|^~\\&|A|B|||20240101000000+0000||{event}|1|P|2.5.1");
    let lines: Vec<&str> = std::iter::once(header.as_str())
        .chain(segments.iter().copied())
        .collect();
    let message = Message::parse(format!("{}\r", lines.join("\r")).into_bytes());
    MapSet::builtin().forward(&message, &Source::default())
}

fn text(value: &Value) -> String {
    String::from_utf8(value.to_bytes()).unwrap()
}

fn patient(segments: &[&str]) -> (Conversion, usize) {
    let conversion = converted("ADT^A28^ADT_A05", segments);
    let at = conversion
        .drafts
        .iter()
        .position(|draft| draft.resource_type == "Patient");
    (conversion, at.unwrap())
}

const REASON: &str = r#"{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"unknown"}]}"#;

#[test]
fn is_there_with_its_reason() {
    let (conversion, at) = patient(&["PID|1||1^^^HOSP"]);
    let made = text(&conversion.drafts[at].apply(None).value);
    let expected = format!(
        r#"{{"resourceType":"Patient","identifier":[{{"_system":{REASON},"value":"1","assigner":{{"display":"HOSP"}}}}],"name":[{REASON}],"gender":"unknown","_gender":{REASON}}}"#
    );
    assert_eq!(made, expected);
}

#[test]
fn counts_as_absent_for_who_fills_gaps() {
    let (sparse, at) = patient(&["PID|1||1^^^HOSP"]);
    let known = sparse.drafts[at].apply(None).value;
    let (told, at) = patient(&["PID|1||1^^^HOSP||ZZTEST^JANE|||F"]);
    let mut draft = told.drafts[at].clone();
    draft.ownership = Ownership::FillsGaps;
    let applied = draft.apply(Some(&known));
    assert_eq!(applied.value.text("gender"), Some("female"));
    assert!(
        !text(&applied.value).contains("_gender"),
        "{:?}",
        text(&applied.value)
    );
    assert_eq!(applied.value.each("name").count(), 1);
    assert!(applied.withheld.is_empty() || applied.value.each("identifier").count() == 1);
}

#[test]
fn is_no_news() {
    let (sparse, at) = patient(&["PID|1||1^^^HOSP"]);
    let draft = &sparse.drafts[at];
    let known = draft.apply(None).value;
    assert!(!draft.apply(Some(&known)).changed);
    // A resource that exists without the element is not changed for its sake alone.
    let bare = draft.value().clone();
    let again = draft.apply(Some(&bare));
    assert!(!again.changed);
    assert_eq!(again.value, bare);
}

#[test]
fn goes_when_the_value_comes_and_comes_when_it_goes() {
    let (told, at) = patient(&["PID|1||1^^^HOSP||ZZTEST^JANE|||F"]);
    let (deleted, of) = patient(&["PID|1||1^^^HOSP|||||\"\""]);
    let known = told.drafts[at].apply(None).value;
    assert!(known.get("_gender").is_none());
    let after = deleted.drafts[of].apply(Some(&known));
    assert_eq!(after.value.text("gender"), Some("unknown"));
    assert!(after.value.get("_gender").is_some());
    assert_eq!(
        after.value.at("name[0].family").and_then(Value::as_str),
        Some("ZZTEST")
    );
}

/// A result without a value has a reason; a later value replaces it (FHIR, obs-6).
#[test]
fn a_result_that_comes_later() {
    let result = |value: &str, status: &str| {
        let obx = format!("OBX|1|NM|2345-7^Glucose^LN||{value}|mg/dL|||||{status}");
        let obr = "OBR|1||F1^LAB|2345-7^Glucose^LN|||20240101||||||||||||||||||F";
        let mut all = converted("ORU^R01^ORU_R01", &["PID|1||1^^^HOSP", obr, &obx]);
        let at = all
            .drafts
            .iter()
            .position(|draft| draft.resource_type == "Observation");
        all.drafts.remove(at.unwrap())
    };
    let reason = "dataAbsentReason.coding[0].code";
    let code = |value: &Value| value.at(reason).and_then(Value::as_str).map(str::to_owned);
    let pending = result("", "I").apply(None).value;
    assert_eq!(code(&pending).as_deref(), Some("unknown"));
    let not_asked = result("", "N").apply(Some(&pending)).value;
    assert_eq!(code(&not_asked).as_deref(), Some("not-asked"));
    for before in [pending, not_asked] {
        let done = result("7", "F").apply(Some(&before)).value;
        assert_eq!(code(&done), None);
        assert!(done.get("valueQuantity").is_some());
    }
}

#[test]
fn does_not_go_back() {
    let (sparse, _) = patient(&["PID|1||1^^^HOSP"]);
    let made = MapSet::builtin()
        .back(&sparse.bundle(), "ADT_A05", &Target::default())
        .unwrap();
    let text = String::from_utf8(made.message).unwrap();
    let pid = text
        .split('\r')
        .find(|line| line.starts_with("PID"))
        .unwrap();
    assert_eq!(pid, "PID|||1^^^HOSP");
}
