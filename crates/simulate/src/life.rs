//! The events of each person's life in the simulated weeks.
//!
//! Invariant: a person's life follows from seed and number alone; adding or removing a person does
//! not change the others.

use crate::event::{
    Admission, Appointment, Booking, Deed, Event, Order, Panel, Prescription, Report, Shots,
    ShotsKind, Stage, Study, Visit,
};
use crate::immunization;
use crate::moment::{DAY, HOUR, MINUTE, Moment};
use crate::names::WARDS;
use crate::person::{Ailment, Person};
use crate::pharmacy;
use crate::random::Random;
use std::sync::Arc;

/// The share of reports that are sent as preliminary first.
pub const PRELIMINARY_FIRST: f64 = 0.25;
/// The share of final reports that are corrected later.
pub const CORRECTED: f64 = 0.04;
/// The share of final reports that are withdrawn later: another person's specimen.
pub const WITHDRAWN: f64 = 0.01;
/// The share of admissions and of discharges that are cancelled (A11, A13).
pub const CANCELLED: f64 = 0.06;
/// The share of appointments that are moved (S13), and of those that are cancelled (S15).
pub const REBOOKED: f64 = 0.15;
/// The share of visits followed by a late A08 with an older EVN-2.
pub const LATE_NEWS: f64 = 0.05;
/// The share of vaccinations that parents decline.
pub const REFUSED: f64 = 0.06;
/// The share of vaccinations that are corrected or deleted later, by RXA-21.
pub const SHOT_CORRECTED: f64 = 0.06;

/// Recorder of one life.
pub(crate) struct Life<'p> {
    place: usize,
    person: &'p Person,
    start: Moment,
    end: Moment,
    random: Random,
    n_things: u32,
    events: Vec<Event>,
}

// === impl Life ===

impl<'p> Life<'p> {
    /// Generates all events of the person with this index in the population.
    pub(crate) fn events(
        place: usize,
        person: &'p Person,
        seed: u64,
        span: (Moment, Moment),
    ) -> Vec<Event> {
        let (start, end) = span;
        let random = Random::new(seed, person.number << 8 | 1);
        let mut life = Self {
            place,
            person,
            start,
            end,
            random,
            n_things: 0,
            events: Vec::new(),
        };
        life.live();
        life.events
            .retain(|event| start <= event.at && event.at < end);
        life.events
    }

    fn live(&mut self) {
        let days = (self.end.days_since(self.start) as i64).max(1);
        // Most people arrive early, so that the town fills up quickly.
        let first = (self
            .random
            .between(0, days - 1)
            .min(self.random.between(0, days - 1))
            / 2)
        .min(28);
        let first = self
            .start
            .plus(first * DAY + self.random.between(7 * 12, 16 * 12) * 5 * MINUTE);
        if self.random.chance(0.4) {
            let registered = first.plus(-self.random.between(20 * MINUTE, 20 * HOUR));
            self.admission(registered, Admission::Registered);
        }
        match self.person.ailment {
            Ailment::Healthy => self.check(first),
            Ailment::Child => self.childhood(first),
            Ailment::Diabetes
            | Ailment::Kidney
            | Ailment::Thyroid
            | Ailment::Lipids
            | Ailment::Anemia => {
                self.chronic(first);
            }
            Ailment::Infection => self.stay(first),
        }
        let changes: Vec<Moment> = [self.person.moves(), self.person.phone_gone]
            .into_iter()
            .flatten()
            .collect();
        for change in changes.into_iter().filter(|change| first < *change) {
            self.admission(change.plus(9 * HOUR), Admission::Changed);
        }
        if let Some((_, merged)) = &self.person.ids.retired
            && first < *merged
        {
            self.admission(*merged, Admission::Merged);
        }
    }

    fn check(&mut self, at: Moment) {
        self.booked_visit(at);
        let panel = self
            .random
            .pick(&[Panel::Lipids, Panel::BloodCount, Panel::Metabolic]);
        self.panel(at.plus(40 * MINUTE), panel);
        if self.random.chance(0.4) {
            self.shots(at.plus(50 * MINUTE), vec![immunization::INFLUENZA]);
        }
    }

    fn childhood(&mut self, first: Moment) {
        let mut at = first;
        while at < self.end {
            let n = self.random.between(1, 3);
            let vaccines = (0..n).map(|_| {
                self.random
                    .between(0, immunization::CHILD_VACCINES as i64 - 1) as usize
            });
            let mut vaccines: Vec<usize> = vaccines.collect();
            vaccines.sort_unstable();
            vaccines.dedup();
            self.shots(at, vaccines);
            at = at.plus(self.random.between(26, 35) * DAY);
        }
    }

