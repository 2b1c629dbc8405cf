//! Errors in JSON input.

/// The error for bytes that are not one JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {kind}")]
pub struct JsonError {
    /// The kind of error.
    pub kind: JsonErrorKind,
    /// Byte offset of the error.
    pub offset: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in bytes.
    pub column: usize,
}

/// The kinds of JSON error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonErrorKind {
    /// The input is empty or only white space.
    #[error("the input is empty: expected a JSON value")]
    Empty,
    /// The text ends in the middle of a value.
    #[error("the text ends inside a value")]
    Unfinished,
    /// A byte that is not allowed here.
    #[error("expected a value")]
    ExpectedValue,
    /// A field of an object has no quoted name.
    #[error("expected a field name in double quotes")]
    ExpectedName,
    /// No `:` after a name.
    #[error("expected `:` after the name")]
    ExpectedColon,
    /// Neither `,` nor the closing bracket.
    #[error("expected `,` or the closing bracket")]
    ExpectedCommaOrEnd,
    /// Text after the value.
    #[error("text after the end of the value")]
    Trailing,
    /// `01`, `1.`, `.5`, `+1` and the like.
    #[error("not a JSON number")]
    BadNumber,
    /// A backslash that does not begin an escape, or half a surrogate pair.
    #[error("not a JSON escape")]
    BadEscape,
    /// A control character in a string.
    #[error("a control character must be escaped in a string")]
    ControlCharacter,
    /// The bytes are not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// Nesting deeper than [`super::MAX_DEPTH`].
    #[error("nested more than {} levels deep", super::MAX_DEPTH)]
    TooDeep,
    /// More bytes than offsets can address.
    #[error("longer than 4 GB")]
    TooLong,
}

// === impl JsonError ===

impl JsonError {
    pub(super) fn at(kind: JsonErrorKind, source: &[u8], offset: usize) -> Self {
        let before = source.get(..offset).unwrap_or(source);
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        Self {
            kind,
            offset,
            line,
            column: offset - line_start.min(offset) + 1,
        }
    }
}
