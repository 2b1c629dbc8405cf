//! Damage and loss on disk, as the operator sees them: `causeway verify`, `/readyz`, the API.

use crate::messages::{ADMISSION, RESULT};
use crate::process::{causeway, stdout_of};
use crate::site::Site;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn day(data: &Path) -> PathBuf {
    let mut files = std::fs::read_dir(data.join("journal")).unwrap();
    let is_day = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "db");
    files
        .find_map(|file| Some(file.unwrap().path()).filter(is_day))
        .unwrap()
}

fn verify(data: &Path) -> (Option<i32>, Value) {
    let data = data.display().to_string();
    let output = causeway(&["verify", "--data", &data, "--format", "json"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = serde_json::from_str(&text);
    (
        output.status.code(),
        told.unwrap_or_else(|_| panic!("{text} {output:?}")),
    )
}

/// Returns status and body, whatever the status.
fn ask(site: &Site, path: &str) -> (u16, String) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let data = site.data().display().to_string();
    let token = stdout_of(&["token", "--data", &data]);
    let url = format!(
        "{}{path}",
        site.running().url("console").trim_end_matches('/')
    );
    let request = agent
        .get(&url)
        .header("authorization", format!("Bearer {}", token.trim()));
    let mut answer = request.call().unwrap();
    let status = answer.status().as_u16();
    (status, answer.body_mut().read_to_string().unwrap())
}

#[test]
fn damage_is_found_reported_and_never_served() {
    let mut site = Site::start();
    site.send("a.hl7", ADMISSION);
    site.send("r.hl7", RESULT);
    // While the server is running.
    let (code, told) = verify(&site.data());
    assert_eq!(
        (code, told["faults"].as_array().unwrap().len()),
        (Some(0), 0),
        "{told}"
    );
    assert_eq!(told["checked"]["messages"], 2, "{told}");
    assert!(0 < told["checked"]["versions"].as_u64().unwrap());
    assert!(0 < told["checked"]["index rows"].as_u64().unwrap());
    let found = site.get("/Observation?code=718-7");
    let id = found["entry"][0]["resource"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(site.running.take().unwrap().stop());

    let chart = rusqlite_flip(&site.data().join("chart.db"), &id);
    assert_eq!(chart, 1);
    let journal = sqlite(&day(&site.data()));
    let sql = "UPDATE body SET bytes = CAST(substr(bytes, 1, 80) || x'00' || substr(bytes, 82) AS BLOB) WHERE seq = 2";
    assert_eq!(journal.execute(sql, []).unwrap(), 1);
    drop(journal);

    let (code, told) = verify(&site.data());
    assert_eq!(code, Some(1), "{told}");
    let places: Vec<&str> = told["faults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["place"].as_str().unwrap())
        .collect();
    assert_eq!(places.len(), 2, "{told}");
    assert!(places[0].starts_with("message 2 "), "{places:?}");
    assert!(places[1].contains(&id), "{places:?}");

    site.restart();
    assert_eq!(
        ask(&site, "/readyz"),
        (200, "ready\n".to_owned()),
        "nobody has met it yet"
    );
    for path in [
        format!("/fhir/Observation/{id}"),
        "/fhir/Observation?code=718-7".to_owned(),
    ] {
        let (status, text) = ask(&site, &path);
        assert_eq!(status, 500, "{text}");
        let outcome: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(outcome["resourceType"], "OperationOutcome");
        let diagnostics = outcome["issue"][0]["diagnostics"]
            .as_str()
            .unwrap_or_default();
        assert!(
            text.contains("causeway verify") && text.contains(&id),
            "{diagnostics}"
        );
    }
    let data = site.data().display().to_string();
    let shown = causeway(&["messages", "show", "2", "--data", &data]);
    let text = String::from_utf8_lossy(&shown.stderr).into_owned();
    assert_eq!(shown.status.code(), Some(1), "{text}");
    assert!(
        text.contains("causeway verify") && !text.contains("ZZTEST"),
        "{text}"
    );
    assert!(shown.stdout.is_empty());
    let (status, text) = ask(&site, "/readyz");
    assert!(
        status == 200 && text.starts_with("degraded\n") && text.contains("damaged"),
        "{text}"
    );
}

#[test]
fn a_lost_journal_is_reported_until_acknowledged() {
    let mut site = Site::start();
    site.send("a.hl7", ADMISSION);
    site.send("r.hl7", RESULT);
    assert!(site.running.take().unwrap().stop());
    std::fs::remove_dir_all(site.data().join("journal")).unwrap();
    for _ in 0..2 {
        site.restart();
        let (status, text) = ask(&site, "/readyz");
        assert!(
            status == 200 && text.starts_with("degraded\nThe journal is a new one"),
            "{text}"
        );
        assert!(site.running.take().unwrap().stop());
    }
    site.restart();
    let again = RESULT
        .replace("|R1|", "|R2|")
        .replace("10.20", "11.30")
        .replace("|F\r", "|C\r");
    assert!(site.send("r2.hl7", &again).contains("MSA|AA|R2"));
    let results = site.get("/Observation?code=718-7").to_string();
    assert!(results.contains("11.3"), "{results}");
}

#[test]
fn a_folder_that_is_not_a_data_directory_is_incorrect_usage() {
    let folder = tempfile::tempdir().unwrap();
    let output = causeway(&["verify", "--data", &folder.path().display().to_string()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--data"));
}

fn sqlite(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(path).unwrap()
}

/// Flips one byte of the newest body of a resource.
fn rusqlite_flip(path: &Path, id: &str) -> usize {
    let sql =
        "UPDATE version SET body = CAST(substr(body, 1, 40) || x'07' || substr(body, 42) AS BLOB)
               WHERE rid = (SELECT rid FROM resource WHERE id = ?1)";
    sqlite(path).execute(sql, [id]).unwrap()
}
