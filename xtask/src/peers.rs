//! External programs that tests use: PostgreSQL and Chromium with its driver.
//!
//! Installed programs are used where they are found; as root on Debian, missing ones are installed;
//! elsewhere their tests report that they were skipped. Tests start and stop their own instances on
//! free ports.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program: the variable that tells tests where it is, its names, the folders where Debian puts
/// it, and the packages that contain it.
struct Peer {
    variable: &'static str,
    names: &'static [&'static str],
    folders: &'static str,
    packages: &'static [&'static str],
}

const PEERS: [Peer; 4] = [
    Peer {
        variable: "CAUSEWAY_TEST_POSTGRES",
        names: &["postgres"],
        folders: "/usr/lib/postgresql",
        packages: &["postgresql"],
    },
    Peer {
        variable: "CAUSEWAY_TEST_CHROMIUM",
        names: &["chromium", "chromium-browser", "google-chrome"],
        folders: "",
        packages: &["chromium"],
    },
    Peer {
        variable: "CAUSEWAY_TEST_CHROMEDRIVER",
        names: &["chromedriver"],
        folders: "",
        packages: &["chromium-driver"],
    },
    Peer {
        variable: "CAUSEWAY_TEST_STRACE",
        names: &["strace"],
        folders: "",
        packages: &["strace"],
    },
];

/// Finds each peer, installs missing ones where possible, and returns the tests' environment.
pub(crate) fn find_or_install() -> Vec<(String, String)> {
    let wanted: Vec<&str> = PEERS
        .iter()
        .filter(|peer| find(peer).is_none())
        .flat_map(|peer| peer.packages)
        .copied()
        .collect();
    if !wanted.is_empty() && is_root() && Path::new("/etc/debian_version").exists() {
        println!("== peers: installing {}", wanted.join(" "));
        apt(&["update", "-qq"]);
        let mut args = vec!["install", "-y", "-qq", "--no-install-recommends"];
        args.extend(&wanted);
        apt(&args);
    }
    PEERS
        .iter()
        .filter_map(|peer| Some((peer.variable.to_owned(), find(peer)?.display().to_string())))
        .collect()
}

fn find(peer: &Peer) -> Option<PathBuf> {
    if let Some(given) = std::env::var_os(peer.variable) {
        return Some(PathBuf::from(given));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    // Debian keeps one folder per major version: the newest first.
    if let Ok(versions) = std::fs::read_dir(peer.folders) {
        let mut found: Vec<PathBuf> = versions
            .flatten()
            .map(|entry| entry.path().join("bin"))
            .collect();
        found.sort();
        folders.splice(0..0, found.into_iter().rev());
    }
    folders
        .iter()
        .flat_map(|folder| peer.names.iter().map(move |name| folder.join(name)))
        .find(|path| path.is_file())
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn apt(args: &[&str]) {
    // A failure here is reported by the tests that are then skipped.
    let _ = Command::new("apt-get")
        .args(args)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
}
