//! A disk of its own for a test, small enough to be filled: a tmpfs.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A tmpfs, mounted until it is dropped.
pub(crate) struct SmallDisk {
    dir: TempDir,
}

// === impl SmallDisk ===

impl SmallDisk {
    /// Mounts the disk; records a skip and returns none if mounting is not possible.
    pub(crate) fn mount(test: &str, n_kilobytes: u64) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={n_kilobytes}k"),
                "tmpfs",
            ])
            .arg(dir.path())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if !mounted {
            testkit::skipped(test, "no right to mount a tmpfs", "run as root");
        }
        mounted.then_some(Self { dir })
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Fills all free space, to the last byte.
    pub(crate) fn fill(&self) {
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(self.ballast())
            .unwrap();
        let chunk = [0; 4096];
        for n_bytes in [4096, 512, 64, 8, 1] {
            while file.write_all(&chunk[..n_bytes]).is_ok() {}
        }
    }

    /// Frees the space again.
    pub(crate) fn free(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
