//! Concerns: what a person has to look at in a message, stored beside it in the ledger.
//!
//! ```text
//! unusable_value; OBX[2]-5: no number; identity_changed; PID-5: name, birth date and sex differ
//! ```
//!
//! Invariants:
//! - no PHI: reasons are codes, places are paths, and the text comes from the map or the chart;
//! - [`read`] parses what [`write`] wrote; text of another origin (`held by admin: …`) yields no
//!   concern.

use super::Attention;
use std::fmt;
use store::chart::Contradiction;

/// A concern: one thing about a message that a person has to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concern {
    /// Kind of concern.
    pub reason: Attention,
    /// Path in the message (`OBX[2]-5`); empty for the whole message.
    pub place: String,
    /// Description of the problem, without PHI; empty where the reason says it.
    pub why: String,
}

/// Maximum number of concerns stored per message. A message may have thousands, all alike.
const MAX_WRITTEN: usize = 20;

/// Separator between two entries.
const SEPARATOR: &str = "; ";

// === impl Concern ===

impl Concern {
    /// Creates a concern at a place.
    pub fn new(reason: Attention, place: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            reason,
            place: place.into(),
            why: why.into(),
        }
    }

    /// Creates a concern about two records that share an identifier and are kept apart.
    pub fn of_contradiction(found: &Contradiction) -> Self {
        let [one, other] = &found.records;
        let kind = match found.kind.as_str() {
            "" => "an identifier without a type".to_owned(),
            kind => format!("an identifier of type {kind}"),
        };
        let why = format!(
            "Patient/{one} and Patient/{other} have {kind} in common and are kept apart: {}",
            found.differ
        );
        Self::new(Attention::SharedIdentifier, "PID", why)
    }

    fn read(reason: Attention, entry: &str) -> Self {
        match entry.split_once(": ") {
            Some((place, why)) if hl7v2::Path::parse(place).is_ok() => {
                Self::new(reason, place, why)
            }
            _ => Self::new(reason, "", entry),
        }
    }
}

impl fmt::Display for Concern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One entry must not look like two.
        let why = self.why.replace(SEPARATOR, ", ");
        match (self.place.as_str(), why.as_str()) {
            ("", why) => f.write_str(why),
            (place, "") => f.write_str(place),
            (place, why) => write!(f, "{place}: {why}"),
        }
    }
}

/// Formats concerns for the ledger; none where there are no concerns.
pub fn write<'c>(concerns: impl IntoIterator<Item = &'c Concern>) -> Option<String> {
    let mut text = String::new();
    let mut last = None;
    for concern in concerns.into_iter().take(MAX_WRITTEN) {
        if last != Some(concern.reason) {
            push(&mut text, concern.reason.code());
            last = Some(concern.reason);
        }
        let entry = concern.to_string();
        if !entry.is_empty() {
            push(&mut text, &entry);
        }
    }
    (!text.is_empty()).then_some(text)
}

fn push(text: &mut String, entry: &str) {
    if !text.is_empty() {
        text.push_str(SEPARATOR);
    }
    text.push_str(entry);
}

/// Parses the ledger's text about a message that needs attention: the reasons and their entries.
/// Empty where the text contains no reason known here.
pub fn read(text: &str) -> Vec<Concern> {
    let mut concerns: Vec<Concern> = Vec::new();
    // A reason without an entry becomes a concern of its own.
    let mut bare = None;
    for entry in text.split(SEPARATOR) {
        match (
            Attention::parse(entry),
            concerns.last().map(|concern| concern.reason),
            bare,
        ) {
            (Some(reason), _, _) => {
                concerns.extend(bare.replace(reason).map(|bare| Concern::new(bare, "", "")));
            }
            (None, _, Some(reason)) => {
                concerns.push(Concern::read(reason, entry));
                bare = None;
            }
            (None, Some(reason), None) => concerns.push(Concern::read(reason, entry)),
            (None, None, None) => return concerns,
        }
    }
    concerns.extend(bare.map(|bare| Concern::new(bare, "", "")));
    concerns
}

/// Returns true where the ledger's text says that the message is in the chart.
pub fn in_chart(text: &str) -> bool {
    let code = text.split(SEPARATOR).next().unwrap_or_default();
    Attention::parse(code).is_some_and(Attention::in_chart)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn concern() -> impl Strategy<Value = Concern> {
        let places = prop::sample::select(vec!["", "OBX[2]-5", "PID-3[2].1", "OBR"]);
        (
            prop::sample::select(Attention::ALL.to_vec()),
            places,
            "[a-z]{0,9}( [a-z]{1,9})?",
        )
            .prop_map(|(reason, place, why)| Concern::new(reason, place, why))
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(concerns in prop::collection::vec(concern(), 0..12)) {
            let text = write(&concerns);
            let read = text.as_deref().map(read).unwrap_or_default();
            // A bare reason beside entries with the same reason adds nothing and is dropped.
            let reasons = |of: &[Concern]| {
                let mut reasons: Vec<_> = of.iter().map(|concern| concern.reason).collect();
                reasons.dedup();
                reasons
            };
            prop_assert_eq!(reasons(&read), reasons(&concerns));
            let told = |of: &[Concern]| -> Vec<String> {
                let entries = of.iter().map(ToString::to_string);
                entries.filter(|entry| !entry.is_empty()).collect()
            };
            prop_assert_eq!(told(&read), told(&concerns));
        }
    }

    #[test]
    fn what_the_ledger_says() {
        for (text, expected) in [
            ("", vec![]),
            ("held by admin: wrong patient; later", vec![]),
            ("no_map", vec![("no_map", "", "")]),
            (
                "chart_refused; PID-7: no date; OBX[2]-5[3].1.2: no number",
                vec![
                    ("chart_refused", "PID-7", "no date"),
                    ("chart_refused", "OBX[2]-5[3].1.2", "no number"),
                ],
            ),
            (
                "incomplete; unusable_value; OBX-5: no number",
                vec![
                    ("incomplete", "", ""),
                    ("unusable_value", "OBX-5", "no number"),
                ],
            ),
        ] {
            let expected: Vec<Concern> = expected
                .into_iter()
                .map(|(code, place, why)| Concern::new(Attention::parse(code).unwrap(), place, why))
                .collect();
            assert_eq!(read(text), expected, "{text}");
        }
        let two = Concern::new(Attention::Incomplete, "OBX", "no row; not kept");
        let text = write(&[two]).unwrap();
        assert_eq!(
            text, "incomplete; OBX: no row, not kept",
            "one entry stays one"
        );
    }
}
