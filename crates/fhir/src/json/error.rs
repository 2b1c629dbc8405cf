//! Why bytes are not a document.

/// The bytes are not one JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {kind}")]
pub struct JsonError {
    /// What is wrong.
    pub kind: JsonErrorKind,
    /// Bytes before the fault.
    pub offset: usize,
    /// From 1.
    pub line: usize,
    /// From 1, in bytes.
    pub column: usize,
}

/// What is wrong with the JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonErrorKind {
    /// There is nothing but white space.
    #[error("nothing here: a JSON value was expected")]
    Empty,
    /// The text stops in the middle of a value.
    #[error("the text ends inside a value")]
    Unfinished,
    /// A byte that cannot stand here.
    #[error("a value was expected")]
    ExpectedValue,
    /// An object's field has no quoted name.
    #[error("a field name in double quotes was expected")]
    ExpectedName,
    /// No `:` after a name.
    #[error("`:` was expected after the name")]
    ExpectedColon,
    /// Neither `,` nor the closing bracket.
    #[error("`,` or the closing bracket was expected")]
    ExpectedCommaOrEnd,
    /// Text after the value.
    #[error("text after the end of the value")]
    Trailing,
    /// `01`, `1.`, `.5`, `+1` and the like.
    #[error("not a JSON number")]
    BadNumber,
    /// A backslash followed by what is no escape, or half a surrogate pair.
    #[error("not a JSON escape")]
    BadEscape,
    /// A control character in a string.
    #[error("a control character must be escaped in a string")]
    ControlCharacter,
    /// The bytes are not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// More nested than [`super::MAX_DEPTH`].
    #[error("nested more than {} deep", super::MAX_DEPTH)]
    TooDeep,
    /// More bytes than offsets can count.
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
