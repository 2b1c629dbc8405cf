//! Why a search was refused.

/// A search cannot be answered. Values may be PHI: the text goes back to whoever asked and must not
/// be logged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// No such resource type.
    #[error("`{0}` is not a resource type of FHIR R4")]
    UnknownType(String),
    /// The type has no such parameter, and handling is strict.
    #[error("`{name}` is not a search parameter of {resource_type}; it has {accepted}")]
    UnknownParameter {
        /// The name as given.
        name: String,
        /// The type.
        resource_type: String,
        /// What there is.
        accepted: String,
    },
    /// The parameter exists and is not supported yet.
    #[error("search parameter `{name}` is not supported: {why}")]
    UnsupportedParameter {
        /// The name as given.
        name: String,
        /// What is missing.
        why: &'static str,
    },
    /// The modifier is not supported or makes no sense with the parameter's type.
    #[error(
        "modifier `:{modifier}` of search parameter `{name}` is not supported; accepted: {accepted}"
    )]
    UnsupportedModifier {
        /// The parameter's name.
        name: String,
        /// The modifier without its colon.
        modifier: String,
        /// What is supported with this type of parameter.
        accepted: String,
    },
    /// The value cannot be read.
    #[error("`{value}` is no value for search parameter `{name}`: {why}; accepted: {accepted}")]
    BadValue {
        /// The parameter as given.
        name: String,
        /// The value as given.
        value: String,
        /// What is wrong.
        why: &'static str,
        /// What is accepted.
        accepted: &'static str,
    },
    /// The chain or reverse chain cannot be followed.
    #[error("chain `{name}` cannot be followed: {why}")]
    BadChain {
        /// The parameter as given.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// More than the server takes in one search.
    #[error("search is too large: {what} is limited to {limit}")]
    TooLarge {
        /// What is too many or too long.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

impl QueryError {
    /// The code of FHIR's `issue-type` for an OperationOutcome.
    pub fn issue_code(&self) -> &'static str {
        match self {
            Self::UnknownType(_)
            | Self::UnknownParameter { .. }
            | Self::UnsupportedParameter { .. }
            | Self::UnsupportedModifier { .. } => "not-supported",
            Self::BadValue { .. } | Self::BadChain { .. } => "value",
            Self::TooLarge { .. } => "too-costly",
        }
    }
}
