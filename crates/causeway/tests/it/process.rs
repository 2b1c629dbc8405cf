//! Starts and stops the real binary.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A running `causeway`, killed when dropped.
pub struct Running {
    child: Child,
    /// `name: url` lines up to `ready`.
    pub addresses: Vec<(String, String)>,
    /// The first-login secret, if one was printed.
    pub secret: Option<String>,
    lines: Receiver<String>,
}

/// Runs a command to its end.
pub fn causeway(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_causeway"))
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Returns the standard output of a command that must succeed.
pub fn stdout_of(args: &[&str]) -> String {
    let output = causeway(args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "causeway {args:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

impl Running {
    /// Starts `causeway demo` on free ports over that directory.
    pub fn demo(data: &Path, more: &[&str]) -> Self {
        let data = data.display().to_string();
        let mut args = vec![
            "demo",
            "--data",
            &data,
            "--http",
            "127.0.0.1:0",
            "--mllp",
            "127.0.0.1:0",
        ];
        args.extend(more);
        Self::start(&args)
    }

    /// Starts any command that prints its addresses and `ready`.
    pub fn start(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_causeway"))
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let stdout = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut running = Self {
            child,
            addresses: Vec::new(),
            secret: None,
            lines,
        };
        loop {
            let Ok(line) = running.lines.recv_timeout(Duration::from_mins(1)) else {
                let mut stderr = String::new();
                let _ = running.child.kill();
                let _ = running
                    .child
                    .stderr
                    .take()
                    .unwrap()
                    .read_to_string(&mut stderr);
                panic!("causeway {args:?} did not get ready: {stderr}");
            };
            if line == "ready" {
                break;
            }
            let (name, url) = line.split_once(": ").unwrap();
            running.addresses.push((name.to_owned(), url.to_owned()));
        }
        // Nobody reads the log here; an unread pipe would block the process.
        let mut stderr = running.child.stderr.take().unwrap();
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        if let Ok(line) = running.lines.recv_timeout(Duration::from_millis(500)) {
            running.secret = line
                .split("password `")
                .nth(1)
                .and_then(|rest| rest.split('`').next())
                .map(str::to_owned);
        }
        running
    }

    /// Returns the address announced under that name.
    pub fn url(&self, name: &str) -> &str {
        let found = self.addresses.iter().find(|(known, _)| known == name);
        &found
            .unwrap_or_else(|| panic!("no {name} in {:?}", self.addresses))
            .1
    }

    /// Returns the process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Stops the process as Ctrl-C does, waits for its end, and returns true if it was clean.
    pub fn stop(mut self) -> bool {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-INT", &id]).status().unwrap();
        self.child.wait().unwrap().success()
    }

    /// Kills the process; to the process this is like a power cut.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
