//! A process's file operations, as recorded by `strace`, and the disks that a power cut may leave.
//!
//! The model is harsher than a file system: each write that no returned `fsync` covers may be there, be
//! missing, or be there in some of its 512-byte sectors, whatever came after it. A name is safe once its
//! directory, or for a new file the file itself, was synced; of the other changes to names a prefix is there.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const SECTOR: usize = 512;
const CALLS: &str =
    "trace=openat,write,pwrite64,lseek,fsync,fdatasync,ftruncate,unlink,rename,sendto";

/// One operation, in the order in which the calls returned.
#[derive(Debug)]
pub(crate) enum Step {
    /// The creation of a new name.
    Create(PathBuf),
    Unlink(PathBuf),
    Rename(PathBuf, PathBuf),
    /// Bytes at an offset in the file with that number.
    Write(usize, u64, Vec<u8>),
    Truncate(usize, u64),
    /// A sync of a file: all steps on it before that one are safe.
    Sync(usize, usize),
    /// A sync of a directory's names.
    SyncNames(PathBuf, usize),
    /// Output on standard output or a socket.
    Said(String),
}

/// All operations of a process below a directory.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) steps: Vec<Step>,
    root: PathBuf,
    /// The file that has a name now. Numbers survive renames.
    files: HashMap<PathBuf, usize>,
    n_files: usize,
    lengths: HashMap<usize, u64>,
    /// The offset of a descriptor, and whether it appends.
    places: HashMap<u32, (u64, bool)>,
    /// The number of the file that a `Create` made, by step.
    created: HashMap<usize, usize>,
}

/// Random numbers that are the same in every run (splitmix64).
pub(crate) struct Chance(pub(crate) u64);

/// A call as `strace -f` prints it.
struct Call<'a> {
    name: &'a str,
    arguments: &'a str,
    result: i64,
    /// The step at which it began.
    began: usize,
}

/// Returns whether file writes can be recorded here; if not, records a skip.
pub(crate) fn has_strace(test: &str) -> bool {
    let run = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !run {
        let why = "no strace, or no right to trace";
        testkit::skipped(test, why, "install strace on the PATH and allow ptrace");
    }
    run
}

/// Returns the command line that records what comes after it into `trace`.
pub(crate) fn recorder(trace: &Path) -> Vec<String> {
    let words = [
        "strace", "-f", "-y", "-xx", "-s", "16777216", "-e", CALLS, "-o",
    ];
    let mut words: Vec<String> = words.map(str::to_owned).to_vec();
    words.push(trace.to_string_lossy().into_owned());
    words
}

// === impl Chance ===

impl Chance {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n.max(1)
    }
}

// === impl Log ===

impl Log {
    /// Reads a recording of the operations below `root`.
    pub(crate) fn read(trace: &Path, root: &Path) -> Self {
        let text = fs::read_to_string(trace).unwrap();
        let mut log = Self {
            root: root.to_owned(),
            ..Self::default()
        };
        let mut unfinished: HashMap<&str, (&str, usize)> = HashMap::new();
        for line in text.lines() {
            let Some((pid, rest)) = line.split_once(' ') else {
                continue;
            };
            let rest = rest.trim_start();
            if let Some(begun) = rest.strip_suffix(" <unfinished ...>") {
                unfinished.insert(pid, (begun, log.steps.len()));
            } else if let Some(resumed) = rest.strip_prefix("<... ") {
                let Some((begun, began)) = unfinished.remove(pid) else {
                    continue;
                };
                let Some((_, tail)) = resumed.split_once("resumed>") else {
                    continue;
                };
                log.call(&format!("{begun}{tail}"), began);
            } else {
                log.call(rest, log.steps.len());
            }
        }
        log
    }

    fn call(&mut self, line: &str, began: usize) {
        let Some((head, result)) = line.rsplit_once(" = ") else {
            return;
        };
        let Some((name, arguments)) = head.trim_end().split_once('(') else {
            return;
        };
        let result = result
            .split(['<', ' '])
            .next()
            .and_then(|n| n.parse::<i64>().ok());
        let Some(result) = result.filter(|result| 0 <= *result) else {
            return;
        };
        let arguments = arguments.strip_suffix(')').unwrap_or(arguments);
        let call = Call {
            name,
            arguments,
            result,
            began,
        };
        self.step(&call, line);
    }

