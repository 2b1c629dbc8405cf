//! FHIR values as people read them.

use base::DateTime;
use fhir::json::Node;

/// The code system whose codes state that a value is missing, not what it is.
const DATA_ABSENT: &str = "http://terminology.hl7.org/CodeSystem/data-absent-reason";

/// Renders a CodeableConcept: its text, or a display, or a code. Empty if there is none of these.
pub(super) fn concept(node: Node<'_>) -> String {
    words(node, |coding| {
        coding.text("system").as_deref() != Some(DATA_ABSENT)
    })
}

/// Returns the reason for a missing value.
pub(super) fn absent_reason(node: Node<'_>) -> String {
    words(node, |_| true)
}

fn words(node: Node<'_>, counts: impl Fn(&Node<'_>) -> bool) -> String {
    if let Some(text) = node.text("text").filter(|text| !text.is_empty()) {
        return text.into_owned();
    }
    let codings = || {
        let all = node.get("coding").into_iter().flat_map(Node::items);
        all.filter(|coding| counts(coding))
    };
    let display = codings().find_map(|coding| coding.text("display"));
    let code = || codings().find_map(|coding| coding.text("code"));
    display
        .or_else(code)
        .map(std::borrow::Cow::into_owned)
        .unwrap_or_default()
}

/// Returns the code that groups results: the LOINC code, or else the first.
pub(super) fn code(node: Node<'_>) -> String {
    let codings = || node.get("coding").into_iter().flat_map(Node::items);
    let loinc =
        codings().find(|coding| coding.text("system").as_deref() == Some("http://loinc.org"));
    let coding = loinc.or_else(|| codings().next());
    let code = coding.and_then(|coding| coding.text("code"));
    code.or_else(|| node.text("text"))
        .map(std::borrow::Cow::into_owned)
        .unwrap_or_default()
}

/// Returns the code of a simple CodeableConcept or code, such as a status.
pub(super) fn status(root: Node<'_>, name: &str) -> String {
    match root.get(name) {
        Some(node) if node.is_object() => code(node),
        Some(node) => node
            .as_str()
            .map(std::borrow::Cow::into_owned)
            .unwrap_or_default(),
        None => String::new(),
    }
}

/// Returns the list that ended the entry: `no longer listed by REG at NORTH`.
pub(super) fn ended(root: Node<'_>) -> Vec<String> {
    let extensions = root.get("extension").into_iter().flat_map(Node::items);
    let marks = extensions.filter(|extension| {
        extension.text("url").as_deref() == Some("urn:causeway:no-longer-listed")
    });
    let words = marks.filter_map(|mark| {
        let part = |url: &str, value: &str| {
            let mut parts = mark.get("extension")?.items();
            let part = parts.find(|part| part.text("url").as_deref() == Some(url))?;
            part.text(value).map(std::borrow::Cow::into_owned)
        };
        let by = part("by", "valueString")?;
        Some(match part("because", "valueCode").as_deref() {
            Some("superseded") => format!("ended by what {by} lists"),
            _ => format!("no longer listed by {by}"),
        })
    });
    words.collect()
}

/// Returns the official name, or else the first: `ZZTEST, Anna Q.`
pub(super) fn name(patient: Node<'_>) -> String {
    let names = || patient.get("name").into_iter().flat_map(Node::items);
    let chosen = names()
        .find(|name| matches!(name.text("use").as_deref(), Some("official" | "usual")))
        .or_else(|| names().find(|name| name.text("use").as_deref() != Some("old")));
    chosen
        .map(human_name)
        .filter(|name| !name.is_empty())
        .map_or_else(|| "no name".to_owned(), |name| cut(&name))
}

/// Cuts an overlong name, which must not push everything else off the page.
fn cut(name: &str) -> String {
    match name.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or("")),
        None => name.to_owned(),
    }
}

pub(super) fn human_name(name: Node<'_>) -> String {
    let family = name.text("family").unwrap_or_default();
    let given: Vec<_> = name
        .get("given")
        .into_iter()
        .flat_map(Node::items)
        .filter_map(Node::as_str)
        .collect();
    match (family.is_empty(), given.is_empty()) {
        (false, false) => format!("{family}, {}", given.join(" ")),
        (false, true) => family.into_owned(),
        (true, false) => given.join(" "),
        (true, true) => name.text("text").unwrap_or_default().into_owned(),
    }
}

/// Renders a Quantity such as `7.2 mmol/L`, with its digits as sent except for noise beyond the
/// fourth decimal place.
pub(super) fn quantity(node: Node<'_>) -> String {
    let number = node
        .get("value")
        .and_then(Node::number_text)
        .map(digits)
        .unwrap_or_default();
    let comparator = node.text("comparator").unwrap_or_default();
    let unit = node
        .text("unit")
        .or_else(|| node.text("code"))
        .map(|unit| readable(&unit))
        .unwrap_or_default();
    format!("{comparator}{number} {unit}").trim().to_owned()
}

