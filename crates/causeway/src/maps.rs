//! The maps that a command uses: the built-in ones with a site's own maps on top.

use crate::config::Config;
use crate::failure::Failure;
use base::{Clock, SystemClock};
use flow::{FlowConfig, LiveMaps, Maps, MapsRefused, ReadMaps};
use mapping::{Diagnostic, MapSet, Trial};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The location of a site's maps and the flows that use them, read at the start and on each reload.
pub(crate) struct SiteMaps {
    folder: Option<PathBuf>,
    flows: Vec<FlowConfig>,
}

/// A site's maps with every finding that needs no message.
pub(crate) struct Inspected {
    /// The maps, without the parts that could not be parsed.
    pub(crate) maps: MapSet,
    /// The errors that make the maps unusable.
    pub(crate) errors: Vec<Diagnostic>,
    /// The warnings, without those of the built-in maps alone, which a site cannot fix.
    pub(crate) warnings: Vec<Diagnostic>,
    /// The names of the site's own files.
    own: HashSet<String>,
}

// === impl SiteMaps ===

impl SiteMaps {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            folder: config.maps.folder.clone(),
            flows: config.flows.clone(),
        }
    }

    /// Returns the maps to start with. A failing test does not keep a hospital's messages out: it is
    /// logged. `check` and a later reload refuse it.
    pub(crate) fn at_start(&self) -> Result<MapSet, Failure> {
        let inspected = Inspected::read(self.folder.as_deref())?;
        if !inspected.errors.is_empty() {
            return Err(refused(&inspected.errors));
        }
        let missing = missing_dialects(&self.flows, &inspected.maps);
        if !missing.is_empty() {
            return Err(Failure::failed(missing.join("\n")));
        }
        if self.folder.is_some() {
            for failure in inspected.failures() {
                tracing::warn!(failure, "a test in the map files fails");
            }
        }
        Ok(inspected.maps)
    }

    /// Puts these maps into use; they can be reloaded if the site has maps of its own.
    pub(crate) fn live(self, maps: MapSet) -> LiveMaps {
        let reader: Option<Box<dyn ReadMaps>> = match self.folder {
            Some(_) => Some(Box::new(self)),
            None => None,
        };
        LiveMaps::new(Maps::Own(Arc::new(maps)), SystemClock.now(), reader)
    }
}

impl ReadMaps for SiteMaps {
    /// Reads the maps again. Every error of `causeway check` is an error here.
    fn read(&self) -> Result<MapSet, MapsRefused> {
        let inspected = Inspected::read(self.folder.as_deref()).map_err(|failure| MapsRefused {
            reasons: vec![failure.to_string()],
        })?;
        let mut reasons: Vec<String> = inspected.errors.iter().map(ToString::to_string).collect();
        reasons.extend(missing_dialects(&self.flows, &inspected.maps));
        if reasons.is_empty() {
            reasons = inspected.failures();
        }
        if reasons.is_empty() {
            Ok(inspected.maps)
        } else {
            Err(MapsRefused { reasons })
        }
    }
}

// === impl Inspected ===

impl Inspected {
    /// Reads the built-in maps with a site's own on top.
    pub(crate) fn read(own: Option<&Path>) -> Result<Self, Failure> {
        let files = match own {
            Some(path) => read(path)?,
            None => Vec::new(),
        };
        let own = files
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()));
        let builtin = MapSet::builtin_files().iter().copied();
        let (maps, found) = read_and_check(builtin.clone().chain(own));
        let (errors, mut warnings): (Vec<_>, Vec<_>) =
            found.into_iter().partition(Diagnostic::is_error);
        let (_, builtin_findings) = read_and_check(builtin);
        warnings.retain(|found| !builtin_findings.contains(found));
        Ok(Self {
            maps,
            errors,
            warnings,
            own: files.into_iter().map(|(name, _)| name).collect(),
        })
    }

    /// Runs the tests in the map files, including those of the built-in maps, whose results a site's
    /// rows may change.
    pub(crate) fn run_tests(&self) -> Vec<Trial> {
        self.maps.run_tests()
    }

    /// Returns each failing test: file, line, name and reason.
    fn failures(&self) -> Vec<String> {
        let trials = self.run_tests().into_iter();
        let describe = |trial: Trial| {
            let of = move |(spot, why): &(mapping::Spot, String)| {
                format!(
                    "{}:{}: test \"{}\": {why}",
                    trial.file, spot.line, trial.name
                )
            };
            trial.failures.iter().map(of).collect::<Vec<_>>()
        };
        trials.flat_map(describe).collect()
    }

    /// Returns true if this test is in one of the site's files.
    pub(crate) fn is_own(&self, trial: &Trial) -> bool {
        self.own.contains(&*trial.file)
    }
}

fn read_and_check<'f>(
    files: impl Iterator<Item = (&'f str, &'f str)>,
) -> (MapSet, Vec<Diagnostic>) {
    let (maps, mut found) = MapSet::read(files);
    let doubts = maps.check();
    found.extend(
        doubts
            .into_iter()
            .filter(|doubt| !found.contains(doubt))
            .collect::<Vec<_>>(),
    );
    (maps, found)
}

/// Returns an error with its remedy for each flow that names a dialect which these maps lack.
pub(crate) fn missing_dialects(flows: &[FlowConfig], maps: &MapSet) -> Vec<String> {
    let known: Vec<&str> = {
        let mut names: Vec<&str> = maps.dialects().collect();
        names.sort_unstable();
        names
    };
    let there_are = match known.as_slice() {
        [] => "the maps have none".to_owned(),
        known => format!("the maps have {}", known.join(", ")),
    };
    flows
        .iter()
        .filter_map(|flow| Some((flow, flow.map.dialect.as_deref()?)))
        .filter(|(_, dialect)| !known.contains(dialect))
        .map(|(flow, dialect)| {
            format!(
                "flow `{}`: there is no dialect `{dialect}` ({there_are}); name one of them, or put its file into [maps] folder",
                flow.name
            )
        })
        .collect()
}

/// Loads the built-in maps with the `.map` files of a folder (or one file) on top. An invalid map is
/// refused with file, line, reason and remedy.
pub(crate) fn load(own: Option<&Path>) -> Result<MapSet, Failure> {
    let files = match own {
        Some(path) => read(path)?,
        None => Vec::new(),
    };
    let named = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()));
    MapSet::with(named).map_err(|found| refused(&found))
}

fn refused(found: &[Diagnostic]) -> Failure {
    let lines: Vec<String> = found
        .iter()
        .filter(|one| one.is_error())
        .map(ToString::to_string)
        .collect();
    Failure::failed(format!("the maps are refused\n{}", lines.join("\n")))
}

fn read(path: &Path) -> Result<Vec<(String, String)>, Failure> {
    let fail = |path: &Path, error: std::io::Error| {
        Failure::failed(format!(
            "could not read the maps at `{}`: {error}",
            path.display()
        ))
    };
    let mut paths = Vec::new();
    if path.is_dir() {
        for entry in std::fs::read_dir(path).map_err(|error| fail(path, error))? {
            let entry = entry.map_err(|error| fail(path, error))?.path();
            if entry.extension().is_some_and(|ending| ending == "map") {
                paths.push(entry);
            }
        }
        paths.sort();
    } else {
        paths.push(path.to_owned());
    }
    paths
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).map_err(|error| fail(&path, error))?;
            Ok((path.display().to_string(), text))
        })
        .collect()
}
