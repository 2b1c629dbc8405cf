//! Results of one kind over time: latest value, marks, reference range and sparkline.

use super::super::markup::Markup;
use super::record::{Entry, LinkedText, Record};
use super::value;
use fhir::json::Node;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// All results of one test.
pub(super) struct Series {
    /// The code that groups the results.
    pub(super) key: String,
    pub(super) name: String,
    pub(super) category: String,
    pub(super) unit: String,
    /// The results, newest first.
    pub(super) points: Vec<Point>,
}

/// One result.
pub(super) struct Point {
    pub(super) when: String,
    /// The time in microseconds, for the axis.
    pub(super) at: i64,
    pub(super) said: LinkedText,
    pub(super) number: Option<f64>,
    /// The number without its unit.
    pub(super) short: String,
    pub(super) mark: Mark,
    pub(super) range: Option<(Option<f64>, Option<f64>)>,
    pub(super) range_text: String,
    /// The status, such as `corrected`, `preliminary` or `withdrawn`.
    pub(super) status: Option<(&'static str, &'static str)>,
    pub(super) is_error: bool,
    pub(super) source: String,
    pub(super) note: String,
}

/// The position of a result relative to its range: a sign and a word, so that colour is not the
/// only signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) sign: &'static str,
    pub(super) word: &'static str,
}

const NORMAL: Mark = Mark { sign: "", word: "" };

// === impl Mark ===

impl Mark {
    pub(super) fn is_abnormal(self) -> bool {
        !self.sign.is_empty()
    }

    /// Parses a code of HL7 v2 table 0078, as used in FHIR's `interpretation`.
    fn of_code(code: &str) -> Option<Self> {
        let (sign, word) = match code {
            "HH" | "HU" => ("▲▲", "critically high"),
            "H" => ("▲", "high"),
            "LL" | "LU" => ("▼▼", "critically low"),
            "L" => ("▼", "low"),
            "AA" => ("!!", "critically abnormal"),
            "A" | "POS" | "R" | "DET" => ("!", "abnormal"),
            "N" | "NEG" | "S" | "ND" => return Some(NORMAL),
            _ => return None,
        };
        Some(Self { sign, word })
    }
}

// === impl Point ===

impl Point {
    /// Returns the CSS classes of the value.
    pub(super) fn class(&self) -> &'static str {
        match (self.is_error, self.mark.is_abnormal()) {
            (true, _) => "value error",
            (false, true) => "value abnormal",
            (false, false) => "value",
        }
    }
}

// === impl Series ===

impl Series {
    /// Returns all series of a record by category and name.
    pub(super) fn all(record: &Record) -> Vec<Self> {
        let mut found: BTreeMap<String, Self> = BTreeMap::new();
        for entry in record.of_type("Observation") {
            let root = entry.root();
            let Some(code) = root.get("code") else {
                continue;
            };
            let category = category(root);
            let parts = components(root);
            if parts.is_empty() {
                push(&mut found, record, (entry, root, ""), (code, &category));
            }
            for (idx, part) in parts.into_iter().enumerate() {
                let prefix = format!("component[{idx}].");
                if let Some(code) = part.get("code") {
                    push(
                        &mut found,
                        record,
                        (entry, part, &prefix),
                        (code, &category),
                    );
                }
            }
        }
        let mut all: Vec<Self> = found.into_values().collect();
        for series in &mut all {
            series
                .points
                .sort_by_key(|point| std::cmp::Reverse(point.at));
        }
        all.sort_by(|one, other| (&one.category, &one.name).cmp(&(&other.category, &other.name)));
        all
    }

    /// Returns the name without the parts that LOINC adds for the laboratory: `C reactive protein
    /// [Mass/volume] in Serum or Plasma` becomes `C reactive protein`. The title has the full name.
    pub(super) fn short_name(&self) -> &str {
        let ends = [" [", " in Serum", " in Blood", " by Automated"];
        let end = ends.iter().filter_map(|end| self.name.find(end)).min();
        end.and_then(|end| self.name.get(..end))
            .filter(|name| 2 < name.len())
            .unwrap_or(&self.name)
    }

