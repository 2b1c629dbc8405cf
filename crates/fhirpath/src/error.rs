//! Errors in an expression and in its evaluation.
//!
//! Invariant: no text contains a value of the resource. A value may be PHI, and errors are logged.

/// The error for text that is not a valid expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at offset {offset}")]
pub struct SyntaxError {
    /// Byte offset of the error, from 0.
    pub offset: usize,
    /// The kind of error.
    pub kind: SyntaxErrorKind,
}

/// The kinds of syntax error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxErrorKind {
    /// A character that begins no token.
    #[error("unexpected character `{0}`")]
    UnexpectedCharacter(char),
    /// A string, quoted name or comment is not terminated.
    #[error("unterminated string, name or comment")]
    Unterminated,
    /// A backslash before a character that needs none.
    #[error("unknown escape")]
    BadEscape,
    /// A number with more digits than can be represented exactly.
    #[error("number out of range")]
    BadNumber,
    /// `@` without a valid date or time after it.
    #[error("not a date or time")]
    BadDate,
    /// A token that is not allowed here.
    #[error("unexpected {found}, expected {expected}")]
    Unexpected {
        /// The token found.
        found: String,
        /// The tokens allowed here.
        expected: &'static str,
    },
    /// Parentheses, calls or operators nested deeper than the limit.
    #[error("nested too deeply")]
    TooDeep,
    /// More text or tokens than the limit.
    #[error("too long")]
    TooLong,
    /// Unknown function.
    #[error("unknown function `{0}`")]
    UnknownFunction(String),
    /// A function with too few or too many arguments.
    #[error("wrong number of arguments for `{0}`")]
    WrongArgumentCount(String),
    /// Unknown type.
    #[error("unknown type `{0}`")]
    UnknownType(String),
    /// A regular expression that is invalid or too large.
    #[error("the regular expression is invalid or too large")]
    BadRegex,
    /// Strict only: the type has no such element.
    #[error("`{type_name}` has no element `{element}`")]
    UnknownElement {
        /// The type.
        type_name: String,
        /// The element asked for.
        element: String,
    },
    /// Strict only: the function cannot take its input.
    #[error("`{0}` does not take this input")]
    WrongInput(String),
    /// Strict only: order matters for the function, and the input is unordered.
    #[error("`{0}` needs an ordered input")]
    Unordered(String),
}

/// The error for an expression that cannot be evaluated in this context.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// More steps than the context's fuel allows.
    #[error("the expression takes too many steps")]
    OutOfFuel,
    /// Several items where a single one is required.
    #[error("`{0}` needs a single item")]
    NotSingle(&'static str),
    /// An item of a type that the function or operator cannot take.
    #[error("`{0}` cannot take an item of this type")]
    WrongType(&'static str),
    /// `%name` is not defined.
    #[error("undefined variable `%{0}`")]
    UndefinedVariable(String),
    /// `now()` and its like need a time, and the context has none.
    #[error("the current time is not available here")]
    NoClock,
    /// The host has no answer, or the function is not implemented.
    #[error("`{0}` is not supported here")]
    NotSupported(&'static str),
    /// A regular expression that is invalid or too large.
    #[error("the regular expression is invalid or too large")]
    BadRegex,
}
