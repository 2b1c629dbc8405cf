//! What can be wrong with an expression, and with evaluating one.
//!
//! Invariant: no text says a value of the resource. A value may be PHI, and errors are logged.

/// The text is no expression that can be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at offset {offset}")]
pub struct SyntaxError {
    /// Where, in bytes from 0.
    pub offset: usize,
    /// What.
    pub kind: SyntaxErrorKind,
}

/// What is wrong with the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxErrorKind {
    /// A character that begins no token.
    #[error("unexpected character `{0}`")]
    UnexpectedCharacter(char),
    /// A string, quoted name or comment without an end.
    #[error("a string, name or comment without an end")]
    Unterminated,
    /// A backslash before something that needs none.
    #[error("unknown escape")]
    BadEscape,
    /// A number with more digits than can be held exactly.
    #[error("number out of range")]
    BadNumber,
    /// `@` without a date or time of the calendar after it.
    #[error("not a date or time")]
    BadDate,
    /// A token that cannot stand here.
    #[error("unexpected {found}, expected {expected}")]
    Unexpected {
        /// What stands here.
        found: String,
        /// What could.
        expected: &'static str,
    },
    /// Parentheses, calls or operators nested deeper than the limit.
    #[error("nested too deep")]
    TooDeep,
    /// More text or tokens than the limit.
    #[error("too long")]
    TooLong,
    /// No such function.
    #[error("unknown function `{0}`")]
    UnknownFunction(String),
    /// A function with too few or too many arguments.
    #[error("wrong number of arguments for `{0}`")]
    WrongArgumentCount(String),
    /// No such type.
    #[error("unknown type `{0}`")]
    UnknownType(String),
    /// A regular expression that is none, or too large.
    #[error("bad regular expression")]
    BadRegex,
    /// Strict only: the type has no such element.
    #[error("`{type_name}` has no element `{element}`")]
    UnknownElement {
        /// The type.
        type_name: String,
        /// The element asked for.
        element: String,
    },
    /// Strict only: the function cannot take what stands before it.
    #[error("`{0}` does not take this input")]
    WrongInput(String),
    /// Strict only: order matters for the function, and the input has none.
    #[error("`{0}` needs an ordered input")]
    Unordered(String),
}

/// The expression could not be evaluated here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// More steps than the context's fuel allows.
    #[error("out of fuel")]
    OutOfFuel,
    /// Several items where one is needed.
    #[error("`{0}` needs a single item")]
    NotSingle(&'static str),
    /// An item of a type that the function or operator cannot take.
    #[error("`{0}` cannot take an item of this type")]
    WrongType(&'static str),
    /// `%name` is not defined.
    #[error("undefined variable `%{0}`")]
    UndefinedVariable(String),
    /// The context has no time, so there is no `now()`.
    #[error("no clock")]
    NoClock,
    /// The host has no answer, or the function is not there.
    #[error("`{0}` is not supported here")]
    NotSupported(&'static str),
    /// A regular expression that is none, or too large.
    #[error("bad regular expression")]
    BadRegex,
}
