//! The changes that a message may make: absent keeps, `""` deletes, a value sets; owns, fills gaps,
//! only links.

use fhir::build::Value;
use hl7v2::Message;
use mapping::{Conversion, Draft, MapSet, Ownership, Source};

fn patient(segment: &str) -> Draft {
    draft(segment, "Patient").drafts.remove(0)
}

fn draft(segment: &str, resource_type: &str) -> Conversion {
    let text =
        format!("MSH|^~\\&|A|B|||20240101000000+0000||ADT^A08^ADT_A01|1|P|2.5.1\r{segment}\r");
    let message = Message::parse(text.into_bytes());
    MapSet::builtin().forward_segments(&message, &Source::default(), resource_type)
}

fn text(value: &Value) -> String {
    String::from_utf8(value.to_bytes()).unwrap()
}

const KNOWN: &str = r#"{"resourceType":"Patient","id":"1","identifier":[{"system":"urn:oid:1.2.3","value":"1"}],"active":true,"name":[{"family":"OLD","given":["A"]}],"telecom":[{"value":"1","use":"home"},{"value":"2","use":"work"},{"value":"3","use":"temp","rank":9}],"gender":"male","birthDate":"1980","address":[{"city":"TESTVILLE"}]}"#;

#[track_caller]
fn check(clause: &str, segment: &str, expected: &str) {
    let known = Value::parse(KNOWN).unwrap();
    let applied = patient(segment).apply(Some(&known));
    assert_eq!(text(&applied.value), expected, "{clause}");
    assert_eq!(applied.changed, applied.value != known, "{clause}");
    let again = patient(segment).apply(Some(&applied.value));
    assert!(!again.changed, "{clause}: twice");
}

