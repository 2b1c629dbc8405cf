//! The whole town: lives in time order, each event written by its peer's system and sent as bytes.

use crate::draft::{Desk, Draft};
use crate::event::{Admission, Deed, Event};
use crate::life::Life;
use crate::moment::{DAY, Moment, ZONE};
use crate::oddity::{self, CHARGED, COUNTER_SET_BACK_AFTER, Oddity, REPEATED, Wire};
use crate::person::Person;
use crate::random::Random;
use crate::station::{CALENDAR, MASTER_INDEX, Peer, REGISTRATION, Station};
use crate::{clinic, immunization, laboratory, pharmacy};
use base::{Timestamp, Zone};
use std::collections::{BTreeMap, VecDeque};

/// 2025-01-06, a Monday; the twelve weeks from it include a clock change.
pub const START: Timestamp = Timestamp::from_micros(1_736_121_600_000_000);

/// Options of a simulation. The same options give the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The seed; another seed gives other people with other numbers.
    pub seed: u64,
    /// The first day.
    pub start: Timestamp,
    /// The number of people in the town.
    pub n_patients: usize,
    /// The number of weeks simulated.
    pub weeks: u32,
}

/// One sent message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The sending peer.
    pub peer: Peer,
    /// The simulated time of sending.
    pub at: Timestamp,
    /// The message, without the MLLP frame.
    pub bytes: Vec<u8>,
    /// The oddities of the message.
    pub note: Vec<Oddity>,
}

/// The messages of the town in time order.
#[derive(Debug)]
pub struct Simulation {
    seed: u64,
    zone: Zone,
    people: Vec<Person>,
    /// The time at which each person first appeared.
    first: Vec<Moment>,
    events: std::vec::IntoIter<Event>,
    /// The last control number of each system, and whether its counter was reset.
    counters: BTreeMap<&'static str, (u32, bool)>,
    /// Messages that follow immediately: a charge, a repeat.
    waiting: VecDeque<Sent>,
    n_events: u64,
}

// === impl Options ===

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            start: START,
            n_patients: 300,
            weeks: 12,
        }
    }
}

// === impl Simulation ===

impl Simulation {
    /// Creates the town with these options.
    pub fn new(options: Options) -> Self {
        let start = Moment::day_of(options.start);
        let end = start.plus(i64::from(options.weeks) * 7 * DAY);
        let people: Vec<Person> = (1..=options.n_patients as u64)
            .map(|number| Person::new(options.seed, number, start, options.weeks))
            .collect();
        let mut events: Vec<Event> = people
            .iter()
            .enumerate()
            .flat_map(|(place, person)| Life::events(place, person, options.seed, (start, end)))
            .collect();
        // A stable sort: simultaneous events of one person stay in order.
        events.sort_by_key(|event| event.at);
        let mut first = vec![end; people.len()];
        for event in &events {
            if let Some(first) = first.get_mut(event.person) {
                *first = (*first).min(event.at);
            }
        }
        Self {
            seed: options.seed,
            zone: Zone::named(ZONE).unwrap_or_else(Zone::utc),
            people,
            first,
            events: events.into_iter(),
            counters: BTreeMap::new(),
            waiting: VecDeque::new(),
            n_events: 0,
        }
    }

    /// Returns the IANA name of the zone in which times without an offset are written.
    pub fn zone() -> &'static str {
        ZONE
    }

    fn send(&mut self, event: &Event) -> Option<Sent> {
        let person = self.people.get(event.person)?.clone();
        let ill_since = self.first.get(event.person).copied()?;
        let zone = self.zone.clone();
        let desk = Desk {
            station: station(&event.deed, &person),
            person: &person,
            at: event.at,
            zone: &zone,
        };
        let draft = match &event.deed {
            Deed::Admission(admission) => clinic::adt(&desk, admission),
            Deed::Booking(booking, appointment) => clinic::siu(&desk, *booking, appointment),
            Deed::Report(report) => laboratory::message(&desk, report, ill_since),
            Deed::Order(order, prescription) => pharmacy::message(&desk, *order, prescription)?,
            Deed::Vaccination(shots) => immunization::message(&desk, shots),
        };
        self.n_events += 1;
        let mut random = Random::new(self.seed ^ 0x5EED, self.n_events);
        let sent = self.finish(draft, event.at, &mut random);
        if let Deed::Admission(Admission::Left(visit)) = &event.deed
            && random.chance(CHARGED)
        {
            let charge = clinic::charge(&desk, visit);
            let charge = self.finish(charge, event.at, &mut random);
            self.waiting.push_back(charge);
        }
        if random.chance(REPEATED) {
            let mut again = sent.clone();
            again.note.push(Oddity::Repeat);
            self.waiting.push_back(again);
        }
        Some(sent)
    }

    /// Numbers the message, applies an oddity, and writes its bytes.
    fn finish(&mut self, mut draft: Draft, at: Moment, random: &mut Random) -> Sent {
        let wire = oddity::apply(&mut draft, random);
        let control_id = self.control_id(&mut draft);
        let header = header(&draft, wire, &control_id);
        let mut text = header;
        text.push_str(wire.terminator);
        for line in &draft.lines {
            text.push_str(line);
            text.push_str(wire.terminator);
        }
        Sent {
            peer: draft.station.peer,
            at: at.timestamp(&self.zone),
            bytes: wire.charset.encode(&text),
            note: draft.odd,
        }
    }

    fn control_id(&mut self, draft: &mut Draft) -> String {
        let application = draft.station.application;
        let (number, was_set_back) = self.counters.entry(application).or_default();
        *number += 1;
        if COUNTER_SET_BACK_AFTER < *number
            && draft.station.peer == Peer::Laboratory
            && !*was_set_back
        {
            (*number, *was_set_back) = (1, true);
        }
        if *was_set_back && *number <= COUNTER_SET_BACK_AFTER {
            draft.odd.push(Oddity::ReusedControlId);
        }
        format!(
            "{}{}{number:06}",
            application.get(..2).unwrap_or("ZZ"),
            self.seed
        )
    }
}

impl Iterator for Simulation {
    type Item = Sent;

    fn next(&mut self) -> Option<Sent> {
        if let Some(sent) = self.waiting.pop_front() {
            return Some(sent);
        }
        loop {
            let event = self.events.next()?;
            if let Some(sent) = self.send(&event) {
                return Some(sent);
            }
        }
    }
}

fn station(deed: &Deed, person: &Person) -> &'static Station {
    match deed {
        Deed::Admission(Admission::Registered | Admission::Changed | Admission::Merged) => {
            &MASTER_INDEX
        }
        Deed::Admission(_) => &REGISTRATION,
        Deed::Booking(..) => &CALENDAR,
        Deed::Report(report) => laboratory::station(report.study),
        Deed::Order(order, _) => pharmacy::station(*order),
        Deed::Vaccination(_) => immunization::station(person),
    }
}

fn header(draft: &Draft, wire: Wire, control_id: &str) -> String {
    let station = draft.station;
    let control_id = if wire.has_control_id { control_id } else { "" };
    let (accept, application) = if station.is_enhanced {
        ("AL", "NE")
    } else {
        ("", "")
    };
    let text = format!(
        "MSH|^~\\&|{}|{}|CAUSEWAY|ZZHUB|{}||{}|{control_id}|{}|{}|||{accept}|{application}||{}",
        station.application,
        station.facility,
        draft.written,
        draft.message_type,
        wire.processing_id,
        station.version,
        station.charset.name(),
    );
    text.trim_end_matches('|').to_owned()
}
