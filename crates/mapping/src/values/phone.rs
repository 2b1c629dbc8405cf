//! Texts composed of parts: telephone numbers, places, names of concepts.

use crate::forward::cell::{Cell, Reading};

/// Formats a telephone number: `+1 555 5550100 X12` (HL7 v2-to-FHIR, XTN[ContactPoint]).
pub(crate) fn forward(cell: Cell<'_>, reading: &Reading) -> String {
    let part = |n| cell.part(n, reading).joined(reading);
    let (country, area, local, extension) = (part(5), part(6), part(7), part(8));
    let mut text = String::new();
    if !country.is_empty() {
        text.push('+');
        text.push_str(country.trim_start_matches('+'));
        text.push(' ');
    }
    if !area.is_empty() {
        text.push_str(&area);
        text.push(' ');
    }
    text.push_str(&local);
    if !extension.is_empty() {
        text.push_str(" X");
        text.push_str(&extension);
    }
    text
}

/// Returns the display name of a CWE: its text, else its code, else the original text.
pub(crate) fn name(cell: Cell<'_>, reading: &Reading) -> String {
    let parts = [2, 1, 9].map(|n| cell.part(n, reading).joined(reading));
    let found = parts.into_iter().find(|text| !text.is_empty());
    found.map(Into::into).unwrap_or_default()
}

/// Formats a place: `ICU 101 A` is the point of care, the room and the bed; the facility if there
/// is nothing else.
pub(crate) fn place(cell: Cell<'_>, reading: &Reading) -> String {
    let words = |numbers: &[u8]| {
        let parts = numbers
            .iter()
            .map(|n| cell.part(*n, reading).plain(reading));
        let valued: Vec<String> = parts
            .map(Into::into)
            .filter(|text: &String| !text.is_empty())
            .collect();
        valued.join(" ")
    };
    let narrow = words(&[1, 2, 3]);
    if narrow.is_empty() {
        words(&[7, 8, 4])
    } else {
        narrow
    }
}
