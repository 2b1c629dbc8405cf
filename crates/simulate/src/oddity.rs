//! Irregularities of real senders, each with its frequency.

use crate::draft::Draft;
use crate::lines::{field, with_field};
use crate::random::Random;
use crate::station::{Charset, Peer};
use hl7v2::IssueKind;
use std::fmt;

/// An irregularity of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Oddity {
    /// Segments end in LF.
    LineFeeds,
    /// Segments end in CRLF.
    CarriageReturnLineFeeds,
    /// MSH-18 names a character set other than the one used.
    WrongCharset,
    /// Segments end in superfluous separators.
    TrailingSeparators,
    /// MSH-10 is empty.
    MissingControlId,
    /// MSH-11 is T.
    Training,
    /// A Z segment.
    LocalSegment,
    /// A segment that no version defines.
    UnknownSegment,
    /// PV1 precedes PID.
    WrongOrder,
    /// A date that does not exist.
    BadDate,
    /// A code that is not in its table.
    UnknownCode,
    /// Text where OBX-2 announces a number.
    TextInNumber,
    /// The same message, sent again.
    Repeat,
    /// The counter was reset: another message had this control id.
    ReusedControlId,
    /// A message type without a map.
    NoMap,
    /// The PID of a result has little more than number and name.
    SparsePid,
    /// `""` deletes a value.
    Deletion,
    /// A result or vaccination that was reported differently before.
    Correction,
    /// A result for another person's specimen.
    Withdrawal,
    /// Two patient numbers become one person.
    Merge,
    /// Information older than what was already reported.
    LateNews,
    /// The laboratory does not know the clinic's number.
    OwnNumberOnly,
}

/// The oddities drawn for each message that they can apply to, with their shares. A message gets at
/// most one.
pub const SHARES: [(Oddity, f64); 12] = [
    (Oddity::LineFeeds, 0.02),
    (Oddity::CarriageReturnLineFeeds, 0.01),
    (Oddity::WrongCharset, 0.02),
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
/// The share of completed visits followed by a charge, which no map accepts.
pub const CHARGED: f64 = 0.01;
/// The number of messages after which the laboratory's counter is reset.
pub const COUNTER_SET_BACK_AFTER: u32 = 60;

/// Changes to make to the finished bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wire {
    pub(crate) terminator: &'static str,
    pub(crate) charset: Charset,
    pub(crate) processing_id: &'static str,
    pub(crate) has_control_id: bool,
}

/// Draws at most one oddity and applies it to the message.
pub(crate) fn apply(draft: &mut Draft, random: &mut Random) -> Wire {
    let mut wire = Wire {
        terminator: "\r",
        charset: draft.station.charset,
        processing_id: "P",
        has_control_id: true,
    };
    let mut drawn = random.unit();
    for (oddity, share) in SHARES
        .into_iter()
        .filter(|(oddity, _)| oddity.applies_to(draft))
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
    /// Returns the issues that a parser reports for it. None if only the meaning is odd.
    pub fn issues(self) -> &'static [IssueKind] {
        match self {
            Self::LineFeeds | Self::CarriageReturnLineFeeds => &[IssueKind::WrongTerminator],
            Self::WrongCharset => &[IssueKind::WrongCharset],
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

    /// Returns whether the oddity can apply to this message.
    pub(crate) fn applies_to(self, draft: &Draft) -> bool {
        let is_adt = draft.code == "ADT";
        match self {
            Self::LineFeeds => draft.station.peer == Peer::Laboratory,
            Self::CarriageReturnLineFeeds => draft.station.peer == Peer::Pharmacy,
            Self::WrongCharset => {
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
            Self::WrongCharset => wire.charset = Charset::Latin1,
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
            Self::WrongCharset => "MSH-18 names the wrong character set",
            Self::TrailingSeparators => "trailing separators",
            Self::MissingControlId => "no MSH-10",
            Self::Training => "MSH-11 T",
            Self::LocalSegment => "Z segment",
            Self::UnknownSegment => "unknown segment",
            Self::WrongOrder => "wrong segment order",
            Self::BadDate => "bad date",
            Self::UnknownCode => "unknown code",
            Self::TextInNumber => "text in a number",
            Self::Repeat => "the same message sent again",
            Self::ReusedControlId => "reused control id",
            Self::NoMap => "no map for its type",
            Self::SparsePid => "sparse PID",
            Self::Deletion => "a value is deleted",
            Self::Correction => "correction",
            Self::Withdrawal => "withdrawal",
            Self::Merge => "merge",
            Self::LateNews => "late, outdated information",
            Self::OwnNumberOnly => "only the laboratory's number",
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
