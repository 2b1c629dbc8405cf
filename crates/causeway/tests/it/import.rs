//! `causeway import` run again: after a kill, and without one.

use crate::process::stdout_of;
use crate::site::{Site, write};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Returns a transaction that creates a patient and two results under new ids.
fn bundle(n: usize) -> String {
    let result = |code: usize| {
        format!(
            r#"{{"resource":{{"resourceType":"Observation","status":"final","code":{{"text":"{code}"}},
            "subject":{{"reference":"urn:uuid:p"}}}},"request":{{"method":"POST","url":"Observation"}}}}"#
        )
    };
    format!(
        r#"{{"resourceType":"Bundle","type":"transaction","entry":[
        {{"fullUrl":"urn:uuid:p","resource":{{"resourceType":"Patient","name":[{{"family":"Zztest{n}"}}]}},
        "request":{{"method":"POST","url":"Patient"}}}},{},{}]}}"#,
        result(1),
        result(2)
    )
}

fn import(data: &str, path: &str) -> Value {
    let told = stdout_of(&["import", "--data", data, "--format", "json", path]);
    serde_json::from_str(&told).unwrap()
}

fn numbers(told: &Value) -> (u64, u64) {
    let number = |name: &str| told[name].as_u64().unwrap();
    (number("resources"), number("alreadyThere"))
}

fn inputs(folder: &Path, n: usize) -> String {
    let inputs = folder.join("inputs");
    std::fs::create_dir(&inputs).unwrap();
    for n in 0..n {
        write(&inputs, &format!("{n:04}.json"), &bundle(n));
    }
    inputs.display().to_string()
}

#[test]
fn what_was_imported_before_is_there_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let inputs = inputs(folder.path(), 3);
    assert_eq!(numbers(&import(&data, &inputs)), (9, 0));
    assert_eq!(numbers(&import(&data, &inputs)), (0, 9));
    // The same bytes under another name, and twice in one run.
    let copies = folder.path().join("copies");
    std::fs::create_dir(&copies).unwrap();
    for name in ["a.json", "b.json", "c.json"] {
        write(&copies, name, &(bundle(7) + "\n"));
    }
    write(&copies, "known.json", &bundle(1));
    let copies = copies.display().to_string();
    assert_eq!(numbers(&import(&data, &copies)), (3, 9));

    // Lines with an id are recognized by resource, lines without one by content.
    let lines = write(
        folder.path(),
        "lines.ndjson",
        "{\"resourceType\":\"Patient\",\"id\":\"zz1\"}\n{\"resourceType\":\"Patient\",\"gender\":\"other\"}\n",
    );
    assert_eq!(numbers(&import(&data, &lines)), (2, 0));
    assert_eq!(numbers(&import(&data, &lines)), (0, 2));
    let changed = write(
        folder.path(),
        "changed.ndjson",
        "{\"resourceType\":\"Patient\",\"id\":\"zz1\",\"gender\":\"male\"}\n",
    );
    assert_eq!(numbers(&import(&data, &changed)), (1, 0));
    let words = stdout_of(&["import", "--data", &data, &inputs]);
    assert!(words.contains("9 already there"), "{words}");
}

#[test]
fn an_import_that_was_killed_goes_on_where_it_was() {
    const N: usize = 400;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let inputs = inputs(folder.path(), N);
    let mut n_killed = 0;
    for millis in [150, 400, 700] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_causeway"))
            .args(["import", "--data", &data, &inputs])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(millis));
        n_killed += usize::from(child.try_wait().unwrap().is_none());
        let _ = child.kill();
        child.wait().unwrap();
    }
    assert!(0 < n_killed, "none was killed on its way");
    let (new, there) = numbers(&import(&data, &inputs));
    assert_eq!(new + there, 3 * N as u64);
    assert_eq!(numbers(&import(&data, &inputs)), (0, 3 * N as u64));
    // Each patient is stored once.
    let chart =
        store::chart::Chart::open(Path::new(&data), store::chart::Options::default()).unwrap();
    let statistics = chart.statistics().unwrap();
    let n_of = |wanted: &str| {
        let found = statistics
            .resources
            .iter()
            .find(|(name, _)| *name == wanted);
        found.map_or(0, |(_, n)| *n)
    };
    assert_eq!(n_of("Observation"), 2 * N as u64);
    // The sources' records, and the person for each.
    assert!([N as u64, 2 * N as u64].contains(&n_of("Patient")));
    chart.close();
}

