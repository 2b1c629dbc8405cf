//! Command failures: what, where, why and the remedy on one line, and the exit code.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

/// The reason that a command failed, with its exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    text: String,
    code: u8,
}

// === impl Failure ===

impl Failure {
    /// Creates a failure of the command's work (exit code 1).
    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            code: 1,
        }
    }

    /// Creates a failure caused by incorrect usage (exit code 2).
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            code: 2,
        }
    }

    /// Creates a failure (exit code 1) from an error and all its causes.
    pub(crate) fn from_error(error: &dyn Error) -> Self {
        Self::failed(chain(error))
    }

    /// Returns the exit code.
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Formats an error and all its causes, outermost first.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
