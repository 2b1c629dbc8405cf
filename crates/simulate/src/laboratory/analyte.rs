//! Analytes of the laboratory: LOINC codes, UCUM units, reference ranges, and the flag that follows
//! from a value.

use crate::event::Panel;

/// A measured quantity.
#[derive(Debug)]
pub(super) struct Analyte {
    pub(super) code: &'static str,
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) decimals: usize,
    low: Option<f64>,
    high: Option<f64>,
    panic_low: Option<f64>,
    panic_high: Option<f64>,
}

const fn between(
    code: &'static str,
    name: &'static str,
    (unit, decimals): (&'static str, usize),
    [low, high]: [f64; 2],
    [panic_low, panic_high]: [f64; 2],
) -> Analyte {
    Analyte {
        code,
        name,
        unit,
        decimals,
        low: Some(low),
        high: Some(high),
        panic_low: Some(panic_low),
        panic_high: Some(panic_high),
    }
}

const fn below(
    code: &'static str,
    name: &'static str,
    (unit, decimals): (&'static str, usize),
    high: f64,
) -> Analyte {
    Analyte {
        code,
        name,
        unit,
        decimals,
        low: None,
        high: Some(high),
        panic_low: None,
        panic_high: None,
    }
}

const fn above(
    code: &'static str,
    name: &'static str,
    (unit, decimals): (&'static str, usize),
    low: f64,
) -> Analyte {
    Analyte {
        code,
        name,
        unit,
        decimals,
        low: Some(low),
        high: None,
        panic_low: None,
        panic_high: None,
    }
}

#[rustfmt::skip]
pub(super) static BLOOD_COUNT: [Analyte; 6] = [
    between("6690-2", "Leukocytes [#/volume] in Blood by Automated count", ("10*3/uL", 1), [4.0, 11.0], [1.0, 30.0]),
    between("789-8", "Erythrocytes [#/volume] in Blood by Automated count", ("10*6/uL", 2), [3.9, 5.7], [2.0, 7.5]),
    between("718-7", "Hemoglobin [Mass/volume] in Blood", ("g/dL", 1), [12.0, 17.0], [7.0, 20.0]),
    between("4544-3", "Hematocrit [Volume Fraction] of Blood by Automated count", ("%", 1), [36.0, 50.0], [21.0, 60.0]),
    between("787-2", "MCV [Entitic volume] by Automated count", ("fL", 1), [80.0, 100.0], [50.0, 130.0]),
    between("777-3", "Platelets [#/volume] in Blood by Automated count", ("10*3/uL", 0), [150.0, 400.0], [30.0, 1000.0]),
];
#[rustfmt::skip]
pub(super) static METABOLIC: [Analyte; 9] = [
    between("2345-7", "Glucose [Mass/volume] in Serum or Plasma", ("mg/dL", 0), [70.0, 99.0], [45.0, 450.0]),
    between("3094-0", "Urea nitrogen [Mass/volume] in Serum or Plasma", ("mg/dL", 0), [7.0, 20.0], [2.0, 100.0]),
    between("2160-0", "Creatinine [Mass/volume] in Serum or Plasma", ("mg/dL", 2), [0.60, 1.20], [0.20, 6.00]),
    above("98979-8", "Glomerular filtration rate/1.73 sq M.predicted [Volume Rate/Area] in Serum, Plasma or Blood by Creatinine-based formula (CKD-EPI 2021)", ("mL/min/{1.73_m2}", 0), 60.0),
    between("2951-2", "Sodium [Moles/volume] in Serum or Plasma", ("mmol/L", 0), [135.0, 145.0], [120.0, 160.0]),
    between("2823-3", "Potassium [Moles/volume] in Serum or Plasma", ("mmol/L", 1), [3.5, 5.1], [2.8, 6.2]),
    between("2075-0", "Chloride [Moles/volume] in Serum or Plasma", ("mmol/L", 0), [98.0, 107.0], [80.0, 120.0]),
    between("2028-9", "Carbon dioxide, total [Moles/volume] in Serum or Plasma", ("mmol/L", 0), [22.0, 29.0], [10.0, 40.0]),
    between("17861-6", "Calcium [Mass/volume] in Serum or Plasma", ("mg/dL", 1), [8.6, 10.3], [6.5, 13.0]),
];
#[rustfmt::skip]
pub(super) static LIPIDS: [Analyte; 4] = [
    below("2093-3", "Cholesterol [Mass/volume] in Serum or Plasma", ("mg/dL", 0), 200.0),
    below("2571-8", "Triglyceride [Mass/volume] in Serum or Plasma", ("mg/dL", 0), 150.0),
    above("2085-9", "Cholesterol in HDL [Mass/volume] in Serum or Plasma", ("mg/dL", 0), 40.0),
    below("13457-7", "Cholesterol in LDL [Mass/volume] in Serum or Plasma by calculation", ("mg/dL", 0), 130.0),
];
pub(super) static HEMOGLOBIN_A1C: [Analyte; 1] = [between(
    "4548-4",
    "Hemoglobin A1c/Hemoglobin.total in Blood",
    ("%", 1),
    [4.0, 5.6],
    [2.0, 14.0],
)];
pub(super) static THYROID: [Analyte; 1] = [between(
    "3016-3",
    "Thyrotropin [Units/volume] in Serum or Plasma",
    ("m[IU]/L", 2),
    [0.40, 4.50],
    [0.01, 60.00],
)];
pub(super) static INFLAMMATION: [Analyte; 1] = [below(
    "1988-5",
    "C reactive protein [Mass/volume] in Serum or Plasma",
    ("mg/L", 1),
    5.0,
)];

/// Returns the LOINC code and name of the panel.
pub(super) fn panel_code(panel: Panel) -> (&'static str, &'static str) {
    match panel {
        Panel::BloodCount => ("58410-2", "CBC panel - Blood by Automated count"),
        Panel::Metabolic => ("51990-0", "Basic metabolic panel - Blood"),
        Panel::Lipids => ("24331-1", "Lipid 1996 panel - Serum or Plasma"),
        Panel::HemoglobinA1c => ("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood"),
        Panel::Thyroid => ("3016-3", "Thyrotropin [Units/volume] in Serum or Plasma"),
        Panel::Inflammation => (
            "1988-5",
            "C reactive protein [Mass/volume] in Serum or Plasma",
        ),
    }
}

// === impl Analyte ===

impl Analyte {
    /// Returns a healthy value: the middle of the range, and one deviation.
    pub(super) fn healthy(&self) -> (f64, f64) {
        match (self.low, self.high) {
            (Some(low), Some(high)) => (f64::midpoint(low, high), (high - low) / 8.0),
            (None, Some(high)) => (high * 0.7, high * 0.08),
            (Some(low), None) => (low * 1.4, low * 0.1),
            (None, None) => (1.0, 0.0),
        }
    }

    /// Formats OBX-7.
    pub(super) fn range(&self) -> String {
        let n = self.decimals;
        match (self.low, self.high) {
            (Some(low), Some(high)) => format!("{low:.n$}-{high:.n$}"),
            (None, Some(high)) => format!("<{high:.n$}"),
            (Some(low), None) => format!(">={low:.n$}"),
            (None, None) => String::new(),
        }
    }

    /// Returns OBX-8 for the value as printed.
    pub(super) fn flag(&self, shown: &str) -> &'static str {
        let Ok(value) = shown.parse::<f64>() else {
            return "";
        };
        // `<130` excludes 130; `70-99` includes 99.
        let is_high = self
            .high
            .is_some_and(|high| high < value || (self.low.is_none() && high <= value));
        if self.panic_high.is_some_and(|high| high <= value) {
            "HH"
        } else if self.panic_low.is_some_and(|low| value <= low) {
            "LL"
        } else if is_high {
            "H"
        } else if self.low.is_some_and(|low| value < low) {
            "L"
        } else {
            "N"
        }
    }
}
