//! Problems and remarks that did not stop processing.

use std::borrow::Cow;
use std::fmt;

/// Severity, in the terms of FHIR's `issue-severity`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Informational; nothing is wrong.
    Information,
    /// Processing continued; someone may want to look.
    Warning,
    /// A part was refused or could not be used.
    Error,
    /// The input could not be processed at all.
    Fatal,
}

impl Severity {
    /// Returns the FHIR code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Information => "information",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }
}

/// One finding: severity, kind, location and remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// The severity.
    pub severity: Severity,
    /// A code of FHIR's `issue-type`: `structure`, `value`, `not-supported`, `code-invalid` …
    pub code: &'static str,
    /// The location in the format's own path: `PID-7`, `Patient.birthDate`. Empty for the whole.
    pub location: String,
    /// The problem and its remedy. Free of PHI unless the caller says otherwise.
    pub text: Cow<'static, str>,
}

impl Issue {
    /// Creates an error at a location.
    pub fn error(
        code: &'static str,
        location: impl Into<String>,
        text: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            severity: Severity::Error,
            code,
            location: location.into(),
            text: text.into(),
        }
    }

    /// Creates a warning at a location.
    pub fn warning(
        code: &'static str,
        location: impl Into<String>,
        text: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            code,
            location: location.into(),
            text: text.into(),
        }
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.location.is_empty() {
            write!(f, "{}: {}", self.severity.code(), self.text)
        } else {
            write!(
                f,
                "{}: {}: {}",
                self.severity.code(),
                self.location,
                self.text
            )
        }
    }
}
