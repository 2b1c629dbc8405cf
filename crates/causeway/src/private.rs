//! Restricts the data directory to its owner: directories 0700, files 0600.
//!
//! Invariants:
//! - everything that this process creates from then on is private, whatever umask it was started
//!   with, including SQLite's write-ahead logs and shared-memory files;
//! - whatever an earlier build or someone else left open is tightened at startup and logged;
//! - nothing outside the directory is touched: links are not followed, and at the top level only
//!   Causeway's own names are considered.

use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The names at the top of a data directory; a name may have a suffix (`chart.db-wal`).
const OWN: [&str; 9] = [
    "chart.db",
    "flow.db",
    "journal",
    "audit",
    "security",
    "lock",
    "format",
    "address",
    "demo.json",
];
/// The permission bits of the group and of others.
const OTHERS: u32 = 0o077;
const FOLDER: u32 = 0o700;
const FILE: u32 = 0o600;

/// The result of a walk over the directory.
#[derive(Debug, Default)]
struct Found {
    n_tightened: usize,
    /// The paths that stay open, and why.
    open: Vec<(PathBuf, String)>,
}

/// Creates the directory if it is missing and tightens it if it exists. A directory that cannot be
/// tightened is logged; the server starts anyway.
pub(crate) fn restrict(data: &Path) {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(OTHERS));
    // If the directory cannot be created, the code that opens it reports the error.
    let _ = DirBuilder::new().recursive(true).mode(FOLDER).create(data);
    let found = walk(data, true);
    if 0 < found.n_tightened {
        tracing::info!(
            data = %data.display(),
            n = found.n_tightened,
            "others could read or enter parts of the data directory; now only its owner can"
        );
    }
    for (path, why) in found.open {
        tracing::warn!(
            path = %path.display(),
            why,
            "others may read this part of the data directory; as its owner, run: chmod -R go= PATH"
        );
    }
}

/// Returns the paths that others may read or enter and that a start could not tighten, and why.
pub(crate) fn warnings(data: &Path) -> Vec<(PathBuf, String)> {
    walk(data, false).open
}

fn walk(data: &Path, should_tighten: bool) -> Found {
    let mut found = Found::default();
    // The root may be a link, in which case its target is meant.
    let Ok(root) = fs::metadata(data) else {
        return found;
    };
    found.inspect(data, &root, should_tighten);
    let is_own = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        OWN.iter().any(|own| name.starts_with(own))
    };
    found.entries(data, &is_own, should_tighten);
    found
}

// === impl Found ===

impl Found {
    fn entries(&mut self, folder: &Path, wanted: &dyn Fn(&Path) -> bool, should_tighten: bool) {
        // An unreadable folder was reported with its mode, or is reported when it is opened.
        let Ok(entries) = fs::read_dir(folder) else {
            return;
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            if !wanted(&path) {
                continue;
            }
            // A running server may have deleted the file in the meantime.
            let Ok(metadata) = fs::symlink_metadata(&path) else {
                continue;
            };
            if metadata.is_symlink() {
                self.inspect_link(&path);
                continue;
            }
            self.inspect(&path, &metadata, should_tighten);
            if metadata.is_dir() {
                self.entries(&path, &|_| true, should_tighten);
            }
        }
    }

    /// Reports an open link target without changing it: the link is somebody's deliberate choice.
    fn inspect_link(&mut self, link: &Path) {
        if let Ok(target) = fs::metadata(link)
            && target.mode() & OTHERS != 0
        {
            let why = format!("it is a link to something of mode {}", mode(&target));
            self.open.push((link.to_owned(), why));
        }
    }

    fn inspect(&mut self, path: &Path, metadata: &Metadata, should_tighten: bool) {
        if metadata.mode() & OTHERS == 0 {
            return;
        }
        if !should_tighten {
            let me = rustix::process::geteuid();
            if !me.is_root() && metadata.uid() != me.as_raw() {
                let why = format!(
                    "its mode is {} and user {} owns it",
                    mode(metadata),
                    metadata.uid()
                );
                self.open.push((path.to_owned(), why));
            }
            return;
        }
        match tighten(path, metadata) {
            Ok(()) => self.n_tightened += 1,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let why = format!("its mode is {}: {error}", mode(metadata));
                self.open.push((path.to_owned(), why));
            }
        }
    }
}

fn tighten(path: &Path, metadata: &Metadata) -> io::Result<()> {
    let wanted = if metadata.is_dir() { FOLDER } else { FILE };
    fs::set_permissions(path, Permissions::from_mode(wanted))?;
    // Some file systems accept every mode but keep their own (vfat, some network mounts).
    let now = fs::metadata(path)?;
    if now.mode() & OTHERS != 0 {
        return Err(io::Error::other("this file system keeps its own modes"));
    }
    Ok(())
}

fn mode(metadata: &Metadata) -> String {
    format!("{:04o}", metadata.mode() & 0o7777)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn mode_of(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn what_was_open_is_tightened_and_nothing_else_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        let (data, outside) = (folder.path().join("data"), folder.path().join("outside"));
        fs::create_dir_all(data.join("journal/old")).unwrap();
        fs::create_dir(&outside).unwrap();
        for (name, mode) in [
            ("chart.db", 0o644),
            ("chart.db-wal", 0o666),
            ("journal/2024-05-17.db", 0o640),
            ("journal/old/2024-05-16.db", 0o604),
            ("backup.sh", 0o755),
        ] {
            fs::write(data.join(name), "").unwrap();
            set(&data.join(name), mode);
        }
        fs::write(outside.join("notes"), "").unwrap();
        set(&outside.join("notes"), 0o644);
        set(&outside, 0o755);
        symlink(&outside, data.join("audit")).unwrap();
        for open in [&data, &data.join("journal"), &data.join("journal/old")] {
            set(open, 0o755);
        }

        let found = walk(&data, true);

        assert_eq!(found.n_tightened, 7);
        let reported: Vec<_> = found.open.iter().map(|(path, _)| path.clone()).collect();
        assert_eq!(reported, [data.join("audit")], "a link is reported");
        for private in ["", "journal", "journal/old"] {
            assert_eq!(mode_of(&data.join(private)), 0o700, "{private}");
        }
        for private in [
            "chart.db",
            "chart.db-wal",
            "journal/2024-05-17.db",
            "journal/old/2024-05-16.db",
        ] {
            assert_eq!(mode_of(&data.join(private)), 0o600, "{private}");
        }
        assert_eq!(mode_of(&data.join("backup.sh")), 0o755, "not ours");
        assert_eq!(mode_of(&outside), 0o755);
        assert_eq!(mode_of(&outside.join("notes")), 0o644);
        assert_eq!(walk(&data, true).n_tightened, 0, "once is enough");
    }

    #[test]
    fn a_missing_directory_has_no_warnings() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(warnings(&folder.path().join("data")), []);
    }
}
