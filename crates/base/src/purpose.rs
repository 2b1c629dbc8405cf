//! Purposes of use: the reasons for an access to PHI.

/// The purpose of an access to PHI, recorded in the audit log.
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
    /// Returns the code in `http://terminology.hl7.org/CodeSystem/v3-ActReason`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Treatment => "TREAT",
            Self::Operations => "HOPERAT",
            Self::PatientRequest => "PATRQT",
            Self::PublicHealth => "PUBHLTH",
            Self::EmergencyTreatment => "ETREAT",
        }
    }

    /// Returns the purpose with that code.
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
