//! The maps in use, and how they are replaced without a restart.
//!
//! Invariants:
//! - a message goes through one edition from beginning to end: a worker takes the edition once and
//!   keeps it, and the mark for the applied message names its version;
//! - editions change as a whole: refused maps leave those in use unchanged, and the reasons are
//!   kept for display.

use base::{Clock, SystemClock, Timestamp};
use mapping::MapSet;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// A set of maps.
#[derive(Clone, Debug)]
pub enum Maps {
    /// The built-in maps of Causeway.
    Builtin,
    /// The built-in maps together with the site's own.
    Own(Arc<MapSet>),
}

/// The maps as read at one time.
#[derive(Clone, Debug)]
pub struct Edition {
    maps: Maps,
    /// Version, which changes when a map changes.
    pub version: String,
    /// Time since when this edition is in use.
    pub since: Timestamp,
}

/// A reader of a site's maps.
pub trait ReadMaps: Send + Sync {
    /// Reads the maps on disk, or returns every reason against using them.
    fn read(&self) -> Result<MapSet, MapsRefused>;
}

/// Maps that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the maps are refused, those in use stay: {}", reasons.join("; "))]
pub struct MapsRefused {
    /// Reasons, each with file, line, cause and remedy where known.
    pub reasons: Vec<String>,
}

/// The result of reading the maps again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// Version in use before.
    pub before: String,
    /// The version in use now.
    pub after: String,
}

/// A request to reload the maps and its result.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Time of the request.
    pub at: Timestamp,
    /// User who asked.
    pub by: String,
    /// Result of the request.
    pub outcome: Result<Reloaded, MapsRefused>,
}

/// The maps in use. Clones share them.
#[derive(Clone)]
pub struct LiveMaps(Arc<Inner>);

struct Inner {
    current: RwLock<Arc<Edition>>,
    reader: Option<Box<dyn ReadMaps>>,
    /// Locked during a reload, so that the later of two requests wins.
    last: Mutex<Option<Attempt>>,
}

// === impl Maps ===

impl Maps {
    fn get(&self) -> &MapSet {
        match self {
            Self::Builtin => MapSet::builtin(),
            Self::Own(own) => own,
        }
    }
}

// === impl Edition ===

impl Edition {
    fn new(maps: Maps, since: Timestamp) -> Self {
        let version = maps.get().version();
        Self {
            maps,
            version,
            since,
        }
    }
}

impl Deref for Edition {
    type Target = MapSet;

    fn deref(&self) -> &MapSet {
        self.maps.get()
    }
}

// === impl Reloaded ===

impl Reloaded {
    /// Returns true if the maps changed.
    pub fn is_change(&self) -> bool {
        self.before != self.after
    }
}

// === impl LiveMaps ===

impl LiveMaps {
    /// Creates live maps that `reader` reloads; without a reader they never change.
    pub fn new(maps: Maps, since: Timestamp, reader: Option<Box<dyn ReadMaps>>) -> Self {
        Self(Arc::new(Inner {
            current: RwLock::new(Arc::new(Edition::new(maps, since))),
            reader,
            last: Mutex::default(),
        }))
    }

    /// Returns the edition in use.
    pub fn current(&self) -> Arc<Edition> {
        let current = self.0.current.read();
        Arc::clone(&current.unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns true if the maps can be reloaded: the site has maps of its own.
    pub fn can_reload(&self) -> bool {
        self.0.reader.is_some()
    }

    /// Returns the last request to reload.
    pub fn last(&self) -> Option<Attempt> {
        self.attempts().clone()
    }

    /// Reloads the maps and uses them unless there is a reason against it. Messages already in
    /// progress finish under the maps with which they began. Reads files; do not call it on an
    /// async task's thread.
    pub fn reload(&self, by: &str, now: Timestamp) -> Result<Reloaded, MapsRefused> {
        let mut last = self.attempts();
        let outcome = self.exchange(now);
        match &outcome {
            Ok(done) if done.is_change() => {
                tracing::info!(
                    by,
                    before = done.before,
                    version = done.after,
                    "maps reloaded"
                );
            }
            Ok(done) => tracing::info!(by, version = done.after, "maps reloaded, unchanged"),
            Err(refused) => {
                for reason in &refused.reasons {
                    tracing::error!(by, reason, "maps refused, those in use stay");
                }
            }
        }
        *last = Some(Attempt {
            at: now,
            by: by.to_owned(),
            outcome: outcome.clone(),
        });
        outcome
    }

    fn exchange(&self, now: Timestamp) -> Result<Reloaded, MapsRefused> {
        let Some(reader) = &self.0.reader else {
            let reason = "there is nothing to read again: the configuration names no [maps] folder, \
                          and the built-in maps change with the program";
            return Err(MapsRefused {
                reasons: vec![reason.to_owned()],
            });
        };
        let next = Edition::new(Maps::Own(Arc::new(reader.read()?)), now);
        let before = self.current().version.clone();
        let after = next.version.clone();
        if before != after {
            let current = self.0.current.write();
            *current.unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        }
        Ok(Reloaded { before, after })
    }

    fn attempts(&self) -> MutexGuard<'_, Option<Attempt>> {
        self.0.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Maps> for LiveMaps {
    fn from(maps: Maps) -> Self {
        Self::new(maps, SystemClock.now(), None)
    }
}

impl fmt::Debug for LiveMaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveMaps")
            .field("version", &self.current().version)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex as Held;

    struct Folder(Arc<Held<Result<&'static str, &'static str>>>);

    impl ReadMaps for Folder {
        fn read(&self) -> Result<MapSet, MapsRefused> {
            let text = self.0.lock().unwrap().map_err(|reason| MapsRefused {
                reasons: vec![reason.to_owned()],
            })?;
            Ok(MapSet::with([("own.map", text)]).unwrap())
        }
    }

    #[test]
    fn maps_change_as_a_whole_or_not_at_all() {
        let folder = Arc::new(Held::new(Ok("dialect a extends v2\n")));
        let first = MapSet::with([("own.map", "dialect a extends v2\n")]).unwrap();
        let live = LiveMaps::new(
            Maps::Own(Arc::new(first)),
            Timestamp::from_micros(0),
            Some(Box::new(Folder(Arc::clone(&folder)))),
        );
        let began = live.current();
        let at = Timestamp::from_micros(7);
        assert!(!live.reload("admin", at).unwrap().is_change());
        assert_eq!(live.current().since, Timestamp::from_micros(0));

        *folder.lock().unwrap() = Err("own.map:1: no such element");
        let refused = live.reload("admin", at).unwrap_err();
        assert_eq!(refused.reasons, ["own.map:1: no such element"]);
        assert_eq!(live.current().version, began.version);
        assert_eq!(live.last().unwrap().outcome.unwrap_err(), refused);

        *folder.lock().unwrap() = Ok("dialect b extends v2\n");
        let done = live.reload("SIGHUP", at).unwrap();
        assert_eq!(done.before, began.version);
        assert_eq!(live.current().version, done.after);
        assert_eq!(live.last().unwrap().by, "SIGHUP");
        // Work that began under the first edition ends under it.
        assert_eq!(began.dialects().collect::<Vec<_>>(), ["a"]);
        assert_eq!(live.current().dialects().collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn built_in_maps_say_why_they_stay() {
        let live = LiveMaps::from(Maps::Builtin);
        let refused = live.reload("admin", Timestamp::from_micros(0)).unwrap_err();
        assert!(refused.to_string().contains("[maps] folder"), "{refused}");
        assert!(!live.can_reload());
    }
}
