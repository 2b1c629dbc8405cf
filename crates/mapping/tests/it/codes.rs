//! Codes and identifiers as senders write them: names of code systems, leading zeros, race and ethnicity, numbers of PID-19
//! and PID-20 beside those of PID-3.

use crate::fields::one_of;
use crate::laws::{back, forward, resource};
use proptest::prelude::*;

/// The names that senders write in CWE.3 (table 0396 and other common ones), and the system that
/// each means.
const NAMES: [(&str, &str); 26] = [
    ("LN", "http://loinc.org"),
    ("LOINC", "http://loinc.org"),
    ("SCT", "http://snomed.info/sct"),
    ("SNM", "http://snomed.info/sct"),
    ("SNOMED CT", "http://snomed.info/sct"),
    ("SNOMED-CT", "http://snomed.info/sct"),
    ("SNOMEDCT", "http://snomed.info/sct"),
    ("I10", "http://hl7.org/fhir/sid/icd-10"),
    ("ICD10", "http://hl7.org/fhir/sid/icd-10"),
    ("ICD-10", "http://hl7.org/fhir/sid/icd-10"),
    ("I10C", "http://hl7.org/fhir/sid/icd-10-cm"),
    ("ICD-10-CM", "http://hl7.org/fhir/sid/icd-10-cm"),
    ("ICD10CM", "http://hl7.org/fhir/sid/icd-10-cm"),
    ("ICD9CM", "http://hl7.org/fhir/sid/icd-9-cm"),
    ("C4", "http://www.ama-assn.org/go/cpt"),
    ("CPT4", "http://www.ama-assn.org/go/cpt"),
    ("CPT-4", "http://www.ama-assn.org/go/cpt"),
    ("CPT", "http://www.ama-assn.org/go/cpt"),
    ("RXNORM", "http://www.nlm.nih.gov/research/umls/rxnorm"),
    ("RxNorm", "http://www.nlm.nih.gov/research/umls/rxnorm"),
    ("NDC", "http://hl7.org/fhir/sid/ndc"),
    ("CVX", "http://hl7.org/fhir/sid/cvx"),
    ("HL70292", "http://hl7.org/fhir/sid/cvx"),
    ("HCPCS", "http://terminology.hl7.org/CodeSystem/HCPCS"),
    ("2.16.840.1.113883.6.96", "http://snomed.info/sct"),
    ("hl70005", "http://terminology.hl7.org/CodeSystem/v2-0005"),
];

