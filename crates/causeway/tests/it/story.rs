//! End to end: sent over MLLP, on disk, in the chart, readable, and still there after kill -9.

use crate::messages::{ADMISSION, RESULT};
use crate::process::{causeway, stdout_of};
use crate::site::{Site, eventually, write};

#[test]
fn a_message_reaches_the_chart_and_survives_a_kill() {
    let mut site = Site::start();
    assert!(site.send("a01.hl7", ADMISSION).contains("MSA|AA|A1"));
    assert!(site.send("r01.hl7", RESULT).contains("MSA|AA|R1"));
    // The same message again: the same acknowledgement, nothing applied twice.
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
    assert!(String::from_utf8_lossy(&verified.stdout).contains("the chain is intact"));
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

#[test]
fn what_a_person_does_with_messages_and_flows() {
    let mut site = Site::start();
    let data = site.data().display().to_string();
    let at = |args: &[&str]| {
        let mut args = args.to_vec();
        args.extend(["--data", &data]);
        stdout_of(&args)
    };
    assert!(site.send("a01.hl7", ADMISSION).contains("MSA|AA|A1"));
    assert!(site.send("r01.hl7", RESULT).contains("MSA|AA|R1"));

    // An edited copy: a message of its own, in the chart; the original is unchanged.
    let changed = RESULT.replace("10.20", "11.40");
    let file = write(site.folder.path(), "changed.hl7", &changed);
    let made = at(&[
        "messages",
        "edit",
        "2",
        &file,
        "--reason",
        "transcription error",
    ]);
    assert!(
        made.contains("\"sequence\":3") && made.contains("\"of\":2"),
        "{made}"
    );
    let shown = eventually(|| {
        let shown = at(&["messages", "show", "3"]);
        shown.contains("mapped").then_some(shown)
    });
    assert!(shown.contains("message 2, edited by"), "{shown}");
    assert!(
        shown.contains("transcription error") && shown.contains("11.40"),
        "{shown}"
    );
    assert!(at(&["messages", "show", "2"]).contains("10.20"));
    let unchanged = write(site.folder.path(), "same.hl7", RESULT);
    let refused = causeway(&[
        "messages", "edit", "2", &unchanged, "--reason", "none", "--data", &data,
    ]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&refused.stderr)
            .contains("the copy does not differ from the original")
    );

    // An input that is not a message can be skipped with a reason, and replayed only by number.
    let path = write(
        site.folder.path(),
        "z.hl7",
        &ADMISSION
            .replace("ADT^A01^ADT_A01", "ZZZ^Z99")
            .replace("|A1|", "|Z1|"),
    );
    assert_eq!(
        causeway(&["send", site.mllp(), &path]).status.code(),
        Some(1)
    );
    eventually(|| {
        at(&["messages", "list", "--state", "needs attention"])
            .contains("Z1")
            .then_some(())
    });
    let skipped = at(&["messages", "skip", "4", "--reason", "a test of the sender"]);
    assert!(skipped.contains("\"skipped\":true"), "{skipped}");
    let shown = at(&["messages", "show", "4"]);
    assert!(
        shown.contains("filtered") && shown.contains("a test of the sender"),
        "{shown}"
    );
    let held = causeway(&["messages", "hold", "1", "--reason", "late", "--data", &data]);
    assert_eq!(held.status.code(), Some(1), "it is in the chart");
    let all = [
        "messages", "replay", "--state", "mapped", "--type", "ORU^R01", "--data", &data,
    ];
    // A script must give a reason, or nothing is done.
    for bulk in [&all[..], &["flows", "stop", "adt", "--data", &data]] {
        let refused = causeway(bulk);
        assert_eq!(refused.status.code(), Some(2), "{bulk:?}");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(said.contains("--reason"), "{said}");
    }
    assert!(!at(&["flows", "list"]).contains("off"));
    let replayed = stdout_of(&[&all[..], &["--reason", "a test"]].concat());
    assert_eq!(replayed.trim(), "{\"replayed\":2,\"failed\":0}");

    // A stopped flow refuses connections, also after a restart.
    assert!(at(&["flows", "stop", "adt", "--reason", "a test"]).contains("\"running\":false"));
    assert!(at(&["flows", "list"]).contains("off"));
    let address = site.mllp().to_owned();
    let file = write(
        site.folder.path(),
        "a2.hl7",
        &ADMISSION.replace("|A1|", "|A2|"),
    );
    eventually(|| (causeway(&["send", &address, &file]).status.code() == Some(1)).then_some(()));
    assert!(site.running.take().unwrap().stop());
    site.restart();
    assert!(at(&["flows", "list"]).contains("off"));
    assert!(at(&["flows", "start", "adt"]).contains("\"running\":true"));
    assert!(
        site.send("a2.hl7", &ADMISSION.replace("|A1|", "|A2|"))
            .contains("MSA|AA|A2")
    );
    assert!(site.running.take().unwrap().stop());
}
