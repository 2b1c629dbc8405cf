//! Classifies a Patient's identifiers by what they identify.
//!
//! Invariants:
//! - the list states which types identify a person; a type of HL7 table 0203 that is not in it
//!   identifies a policy, an account, a visit, an organization or a licence, and never a person;
//! - a placeholder (`UNKNOWN`, zeros, an impossible social security number) identifies nobody,
//!   whatever its type.

/// The entity that an identifier identifies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Names {
    /// A record at the assigning organization: a medical record number, or a number without a type.
    #[default]
    Record,
    /// A person, for every organization: a social security number, a national number, a passport.
    Person,
    /// An unknown type: within its source it is a record number if there is no other.
    Local,
    /// No patient: a number of a policy, an account, a visit, a group.
    Nobody,
    /// No one: a word or digits in place of an unknown number.
    Placeholder,
}

/// Types of patient numbers at one organization (HL7 v2.9 table 0203). A number without a type is
/// one: PID-3 holds the patient's (HL7 v2.5.1, 3.4.2.3).
const RECORDS: [&str; 10] = ["", "MR", "MRT", "PI", "PT", "PN", "SR", "RRI", "ANON", "U"];

/// Types of numbers that identify a person for every organization. `NNxxx` also counts: a national
/// number with its country.
const PERSONS: [&str; 9] = ["SS", "NI", "JHN", "PPN", "DL", "PRC", "CZ", "BR", "PHC"];

/// The other types in table 0203: numbers of professionals, policies, accounts, visits, orders,
/// specimens.
const OTHERS: [&str; 118] = [
    "AC", "ACSN", "AIN", "AM", "AMA", "AN", "ANC", "AND", "ANT", "APRN", "ASID", "BA", "BC",
    "BCFN", "BCT", "BRN", "BSNR", "CAII", "CC", "CONM", "CR", "CY", "DC", "DCFS", "DDS", "DEA",
    "DFN", "DI", "DN", "DO", "DP", "DPM", "DR", "DS", "EI", "EN", "ESN", "FDR", "FDRFI", "FGN",
    "FI", "FILL", "GI", "GL", "GN", "HC", "IND", "IRISTEM", "L&I", "LACSN", "LANR", "LI", "LN",
    "LR", "MA", "MB", "MC", "MCD", "MCN", "MCR", "MCT", "MD", "MI", "MRI", "MS", "MT", "NBSNR",
    "NCT", "NE", "NH", "NII", "NIIP", "NP", "NPI", "OBI", "OD", "PA", "PC", "PCN", "PE", "PEN",
    "PGN", "PHE", "PHO", "PIN", "PLAC", "PNT", "PPIN", "PRN", "QA", "RN", "RPH", "RR", "RRP",
    "SAMN", "SB", "SID", "SL", "SN", "SNBSN", "SNO", "SP", "SRX", "STN", "TAX", "TN", "TPR", "TRL",
    "UDI", "UPIN", "USID", "VN", "VP", "VS", "WC", "WCN", "WP", "XX",
];

/// The namespace of US social security numbers.
const US_SSN: &str = "http://hl7.org/fhir/sid/us-ssn";

/// Placeholder words for an unknown number.
const WORDS: [&str; 24] = [
    "UNKNOWN",
    "UNK",
    "UNKN",
    "NONE",
    "NULL",
    "NIL",
    "NA",
    "NAN",
    "TBD",
    "PENDING",
    "MISSING",
    "REFUSED",
    "DECLINED",
    "UNAVAILABLE",
    "UNASSIGNED",
    "NOTAVAILABLE",
    "NOTASSIGNED",
    "NOTKNOWN",
    "NOTAPPLICABLE",
    "NOTPROVIDED",
    "NOID",
    "NONUMBER",
    "NOMRN",
    "NOSSN",
];

/// Numbers printed in advertisements, or typed by people who have none.
const FAKE_SSNS: [&str; 4] = ["123456789", "078051120", "219099999", "457555462"];

/// Classifies an identifier of a Patient by its type (a code of table 0203, or empty), its system
/// or authority, and its value.
pub fn names(kind: &str, system: &str, value: &str) -> Names {
    if is_placeholder(value) {
        return Names::Placeholder;
    }
    let is_ssn = kind == "SS" || system == US_SSN;
    if is_ssn && !may_be_ssn(value, system) {
        return Names::Placeholder;
    }
    if RECORDS.contains(&kind) {
        return if system == US_SSN {
            Names::Person
        } else {
            Names::Record
        };
    }
    let is_national = kind.len() == 5 && kind.starts_with("NN");
    if is_national || PERSONS.contains(&kind) {
        return Names::Person;
    }
    if OTHERS.contains(&kind) {
        return Names::Nobody;
    }
    Names::Local
}

