//! How a command fails: what, where, why and the remedy on one line, and the exit code.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    text: String,
    code: u8,
}

// === impl Failure ===

impl Failure {
    /// The work failed (exit code 1).
    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            code: 1,
        }
    }

    /// The command was called wrongly (exit code 2).
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            code: 2,
        }
    }

    /// The work failed by an error, told with all its causes.
    pub(crate) fn from_error(error: &dyn Error) -> Self {
        Self::failed(chain(error))
    }

    /// The exit code.
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// An error and all its causes, outermost first.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
