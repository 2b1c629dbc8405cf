//! All files of the journal, and what holds for them together.

use super::day::{DayFile, Name};
use super::error::{OpenError, PruneError, ReadError, WriteError};
use super::{Sequence, day};
use base::Timestamp;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// The files of one journal, and its state.
#[derive(Debug)]
pub(super) struct Days {
    pub(super) directory: PathBuf,
    files: RwLock<BTreeMap<Name, Arc<DayFile>>>,
    /// The last sequence on disk.
    pub(super) last: AtomicU64,
    stopped: Mutex<Option<WriteError>>,
    /// Held while the journal is open; another process fails to take it.
    _lock: File,
}

/// Where the writer goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resume {
    pub(super) next: u64,
    pub(super) received: i64,
}

// === impl Days ===

impl Days {
    /// Opens the directory, its lock and its files.
    pub(super) fn open(directory: &Path) -> Result<(Self, Resume), OpenError> {
        let failed = |source| OpenError::Directory {
            path: directory.to_owned(),
            source,
        };
        fs::create_dir_all(directory).map_err(failed)?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(directory.join("lock"))
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(OpenError::InUse {
                    path: directory.to_owned(),
                });
            }
            Err(fs::TryLockError::Error(source)) => return Err(failed(source)),
        }
        let mut files = BTreeMap::new();
        let mut resume = Resume {
            next: read_floor(directory).map_err(failed)? + 1,
            received: 0,
        };
        for found in fs::read_dir(directory).map_err(failed)? {
            let file_name = found.map_err(failed)?.file_name();
            let Some(name) = file_name.to_str().and_then(Name::parse) else {
                continue;
            };
            let (file, connection) = DayFile::open(directory, name.clone())?;
            resume.after(&file, &connection)?;
            files.insert(name, Arc::new(file));
        }
        let days = Self {
            directory: directory.to_owned(),
            files: RwLock::new(files),
            last: AtomicU64::new(resume.next - 1),
            stopped: Mutex::new(None),
            _lock: lock,
        };
        Ok((days, resume))
    }

    /// Every file, oldest day first.
    pub(super) fn all(&self) -> Vec<Arc<DayFile>> {
        self.files
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    /// The file that holds that message.
    pub(super) fn holding(&self, sequence: Sequence) -> Vec<Arc<DayFile>> {
        self.all()
            .into_iter()
            .filter(|file| file.holds(sequence.get()))
            .collect()
    }

    pub(super) fn get(&self, name: &Name) -> Option<Arc<DayFile>> {
        self.files
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned()
    }

    pub(super) fn insert(&self, file: Arc<DayFile>) {
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        files.insert(file.name.clone(), file);
    }

    /// Nothing is written from now on.
    pub(super) fn stop(&self, cause: impl std::error::Error + Send + Sync + 'static) -> WriteError {
        let mut stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let error = stopped.get_or_insert_with(|| {
            tracing::error!(error = %cause, "journal stopped after a failed write");
            WriteError::Stopped(Arc::new(cause))
        });
        error.clone()
    }

    /// Takes messages again, where it stopped for want of room.
    pub(super) fn resume(&self) {
        let mut stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        if stopped.as_ref().is_some_and(WriteError::is_disk_full) {
            tracing::info!("journal takes messages again");
            *stopped = None;
        }
    }

    pub(super) fn stopped(&self) -> Option<WriteError> {
        self.stopped
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Deletes the files of a class whose day lies before `before`'s; gives the messages that went.
    /// The day that is being written stays.
    pub(super) fn prune(
        &self,
        class: &str,
        before: Timestamp,
    ) -> Result<(usize, Vec<Sequence>), PruneError> {
        let limit = Name::day_of(before);
        let newest = self
            .all()
            .iter()
            .rev()
            .find(|file| file.name.class == class)
            .cloned();
        let mut gone = Vec::new();
        let mut n_files = 0;
        for file in self.all() {
            let is_newest = newest
                .as_ref()
                .is_some_and(|newest| newest.name == file.name);
            if file.name.class != class || limit <= file.name.day || is_newest {
                continue;
            }
            gone.extend(sequences(&file).unwrap_or_default());
            self.delete(&file)?;
            n_files += 1;
        }
        Ok((n_files, gone))
    }

    fn delete(&self, file: &DayFile) -> Result<(), PruneError> {
        // The floor first: if every file goes, sequences must not start again.
        let floor = self.last.load(Ordering::Acquire);
        write_floor(&self.directory, floor).map_err(|source| PruneError {
            path: self.directory.join("floor"),
            source,
        })?;
        self.files
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&file.name);
        file.close_readers();
        let text = file.text_path();
        let suffixes = ["-wal", "-shm", ""];
        let paths = [&text, &file.path].into_iter().flat_map(|path| {
            suffixes.map(|suffix| PathBuf::from(format!("{}{suffix}", path.display())))
        });
        for path in paths {
            match fs::remove_file(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(source) => return Err(PruneError { path, source }),
            }
        }
        Ok(())
    }
}

fn sequences(file: &DayFile) -> Result<Vec<Sequence>, ReadError> {
    file.read(|connection| {
        let mut statement = connection.prepare_cached("SELECT seq FROM entry ORDER BY seq")?;
        let rows =
            statement.query_map([], |row| Ok(Sequence::new(row.get::<_, i64>(0)? as u64)))?;
        rows.collect()
    })
}

fn read_floor(directory: &Path) -> std::io::Result<u64> {
    match fs::read_to_string(directory.join("floor")) {
        Ok(text) => text
            .trim()
            .parse()
            .map_err(|_| std::io::Error::other("the file `floor` is damaged")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

fn write_floor(directory: &Path, floor: u64) -> std::io::Result<()> {
    let (path, draft) = (directory.join("floor"), directory.join("floor.new"));
    let mut file = File::create(&draft)?;
    file.write_all(floor.to_string().as_bytes())?;
    file.sync_all()?;
    fs::rename(draft, path)?;
    File::open(directory)?.sync_all()
}

// === impl Resume ===

impl Resume {
    fn after(&mut self, file: &DayFile, connection: &Connection) -> Result<(), OpenError> {
        let last = file.last.load(Ordering::Acquire);
        self.next = self.next.max(last + 1);
        let received: Option<i64> = connection
            .query_row(
                "SELECT max(received) FROM entry WHERE seq = ?1",
                [last as i64],
                |row| row.get(0),
            )
            .map_err(|source| OpenError::File {
                path: file.path.clone(),
                source,
            })?;
        self.received = self.received.max(received.unwrap_or(0));
        Ok(())
    }
}

/// Opens or makes the file of a day and class.
pub(super) fn open_day(days: &Days, name: &Name) -> Result<(Arc<DayFile>, Connection), OpenError> {
    if let Some(file) = days.get(name) {
        let connection = day::open_existing(&file.path)?;
        return Ok((file, connection));
    }
    let (file, connection) = DayFile::open(&days.directory, name.clone())?;
    let file = Arc::new(file);
    days.insert(file.clone());
    Ok((file, connection))
}
