//! Third-party clients: PyPI `hl7` and npm `@medplum/hl7` send messages, and the values that they read from the
//! acknowledgements are checked; PyPI `hl7apy` reads our output. `cargo xtask test` installs them.

use crate::messages::{ADMISSION, RESULT};
use crate::process::stdout_of;
use crate::site::{Site, write};
use std::path::Path;
use std::process::Command;

/// Returns the folder of a client, or nothing if `test` has to be skipped.
fn client(test: &str, variable: &str, package: &str) -> Option<String> {
    let found = std::env::var(variable).ok();
    if found.is_none() {
        let why = format!("no package {package}");
        let remedy = format!("set {variable} to its folder, or let cargo xtask test install it");
        testkit::skipped(test, &why, &remedy);
    }
    found
}

/// Writes an admission, a result, and a message without a map.
fn files(folder: &Path) -> Vec<String> {
    let wrong = ADMISSION
        .replace("ADT^A01^ADT_A01", "ZZZ^Z99")
        .replace("|A1|", "|Z1|");
    [("a.hl7", ADMISSION), ("r.hl7", RESULT), ("z.hl7", &wrong)]
        .map(|(name, text)| write(folder, name, text))
        .into()
}

/// Runs a client and returns its output, one line for each file.
fn said(program: &str, script: &str, folder: &str, site: &Site, files: &[String]) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/clients")
        .join(script);
    let address = site.mllp().trim_start_matches("mllp://");
    let (host, port) = address.split_once(':').unwrap();
    let output = Command::new(program)
        .arg(script)
        .args([folder, host, port])
        .args(files)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {stderr}");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(str::to_owned).collect()
}

/// Returns MSH-3, to compare with MSH-5 of the acknowledgement, and MSH-12.
fn sender(message: &str) -> (String, String) {
    let fields: Vec<&str> = message.split('\r').next().unwrap().split('|').collect();
    (fields[2].to_owned(), fields[11].to_owned())
}

fn expected() -> [String; 3] {
    let (app, version) = sender(ADMISSION);
    let (lab, lab_version) = sender(RESULT);
    [
        format!("AA A1 {app} {version}"),
        format!("AA R1 {lab} {lab_version}"),
        format!("AR Z1 {app} {version} 200"),
    ]
}

#[test]
fn the_python_client_reads_our_acknowledgements() {
    let test = "the_python_client_reads_our_acknowledgements";
    let Some(folder) = client(test, "CAUSEWAY_TEST_PYTHON_HL7", "hl7 of PyPI") else {
        return;
    };
    let site = Site::start();
    let mut sent = files(site.folder.path());
    let batch = format!("BHS|^~\\&|A|B|C|D|20260101||||B1\r{ADMISSION}{RESULT}BTS|2\r");
    sent.push(write(site.folder.path(), "b.hl7", &batch));
    let found = said("python3", "python.py", &folder, &site, &sent);
    let [admission, result, wrong] = expected();
    let batch = format!("batch | {admission} | {result}");
    assert_eq!(found, [admission, result, wrong, batch]);
}

#[test]
fn the_node_client_reads_our_acknowledgements() {
    let test = "the_node_client_reads_our_acknowledgements";
    let Some(folder) = client(test, "CAUSEWAY_TEST_NODE_HL7", "@medplum/hl7 of npm") else {
        return;
    };
    let site = Site::start();
    let sent = files(site.folder.path());
    let found = said("node", "node.mjs", &folder, &site, &sent);
    assert_eq!(found, expected());
}

#[test]
fn a_python_library_reads_what_we_write() {
    let test = "a_python_library_reads_what_we_write";
    let package = "hl7apy of PyPI";
    let Some(folder) = client(test, "CAUSEWAY_TEST_PYTHON_HL7APY", package) else {
        return;
    };
    let site = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients/written.py");
    for (message, structure) in [(RESULT, "ORU_R01"), (ADMISSION, "ADT_A01")] {
        let bundle = stdout_of(&["convert", &write(site.path(), "m.hl7", message)]);
        let saved = write(site.path(), "b.json", &bundle);
        let written = stdout_of(&["convert", "--to", "hl7v2", "--structure", structure, &saved]);
        let file = write(site.path(), "w.hl7", &written);
        let output = Command::new("python3")
            .arg(&script)
            .args([&folder, &file])
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{structure}: {stderr}");
        let read = String::from_utf8(output.stdout).unwrap();
        let (name, segments) = read.split_once('\n').unwrap();
        assert_eq!(name, structure);
        let mut found: Vec<&str> = segments.lines().collect();
        let mut expected: Vec<&str> = written
            .split('\r')
            .filter(|line| !line.is_empty())
            .collect();
        // The library groups segments by kind; only their presence and content matter here.
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{structure}");
    }
}
