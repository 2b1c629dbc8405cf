//! A message before it is numbered: header values, segments, and its oddities.

use crate::lines::{Line, parts, repeats};
use crate::moment::Moment;
use crate::oddity::Oddity;
use crate::person::Person;
use crate::station::Station;
use base::Zone;

/// The data available to a station when it writes a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Desk<'a> {
    pub(crate) station: &'static Station,
    pub(crate) person: &'a Person,
    /// The time at which the message is written.
    pub(crate) at: Moment,
    pub(crate) zone: &'a Zone,
}

/// A message without its header.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) station: &'static Station,
    pub(crate) code: &'static str,
    /// MSH-7
    pub(crate) written: String,
    /// MSH-9
    pub(crate) message_type: String,
    pub(crate) lines: Vec<String>,
    pub(crate) odd: Vec<Oddity>,
}

// === impl Desk ===

impl Desk<'_> {
    pub(crate) fn time(&self, at: Moment) -> String {
        self.station.time(at, self.zone)
    }

    pub(crate) fn draft(&self, code: &'static str, event: &str, structure: &str) -> Draft {
        Draft {
            station: self.station,
            code,
            written: self.time(self.at),
            message_type: self.station.message_type(code, event, structure),
            lines: Vec::with_capacity(8),
            odd: Vec::new(),
        }
    }

    /// Builds a PID with everything that a registration knows.
    pub(crate) fn full_pid(&self, ids: &[String], known_at: Moment) -> Line {
        let person = self.person;
        let home = person.home(known_at);
        let middle = person.middle.map(String::from).unwrap_or_default();
        let (race, race_text) = person.race;
        let ethnicity = if person.is_hispanic {
            ["2135-2", "Hispanic or Latino", "CDCREC"]
        } else {
            ["2186-5", "Not Hispanic or Latino", "CDCREC"]
        };
        let telecom = if person.phone_gone.is_some_and(|gone| gone <= known_at) {
            "\"\"".to_owned()
        } else {
            repeats(&[
                parts(&[&person.phone, "PRN", "PH"]),
                parts(&["", "NET", "Internet", &person.email()]),
            ])
        };
        Line::new("PID")
            .raw(1, "1")
            .raw(3, &repeats(ids))
            .parts(5, &[&person.family, person.given, &middle, "", "", "", "L"])
            .raw(7, &person.birth.date())
            .raw(8, person.sex.code())
            .parts(10, &[race, race_text, "CDCREC"])
            .parts(
                11,
                &[&home.street, "", home.city, "ZZ", home.zip, "USA", "H"],
            )
            .raw(13, &telecom)
            .parts(15, &[person.language, "", "ISO639"])
            .parts(16, &[person.marital, "", "HL70002"])
            .parts(22, &ethnicity)
    }

    /// Builds a PID with name, date of birth and sex.
    pub(crate) fn short_pid(&self, ids: &[String]) -> Line {
        let person = self.person;
        Line::new("PID")
            .raw(1, "1")
            .raw(3, &repeats(ids))
            .parts(5, &[&person.family, person.given])
            .raw(7, &person.birth.date())
            .raw(8, person.sex.code())
    }

    /// Returns the person's doctor, as XCN.
    pub(crate) fn doctor(&self) -> String {
        let [number, family, given] = self.person.doctor;
        parts(&[
            number, family, given, "", "", "Dr", "", "", "ZZCLINIC", "", "", "", "DN",
        ])
    }

    /// Returns the clinic's number, as CX.
    pub(crate) fn clinic_id(&self) -> String {
        cx(self.person.clinic_number(self.at), "ZZCLINIC", "MR")
    }
}

/// Formats a number with its authority and type.
pub(crate) fn cx(number: &str, authority: &str, kind: &str) -> String {
    parts(&[number, "", "", authority, kind])
}

// === impl Draft ===

impl Draft {
    pub(crate) fn push(&mut self, line: Line) {
        self.lines.push(line.finish());
    }
}
