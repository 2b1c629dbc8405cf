//! A separate site for each test: configuration, data directory, running server.

use crate::process::{Running, stdout_of};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub struct Site {
    pub folder: tempfile::TempDir,
    pub running: Option<Running>,
}

/// The smallest configuration with free ports.
pub const SMALL: &str = "data_dir = \"data\"\n[http]\nlisten = \"127.0.0.1:0\"\n[log]\nlevel = \"error\"\n\
    [[flow]]\nname = \"adt\"\nacknowledge = \"mapped\"\n[flow.source.mllp]\nlisten = \"127.0.0.1:0\"\n";

impl Site {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("causeway.toml"), SMALL).unwrap();
        Self::start_in(folder)
    }

    /// Starts the server of the configuration that the folder holds.
    pub fn start_in(folder: tempfile::TempDir) -> Self {
        let mut site = Self {
            folder,
            running: None,
        };
        site.restart();
        site
    }

    pub fn restart(&mut self) {
        let config = self.config().display().to_string();
        self.running = Some(Running::start(&["serve", "-c", &config]));
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("causeway.toml")
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    /// Returns the address of the first MLLP listener.
    pub fn mllp(&self) -> &str {
        let mut addresses = self.running().addresses.iter();
        &addresses
            .find(|(_, url)| url.starts_with("mllp://"))
            .unwrap()
            .1
    }

    /// Sends `GET` under `/fhir` with a token for everything.
    pub fn get(&self, path: &str) -> Value {
        let token = stdout_of(&["token", "--data", &self.data().display().to_string()]);
        let url = format!("{}{path}", self.running().url("fhir"));
        let request = ureq::get(&url).header("authorization", format!("Bearer {}", token.trim()));
        let text = request.call().unwrap().body_mut().read_to_string().unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Sends a file and returns the output.
    pub fn send(&self, name: &str, message: &str) -> String {
        let path = write(self.folder.path(), name, message);
        stdout_of(&["send", self.mllp(), &path])
    }
}

/// Writes a file and returns its path as text.
pub fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// Polls until there is a result.
pub fn eventually<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "it did not happen"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}
