//! Diagnostics: what is wrong with a map, where, and what to write instead.

use base::Severity;
use std::fmt;
use std::sync::Arc;

/// A position in a map file. Lines and columns count from 1; columns count bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spot {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

/// One finding about a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file name as given to the loader: `v2/obx.map`.
    pub file: Arc<str>,
    /// The position in the file.
    pub spot: Spot,
    /// The severity. An error rejects the map; a warning does not.
    pub severity: Severity,
    /// The problem.
    pub message: String,
    /// The text to write instead, if known.
    pub remedy: Option<String>,
}

// === impl Diagnostic ===

impl Diagnostic {
    /// Creates an error.
    pub fn error(file: &Arc<str>, spot: Spot, message: impl Into<String>) -> Self {
        Self {
            file: Arc::clone(file),
            spot,
            severity: Severity::Error,
            message: message.into(),
            remedy: None,
        }
    }

    /// Creates a warning.
    pub fn warning(file: &Arc<str>, spot: Spot, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(file, spot, message)
        }
    }

    /// Adds a remedy.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Returns whether the diagnostic rejects the map.
    pub fn is_error(&self) -> bool {
        matches!(self.severity, Severity::Error | Severity::Fatal)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spot { line, column } = self.spot;
        let severity = self.severity.code();
        write!(
            f,
            "{}:{line}:{column} {severity}: {}",
            self.file, self.message
        )?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n  Write: {remedy}"),
            None => Ok(()),
        }
    }
}
