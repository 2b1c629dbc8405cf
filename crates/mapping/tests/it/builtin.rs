//! The built-in maps are consistent.

use mapping::{Diagnostic, MapSet};

fn files() -> Vec<(String, String)> {
    fn collect(folder: &std::path::Path, root: &std::path::Path, out: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, root, out);
            } else {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                out.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../maps");
    let mut out = Vec::new();
    collect(&root, &root, &mut out);
    out.sort();
    out
}

#[test]
fn have_no_errors() {
    let files = files();
    let (set, mut diagnostics) = MapSet::read(files.iter().map(|(a, b)| (a.as_str(), b.as_str())));
    diagnostics.extend(set.check());
    let found = diagnostics.iter().filter(|found| found.is_error());
    let errors: Vec<String> = found.map(ToString::to_string).collect();
    for warning in diagnostics
        .iter()
        .filter(|found: &&Diagnostic| !found.is_error())
    {
        eprintln!("{warning}");
    }
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

#[test]
fn keep_the_tests_beside_their_rows() {
    let trials = MapSet::builtin().run_tests();
    assert!(!trials.is_empty());
    let mut failures = Vec::new();
    for trial in &trials {
        for (spot, failure) in &trial.failures {
            failures.push(format!(
                "{}:{}: {}: {failure}",
                trial.file, spot.line, trial.name
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The program contains exactly the maps of the folder.
#[test]
fn are_all_in_the_program() {
    let files = files();
    let (from_folder, _) = MapSet::read(files.iter().map(|(a, b)| (a.as_str(), b.as_str())));
    assert_eq!(from_folder.version(), MapSet::builtin().version());
}

/// Every field of these segments is mapped, or dropped with a reason (HL7 v2.5.1).
#[test]
fn leave_no_field_of_a_patient_a_visit_or_a_result_out() {
    let all = ["ADT_A01", "ORU_R01"].map(|structure| MapSet::builtin().coverage(structure));
    let missing: Vec<String> = all
        .iter()
        .flatten()
        .filter(|field| ["PID", "PV1", "OBX", "MSH"].contains(&field.segment.as_str()))
        .filter(|field| !(field.segment == "MSH" && field.field < 3))
        .filter(|field| field.coverage == mapping::Coverage::None)
        .map(|field| format!("{}-{} {}", field.segment, field.field, field.name))
        .collect();
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// Fields that the maps read only in cases that carry meaning; in all others they are reported as
/// unmapped.
const OPEN: [&str; 27] = [
    "SCH-9", "SCH-10", "AIS-7", "DG1-18", "DG1-21", "ORC-28", "RXD-11", "MSH-6", "NK1-23", "OBX-6",
    "OBR-29", "PD1-12", "PID-4", "PR1-20", "PV2-22", "ROL-7", "ROL-8", "ROL-13", "ROL-14", "PRT-8",
    "PRT-16", "PRT-17", "PRT-18", "PRT-19", "PRT-20", "PRT-21", "PRT-22",
];

#[test]
fn leave_no_other_case_out() {
    let found = MapSet::builtin().check();
    let open = found.iter().map(ToString::to_string).filter(|one| {
        let field = one.split_once("no row takes ").map(|(_, rest)| rest);
        let field = field.and_then(|rest| rest.split(' ').next());
        field.is_some_and(|field| !OPEN.contains(&field))
    });
    let open: Vec<String> = open.collect();
    assert!(
        open.is_empty(),
        "a row for the case, or a place on the list: {open:#?}"
    );
}
