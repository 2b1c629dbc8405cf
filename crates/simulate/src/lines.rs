//! Segments as text, written in field order.

/// A segment being written: its fields in ascending order.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    text: String,
    field: usize,
}

// === impl Line ===

impl Line {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            text: name.to_owned(),
            field: 0,
        }
    }

    /// Adds a field that is already escaped. MSH fields are numbered as in HL7.
    pub(crate) fn raw(mut self, field: usize, value: &str) -> Self {
        if value.is_empty() {
            return self;
        }
        while self.field < field {
            self.text.push('|');
            self.field += 1;
        }
        self.text.push_str(value);
        self
    }

    /// Adds a field of plain text.
    pub(crate) fn text(self, field: usize, value: &str) -> Self {
        self.raw(field, &escape(value))
    }

    /// Adds a field of components.
    pub(crate) fn parts(self, field: usize, values: &[&str]) -> Self {
        self.raw(field, &parts(values))
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }
}

/// Joins components, escaped, without trailing empty ones.
pub(crate) fn parts(values: &[&str]) -> String {
    let escaped: Vec<String> = values.iter().map(|value| escape(value)).collect();
    escaped.join("^").trim_end_matches('^').to_owned()
}

/// Joins repeats that are already escaped, without empty ones.
pub(crate) fn repeats(values: &[String]) -> String {
    let valued: Vec<&str> = values
        .iter()
        .map(String::as_str)
        .filter(|value| !value.is_empty())
        .collect();
    valued.join("~")
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' => out.push_str("\\F\\"),
            '^' => out.push_str("\\S\\"),
            '~' => out.push_str("\\R\\"),
            '&' => out.push_str("\\T\\"),
            '\\' => out.push_str("\\E\\"),
            other => out.push(other),
        }
    }
    out
}

/// Returns the segment with another value in a field, to imitate a sender's fault.
pub(crate) fn with_field(line: &str, field: usize, value: &str) -> String {
    let mut fields: Vec<&str> = line.split('|').collect();
    while fields.len() <= field {
        fields.push("");
    }
    if let Some(place) = fields.get_mut(field) {
        *place = value;
    }
    fields.join("|")
}

/// Returns a field of a segment.
pub(crate) fn field(line: &str, field: usize) -> &str {
    line.split('|').nth(field).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_at_their_positions() {
        let line = Line::new("PID")
            .raw(1, "1")
            .parts(3, &["A|B", "", ""])
            .text(5, "C^D")
            .raw(6, "")
            .finish();
        assert_eq!(line, "PID|1||A\\F\\B||C\\S\\D");
        assert_eq!(with_field(&line, 7, "X"), "PID|1||A\\F\\B||C\\S\\D||X");
        assert_eq!(field(&line, 3), "A\\F\\B");
    }
}
