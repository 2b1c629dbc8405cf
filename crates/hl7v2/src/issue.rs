//! Problems in a message that did not stop processing.

use std::borrow::Cow;
use std::fmt;

use base::Severity;

/// One issue and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// The kind of issue.
    pub kind: IssueKind,
    /// The place of the first occurrence.
    pub place: Place,
}

/// A place in a message. Numbers count from one; zero means the place is not that specific.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The segment's number in the message, from one.
    pub segment: u32,
    /// The segment's name, if it is a three-letter one.
    pub name: Option<[u8; 3]>,
    /// The occurrence among the segments with this name, from one.
    pub occurrence: u32,
    /// The field.
    pub field: u32,
    /// The repeat.
    pub repeat: u32,
    /// The component.
    pub component: u32,
    /// The subcomponent.
    pub subcomponent: u32,
    /// The byte offset in the message.
    pub offset: u32,
}

/// The kinds of issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IssueKind {
    /// The first segment is not MSH (nor FHS or BHS).
    NoHeader,
    /// Bytes precede the header: a byte order mark, white space, a start block.
    BytesBeforeHeader,
    /// A second MSH occurs in what should be one message.
    SecondHeader,
    /// MSH-1 or MSH-2 does not declare usable delimiters.
    BadDelimiters,
    /// MSH-9, MSH-10, MSH-11 or MSH-12 is empty.
    MissingHeaderField,
    /// A segment ends in LF or CRLF where the standard requires CR.
    WrongTerminator,
    /// The last segment has no terminator.
    NoFinalTerminator,
    /// A line is empty.
    EmptyLine,
    /// A segment name is not three capital letters or digits, or is not followed by a separator.
    BadSegmentName,
    /// A line feed inside a field.
    LineFeedInData,
    /// A control character inside a field.
    ControlCharacter,
    /// An escape character does not begin an escape sequence.
    UnterminatedEscape,
    /// An escape sequence that no version defines.
    UnknownEscape,
    /// A hexadecimal escape contains anything other than pairs of hexadecimal digits.
    BadHexEscape,
    /// A `\Cxxyy\` or `\Mxxyyzz\` escape switches to an unknown set: kept verbatim.
    CharsetEscape,
    /// MSH-18 names a character set that is unknown or unsupported.
    UnknownCharset,
    /// MSH-18 names no set, but the message has non-ASCII bytes.
    UndeclaredCharset,
    /// The bytes are invalid in the character set that MSH-18 names.
    WrongCharset,
    /// MSH-18 names an unknown alternative set (one that escape sequences switch to).
    AlternateCharsets,
    /// The message has more separators or segments than are indexed; the rest is kept unsplit.
    TooManySeparators,
    /// The message has more bytes than are indexed (4 GiB); the rest is kept.
    TooLong,
    /// The message has more issues than are kept.
    TooManyIssues,
    /// MSH-12 names no known version; the nearest one is used.
    UnknownVersion,
    /// Neither MSH-9.3 nor the event names a known structure.
    UnknownStructure,
    /// MSH-9.3 names a structure other than the event's.
    WrongStructureId,
    /// The structure has this segment, but in another place.
    MisplacedSegment,
    /// An ADD segment continues this segment; both are read as one.
    ContinuedSegment,
    /// The structure has no such segment.
    UnexpectedSegment,
    /// A required segment is missing; the place is where its group begins.
    MissingSegment,
    /// The count in a file or batch trailer is wrong.
    WrongCount,
    /// An envelope segment is missing or misplaced.
    BadEnvelope,
}

// === impl Issue ===

impl Issue {
    /// Returns the severity.
    pub fn severity(&self) -> Severity {
        use IssueKind as K;
        match self.kind {
            K::NoHeader
            | K::SecondHeader
            | K::BadDelimiters
            | K::TooLong
            | K::TooManySeparators
            | K::MissingHeaderField
            | K::WrongCount
            // Most often a line end inside a field: what stands behind it is read by nobody.
            | K::BadSegmentName => Severity::Error,
            K::BytesBeforeHeader
            | K::LineFeedInData
            | K::ControlCharacter
            | K::UnterminatedEscape
            | K::UnknownEscape
            | K::BadHexEscape
            | K::CharsetEscape
            | K::UnknownCharset
            | K::UndeclaredCharset
            | K::WrongCharset
            | K::AlternateCharsets
            | K::UnknownVersion
            | K::UnknownStructure
            | K::MisplacedSegment
            | K::UnexpectedSegment
            | K::MissingSegment
            | K::TooManyIssues
            | K::BadEnvelope
            | K::WrongTerminator => Severity::Warning,
            K::NoFinalTerminator | K::EmptyLine | K::WrongStructureId | K::ContinuedSegment => {
                Severity::Information
            }
        }
    }

