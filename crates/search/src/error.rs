//! Errors that refuse a search.

/// The error for a search that cannot be answered. Values may be PHI: the text goes back to the
/// caller and must not be logged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Unknown resource type.
    #[error("`{0}` is not a resource type of FHIR R4")]
    UnknownType(String),
    /// The type has no such parameter, and handling is strict.
    #[error("`{name}` is not a search parameter of {resource_type}; it has {accepted}")]
    UnknownParameter {
        /// The name as given.
        name: String,
        /// The type.
        resource_type: String,
        /// The parameters that the type has.
        accepted: String,
    },
    /// The parameter exists and is not supported yet.
    #[error("search parameter `{name}` is not supported: {why}")]
    UnsupportedParameter {
        /// The name as given.
        name: String,
        /// The missing feature.
        why: &'static str,
    },
    /// The modifier is not supported or does not apply to the parameter's type.
    #[error(
        "modifier `:{modifier}` of search parameter `{name}` is not supported; accepted: {accepted}"
    )]
    UnsupportedModifier {
        /// The parameter's name.
        name: String,
        /// The modifier without its colon.
        modifier: String,
        /// The modifiers supported for this type of parameter.
        accepted: String,
    },
    /// The value cannot be parsed.
    #[error("invalid value `{value}` for search parameter `{name}`: {why}; accepted: {accepted}")]
    BadValue {
        /// The parameter as given.
        name: String,
        /// The value as given.
        value: String,
        /// The problem with the value.
        why: &'static str,
        /// The accepted form.
        accepted: &'static str,
    },
    /// The chain or reverse chain cannot be followed.
    #[error("chain `{name}` cannot be followed: {why}")]
    BadChain {
        /// The parameter as given.
        name: String,
        /// The problem with the chain.
        why: String,
    },
    /// The search exceeds a limit of the server.
    #[error("search is too large: {what} is limited to {limit}")]
    TooLarge {
        /// The quantity that exceeds the limit.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

impl QueryError {
    /// Returns the code of FHIR's `issue-type` for an OperationOutcome.
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
