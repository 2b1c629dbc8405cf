//! Heads of the audit chain kept off the machine reveal what the log alone cannot: that it was replaced
//! by an older copy, recreated, or truncated together with its head file.

use crate::process::causeway;
use crate::site::{SMALL, Site, eventually};
use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::time::Duration;

fn site(more: &str) -> Site {
    let folder = tempfile::tempdir().unwrap();
    let text = SMALL.replacen("[log]", &format!("[audit]\nreserve_mb = 1\n{more}[log]"), 1);
    fs::write(folder.path().join("causeway.toml"), text).unwrap();
    Site::start_in(folder)
}

fn stop(site: &mut Site) {
    assert!(site.running.take().unwrap().stop());
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for found in fs::read_dir(from).unwrap() {
        let path = found.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

/// Runs `verify`; returns true if it finds the log intact, and its output.
fn verify(site: &Site, more: &[&str]) -> (bool, String) {
    let data = site.data().display().to_string();
    let mut args = vec!["audit", "verify", "--data", &data];
    args.extend(more);
    let output = causeway(&args);
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[test]
fn heads_find_a_log_that_was_rolled_back_made_anew_or_cut() {
    let mut site = site("heads_file = \"heads.jsonl\"\nheads_every_seconds = 1\n");
    let heads = site.folder.path().join("heads.jsonl");
    let held = heads.display().to_string();
    for _ in 0..3 {
        site.get("/Patient");
    }
    stop(&mut site);
    let older = site.folder.path().join("older");
    copy(&site.data().join("audit"), &older);
    let n_lines = |path: &Path| fs::read_to_string(path).unwrap().lines().count();
    let before = n_lines(&heads);
    assert!(2 <= before, "one at the start, one at the end");

    site.restart();
    for _ in 0..5 {
        site.get("/Patient");
    }
    // Every second while it runs, and once more at the end.
    eventually(|| (before + 2 < n_lines(&heads)).then_some(()));
    stop(&mut site);
    let (whole, said) = verify(&site, &["--heads", &held]);
    assert!(whole && said.contains("checked against"), "{said}");
    let key = causeway(&["audit", "key", "--data", &site.data().display().to_string()]);
    let key = String::from_utf8(key.stdout).unwrap();
    let (whole, said) = verify(&site, &["--heads", &held, "--key", key.trim()]);
    assert!(whole, "{said}");

    // Replaced by the older copy together with its head file: the log by itself is intact.
    let audit = site.data().join("audit");
    fs::remove_dir_all(&audit).unwrap();
    copy(&older, &audit);
    let (whole, said) = verify(&site, &[]);
    assert!(whole, "{said}");
    let (whole, said) = verify(&site, &["--heads", &held]);
    assert!(!whole && said.contains("ends at entry"), "{said}");

    // Continued from there until it is as long as it was.
    site.restart();
    for _ in 0..9 {
        site.get("/Patient");
    }
    fs::write(&heads, fs::read_to_string(&heads).unwrap()).unwrap();
    stop(&mut site);
    let (whole, said) = verify(&site, &[]);
    assert!(whole, "{said}");
    let (whole, said) = verify(&site, &["--heads", &held]);
    assert!(
        !whole && said.contains("when its head was sent away"),
        "{said}"
    );

    // A new log in its place, and a new key.
    fs::remove_dir_all(&audit).unwrap();
    let sent = fs::read_to_string(&heads).unwrap();
    site.restart();
    site.get("/Patient");
    stop(&mut site);
    fs::write(&heads, &sent).unwrap();
    assert!(verify(&site, &[]).0);
    let (whole, said) = verify(&site, &["--heads", &held]);
    assert!(!whole && said.contains("no head of this log"), "{said}");
    fs::remove_file(site.data().join("security/audit.key")).unwrap();
    site.restart();
    stop(&mut site);
    fs::write(&heads, &sent).unwrap();
    let (whole, said) = verify(&site, &["--heads", &held]);
    assert!(!whole && said.contains("another key"), "{said}");
}

#[test]
fn a_head_that_was_changed_is_told_with_its_line() {
    let mut site = site("heads_file = \"heads.jsonl\"\n");
    site.get("/Patient");
    stop(&mut site);
    let heads = site.folder.path().join("heads.jsonl");
    let text = fs::read_to_string(&heads).unwrap();
    fs::write(&heads, text.replace("\"position\":", "\"position\":1")).unwrap();
    let (whole, said) = verify(&site, &["--heads", &heads.display().to_string()]);
    assert!(
        !whole && said.contains("heads.jsonl:1: the signature is wrong"),
        "{said}"
    );
}

#[test]
fn entries_are_exported_and_counted_and_that_is_in_the_log() {
    let site = site("");
    site.get("/Patient");
    site.get("/Observation");
    let data = site.data().display().to_string();
    let ask = |more: &[&str]| {
        let mut args = vec!["audit"];
        args.extend(more);
        args.extend(["--data", &data]);
        let output = causeway(&args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    };
    let lines = eventually(|| {
        let text = ask(&["export"]);
        text.contains("search-type").then_some(text)
    });
    for line in lines.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(
            entry["position"].is_u64() && entry["actor"].is_string(),
            "{line}"
        );
    }
    let csv = ask(&["export", "--as", "csv", "--from", "2020"]);
    assert!(csv.starts_with("position,at,actor,"), "{csv}");
    assert_eq!(ask(&["export", "--until", "2020"]), "");
    assert_eq!(ask(&["export", "--actor", "nobody-at-all"]), "");
    let report = ask(&["report"]);
    assert!(report.contains("search-type"), "{report}");
    // The query itself is recorded, with its filters.
    let own = eventually(|| {
        let text = ask(&["export"]);
        text.contains("export actor=nobody-at-all").then_some(text)
    });
    assert!(own.contains("audit log"), "{own}");
    let wrong = causeway(&["audit", "export", "--from", "yesterday", "--data", &data]);
    assert_eq!(wrong.status.code(), Some(1));
}

#[test]
fn heads_go_to_a_syslog_server() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let address = server.local_addr().unwrap();
    let mut site = site(&format!("heads_syslog = \"udp://{address}\"\n"));
    let mut buf = [0; 2048];
    let n_read = server.recv(&mut buf).unwrap();
    let first = String::from_utf8(buf[..n_read].to_vec()).unwrap();
    assert!(
        first.starts_with("<109>1 ") && first.contains(" audit-head - {"),
        "{first}"
    );
    site.get("/Patient");
    stop(&mut site);
    let n_read = server.recv(&mut buf).unwrap();
    let last = String::from_utf8(buf[..n_read].to_vec()).unwrap();
    // `verify` reads the syslog server's own file, which has a prefix before the JSON.
    let file = site.folder.path().join("syslog");
    fs::write(&file, format!("{first}\n{last}\n")).unwrap();
    let (whole, said) = verify(&site, &["--heads", &file.display().to_string()]);
    assert!(whole && said.contains("checked against 2 heads"), "{said}");
}
