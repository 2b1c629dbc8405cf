//! The progress of each peer, so that the next start continues there.
//!
//! Invariants:
//! - a message is counted after its acknowledgement, so a crash repeats messages and skips none;
//! - the file is replaced atomically; an unreadable file is logged and treated as missing.

use serde::{Deserialize, Serialize};
use simulate::Peer;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The minimum interval between writes of the file; a crash repeats the messages sent in between.
const WRITE_EVERY: Duration = Duration::from_millis(100);

/// The position in the traffic of one seed.
#[derive(Debug)]
pub(super) struct Position {
    path: PathBuf,
    seed: u64,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    saved: Saved,
    written: Option<Instant>,
}

/// The file `demo.json`: for each seed the number of messages that each peer has sent.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Saved {
    seeds: BTreeMap<u64, BTreeMap<String, u64>>,
}

// === impl Position ===

impl Position {
    pub(super) fn open(path: PathBuf, seed: u64) -> Self {
        let saved = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::warn!(%error, "demo.json cannot be read; the traffic starts from the beginning");
                Saved::default()
            }),
            Err(_) => Saved::default(),
        };
        Self {
            path,
            seed,
            inner: Mutex::new(Inner {
                saved,
                written: None,
            }),
        }
    }

    /// Returns the number of acknowledged messages of this peer.
    pub(super) fn of(&self, peer: Peer) -> u64 {
        self.locked(|inner| {
            let sent = inner
                .saved
                .seeds
                .get(&self.seed)
                .and_then(|peers| peers.get(peer.name()));
            sent.copied().unwrap_or(0)
        })
    }

    /// Returns the number of acknowledged messages of all peers.
    pub(super) fn total(&self) -> u64 {
        Peer::ALL.into_iter().map(|peer| self.of(peer)).sum()
    }

    /// Counts one more acknowledged message of this peer.
    pub(super) fn advance(&self, peer: Peer) {
        self.locked(|inner| {
            *inner
                .saved
                .seeds
                .entry(self.seed)
                .or_default()
                .entry(peer.name().to_owned())
                .or_default() += 1;
            if inner.written.is_none_or(|at| WRITE_EVERY <= at.elapsed()) {
                inner.written = Some(Instant::now());
                write(&self.path, &inner.saved);
            }
        });
    }

    /// Writes the file now.
    pub(super) fn save(&self) {
        self.locked(|inner| write(&self.path, &inner.saved));
    }

    fn locked<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        // The counters stay consistent even if a thread panicked between two updates.
        let mut inner = self
            .inner
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        work(&mut inner)
    }
}

fn write(path: &Path, saved: &Saved) {
    let written = serde_json::to_vec(saved)
        .map_err(std::io::Error::other)
        .and_then(|bytes| {
            let beside = path.with_extension("json.new");
            std::fs::write(&beside, bytes)?;
            std::fs::rename(&beside, path)
        });
    if let Err(error) = written {
        tracing::warn!(%error, "demo.json cannot be written; the next start repeats messages");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_start_continues() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("demo.json");
        let first = Position::open(path.clone(), 7);
        first.advance(Peer::Clinic);
        first.advance(Peer::Clinic);
        first.advance(Peer::Pharmacy);
        first.save();
        let second = Position::open(path.clone(), 7);
        assert_eq!(
            (
                second.of(Peer::Clinic),
                second.of(Peer::Pharmacy),
                second.total()
            ),
            (2, 1, 3)
        );
        assert_eq!(
            Position::open(path.clone(), 8).total(),
            0,
            "another seed has its own position"
        );
        std::fs::write(&path, b"{").unwrap();
        assert_eq!(Position::open(path, 7).total(), 0);
    }
}