    fn step(&mut self, call: &Call<'_>, line: &str) {
        let parts: Vec<&str> = call.arguments.split(", ").collect();
        match call.name {
            "openat" => self.open(call, &parts, line),
            "unlink" => {
                let path = text_path(parts[0]);
                if self.files.remove(&path).is_some() {
                    self.steps.push(Step::Unlink(path));
                }
            }
            "rename" => {
                let (from, to) = (text_path(parts[0]), text_path(parts[1]));
                if let Some(file) = self.files.remove(&from) {
                    self.files.insert(to.clone(), file);
                    self.steps.push(Step::Rename(from, to));
                }
            }
            _ => self.on_descriptor(call, &parts),
        }
    }

    fn open(&mut self, call: &Call<'_>, parts: &[&str], line: &str) {
        // The path as the kernel resolved it stands after the result: `= 5<\x2f…>`.
        let Some(path) = line
            .rsplit_once(" = ")
            .and_then(|(_, result)| descriptor(result))
        else {
            return;
        };
        let (descriptor, path) = path;
        if !self.is_ours(&path) || path.is_dir() && !self.files.contains_key(&path) {
            return;
        }
        let flags = parts[2];
        if !self.files.contains_key(&path) && flags.contains("O_CREAT") {
            self.files.insert(path.clone(), self.n_files);
            self.created.insert(self.steps.len(), self.n_files);
            self.n_files += 1;
            self.steps.push(Step::Create(path.clone()));
        }
        if flags.contains("O_TRUNC") {
            self.truncate(&path, 0);
        }
        let _ = call;
        self.places
            .insert(descriptor, (0, flags.contains("O_APPEND")));
    }

    fn on_descriptor(&mut self, call: &Call<'_>, parts: &[&str]) {
        let Some((descriptor, path)) = descriptor(parts[0]) else {
            return;
        };
        if descriptor == 1 && call.name == "write" || call.name == "sendto" {
            let said = String::from_utf8_lossy(&bytes_of(parts[1])).into_owned();
            return self.steps.push(Step::Said(said));
        }
        if !self.is_ours(&path) {
            return;
        }
        if path.is_dir() && call.name.contains("sync") {
            return self.steps.push(Step::SyncNames(path, call.began));
        }
        let Some(&file) = self.files.get(&path) else {
            return;
        };
        let (place, appends) = self.places.get(&descriptor).copied().unwrap_or_default();
        match call.name {
            "pwrite64" => {
                let at = parts[3].parse().unwrap();
                self.write(file, at, bytes_of(parts[1]), call.result as usize);
            }
            "write" => {
                let end = self.lengths.get(&file).copied().unwrap_or(0);
                let at = if appends { end } else { place };
                self.write(file, at, bytes_of(parts[1]), call.result as usize);
                self.places
                    .insert(descriptor, (at + call.result as u64, appends));
            }
            "lseek" => drop(
                self.places
                    .insert(descriptor, (call.result as u64, appends)),
            ),
            "ftruncate" => self.truncate(&path, parts[1].parse().unwrap()),
            "fsync" | "fdatasync" => self.steps.push(Step::Sync(file, call.began)),
            other => panic!("{other} was not asked for"),
        }
    }

    fn write(&mut self, file: usize, at: u64, mut bytes: Vec<u8>, n_written: usize) {
        bytes.truncate(n_written);
        let end = self.lengths.entry(file).or_default();
        *end = (*end).max(at + n_written as u64);
        self.steps.push(Step::Write(file, at, bytes));
    }

    fn truncate(&mut self, path: &Path, length: u64) {
        let Some(&file) = self.files.get(path) else {
            return;
        };
        self.lengths.insert(file, length);
        self.steps.push(Step::Truncate(file, length));
    }

    /// Returns true for a file that must survive; SQLite's shared memory need not.
    fn is_ours(&self, path: &Path) -> bool {
        path.starts_with(&self.root) && !path.to_string_lossy().ends_with("-shm")
    }

    /// Returns the output before that step.
    pub(crate) fn said_before(&self, cut: usize) -> impl Iterator<Item = &str> {
        self.steps[..cut].iter().filter_map(|step| match step {
            Step::Said(line) => Some(line.as_str()),
            _ => None,
        })
    }

