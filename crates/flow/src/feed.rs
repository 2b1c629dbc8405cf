//! The name of a flow's source, and its health.
//!
//! Invariants:
//! - a name is what the senders call themselves (MSH-3 and MSH-4), most recent first, unless the
//!   configuration has one; never a port;
//! - a feed that is not behaving as usual shows it, with the time since when: "running" only means
//!   that the port is open.

use crate::events::CloseReason;
use base::Timestamp;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use store::journal::Header;

/// A sender: MSH-3 and MSH-4 as the messages have them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sender {
    /// First component of MSH-3.
    pub application: String,
    /// First component of MSH-4.
    pub facility: String,
}

/// The health of a flow's source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Feed {
    /// Messages arrive as usual, as far as is known.
    #[default]
    Heard,
    /// No message has come yet.
    NoneYet,
    /// Nobody is connected and nothing has arrived since then. A sender that opens a connection for
    /// each message looks like this between two messages if they are a minute apart.
    Away(Timestamp),
    /// The sender had a long-lived connection, which ended then.
    Gone(Timestamp),
    /// The last message arrived then, and on earlier occasions messages arrived at this time of
    /// day.
    Silent(Timestamp),
}

/// The senders of one flow, most recent first.
#[derive(Debug, Default)]
pub(crate) struct Senders(Mutex<Vec<Sender>>);

/// The end of a long-lived connection, until another is opened.
#[derive(Debug, Default)]
pub(crate) struct Lost(AtomicI64);

/// The facts by which a source is judged.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    /// Open connections.
    pub(crate) connections: usize,
    /// End of a long-lived connection, where none was opened since.
    pub(crate) lost: Option<Timestamp>,
    /// Time of the last message.
    pub(crate) last: Option<Timestamp>,
    /// True if messages arrived in the same hours yesterday; none where the flow is younger.
    pub(crate) yesterday: Option<bool>,
    /// True if messages arrived in the same hours a week ago; none where the flow is younger.
    pub(crate) last_week: Option<bool>,
    /// Longest silence in the last hour, before the current one, in minutes.
    pub(crate) gap_minutes: usize,
}

/// Maximum number of senders remembered per flow.
const MAX_SENDERS: usize = 8;
/// Minimum age of a long-lived connection, as opposed to one per message.
const LASTING: i64 = 5 * MINUTE;
/// Time that a sender may take to reconnect.
const GRACE: i64 = MINUTE;
/// Minimum length of a silence that counts.
const QUIET: i64 = 10 * MINUTE;
const MINUTE: i64 = 60_000_000;

// === impl Sender ===

impl Sender {
    fn of(header: &Header) -> Self {
        let first = |field: &str| field.split('^').next().unwrap_or_default().to_owned();
        Self {
            application: first(&header.sending_application),
            facility: first(&header.sending_facility),
        }
    }

    fn is_of(&self, header: &Header) -> bool {
        let is = |own: &str, field: &str| field.split('^').next() == Some(own);
        is(&self.application, &header.sending_application)
            && is(&self.facility, &header.sending_facility)
    }
}

/// Formats as `LAB at NORTH`.
impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.application.as_str(), self.facility.as_str()) {
            ("", "") => f.write_str("a sender without a name"),
            (application, "") => f.write_str(application),
            ("", facility) => f.write_str(facility),
            (application, facility) => write!(f, "{application} at {facility}"),
        }
    }
}

// === impl Senders ===

impl Senders {
    /// Records the sender of a message. Usually it is the sender of the previous one.
    pub(crate) fn record(&self, header: &Header) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.iter().position(|sender| sender.is_of(header)) {
            Some(0) => {}
            Some(at) => {
                let sender = seen.remove(at);
                seen.insert(0, sender);
            }
            None => {
                seen.truncate(MAX_SENDERS - 1);
                seen.insert(0, Sender::of(header));
            }
        }
    }

    pub(crate) fn all(&self) -> Vec<Sender> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }
}

// === impl Lost ===

impl Lost {
    pub(crate) fn connected(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Records the end of a connection that was open since then. A connection is not lost where the
    /// sender has others, opens one per message, or we closed it.
    pub(crate) fn ended(&self, (since, now): (Timestamp, Timestamp), reason: CloseReason) {
        let is_ours = matches!(reason, CloseReason::Draining | CloseReason::JournalFailed);
        if !is_ours && LASTING <= now.micros() - since.micros() {
            self.0.store(now.micros(), Ordering::Relaxed);
        }
    }

    pub(crate) fn since(&self) -> Option<Timestamp> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(Timestamp::from_micros(micros)),
        }
    }
}

// === impl Feed ===

impl Feed {
    /// Judges a source.
    ///
    /// A silence is unusual where messages arrived in the same hours a week ago; where the flow is
    /// younger, in the same hours yesterday; where it is younger still, where the silence is three
    /// times as long as any in the last hour. Nights and weekends are therefore quiet without
    /// configuration.
    pub(crate) fn judge(known: &Known, now: Timestamp) -> Self {
        let Some(last) = known.last else {
            return Self::NoneYet;
        };
        if let Some(lost) = known.lost
            && known.connections == 0
            && GRACE <= now.micros() - lost.micros()
        {
            return Self::Gone(lost);
        }
        let silence = now.micros() - last.micros();
        let usual = match known.connections {
            0 if GRACE <= silence => Self::Away(last),
            _ => Self::Heard,
        };
        if silence < QUIET {
            return usual;
        }
        let is_unusual = known.last_week.or(known.yesterday).unwrap_or_else(|| {
            let longest = i64::try_from(known.gap_minutes).unwrap_or(i64::MAX);
            longest.saturating_mul(3 * MINUTE) <= silence
        });
        if is_unusual {
            Self::Silent(last)
        } else {
            usual
        }
    }

