//! Commands that need no server.

use crate::messages::{ADMISSION, RESULT};
use crate::process::{causeway, stdout_of};
use crate::site::write;
use serde_json::Value;

#[test]
fn convert_there_and_back_with_lineage_and_report() {
    let folder = tempfile::tempdir().unwrap();
    let message = write(folder.path(), "r.hl7", RESULT);
    let bundle = stdout_of(&["convert", &message]);
    let parsed: Value = serde_json::from_str(&bundle).unwrap();
    assert_eq!(parsed["resourceType"], "Bundle");
    assert!(
        bundle.contains("10.20"),
        "the digits of a number changed: {bundle}"
    );

    let lineage = stdout_of(&["convert", "--explain", &message]);
    assert!(
        lineage.contains("OBX-5") && lineage.contains("obx.map:"),
        "{lineage}"
    );
    let report: Value = serde_json::from_str(&stdout_of(&[
        "convert", "--report", "--format", "json", &message,
    ]))
    .unwrap();
    assert!(!report["mapped"].as_array().unwrap().is_empty());

    let saved = write(folder.path(), "bundle.json", &bundle);
    let back = stdout_of(&["convert", "--structure", "ORU_R01", &saved]);
    assert!(
        back.contains("718-7^Hemoglobin^LN") && back.contains("|10.20|"),
        "{back}"
    );
}

#[test]
fn a_batch_becomes_one_bundle_a_line_and_its_count_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let batch = |count: u8| {
        let text = format!("BHS|^~\\&\r{ADMISSION}{RESULT}BTS|{count}\r");
        causeway(&["convert", &write(folder.path(), "b.hl7", &text)])
    };
    let output = batch(2);
    assert_eq!(output.status.code(), Some(0));
    let lines = String::from_utf8(output.stdout).unwrap();
    let types: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["resourceType"].clone())
        .collect();
    assert_eq!(types, ["Bundle", "Bundle"]);
    let wrong = batch(3);
    assert_eq!(wrong.status.code(), Some(1));
    assert_eq!(wrong.stdout, lines.into_bytes(), "nothing is lost");
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(
        said.contains("the trailer's count is not what is there"),
        "{said}"
    );
}

#[test]
fn convert_tells_what_has_no_map() {
    let folder = tempfile::tempdir().unwrap();
    let message = write(
        folder.path(),
        "z.hl7",
        &ADMISSION.replace("ADT^A01^ADT_A01", "ZZZ^Z99"),
    );
    let output = causeway(&["convert", &message]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no map"));
    let nothing = write(folder.path(), "n.hl7", "hello");
    assert_eq!(causeway(&["convert", &nothing]).status.code(), Some(1));
}

#[test]
fn fhirpath_one_value_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let patient = write(
        folder.path(),
        "p.json",
        "{\"resourceType\":\"Patient\",\"name\":[{\"given\":[\"A\",\"B\"]},\n{\"given\":[\"C\"]}],\"active\":true}",
    );
    assert_eq!(
        stdout_of(&["fhirpath", "Patient.name.given", &patient]),
        "\"A\"\n\"B\"\n\"C\"\n"
    );
    assert_eq!(stdout_of(&["fhirpath", "active", &patient]), "true\n");
    assert_eq!(
        stdout_of(&["fhirpath", "name.first()", &patient]),
        "{\"given\":[\"A\",\"B\"]}\n"
    );
    assert_eq!(
        causeway(&["fhirpath", "name.", &patient]).status.code(),
        Some(2)
    );
    let nothing = write(folder.path(), "n.json", "{");
    assert_eq!(
        causeway(&["fhirpath", "name", &nothing]).status.code(),
        Some(1)
    );
}
