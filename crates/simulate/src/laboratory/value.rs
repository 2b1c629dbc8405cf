//! The values of a panel: the healthy values, the effect of the person's ailment, and the change
//! over time. Dependent values are calculated from one another.

use super::analyte::{self, Analyte};
use crate::event::{Panel, Report, Stage};
use crate::moment::Moment;
use crate::person::{Ailment, Person, Sex};
use crate::random::Random;

type Measured = Vec<(&'static Analyte, String)>;

struct Bench<'a> {
    person: &'a Person,
    days_ill: f64,
    collected: Moment,
    random: Random,
}

/// Returns the panel's analytes with their values as the laboratory prints them.
pub(super) fn values(person: &Person, panel: Panel, days_ill: f64, report: &Report) -> Measured {
    let random = Random::new(report.values, 1);
    let mut bench = Bench {
        person,
        days_ill,
        collected: report.collected,
        random,
    };
    let mut measured = match panel {
        Panel::BloodCount => bench.blood_count(),
        Panel::Metabolic => bench.metabolic(),
        Panel::Lipids => bench.lipids(),
        Panel::HemoglobinA1c => bench.one(&analyte::HEMOGLOBIN_A1C, Ailment::Diabetes, 9.6, 6.7),
        Panel::Thyroid => bench.one(&analyte::THYROID, Ailment::Thyroid, 11.5, 2.4),
        Panel::Inflammation => bench.inflammation(),
    };
    // This value was misread the first time: the correction reports another one.
    if report.stage == Stage::Corrected
        && let Some((analyte, value)) = measured.first_mut()
        && let Ok(number) = value.parse::<f64>()
    {
        *value = print(analyte, number * 1.12);
    }
    measured
}

// === impl Bench ===

