//! The configuration file: TOML, with every default chosen for a small clinic.
//!
//! A mistake is reported with file, line, reason and remedy; `check` and `serve` report the same ones.

use crate::heads::SyslogAddress;
use flow::{EngineConfig, FlowConfig, SourceConfig};
use serde::Deserialize;
use server::BundleLimits;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// A site's configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The data directory, relative to the configuration file.
    pub(crate) data_dir: PathBuf,
    /// True if the chart holds real patients.
    #[serde(default = "yes")]
    pub(crate) production: bool,
    #[serde(default)]
    pub(crate) http: Http,
    #[serde(default)]
    pub(crate) log: Log,
    #[serde(default)]
    pub(crate) journal: JournalSettings,
    #[serde(default)]
    pub(crate) audit: AuditSettings,
    #[serde(default)]
    pub(crate) maps: Maps,
    #[serde(default)]
    pub(crate) engine: Engine,
    #[serde(default, rename = "flow")]
    pub(crate) flows: Vec<FlowConfig>,
}

/// `[http]`: the console, the FHIR API and the metrics.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Http {
    pub(crate) listen: SocketAddr,
    /// The maximum number of entries in a batch or transaction; larger ones are refused.
    pub(crate) max_bundle_entries: usize,
    /// The maximum total size of the responses to the GET entries of a bundle.
    pub(crate) max_bundle_answer_mb: usize,
}

/// `[log]`: structured logs without PHI.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    pub(crate) level: LogLevel,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    #[default]
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
}

/// `[journal]`: duplicate detection and the text index.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct JournalSettings {
    /// The window within which a repeated message gets its stored acknowledgement again.
    pub(crate) repeats_window_seconds: u64,
    /// True if messages can be found by words in their raw text.
    pub(crate) text_index: bool,
}

/// `[audit]`: the reserve for a full disk, and the destinations of the chain's heads.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AuditSettings {
    /// The space reserved so that reads continue on a full disk; a quarter of it is for emergencies.
    pub(crate) reserve_mb: u64,
    /// A file that signed heads are appended to; relative to the configuration file.
    pub(crate) heads_file: Option<PathBuf>,
    /// A syslog server that signed heads are sent to: `udp://`, `tcp://` or `unix:`.
    pub(crate) heads_syslog: Option<SyslogAddress>,
    /// The interval between heads.
    pub(crate) heads_every_seconds: u64,
}

/// `[maps]`: the site's own maps on top of the built-in ones.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Maps {
    /// A folder of `.map` files; relative to the configuration file.
    pub(crate) folder: Option<PathBuf>,
}

/// `[engine]`: the limits on concurrent work.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Engine {
    pub(crate) workers: Option<usize>,
    pub(crate) max_waiting: Option<usize>,
}

/// A mistake in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) file: PathBuf,
    /// The line number, counted from 1.
    pub(crate) line: Option<usize>,
    pub(crate) reason: String,
    pub(crate) remedy: String,
}

// === impl Config ===

