//! What was wrong with a message and did not stop the work.

use std::borrow::Cow;
use std::fmt;

use base::Severity;

/// One finding and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// What is wrong.
    pub kind: IssueKind,
    /// Where it was first seen.
    pub place: Place,
}

/// A place in a message. Numbers count from one; zero means *not so far down*.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The segment's number in the message, from one.
    pub segment: u32,
    /// Its name, where it has one of three letters.
    pub name: Option<[u8; 3]>,
    /// Which of the segments with this name, from one.
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

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IssueKind {
    /// The first segment is no MSH (nor FHS or BHS).
    NoHeader,
    /// Bytes stand before the header: a byte order mark, white space, a start block.
    BytesBeforeHeader,
    /// A second MSH in what should be one message.
    SecondHeader,
    /// MSH-1 or MSH-2 does not declare usable delimiters.
    BadDelimiters,
    /// MSH-9, MSH-10, MSH-11 or MSH-12 is empty.
    MissingHeaderField,
    /// A segment ends in LF or CRLF where the standard asks for CR.
    WrongTerminator,
    /// The last segment has no terminator.
    NoFinalTerminator,
    /// A line without anything in it.
    EmptyLine,
    /// A segment name is not three capital letters or digits, or what follows is no separator.
    BadSegmentName,
    /// A line feed inside a field.
    LineFeedInData,
    /// A control character inside a field.
    ControlCharacter,
    /// An escape character that begins no escape sequence.
    UnterminatedEscape,
    /// An escape sequence that no version defines.
    UnknownEscape,
    /// A hexadecimal escape with other than hexadecimal digits in pairs.
    BadHexEscape,
    /// A `\Cxxyy\` or `\Mxxyyzz\` escape to a set that is not known: kept as it is.
    CharsetEscape,
    /// MSH-18 names a character set that is not known or not supported here.
    UnknownCharset,
    /// MSH-18 names no set, but there are bytes beyond ASCII.
    UndeclaredCharset,
    /// The bytes are not in the character set that MSH-18 names.
    WrongCharset,
    /// MSH-18 names an alternative set, to be switched to by escape sequences, that is not known.
    AlternateCharsets,
    /// More separators or segments than are indexed; the rest is kept unsplit.
    TooManySeparators,
    /// More bytes than are indexed (4 GiB); the rest is kept.
    TooLong,
    /// More issues than are kept.
    TooManyIssues,
    /// MSH-12 names no version that is known; the nearest is used.
    UnknownVersion,
    /// Neither MSH-9.3 nor the event names a structure that is known.
    UnknownStructure,
    /// MSH-9.3 names another structure than the event has.
    WrongStructureId,
    /// The segment is known to the structure but stands in another place.
    MisplacedSegment,
    /// An ADD segment continues this segment: both are read as one.
    ContinuedSegment,
    /// The structure has no such segment.
    UnexpectedSegment,
    /// A required segment is not there; the place is where its group begins.
    MissingSegment,
    /// A file or batch trailer counts otherwise than what is there.
    WrongCount,
    /// An envelope segment is missing or stands in a wrong place.
    BadEnvelope,
}

// === impl Issue ===

impl Issue {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        use IssueKind as K;
        match self.kind {
            K::NoHeader
            | K::SecondHeader
            | K::BadDelimiters
            | K::TooLong
            | K::TooManySeparators
            | K::MissingHeaderField
            | K::WrongCount => Severity::Error,
            K::BadSegmentName
            | K::BytesBeforeHeader
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

    /// What is wrong and what was done, without any of the message's content.
    pub fn text(&self) -> &'static str {
        use IssueKind as K;
        match self.kind {
            K::NoHeader => "the message does not begin with MSH; the usual delimiters are taken",
            K::BytesBeforeHeader => "bytes stand before the header segment",
            K::SecondHeader => "a second MSH stands in one message; read it as a batch",
            K::BadDelimiters => "MSH-1 or MSH-2 is incomplete, ambiguous or too long",
            K::MissingHeaderField => "a required field of MSH is empty",
            K::WrongTerminator => "segments end in LF or CRLF; the standard asks for CR",
            K::NoFinalTerminator => "the last segment has no terminator",
            K::EmptyLine => "an empty line is skipped",
            K::BadSegmentName => "this line does not begin with a segment name; it is kept",
            K::LineFeedInData => "a line feed stands inside a field; it is taken as text",
            K::ControlCharacter => "a control character stands inside a field",
            K::UnterminatedEscape => "an escape sequence has no end; it is taken as text",
            K::UnknownEscape => "an unknown escape sequence is kept as text",
            K::BadHexEscape => "a hexadecimal escape is malformed; it is kept as text",
            K::CharsetEscape => "an escape to a character set that is not known is kept as text",
            K::UnknownCharset => "the character set of MSH-18 is not supported",
            K::UndeclaredCharset => "MSH-18 names no set for the characters beyond ASCII",
            K::WrongCharset => "the bytes are not in the character set that MSH-18 names",
            K::AlternateCharsets => "an alternative character set in MSH-18 is not known",
            K::TooManySeparators => {
                "too many separators or segments; the rest of the message is not split"
            }
            K::TooLong => "the message is too long; the rest is kept but not read",
            K::TooManyIssues => "there are more issues than are kept",
            K::UnknownVersion => "the version of MSH-12 is not known; the nearest one is used",
            K::UnknownStructure => "no message structure is known for MSH-9",
            K::WrongStructureId => {
                "MSH-9.3 is not the structure of this event; the event's is used"
            }
            K::MisplacedSegment => {
                "the segment stands in an odd place; it goes to its nearest group"
            }
            K::ContinuedSegment => "the segment goes on in an ADD segment; both are read as one",
            K::UnexpectedSegment => "this message structure has no such segment; it is kept",
            K::MissingSegment => "the group lacks a required segment",
            K::WrongCount => "the trailer's count is not what is there",
            K::BadEnvelope => "an envelope segment is missing or misplaced",
        }
    }

    /// The code of FHIR's `issue-type`.
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

    /// The same in the words that all formats share.
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
    /// As a path (`OBX[3]-5[1].2`); a segment without a name is `#4`, the whole message is empty.
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
