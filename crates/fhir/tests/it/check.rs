//! Valid and invalid resources for `check::structure`.

use crate::shared;
use base::Severity;
use fhir::check;
use fhir::json::Document;

/// Returns errors as `code location`.
fn errors(source: &str) -> Vec<String> {
    let document = Document::parse(source).unwrap();
    let issues = check::structure(&document);
    let errors = issues
        .iter()
        .filter(|issue| issue.severity == Severity::Error);
    errors
        .map(|issue| format!("{} {}", issue.code, issue.location))
        .collect()
}

#[test]
fn r4_json_rules_2_6_2() {
    for (source, expected) in [
        (r#"{"resourceType":"Patient","active":true}"#, ""),
        (
            r#"{"resourceType":"Patient","_birthDate":{"extension":[{"url":"http://x","valueCode":"y"}]}}"#,
            "",
        ),
        (
            r#"{"resourceType":"Patient","name":[{"given":["ZZ",null],"_given":[null,{"id":"a"}]}]}"#,
            "",
        ),
        (
            r#"{"resourceType":"Patient","name":[{"given":["ZZ",null]}]}"#,
            "structure Patient.name[0].given[1]",
        ),
        (
            r#"{"resourceType":"Patient","name":[{"given":["ZZ"],"_given":[null,{"id":"a"}]}]}"#,
            "structure Patient.name[0].given",
        ),
        (
            r#"{"resourceType":"Patient","name":{"family":"ZZ"}}"#,
            "structure Patient.name",
        ),
        (
            r#"{"resourceType":"Patient","name":[]}"#,
            "structure Patient.name",
        ),
        (
            r#"{"resourceType":"Patient","name":[{}]}"#,
            "structure Patient.name[0]",
        ),
        (
            r#"{"resourceType":"Patient","gender":["male"]}"#,
            "structure Patient.gender",
        ),
        (
            r#"{"resourceType":"Patient","gender":null}"#,
            "structure Patient.gender",
        ),
        (
            r#"{"resourceType":"Patient","active":"true"}"#,
            "structure Patient.active",
        ),
        (
            r#"{"resourceType":"Patient","_name":[{"id":"a"}]}"#,
            "structure Patient.name",
        ),
        (
            r#"{"resourceType":"Patient","colour":"x"}"#,
            "structure Patient.colour",
        ),
        (
            r#"{"resourceType":"Patient","deceased":true}"#,
            "structure Patient.deceased",
        ),
        (
            r#"{"resourceType":"Patient","active":true,"active":true}"#,
            "structure Patient.active",
        ),
        (r#"{"resourceType":"Patience"}"#, "structure "),
        ("[1]", "structure "),
        (
            r#"{"resourceType":"Patient","deceasedBoolean":true,"deceasedDateTime":"2020"}"#,
            "structure Patient.deceased",
        ),
        (
            r#"{"resourceType":"Patient","contained":[{"resourceType":"Practitioner","active":true}]}"#,
            "required Patient.contained[0]",
        ),
        (
            r##"{"resourceType":"Patient","generalPractitioner":[{"reference":"#x"}]}"##,
            "not-found Patient.generalPractitioner[0]",
        ),
        (
            r#"{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Patient","gender":"x"}}]}"#,
            "code-invalid Bundle.entry[0].resource.gender",
        ),
    ] {
        assert_eq!(errors(source).join("; "), expected, "{source}");
    }
}

#[test]
fn cardinality_codes_and_references() {
    for (source, expected) in [
        (
            r#"{"resourceType":"Observation","status":"final","code":{"text":"ZZTEST"}}"#,
            "",
        ),
        (
            r#"{"resourceType":"Observation","code":{"text":"ZZTEST"}}"#,
            "required Observation.status",
        ),
        (
            r#"{"resourceType":"Observation","_status":{"id":"x"},"code":{"text":"ZZ"}}"#,
            "",
        ),
        (
            r#"{"resourceType":"Observation","status":"done","code":{"text":"ZZTEST"}}"#,
            "code-invalid Observation.status",
        ),
        (
            r#"{"resourceType":"Observation","status":"final","code":{"text":"ZZ"},"subject":{"reference":"Medication/1"}}"#,
            "value Observation.subject.reference",
        ),
        (
            r#"{"resourceType":"Observation","status":"final","code":{"text":"ZZ"},"subject":{"reference":"nowhere"}}"#,
            "value Observation.subject.reference",
        ),
        (
            r#"{"resourceType":"Condition","subject":{"reference":"Patient/1"},"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]}}"#,
            "",
        ),
        (
            r#"{"resourceType":"Condition","subject":{"reference":"Patient/1"},"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"odd"}]}}"#,
            "code-invalid Condition.clinicalStatus",
        ),
        (
            r#"{"resourceType":"Patient","link":[{"type":"seealso"}]}"#,
            "required Patient.link[0].other",
        ),
        (
            r#"{"resourceType":"ServiceRequest","intent":"order","status":"active","subject":{"display":"ZZ"},"quantityQuantity":{"value":1.0},"quantityRatio":{"id":"x"}}"#,
            "structure ServiceRequest.quantity",
        ),
    ] {
        assert_eq!(errors(source).join("; "), expected, "{source}");
    }
}

#[test]
fn primitive_syntax_2_24_0_1() {
    let extension = |name: &str, value: &str| {
        let source = format!(
            r#"{{"resourceType":"Basic","code":{{"text":"ZZ"}},"extension":[{{"url":"http://x","value{name}":{value}}}]}}"#
        );
        errors(&source).is_empty()
    };
    for (name, value, valid) in [
        ("Date", r#""2024""#, true),
        ("Date", r#""2024-02-29""#, true),
        ("Date", r#""2023-02-29""#, false),
        ("Date", r#""2024-13""#, false),
        ("Date", r#""24-01-01""#, false),
        ("Date", r#""0000""#, false),
        ("DateTime", r#""2024-01-01T10:00:00Z""#, true),
        ("DateTime", r#""2024-01-01T10:00:00.123-05:00""#, true),
        ("DateTime", r#""2024-01-01T10:00:00""#, false),
        ("DateTime", r#""2024-01-01T10:00Z""#, false),
        ("DateTime", r#""2024-01-01T25:00:00Z""#, false),
        ("Instant", r#""2024-01-01T10:00:00.5Z""#, true),
        ("Instant", r#""2024-01-01""#, false),
        ("Time", r#""10:00:00""#, true),
        ("Time", r#""10:00""#, false),
        ("Id", r#""a-1.B""#, true),
        ("Id", r#""a_1""#, false),
        ("Code", r#""a b""#, true),
        ("Code", r#"" a""#, false),
        ("Code", r#""a  b""#, false),
        ("Uri", r#""http://x/y z""#, false),
        ("Uri", r#""anything""#, true),
        ("Oid", r#""urn:oid:1.2.3""#, true),
        ("Oid", r#""1.2.3""#, false),
        (
            "Uuid",
            r#""urn:uuid:c757873d-ec9a-4326-a141-556f43239520""#,
            true,
        ),
        ("Uuid", r#""urn:uuid:c757873d""#, false),
        ("Base64Binary", r#""QUJD RA==""#, true),
        ("Base64Binary", r#""QUJDR""#, false),
        ("Base64Binary", r#""QU=D""#, false),
        ("PositiveInt", "1", true),
        ("PositiveInt", "0", false),
        ("PositiveInt", "\"1\"", false),
        ("UnsignedInt", "0", true),
        ("UnsignedInt", "-1", false),
        ("Integer", "-2147483648", true),
        ("Integer", "2147483648", false),
        ("Integer", "1.0", false),
        ("Integer", "1e3", false),
        ("Decimal", "-1.50e-3", true),
        ("String", r#""""#, false),
        ("String", r#"" a\n""#, true),
        ("String", r#""\u0001""#, false),
        ("Boolean", "true", true),
        ("Boolean", "1", false),
    ] {
        assert_eq!(extension(name, value), valid, "{name} {value}");
    }
}

#[test]
fn synthea_bundles_have_no_errors() {
    let Some(folder) = testkit::shared("synthea_bundles_have_no_errors", "synthea") else {
        return;
    };
    let mut n_files = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let document = Document::parse(shared::gunzip(&path)).unwrap();
        let issues = check::structure(&document);
        assert!(issues.is_empty(), "{}: {issues:?}", path.display());
        n_files += 1;
    }
    assert_eq!(n_files, 50);
}

/// Files with errors of their own in the packages: white space in codes, no base, an id of 65
/// letters.
const FAULTY: [&str; 2] = ["CodeSystem-v2-0550", "-extensions-"];

#[test]
fn published_packages_have_no_errors() {
    let Some(folder) = testkit::shared("published_packages_have_no_errors", "packages") else {
        return;
    };
    let mut wrong = Vec::new();
    for (package, n_least) in [("hl7.fhir.r4.core", 4500), ("us_core_610", 200)] {
        let tar = shared::gunzip(&folder.join(format!("{package}.tgz")));
        let mut n_files = 0;
        for (name, content) in shared::files(&tar) {
            let Ok(document) = Document::parse(content) else {
                continue;
            };
            let beside = name.starts_with("package/other/");
            if beside
                || document.resource_type().is_none()
                || FAULTY.iter().any(|part| name.contains(part))
            {
                continue;
            }
            n_files += 1;
            let issues = check::structure(&document);
            let errors = issues
                .iter()
                .filter(|issue| issue.severity == Severity::Error);
            wrong.extend(errors.map(|issue| format!("{name}: {issue}")));
        }
        assert!(n_least < n_files, "{package}: {n_files}");
    }
    assert!(
        wrong.is_empty(),
        "{}:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(40)].join("\n")
    );
}

#[test]
fn extensions_and_narratives_that_a_reader_could_not_trust() {
    let extension = |inner: &str| {
        format!(r#"{{"resourceType":"Patient","extension":[{{"url":"http://x"{inner}}}]}}"#)
    };
    let place = "invariant Patient.extension[0]";
    for (inner, expected) in [
        (r#","valueString":"a""#, ""),
        (
            r#","_valueString":{"extension":[{"url":"http://y","valueCode":"z"}]}"#,
            "",
        ),
        (r#","extension":[{"url":"y","valueString":"a"}]"#, ""),
        (
            r#","valueString":"a","extension":[{"url":"y","valueString":"a"}]"#,
            place,
        ),
        ("", place),
    ] {
        assert_eq!(errors(&extension(inner)).join(", "), expected, "{inner}");
    }
    let narrative = |inner: &str| {
        format!(
            r#"{{"resourceType":"Patient","text":{{"status":"generated","div":"<div xmlns='http://www.w3.org/1999/xhtml'>{inner}</div>"}}}}"#
        )
    };
    assert_eq!(errors(&narrative("<a href='http://x'>x</a>")), [""; 0]);
    for inner in ["<script>x</script>", "<b onclick='x'/>"] {
        assert_eq!(errors(&narrative(inner)), ["value Patient.text.div"]);
    }
}