fn system_of(name: &str) -> String {
    let made = forward(&format!("DG1|1||10^x^{name}"), "Condition");
    let made = resource(&made, "Condition");
    made.at("code.coding[0].system")
        .and_then(|system| system.as_str())
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn a_code_system_has_many_names() {
    for (name, uri) in NAMES {
        assert_eq!(system_of(name), uri, "{name}");
    }
    for local in ["99LAB", "L", "99I10", "XI10"] {
        assert_eq!(system_of(local), format!("urn:x-hl7v2:{local}"));
    }
}

/// Generates a PID-3 with numbers of any type, a PID-19 and a PID-20.
fn numbers() -> impl Strategy<Value = String> {
    let number = (
        "[A-Z][0-9]{3}",
        one_of(&["", "OHIO", "SSA"]),
        one_of(&["MR", "DL", "SS", "PI"]),
    )
        .prop_map(|(value, authority, kind)| format!("{value}^^^{authority}^{kind}"));
    (
        prop::collection::vec(number, 1..5),
        one_of(&["", "444-55-6666"]),
        one_of(&["", "D88", "D88^IL", "D88^^20300101", "D88^IL^20300101"]),
    )
        .prop_map(|(own, ssn, licence)| {
            let text = format!("PID|||{}{}{ssn}|{licence}", own.join("~"), "|".repeat(16));
            text.trim_end_matches('|').to_owned()
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Case, blanks, hyphens, dots and underscores do not change the system that a name means.
    #[test]
    fn however_a_name_is_spelled(
        (name, uri) in prop::sample::select(&NAMES[..24]),
        marks in prop::collection::vec(one_of(&["", "", " ", "-", "_"]), 12),
        small in prop::collection::vec(prop::bool::ANY, 12),
    ) {
        let spelled = name.char_indices().map(|(at, ch)| {
            let ch = if small[at % 12] { ch.to_ascii_lowercase() } else { ch.to_ascii_uppercase() };
            let mark = if at == 0 { "" } else { &marks[at % 12] };
            format!("{mark}{ch}")
        });
        let spelled: String = spelled.collect();
        prop_assert_eq!(system_of(&spelled), uri, "{}", spelled);
    }

    /// A CVX code has at least two digits; a code that has them, and codes of other systems, stay
    /// unchanged.
    #[test]
    fn a_vaccine_has_its_leading_zero(code in "[0-9]{1,3}", name in one_of(&["CVX", "cvx", "HL70292", "NDC", "99VAC"])) {
        let made = forward(&format!("RXA|0|1|20240105||{code}^x^{name}"), "Immunization");
        let made = resource(&made, "Immunization");
        let found = made.at("vaccineCode.coding[0].code").and_then(|code| code.as_str()).unwrap_or_default();
        let is_cvx = matches!(name.as_str(), "CVX" | "cvx" | "HL70292");
        let expected = if is_cvx { format!("{code:0>2}") } else { code.clone() };
        prop_assert_eq!(found, expected);
    }

    /// Each number goes back to the field that it came from, and none is lost.
    #[test]
    fn identifiers_stay_their_own(segment in numbers()) {
        let conversion = forward(&segment, "Patient");
        let made = resource(&conversion, "Patient");
        let fields: Vec<&str> = segment.split('|').collect();
        let field = |at: usize| fields.get(at).copied().unwrap_or_default();
        let told = field(3).split('~').count()
            + usize::from(!field(19).is_empty())
            + usize::from(!field(20).is_empty());
        prop_assert_eq!(made.each("identifier").count(), told);
        prop_assert_eq!(back(&conversion, "Patient", "PID"), segment);
    }

    /// A code that is not the CDC's is not a detailed race; a code of the OMB is a category.
    #[test]
    fn a_race_is_a_code_of_the_cdc(code in one_of(&["U", "UNK", "W", "1", "2106-3", "2036-2", "2036-1", "9999-9"]), name in one_of(&["CDCREC", "HL70005", "99RACE"])) {
        let made = forward(&format!("PID|||1|||||||{code}^x^{name}"), "Patient");
        let text = String::from_utf8(resource(&made, "Patient").to_bytes()).unwrap();
        prop_assert_eq!(text.contains("\"detailed\""), code == "2036-2", "{}", text);
        let category = matches!(code.as_str(), "2106-3" | "U" | "UNK");
        prop_assert_eq!(text.contains("ombCategory"), category, "{}", text);
    }
}

const GUARANTOR: &str = "GT1|1|G1^^^HOSP^PI|ZZTEST^MARY||||||||MTH^Mother^HL70063|444-55-6666";

#[test]
fn a_guarantors_social_security_number_is_their_own() {
    let conversion = forward(GUARANTOR, "RelatedPerson");
    let made = resource(&conversion, "RelatedPerson");
    let numbers: Vec<[&str; 3]> = made
        .each("identifier")
        .map(|number| {
            let of = |place: &str| {
                number
                    .at(place)
                    .and_then(|text| text.as_str())
                    .unwrap_or("")
            };
            [of("value"), of("use"), of("type.coding[0].code")]
        })
        .collect();
    assert_eq!(
        numbers,
        [["G1", "", "PI"], ["444-55-6666", "secondary", "SS"]]
    );
    let system = made
        .at("identifier[1].system")
        .and_then(|text| text.as_str());
    assert_eq!(system, Some("http://hl7.org/fhir/sid/us-ssn"));
    let returned = back(&conversion, "RelatedPerson", "GT1");
    let field = |at: usize| returned.split('|').nth(at).unwrap_or_default();
    assert_eq!(field(2), "G1^^^HOSP^PI");
    assert_eq!(field(12), "444-55-6666");
}

#[test]
fn a_day_is_written_as_a_day() {
    // NK1-8 is a DT (2A): it has no time of day, whatever its sender wrote; NK1-16 is a TS.
    for (sent, written) in [
        ("20240105101500-0600", "20240105"),
        ("20240105", "20240105"),
        ("202401", "202401"),
    ] {
        let segment = format!("NK1|1|ZZTEST^MARY|MTH^Mother^HL70063|||||{sent}");
        let returned = back(&forward(&segment, "RelatedPerson"), "RelatedPerson", "NK1");
        let field = returned.split('|').nth(8).unwrap_or_default();
        assert_eq!(field, written, "{returned}");
    }
}

/// Returns the identifiers of PID-3 after conversion, as system and value.
fn systems(hd: &str) -> (String, String, bool) {
    let conversion = forward(&format!("PID|||1^^^{hd}^MR"), "Patient");
    let made = resource(&conversion, "Patient");
    let text = |place: &str| {
        made.at(place)
            .and_then(|text| text.as_str())
            .unwrap_or("")
            .to_owned()
    };
    let told = conversion
        .report
        .unusable
        .iter()
        .any(|one| one.why.contains("kept as it was sent"));
    (
        text("identifier[0].system"),
        back(&conversion, "Patient", "PID"),
        told,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// A value declared as an OID, a UUID, a domain or a URI is one in FHIR's form or is reported,
    /// no two of them share a system, and each comes back as it was sent.
    #[test]
    fn an_authority_is_a_uri_of_its_kind_or_told(
        ids in prop::collection::vec("[A-Za-z0-9]{1,6}( [a-z]{2})?(\\.[0-9]{1,5}){0,4}", 2),
        kind in one_of(&["ISO", "UUID", "DNS", "URI"]),
        name in one_of(&["", "NORTH"]),
    ) {
        let [one, other] = [0, 1].map(|at: usize| systems(&format!("{name}&{}&{kind}", ids[at])));
        prop_assert_eq!(one.0 == other.0, ids[0] == ids[1], "{:?} {:?}", one, other);
        prop_assert_eq!(&one.1, &format!("PID|||1^^^{name}&{}&{kind}^MR", ids[0]));
        let (system, _, told) = one;
        prop_assert_eq!(system.starts_with("urn:x-hl7v2:"), told, "{}", system);
        let oid = system.strip_prefix("urn:oid:");
        prop_assert!(oid.is_none_or(|oid| oid.starts_with(['0', '1', '2']) && oid.contains('.')));
        prop_assert!(!system.contains(' ') && !system.starts_with("urn:uuid:"), "{}", system);
    }
}

/// IN1-17 says who the insured is to the patient (HL7 v2 6.5.6.17), RelatedPerson says the same, and Coverage says who the
/// patient is to the insured (FHIR R4, Coverage.relationship).
#[test]
fn the_patient_is_to_the_insured_what_the_insured_is_not() {
    for (sent, patient, insured) in [
        ("FTH", "child", Some("FTH")),
        ("MTH", "child", Some("MTH")),
        ("PAR", "child", Some("PRN")),
        ("CHD", "parent", Some("CHILD")),
        ("SPO", "spouse", Some("SPS")),
        ("SEL", "self", None),
        ("19", "child", Some("19")),
    ] {
        let made = crate::values::convert(
            "ADT^A28^ADT_A05",
            &[
                "PID|1||A1^^^HOSP^MR||DOE^JANE".to_owned(),
                format!(
                    "IN1|1|P|I1^^^X|Insurance||||||||||||DOE^PAUL|{sent}|19800101{}M1",
                    "|".repeat(18)
                ),
            ],
        );
        let said = |kind: &str, path: &str| {
            let own = made.drafts.iter().find(|draft| draft.resource_type == kind);
            let value = own.map(mapping::Draft::whole_value);
            value.and_then(|value| Some(value.at(path)?.as_str()?.to_owned()))
        };
        assert_eq!(
            said("Coverage", "relationship.coding[0].code").as_deref(),
            Some(patient),
            "{sent}"
        );
        assert_eq!(
            said("RelatedPerson", "relationship[0].coding[0].code").as_deref(),
            insured,
            "{sent}"
        );
    }
}

#[test]
fn a_sex_in_words_is_one() {
    for (sent, expected) in [
        ("F", "female"),
        ("Female", "female"),
        ("MALE", "male"),
        ("m", "male"),
        ("Other", "other"),
        ("Unknown", "unknown"),
        ("X", "unknown"),
    ] {
        let line = format!("PID|1||A1^^^HOSP^MR||DOE^JANE||19800102|{sent}");
        let made = crate::values::convert("ADT^A28^ADT_A05", &[line]);
        let own = made
            .drafts
            .iter()
            .find(|draft| draft.resource_type == "Patient");
        let patient = own.unwrap().whole_value();
        assert_eq!(patient.text("gender"), Some(expected), "{sent}");
    }
}
