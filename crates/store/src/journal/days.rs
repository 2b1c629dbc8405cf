//! All files of the journal, and their shared state.

use super::day::{DayFile, Name};
use super::error::{OpenError, PruneError, ReadError, WriteError};
use super::{Sequence, day, origin};
use crate::damage::{Damage, is_damage};
use crate::identity::Identity;
use crate::wal::Room;
use base::Timestamp;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// Room for logs of eight times 16 MB; they are checkpointed long before.
pub(super) const LOG_REGIONS: u64 = 8;

/// The files of one journal and its state.
#[derive(Debug)]
pub(super) struct Days {
    pub(super) directory: PathBuf,
    files: RwLock<BTreeMap<Name, Arc<DayFile>>>,
    /// The last sequence on disk.
    pub(super) last: AtomicU64,
    /// Sequences up to this one are no longer assigned, whether messages have them or not.
    pub(super) floor: AtomicU64,
    pub(super) identity: Identity,
    /// True if the identity was created at this opening, for a journal without any message.
    pub(super) is_new: bool,
    /// Files that could not be opened and were moved aside at this opening.
    pub(super) set_aside: Vec<PathBuf>,
    pub(super) damage: Damage,
    /// Room for the logs of the databases written in this run; dropped after their connections.
    rooms: Mutex<BTreeMap<PathBuf, Room>>,
    stopped: Mutex<Option<WriteError>>,
    /// Held while the journal is open; another process fails to take it.
    _lock: File,
}

/// The point where the writer resumes.
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
        let floor = read_floor(directory).map_err(failed)?;
        let mut resume = Resume {
            next: floor + 1,
            received: 0,
        };
        let (mut opened, mut set_aside) = (Vec::new(), Vec::new());
        for found in fs::read_dir(directory).map_err(failed)? {
            let file_name = found.map_err(failed)?.file_name();
            let Some(name) = file_name.to_str().and_then(Name::parse) else {
                continue;
            };
            match resume.open(directory, name) {
                Ok(file) => opened.push(file),
                Err(OpenError::File { path, source }) if is_damage(&source) => {
                    tracing::error!(path = %path.display(), error = %source, "a journal file is damaged and set aside");
                    set_aside.push(set_file_aside(&path).map_err(failed)?);
                }
                Err(other) => return Err(other),
            }
        }
        let has_messages = 1 < resume.next || !set_aside.is_empty();
        let (identity, is_new) = origin::identity(directory, &opened, has_messages)?;
        let files = opened
            .into_iter()
            .map(|(file, _)| (file.name.clone(), Arc::new(file)));
        let days = Self {
            directory: directory.to_owned(),
            files: RwLock::new(files.collect()),
            last: AtomicU64::new(resume.next - 1),
            floor: AtomicU64::new(floor),
            identity,
            is_new,
            set_aside,
            damage: Damage::default(),
            rooms: Mutex::default(),
            stopped: Mutex::new(None),
            _lock: lock,
        };
        Ok((days, resume))
    }

    /// Takes room for the log of a database that is written from now on.
    pub(super) fn take_room(&self, path: &Path, connection: &Connection) {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        if rooms.get(path).is_none_or(|room| !room.is_of(path)) {
            rooms.insert(path.to_owned(), Room::take(path, connection, LOG_REGIONS));
        }
    }

    /// Stops assigning sequences up to this one, also after a restart.
    pub(super) fn skip_to(&self, sequence: Sequence) -> std::io::Result<()> {
        if self.last.load(Ordering::Acquire) < sequence.get() {
            write_floor(&self.directory, sequence.get())?;
            self.floor.fetch_max(sequence.get(), Ordering::AcqRel);
            self.last.fetch_max(sequence.get(), Ordering::AcqRel);
        }
        Ok(())
    }

    /// Returns every file, oldest day first.
    pub(super) fn all(&self) -> Vec<Arc<DayFile>> {
        self.files
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    /// Returns the files that may hold that message.
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

    /// Stops all writing from now on.
    pub(super) fn stop(&self, cause: impl std::error::Error + Send + Sync + 'static) -> WriteError {
        let mut stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let error = stopped.get_or_insert_with(|| {
            tracing::error!(error = %cause, "journal stopped after a failed write");
            WriteError::Stopped(Arc::new(cause))
        });
        error.clone()
    }

    /// Accepts messages again if writing stopped because the disk was full.
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

    /// Deletes the files of a class whose day is earlier than that of `before`, and returns the messages that
    /// were deleted. The day that is being written stays.
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
        // The floor first: if every file is deleted, sequences must not restart.
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
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.retain(|path, _| *path != file.path && *path != text);
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
    origin::replace(directory, "floor", &floor.to_string())
}

/// Moves a file that is no longer a database aside, together with the files beside it. Nothing is deleted: a
/// backup may restore it, or a tool may recover parts of it.
pub(super) fn set_file_aside(path: &Path) -> std::io::Result<PathBuf> {
    let free = |n: u32| {
        let place = PathBuf::from(format!("{}.damaged-{n}", path.display()));
        (!place.exists()).then_some(place)
    };
    let place = (1..).find_map(free).unwrap_or_default();
    for suffix in ["-wal", "-shm", ""] {
        let from = PathBuf::from(format!("{}{suffix}", path.display()));
        match fs::rename(&from, format!("{}{suffix}", place.display())) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(place)
}

// === impl Resume ===

impl Resume {
    fn open(&mut self, directory: &Path, name: Name) -> Result<(DayFile, Connection), OpenError> {
        let (file, connection) = DayFile::open(directory, name)?;
        self.after(&file, &connection)?;
        Ok((file, connection))
    }

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

/// Opens or creates the file of a day and class.
pub(super) fn open_day(days: &Days, name: &Name) -> Result<(Arc<DayFile>, Connection), OpenError> {
    if let Some(file) = days.get(name) {
        let connection = day::open_existing(&file.path)?;
        days.take_room(&file.path, &connection);
        return Ok((file, connection));
    }
    let (file, connection) = DayFile::open(&days.directory, name.clone())?;
    origin::mark(&connection, &days.identity).map_err(|source| OpenError::File {
        path: file.path.clone(),
        source,
    })?;
    let file = Arc::new(file);
    days.take_room(&file.path, &connection);
    days.insert(file.clone());
    Ok((file, connection))
}