impl Config {
    /// Reads the file and returns every mistake found, not only the first.
    pub(crate) fn read(path: &Path) -> Result<Self, Vec<Mistake>> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            vec![Mistake {
                file: path.to_owned(),
                line: None,
                reason: format!("could not be read: {error}"),
                remedy: "Give the configuration with -c FILE; examples/ has a commented one."
                    .to_owned(),
            }]
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let config = Self::parse(&text, path, folder)?;
        match &config.maps.folder {
            Some(maps) if !maps.is_dir() => Err(vec![Mistake {
                file: path.to_owned(),
                line: line_of_setting(&text, "maps", "folder"),
                reason: format!("`maps.folder`: there is no folder `{}`", maps.display()),
                remedy: "Name a folder of .map files, relative to this file, or leave out [maps]."
                    .to_owned(),
            }]),
            _ => Ok(config),
        }
    }

    fn parse(text: &str, file: &Path, folder: &Path) -> Result<Self, Vec<Mistake>> {
        let mut config: Self = toml::from_str(text).map_err(|error| {
            vec![Mistake {
                file: file.to_owned(),
                line: error.span().map(|span| line_of(text, span.start)),
                reason: error.message().to_owned(),
                remedy: if error.message().contains("socket address") {
                    "Write address and port, such as \"127.0.0.1:2575\".".to_owned()
                } else {
                    "docs/reference/configuration.md lists every key.".to_owned()
                },
            }]
        })?;
        config.data_dir = folder.join(&config.data_dir);
        config.maps.folder = config.maps.folder.map(|maps| folder.join(maps));
        config.audit.heads_file = config.audit.heads_file.map(|file| folder.join(file));
        let mut mistakes = Vec::new();
        if config.flows.is_empty() {
            mistakes.push(Mistake {
                file: file.to_owned(),
                line: None,
                reason: "no flow is configured, so no message can be received".to_owned(),
                remedy: "Add a `[[flow]]` with a name and a source.".to_owned(),
            });
        }
        for problem in flow::topology::check(&config.engine_config()) {
            mistakes.push(Mistake {
                file: file.to_owned(),
                line: line_of_key(text, &problem.at),
                reason: format!("`{}`: {}", problem.at, problem.reason),
                remedy: problem.remedy,
            });
        }
        mistakes.extend(config.http_conflict(text, file));
        mistakes.extend(config.audit.mistake(text, file));
        if mistakes.is_empty() {
            Ok(config)
        } else {
            Err(mistakes)
        }
    }

    /// Returns the mistake of a flow that would listen on the address of the console and FHIR API.
    fn http_conflict(&self, text: &str, file: &Path) -> Option<Mistake> {
        let taken = self.flows.iter().find(|flow| {
            let SourceConfig::Mllp(mllp) = &flow.source;
            mllp.listen.port() != 0 && mllp.listen == self.http.listen
        })?;
        let key = format!("flow.{}.source.mllp.listen", taken.name);
        Some(Mistake {
            file: file.to_owned(),
            line: line_of_key(text, &key),
            reason: format!("`{key}`: HTTP listens here"),
            remedy: "Choose another port, here or in [http].".to_owned(),
        })
    }

    /// Returns the flow of that name, or the only flow if no name is given.
    pub(crate) fn flow(&self, name: Option<&str>) -> Result<&FlowConfig, String> {
        let names = || {
            let names: Vec<&str> = self.flows.iter().map(|flow| flow.name.as_str()).collect();
            names.join(", ")
        };
        match (name, self.flows.as_slice()) {
            (Some(name), flows) => flows.iter().find(|flow| flow.name == name).ok_or_else(|| {
                format!(
                    "there is no flow `{name}` in the configuration; the flows are {}",
                    names()
                )
            }),
            (None, [only]) => Ok(only),
            (None, _) => Err(format!(
                "the configuration has more than one flow; choose one with --flow: {}",
                names()
            )),
        }
    }

    /// Returns the engine's configuration.
    pub(crate) fn engine_config(&self) -> EngineConfig {
        let mut engine = EngineConfig::new(self.flows.clone());
        engine.production = self.production;
        if let Some(workers) = self.engine.workers {
            engine.workers = workers.max(1);
        }
        if let Some(max_waiting) = self.engine.max_waiting {
            engine.max_waiting = max_waiting.max(1);
        }
        engine
    }
}

impl AuditSettings {
    fn mistake(&self, text: &str, file: &Path) -> Option<Mistake> {
        let (key, reason, remedy) = if !(1..=65_536).contains(&self.reserve_mb) {
            (
                "reserve_mb",
                "`audit.reserve_mb` is not between 1 and 65536",
                "32 is enough for some 80,000 reads.",
            )
        } else if self.heads_every_seconds == 0 {
            (
                "heads_every_seconds",
                "`audit.heads_every_seconds` is 0",
                "3600 is once an hour.",
            )
        } else {
            return None;
        };
        Some(Mistake {
            file: file.to_owned(),
            line: line_of_setting(text, "audit", key),
            reason: reason.to_owned(),
            remedy: remedy.to_owned(),
        })
    }
}

impl Default for JournalSettings {
    fn default() -> Self {
        Self {
            repeats_window_seconds: 86_400,
            text_index: true,
        }
    }
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self {
            reserve_mb: 32,
            heads_file: None,
            heads_syslog: None,
            heads_every_seconds: 3600,
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        let bundles = BundleLimits::default();
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            max_bundle_entries: bundles.max_entries,
            max_bundle_answer_mb: bundles.max_answer_bytes >> 20,
        }
    }
}

// === impl Http ===

impl Http {
    pub(crate) fn bundles(&self) -> BundleLimits {
        BundleLimits {
            max_entries: self.max_bundle_entries,
            max_answer_bytes: self.max_bundle_answer_mb << 20,
        }
    }
}

