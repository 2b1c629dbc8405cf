//! The messy things that real senders do, each with its share.

use crate::draft::Draft;
use crate::lines::{field, with_field};
use crate::random::Random;
use crate::station::{Charset, Peer};
use hl7v2::IssueKind;
use std::fmt;

/// What is odd about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Oddity {
    /// Segments end in LF.
    LineFeeds,
    /// Segments end in CRLF.
    CarriageReturnLineFeeds,
    /// MSH-18 names another character set than the bytes are in.
    LyingCharset,
    /// Segments end in separators with nothing between them.
    TrailingSeparators,
    /// MSH-10 is empty.
    MissingControlId,
    /// MSH-11 is T.
    Training,
    /// A Z segment.
    LocalSegment,
    /// A segment that no version knows.
    UnknownSegment,
    /// PV1 stands before PID.
    WrongOrder,
    /// A date that no calendar has.
    BadDate,
    /// A code that its table does not have.
    UnknownCode,
    /// A text where OBX-2 promises a number.
    TextInNumber,
    /// The same message once more.
    Repeat,
    /// The counter was set back: another message had this control id.
    ReusedControlId,
    /// A type of message that no map takes.
    NoMap,
    /// The PID of a result with hardly more than number and name.
    SparsePid,
    /// `""` deletes a value.
    Deletion,
    /// A result or a vaccination that was told otherwise before.
    Correction,
    /// A result of another person's specimen.
    Withdrawal,
    /// Two numbers become one person.
    Merge,
    /// Older news than what was told before.
    LateNews,
    /// The laboratory does not know the clinic's number.
    OwnNumberOnly,
}

/// The oddities that are drawn for each message that they can befall, with the share of those.
/// At most one befalls a message.
pub const SHARES: [(Oddity, f64); 12] = [
    (Oddity::LineFeeds, 0.02),
    (Oddity::CarriageReturnLineFeeds, 0.01),
    (Oddity::LyingCharset, 0.02),
    (Oddity::TrailingSeparators, 0.03),
    (Oddity::MissingControlId, 0.002),
    (Oddity::Training, 0.004),
    (Oddity::LocalSegment, 0.06),
    (Oddity::UnknownSegment, 0.005),
    (Oddity::WrongOrder, 0.006),
    (Oddity::BadDate, 0.006),
    (Oddity::UnknownCode, 0.008),
    (Oddity::TextInNumber, 0.015),
];
/// The share of messages that are sent twice.
pub const REPEATED: f64 = 0.01;
/// The share of ended visits that are followed by a charge, which no map takes.
pub const CHARGED: f64 = 0.01;
/// The laboratory's counter starts again after so many messages.
pub const COUNTER_SET_BACK_AFTER: u32 = 60;

/// What is done to the finished bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wire {
    pub(crate) terminator: &'static str,
    pub(crate) charset: Charset,
    pub(crate) processing_id: &'static str,
    pub(crate) has_control_id: bool,
}

/// Draws at most one oddity and works it into the message.
pub(crate) fn befall(draft: &mut Draft, random: &mut Random) -> Wire {
    let mut wire = Wire {
        terminator: "\r",
        charset: draft.station.charset,
        processing_id: "P",
        has_control_id: true,
    };
    let mut drawn = random.unit();
    for (oddity, share) in SHARES
        .into_iter()
        .filter(|(oddity, _)| oddity.can_befall(draft))
    {
        if drawn < share {
            oddity.work_into(draft, &mut wire);
            draft.odd.push(oddity);
            break;
        }
        drawn -= share;
    }
    wire
}

// === impl Oddity ===

