//! Newline-delimited JSON, one resource per line.
//!
//! Invariants: the decoder does no I/O; no line longer than the cap is kept in memory; empty lines
//! are skipped but counted.

use crate::json::{Document, JsonError};

/// Incremental decoder that splits bytes, arriving in chunks of any size, into lines.
#[derive(Debug)]
pub struct Decoder {
    buf: Vec<u8>,
    /// Number of leading bytes of `buf` known to contain no line end.
    searched: usize,
    max_line: usize,
    line: usize,
    /// The decoder is inside a line that was too long.
    skipping: bool,
}

/// Result of a decoding step.
#[derive(Debug)]
pub enum Step {
    /// No complete line yet.
    NeedMore,
    /// A line that is JSON.
    Document {
        /// Line number, from 1.
        line: usize,
        /// The line.
        document: Document,
    },
    /// A line that is not JSON.
    Invalid {
        /// Line number, from 1.
        line: usize,
        /// The error.
        error: JsonError,
    },
    /// A line beyond the cap, which was skipped.
    TooLong {
        /// Line number, from 1.
        line: usize,
    },
}

/// Iterates over the lines of a complete input.
pub fn documents(bytes: &[u8]) -> impl Iterator<Item = (usize, Result<Document, JsonError>)> {
    let lines = bytes.split(|&b| b == b'\n').zip(1..);
    lines
        .filter(|(line, _)| !line.trim_ascii().is_empty())
        .map(|(line, number)| (number, Document::parse(line)))
}

// === impl Decoder ===

impl Decoder {
    /// Creates a decoder that skips lines longer than `max_line` bytes.
    pub fn new(max_line: usize) -> Self {
        Self {
            buf: Vec::new(),
            searched: 0,
            max_line,
            line: 0,
            skipping: false,
        }
    }

    /// Adds bytes in any split.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
    }

    /// Decodes the next step. Call until it returns [`Step::NeedMore`].
    pub fn step(&mut self) -> Step {
        loop {
            let unseen = self.buf.get(self.searched..).unwrap_or_default();
            let Some(at) = memchr::memchr(b'\n', unseen) else {
                return self.wait();
            };
            let line: Vec<u8> = self.buf.drain(..=self.searched + at).collect();
            self.searched = 0;
            if let Some(step) = self.take(&line) {
                return step;
            }
        }
    }

    /// Returns the last line if it has no line end. Call when the input is complete.
    pub fn finish(&mut self) -> Step {
        let line = std::mem::take(&mut self.buf);
        self.searched = 0;
        self.take(&line).unwrap_or(Step::NeedMore)
    }

    fn wait(&mut self) -> Step {
        if self.max_line < self.buf.len() {
            self.buf.clear();
            if !std::mem::replace(&mut self.skipping, true) {
                self.searched = 0;
                return Step::TooLong {
                    line: self.line + 1,
                };
            }
        }
        self.searched = self.buf.len();
        Step::NeedMore
    }

    fn take(&mut self, line: &[u8]) -> Option<Step> {
        self.line += 1;
        let number = self.line;
        if std::mem::take(&mut self.skipping) {
            return None;
        }
        let text = line.trim_ascii();
        if text.is_empty() {
            return None;
        }
        if self.max_line < text.len() {
            return Some(Step::TooLong { line: number });
        }
        Some(match Document::parse(text) {
            Ok(document) => Step::Document {
                line: number,
                document,
            },
            Err(error) => Step::Invalid {
                line: number,
                error,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(portions: &[&[u8]], max_line: usize) -> Vec<String> {
        let mut decoder = Decoder::new(max_line);
        let mut seen = Vec::new();
        let mut note = |step: Step| {
            let more = !matches!(step, Step::NeedMore);
            match step {
                Step::NeedMore => {}
                Step::Document { line, document } => {
                    seen.push(format!("{line} {}", document.source()));
                }
                Step::Invalid { line, .. } => seen.push(format!("{line} invalid")),
                Step::TooLong { line } => seen.push(format!("{line} too long")),
            }
            more
        };
        for portion in portions {
            decoder.feed(portion);
            while note(decoder.step()) {}
        }
        note(decoder.finish());
        seen
    }

    #[test]
    fn any_split_gives_the_same_lines() {
        let text = b"{\"a\":1}\r\n\n[2]\n{oops\n\"a long line\"\n3";
        let expected = ["1 {\"a\":1}", "3 [2]", "4 invalid", "5 too long", "6 3"];
        assert_eq!(run(&[text], 10), expected);
        for cut in 0..text.len() {
            let (head, tail) = text.split_at(cut);
            assert_eq!(run(&[head, tail], 10), expected, "{cut}");
        }
        let single: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(run(&single, 10), expected);
    }
}
