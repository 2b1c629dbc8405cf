//! The whole way: sent over MLLP, on disk, in the chart, readable, and still there after kill -9.

use crate::messages::{ADMISSION, RESULT};
use crate::process::{causeway, stdout_of};
use crate::site::{Site, eventually, write};

#[test]
fn a_message_reaches_the_chart_and_survives_a_kill() {
    let mut site = Site::start();
    assert!(site.send("a01.hl7", ADMISSION).contains("MSA|AA|A1"));
    assert!(site.send("r01.hl7", RESULT).contains("MSA|AA|R1"));
    // The same again: the same answer, nothing twice.
    assert!(site.send("r01.hl7", RESULT).contains("MSA|AA|R1"));

    let found = site.get("/Patient?family=zztest");
    let patient = &found["entry"][0]["resource"];
    assert_eq!(patient["birthDate"], "1980-01-02");
    assert_eq!(
        patient["address"][0]["city"], "Testville",
        "a sparse result wiped the address"
    );
    let id = patient["id"].as_str().unwrap();
    let results = site.get(&format!("/Observation?patient={id}&code=718-7"));
    assert_eq!(results["entry"].as_array().unwrap().len(), 1);
    let text = results.to_string();
    assert!(text.contains("10.20") || text.contains("10.2"), "{text}");

    site.running.take().unwrap().kill();
    site.restart();
    let again = site.get(&format!("/Patient/{id}/_history"));
    assert_eq!(again["entry"][0]["resource"]["birthDate"], "1980-01-02");

    let data = site.data().display().to_string();
    let list = stdout_of(&["messages", "list", "--data", &data]);
    assert!(
        list.contains("ADT^A01") && list.contains("ORU^R01"),
        "{list}"
    );
    let family = stdout_of(&[
        "messages", "show", "1", "--path", "PID-5.1", "--data", &data,
    ]);
    assert_eq!(family.trim(), "ZZTEST");
    let replayed = stdout_of(&["messages", "replay", "1", "--data", &data]);
    assert!(replayed.contains("\"queued\":true"), "{replayed}");
    let flows = stdout_of(&["flows", "list", "--data", &data, "--format", "json"]);
    assert!(flows.contains("\"received\":2"), "{flows}");
    let file = write(
        site.folder.path(),
        "dry.hl7",
        &RESULT.replace("10.20", "11.0").replace("|R1|", "|R2|"),
    );
    let dry = stdout_of(&["flows", "dry-run", "adt", &file, "--data", &data]);
    assert!(dry.contains("Observation"), "{dry}");

    assert!(
        site.running.take().unwrap().stop(),
        "SIGINT did not end in a clean exit"
    );
    let verified = causeway(&["audit", "verify", "--data", &data]);
    assert!(verified.status.success());
    assert!(String::from_utf8_lossy(&verified.stdout).contains("the chain is whole"));
}

#[test]
fn what_cannot_be_taken_is_kept_answered_and_shown() {
    let site = Site::start();
    let data = site.data().display().to_string();
    let path = write(
        site.folder.path(),
        "x.hl7",
        "MSH|^~\\&|X|X|||20260101||ZZZ^Z99|Z1|P|2.5.1\rPID|1||1\r",
    );
    let output = causeway(&["send", site.mllp(), &path]);
    assert_eq!(output.status.code(), Some(1));
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        answer.contains("MSA|AR|Z1") || answer.contains("MSA|AE|Z1"),
        "{answer}"
    );
    assert!(answer.contains("ERR|"), "{answer}");
    let listed = eventually(|| {
        let list = stdout_of(&[
            "messages",
            "list",
            "--data",
            &data,
            "--state",
            "needs attention",
        ]);
        list.contains("Z1").then_some(list)
    });
    assert!(listed.contains("ZZZ^Z99"), "{listed}");
}

#[test]
fn bundles_and_messages_are_imported() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let bundle = r#"{"resourceType":"Bundle","type":"transaction","entry":[
        {"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient","name":[{"family":"Zzimport"}]},"request":{"method":"POST","url":"Patient"}},
        {"resource":{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"urn:uuid:1"}},"request":{"method":"POST","url":"Observation"}}]}"#;
    let json = write(folder.path(), "bundle.json", bundle);
    let ndjson = write(
        folder.path(),
        "more.ndjson",
        "{\"resourceType\":\"Patient\",\"id\":\"n1\",\"name\":[{\"family\":\"Zzlines\"}]}\n\n{\"resourceType\":\"Patient\",\"id\":\"n2\"}\n",
    );
    let hl7 = write(folder.path(), "a.hl7", ADMISSION);
    let told = stdout_of(&[
        "import", "--data", &data, "--format", "json", &json, &ndjson, &hl7,
    ]);
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        (told["resources"].as_u64(), told["messages"].as_u64()),
        (Some(4), Some(1)),
        "{told}"
    );

    let bad = write(
        folder.path(),
        "bad.json",
        "{\"resourceType\":\"Patient\",\"gender\":1}",
    );
    let output = causeway(&["import", "--data", &data, &bad]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("Patient.gender"));
}
