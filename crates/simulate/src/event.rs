//! Events in the town: each becomes one message from one peer.

use crate::moment::Moment;
use std::sync::Arc;

/// One event in the life of one person.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) at: Moment,
    /// The person's index in the population.
    pub(crate) person: usize,
    pub(crate) deed: Deed,
}

#[derive(Clone, Debug)]
pub(crate) enum Deed {
    /// The clinic's registration, visits and master index.
    Admission(Admission),
    /// The clinic's calendar.
    Booking(Booking, Arc<Appointment>),
    /// A report from the laboratory.
    Report(Report),
    /// The pharmacy receives an order or dispenses a drug.
    Order(Order, Arc<Prescription>),
    /// The immunization clinic records a vaccination.
    Vaccination(Shots),
}

/// ADT, by trigger event.
#[derive(Clone, Debug)]
pub(crate) enum Admission {
    /// A28: a person is registered.
    Registered,
    /// A31: the person's data changed.
    Changed,
    /// A40: two registrations turn out to be one person.
    Merged,
    /// A04: an outpatient arrives.
    Arrived(Arc<Visit>),
    /// A01: a stay begins.
    Admitted(Arc<Visit>),
    /// A02
    Moved(Arc<Visit>),
    /// A08
    Updated(Arc<Visit>),
    /// A08 sent late: it reports the state as of that time.
    ReportedLate(Arc<Visit>, Moment),
    /// A03
    Left(Arc<Visit>),
    /// A11
    Cancelled(Arc<Visit>),
    /// A13
    DischargeCancelled(Arc<Visit>),
}

/// A visit or a stay.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub(crate) number: String,
    pub(crate) class: &'static str,
    pub(crate) start: Moment,
    pub(crate) end: Moment,
    /// Ward, before and after the move.
    pub(crate) wards: [&'static str; 2],
    pub(crate) room: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Booking {
    /// S12
    Made,
    /// S13
    Moved,
    /// S15
    Cancelled,
}

#[derive(Clone, Debug)]
pub(crate) struct Appointment {
    pub(crate) number: String,
    pub(crate) start: Moment,
    pub(crate) minutes: i64,
}

/// A laboratory report on one specimen.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// The filler's number: the same for P, F, C and W.
    pub(crate) number: String,
    pub(crate) collected: Moment,
    pub(crate) study: Study,
    pub(crate) stage: Stage,
    /// Seed of the values, so that each stage reports the same ones.
    pub(crate) values: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Study {
    Panel(Panel),
    /// Earlier results of one panel, sent when the interface went live, and their number.
    History(Panel, u32),
    /// A culture of blood or urine, and whether something grows.
    Culture {
        is_blood: bool,
        grows: bool,
    },
    /// A letter as a PDF.
    Letter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Panel {
    BloodCount,
    Metabolic,
    Lipids,
    HemoglobinA1c,
    Thyroid,
    /// C-reactive protein.
    Inflammation,
}

/// The status of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Preliminary,
    Final,
    Corrected,
    /// The specimen was another person's.
    Withdrawn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// ORC-1 NW
    New,
    /// ORC-1 XO: another dose.
    Changed,
    /// ORC-1 DC
    Stopped,
    /// RDS^O13
    Dispensed,
}

#[derive(Clone, Debug)]
pub(crate) struct Prescription {
    pub(crate) number: String,
    pub(crate) drug: usize,
    pub(crate) start: Moment,
}

/// Vaccines given in one visit.
#[derive(Clone, Debug)]
pub(crate) struct Shots {
    pub(crate) number: String,
    pub(crate) given: Moment,
    /// Indices in the table of vaccines.
    pub(crate) vaccines: Vec<usize>,
    pub(crate) kind: ShotsKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShotsKind {
    Given,
    /// The parents declined.
    Refused,
    /// RXA-21 U: the lot number was wrong.
    Corrected,
    /// RXA-21 D: the vaccine was never given.
    Deleted,
}

// === impl Stage ===

impl Stage {
    /// Returns the status codes of tables 0085 and 0123.
    pub(crate) fn codes(self) -> (&'static str, &'static str) {
        match self {
            Self::Preliminary => ("P", "P"),
            Self::Final => ("F", "F"),
            Self::Corrected => ("C", "C"),
            // Table 0123 has no W; the report is corrected, its results are withdrawn.
            Self::Withdrawn => ("W", "C"),
        }
    }
}
