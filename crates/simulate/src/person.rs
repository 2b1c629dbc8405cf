//! The people of the simulated town: identity, ailment, and data over time.

use crate::moment::{DAY, Moment};
use crate::names::{CITIES, DOCTORS, FAMILY_ENDS, FAMILY_MARKS, MEN, RACES, STREETS, WOMEN};
use crate::random::Random;

/// The share of people whom the laboratory knows only by its own number.
pub const LABORATORY_NUMBER_ONLY: f64 = 0.15;
/// The share of people who were registered twice, until a merge (A40) joins the two.
pub const REGISTERED_TWICE: f64 = 0.05;
/// The share of people who move house within the simulated weeks.
pub const MOVES_HOUSE: f64 = 0.10;
/// The share of people who give up their telephone number, so that a sender deletes it with `""`.
pub const TELEPHONE_GONE: f64 = 0.04;

/// The time for which the second number is used before the merge.
const HASTY_DAYS: i64 = 20;

/// One person.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) number: u64,
    pub(crate) family: String,
    pub(crate) given: &'static str,
    pub(crate) middle: Option<char>,
    pub(crate) sex: Sex,
    pub(crate) birth: Moment,
    pub(crate) marital: &'static str,
    pub(crate) race: (&'static str, &'static str),
    pub(crate) is_hispanic: bool,
    pub(crate) language: &'static str,
    pub(crate) doctor: [&'static str; 3],
    pub(crate) ailment: Ailment,
    /// The person's distance from the middle of the healthy range, in deviations.
    pub(crate) bias: f64,
    pub(crate) ids: Ids,
    pub(crate) phone: String,
    pub(crate) phone_gone: Option<Moment>,
    homes: [Home; 2],
    moves: Option<Moment>,
}

/// The numbers that identify the person at the peers.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    /// The clinic's number.
    pub(crate) clinic: String,
    /// A second number at the clinic, given at a hasty registration, and the time of its merge.
    pub(crate) retired: Option<(String, Moment)>,
    /// The laboratory's number.
    pub(crate) laboratory: String,
    /// The laboratory was never told the clinic's number.
    pub(crate) laboratory_only: bool,
    /// The immunization clinic's number.
    pub(crate) immunization: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sex {
    Woman,
    Man,
}

/// The reason for the person's visits to the clinic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ailment {
    /// Comes once for a check.
    Healthy,
    /// Below the age of six: vaccinations.
    Child,
    /// Glucose and HbA1c fall under treatment.
    Diabetes,
    /// Creatinine rises, eGFR falls.
    Kidney,
    /// TSH falls under treatment.
    Thyroid,
    /// LDL falls under treatment.
    Lipids,
    /// Hemoglobin rises under iron.
    Anemia,
    /// A stay in hospital with an infection that heals.
    Infection,
}

#[derive(Clone, Debug)]
pub(crate) struct Home {
    pub(crate) street: String,
    pub(crate) city: &'static str,
    pub(crate) zip: &'static str,
}

// === impl Person ===