// === impl LogLevel ===

impl LogLevel {
    /// Returns the level's name in the log filter.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": error: {}\n  {}", self.reason, self.remedy)
    }
}

fn yes() -> bool {
    true
}

fn line_of(text: &str, at: usize) -> usize {
    text.get(..at)
        .unwrap_or(text)
        .bytes()
        .filter(|&b| b == b'\n')
        .count()
        + 1
}

/// Returns the line of a key in a top-level table, such as `[audit] reserve_mb`.
fn line_of_setting(text: &str, table: &str, key: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let table = document.get_ref().get(table)?.get_ref().as_table()?;
    let (key, _) = table.get_key_value(key)?;
    Some(line_of(text, key.span().start))
}

/// Returns the line of a key such as `flow.adt.source.mllp.listen`, where `adt` is the flow's name,
/// or of the deepest part of the key that the file contains.
fn line_of_key(text: &str, key: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut parts = key.split('.');
    if parts.next() != Some("flow") {
        return None;
    }
    let name = parts.next()?;
    let flows = document.get_ref().get("flow")?.get_ref().as_array()?;
    // If two flows have the same name, the second is the mistake.
    let named = |flow: &DeValue<'_>| {
        flow.as_table()?
            .get("name")
            .map(|value| value.get_ref().as_str() == Some(name))
    };
    let flow = flows
        .iter()
        .rev()
        .find(|flow| named(flow.get_ref()) == Some(true))?;
    let mut at = flow.span().start;
    let mut table = flow.get_ref().as_table();
    for part in parts {
        let Some((key, value)) = table.and_then(|table| table.get_key_value(part)) else {
            break;
        };
        at = key.span().start;
        table = value.get_ref().as_table();
    }
    Some(line_of(text, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, Vec<Mistake>> {
        Config::parse(text, Path::new("causeway.toml"), Path::new("/srv"))
    }

    const SMALL: &str = "data_dir = \"data\"\n[[flow]]\nname = \"adt\"\n[flow.source.mllp]\nlisten = \"127.0.0.1:2575\"\n";

    #[test]
    fn the_smallest_configuration() {
        let config = parse(SMALL).unwrap();
        assert_eq!(config.data_dir, Path::new("/srv/data"));
        assert!(config.http.listen.ip().is_loopback());
        assert!(config.production);
    }

    #[test]
    fn each_mistake_has_its_line_and_remedy() {
        for (text, line, reason) in [
            (
                "data_dir = \"d\"\nfoo = 1\n".to_owned(),
                Some(2),
                "unknown field",
            ),
            ("data_dir = \"d\n".to_owned(), Some(1), ""),
            ("data_dir = \"d\"\n".to_owned(), None, "no flow"),
            (
                format!("{SMALL}\n[flow.map]\nzone = \"Mars/Base\"\n"),
                Some(8),
                "no such time zone",
            ),
            (
                SMALL.replace(
                    "name = \"adt\"",
                    "name = \"adt\"\nprocessing_ids = [\"P\", \"T\"]",
                ),
                Some(4),
                "never reach a production chart",
            ),
            (
                SMALL.replace("listen = \"127.0.0.1:2575\"", "listen = \"somewhere\""),
                Some(5),
                "invalid socket address",
            ),
            (
                format!("{SMALL}[http]\nlisten = \"127.0.0.1:2575\"\n"),
                Some(5),
                "HTTP listens here",
            ),
            (
                format!("{SMALL}[audit]\nreserve_mb = 0\n"),
                Some(7),
                "not between",
            ),
        ] {
            let mistakes = parse(&text).unwrap_err();
            assert_eq!(mistakes[0].line, line, "{text}\n{mistakes:?}");
            assert!(mistakes[0].reason.contains(reason), "{mistakes:?}");
            assert!(!mistakes[0].remedy.is_empty());
        }
    }

    #[test]
    fn a_missing_folder_of_maps_is_reported_with_its_line() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("causeway.toml");
        let text = format!("{SMALL}[maps]\nfolder = \"maps\"\n");
        std::fs::write(&file, &text).unwrap();
        let mistakes = Config::read(&file).unwrap_err();
        assert_eq!(mistakes[0].line, Some(7), "{mistakes:?}");
        assert!(mistakes[0].reason.contains("no folder"), "{mistakes:?}");
        std::fs::create_dir(directory.path().join("maps")).unwrap();
        assert!(Config::read(&file).is_ok());
    }
}