/// Renders a UCUM unit as people write it: `10*3/uL` becomes `10³/uL`, `mL/min/{1.73_m2}` becomes
/// `mL/min/1.73 m²`. The letters are kept: `uL` does not become `µL`, which is easily misread as
/// `mL`.
pub(super) fn readable(unit: &str) -> String {
    let mut out = String::with_capacity(unit.len());
    let mut inside = false;
    let mut raised = false;
    for c in unit.chars() {
        match c {
            '{' => inside = true,
            '}' => inside = false,
            '_' if inside => out.push(' '),
            '*' | '^' if out.ends_with("10") => raised = true,
            '0'..='9' if raised || (inside && out.ends_with('m')) => out.push(superscript(c)),
            '-' if raised => out.push('⁻'),
            c => {
                raised = false;
                out.push(c);
            }
        }
    }
    out
}

fn superscript(digit: char) -> char {
    const RAISED: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let index = digit.to_digit(10).unwrap_or(0) as usize;
    RAISED.get(index).copied().unwrap_or(digit)
}

/// Renders a number without floating-point noise: `189.34136216482673` becomes `189.34`.
pub(super) fn digits(number: &str) -> String {
    match number.split_once('.') {
        Some((whole, fraction)) if 6 < fraction.len() && !number.contains(['e', 'E']) => {
            let Ok(value) = number.parse::<f64>() else {
                return format!("{whole}.{fraction}");
            };
            if value.abs() < 1.0 {
                format!("{value:.4}")
            } else {
                format!("{value:.2}")
            }
        }
        _ => number.to_owned(),
    }
}

/// Returns the element that is present of a choice such as `value[x]`, with its name.
pub(super) fn choice<'a>(root: Node<'a>, prefix: &str) -> Option<(&'a str, Node<'a>)> {
    root.fields().find_map(|field| {
        let name = field.name()?;
        let rest = name.strip_prefix(prefix)?;
        rest.starts_with(|c: char| c.is_ascii_uppercase())
            .then_some((name, field))
    })
}

/// Returns the value of a result with its name. If the value is text with a number in it, its unit
/// follows: `1,234 mg/dL`.
pub(super) fn result(root: Node<'_>) -> Option<(&str, String)> {
    let (name, node) = choice(root, "value")?;
    let mut text = text_of(name, node);
    let has_own = ["Quantity", "Range"]
        .iter()
        .any(|kind| name.ends_with(kind));
    if !has_own && text.contains(|c: char| c.is_ascii_digit()) {
        let extensions = root.get("extension").into_iter().flat_map(Node::items);
        let unit = extensions
            .filter(|extension| extension.text("url").as_deref() == Some("urn:causeway:unit"))
            .find_map(|extension| extension.get("valueQuantity").map(quantity));
        if let Some(unit) = unit.filter(|unit| !unit.is_empty()) {
            text.push(' ');
            text.push_str(&unit);
        }
    }
    Some((name, text))
}

/// Renders any value of a choice as text.
pub(super) fn text_of(name: &str, node: Node<'_>) -> String {
    if name.ends_with("Quantity") || name.ends_with("Age") || name.ends_with("Duration") {
        return quantity(node);
    }
    if name.ends_with("CodeableConcept") {
        return concept(node);
    }
    if name.ends_with("Range") {
        let end = |name: &str| node.get(name).map(quantity).unwrap_or_default();
        return format!("{} – {}", end("low"), end("high"));
    }
    if name.ends_with("Ratio") {
        let part = |name: &str| node.get(name).map(quantity).unwrap_or_default();
        return format!("{} : {}", part("numerator"), part("denominator"));
    }
    if name.ends_with("Period") {
        return period(node);
    }
    if name.ends_with("Reference") {
        return reference(node);
    }
    if name.ends_with("Date") || name.ends_with("DateTime") || name.ends_with("Instant") {
        return node.as_str().map(|text| day(&text)).unwrap_or_default();
    }
    if name.ends_with("Boolean") {
        return if node.as_bool() == Some(true) {
            "yes"
        } else {
            "no"
        }
        .to_owned();
    }
    node.as_str()
        .map_or_else(|| node.raw_str().to_owned(), std::borrow::Cow::into_owned)
}

/// Renders a reference by the text it carries.
pub(super) fn reference(node: Node<'_>) -> String {
    node.text("display")
        .or_else(|| node.text("reference"))
        .unwrap_or_default()
        .into_owned()
}