impl Person {
    /// Creates the person with this number in the town of this seed.
    pub(crate) fn new(seed: u64, number: u64, start: Moment, weeks: u32) -> Self {
        let mut random = Random::new(seed, number << 8);
        let ailment = Ailment::of(&mut random);
        let sex = if random.chance(0.52) {
            Sex::Woman
        } else {
            Sex::Man
        };
        let given = match sex {
            Sex::Woman => random.pick(&WOMEN),
            Sex::Man => random.pick(&MEN),
        };
        let age_days = match ailment {
            Ailment::Child => random.between(50, 6 * 365),
            Ailment::Healthy => random.between(19 * 365, 60 * 365),
            Ailment::Diabetes
            | Ailment::Kidney
            | Ailment::Thyroid
            | Ailment::Lipids
            | Ailment::Anemia
            | Ailment::Infection => random.between(35 * 365, 88 * 365),
        };
        let span = i64::from(weeks) * 7;
        let some_day =
            |random: &mut Random| start.plus(random.between(span / 5, span.max(5) * 4 / 5) * DAY);
        let retired = (ailment != Ailment::Child && random.chance(REGISTERED_TWICE))
            .then(|| (format!("ZZ{seed}9{number:05}"), some_day(&mut random)));
        Self {
            number,
            family: format!(
                "{}{}",
                random.pick(&FAMILY_MARKS),
                random.pick(&FAMILY_ENDS)
            ),
            given,
            middle: random
                .chance(0.4)
                .then(|| random.pick(&['A', 'E', 'J', 'K', 'M', 'T'])),
            sex,
            birth: start.plus(-age_days * DAY),
            marital: match ailment {
                Ailment::Child => "S",
                Ailment::Healthy
                | Ailment::Diabetes
                | Ailment::Kidney
                | Ailment::Thyroid
                | Ailment::Lipids
                | Ailment::Anemia
                | Ailment::Infection => random.pick(&["S", "M", "M", "D", "W"]),
            },
            race: random.pick(&RACES),
            is_hispanic: random.chance(0.2),
            language: random.pick(&["en", "en", "en", "es", "fr"]),
            doctor: random.pick(&DOCTORS),
            ailment,
            bias: random.normal(0.0, 0.7),
            ids: Ids {
                clinic: format!("ZZ{seed}0{number:05}"),
                retired,
                laboratory: format!("ZL{seed}-{number:05}"),
                laboratory_only: random.chance(LABORATORY_NUMBER_ONLY),
                immunization: format!("ZI{seed}-{number:05}"),
            },
            phone: format!("555-01{:02}", random.between(0, 99)),
            phone_gone: random.chance(TELEPHONE_GONE).then(|| some_day(&mut random)),
            homes: [Home::new(&mut random), Home::new(&mut random)],
            moves: random.chance(MOVES_HOUSE).then(|| some_day(&mut random)),
        }
    }

    /// Returns the person's home at that time.
    pub(crate) fn home(&self, at: Moment) -> &Home {
        let [before, after] = &self.homes;
        if self.moves.is_some_and(|moves| moves <= at) {
            after
        } else {
            before
        }
    }

    /// Returns the time at which the person moves house.
    pub(crate) fn moves(&self) -> Option<Moment> {
        self.moves
    }

    /// Returns the number that the clinic uses at that time: in the weeks before the merge, the
    /// second one.
    pub(crate) fn clinic_number(&self, at: Moment) -> &str {
        match &self.ids.retired {
            Some((number, merged)) if merged.plus(-HASTY_DAYS * DAY) <= at && at < *merged => {
                number
            }
            Some(_) | None => &self.ids.clinic,
        }
    }

    pub(crate) fn age(&self, at: Moment) -> f64 {
        at.days_since(self.birth) / 365.25
    }

    pub(crate) fn email(&self) -> String {
        format!("patient{:05}@example.org", self.number)
    }
}

// === impl Sex ===

impl Sex {
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Woman => "F",
            Self::Man => "M",
        }
    }
}

// === impl Ailment ===

impl Ailment {
    fn of(random: &mut Random) -> Self {
        match random.between(0, 99) {
            0..18 => Self::Healthy,
            18..38 => Self::Child,
            38..52 => Self::Diabetes,
            52..62 => Self::Kidney,
            62..70 => Self::Thyroid,
            70..78 => Self::Lipids,
            78..84 => Self::Anemia,
            _ => Self::Infection,
        }
    }

    /// Returns the ICD-10-CM code and text, for the reason of a visit.
    pub(crate) fn diagnosis(self) -> (&'static str, &'static str) {
        match self {
            Self::Healthy => ("Z00.00", "General adult medical examination"),
            Self::Child => ("Z23", "Encounter for immunization"),
            Self::Diabetes => ("E11.65", "Type 2 diabetes mellitus with hyperglycemia"),
            Self::Kidney => ("N18.30", "Chronic kidney disease, stage 3"),
            Self::Thyroid => ("E03.9", "Hypothyroidism"),
            Self::Lipids => ("E78.5", "Hyperlipidemia"),
            Self::Anemia => ("D50.9", "Iron deficiency anemia"),
            Self::Infection => ("A41.9", "Sepsis, unspecified organism"),
        }
    }
}

// === impl Home ===

impl Home {
    fn new(random: &mut Random) -> Self {
        let (city, zip) = random.pick(&CITIES);
        Self {
            street: format!("{} {}", random.between(1, 999), random.pick(&STREETS)),
            city,
            zip,
        }
    }
}