    /// Describes the issue and how it was handled, without any of the message's content.
    pub fn text(&self) -> &'static str {
        use IssueKind as K;
        match self.kind {
            K::NoHeader => "the message does not begin with MSH; the default delimiters are used",
            K::BytesBeforeHeader => "there are bytes before the header segment",
            K::SecondHeader => "the message contains a second MSH; read it as a batch",
            K::BadDelimiters => "MSH-1 or MSH-2 is incomplete, ambiguous or too long",
            K::MissingHeaderField => "a required field of MSH is empty",
            K::WrongTerminator => "segments end in LF or CRLF; the standard requires CR",
            K::NoFinalTerminator => "the last segment has no terminator",
            K::EmptyLine => "an empty line is skipped",
            K::BadSegmentName => {
                "this line does not begin with a segment name; it is kept but not read"
            }
            K::LineFeedInData => "a field contains a line feed; it is kept as text",
            K::ControlCharacter => "a field contains a control character",
            K::UnterminatedEscape => "an escape sequence has no end; it is kept as text",
            K::UnknownEscape => "an unknown escape sequence is kept as text",
            K::BadHexEscape => "a hexadecimal escape is malformed; it is kept as text",
            K::CharsetEscape => "an escape to an unknown character set is kept as text",
            K::UnknownCharset => "the character set of MSH-18 is not supported",
            K::UndeclaredCharset => {
                "MSH-18 names no character set, but the message is not plain ASCII"
            }
            K::WrongCharset => "the bytes are invalid in the character set that MSH-18 names",
            K::AlternateCharsets => "an alternative character set in MSH-18 is unknown",
            K::TooManySeparators => {
                "too many separators or segments; the rest of the message is not split"
            }
            K::TooLong => "the message is too long; the rest is kept but not read",
            K::TooManyIssues => "there are too many issues; the rest are not listed",
            K::UnknownVersion => "the version in MSH-12 is unknown; the nearest one is used",
            K::UnknownStructure => "no message structure is known for MSH-9",
            K::WrongStructureId => {
                "MSH-9.3 does not match the structure of this event; the event's is used"
            }
            K::MisplacedSegment => {
                "the segment is out of place; it is assigned to the nearest group"
            }
            K::ContinuedSegment => "the segment continues in an ADD segment; both are read as one",
            K::UnexpectedSegment => "this message structure has no such segment; it is kept",
            K::MissingSegment => "the group lacks a required segment",
            K::WrongCount => "the trailer's count is not what is there",
            K::BadEnvelope => "an envelope segment is missing or misplaced",
        }
    }

    /// Returns the code of FHIR's `issue-type`.
    pub fn code(&self) -> &'static str {
        use IssueKind as K;
        match self.kind {
            K::MissingHeaderField | K::MissingSegment => "required",
            K::UnknownCharset
            | K::AlternateCharsets
            | K::CharsetEscape
            | K::UnknownVersion
            | K::UnknownStructure => "not-supported",
            K::TooLong | K::TooManySeparators | K::TooManyIssues => "too-long",
            K::UnterminatedEscape
            | K::UnknownEscape
            | K::BadHexEscape
            | K::ControlCharacter
            | K::LineFeedInData
            | K::UndeclaredCharset
            | K::WrongCharset => "value",
            K::NoHeader
            | K::BytesBeforeHeader
            | K::SecondHeader
            | K::BadDelimiters
            | K::WrongTerminator
            | K::NoFinalTerminator
            | K::EmptyLine
            | K::BadSegmentName
            | K::WrongStructureId
            | K::MisplacedSegment
            | K::ContinuedSegment
            | K::UnexpectedSegment
            | K::WrongCount
            | K::BadEnvelope => "structure",
        }
    }

    /// Converts to the issue type that all formats share.
    pub fn to_base(&self) -> base::Issue {
        base::Issue {
            severity: self.severity(),
            code: self.code(),
            location: self.place.to_string(),
            text: Cow::Borrowed(self.text()),
        }
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.to_base(), self.place.offset)
    }
}

// === impl Place ===

impl fmt::Display for Place {
    /// Formats the place as a path (`OBX[3]-5[1].2`); a segment without a name is `#4`, the whole
    /// message is empty.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.segment, self.name) {
            (0, _) => return Ok(()),
            (number, None) => write!(f, "#{number}")?,
            (_, Some(name)) => f.write_str(&String::from_utf8_lossy(&name))?,
        }
        if self.name.is_some() && self.occurrence > 1 {
            write!(f, "[{}]", self.occurrence)?;
        }
        if self.field > 0 {
            write!(f, "-{}", self.field)?;
            if self.repeat > 1 {
                write!(f, "[{}]", self.repeat)?;
            }
        }
        for part in [self.component, self.subcomponent] {
            if part == 0 {
                break;
            }
            write!(f, ".{part}")?;
        }
        Ok(())
    }
}
