//! What is asked before many things are changed at once.

use crate::failure::Failure;
use std::io::{BufRead, IsTerminal, Write};

/// Why somebody does it: what was given, else what a person at the terminal says. A script must give
/// it: who looks into the audit log later cannot ask it.
pub(crate) fn reason(given: &str) -> Result<String, Failure> {
    let given = given.trim();
    if !given.is_empty() {
        return Ok(given.to_owned());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(
            "nothing was done: say why with --reason TEXT; it stands in the audit log",
        ));
    }
    eprint!("Why? (it stands in the audit log; nothing to leave it) ");
    let _ = std::io::stderr().flush();
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Failure::failed(format!("could not read the reason: {error}")))?;
    match line.trim() {
        "" => Err(Failure::failed("nothing was done: no reason was given")),
        reason => Ok(reason.to_owned()),
    }
}
