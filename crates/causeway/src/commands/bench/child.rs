//! A server process of the same binary over a scratch directory.

use crate::failure::Failure;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server, stopped when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) data: PathBuf,
    pub(crate) http: String,
    pub(crate) mllp: String,
    /// The time from the start of the process to `ready`.
    pub(crate) ready_after: Duration,
}

// === impl Server ===

impl Server {
    /// Starts `serve` with one flow and the given acknowledgement policy.
    pub(crate) fn start(folder: &Path, acknowledge: &str) -> Result<Self, Failure> {
        let fail = |error: std::io::Error| Failure::failed(format!("bench server: {error}"));
        std::fs::create_dir_all(folder).map_err(fail)?;
        let config = folder.join("causeway.toml");
        let text = format!(
            "data_dir = \"data\"\n[http]\nlisten = \"127.0.0.1:0\"\n[log]\nlevel = \"error\"\n\
             [[flow]]\nname = \"bench\"\nacknowledge = \"{acknowledge}\"\n\
             [flow.source.mllp]\nlisten = \"127.0.0.1:0\"\nmax_connections = 1024\n"
        );
        std::fs::write(&config, text).map_err(fail)?;
        let program = std::env::current_exe().map_err(fail)?;
        let started = Instant::now();
        let mut child = Command::new(program)
            .arg("serve")
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(fail)?;
        let lines = child
            .stdout
            .take()
            .map(|stdout| BufReader::new(stdout).lines());
        let mut server = Self {
            child,
            data: folder.join("data"),
            http: String::new(),
            mllp: String::new(),
            ready_after: Duration::ZERO,
        };
        let mut lines = lines.into_iter().flatten().map_while(Result::ok);
        while let Some(line) = lines.next() {
            match line.split_once(": ") {
                Some(("fhir", url)) => {
                    url.trim_start_matches("http://")
                        .trim_end_matches("/fhir")
                        .clone_into(&mut server.http);
                }
                Some((_, url)) if url.starts_with("mllp://") => {
                    url.trim_start_matches("mllp://")
                        .clone_into(&mut server.mllp);
                }
                _ if line == "ready" => {
                    server.ready_after = started.elapsed();
                    // Keep reading its output, so that the child does not block on a full pipe.
                    std::thread::spawn(move || lines.for_each(drop));
                    return Ok(server);
                }
                _ => {}
            }
        }
        Err(Failure::failed(
            "the bench server did not become ready; see its log above",
        ))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Stops the server as Ctrl-C does: drained and closed.
    pub(crate) fn stop(mut self) -> PathBuf {
        let _ = Command::new("kill")
            .arg("-INT")
            .arg(self.pid().to_string())
            .status();
        let _ = self.child.wait();
        self.data.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
