//! A small site: a journal in a directory, an engine, and a destination that only records.

use base::SystemClock;
use flow::{
    Applied, Attention, Concern, Destination, DryRun, Engine, EngineConfig, FlowConfig, Handles,
    Metrics, Outcome, Task,
};
use hl7v2::Message;
use std::collections::HashSet;
use std::fs::File;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::journal::{Filter, Journal, Options, Page, State, Summary};

/// A destination that records messages by control id, in order. `FAIL` in PID-5 is refused, `ODD`
/// needs attention while set to, `SLOW` takes its time.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) seen: Mutex<Vec<String>>,
    pub(crate) fail: AtomicBool,
    pub(crate) down: AtomicBool,
    known: Mutex<HashSet<u64>>,
    /// File to record in, one line per message in one write.
    log: Option<File>,
}

/// Creates a destination that outlives its process.
pub(crate) fn memory_in(dir: &Path) -> Arc<Memory> {
    let path = dir.join("applied.log");
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let known = written
        .lines()
        .map(|line| line.split(' ').next().unwrap().parse().unwrap())
        .collect();
    let log = File::options()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    Arc::new(Memory {
        known: Mutex::new(known),
        log: Some(log),
        ..Memory::default()
    })
}

/// Returns the concerns about a message with a patient called `ODD`.
pub(crate) fn concerns() -> Vec<Concern> {
    vec![
        Concern::new(Attention::UnusableValue, "OBX[2]-5", "no number"),
        Concern::new(Attention::Incomplete, "", "no row takes ZDS"),
    ]
}

impl Destination for Memory {
    fn refuses(&self, message: &Message) -> Option<Attention> {
        (message.code() == "ZZZ").then_some(Attention::NoMap)
    }

    fn apply(&self, task: &Task<'_>) -> Outcome {
        if self.down.load(Ordering::SeqCst) {
            return Outcome::Unavailable;
        }
        let text = String::from_utf8_lossy(task.message.raw()).into_owned();
        if text.contains("SLOW") {
            std::thread::sleep(Duration::from_millis(300));
        }
        if text.contains("FAIL") && self.fail.load(Ordering::SeqCst) {
            return Outcome::Refused {
                reason: Attention::ChartRefused,
                issues: ["PID-7: no date", "OBX[2]-5[3].1.2: no number"]
                    .map(str::to_owned)
                    .into(),
            };
        }
        assert!(!text.contains("PANIC"), "as asked");
        if text.contains("DEFER") {
            return Outcome::Deferred;
        }
        let already = !self.known.lock().unwrap().insert(task.sequence.get());
        if let Some(mut log) = self.log.as_ref().filter(|_| !already) {
            let patient = task
                .message
                .first("PID")
                .unwrap()
                .field(3)
                .component(1)
                .text()
                .into_owned();
            log.write_all(format!("{} {patient}\n", task.sequence).as_bytes())
                .unwrap();
            log.sync_data().unwrap();
        }
        if !already {
            self.seen
                .lock()
                .unwrap()
                .push(task.message.control_id().into_owned());
        }
        let odd = text.contains("ODD") && self.fail.load(Ordering::SeqCst);
        let concerns = if odd { concerns() } else { Vec::new() };
        Outcome::Applied(Applied {
            n_changed: 1,
            n_issues: concerns.len() as u32,
            concerns,
            map_version: "1".to_owned(),
            already,
        })
    }

    fn dry_run(&self, _task: &Task<'_>) -> DryRun {
        DryRun::default()
    }

    fn map_version(&self) -> String {
        "1".to_owned()
    }
}

/// An engine with one flow.
pub(crate) struct Site {
    pub(crate) engine: Engine,
    pub(crate) journal: Journal,
    pub(crate) address: SocketAddr,
    pub(crate) memory: Arc<Memory>,
    pub(crate) runtime: tokio::runtime::Runtime,
}

impl Site {
    pub(crate) fn start(directory: &Path, change: impl FnOnce(&mut FlowConfig)) -> Self {
        Self::start_with(directory, Arc::new(Memory::default()), change)
    }

    pub(crate) fn start_with(
        directory: &Path,
        memory: Arc<Memory>,
        change: impl FnOnce(&mut FlowConfig),
    ) -> Self {
        let mut flow = FlowConfig::mllp("adt", (Ipv4Addr::LOCALHOST, 0).into());
        change(&mut flow);
        Self::start_flows(directory, memory, vec![flow])
    }

    pub(crate) fn start_flows(
        directory: &Path,
        memory: Arc<Memory>,
        flows: Vec<FlowConfig>,
    ) -> Self {
        let journal = patiently(|| Journal::open(directory, Options::default()));
        let handles = Handles {
            journal: journal.clone(),
            destination: Arc::clone(&memory) as Arc<dyn Destination>,
            clock: Arc::new(SystemClock),
            metrics: Metrics::default(),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let engine = runtime
            .block_on(Engine::start(EngineConfig::new(flows), handles))
            .unwrap();
        let address = engine.addresses()[0].1;
        Self {
            engine,
            journal,
            address,
            memory,
            runtime,
        }
    }

    pub(crate) fn drain(&self) -> flow::Drained {
        self.runtime
            .block_on(self.engine.drain(Duration::from_secs(20)))
    }

    /// Returns all messages, oldest first, once none waits any more.
    pub(crate) fn settled(&self) -> Vec<Summary> {
        for _ in 0..400 {
            let rows = self.rows();
            if rows.iter().all(|row| row.state != State::Received) {
                return rows;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("messages still wait: {:?}", self.rows());
    }

    pub(crate) fn rows(&self) -> Vec<Summary> {
        rows(&self.journal)
    }

    pub(crate) fn seen(&self) -> Vec<String> {
        self.memory.seen.lock().unwrap().clone()
    }
}

/// Returns all messages, oldest first.
pub(crate) fn rows(journal: &Journal) -> Vec<Summary> {
    let mut rows = Vec::new();
    let mut before = None;
    loop {
        let listing = journal
            .list(
                &Filter::default(),
                Page {
                    before,
                    limit: 1000,
                },
            )
            .unwrap();
        rows.extend(listing.rows);
        before = listing.next;
        if before.is_none() {
            rows.reverse();
            return rows;
        }
    }
}

/// Retries to open a store that another test's fork may hold for a moment: a lock is released with
/// its last copy, and between fork and exec a child of the kill tests has one.
pub(crate) fn patiently<T, E: std::fmt::Debug>(open: impl Fn() -> Result<T, E>) -> T {
    for _ in 0..100 {
        if let Ok(opened) = open() {
            return opened;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    open().unwrap()
}
