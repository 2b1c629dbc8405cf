//! Clean messages in any quantity, for benchmarks: the same seed gives the same bytes.

use crate::draft::{Desk, Draft, cx};
use crate::event::{Admission, Order, Prescription, Shots, ShotsKind, Visit};
use crate::event::{Appointment, Booking};
use crate::moment::{DAY, HOUR, MINUTE, Moment, ZONE};
use crate::person::Person;
use crate::random::Random;
use crate::simulation::START;
use crate::station::{CALENDAR, CORE_LABORATORY, REGISTRATION, SHOTS, Station};
use crate::{clinic, immunization, pharmacy};
use base::Zone;
use std::sync::Arc;

/// The number of people that the messages are about.
const N_PEOPLE: u64 = 2_000;

struct Maker {
    seed: u64,
    start: Moment,
    zone: Zone,
    n_made: u64,
}

/// Generates `n` ADT messages: A01, A04, A08 and A03.
pub fn adt(seed: u64, n: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut maker = Maker::new(seed);
    (0..n).map(move |_| maker.adt())
}

/// Generates `n` ORU^R01 messages with `n_obx` results each.
pub fn oru(seed: u64, n: usize, n_obx: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut maker = Maker::new(seed);
    (0..n).map(move |_| maker.oru(n_obx))
}

/// Generates `n` VXU^V04 messages.
pub fn vxu(seed: u64, n: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut maker = Maker::new(seed);
    (0..n).map(move |_| maker.vxu())
}

/// Generates `n` messages: 60 % ADT, 30 % ORU with 8 results on average, 10 % VXU, RDE and SIU.
pub fn mix(seed: u64, n: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut maker = Maker::new(seed);
    let mut random = Random::new(seed, 99);
    (0..n).map(move |_| match random.between(0, 29) {
        0..18 => maker.adt(),
        18..27 => {
            let n_obx = random.between(1, 15) as usize;
            maker.oru(n_obx)
        }
        27 => maker.vxu(),
        28 => maker.rde(),
        _ => maker.siu(),
    })
}

// === impl Maker ===

impl Maker {
    fn new(seed: u64) -> Self {
        let zone = Zone::named(ZONE).unwrap_or_else(Zone::utc);
        Self {
            seed,
            start: Moment::day_of(START),
            zone,
            n_made: 0,
        }
    }

    /// Builds the next message, about some person, from that station.
    fn make(
        &mut self,
        station: &'static Station,
        write: impl FnOnce(&Desk<'_>, &mut Random) -> Option<Draft>,
    ) -> Vec<u8> {
        self.n_made += 1;
        let mut random = Random::new(self.seed, self.n_made << 8 | 7);
        let number = random.next() % N_PEOPLE + 1;
        let person = Person::new(self.seed, number, self.start, 12);
        let at = self.start.plus(self.n_made as i64 * MINUTE / 6);
        let desk = Desk {
            station,
            person: &person,
            at,
            zone: &self.zone,
        };
        let Some(draft) = write(&desk, &mut random) else {
            return Vec::new();
        };
        let mut text = format!(
            "MSH|^~\\&|{}|{}|CAUSEWAY|ZZHUB|{}||{}|ZB{}{:07}|P|{}||||||{}\r",
            station.application,
            station.facility,
            draft.written,
            draft.message_type,
            self.seed,
            self.n_made,
            station.version,
            station.charset.name()
        );
        for line in &draft.lines {
            text.push_str(line);
            text.push('\r');
        }
        station.charset.encode(&text)
    }

    fn adt(&mut self) -> Vec<u8> {
        self.make(&REGISTRATION, |desk, random| {
            let visit = Arc::new(Visit {
                number: format!("B{}", desk.person.ids.clinic),
                class: random.pick(&["I", "O"]),
                start: desk.at.plus(-HOUR),
                end: desk.at.plus(2 * DAY),
                wards: ["MED", "SURG"],
                room: random.between(101, 129),
            });
            let admission = match random.between(0, 4) {
                0 => Admission::Admitted(visit),
                1 => Admission::Arrived(visit),
                2 => Admission::Left(visit),
                _ => Admission::Updated(visit),
            };
            Some(clinic::adt(desk, &admission))
        })
    }

    fn oru(&mut self, n_obx: usize) -> Vec<u8> {
        let number = self.n_made + 1;
        self.make(&CORE_LABORATORY, |desk, random| {
            let mut draft = desk.draft("ORU", "R01", "ORU_R01");
            let own = cx(&desk.person.ids.laboratory, "ZZLAB", "PI");
            draft.push(desk.short_pid(&[own, desk.clinic_id()]));
            crate::laboratory::many(desk, &mut draft, (number, n_obx), random);
            Some(draft)
        })
    }

    fn vxu(&mut self) -> Vec<u8> {
        let number = self.n_made + 1;
        self.make(&SHOTS, |desk, random| {
            let vaccines =
                vec![random.between(0, immunization::CHILD_VACCINES as i64 - 1) as usize];
            let shots = Shots {
                number: format!("B{number}"),
                given: desk.at,
                vaccines,
                kind: ShotsKind::Given,
            };
            Some(immunization::message(desk, &shots))
        })
    }

    fn rde(&mut self) -> Vec<u8> {
        let number = self.n_made + 1;
        self.make(pharmacy::station(Order::New), |desk, _| {
            let drug = pharmacy::drug_for(desk.person.ailment);
            let prescription = Prescription {
                number: format!("B{number}"),
                drug,
                start: desk.at,
            };
            pharmacy::message(desk, Order::New, &prescription)
        })
    }

    fn siu(&mut self) -> Vec<u8> {
        let number = self.n_made + 1;
        self.make(&CALENDAR, |desk, _| {
            let start = desk.at.plus(3 * DAY);
            let appointment = Appointment {
                number: format!("B{number}"),
                start,
                minutes: 30,
            };
            Some(clinic::siu(desk, Booking::Made, &appointment))
        })
    }
}