pub(super) fn period(node: Node<'_>) -> String {
    let end = |name: &str| node.text(name).map(|text| day(&text));
    match (end("start"), end("end")) {
        (Some(start), Some(end)) if start == end => start,
        (Some(start), Some(end)) => format!("{start} – {end}"),
        (Some(start), None) => format!("since {start}"),
        (None, Some(end)) => format!("until {end}"),
        (None, None) => String::new(),
    }
}

/// Returns the day of a date or time, as precise as the sender gave it.
pub(super) fn day(text: &str) -> String {
    text.split('T').next().unwrap_or(text).to_owned()
}

/// Returns the earliest instant that a FHIR date or time may mean.
pub(super) fn instant(text: &str) -> Option<base::Timestamp> {
    let at = DateTime::parse_fhir(text).ok()?;
    Some(at.timestamp(&base::Zone::utc()))
}

/// Returns the full years between a birth date and a day; none if only the year is known.
pub(super) fn age(birth: &str, today: &str) -> Option<String> {
    let parts = |text: &str| {
        let mut parts = text
            .get(..10)
            .unwrap_or(text)
            .split('-')
            .map(|part| part.parse::<i32>().ok());
        Some((
            parts.next()??,
            parts.next().flatten(),
            parts.next().flatten(),
        ))
    };
    let ((by, bm, bd), (ty, tm, td)) = (parts(birth)?, parts(today)?);
    let (Some(bm), Some(bd)) = (bm, bd) else {
        return Some(format!("about {}", ty - by));
    };
    let (tm, td) = (tm?, td?);
    let years = ty - by - i32::from((tm, td) < (bm, bd));
    let months = years * 12 + (tm - bm).rem_euclid(12) - i32::from(td < bd && tm != bm);
    Some(match years {
        i32::MIN..0 => return None,
        0..2 => format!("{} months", months.max(0)),
        years => format!("{years} y"),
    })
}

/// Shortens a long number, such as a UUID, to its beginning and end.
pub(crate) fn short(number: &str) -> String {
    let chars: Vec<char> = number.chars().collect();
    match (
        chars.get(..6),
        chars.len().checked_sub(4).and_then(|at| chars.get(at..)),
    ) {
        (Some(head), Some(tail)) if 16 < chars.len() => {
            format!(
                "{}…{}",
                head.iter().collect::<String>(),
                tail.iter().collect::<String>()
            )
        }
        _ => number.to_owned(),
    }
}

/// Returns a readable name of a system: the assigner's name, or else the end of the URI.
pub(super) fn system_name(identifier: Node<'_>) -> String {
    let assigner = identifier
        .get("assigner")
        .and_then(|assigner| assigner.text("display"));
    if let Some(name) = assigner {
        return name.into_owned();
    }
    let system = identifier.text("system").unwrap_or_default();
    match system.as_ref() {
        "http://hl7.org/fhir/sid/us-ssn" => "SSN".to_owned(),
        system => {
            let end = system
                .trim_end_matches('/')
                .rsplit(['/', ':'])
                .next()
                .unwrap_or(system);
            // The last arcs of an OID distinguish one authority from another.
            let arcs: Vec<&str> = end.split('.').collect();
            let is_oid = 6 < arcs.len() && end.bytes().all(|b| b.is_ascii_digit() || b == b'.');
            if is_oid {
                format!(
                    "…{}",
                    arcs.get(arcs.len() - 3..).unwrap_or_default().join(".")
                )
            } else {
                end.to_owned()
            }
        }
    }
}

/// Returns true if blanks within the lines form columns.
pub(super) fn has_columns(text: &str) -> bool {
    text.contains('\n') && text.lines().any(|line| line.trim().contains("   "))
}

