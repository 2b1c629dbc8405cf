//! Disk usage of the data directory.

use super::super::markup::thousands;
use std::fs;
use std::path::Path;
use web::App;

/// The data directory by its parts.
pub(super) struct Storage {
    /// The name, description and size of each part.
    pub(super) parts: Vec<(&'static str, &'static str, String)>,
    pub(super) total: String,
    /// The free space and the total; none if the system does not report them.
    pub(super) free: Option<(String, String)>,
    /// The days in the journal, in order; empty before the first message.
    pub(super) days: Vec<String>,
    /// The format version of the data directory.
    pub(super) format: String,
}

/// The depth limit; none of our files are deeper.
const MAX_DEPTH: usize = 4;

// === impl Storage ===

impl Storage {
    /// Reads the usage. Blocks, so async code must not call it on its own thread. Unreadable files
    /// count as empty: the page is a guide, not an audit.
    pub(super) fn take(app: &App) -> Self {
        let data = app.data.as_path();
        let beginning = |prefix: &str| {
            let files = entries(data).into_iter();
            files
                .filter(|(name, _)| name.starts_with(prefix))
                .map(|(_, bytes)| bytes)
                .sum::<u64>()
        };
        let audit = data.join("audit");
        let reserve = size_of(&audit.join("reserve"), MAX_DEPTH);
        let parts = [
            (
                "Chart",
                "resources, versions, search",
                beginning("chart.db"),
            ),
            (
                "Journal",
                "every message as received",
                size_of(&data.join("journal"), MAX_DEPTH),
            ),
            (
                "Queues",
                "states, attempts, counts by minute",
                beginning("flow.db"),
            ),
            (
                "Audit log",
                "who saw what, and its index",
                size_of(&audit, MAX_DEPTH).saturating_sub(reserve),
            ),
            (
                "Audit reserve",
                "kept free for reads when the disk is full",
                reserve,
            ),
        ];
        let named =
            |(name, about, bytes): (&'static str, &'static str, u64)| (name, about, size(bytes));
        Self {
            parts: parts.into_iter().map(named).collect(),
            total: size(size_of(data, MAX_DEPTH)),
            free: free(data),
            days: days(&data.join("journal")),
            format: fs::read_to_string(data.join("format"))
                .map_or("not known".to_owned(), |text| text.trim().to_owned()),
        }
    }
}

/// Formats a size: `12 kB`, `3.4 MB`, `1,204 MB`, `49 GB`.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", thousands(bytes.div_ceil(1000))),
        1_000_000..10_000_000 => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
        10_000_000..10_000_000_000 => format!("{} MB", thousands(bytes / 1_000_000)),
        _ => format!("{} GB", thousands(bytes / 1_000_000_000)),
    }
}

fn entries(folder: &Path) -> Vec<(String, u64)> {
    let Ok(found) = fs::read_dir(folder) else {
        return Vec::new();
    };
    found
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let bytes = entry.metadata().map_or(0, |metadata| metadata.len());
            Some((entry.file_name().into_string().ok()?, bytes))
        })
        .collect()
}

fn size_of(path: &Path, depth: usize) -> u64 {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() && 0 < depth => entries(path)
            .into_iter()
            .map(|(name, _)| size_of(&path.join(name), depth - 1))
            .sum(),
        Ok(metadata) if metadata.is_file() => metadata.len(),
        Ok(_) | Err(_) => 0,
    }
}

/// Returns the days of files such as `2026-11-26.messages.db`, without repeats.
fn days(journal: &Path) -> Vec<String> {
    let mut days: Vec<String> = entries(journal)
        .into_iter()
        .filter(|(name, _)| Path::new(name).extension().is_some_and(|end| end == "db"))
        .filter_map(|(name, _)| name.get(..10).map(str::to_owned))
        .collect();
    days.sort();
    days.dedup();
    days
}

fn free(data: &Path) -> Option<(String, String)> {
    let disk = rustix::fs::statvfs(data).ok()?;
    let bytes = |blocks: u64| size(blocks.saturating_mul(disk.f_frsize));
    Some((bytes(disk.f_bavail), bytes(disk.f_blocks)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_days() {
        for (bytes, text) in [
            (0, "0 kB"),
            (1, "1 kB"),
            (999_999, "1,000 kB"),
            (3_450_000, "3.4 MB"),
            (1_204_000_000, "1,204 MB"),
            (49_183_000_000, "49 GB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "2026-11-27.messages.db",
            "2026-11-26.default.db",
            "2026-11-26.messages.db",
            "lock",
        ] {
            fs::write(folder.path().join(name), "12345").unwrap();
        }
        assert_eq!(days(folder.path()), ["2026-11-26", "2026-11-27"]);
        assert_eq!(size_of(folder.path(), MAX_DEPTH), 20);
        assert_eq!(size_of(&folder.path().join("none"), MAX_DEPTH), 0);
        let (free, whole) = free(folder.path()).unwrap();
        assert!(
            free.ends_with('B') && whole.ends_with('B'),
            "{free} of {whole}"
        );
    }
}