#[test]
fn three_states() {
    check("a sparse PID wipes nothing", "PID|1||1^^^&1.2.3&ISO", KNOWN);
    check(
        "a value sets, the rest stays",
        "PID|1||1^^^&1.2.3&ISO||NEW^B||1981",
        &KNOWN
            .replace(
                r#"{"family":"OLD","given":["A"]}"#,
                r#"{"family":"NEW","given":["B"]}"#,
            )
            .replace("1980", "1981"),
    );
    check(
        "\"\" deletes one element",
        "PID|1||1^^^&1.2.3&ISO||||\"\"",
        &KNOWN.replace(r#""birthDate":"1980","#, ""),
    );
    check(
        "\"\" deletes a list",
        "PID|1||1^^^&1.2.3&ISO||||||||\"\"",
        &KNOWN.replace(r#","address":[{"city":"TESTVILLE"}]"#, ""),
    );
}

#[test]
fn a_repeating_field_replaces_its_own_slice() {
    check(
        "home is replaced, work stays, temp belongs to home's row",
        "PID|1||1^^^&1.2.3&ISO||||||||||555-0100^PRN^PH",
        &KNOWN.replace(
            r#"{"value":"1","use":"home"},{"value":"2","use":"work"},{"value":"3","use":"temp","rank":9}"#,
            r#"{"system":"phone","value":"555-0100","use":"home"},{"value":"2","use":"work"}"#,
        ),
    );
    check(
        "a work number among the home numbers replaces the work numbers",
        "PID|1||1^^^&1.2.3&ISO||||||||||555-0100^PRN^PH~555-0101^WPN^PH",
        &KNOWN.replace(
            r#"{"value":"1","use":"home"},{"value":"2","use":"work"},{"value":"3","use":"temp","rank":9}"#,
            r#"{"system":"phone","value":"555-0100","use":"home"},{"system":"phone","value":"555-0101","use":"work"}"#,
        ),
    );
    check(
        "\"\" deletes the slice alone",
        "PID|1||1^^^&1.2.3&ISO|||||||||||\"\"",
        &KNOWN.replace(r#",{"value":"2","use":"work"}"#, ""),
    );
}

#[test]
fn ownership() {
    let known = Value::parse(KNOWN).unwrap();
    let mut draft = patient("PID|1||1||NEW^B||1981||||2 TEST ST|||||M");
    draft.ownership = Ownership::OnlyLinks;
    let applied = draft.apply(Some(&known));
    assert!(!applied.changed, "only links changes nothing that exists");
    let withheld: Vec<String> = applied
        .withheld
        .iter()
        .map(|place| place.whole_field().to_string())
        .collect();
    assert!(withheld.contains(&"PID-7".to_owned()), "{withheld:?}");
    assert!(draft.apply(None).changed, "only links creates");
    draft.ownership = Ownership::FillsGaps;
    let applied = draft.apply(Some(&known));
    assert_eq!(
        applied.value.text("birthDate"),
        Some("1980"),
        "fills gaps keeps"
    );
    assert!(
        applied.value.get("maritalStatus").is_some(),
        "fills gaps fills"
    );
    let mut report = super::update::draft("PID|1||1||||1981", "Patient").report;
    let n_mapped = report.mapped.len();
    report.withhold(&applied.withheld);
    assert_eq!(
        report.mapped.len() + report.withheld.len(),
        n_mapped,
        "the report still adds up"
    );
}

#[test]
fn another_type_of_a_choice_replaces_the_first() {
    let known = draft("OBX|1|SN|1^^LN||<^5|mg/dL|||||F", "Observation")
        .drafts
        .remove(0)
        .apply(None)
        .value;
    let news = draft("OBX|1|NM|1^^LN||7||||||C", "Observation")
        .drafts
        .remove(0);
    let applied = news.apply(Some(&known));
    let value = applied.value.get("valueQuantity").unwrap();
    assert_eq!(
        text(value),
        r#"{"value":7}"#,
        "no comparator or unit of the old value stays"
    );
    let words = draft("OBX|1|ST|1^^LN||none seen||||||C", "Observation")
        .drafts
        .remove(0);
    let applied = words.apply(Some(&applied.value));
    assert!(applied.value.get("valueQuantity").is_none());
    assert_eq!(applied.value.text("valueString"), Some("none seen"));
    let status_only = draft("OBX|1||1^^LN||||||||W", "Observation")
        .drafts
        .remove(0);
    let applied = status_only.apply(Some(&applied.value));
    assert_eq!(
        applied.value.text("valueString"),
        Some("none seen"),
        "absent keeps"
    );
    assert_eq!(
        applied.value.text("status"),
        Some("entered-in-error"),
        "W withdraws"
    );
}

#[test]
fn nothing_is_invented() {
    let conversion = draft("PID|1||1||||19801|Q||||||||ZZ", "Patient");
    let value = conversion.drafts[0].value();
    assert!(value.get("birthDate").is_none(), "a bad date stays out");
    assert_eq!(value.text("gender"), Some("unknown"));
    assert_eq!(
        text(value.get("maritalStatus").unwrap()),
        r#"{"coding":[{"code":"ZZ"}]}"#,
        "an unknown code stays as it is"
    );
    let unusable: Vec<(String, &str)> = conversion
        .report
        .unusable
        .iter()
        .map(|unusable| (unusable.place.to_string(), &*unusable.raw))
        .collect();
    assert_eq!(
        unusable,
        [
            ("PID-7".to_owned(), "19801"),
            ("PID-8".to_owned(), "Q"),
            ("PID-16".to_owned(), "ZZ")
        ]
    );
    let unmapped: Vec<String> = conversion
        .report
        .unmapped
        .iter()
        .map(|entry| entry.place.to_string())
        .collect();
    assert!(unmapped.contains(&"PID-7".to_owned()), "{unmapped:?}");
}

/// Every field of PID that describes a person.
const FULL: &str = "PID|1||1^^^&1.2.3&ISO||DOE^JANE|DOE^EVE|1981|F||2106-3^White^CDCREC|2 ST^^TOWN^^^^H||5550100^PRN^PH|5550101^WPN^PH|en|M|CAT||123-45-6788|D12^ST^20300101||2186-5^Not Hispanic^CDCREC|PARIS|Y|2|US|||20240101|Y";

/// HL7 v2 2.5.3: `\"\"` takes back what the field said, with all that came with it.
#[test]
fn a_null_leaves_nothing_of_its_field() {
    let fields: Vec<&str> = FULL.split('|').collect();
    let with = |place: usize, text: &str| {
        let mut fields = fields.clone();
        fields[place] = text;
        patient(&fields.join("|"))
    };
    let known = patient(FULL).apply(None).value;
    for place in [6, 7, 8, 10, 11, 13, 14, 15, 16, 17, 19, 20, 22, 23, 26] {
        let gone = with(place, "\"\"").apply(Some(&known)).value;
        let never = with(place, "").apply(None).value;
        assert_eq!(sorted(&gone), sorted(&never), "PID-{place}");
    }
}

/// Returns the fields in sorted order, without those that US Core requires and no field supplied.
fn sorted(value: &Value) -> Vec<String> {
    let Value::Object(fields) = value else {
        panic!("no object")
    };
    let told = |value: &&Value| !text(value).contains("data-absent-reason");
    let mut all: Vec<String> = fields
        .iter()
        .filter(|(name, _)| !name.starts_with('_'))
        .flat_map(|(name, value)| match value {
            Value::Array(items) => {
                let items = items.iter().filter(told);
                items.map(|item| format!("{name} {}", text(item))).collect()
            }
            one => vec![format!("{name} {}", text(one))],
        })
        .collect();
    all.sort();
    all
}