    /// Returns the key encoded for an address.
    pub(super) fn key_encoded(&self) -> String {
        super::super::markup::encode(&self.key)
    }

    /// Returns the newest result that was not withdrawn.
    pub(super) fn latest(&self) -> Option<&Point> {
        self.points
            .iter()
            .find(|point| !point.is_error)
            .or(self.points.first())
    }

    /// Renders a line over time with the reference band; empty with fewer than two numbers.
    pub(super) fn sparkline(&self) -> Markup {
        let valid: Vec<&Point> = self
            .points
            .iter()
            .filter(|point| !point.is_error && point.number.is_some())
            .take(24)
            .collect();
        if valid.len() < 2 {
            return Markup::default();
        }
        plot(&valid, (96.0, 24.0), &self.name)
    }

    /// Renders the same line, large, for the test's page.
    pub(super) fn chart(&self) -> Markup {
        let valid: Vec<&Point> = self
            .points
            .iter()
            .filter(|point| !point.is_error && point.number.is_some())
            .collect();
        if valid.len() < 2 {
            return Markup::default();
        }
        plot(&valid, (720.0, 200.0), &self.name)
    }

    /// Returns the smallest and the largest number, for the axis.
    pub(super) fn span(&self) -> Option<(f64, f64)> {
        let numbers = || {
            self.points
                .iter()
                .filter(|point| !point.is_error)
                .filter_map(|p| p.number)
        };
        let low = numbers().fold(f64::INFINITY, f64::min);
        let high = numbers().fold(f64::NEG_INFINITY, f64::max);
        low.is_finite().then_some((low, high))
    }
}

