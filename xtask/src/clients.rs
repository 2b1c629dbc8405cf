//! Third-party clients and readers from the package registries: PyPI `hl7` and `hl7apy`, npm
//! `@medplum/hl7`, each installed once into a folder under `target`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A client: the variable that tells tests where it is, the program that runs it, the program that
/// installs it, and the file that exists once it is installed.
struct Client {
    variable: &'static str,
    name: &'static str,
    runs: &'static str,
    install: &'static [&'static str],
    installed: &'static str,
}

/// Pinned client versions: an upgrade is a deliberate step.
const CLIENTS: [Client; 3] = [
    Client {
        variable: "CAUSEWAY_TEST_PYTHON_HL7",
        name: "the PyPI package hl7",
        runs: "python3",
        install: &[
            "python3",
            "-m",
            "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
            "--root-user-action=ignore",
            "hl7==0.4.5",
            "--target",
        ],
        installed: "hl7/__init__.py",
    },
    Client {
        variable: "CAUSEWAY_TEST_PYTHON_HL7APY",
        name: "the PyPI package hl7apy",
        runs: "python3",
        install: &[
            "python3",
            "-m",
            "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
            "--root-user-action=ignore",
            "hl7apy==1.3.5",
            "--target",
        ],
        installed: "hl7apy/__init__.py",
    },
    Client {
        variable: "CAUSEWAY_TEST_NODE_HL7",
        name: "the npm package @medplum/hl7",
        runs: "node",
        install: &[
            "npm",
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "@medplum/hl7@5.0.10",
            "--prefix",
        ],
        installed: "node_modules/@medplum/hl7/package.json",
    },
];

/// Adds the clients' folders to the tests' environment. A test whose client is missing is skipped.
pub(crate) fn find_or_install(target: &Path, environment: &mut Vec<(String, String)>) {
    for client in &CLIENTS {
        if let Some(folder) = folder(client, target) {
            environment.push((client.variable.to_owned(), folder.display().to_string()));
        }
    }
}

fn folder(client: &Client, target: &Path) -> Option<PathBuf> {
    if let Some(given) = std::env::var_os(client.variable) {
        return Some(PathBuf::from(given));
    }
    let runs = quiet(Command::new(client.runs).arg("--version"));
    let folder = target.join("clients").join(client.runs);
    if runs && !folder.join(client.installed).is_file() {
        println!("== clients: installing {}", client.name);
        let (program, args) = client.install.split_first()?;
        std::fs::create_dir_all(&folder).ok()?;
        // If this fails, the test reports that it was skipped.
        quiet(Command::new(program).args(args).arg(&folder));
    }
    (runs && folder.join(client.installed).is_file()).then_some(folder)
}

fn quiet(command: &mut Command) -> bool {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null());
    let status = command.stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
