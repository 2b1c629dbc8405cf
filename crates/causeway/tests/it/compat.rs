//! Data directories of earlier builds (`testdata/compat`): each later build opens a copy, reads, searches,
//! replays and continues to use it.

use crate::process::{Running, causeway, stdout_of};
use crate::site::{Site, eventually};
use flate2::read::GzDecoder;
use serde_json::Value;
use std::fs::{self, File};
use std::path::Path;

const CONFIG: &str = r#"data_dir = "data"
[http]
listen = "127.0.0.1:0"
[log]
level = "error"
[[flow]]
name = "adt"
acknowledge = "mapped"
failing_head = "park_patient"
[flow.source.mllp]
listen = "127.0.0.1:0"
[[flow]]
name = "lab"
acknowledge = "received"
[flow.source.mllp]
listen = "127.0.0.1:0"
"#;

/// Returns the states of the messages, by number.
const STATES: [(u64, &str); 13] = [
    (1, "mapped"),
    (2, "mapped"),
    (3, "mapped"),
    (4, "mapped"),
    (5, "mapped"),
    (6, "mapped"),
    (7, "mapped"),
    (8, "mapped"),
    (9, "mapped"),
    (10, "mapped"),
    (11, "needs attention"),
    (12, "needs attention"),
    (13, "parked"),
];

const CORRECTION: &str = "MSH|^~\\&|LAB|ZZHOSP|CW|CW|20240110120000-0600||ORU^R01^ORU_R01|R9|P|2.5.1\r\
    PID|1||1001^^^ZZHOSP^MR||ZZTESTONE^ANN\r\
    OBR|1|P1^EHR|F1^LAB|58410-2^CBC^LN|||20240102110000-0600|||||||||||||||20240110115500-0600||LAB|C\r\
    OBX|1|NM|718-7^Hemoglobin^LN||10.60|g/dL^g/dL^UCUM|12.0-16.0|L|||C|||20240102110000-0600\r";

/// Unpacks each file of a folder.
fn unpack(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap().path();
        let name = entry.file_name().unwrap().to_str().unwrap().to_owned();
        if entry.is_dir() {
            unpack(&entry, &to.join(name));
        } else {
            let plain = to.join(name.strip_suffix(".gz").unwrap());
            let mut packed = GzDecoder::new(File::open(&entry).unwrap());
            std::io::copy(&mut packed, &mut File::create(plain).unwrap()).unwrap();
        }
    }
}

fn open(build: &Path) -> Site {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("causeway.toml"), CONFIG).unwrap();
    unpack(build, &folder.path().join("data"));
    Site::start_in(folder)
}

fn states(site: &Site) -> Vec<(u64, String)> {
    let data = site.data().display().to_string();
    let listed = stdout_of(&["messages", "list", "--data", &data, "--format", "json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let rows = listed["messages"].as_array().unwrap().iter().rev();
    rows.map(|row| {
        let state = row["state"].as_str().unwrap().to_owned();
        (row["sequence"].as_u64().unwrap(), state)
    })
    .collect()
}

fn is_ready(running: &Running) -> String {
    let url = format!("{}readyz", running.url("console"));
    let mut answer = ureq::get(&url).call().unwrap();
    answer.body_mut().read_to_string().unwrap()
}

/// Returns the hemoglobin values of record 1001, newest version first.
fn hemoglobin(site: &Site) -> Vec<String> {
    let found = site.get("/Observation?code=718-7");
    let entries = found["entry"].as_array().unwrap();
    assert_eq!(entries.len(), 1, "{found}");
    let id = entries[0]["resource"]["id"].as_str().unwrap();
    let history = site.get(&format!("/Observation/{id}/_history"));
    let versions = history["entry"].as_array().unwrap().iter();
    versions
        .map(|entry| entry["resource"]["valueQuantity"]["value"].to_string())
        .collect()
}

fn reads(site: &Site) {
    let expected = STATES.map(|(number, state)| (number, state.to_owned()));
    assert_eq!(states(site), expected);
    assert_eq!(hemoglobin(site), ["10.4", "10.2"]);
    let merged = site.get("/Patient?identifier=1003&_person=false");
    let merged = merged["entry"].as_array().unwrap().iter();
    let links: Vec<&str> = merged
        .filter_map(|entry| entry["resource"]["link"][0]["type"].as_str())
        .collect();
    assert!(links.contains(&"replaced-by"), "{links:?}");
    for (query, n) in [
        ("/AllergyIntolerance?code=7980", 1),
        ("/Condition?code=J18.9", 1),
        ("/Immunization?vaccine-code=140", 1),
        ("/Appointment?_count=10", 1),
        ("/MedicationRequest?_count=10", 1),
        ("/Patient?family=zzapi", 1),
    ] {
        let found = site.get(query);
        let n_found = found["entry"].as_array().map_or(0, Vec::len);
        assert_eq!(n_found, n, "{query}: {found}");
    }
    let history = site.get("/Patient/compat-api/_history");
    assert_eq!(history["entry"].as_array().unwrap().len(), 2);
    let gone = site.get("/Patient/compat-gone/_history");
    assert_eq!(gone["entry"][0]["request"]["method"], "DELETE");
}

fn accepts_new_messages(site: &Site) {
    let data = site.data().display().to_string();
    let replayed = stdout_of(&["messages", "replay", "4", "6", "--data", &data]);
    assert!(replayed.contains("\"queued\":true"), "{replayed}");
    let path = crate::site::write(site.folder.path(), "r9.hl7", CORRECTION);
    let lab = site.running().url("mllp-lab").to_owned();
    assert!(stdout_of(&["send", &lab, &path]).contains("MSA|AA|R9"));
    eventually(|| {
        states(site)
            .contains(&(14, "mapped".to_owned()))
            .then_some(())
    });
    assert_eq!(hemoglobin(site).first().unwrap(), "10.6");
    // Skipping the message lets the parked one proceed.
    stdout_of(&[
        "messages", "skip", "12", "--reason", "test", "--data", &data,
    ]);
    eventually(|| {
        states(site)
            .contains(&(13, "mapped".to_owned()))
            .then_some(())
    });
}

#[test]
fn data_of_every_earlier_build_is_opened_and_gone_on_with() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/compat");
    let mut n_builds = 0;
    for build in fs::read_dir(&folder).unwrap() {
        let build = build.unwrap().path();
        if !build.is_dir() {
            continue;
        }
        n_builds += 1;
        let mut site = open(&build);
        // Unchanged, before this build has written to it.
        let untouched = tempfile::tempdir().unwrap();
        unpack(&build, untouched.path());
        let old = untouched.path().display().to_string();
        let verified = causeway(&["verify", "--data", &old]);
        assert!(verified.status.success(), "{verified:?}");
        assert_eq!(is_ready(site.running()), "ready\n", "{}", build.display());
        reads(&site);
        accepts_new_messages(&site);
        site.running.take().unwrap().kill();
        site.restart();
        assert_eq!(is_ready(site.running()), "ready\n");
        assert_eq!(hemoglobin(&site).first().unwrap(), "10.6");
        assert_eq!(states(&site).len(), 14);
        assert!(site.running.take().unwrap().stop());
        let data = site.data().display().to_string();
        let verified = causeway(&["audit", "verify", "--data", &data]);
        assert!(verified.status.success(), "{verified:?}");
        let verified = causeway(&["verify", "--data", &data]);
        assert!(verified.status.success(), "{verified:?}");
    }
    assert!(0 < n_builds, "no folder in {}", folder.display());
}
