//! Only the owner can access the data directory, whatever the umask and whoever created it.

use crate::process::stdout_of;
use crate::site::{SMALL, write};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

/// Starts `serve` under `umask 000`, uses it and stops it; returns its log.
fn life(config: &str, hurt: bool) -> String {
    let mut child = Command::new("sh")
        .args([
            "-c",
            "umask 000; exec \"$0\" serve -c \"$1\"",
            env!("CARGO_BIN_EXE_causeway"),
            config,
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut mllp = String::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(url) = line.strip_prefix("mllp: ") {
            url.clone_into(&mut mllp);
        }
        if line == "ready" {
            break;
        }
    }
    let folder = Path::new(config).parent().unwrap();
    let file = write(folder, "a.hl7", crate::messages::ADMISSION);
    stdout_of(&["send", &mllp, &file]);
    // SQLite's logs and shared memory exist while it runs.
    assert_eq!(open_to_others(&folder.join("data")), [""; 0]);
    let signal = if hurt { "-KILL" } else { "-INT" };
    let id = child.id().to_string();
    Command::new("kill").args([signal, &id]).status().unwrap();
    child.wait().unwrap();
    let mut log = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut log)
        .unwrap();
    assert_eq!(open_to_others(&folder.join("data")), [""; 0]);
    log
}

/// Returns every path with a permission bit for the group or for others.
fn open_to_others(path: &Path) -> Vec<String> {
    let metadata = std::fs::symlink_metadata(path).unwrap();
    let mut found = Vec::new();
    let wanted = if metadata.is_dir() { 0o700 } else { 0o600 };
    if metadata.mode() & 0o777 != wanted {
        found.push(format!("{} {:o}", path.display(), metadata.mode()));
    }
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            found.extend(open_to_others(&entry.unwrap().path()));
        }
    }
    found
}

fn loosen(path: &Path) {
    let is_dir = path.is_dir();
    let mode = if is_dir { 0o755 } else { 0o644 };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    if is_dir {
        for entry in std::fs::read_dir(path).unwrap() {
            loosen(&entry.unwrap().path());
        }
    }
}

#[test]
fn new_and_old_directories_are_private() {
    let folder = tempfile::tempdir().unwrap();
    let text = SMALL.replace("level = \"error\"", "level = \"info\"");
    let config = write(folder.path(), "causeway.toml", &text);
    let told = "now only its owner can";
    // The first run creates everything and is killed so that logs are left; nothing was open before.
    assert!(!life(&config, true).contains(told));
    // The state that an earlier build, a copy or a restore leaves behind.
    loosen(&folder.path().join("data"));
    assert!(life(&config, false).contains(told));
    assert!(!life(&config, false).contains(told), "it is said once");
    let checked = stdout_of(&["check", "-c", &config]);
    assert!(checked.contains("ok"), "{checked}");
}