    /// Writes one of the disks that a power cut before that step may leave, into `target`.
    pub(crate) fn cut(&self, cut: usize, target: &Path, chance: &mut Chance) {
        let contents = self.contents(cut, chance);
        for (path, file) in self.names(cut, chance) {
            let path = target.join(path.strip_prefix(&self.root).unwrap());
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, contents.get(&file).map_or(&[][..], |bytes| bytes)).unwrap();
        }
    }

    fn contents(&self, cut: usize, chance: &mut Chance) -> HashMap<usize, Vec<u8>> {
        let mut safe: HashMap<usize, usize> = HashMap::new();
        for step in &self.steps[..cut] {
            if let Step::Sync(file, began) = step {
                let until = safe.entry(*file).or_default();
                *until = (*until).max(*began);
            }
        }
        let mut contents: HashMap<usize, Vec<u8>> = HashMap::new();
        for (number, step) in self.steps[..cut].iter().enumerate() {
            let (Step::Write(file, ..) | Step::Truncate(file, _)) = step else {
                continue;
            };
            let is_safe = safe.get(file).is_some_and(|until| number < *until);
            let content = contents.entry(*file).or_default();
            let luck = if is_safe { 0 } else { chance.below(3) };
            match (step, luck) {
                (Step::Truncate(_, length), 0 | 1) => content.resize(*length as usize, 0),
                (Step::Write(_, at, bytes), 0) => put(content, *at as usize, bytes),
                (Step::Write(_, at, bytes), 1) => tear(content, *at as usize, bytes, chance),
                _ => {}
            }
        }
        contents
    }

    fn names(&self, cut: usize, chance: &mut Chance) -> HashMap<PathBuf, usize> {
        let is_name =
            |step: &Step| matches!(step, Step::Create(_) | Step::Unlink(_) | Step::Rename(..));
        let changes: Vec<usize> = (0..cut).filter(|n| is_name(&self.steps[*n])).collect();
        let is_safe = |number: usize| {
            self.steps[number..cut].iter().any(|step| match step {
                Step::SyncNames(directory, began) => {
                    number < *began && self.parent(number) == Some(directory.as_path())
                }
                Step::Sync(file, began) => {
                    number < *began && self.created.get(&number) == Some(file)
                }
                _ => false,
            })
        };
        let n_safe = changes
            .iter()
            .rposition(|number| is_safe(*number))
            .map_or(0, |at| at + 1);
        let n_kept = n_safe as u64 + chance.below((changes.len() - n_safe) as u64 + 1);
        let mut names = HashMap::new();
        for number in changes.into_iter().take(n_kept as usize) {
            match &self.steps[number] {
                Step::Create(path) => drop(names.insert(path.clone(), self.created[&number])),
                Step::Unlink(path) => drop(names.remove(path)),
                Step::Rename(from, to) => {
                    let file = names.remove(from).unwrap();
                    names.insert(to.clone(), file);
                }
                _ => {}
            }
        }
        names
    }

    fn parent(&self, number: usize) -> Option<&Path> {
        match &self.steps[number] {
            Step::Create(path) | Step::Unlink(path) | Step::Rename(path, _) => path.parent(),
            _ => None,
        }
    }
}

fn put(content: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if content.len() < at + bytes.len() {
        content.resize(at + bytes.len(), 0);
    }
    content[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Tears a write: each sector that it touches is there or is not.
fn tear(content: &mut Vec<u8>, at: usize, bytes: &[u8], chance: &mut Chance) {
    let mut done = 0;
    while done < bytes.len() {
        let n = (SECTOR - (at + done) % SECTOR).min(bytes.len() - done);
        if chance.below(2) == 0 {
            put(content, at + done, &bytes[done..done + n]);
        }
        done += n;
    }
}

/// Parses a descriptor and its path: `5<\x2f\x74…>`.
fn descriptor(text: &str) -> Option<(u32, PathBuf)> {
    let (number, path) = text.trim().split_once('<')?;
    let path = path.strip_suffix('>')?;
    let path = if path.contains("\\x") {
        bytes_of(path)
    } else {
        path.as_bytes().to_vec()
    };
    Some((
        number.parse().ok()?,
        PathBuf::from(String::from_utf8(path).ok()?),
    ))
}

fn text_path(text: &str) -> PathBuf {
    PathBuf::from(String::from_utf8(bytes_of(text)).unwrap())
}

/// Decodes a string: `"\x41\x42"` is `AB`.
fn bytes_of(text: &str) -> Vec<u8> {
    let text = text.trim_matches('"').as_bytes();
    let digit = |byte: u8| (byte as char).to_digit(16).unwrap() as u8;
    text.chunks_exact(4)
        .map(|hex| digit(hex[2]) << 4 | digit(hex[3]))
        .collect()
}