/// Kills client and server in turn; an import restarted over the network stores each resource once, as
/// offline.
#[test]
fn an_import_over_the_network_goes_on_where_it_was() {
    const N: u64 = 200;
    let mut site = Site::start();
    let inputs = inputs(site.folder.path(), N as usize);
    // In addition, resources with ids, resources without ids, and a batch.
    let folder = Path::new(&inputs);
    write(
        folder,
        "9000.ndjson",
        "{\"resourceType\":\"Patient\",\"id\":\"zz1\"}\n{\"resourceType\":\"Patient\",\"gender\":\"other\"}\n",
    );
    write(
        folder,
        "9001.json",
        &bundle(9001)
            .replace("\"transaction\"", "\"batch\"")
            .replace(
                "\"subject\":{\"reference\":\"urn:uuid:p\"}",
                "\"valueInteger\":1",
            ),
    );
    write(
        folder,
        "9002.json",
        r#"{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","id":"zz2"}},{"resource":{"resourceType":"Patient","gender":"male"}}]}"#,
    );
    let n_all = 3 * N + 2 + 3 + 2;
    let data = site.data().display().to_string();
    let token = stdout_of(&["token", "--data", &data, "--scope", "system/*.cruds"]);
    let run = |site: &Site| {
        let url = site.running().url("fhir").to_owned();
        let mut command = Command::new(env!("CARGO_BIN_EXE_causeway"));
        command.args(["import", "--format", "json", "--url", &url, "--token"]);
        command.args([token.trim(), &inputs]);
        command
    };
    let mut n_killed = 0;
    for (millis, server_too) in [(120, false), (250, true), (400, true)] {
        let mut child = run(&site)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(millis));
        n_killed += usize::from(child.try_wait().unwrap().is_none());
        if server_too {
            site.running = None;
            site.restart();
        }
        let _ = child.kill();
        child.wait().unwrap();
    }
    assert!(0 < n_killed, "none was killed on its way");
    let told = |site: &Site| -> Value {
        let output = run(site).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let (new, there) = numbers(&told(&site));
    assert_eq!(new + there, n_all);
    assert!(0 < there, "nothing was there before");
    assert_eq!(numbers(&told(&site)), (0, n_all));
    let results = site.get("/Observation?_summary=count");
    assert_eq!(results["total"], 2 * (N + 1), "{results}");
    for (name, n_of_it) in [("Zztest0", 1), ("Zztest199", 1), ("Zztest9001", 1)] {
        let found = site.get(&format!("/Patient?family={name}"));
        let entries = found["entry"].as_array().unwrap();
        // The source's record, and its person if it has one.
        let records = entries
            .iter()
            .filter(|entry| entry["resource"]["meta"]["tag"].is_null());
        assert_eq!(records.count(), n_of_it, "{name}: {found}");
    }
    let male = site.get("/Patient?gender=male");
    assert_eq!(male["entry"].as_array().unwrap().len(), 1, "{male}");

    // A batch whose second entry fails is reported, and its other entries are stored.
    let half = r#"{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Patient","gender":"unknown"},"request":{"method":"POST","url":"Patient"}},{"resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Nothing"}}]}"#;
    let half = write(site.folder.path(), "half.json", half);
    for expected in [(1, 0), (0, 1)] {
        let url = site.running().url("fhir").to_owned();
        let args = ["import", "--format", "json", "--url", &url, "--token"];
        let output = Command::new(env!("CARGO_BIN_EXE_causeway"))
            .args(args)
            .args([token.trim(), &half])
            .output()
            .unwrap();
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(numbers(&told), expected);
        assert_eq!(told["failed"], 1);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("entry 2: 4"), "{said}");
    }
}