    fn chronic(&mut self, first: Moment) {
        let panels = match self.person.ailment {
            Ailment::Diabetes => [Panel::HemoglobinA1c, Panel::Metabolic],
            Ailment::Kidney => [Panel::Metabolic, Panel::BloodCount],
            Ailment::Thyroid => [Panel::Thyroid, Panel::Lipids],
            Ailment::Lipids => [Panel::Lipids, Panel::Metabolic],
            Ailment::Healthy | Ailment::Child | Ailment::Anemia | Ailment::Infection => {
                [Panel::BloodCount, Panel::Metabolic]
            }
        };
        let [main, beside] = panels;
        let prescription =
            self.prescription(first.plus(HOUR), pharmacy::drug_for(self.person.ailment));
        let n_earlier = self.random.between(2, 4) as u32;
        self.report(
            first.plus(HOUR),
            Study::History(main, n_earlier),
            Stage::Final,
        );
        let mut at = first;
        let mut is_first = true;
        while at < self.end {
            if self.booked_visit(at) {
                self.panel(at.plus(25 * MINUTE), main);
                if self.random.chance(0.6) {
                    self.panel(at.plus(26 * MINUTE), beside);
                }
                self.treat(at.plus(HOUR), is_first, &prescription);
                is_first = false;
            }
            at = at.plus(self.random.between(9, 20) * DAY);
        }
    }

    fn treat(&mut self, at: Moment, is_first: bool, prescription: &Arc<Prescription>) {
        let order = if is_first {
            Order::New
        } else if self.random.chance(0.35) {
            Order::Changed
        } else {
            Order::Dispensed
        };
        self.order(at, order, prescription);
        if is_first && self.random.chance(0.5) {
            self.order(at.plus(2 * HOUR), Order::Dispensed, prescription);
        }
        if self.random.chance(0.1) {
            self.report(at.plus(5 * HOUR), Study::Letter, Stage::Final);
        }
    }

    /// Adds a hospital stay, with laboratory work each morning.
    fn stay(&mut self, first: Moment) {
        let days = self.random.between(3, 8);
        let end = first.plus(days * DAY + self.random.between(-2 * HOUR, 4 * HOUR));
        let visit = self.visit("I", first, end);
        self.admission(first, Admission::Admitted(visit.clone()));
        if self.random.chance(CANCELLED) {
            self.admission(first.plus(30 * MINUTE), Admission::Cancelled(visit));
            return;
        }
        self.admission(first.plus(90 * MINUTE), Admission::Updated(visit.clone()));
        let antibiotic =
            self.prescription(first.plus(2 * HOUR), pharmacy::drug_for(Ailment::Infection));
        self.order(first.plus(2 * HOUR), Order::New, &antibiotic);
        self.culture(first.plus(HOUR));
        for day in 0..=days {
            let morning = if day == 0 {
                first.plus(HOUR)
            } else {
                first.plus(day * DAY - 2 * HOUR)
            };
            for panel in [Panel::BloodCount, Panel::Metabolic, Panel::Inflammation] {
                let minutes = self.random.between(0, 40);
                self.panel(morning.plus(minutes * MINUTE), panel);
            }
        }
        if self.random.chance(0.6) {
            let moved = first.plus(self.random.between(8, 40) * HOUR);
            self.admission(moved, Admission::Moved(visit.clone()));
        }
        self.leave(end, &visit);
        self.order(end.plus(-HOUR), Order::Stopped, &antibiotic);
        let home = self.prescription(end, pharmacy::ACETAMINOPHEN);
        self.order(end.plus(10 * MINUTE), Order::New, &home);
        self.report(end.plus(3 * HOUR), Study::Letter, Stage::Final);
        let follow_up = end.plus(self.random.between(8, 16) * DAY);
        if self.booked_visit(follow_up) {
            self.panel(follow_up.plus(30 * MINUTE), Panel::BloodCount);
        }
    }

    fn leave(&mut self, end: Moment, visit: &Arc<Visit>) {
        self.admission(end, Admission::Left(visit.clone()));
        if self.random.chance(CANCELLED) {
            self.admission(
                end.plus(15 * MINUTE),
                Admission::DischargeCancelled(visit.clone()),
            );
            self.admission(end.plus(4 * HOUR), Admission::Left(visit.clone()));
        }
        if self.random.chance(LATE_NEWS) {
            let then = visit.start.plus(20 * MINUTE);
            self.admission(
                end.plus(2 * DAY),
                Admission::ReportedLate(visit.clone(), then),
            );
        }
    }

