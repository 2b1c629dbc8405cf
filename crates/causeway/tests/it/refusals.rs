//! Invalid configuration, ports in use, directories in use or from a newer version: a clear error, exit
//! code 1, and the data untouched.

use crate::process::{Running, causeway};
use crate::site::{SMALL, Site, write};

#[track_caller]
fn refused(args: &[&str], told: &[&str]) {
    let output = causeway(args);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    for part in told {
        assert!(stderr.contains(part), "`{part}` is not in: {stderr}");
    }
}

#[test]
fn check_and_serve_tell_the_same_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    for (text, told) in [
        (
            SMALL.replace("mapped", "someday"),
            ["wrong.toml:8", "`received`, `mapped`, `delivered`"],
        ),
        (
            SMALL.replace("name = \"adt\"", "nome = \"adt\""),
            ["wrong.toml:", "nome"],
        ),
        (
            format!("{SMALL}[flow.map]\nzone = \"Mars/Base\"\n"),
            ["wrong.toml:12", "IANA"],
        ),
        (
            format!("{SMALL}[flow.map]\ndialect = \"nobody\"\n"),
            ["dialect", "nobody"],
        ),
    ] {
        let path = write(folder.path(), "wrong.toml", &text);
        refused(&["check", "-c", &path], &told);
        refused(&["serve", "-c", &path], &told);
    }
    assert!(
        !folder.path().join("data").exists(),
        "a refused start made a data directory"
    );
}

#[test]
fn a_wrong_map_is_refused_with_line_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("maps")).unwrap();
    write(
        &folder.path().join("maps"),
        "own.map",
        "dialect OWN extends v2\nreplace on Patient PID-7 <-> birthDay : date\n",
    );
    let path = write(
        folder.path(),
        "c.toml",
        &format!("{SMALL}[maps]\nfolder = \"maps\"\n"),
    );
    refused(&["check", "-c", &path], &["own.map:2:", "birthDay"]);
}

#[test]
fn a_directory_in_use_a_taken_port_and_newer_data() {
    let site = Site::start();
    let config = site.config().display().to_string();
    refused(
        &["serve", "-c", &config],
        &["in use by another process", "stop that one"],
    );

    let taken = site
        .running()
        .url("console")
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned();
    let other = tempfile::tempdir().unwrap();
    let text = SMALL.replacen("127.0.0.1:0", &taken, 1);
    let path = write(other.path(), "causeway.toml", &text);
    refused(&["serve", "-c", &path], &["could not listen", &taken]);
    assert!(
        !other.path().join("data").exists(),
        "a taken port made a data directory"
    );

    let taken = site.mllp().trim_start_matches("mllp://");
    let text = SMALL.replace(
        "[flow.source.mllp]\nlisten = \"127.0.0.1:0\"",
        &format!("[flow.source.mllp]\nlisten = \"{taken}\""),
    );
    let path = write(other.path(), "causeway.toml", &text);
    refused(&["serve", "-c", &path], &["could not listen", taken]);
    assert!(
        !other.path().join("data").exists(),
        "a taken MLLP port made a data directory"
    );

    let newer = tempfile::tempdir().unwrap();
    let path = write(newer.path(), "causeway.toml", SMALL);
    std::fs::create_dir(newer.path().join("data")).unwrap();
    std::fs::write(newer.path().join("data/format"), "99\n").unwrap();
    refused(&["serve", "-c", &path], &["newer version"]);
    let files = std::fs::read_dir(newer.path().join("data"))
        .unwrap()
        .count();
    assert!(files <= 2, "newer data was touched");
}

#[test]
fn a_directory_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    // A file where the directory should be: root may write everywhere, so permissions prove nothing.
    let path = write(folder.path(), "causeway.toml", SMALL);
    write(folder.path(), "data", "not a directory");
    refused(&["serve", "-c", &path], &["data", "--data"]);
}

#[test]
fn usage_errors_and_failures_have_different_exit_codes() {
    for args in [
        &["nonsense"][..],
        &["token", "--ttl", "soon"],
        &["fhirpath", "Patient.", "-"],
        &["send", "ftp://x", "-"],
    ] {
        assert_eq!(causeway(args).status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn every_example_checks_and_starts() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");
    let mut n_examples = 0;
    for entry in std::fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "toml") {
            continue;
        }
        n_examples += 1;
        let output = causeway(&["check", "-c", &path.display().to_string()]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        // The same with free ports and a directory of its own.
        let folder = tempfile::tempdir().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let free: String = text
            .lines()
            .map(|line| match line.split_once("127.0.0.1:") {
                Some((before, rest)) => {
                    let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
                    format!("{before}127.0.0.1:0{after}\n")
                }
                None => format!("{line}\n"),
            })
            .collect();
        let free = free.replace("../causeway-data", "data");
        let own = write(folder.path(), "causeway.toml", &free);
        let running = Running::start(&["serve", "-c", &own]);
        assert!(3 <= running.addresses.len());
        assert!(running.stop());
    }
    assert!(0 < n_examples);
}