fn components(root: Node<'_>) -> Vec<Node<'_>> {
    // A result with a value of its own shows that value; a panel such as a blood pressure shows its
    // components.
    if value::choice(root, "value").is_some() {
        return Vec::new();
    }
    root.get("component")
        .into_iter()
        .flat_map(Node::items)
        .collect()
}

fn push(
    found: &mut BTreeMap<String, Series>,
    record: &Record,
    (entry, node, prefix): (&Entry, Node<'_>, &str),
    (code, category): (Node<'_>, &str),
) {
    let name = value::concept(code);
    let key = value::code(code);
    let point = point(record, entry, node, prefix);
    let unit = node
        .get("valueQuantity")
        .and_then(|quantity| quantity.text("unit"));
    let series = found.entry(key.clone()).or_insert_with(|| Series {
        key,
        name,
        category: category.to_owned(),
        unit: unit.map(|unit| value::readable(&unit)).unwrap_or_default(),
        points: Vec::new(),
    });
    series.points.push(point);
}

fn point(record: &Record, entry: &Entry, node: Node<'_>, prefix: &str) -> Point {
    let root = entry.root();
    let when = entry.when(&[
        "effectiveDateTime",
        "effectivePeriod",
        "effectiveInstant",
        "issued",
    ]);
    let at = when
        .as_deref()
        .and_then(value::instant)
        .map_or(0, base::Timestamp::micros);
    let (element, text) = match value::result(node) {
        Some((name, text)) => (format!("{prefix}{name}"), text),
        None => match node.get("dataAbsentReason") {
            Some(reason) => (
                format!("{prefix}dataAbsentReason"),
                format!("no value: {}", value::absent_reason(reason)),
            ),
            None => (format!("{prefix}code"), "no value".to_owned()),
        },
    };
    let digits = node
        .get("valueQuantity")
        .and_then(|quantity| quantity.get("value")?.number_text());
    let number = digits.and_then(|digits| digits.parse::<f64>().ok());
    let comparator = node
        .get("valueQuantity")
        .and_then(|quantity| quantity.text("comparator"));
    let short = digits.map(value::digits).unwrap_or_default();
    let (range, range_text) = range(
        node.get("referenceRange")
            .or_else(|| root.get("referenceRange")),
    );
    let is_error = entry.is_error();
    Point {
        when: when.as_deref().map(value::day).unwrap_or_default(),
        at,
        said: record.said(entry, &element, text),
        number,
        short: format!("{}{short}", comparator.unwrap_or_default()),
        mark: mark(node, number, range),
        range,
        range_text,
        status: status(root, is_error),
        is_error,
        source: record.short_source_of(entry).to_owned(),
        note: note(record, entry),
    }
}

/// Returns the result's own notes, then those of its report.
fn note(record: &Record, entry: &Entry) -> String {
    let notes = entry.root().get("note").into_iter().flat_map(Node::items);
    let mut texts: Vec<String> = notes
        .filter_map(|note| note.text("text").map(Into::into))
        .collect();
    let own = format!("Observation/{}", entry.resource.id);
    for report in record.of_type("DiagnosticReport") {
        let notes = value::report_notes(report.root());
        let mut results = report
            .root()
            .get("result")
            .into_iter()
            .flat_map(Node::items);
        let is_of = |result: Node<'_>| result.text("reference").as_deref() == Some(&*own);
        if !notes.is_empty() && !report.is_error() && results.any(is_of) {
            texts.extend(notes.into_iter().map(|(_, text)| text));
        }
    }
    texts.join("; ")
}

fn category(root: Node<'_>) -> String {
    let category = root
        .get("category")
        .into_iter()
        .flat_map(Node::items)
        .next();
    match category.map(value::code).unwrap_or_default().as_str() {
        "vital-signs" => "Vital signs".to_owned(),
        "laboratory" | "" => "Laboratory".to_owned(),
        "social-history" => "Social history".to_owned(),
        "survey" => "Surveys".to_owned(),
        "imaging" => "Imaging".to_owned(),
        other => other.to_owned(),
    }
}

fn status(root: Node<'_>, is_error: bool) -> Option<(&'static str, &'static str)> {
    if is_error {
        return Some(("bad", "withdrawn: entered in error"));
    }
    match root.text("status").as_deref() {
        Some("corrected") => Some(("warn", "corrected")),
        Some("amended") => Some(("warn", "amended")),
        Some("preliminary") => Some(("warn", "preliminary")),
        Some("cancelled") => Some(("bad", "cancelled")),
        Some("registered") => Some(("warn", "not available yet")),
        _ => None,
    }
}

/// Returns the sender's own interpretation, or else compares the number with its range.
fn mark(node: Node<'_>, number: Option<f64>, range: Option<(Option<f64>, Option<f64>)>) -> Mark {
    let said = node
        .get("interpretation")
        .into_iter()
        .flat_map(Node::items)
        .map(value::code);
    let said = said.into_iter().find_map(|code| Mark::of_code(&code));
    if let Some(said) = said {
        return said;
    }
    match (number, range) {
        (Some(number), Some((_, Some(high)))) if high < number => Mark {
            sign: "▲",
            word: "above the range",
        },
        (Some(number), Some((Some(low), _))) if number < low => Mark {
            sign: "▼",
            word: "below the range",
        },
        _ => NORMAL,
    }
}

type Ends = (Option<f64>, Option<f64>);

/// Returns the first reference range: its limits as numbers, and as text.
fn range(ranges: Option<Node<'_>>) -> (Option<Ends>, String) {
    let Some(range) = ranges.and_then(|ranges| ranges.items().next()) else {
        return (None, String::new());
    };
    let end = |name: &str| {
        let number = range.get(name)?.get("value")?.number_text()?;
        Some((number.parse::<f64>().ok()?, number.to_owned()))
    };
    let (low, high) = (end("low"), end("high"));
    if low.is_some() || high.is_some() {
        let text = match (&low, &high) {
            (Some((_, low)), Some((_, high))) => format!("{low}–{high}"),
            (Some((_, low)), None) => format!("≥ {low}"),
            (None, Some((_, high))) => format!("≤ {high}"),
            (None, None) => String::new(),
        };
        return (Some((low.map(|(n, _)| n), high.map(|(n, _)| n))), text);
    }
    let text = range.text("text").unwrap_or_default().into_owned();
    (ends_of(&text), text)
}

/// Parses limits such as `3.5-5.1`, `<5` or `>= 60`.
fn ends_of(text: &str) -> Option<Ends> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let text = text.trim();
    if let Some(rest) = text.strip_prefix('<') {
        return Some((None, Some(number(rest.trim_start_matches('='))?)));
    }
    if let Some(rest) = text.strip_prefix('>') {
        return Some((Some(number(rest.trim_start_matches('='))?), None));
    }
    let at = text
        .char_indices()
        .skip(1)
        .find(|(_, c)| matches!(c, '-' | '–'))?;
    let (low, high) = text.split_at(at.0);
    let high = high.trim_start_matches(['-', '–']);
    Some((Some(number(low)?), Some(number(high)?)))
}

/// Draws points from the newest to the oldest as a line, with the band of the newest range.
fn plot(points: &[&Point], (width, height): (f64, f64), name: &str) -> Markup {
    let pad = if 100.0 < height { 12.0 } else { 3.0 };
    let numbers = || points.iter().filter_map(|point| point.number);
    let band = points
        .iter()
        .find_map(|point| point.range)
        .unwrap_or((None, None));
    let ends = [band.0, band.1];
    let all = || numbers().chain(ends.into_iter().flatten());
    let (low, high) = (
        all().fold(f64::INFINITY, f64::min),
        all().fold(f64::NEG_INFINITY, f64::max),
    );
    let spread = if (high - low).abs() < f64::EPSILON {
        1.0
    } else {
        high - low
    };
    let y = |number: f64| height - pad - (number - low) / spread * (height - 2.0 * pad);
    let times = || points.iter().map(|point| point.at);
    let (first, last) = (times().min().unwrap_or(0), times().max().unwrap_or(0));
    let long = (last - first).max(1) as f64;
    let x = |at: i64| pad + (at - first) as f64 / long * (width - 2.0 * pad);

    let mut svg = format!(
        "<svg class=\"plot\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"{} over time, {} values\">",
        super::super::markup::escape(name),
        points.len()
    );
    if band.0.is_some() || band.1.is_some() {
        let (top, bottom) = (y(band.1.unwrap_or(high)), y(band.0.unwrap_or(low)));
        let _ = write!(
            svg,
            "<rect class=\"band\" x=\"0\" y=\"{top:.1}\" width=\"{width}\" height=\"{:.1}\"/>",
            (bottom - top).max(1.0)
        );
    }
    let mut path = String::new();
    for (idx, point) in points.iter().rev().enumerate() {
        if let Some(number) = point.number {
            let command = if idx == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{command}{:.1} {:.1}", x(point.at), y(number));
        }
    }
    let _ = write!(svg, "<path class=\"trend\" d=\"{path}\"/>");
    let is_large = 100.0 < height;
    for (idx, point) in points.iter().enumerate() {
        let Some(number) = point.number else { continue };
        if is_large || idx == 0 || point.mark.is_abnormal() {
            let class = if point.mark.is_abnormal() {
                "dot bad"
            } else {
                "dot"
            };
            let radius = if is_large { 4.0 } else { 2.2 };
            let _ = write!(
                svg,
                "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius}\"><title>{} {}</title></circle>",
                x(point.at),
                y(number),
                point.when,
                super::super::markup::escape(&point.said.text)
            );
        }
    }
    svg.push_str("</svg>");
    Markup(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_as_text() {
        for (text, expected) in [
            ("3.5-5.1", Some((Some(3.5), Some(5.1)))),
            ("70 – 99", Some((Some(70.0), Some(99.0)))),
            ("-2-2", Some((Some(-2.0), Some(2.0)))),
            ("<5", Some((None, Some(5.0)))),
            (">= 60", Some((Some(60.0), None))),
            ("negative", None),
            ("", None),
        ] {
            assert_eq!(ends_of(text), expected, "{text}");
        }
    }

    #[test]
    fn codes_of_table_0078() {
        for (code, sign) in [("H", "▲"), ("HH", "▲▲"), ("L", "▼"), ("N", ""), ("A", "!")] {
            assert_eq!(
                Mark::of_code(code).map(|mark| mark.sign),
                Some(sign),
                "{code}"
            );
        }
        assert_eq!(Mark::of_code("ZZ"), None);
    }
}
