//! What is wrong with a map, where, and what to write instead.

use base::Severity;
use std::fmt;
use std::sync::Arc;

/// A place in a map file. Lines and columns count from 1; columns count bytes.
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
    /// The file, as it was named to the loader: `v2/obx.map`.
    pub file: Arc<str>,
    /// The place in the file.
    pub spot: Spot,
    /// An error refuses the map; a warning does not.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// What to write instead, if that is known.
    pub remedy: Option<String>,
}

// === impl Diagnostic ===

impl Diagnostic {
    /// An error.
    pub fn error(file: &Arc<str>, spot: Spot, message: impl Into<String>) -> Self {
        Self {
            file: Arc::clone(file),
            spot,
            severity: Severity::Error,
            message: message.into(),
            remedy: None,
        }
    }

    /// A warning.
    pub fn warning(file: &Arc<str>, spot: Spot, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(file, spot, message)
        }
    }

    /// The same with a remedy.
    #[must_use]
    pub fn or_write(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Does it refuse the map?
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
