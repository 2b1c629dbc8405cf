//! Takes the disk space that SQLite's write-ahead log needs beside the log itself.
//!
//! Beside each database in WAL mode is a file that all connections map into memory (`-shm`). SQLite extends
//! it by writing its last bytes. On a file system whose blocks are smaller than a memory page (1 kB on small
//! ext4 disks) the rest of the page has no block yet, and on a full disk the first write to it kills the
//! process (SIGBUS). So the blocks are allocated while there is space.

use rusqlite::Connection;
use rustix::fs::SeekFrom;
use std::cell::Cell;
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Bytes of the file that index 4,096 pages of the log.
const PER_REGION: u64 = 32 << 10;
/// Blocks smaller than this leave holes in the mapped memory.
const PAGE_OF_MEMORY: u64 = 4096;

thread_local! {
    /// Pages in the log after this thread's last commit.
    static PAGES: Cell<u64> = const { Cell::new(0) };
}

/// The allocated space of one database's shared file. It must live as long as the process has a connection to
/// that database: closing any handle to a file releases the locks that SQLite holds on it (`fcntl(2)`).
#[derive(Debug)]
pub(crate) struct Room {
    shared: Option<File>,
}

// === impl Room ===

impl Room {
    /// Allocates space for a log of `n_regions` times 16 MB. If the file system does not support this,
    /// nothing changes.
    pub(crate) fn take(database: &Path, conn: &Connection, n_regions: u64) -> Self {
        // The file exists once a query has read the database.
        let looked = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| {
            row.get::<_, i64>(0)
        });
        let shared = looked.ok().and_then(|_| {
            let path = shared_file(database);
            File::options().read(true).write(true).open(path).ok()
        });
        if let Some(shared) = &shared
            && let Err(error) = fill(shared, n_regions * PER_REGION)
        {
            tracing::debug!(%error, "no room could be taken beside the write-ahead log");
        }
        Self { shared }
    }
}

impl Room {
    /// Returns true while the file at that path is still the same one: the last connection may delete it.
    pub(crate) fn is_of(&self, database: &Path) -> bool {
        let now = std::fs::metadata(shared_file(database));
        let own = self.shared.as_ref().map(File::metadata);
        matches!((now, own), (Ok(now), Some(Ok(own))) if now.ino() == own.ino())
    }
}

/// Writes zeros where the file has no blocks yet, and up to that length. Allocated blocks may be in use;
/// holes belong to pages of the log that are yet to come, which only this thread adds. Reserved blocks alone
/// (`fallocate(2)`) are not enough: ext4 may need another block to initialize them.
fn fill(file: &File, until: u64) -> std::io::Result<()> {
    let size = file.metadata()?.len();
    let mut at = 0;
    while at < size {
        let hole = rustix::fs::seek(file, SeekFrom::Hole(at))?;
        let data = rustix::fs::seek(file, SeekFrom::Data(hole)).unwrap_or(size);
        zeros(file, hole, data.min(size))?;
        at = data.max(hole + 1);
    }
    zeros(file, size, until)
}

fn zeros(file: &File, from: u64, until: u64) -> std::io::Result<()> {
    const ZEROS: [u8; 4096] = [0; 4096];
    let mut at = from;
    while at < until {
        let n = (until - at).min(ZEROS.len() as u64) as usize;
        file.write_all_at(ZEROS.get(..n).unwrap_or_default(), at)?;
        at += n as u64;
    }
    Ok(())
}

fn shared_file(database: &Path) -> PathBuf {
    PathBuf::from(format!("{}-shm", database.display()))
}

/// Counts the pages of this connection's log after each commit. Automatic checkpoints must be off: this hook
/// replaces theirs.
pub(crate) fn watch(conn: &Connection) {
    conn.wal_hook(Some(|_, n_pages| {
        PAGES.set(u64::try_from(n_pages).unwrap_or(0));
        Ok(())
    }));
}

/// Returns the size in bytes of the log that this thread committed to last.
pub(crate) fn logged() -> u64 {
    PAGES.get() * 4096
}

/// Checks that a connection which may be the first to its file can be opened: on a full disk with small
/// blocks this is refused, where the process would otherwise be killed. The system keeps part of the reported
/// free space for others, so the check tries a write.
pub(crate) fn may_open(database: &Path) -> rusqlite::Result<()> {
    let has_small_blocks =
        rustix::fs::statvfs(database).is_ok_and(|disk| disk.f_frsize < PAGE_OF_MEMORY);
    if !has_small_blocks {
        return Ok(());
    }
    let probe = PathBuf::from(format!("{}-room", database.display()));
    let tried = File::create(&probe).and_then(|file| zeros(&file, 0, PER_REGION * 2));
    // The space that it took is free again for the next connection.
    let _ = std::fs::remove_file(&probe);
    tried.map_err(|_| {
        rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL),
            Some("the disk is too full to open another database".to_owned()),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_has_blocks_and_the_log_still_reads() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.db");
        let conn = Connection::open(&path).unwrap();
        conn.query_row("PRAGMA journal_mode=WAL", [], |_| Ok(()))
            .unwrap();
        conn.query_row("PRAGMA wal_autocheckpoint=0", [], |_| Ok(()))
            .unwrap();
        watch(&conn);
        conn.execute_batch("CREATE TABLE t(x); INSERT INTO t VALUES(1);")
            .unwrap();
        let before = logged();
        assert!(0 < before);
        let room = Room::take(&path, &conn, 4);
        let shared = std::fs::metadata(shared_file(&path)).unwrap();
        assert_eq!(shared.len(), 4 * PER_REGION);
        assert!(4 * PER_REGION <= shared.blocks() * 512, "it has holes");
        assert!(room.is_of(&path));
        for n in 0..200 {
            conn.execute("INSERT INTO t VALUES(?1)", [n]).unwrap();
        }
        assert!(before < logged());
        let reader = Connection::open(&path).unwrap();
        let count = "SELECT count(*) FROM t";
        let n: i64 = reader.query_row(count, [], |row| row.get(0)).unwrap();
        assert_eq!(n, 201);
    }
}