    /// Adds an appointment and its outcome; returns false if it was cancelled.
    fn booked_visit(&mut self, at: Moment) -> bool {
        let number = self.number("A");
        let minutes = self.random.pick(&[15, 20, 30, 45]);
        let made = at.plus(-self.random.between(2, 9) * DAY);
        let slot = |start| {
            Arc::new(Appointment {
                number: number.clone(),
                start,
                minutes,
            })
        };
        if self.random.chance(REBOOKED) {
            let earlier = slot(at.plus(-DAY));
            self.happen(made, Deed::Booking(Booking::Made, earlier));
            self.happen(at.plus(-30 * HOUR), Deed::Booking(Booking::Moved, slot(at)));
        } else {
            self.happen(made, Deed::Booking(Booking::Made, slot(at)));
        }
        if self.random.chance(REBOOKED / 2.0) {
            self.happen(
                at.plus(-20 * HOUR),
                Deed::Booking(Booking::Cancelled, slot(at)),
            );
            return false;
        }
        let end = at.plus(self.random.between(20, 80) * MINUTE);
        let visit = self.visit("O", at, end);
        self.admission(at.plus(-4 * MINUTE), Admission::Arrived(visit.clone()));
        if self.random.chance(0.3) {
            self.admission(at.plus(6 * MINUTE), Admission::Updated(visit.clone()));
        }
        self.leave(end, &visit);
        true
    }

    /// Adds one panel with its stages.
    fn panel(&mut self, collected: Moment, panel: Panel) {
        let report = self.new_report(collected, Study::Panel(panel));
        let mut at = collected.plus(self.random.between(50, 150) * MINUTE);
        if self.random.chance(PRELIMINARY_FIRST) {
            self.stage(at, &report, Stage::Preliminary);
            at = at.plus(self.random.between(20, 90) * MINUTE);
        }
        self.stage(at, &report, Stage::Final);
        let later = at.plus(self.random.between(2, 30) * HOUR);
        if self.random.chance(CORRECTED) {
            self.stage(later, &report, Stage::Corrected);
        } else if self.random.chance(WITHDRAWN) {
            self.stage(later, &report, Stage::Withdrawn);
        }
    }

    fn culture(&mut self, collected: Moment) {
        let is_blood = self.random.chance(0.5);
        let grows = self.random.chance(0.6);
        let report = self.new_report(collected, Study::Culture { is_blood, grows });
        self.stage(collected.plus(26 * HOUR), &report, Stage::Preliminary);
        self.stage(collected.plus(50 * HOUR), &report, Stage::Final);
    }

    fn report(&mut self, at: Moment, study: Study, stage: Stage) {
        let report = self.new_report(at.plus(-HOUR), study);
        self.stage(at, &report, stage);
    }

    fn new_report(&mut self, collected: Moment, study: Study) -> Report {
        let number = self.number("F");
        Report {
            number,
            collected,
            study,
            stage: Stage::Final,
            values: self.random.next(),
        }
    }

    fn stage(&mut self, at: Moment, report: &Report, stage: Stage) {
        self.happen(
            at,
            Deed::Report(Report {
                stage,
                ..report.clone()
            }),
        );
    }

    fn shots(&mut self, given: Moment, vaccines: Vec<usize>) {
        let kind = if self.random.chance(REFUSED) {
            ShotsKind::Refused
        } else {
            ShotsKind::Given
        };
        let shots = Shots {
            number: self.number("V"),
            given,
            vaccines,
            kind,
        };
        self.happen(given.plus(10 * MINUTE), Deed::Vaccination(shots.clone()));
        if kind == ShotsKind::Given && self.random.chance(SHOT_CORRECTED) {
            let kind = self.random.pick(&[
                ShotsKind::Corrected,
                ShotsKind::Corrected,
                ShotsKind::Deleted,
            ]);
            self.happen(given.plus(DAY), Deed::Vaccination(Shots { kind, ..shots }));
        }
    }

    fn prescription(&mut self, start: Moment, drug: usize) -> Arc<Prescription> {
        Arc::new(Prescription {
            number: self.number("R"),
            drug,
            start,
        })
    }

    fn order(&mut self, at: Moment, order: Order, prescription: &Arc<Prescription>) {
        self.happen(at, Deed::Order(order, prescription.clone()));
    }

    fn visit(&mut self, class: &'static str, start: Moment, end: Moment) -> Arc<Visit> {
        let wards = [self.random.pick(&WARDS).0, self.random.pick(&WARDS).0];
        Arc::new(Visit {
            number: self.number("E"),
            class,
            start,
            end,
            wards,
            room: self.random.between(101, 129),
        })
    }

    /// Returns a unique number.
    fn number(&mut self, letter: &str) -> String {
        self.n_things += 1;
        format!("{letter}{}-{}", self.person.ids.clinic, self.n_things)
    }

    fn admission(&mut self, at: Moment, admission: Admission) {
        self.happen(at, Deed::Admission(admission));
    }

    fn happen(&mut self, at: Moment, deed: Deed) {
        self.events.push(Event {
            at,
            person: self.place,
            deed,
        });
    }
}