impl Oddity {
    /// What a parser says about it. Nothing: it is only the meaning that is odd.
    pub fn issues(self) -> &'static [IssueKind] {
        match self {
            Self::LineFeeds | Self::CarriageReturnLineFeeds => &[IssueKind::WrongTerminator],
            Self::LyingCharset => &[IssueKind::WrongCharset],
            Self::MissingControlId => &[IssueKind::MissingHeaderField],
            Self::UnknownSegment => &[IssueKind::UnexpectedSegment],
            Self::WrongOrder => &[IssueKind::MisplacedSegment],
            Self::TrailingSeparators
            | Self::Training
            | Self::LocalSegment
            | Self::BadDate
            | Self::UnknownCode
            | Self::TextInNumber
            | Self::Repeat
            | Self::ReusedControlId
            | Self::NoMap
            | Self::SparsePid
            | Self::Deletion
            | Self::Correction
            | Self::Withdrawal
            | Self::Merge
            | Self::LateNews
            | Self::OwnNumberOnly => &[],
        }
    }

    /// Whether it can befall this message.
    pub(crate) fn can_befall(self, draft: &Draft) -> bool {
        let is_adt = draft.code == "ADT";
        match self {
            Self::LineFeeds => draft.station.peer == Peer::Laboratory,
            Self::CarriageReturnLineFeeds => draft.station.peer == Peer::Pharmacy,
            Self::LyingCharset => {
                draft.station.charset == Charset::Utf8
                    && draft.lines.iter().any(|line| !line.is_ascii())
            }
            Self::TrailingSeparators
            | Self::MissingControlId
            | Self::Training
            | Self::UnknownSegment => true,
            Self::LocalSegment | Self::WrongOrder | Self::BadDate => is_adt && draft.has("PV1"),
            Self::UnknownCode => is_adt,
            Self::TextInNumber => draft.lines.iter().any(|line| is_number(line)),
            Self::Repeat
            | Self::ReusedControlId
            | Self::NoMap
            | Self::SparsePid
            | Self::Deletion
            | Self::Correction
            | Self::Withdrawal
            | Self::Merge
            | Self::LateNews
            | Self::OwnNumberOnly => false,
        }
    }

    fn work_into(self, draft: &mut Draft, wire: &mut Wire) {
        match self {
            Self::LineFeeds => wire.terminator = "\n",
            Self::CarriageReturnLineFeeds => wire.terminator = "\r\n",
            Self::LyingCharset => wire.charset = Charset::Latin1,
            Self::TrailingSeparators => {
                for line in &mut draft.lines {
                    line.push_str("|||");
                }
            }
            Self::MissingControlId => wire.has_control_id = false,
            Self::Training => wire.processing_id = "T",
            Self::LocalSegment => draft
                .lines
                .push("ZPV|1|LOCAL|A value of this site alone".to_owned()),
            Self::UnknownSegment => draft.lines.push("XQX|1|what is this".to_owned()),
            Self::WrongOrder => {
                if let Some(at) = draft.lines.iter().position(|line| line.starts_with("PV1")) {
                    let visit = draft.lines.remove(at);
                    draft.lines.insert(1.min(draft.lines.len()), visit);
                }
            }
            Self::BadDate => draft.change("PV1", 44, "20251350"),
            Self::UnknownCode => draft.change("PID", 8, "7"),
            Self::TextInNumber => {
                if let Some(line) = draft.lines.iter_mut().find(|line| is_number(line)) {
                    *line = with_field(&with_field(line, 5, "HEMOLYZED"), 8, "");
                }
            }
            Self::Repeat
            | Self::ReusedControlId
            | Self::NoMap
            | Self::SparsePid
            | Self::Deletion
            | Self::Correction
            | Self::Withdrawal
            | Self::Merge
            | Self::LateNews
            | Self::OwnNumberOnly => {}
        }
    }
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LineFeeds => "LF terminators",
            Self::CarriageReturnLineFeeds => "CRLF terminators",
            Self::LyingCharset => "MSH-18 names the wrong character set",
            Self::TrailingSeparators => "trailing separators",
            Self::MissingControlId => "no MSH-10",
            Self::Training => "MSH-11 T",
            Self::LocalSegment => "Z segment",
            Self::UnknownSegment => "unknown segment",
            Self::WrongOrder => "wrong segment order",
            Self::BadDate => "bad date",
            Self::UnknownCode => "unknown code",
            Self::TextInNumber => "text in a number",
            Self::Repeat => "the same message again",
            Self::ReusedControlId => "control id used before",
            Self::NoMap => "no map for its type",
            Self::SparsePid => "sparse PID",
            Self::Deletion => "a value is deleted",
            Self::Correction => "correction",
            Self::Withdrawal => "withdrawal",
            Self::Merge => "merge",
            Self::LateNews => "late news",
            Self::OwnNumberOnly => "the laboratory's number alone",
        })
    }
}

fn is_number(line: &str) -> bool {
    line.starts_with("OBX") && field(line, 2) == "NM"
}

// === impl Draft ===

impl Draft {
    fn has(&self, name: &str) -> bool {
        self.lines.iter().any(|line| line.starts_with(name))
    }

    fn change(&mut self, name: &str, number: usize, value: &str) {
        if let Some(line) = self.lines.iter_mut().find(|line| line.starts_with(name)) {
            *line = with_field(line, number, value);
        }
    }
}
