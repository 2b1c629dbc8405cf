//! The keys of a data directory: created on first use, readable only by their owner.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const N_BYTES: usize = 32;

/// The key that signs bearer tokens. `Debug` does not print it.
#[derive(Clone)]
pub struct SigningKey([u8; N_BYTES]);

/// The error for a key that could not be read or created.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file system error.
    #[error(
        "could not read or write the key file `{path}`; check that the data directory is yours and writable"
    )]
    File {
        /// The key file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file exists, but is not a valid key.
    #[error(
        "the key file `{path}` is damaged (not {N_BYTES} bytes); restore it, or delete it, which makes all that it signed invalid: issued tokens, or heads of the audit log"
    )]
    Damaged {
        /// The key file.
        path: PathBuf,
    },
    /// The operating system returned no random bytes.
    #[error("the operating system gave no random bytes for a new key")]
    NoRandomness,
}

// === impl SigningKey ===

impl SigningKey {
    /// Reads the key of a data directory, or creates it durably.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, KeyError> {
        read_or_create(&data_dir.join("security").join("token.key")).map(Self)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Returns the secret in that file, creating it if there is none.
pub(crate) fn read_or_create(path: &Path) -> Result<[u8; N_BYTES], KeyError> {
    let fail = |source| KeyError::File {
        path: path.to_owned(),
        source,
    };
    let whole = |bytes: Vec<u8>| {
        bytes.try_into().map_err(|_| KeyError::Damaged {
            path: path.to_owned(),
        })
    };
    match fs::read(path) {
        Ok(bytes) => whole(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).map_err(fail)?;
            }
            let mut bytes = [0; N_BYTES];
            getrandom::fill(&mut bytes).map_err(|_| KeyError::NoRandomness)?;
            match write_private(path, &bytes) {
                Ok(()) => Ok(bytes),
                // Another process created it at the same moment: use its key.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    whole(fs::read(path).map_err(fail)?)
                }
                Err(error) => Err(fail(error)),
            }
        }
        Err(error) => Err(fail(error)),
    }
}

/// Writes a new file that only its owner can read, and waits until it is on disk.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    sync_folder(path)
}

/// Replaces the file's content with `bytes` atomically.
pub(crate) fn replace_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    write_private(&fresh, bytes)?;
    fs::rename(&fresh, path)?;
    sync_folder(path)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn is_made_once_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let first = SigningKey::load_or_create(dir.path()).unwrap();
        let second = SigningKey::load_or_create(dir.path()).unwrap();
        assert_eq!(first.bytes(), second.bytes());
        let path = dir.path().join("security/token.key");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        fs::write(&path, b"short").unwrap();
        assert!(matches!(
            SigningKey::load_or_create(dir.path()),
            Err(KeyError::Damaged { .. })
        ));
    }
}
