//! The senders: the peers and the systems within each, with their versions and habits.

use crate::moment::Moment;
use crate::names::ascii;
use base::Zone;
use std::borrow::Cow;
use std::fmt;

/// A peer with a connection of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Peer {
    /// ADT and SIU.
    Clinic,
    /// ORU.
    Laboratory,
    /// RDE and RDS.
    Pharmacy,
    /// VXU.
    Immunization,
}

/// One sending system.
#[derive(Debug)]
pub(crate) struct Station {
    pub(crate) peer: Peer,
    /// MSH-3.
    pub(crate) application: &'static str,
    /// MSH-4, also the authority that assigns the system's numbers.
    pub(crate) facility: &'static str,
    pub(crate) version: &'static str,
    pub(crate) charset: Charset,
    /// The system writes the offset from UTC with each time.
    pub(crate) writes_offset: bool,
    /// The system asks for enhanced acknowledgements: MSH-15 AL, MSH-16 NE.
    pub(crate) is_enhanced: bool,
}

/// The character set of a station's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charset {
    Ascii,
    Utf8,
    Latin1,
    Windows1252,
}

const CLINIC: Station = Station {
    peer: Peer::Clinic,
    application: "REGIS",
    facility: "ZZCLINIC",
    version: "2.5.1",
    charset: Charset::Utf8,
    writes_offset: false,
    is_enhanced: false,
};
const LABORATORY: Station = Station {
    peer: Peer::Laboratory,
    application: "CORELAB",
    facility: "ZZLAB",
    charset: Charset::Latin1,
    writes_offset: true,
    ..CLINIC
};
const PHARMACY: Station = Station {
    peer: Peer::Pharmacy,
    application: "RXDESK",
    facility: "ZZPHARM",
    version: "2.6",
    charset: Charset::Windows1252,
    is_enhanced: true,
    ..CLINIC
};
const IMMUNIZATION: Station = Station {
    peer: Peer::Immunization,
    application: "SHOTS",
    facility: "ZZIMM",
    writes_offset: true,
    ..CLINIC
};

pub(crate) static REGISTRATION: Station = CLINIC;
pub(crate) static MASTER_INDEX: Station = Station {
    application: "MASTER",
    version: "2.4",
    charset: Charset::Latin1,
    ..CLINIC
};
pub(crate) static CALENDAR: Station = Station {
    application: "CALENDAR",
    version: "2.3.1",
    charset: Charset::Ascii,
    ..CLINIC
};
pub(crate) static CORE_LABORATORY: Station = LABORATORY;
pub(crate) static MICROBIOLOGY: Station = Station {
    application: "MICROLAB",
    version: "2.3",
    charset: Charset::Ascii,
    writes_offset: false,
    ..LABORATORY
};
pub(crate) static ORDER_DESK: Station = PHARMACY;
pub(crate) static DISPENSARY: Station = Station {
    application: "RXOUT",
    version: "2.5",
    charset: Charset::Ascii,
    is_enhanced: false,
    ..PHARMACY
};
pub(crate) static SHOTS: Station = IMMUNIZATION;
pub(crate) static SCHOOL_SHOTS: Station = Station {
    application: "SCHOOL",
    version: "2.8",
    ..IMMUNIZATION
};

// === impl Peer ===

impl Peer {
    /// All peers, in display order.
    pub const ALL: [Self; 4] = [
        Self::Clinic,
        Self::Laboratory,
        Self::Pharmacy,
        Self::Immunization,
    ];

    /// Returns the name of the peer's flow.
    pub fn name(self) -> &'static str {
        match self {
            Self::Clinic => "clinic",
            Self::Laboratory => "laboratory",
            Self::Pharmacy => "pharmacy",
            Self::Immunization => "immunization",
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

// === impl Station ===

impl Station {
    /// Formats a time as this station writes it.
    pub(crate) fn time(&self, at: Moment, zone: &Zone) -> String {
        if self.writes_offset {
            at.with_offset(zone)
        } else {
            at.local()
        }
    }

    /// Returns the coded type: CWE since 2.5, CE before.
    pub(crate) fn coded_type(&self) -> &'static str {
        if self.version < "2.5" { "CE" } else { "CWE" }
    }

    /// Formats MSH-9; the structure's name was added in 2.3.1.
    pub(crate) fn message_type(&self, code: &str, event: &str, structure: &str) -> String {
        if self.version < "2.3.1" {
            format!("{code}^{event}")
        } else {
            format!("{code}^{event}^{structure}")
        }
    }
}

// === impl Charset ===

impl Charset {
    /// Returns the name for MSH-18.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ascii => "",
            Self::Utf8 => "UNICODE UTF-8",
            Self::Latin1 => "8859/1",
            Self::Windows1252 => "windows-1252",
        }
    }

    /// Encodes the text. Characters missing from the set are written in ASCII, as old systems do.
    pub(crate) fn encode(self, text: &str) -> Vec<u8> {
        let text = match self {
            Self::Ascii => Cow::Owned(ascii(text)),
            Self::Latin1 => Cow::Owned(text.replace('’', "'").replace('–', "-")),
            Self::Utf8 | Self::Windows1252 => Cow::Borrowed(text),
        };
        let set = match self {
            Self::Ascii | Self::Utf8 => hl7v2::Charset::UTF_8,
            Self::Latin1 | Self::Windows1252 => {
                hl7v2::Charset::named(self.name()).unwrap_or(hl7v2::Charset::UTF_8)
            }
        };
        set.encode(&text).into_owned()
    }
}
