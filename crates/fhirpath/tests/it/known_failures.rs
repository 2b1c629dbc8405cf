//! Known failures in the official suite, with reasons.

/// Name of the test (the suite's names are nearly unique) and the reason.
pub(crate) const KNOWN_FAILURES: &[(&str, &str)] = &[];

/// Minimum number of tests in the suite that must pass.
pub(crate) const AT_LEAST: usize = 935;
