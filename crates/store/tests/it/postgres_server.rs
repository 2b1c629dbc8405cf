//! A PostgreSQL server of the test's own: created in a temporary directory, reached by a socket in it,
//! stopped when it goes out of scope.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio_postgres::NoTls;

/// A running server.
pub(crate) struct Server {
    process: Child,
    dir: TempDir,
}

/// Makes a command that runs as the user that PostgreSQL requires: it refuses to run as root.
fn command(program: &Path) -> Command {
    let is_root = Command::new("id").arg("-u").output();
    if !is_root.is_ok_and(|id| id.stdout.starts_with(b"0\n")) {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    // The wrapper replaces itself with the program, so the process is the server's own.
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    // And if this test is killed, so is the server.
    command.args(["--pdeathsig", "INT", "--"]);
    command.arg(program);
    command
}

fn find() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("CAUSEWAY_TEST_POSTGRES") {
        return Some(named.into());
    }
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|version| Some(version.ok()?.path().join("bin/postgres")))
        .filter(|program| program.exists())
        .collect();
    found.sort();
    found.pop()
}

fn make(bin: &Path, dir: &Path) {
    let initdb = |more: &[&str]| {
        let data = dir.join("data");
        let mut initdb = command(&bin.join("initdb"));
        initdb.arg("-D").arg(data).args(more).current_dir(dir);
        initdb.args(["--no-sync", "-A", "trust", "-U", "causeway", "-E", "UTF8"]);
        initdb.output().unwrap()
    };
    // A collation that does not order as bytes do, if the server has it: keys must not depend on it.
    let icu = [
        "--locale=C.UTF-8",
        "--locale-provider=icu",
        "--icu-locale=en",
    ];
    if initdb(&icu).status.success() {
        return;
    }
    std::fs::remove_dir_all(dir.join("data")).ok();
    let plain = initdb(&["--locale=C"]);
    assert!(
        plain.status.success(),
        "{}",
        String::from_utf8_lossy(&plain.stderr)
    );
}

impl Server {
    /// Starts a server; `None` if PostgreSQL is not installed.
    pub(crate) fn start(test: &str) -> Option<Self> {
        let Some(program) = find() else {
            let remedy = "install postgresql, or set CAUSEWAY_TEST_POSTGRES to its program";
            testkit::skipped(test, "no PostgreSQL", remedy);
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        make(program.parent().unwrap(), dir.path());
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let process = command(&program)
            .arg("-D")
            .arg(dir.path().join("data"))
            .arg("-k")
            .arg(dir.path())
            .args(["-c", "listen_addresses="])
            .args(["-c", "fsync=off", "-c", "full_page_writes=off"])
            .args(["-c", "synchronous_commit=off"])
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut server = Self { process, dir };
        server.wait_until_ready();
        Some(server)
    }

    fn wait_until_ready(&mut self) {
        let started = Instant::now();
        while self.try_run("postgres", "SELECT 1").is_err() {
            let ended = self.process.try_wait().unwrap();
            if ended.is_some() || Duration::from_mins(1) < started.elapsed() {
                let log = std::fs::read_to_string(self.dir.path().join("log")).unwrap();
                panic!("PostgreSQL does not start: {log}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Returns the address of a database.
    pub(crate) fn address(&self, database: &str) -> String {
        let socket = self.dir.path().display();
        format!("host={socket} user=causeway dbname={database}")
    }

    /// Creates a database and returns its address.
    pub(crate) fn database(&self, name: &str) -> String {
        self.run("postgres", &format!("CREATE DATABASE {name}"));
        self.address(name)
    }

    /// Runs a statement and returns the rows of its first column as numbers.
    pub(crate) fn run(&self, database: &str, sql: &str) -> Vec<i64> {
        self.try_run(database, sql).unwrap()
    }

    fn try_run(&self, database: &str, sql: &str) -> Result<Vec<i64>, tokio_postgres::Error> {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        runtime.block_on(async {
            let (client, connection) =
                tokio_postgres::connect(&self.address(database), NoTls).await?;
            tokio::spawn(connection);
            let messages = client.simple_query(sql).await?;
            let number = |message: &tokio_postgres::SimpleQueryMessage| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
                _ => None,
            };
            Ok(messages.iter().filter_map(number).collect())
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let number = self.process.id().to_string();
        // Fast shutdown: disconnects all clients and ends.
        let asked = Command::new("kill").args(["-INT", &number]).status();
        let started = Instant::now();
        while asked.is_ok() && started.elapsed() < Duration::from_secs(20) {
            if matches!(self.process.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
