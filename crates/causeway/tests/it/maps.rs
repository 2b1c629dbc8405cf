//! A site's maps: checked with their tests, used by `convert`, reloaded without a restart.

use crate::messages::ADMISSION;
use crate::process::{causeway, stdout_of};
use crate::site::{SMALL, Site, eventually, write};
use serde_json::Value;
use std::path::Path;
use std::process::Output;

/// A dialect that takes the race of PID-10 as text, with a test of its own.
fn race_as(element: &str, expected: &str) -> String {
    format!(
        "dialect NORTH extends v2\nzone \"America/Chicago\"\n\
         replace on Patient PID-10 -> {element} : text\n\n\
         test \"race\"\ngiven PID|||7^^^NORTH||A||19800101|F||slate\nthen {expected}\n"
    )
}

const RACE: &str = "Patient.extension.where(url = 'http://example.org/race').value = 'slate'";

/// `extensions` name the extension that the rows write.
fn with_extension(dialect: &str) -> String {
    format!(
        "extensions\nown-race = \"http://example.org/race\"\nother-race = \"http://example.org/race-as-told\"\n\n{dialect}"
    )
}

fn site_with(maps: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("maps")).unwrap();
    write(&folder.path().join("maps"), "own.map", maps);
    let config = configuration(folder.path());
    (folder, config)
}

fn configuration(folder: &Path) -> String {
    let text = format!(
        "{SMALL}[flow.map]\ndialect = \"NORTH\"\n[flow.map.authorities]\nNORTH = \"urn:oid:2.16.840.1.113883.19.5.9\"\n[maps]\nfolder = \"maps\"\n"
    );
    write(folder, "causeway.toml", &text)
}

