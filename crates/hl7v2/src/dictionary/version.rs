//! The versions of the standard.

use std::fmt;

/// A version of HL7 v2 that the dictionary knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are self-explanatory")]
pub enum Version {
    V2_1,
    V2_2,
    V2_3,
    V2_3_1,
    V2_4,
    V2_5,
    V2_5_1,
    V2_6,
    V2_7,
    V2_8,
    V2_8_1,
    V2_8_2,
}

// === impl Version ===

impl Version {
    /// All versions, oldest first.
    pub const ALL: [Self; 12] = [
        Self::V2_1,
        Self::V2_2,
        Self::V2_3,
        Self::V2_3_1,
        Self::V2_4,
        Self::V2_5,
        Self::V2_5_1,
        Self::V2_6,
        Self::V2_7,
        Self::V2_8,
        Self::V2_8_1,
        Self::V2_8_2,
    ];

    /// Returns the version as written in MSH-12.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2_1 => "2.1",
            Self::V2_2 => "2.2",
            Self::V2_3 => "2.3",
            Self::V2_3_1 => "2.3.1",
            Self::V2_4 => "2.4",
            Self::V2_5 => "2.5",
            Self::V2_5_1 => "2.5.1",
            Self::V2_6 => "2.6",
            Self::V2_7 => "2.7",
            Self::V2_8 => "2.8",
            Self::V2_8_1 => "2.8.1",
            Self::V2_8_2 => "2.8.2",
        }
    }

    /// Returns the version with exactly this text.
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|version| version.as_str() == text)
    }

    /// Returns the version with this text, or the newest one before it (2.7.1 is read as 2.7). Text
    /// that is not a version at all is read as 2.5.1, the version most senders write.
    pub fn nearest(text: &str) -> Self {
        let text = text.trim();
        if let Some(version) = Self::named(text) {
            return version;
        }
        let numbers = |text: &str| -> Option<Vec<u32>> {
            text.split('.')
                .take(3)
                .map(|part| part.parse().ok())
                .collect()
        };
        let Some(wanted) = numbers(text).filter(|numbers| numbers.first() == Some(&2)) else {
            return Self::V2_5_1;
        };
        let before = |version: &Self| numbers(version.as_str()).is_some_and(|own| own <= wanted);
        Self::ALL
            .into_iter()
            .rev()
            .find(before)
            .unwrap_or(Self::V2_1)
    }

    pub(crate) fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest() {
        let cases = [
            ("2.5.1", Version::V2_5_1),
            ("2.7.1", Version::V2_7),
            ("2.9", Version::V2_8_2),
            ("2.3.2", Version::V2_3_1),
            ("2", Version::V2_1),
            ("", Version::V2_5_1),
            ("3.0", Version::V2_5_1),
            ("x", Version::V2_5_1),
        ];
        for (text, expected) in cases {
            assert_eq!(Version::nearest(text), expected, "{text}");
        }
    }
}
