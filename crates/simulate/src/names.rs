//! Names for people and places. Every family name begins with a mark that no real family has;
//! places, numbers and addresses are those that the standards reserve for examples.

/// The marks that family names begin with.
pub const FAMILY_MARKS: [&str; 10] = [
    "Test", "Sample", "Demo", "Mock", "Synth", "Dummy", "Pseudo", "Example", "Zztest", "Specimen",
];

/// The endings of family names: some beyond ASCII, some beyond the ISO 8859-1 support of old
/// systems.
pub(crate) const FAMILY_ENDS: [&str; 18] = [
    "son", "wood", "field", "ridge", "berg", "well", "ton", "ley", "stein", "brook", "hammer",
    "worth", "mann", "dale", "núñez", "müller", "gård", "çelik",
];

pub(crate) const WOMEN: [&str; 20] = [
    "Ada", "Beatriz", "Chloé", "Dora", "Elif", "Fatima", "Grace", "Hana", "Inés", "Joan", "Kateri",
    "Lucía", "Mei", "Nora", "Olga", "Priya", "Renée", "Sofia", "Tamar", "Yara",
];

pub(crate) const MEN: [&str; 20] = [
    "Abel", "Björn", "Carlos", "Dmitri", "Emeka", "Felix", "Georg", "Hugo", "Ivan", "José", "Kofi",
    "Liam", "Mateo", "Noah", "Omar", "Pavel", "René", "Samir", "Tomás", "Víctor",
];

pub(crate) const STREETS: [&str; 10] = [
    "Example Street",
    "Sample Avenue",
    "Placeholder Road",
    "Mock Lane",
    "Test Court",
    "Specimen Way",
    "Demo Drive",
    "Fixture Place",
    "Synthetic Boulevard",
    "Stub Terrace",
];

/// Cities with postal codes that are not in use (below 00501).
pub(crate) const CITIES: [(&str, &str); 6] = [
    ("Testville", "00001"),
    ("Demotown", "00012"),
    ("Samplebury", "00023"),
    ("Mock Falls", "00034"),
    ("Port Example", "00045"),
    ("Fixture Springs", "00056"),
];

/// Number, family, given.
pub(crate) const DOCTORS: [[&str; 3]; 8] = [
    ["D0001", "Testdoc", "Anna"],
    ["D0002", "Demodoc", "Bruno"],
    ["D0003", "Mockmed", "Clara"],
    ["D0004", "Samplemed", "Diego"],
    ["D0005", "Pseudoc", "Esther"],
    ["D0006", "Exampledoc", "Farid"],
    ["D0007", "Synthmed", "Greta"],
    ["D0008", "Dummydoc", "Henry"],
];

/// Code and text of US race categories (CDCREC).
pub(crate) const RACES: [(&str, &str); 5] = [
    ("2106-3", "White"),
    ("2054-5", "Black or African American"),
    ("2028-9", "Asian"),
    ("1002-5", "American Indian or Alaska Native"),
    ("2076-8", "Native Hawaiian or Other Pacific Islander"),
];

/// Wards of the clinic, with their specialty.
pub(crate) const WARDS: [(&str, &str); 4] = [
    ("MED", "Medicine"),
    ("SURG", "Surgery"),
    ("ICU", "Intensive care"),
    ("CARD", "Cardiology"),
];

/// Converts text to plain ASCII, as a system that supports nothing else writes it.
pub(crate) fn ascii(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            'á' | 'å' | 'ä' => 'a',
            'ç' => 'c',
            'é' | 'è' => 'e',
            'í' => 'i',
            'ñ' => 'n',
            'ö' | 'ó' => 'o',
            'ú' | 'ü' => 'u',
            '’' => '\'',
            '–' => '-',
            other if other.is_ascii() => other,
            _ => '?',
        })
        .collect()
}
