//! Import of HL7 v2 history under a flow's settings: the same journal, states and chart as over MLLP.

use crate::messages::{ADMISSION, RESULT};
use crate::process::{causeway, stdout_of};
use crate::site::{SMALL, Site, eventually, write};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Returns messages of some weeks: patients, results, a training message, one without a control id, one
/// without a map, one that repeats another.
fn history() -> Vec<String> {
    let mut messages = Vec::new();
    for n in 0..12 {
        // Each patient has numbers of their own, of visits and of orders too.
        let of = 100 + n % 5;
        let patient = |text: &str| {
            text.replace("123^^^HOSP", &format!("{of}^^^HOSP"))
                .replace("||V1\r", &format!("||V{of}\r"))
                .replace("|P1|F1|", &format!("|P{of}|F{of}|"))
        };
        messages.push(patient(ADMISSION).replace("|A1|", &format!("|H{n}|")));
        messages.push(patient(RESULT).replace("|R1|", &format!("|S{n}|")));
    }
    messages.push(ADMISSION.replace("|A1|P|", "|T1|T|"));
    messages.push(ADMISSION.replace("|A1|P|", "||P|"));
    messages.push(
        ADMISSION
            .replace("ADT^A01^ADT_A01", "ZZZ^Z99")
            .replace("|A1|", "|Z1|"),
    );
    messages.push(messages[0].clone());
    messages
}

fn import(args: &[&str]) -> Value {
    let mut all = vec!["import", "--format", "json"];
    all.extend(args);
    let output = causeway(&all);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        panic!("{all:?}: {error}: {said}")
    })
}

/// Returns the number of messages by state, and of resources by type.
fn account(site: &Site) -> (BTreeMap<String, usize>, BTreeMap<String, u64>) {
    let data = site.data().display().to_string();
    let listed = stdout_of(&[
        "messages", "list", "--count", "1000", "--data", &data, "--format", "json",
    ]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let mut states = BTreeMap::new();
    for row in listed["messages"].as_array().unwrap() {
        let state = format!("{} {}", row["state"].as_str().unwrap(), row["reason"]);
        *states.entry(state).or_default() += 1;
    }
    let types = ["Patient", "Encounter", "Observation", "DiagnosticReport"];
    let count = |name: &str| {
        let found = site.get(&format!("/{name}?_summary=count"));
        (name.to_owned(), found["total"].as_u64().unwrap())
    };
    (states, types.into_iter().map(count).collect())
}

fn site(folder: &Path) -> String {
    write(folder, "causeway.toml", SMALL)
}

/// Checks the law: whichever way messages arrive, they end in the same states and make the same chart.
#[test]
fn history_ends_where_the_wire_would_have_led_it() {
    let sent = Site::start();
    for (n, message) in history().iter().enumerate() {
        // Some are refused; what is kept of them is compared too.
        let path = write(sent.folder.path(), &format!("{n}.hl7"), message);
        causeway(&["send", sent.mllp(), &path]);
    }
    let n_distinct = history().len() - 1;
    let expected = eventually(|| {
        let found = account(&sent);
        let n: usize = found.0.values().sum();
        (n == n_distinct && !found.0.keys().any(|state| state.starts_with("received")))
            .then_some(found)
    });

    // Offline, from a folder of files and a batch file.
    let folder = tempfile::tempdir().unwrap();
    let config = site(folder.path());
    let inputs = folder.path().join("history");
    std::fs::create_dir(&inputs).unwrap();
    let all = history();
    for (n, message) in all[..10].iter().enumerate() {
        write(&inputs, &format!("{n:03}.hl7"), message);
    }
    let batch = all[10..].concat();
    let batch = format!(
        "FHS|^~\\&\rBHS|^~\\&\r{batch}BTS|{}\rFTS|1\r",
        all.len() - 10
    );
    write(&inputs, "100.hl7", &batch);
    let inputs = inputs.display().to_string();
    let done = import(&["-c", &config, &inputs]);
    assert_eq!(done["messages"], n_distinct, "{done}");
    assert_eq!(done["known"], 1, "{done}");
    assert_eq!(done["failed"], 0, "{done}");
    let of_wire = expected.0.iter();
    let of_wire = of_wire.filter(|(state, _)| state.starts_with("needs attention"));
    let n_attention: usize = of_wire.map(|(_, n)| n).sum();
    assert!(3 <= n_attention, "{expected:?}");
    assert_eq!(done["states"]["needs attention"], n_attention, "{done}");
    // Again: no message is taken twice, whatever the deduplication window.
    let again = import(&["-c", &config, "--flow", "adt", &inputs]);
    assert_eq!(
        (&again["messages"], &again["known"]),
        (&0.into(), &all.len().into())
    );

    let imported = Site::start_in(folder);
    assert_eq!(account(&imported), expected);

    // Through the running server, found by its configuration and by its address.
    let config = imported.config().display().to_string();
    let again = import(&["-c", &config, &inputs]);
    assert_eq!(
        (&again["messages"], &again["known"]),
        (&0.into(), &all.len().into())
    );
    let other = ADMISSION.replace("|A1|", "|NEW|");
    let path = write(imported.folder.path(), "new.hl7", &other);
    let scope = "system/*.cruds";
    let data = imported.data().display().to_string();
    let token = stdout_of(&["token", "--data", &data, "--scope", scope]);
    let url = imported.running().url("fhir").to_owned();
    let done = import(&[
        "--url",
        &url,
        "--token",
        token.trim(),
        "--flow",
        "adt",
        &path,
    ]);
    assert_eq!(
        done["failed"], 1,
        "an application's token runs no flow: {done}"
    );
    let done = import(&["-c", &config, &path]);
    assert_eq!(done["states"]["mapped"], 1, "{done}");
    let nobody = causeway(&["import", "--url", &url, "--token", token.trim(), &path]);
    let said = String::from_utf8_lossy(&nobody.stderr).into_owned();
    assert!(said.contains("--flow"), "{said}");
}

#[test]
fn an_envelope_that_does_not_fit_is_shown_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = site(folder.path());
    let batch = format!("BHS|^~\\&|HIST|HOSP\r{ADMISSION}{RESULT}BTS|3\r");
    let path = write(folder.path(), "b.hl7", &batch);
    let done = import(&["-c", &config, &path]);
    assert_eq!(done["states"]["mapped"], 2, "{done}");
    assert_eq!(done["states"]["needs attention"], 1, "the envelope: {done}");
    assert_eq!(done["failed"], 1, "{done}");
    let again = import(&["-c", &config, &path]);
    assert_eq!(
        (&again["messages"], &again["known"]),
        (&0.into(), &3.into())
    );
    let wrong = causeway(&["import", "-c", &config, "--flow", "lab", &path]);
    assert_eq!(wrong.status.code(), Some(2));
}
