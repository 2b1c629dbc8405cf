//! The data directory, held by one process.
//!
//! Invariants:
//! - while a [`DataDirectory`] exists, no other process holds one for the same path;
//! - a directory written by a newer version is refused before anything in it is opened.

use crate::chart::error::OpenError;
use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// The format of the directory as a whole; each file in it has a format of its own.
const FORMAT: i64 = 1;
const LOCK: &str = "lock";
const VERSION: &str = "format";

/// A data directory that this process holds. Dropping the value releases it.
#[derive(Debug)]
pub(crate) struct DataDirectory {
    path: PathBuf,
    _lock: File,
}

// === impl DataDirectory ===

impl DataDirectory {
    /// Creates the directory if it does not exist, and locks it.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let unusable = |source| OpenError::Directory {
            path: path.to_owned(),
            source,
        };
        fs::create_dir_all(path).map_err(unusable)?;
        let lock = take(path)?;
        let version = path.join(VERSION);
        match fs::read_to_string(&version) {
            // Left by a power cut at the first start: earlier versions did not sync this file.
            Ok(text) if text.trim().is_empty() => write_version(&version).map_err(unusable)?,
            Ok(text) => {
                let found = text.trim().parse().unwrap_or(i64::MAX);
                if FORMAT < found {
                    return Err(OpenError::Newer {
                        path: version,
                        found,
                        known: FORMAT,
                    });
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                write_version(&version).map_err(unusable)?;
            }
            Err(error) => return Err(unusable(error)),
        }
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Returns the path of the directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Writes the version atomically and durably: half a number would be a version that never existed.
fn write_version(path: &Path) -> std::io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = File::create(&fresh)?;
    file.write_all(format!("{FORMAT}\n").as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

fn take(path: &Path) -> Result<File, OpenError> {
    let unusable = |source| OpenError::Directory {
        path: path.to_owned(),
        source,
    };
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path.join(LOCK))
        .map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // The process id only helps the reader of the message, which is correct without it.
            let known = file.read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
            let holder = if known {
                format!(" (process {})", holder.trim())
            } else {
                String::new()
            };
            return Err(OpenError::InUse {
                path: path.to_owned(),
                holder,
            });
        }
        Err(TryLockError::Error(source)) => return Err(unusable(source)),
    }
    // The process id helps whoever is refused. On a full disk it cannot be written and is not
    // required.
    let _ = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| write!(file, "{}", std::process::id()));
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_refused_and_named() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDirectory::open(dir.path()).unwrap();
        let refused = DataDirectory::open(dir.path()).unwrap_err();
        let expected = format!("(process {})", std::process::id());
        assert!(refused.to_string().contains(&expected), "{refused}");
        drop(first);
        DataDirectory::open(dir.path()).unwrap();
    }

    #[test]
    fn a_version_that_a_power_cut_left_empty_is_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let version = dir.path().join(VERSION);
        std::fs::write(&version, "").unwrap();
        drop(DataDirectory::open(dir.path()).unwrap());
        assert_eq!(std::fs::read_to_string(version).unwrap(), "1\n");
    }

    #[test]
    fn a_newer_directory_is_refused_untouched() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(VERSION), "2\n").unwrap();
        let refused = DataDirectory::open(dir.path()).unwrap_err();
        assert!(
            matches!(
                refused,
                OpenError::Newer {
                    found: 2,
                    known: 1,
                    ..
                }
            ),
            "{refused}"
        );
        assert_eq!(
            std::fs::read_to_string(dir.path().join(VERSION)).unwrap(),
            "2\n"
        );
    }
}
