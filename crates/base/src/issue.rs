//! Something wrong or worth saying that did not stop the work.

use std::borrow::Cow;
use std::fmt;

/// How bad it is, in the words of FHIR's `issue-severity`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing, nothing is wrong.
    Information,
    /// The work went on; somebody may want to look.
    Warning,
    /// A part was refused or could not be used.
    Error,
    /// Nothing could be done with it.
    Fatal,
}

impl Severity {
    /// The FHIR code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Information => "information",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }
}

/// One finding: how bad, what kind, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// How bad it is.
    pub severity: Severity,
    /// A code of FHIR's `issue-type`: `structure`, `value`, `not-supported`, `code-invalid` …
    pub code: &'static str,
    /// Where, in the format's own path: `PID-7`, `Patient.birthDate`. Empty for the whole.
    pub location: String,
    /// What is wrong and what helps. Free of PHI unless the caller says otherwise.
    pub text: Cow<'static, str>,
}

impl Issue {
    /// An error at a place.
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

    /// A warning at a place.
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