impl Bench<'_> {
    /// Moves from `ill` at the beginning of the treatment toward `well`, halving the difference in
    /// four weeks; before it, slowly worse.
    fn healing(&self, ill: f64, well: f64) -> f64 {
        let ill = ill + (ill - well) * 0.15 * self.person.bias;
        if self.days_ill < 0.0 {
            // A year earlier it was half as bad.
            return ill + (ill - well) * (self.days_ill / 730.0).max(-0.7);
        }
        well + (ill - well) * 0.5_f64.powf(self.days_ill / 28.0)
    }

    fn healthy(&mut self, analyte: &Analyte) -> f64 {
        let (middle, deviation) = analyte.healthy();
        middle + deviation * (self.person.bias + self.random.normal(0.0, 0.5))
    }

    fn noise(&mut self, value: f64) -> f64 {
        value * self.random.normal(1.0, 0.015)
    }

    /// Builds a panel of one analyte that an ailment changes.
    fn one(
        &mut self,
        table: &'static [Analyte; 1],
        ailment: Ailment,
        ill: f64,
        well: f64,
    ) -> Measured {
        let [analyte] = table;
        let value = if self.person.ailment == ailment {
            self.healing(ill, well)
        } else {
            self.healthy(analyte)
        };
        let value = self.noise(value);
        vec![(analyte, print(analyte, value))]
    }

    fn blood_count(&mut self) -> Measured {
        let [white, red, hemoglobin, hematocrit, volume, platelets] = &analyte::BLOOD_COUNT;
        let hemoglobin_value = match self.person.ailment {
            Ailment::Anemia => self.healing(8.6, 13.2),
            Ailment::Kidney => 11.2 + self.person.bias * 0.5,
            Ailment::Healthy
            | Ailment::Child
            | Ailment::Diabetes
            | Ailment::Thyroid
            | Ailment::Lipids
            | Ailment::Infection => self.healthy(hemoglobin),
        };
        let hemoglobin_value = self.noise(hemoglobin_value);
        let white_value = if self.person.ailment == Ailment::Infection {
            8.0 + 11.0 * 0.5_f64.powf(self.days_ill.max(0.0) / 2.0)
        } else {
            self.healthy(white)
        };
        let hematocrit_value = hemoglobin_value * 2.95;
        let volume_value = if self.person.ailment == Ailment::Anemia {
            self.healing(72.0, 88.0)
        } else {
            self.healthy(volume)
        };
        let rows = [
            (white, self.noise(white_value)),
            (red, hematocrit_value * 10.0 / volume_value),
            (hemoglobin, hemoglobin_value),
            (hematocrit, hematocrit_value),
            (volume, volume_value),
            (platelets, self.healthy(platelets)),
        ];
        rows.map(|(analyte, value)| (analyte, print(analyte, value)))
            .into()
    }

    fn metabolic(&mut self) -> Measured {
        let [
            glucose,
            urea,
            creatinine,
            filtration,
            sodium,
            potassium,
            chloride,
            carbon,
            calcium,
        ] = &analyte::METABOLIC;
        let kidney = self.person.ailment == Ailment::Kidney;
        let creatinine_value = if kidney {
            // Creatinine rises by about a tenth in three weeks.
            (1.7 + 0.2 * self.person.bias) * 1.1_f64.powf(self.days_ill / 21.0)
        } else {
            self.healthy(creatinine)
        };
        let creatinine_value = self.noise(creatinine_value);
        let glucose_value = if self.person.ailment == Ailment::Diabetes {
            let value = self.healing(225.0, 128.0);
            value * self.random.normal(1.0, 0.06)
        } else {
            self.healthy(glucose)
        };
        let urea_value = if kidney {
            creatinine_value * 16.0
        } else {
            self.healthy(urea)
        };
        let potassium_value = if kidney {
            4.6 + 0.25 * creatinine_value
        } else {
            self.healthy(potassium)
        };
        let rows = [
            (glucose, glucose_value),
            (urea, urea_value),
            (creatinine, creatinine_value),
            (filtration, self.filtration(creatinine_value)),
            (sodium, self.healthy(sodium)),
            (potassium, potassium_value),
            (chloride, self.healthy(chloride)),
            (carbon, self.healthy(carbon)),
            (calcium, self.healthy(calcium)),
        ];
        rows.map(|(analyte, value)| (analyte, print(analyte, value)))
            .into()
    }

    /// Estimates the filtration rate by CKD-EPI 2021 (Inker et al., NEJM 2021;385:1737).
    fn filtration(&self, creatinine: f64) -> f64 {
        let (kappa, alpha, factor) = match self.person.sex {
            Sex::Woman => (0.7, -0.241, 1.012),
            Sex::Man => (0.9, -0.302, 1.0),
        };
        let part = creatinine / kappa;
        142.0
            * part.min(1.0).powf(alpha)
            * part.max(1.0).powf(-1.2)
            * 0.9938_f64.powf(self.person.age(self.collected))
            * factor
    }

    fn lipids(&mut self) -> Measured {
        let [total, triglyceride, good, bad] = &analyte::LIPIDS;
        let bad_value = if self.person.ailment == Ailment::Lipids {
            self.healing(188.0, 92.0)
        } else {
            self.healthy(bad)
        };
        let bad_value = self.noise(bad_value);
        let good_value = self.healthy(good);
        let triglyceride_value = self.healthy(triglyceride);
        // Friedewald's formula, reversed.
        let rows = [
            (total, bad_value + good_value + triglyceride_value / 5.0),
            (triglyceride, triglyceride_value),
            (good, good_value),
            (bad, bad_value),
        ];
        rows.map(|(analyte, value)| (analyte, print(analyte, value)))
            .into()
    }

    fn inflammation(&mut self) -> Measured {
        let [protein] = &analyte::INFLAMMATION;
        let value = if self.person.ailment == Ailment::Infection {
            2.0 + 165.0 * 0.5_f64.powf(self.days_ill.max(0.0) / 1.6)
        } else {
            self.healthy(protein)
        };
        let value = self.noise(value);
        vec![(protein, print(protein, value))]
    }
}

/// Formats the value with the analyte's number of digits.
fn print(analyte: &Analyte, value: f64) -> String {
    format!("{:.*}", analyte.decimals, value.max(0.0))
}
