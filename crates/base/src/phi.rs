//! A value that identifies a patient.

use std::fmt;

/// Why somebody looks at PHI. The audit record carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// `TREAT` of the v3 purposes of use.
    Treatment,
    /// `HOPERAT` of the v3 purposes of use.
    Operations,
    /// `PATRQT` of the v3 purposes of use: the patient asked.
    PatientRequest,
    /// `PUBHLTH` of the v3 purposes of use.
    PublicHealth,
    /// `ETREAT` of the v3 purposes of use: an emergency.
    EmergencyTreatment,
}

impl Purpose {
    /// The code in `http://terminology.hl7.org/CodeSystem/v3-ActReason`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Treatment => "TREAT",
            Self::Operations => "HOPERAT",
            Self::PatientRequest => "PATRQT",
            Self::PublicHealth => "PUBHLTH",
            Self::EmergencyTreatment => "ETREAT",
        }
    }

    /// The purpose of that code.
    pub fn of_code(code: &str) -> Option<Self> {
        let all = [
            Self::Treatment,
            Self::Operations,
            Self::PatientRequest,
            Self::PublicHealth,
            Self::EmergencyTreatment,
        ];
        all.into_iter().find(|purpose| purpose.code() == code)
    }
}

/// A value that identifies a patient. It prints as `[phi]`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Phi<T>(T);

impl<T> Phi<T> {
    /// Marks `value` as PHI, at the edge where it comes in.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// Hands out the value. Search for this name to find every place that reads PHI.
    pub fn reveal(&self, _purpose: Purpose) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Phi<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[phi]")
    }
}

impl<T> fmt::Display for Phi<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[phi]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_prints() {
        let name = Phi::new("Testcase");
        assert_eq!(format!("{name:?} {name}"), "[phi] [phi]");
        assert_eq!(*name.reveal(Purpose::Treatment), "Testcase");
    }
}
