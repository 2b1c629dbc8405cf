//! The prompt for a reason before a bulk change.

use crate::failure::Failure;
use std::io::{BufRead, IsTerminal, Write};

/// Returns the reason for a change: the given one, or one typed at the terminal. A script must give
/// it, because nobody reading the audit log later can ask the script.
pub(crate) fn reason(given: &str) -> Result<String, Failure> {
    let given = given.trim();
    if !given.is_empty() {
        return Ok(given.to_owned());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(
            "nothing was done: give the reason with --reason TEXT; it is recorded in the audit log",
        ));
    }
    eprint!("Reason (recorded in the audit log; leave empty to cancel): ");
    let _ = std::io::stderr().flush();
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Failure::failed(format!("could not read the reason: {error}")))?;
    match line.trim() {
        "" => Err(Failure::failed("nothing was done: no reason was given")),
        reason => Ok(reason.to_owned()),
    }
}