/// Returns the laboratory's notes on a report, with their elements (R5's DiagnosticReport.note).
pub(super) fn report_notes(root: Node<'_>) -> Vec<(String, String)> {
    const NOTE: &str =
        "http://hl7.org/fhir/5.0/StructureDefinition/extension-DiagnosticReport.note";
    let extensions = root.get("extension").into_iter().flat_map(Node::items);
    let notes = extensions.enumerate().filter_map(|(idx, extension)| {
        let is_note = extension.text("url").as_deref() == Some(NOTE);
        let text = extension.get("valueAnnotation")?.text("text")?;
        let element = format!("extension[{idx}].valueAnnotation.text");
        is_note.then(|| (element, text.into_owned()))
    });
    notes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fhir::json::Document;

    #[test]
    fn ages() {
        for (birth, today, expected) in [
            ("1980-01-02", "2024-01-01", Some("43 y")),
            ("1980-01-02", "2024-01-02", Some("44 y")),
            ("2023-11-20", "2024-01-10", Some("1 months")),
            ("1980", "2024-01-01", Some("about 44")),
            ("2030-01-01", "2024-01-01", None),
            ("x", "2024-01-01", None),
        ] {
            assert_eq!(age(birth, today).as_deref(), expected, "{birth}");
        }
    }

    #[test]
    fn units_as_people_write_them() {
        for (unit, text) in [
            ("mmol/L", "mmol/L"),
            ("10*3/uL", "10³/uL"),
            ("10*12/L", "10¹²/L"),
            ("10^9/L", "10⁹/L"),
            ("10*-6", "10⁻⁶"),
            ("mL/min/{1.73_m2}", "mL/min/1.73 m²"),
            ("{ratio}", "ratio"),
            ("kg/m2", "kg/m2"),
            ("%", "%"),
        ] {
            assert_eq!(readable(unit), text, "{unit}");
        }
    }

    #[test]
    fn an_overlong_name_is_cut() {
        let name = format!(r#"{{"name":[{{"family":"{}"}}]}}"#, "Ü".repeat(500));
        let document = Document::parse(name.as_str()).unwrap();
        assert_eq!(super::name(document.root()).chars().count(), 81);
        assert_eq!(cut("ZZTEST, ANNA"), "ZZTEST, ANNA");
    }

    #[test]
    fn an_ended_entry_names_its_list() {
        let mark = |because: &str| {
            format!(
                r#"{{"url":"urn:causeway:no-longer-listed","extension":[{{"url":"by","valueString":"REG at NORTH"}},
                  {{"url":"because","valueCode":"{because}"}}]}}"#
            )
        };
        for (extensions, expected) in [
            (String::new(), vec![]),
            (r#"{"url":"urn:other"}"#.to_owned(), vec![]),
            (mark("unlisted"), vec!["no longer listed by REG at NORTH"]),
            (
                format!("{},{}", mark("unlisted"), mark("superseded")),
                vec![
                    "no longer listed by REG at NORTH",
                    "ended by what REG at NORTH lists",
                ],
            ),
        ] {
            let document = Document::parse(format!(r#"{{"extension":[{extensions}]}}"#)).unwrap();
            assert_eq!(ended(document.root()), expected, "{extensions}");
        }
    }

    #[test]
    fn a_number_in_words_has_its_unit() {
        let unit = r#""extension":[{"url":"urn:other"},{"url":"urn:causeway:unit","valueQuantity":{"unit":"mg/dL","code":"mg/dL"}}]"#;
        for (value, expected) in [
            (r#""valueString":"1,234""#, "1,234 mg/dL"),
            (r#""valueString":"hemolyzed""#, "hemolyzed"),
            (r#""valueQuantity":{"value":5,"unit":"g/L"}"#, "5 g/L"),
            (
                r#""valueRatio":{"numerator":{"value":1},"denominator":{"value":8}}"#,
                "1 : 8 mg/dL",
            ),
        ] {
            let document = Document::parse(format!("{{{unit},{value}}}")).unwrap();
            let shown = result(document.root()).map(|(_, text)| text);
            assert_eq!(shown.as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_data_absent_code_is_no_value() {
        let document = Document::parse(
            r#"{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/data-absent-reason",
              "code":"unknown","display":"Unknown"}]}"#,
        )
        .unwrap();
        assert_eq!(concept(document.root()), "");
        assert_eq!(absent_reason(document.root()), "Unknown");
    }

    #[test]
    fn values() {
        let document = Document::parse(
            r#"{"valueQuantity":{"value":7.20,"unit":"mmol/L","comparator":"<"},"long":{"value":189.34136216482673,"unit":"cm"},
              "code":{"coding":[{"system":"x","code":"a"},{"system":"http://loinc.org","code":"2345-7","display":"Glucose"}]},
              "name":[{"use":"old","family":"OLD"},{"family":"ZZTEST","given":["ANNA","Q"]}],
              "period":{"start":"2024-01-01T10:00:00Z","end":"2024-01-03"}}"#,
        )
        .unwrap();
        let root = document.root();
        let (name_of, value) = choice(root, "value").unwrap();
        assert_eq!(
            (name_of, text_of(name_of, value).as_str()),
            ("valueQuantity", "<7.20 mmol/L")
        );
        assert_eq!(quantity(root.get("long").unwrap()), "189.34 cm");
        assert_eq!(concept(root.get("code").unwrap()), "Glucose");
        assert_eq!(code(root.get("code").unwrap()), "2345-7");
        assert_eq!(name(root), "ZZTEST, ANNA Q");
        assert_eq!(
            period(root.get("period").unwrap()),
            "2024-01-01 – 2024-01-03"
        );
    }
}