fn text(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

fn checked(config: &str) -> Value {
    let output = causeway(&["check", "-c", config, "--format", "json"]);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn check_runs_the_tests_of_a_dialect_under_it() {
    let good = with_extension(&race_as("extension(own-race).valueString", RACE));
    let (_folder, config) = site_with(&good);
    let output = causeway(&["check", "-c", &config]);
    let (said, errors) = text(&output);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    assert!(said.contains("(1 from the site), 0 failed"), "{said}");
    let told = checked(&config);
    assert_eq!(
        (&told["ok"], &told["tests"]["ofSite"]),
        (&Value::Bool(true), &1.into())
    );
    // The tests of the built-in maps ran too: a site's rows may change their results.
    assert!(10 < told["tests"]["ran"].as_u64().unwrap(), "{told}");
}

#[test]
fn check_names_a_test_that_does_not_hold() {
    let wrong = RACE.replace("slate", "green");
    let bad = with_extension(&race_as("extension(own-race).valueString", &wrong));
    let (_folder, config) = site_with(&bad);
    let output = causeway(&["check", "-c", &config]);
    let (_, errors) = text(&output);
    assert_eq!(output.status.code(), Some(1));
    for part in [
        "own.map:11:",
        "error: test \"race\" (under dialect NORTH): does not hold",
    ] {
        assert!(errors.contains(part), "{part} is not in {errors}");
    }
    let told = checked(&config);
    assert_eq!(told["ok"], false);
    assert_eq!(told["tests"]["failed"], 1);
    assert_eq!(told["findings"][0]["severity"], "error");
    assert_eq!(told["findings"][0]["line"], 11);
}

#[test]
fn check_prints_doubts_and_ends_well() {
    // Two rows for one element: the later one wins, which may be intended.
    let doubtful = with_extension(&race_as("extension(own-race).valueString", RACE))
        + "\nsegment OBX -> Observation\nOBX-5 -> valueString : text when OBX-2 in (ZZ)\n\
           OBX-4 -> valueString : text when OBX-2 in (ZZ)\n";
    let (_folder, config) = site_with(&doubtful);
    let output = causeway(&["check", "-c", &config]);
    let (said, errors) = text(&output);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    assert!(
        said.contains("own.map:15:1: warning: ") && said.contains("can both write valueString"),
        "{said}"
    );
    let told = checked(&config);
    let severities: Vec<&str> = told["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| found["severity"].as_str().unwrap())
        .collect();
    assert!(
        !severities.is_empty() && severities.iter().all(|one| *one == "warning"),
        "{told}"
    );
}

#[test]
fn convert_reads_a_message_as_the_site_s_flow_would() {
    let maps = with_extension(&race_as("extension(own-race).valueString", RACE));
    let (folder, config) = site_with(&maps);
    // Without an offset in the times, the zone says which hour it was.
    let text = ADMISSION.replace("-0600", "");
    let message = write(folder.path(), "a.hl7", &text);
    let plain = stdout_of(&["convert", &message]);
    let of_site = stdout_of(&["convert", "-c", &config, &message]);
    let of_flow = stdout_of(&["convert", "-c", &config, "--flow", "adt", &message]);
    assert_eq!(of_site, of_flow);
    assert_ne!(plain, of_site);
    // The dialect's zone; without it UTC.
    assert!(plain.contains("2026-01-01T12:00:00.000Z"), "{plain}");
    assert!(of_site.contains("2026-01-01T18:00:00.000Z"), "{of_site}");
    let unknown = causeway(&["convert", "-c", &config, "--flow", "lab", &message]);
    assert_eq!(unknown.status.code(), Some(2));
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(
        said.contains("no flow `lab`") && said.contains("adt"),
        "{said}"
    );
}

/// Starts a site with that map.
fn running(maps: &str) -> Site {
    let (folder, _) = site_with(maps);
    Site::start_in(folder)
}

fn replace(site: &Site, maps: &str) {
    write(&site.folder.path().join("maps"), "own.map", maps);
}

fn ask(site: &Site, args: &[&str]) -> Output {
    let data = site.data().display().to_string();
    let mut all = args.to_vec();
    all.extend(["--data", &data]);
    causeway(&all)
}

fn version(site: &Site) -> String {
    let shown = ask(site, &["maps", "show", "--format", "json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    shown["version"].as_str().unwrap().to_owned()
}

#[test]
fn maps_are_read_again_without_a_restart() {
    let first = with_extension(&race_as("extension(own-race).valueString", RACE));
    let site = running(&first);
    site.send("a.hl7", ADMISSION);
    let before = version(&site);

    // A map that does not bind, and one whose test fails, leave the current maps in use.
    for (broken, told) in [
        (
            first.replace("PID-10 ->", "PID-10 -> nowhere :"),
            "own.map:",
        ),
        (
            first.replace("= 'slate'", "= 'green'"),
            "test \"race\": does not hold",
        ),
        (
            first.replace("dialect NORTH", "dialect SOUTH"),
            "no dialect `NORTH`",
        ),
    ] {
        replace(&site, &broken);
        let output = ask(&site, &["maps", "reload"]);
        let (_, errors) = text(&output);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(
            errors.contains(told) && errors.contains("those in use stay"),
            "{errors}"
        );
        assert_eq!(version(&site), before);
        let shown = text(&ask(&site, &["maps", "show"])).0;
        assert!(shown.contains("refused") && shown.contains(told), "{shown}");
    }

    let other = race_as(
        "extension(other-race).valueString",
        &RACE.replace("/race", "/race-as-told"),
    );
    replace(&site, &with_extension(&other));
    let done = text(&ask(&site, &["maps", "reload"])).0;
    let after = version(&site);
    assert_ne!(before, after);
    assert!(done.contains(&before) && done.contains(&after), "{done}");

    // A replay reports the version it runs under and the version it ran under before.
    let replayed = text(&ask(&site, &["messages", "replay", "1"])).0;
    let replayed: Value = serde_json::from_str(&replayed).unwrap();
    assert_eq!(replayed["mapVersionBefore"], before.as_str());
    assert_eq!(replayed["mapVersion"], after.as_str());
    eventually(|| {
        let shown = text(&ask(&site, &["messages", "show", "1", "--format", "json"])).0;
        let shown: Value = serde_json::from_str(&shown).unwrap();
        (shown["mapVersion"] == after.as_str()).then_some(())
    });
    let replays = || {
        let shown = text(&ask(&site, &["messages", "show", "1", "--format", "json"])).0;
        let shown: Value = serde_json::from_str(&shown).unwrap();
        shown["replays"][0]["detail"].as_str().map(str::to_owned)
    };
    let detail = eventually(replays);
    assert!(
        detail.contains(&after) && detail.contains(&before),
        "{detail}"
    );
}

#[test]
fn a_hangup_reads_the_maps_again() {
    let first = with_extension(&race_as("extension(own-race).valueString", RACE));
    let site = running(&first);
    let before = version(&site);
    replace(
        &site,
        &(first + "\n# A remark changes nothing of what the rows say.\n"),
    );
    let hang_up = || {
        let id = site.running().id().to_string();
        let status = std::process::Command::new("kill")
            .args(["-HUP", &id])
            .status();
        assert!(status.unwrap().success());
    };
    hang_up();
    let shown = eventually(|| {
        let shown = text(&ask(&site, &["maps", "show"])).0;
        shown.contains("by SIGHUP").then_some(shown)
    });
    assert!(shown.contains(&before), "a remark is no change: {shown}");
    let told = std::fs::read_dir(site.data().join("audit"))
        .unwrap()
        .count();
    assert!(0 < told);
    replace(&site, "dialect NORTH extends v2\nzone \"America/Denver\"\n");
    hang_up();
    eventually(|| (version(&site) != before).then_some(()));
}