/// Returns whether the identifier links records from several sources to one person.
pub fn joins(kind: &str, system: &str, value: &str) -> bool {
    match names(kind, system, value) {
        Names::Record | Names::Person => true,
        Names::Local | Names::Nobody | Names::Placeholder => false,
    }
}

/// Returns whether the value is a word or digits in place of an unknown number.
pub fn is_placeholder(value: &str) -> bool {
    let bare = || {
        value
            .bytes()
            .filter(u8::is_ascii_alphanumeric)
            .map(|byte| byte.to_ascii_uppercase())
    };
    let Some(first) = bare().next() else {
        // Only punctuation: `-`, `?`, `---`. Letters of other scripts are a real number.
        return value.is_ascii();
    };
    let n_bare = bare().count();
    let is_one_sign = bare().all(|byte| byte == first);
    match first {
        b'0' if is_one_sign => return true,
        b'9' if is_one_sign && 5 <= n_bare => return true,
        b'X' if is_one_sign && 2 <= n_bare => return true,
        _ => {}
    }
    WORDS
        .iter()
        .any(|word| word.len() == n_bare && word.bytes().eq(bare()))
}

/// Returns whether the Social Security Administration may have issued the number: area 000, 666 and
/// 9xx, group 00 and serial 0000 never were (SSA, "Social Security Number Randomization"; POMS RM
/// 10201.035). Numbers of other countries, which have another length and system, pass.
fn may_be_ssn(value: &str, system: &str) -> bool {
    let mut digits = String::with_capacity(9);
    for sign in value.chars() {
        match sign {
            '0'..='9' => digits.push(sign),
            '-' | ' ' | '.' => {}
            _ if system == US_SSN => return false,
            // A number with letters is another country's; words have no digits.
            _ => return value.bytes().any(|byte| byte.is_ascii_digit()),
        }
    }
    let parts = (digits.get(..3), digits.get(3..5), digits.get(5..9));
    let (Some(area), Some(group), Some(serial)) = parts else {
        return system != US_SSN && !digits.is_empty();
    };
    if digits.len() != 9 {
        return system != US_SSN;
    }
    let is_one_digit = digits.bytes().all(|byte| digits.starts_with(byte as char));
    area != "000"
        && area != "666"
        && !area.starts_with('9')
        && group != "00"
        && serial != "0000"
        && !is_one_digit
        && !FAKE_SSNS.contains(&digits.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(clause: &str, (kind, system, value): (&str, &str, &str), expected: Names) {
        assert_eq!(names(kind, system, value), expected, "{clause}");
    }

    #[test]
    fn whom_a_type_names() {
        for kind in ["", "MR", "PI", "PT", "SR"] {
            check("a record", (kind, "urn:oid:1.2", "77"), Names::Record);
        }
        for kind in ["NI", "NNCHE", "PPN", "DL"] {
            check("a person", (kind, "urn:oid:1.2", "A77"), Names::Person);
        }
        for kind in [
            "AN", "VN", "MB", "SN", "GN", "XX", "FI", "EI", "NIIP", "MA", "MC", "HC",
        ] {
            check("nobody", (kind, "urn:oid:1.2", "77"), Names::Nobody);
        }
        check("a site's own", ("EPI", "", "E77"), Names::Local);
    }

    #[test]
    fn placeholders() {
        for value in [
            "UNKNOWN",
            "unknown",
            "None",
            "N/A",
            "0",
            "000-00-0000",
            "0000000000",
            "99999",
            "999-99-9999",
            "-",
            "XXX",
            "not available",
        ] {
            check(value, ("MR", "HOSP", value), Names::Placeholder);
        }
        for value in [
            "1", "9", "99", "9999", "1111111", "77", "X", "A0", "NA1", "ÄÖ", "UNKA",
        ] {
            check(value, ("MR", "HOSP", value), Names::Record);
        }
    }

    #[test]
    fn social_security_numbers() {
        for value in ["123-45-6780", "123456780", "078-05-1121"] {
            check(value, ("SS", US_SSN, value), Names::Person);
        }
        for value in [
            "SSN# HERE",
            "000-12-3456",
            "666-12-3456",
            "900-12-3456",
            "123-00-4567",
            "123-45-0000",
            "111-11-1111",
            "123-45-6789",
            "12345678",
            "1234567890",
        ] {
            check(value, ("SS", US_SSN, value), Names::Placeholder);
        }
        check(
            "another country's",
            ("SS", "urn:oid:1.2", "85010112345"),
            Names::Person,
        );
        check("a word", ("SS", "", "SSN# HERE"), Names::Placeholder);
    }
}