    /// Returns the word for this state; none where all is as usual.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::Heard => None,
            Self::NoneYet => Some("nothing heard yet"),
            Self::Away(_) | Self::Gone(_) => Some("no connection"),
            Self::Silent(_) => Some("silent"),
        }
    }

    /// Returns the time since when this state holds.
    pub fn since(self) -> Option<Timestamp> {
        match self {
            Self::Away(since) | Self::Gone(since) | Self::Silent(since) => Some(since),
            Self::Heard | Self::NoneYet => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn minutes(n: i64) -> Timestamp {
        Timestamp::from_micros(n * MINUTE)
    }

    const NOW: i64 = 20_000;

    fn at(known: Known) -> Feed {
        Feed::judge(&known, minutes(NOW))
    }

    #[test]
    fn a_feed_looks_what_is_heard_of_it() {
        let heard = |ago: i64| Known {
            last: Some(minutes(NOW - ago)),
            connections: 1,
            ..Known::default()
        };
        let away = |ago: i64| Known {
            connections: 0,
            ..heard(ago)
        };
        let lost = |ago: i64, connections| Known {
            lost: Some(minutes(NOW - ago)),
            connections,
            ..heard(7)
        };
        let before = |yesterday, last_week| Known {
            yesterday,
            last_week,
            ..heard(25)
        };
        let gap = |gap_minutes| Known {
            gap_minutes,
            ..heard(25)
        };
        for (why, known, expected) in [
            ("nobody ever sent", Known::default(), Feed::NoneYet),
            ("a moment ago", heard(1), Feed::Heard),
            (
                "gone for 5 minutes",
                lost(5, 0),
                Feed::Gone(minutes(NOW - 5)),
            ),
            (
                "it may come back",
                Known {
                    lost: Some(minutes(NOW)),
                    ..away(0)
                },
                Feed::Heard,
            ),
            ("one for each message", away(0), Feed::Heard),
            (
                "between two messages",
                away(3),
                Feed::Away(minutes(NOW - 3)),
            ),
            ("it came back", lost(5, 1), Feed::Heard),
            (
                "others came yesterday",
                before(Some(true), None),
                Feed::Silent(minutes(NOW - 25)),
            ),
            (
                "quiet yesterday too",
                before(Some(false), None),
                Feed::Heard,
            ),
            ("a Saturday", before(Some(true), Some(false)), Feed::Heard),
            (
                "a Monday",
                before(Some(false), Some(true)),
                Feed::Silent(minutes(NOW - 25)),
            ),
            ("a young flow", gap(2), Feed::Silent(minutes(NOW - 25))),
            ("a slow young flow", gap(12), Feed::Heard),
        ] {
            assert_eq!(at(known), expected, "{why}");
        }
    }

    proptest! {
        /// Silence never ends by itself: a silent feed is still silent later if nothing arrives.
        #[test]
        fn silence_stays(ago in 0..600_i64, later in 0..600_i64, gap in 0..60_usize,
                         yesterday: Option<bool>, last_week: Option<bool>) {
            let known = Known {
                last: Some(minutes(NOW - ago)),
                yesterday,
                last_week,
                gap_minutes: gap,
                ..Known::default()
            };
            if let Feed::Silent(since) = Feed::judge(&known, minutes(NOW)) {
                prop_assert_eq!(Feed::judge(&known, minutes(NOW + later)), Feed::Silent(since));
            }
        }
    }

    #[test]
    fn senders_are_named_by_themselves() {
        let header = |application: &str, facility: &str| Header {
            sending_application: application.to_owned(),
            sending_facility: facility.to_owned(),
            ..Header::default()
        };
        let senders = Senders::default();
        for n in 0..20 {
            senders.record(&header(&format!("APP{n}"), "F"));
        }
        senders.record(&header("LAB^1.2.3^ISO", "NORTH^4.5.6^ISO"));
        senders.record(&header("APP19", "F"));
        senders.record(&header("LAB", "NORTH"));
        let names: Vec<String> = senders.all().iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), MAX_SENDERS);
        assert_eq!(names[..2], ["LAB at NORTH", "APP19 at F"]);
        assert_eq!(Sender::of(&header("", "F")).to_string(), "F");
        assert_eq!(Sender::of(&header("A", "")).to_string(), "A");
    }

    #[test]
    fn only_a_connection_that_lasted_is_missed() {
        let lost = Lost::default();
        lost.ended((minutes(0), minutes(1)), CloseReason::PeerClosed);
        assert_eq!(lost.since(), None);
        lost.ended((minutes(0), minutes(9)), CloseReason::Draining);
        assert_eq!(lost.since(), None);
        lost.ended((minutes(0), minutes(9)), CloseReason::PeerClosed);
        assert_eq!(lost.since(), Some(minutes(9)));
        lost.connected();
        assert_eq!(lost.since(), None);
    }
}
