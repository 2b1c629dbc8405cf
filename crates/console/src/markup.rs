//! HTML fragments shared by many pages.

use askama::filters::HtmlSafe;
use base::Timestamp;
use std::borrow::Borrow;
use std::fmt;

/// Safe HTML: its creator has escaped all foreign text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Markup(pub(super) String);

/// An instant. Without a script it reads in UTC; the page's script shows it in the viewer's time
/// zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    at: Timestamp,
    shown: Shown,
}

/// The format of an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// Date and time to the second.
    Full,
    /// Without the year, for long lists.
    Short,
    /// The age as of this instant.
    Age(Timestamp),
    /// The age as part of a sentence.
    Ago(Timestamp),
}

// === impl Markup ===

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Markup {}

// === impl Moment ===

impl Moment {
    /// Creates a moment with date and time.
    pub(super) fn at(at: impl Borrow<Timestamp>) -> Self {
        Self {
            at: *at.borrow(),
            shown: Shown::Full,
        }
    }

    /// Creates a moment with date and time but no year.
    pub(super) fn short(at: impl Borrow<Timestamp>) -> Self {
        Self {
            at: *at.borrow(),
            shown: Shown::Short,
        }
    }

    /// Creates a moment shown as its age at `now`.
    pub(super) fn age(at: impl Borrow<Timestamp>, now: impl Borrow<Timestamp>) -> Self {
        Self {
            at: *at.borrow(),
            shown: Shown::Age(*now.borrow()),
        }
    }

    /// Creates a moment shown as its age at `now`, as part of a sentence.
    pub(super) fn ago(at: impl Borrow<Timestamp>, now: impl Borrow<Timestamp>) -> Self {
        Self {
            at: *at.borrow(),
            shown: Shown::Ago(*now.borrow()),
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let iso = self.at.to_fhir();
        let full = iso.get(..19).unwrap_or(&iso).replace('T', " ");
        match self.shown {
            Shown::Full => write!(
                f,
                r#"<time datetime="{iso}" data-as="full">{full} UTC</time>"#
            ),
            Shown::Short => {
                let short = full.get(5..).unwrap_or(&full);
                write!(
                    f,
                    r#"<time datetime="{iso}" data-as="short" title="{full} UTC">{short}</time>"#
                )
            }
            Shown::Ago(now) => {
                let ago = ago(self.at, now);
                write!(
                    f,
                    r#"<time datetime="{iso}" data-as="ago" title="{full} UTC">{ago}</time>"#
                )
            }
            Shown::Age(now) => {
                let age = age(self.at, now);
                write!(
                    f,
                    r#"<time datetime="{iso}" data-as="age" title="{full} UTC">{age}</time>"#
                )
            }
        }
    }
}

impl HtmlSafe for Moment {}

/// Formats the time between `at` and `now`: `now`, `48 s`, `3 min`, `5 h`, `12 d`.
pub(super) fn age(at: Timestamp, now: Timestamp) -> String {
    let secs = now.micros().saturating_sub(at.micros()) / 1_000_000;
    match secs {
        i64::MIN..2 => "now".to_owned(),
        2..60 => format!("{secs} s"),
        60..3600 => format!("{} min", secs / 60),
        3600..172_800 => format!("{} h", secs / 3600),
        172_800.. => format!("{} d", secs / 86_400),
    }
}

/// Formats an age in a sentence: `just now`, `48 s ago`.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> String {
    match age(at, now).as_str() {
        "now" => "just now".to_owned(),
        age => format!("{age} ago"),
    }
}

/// Formats a number as `12,345`.
pub(super) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (idx, digit) in digits.chars().enumerate() {
        if 0 < idx && (digits.len() - idx).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a count: `1 message`, `2 messages`.
pub(super) fn count(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(n), if n == 1 { one } else { many })
}

/// Formats the first bytes of a hash in hexadecimal digits.
pub(super) fn hex(bytes: &[u8], n_bytes: usize) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(2 * n_bytes);
    for byte in bytes.iter().take(n_bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Escapes text as HTML.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Control characters: no font shows them, and a terminal might obey them.
            c if c.is_control() && c != '\n' && c != '\t' => out.push('\u{b7}'),
            c => out.push(c),
        }
    }
    out
}

/// Encodes text as part of an address.
pub(super) fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Returns those of an address's fields that are not empty.
pub(super) fn given<'n, 'v>(
    pairs: impl IntoIterator<Item = (&'n str, &'v str)>,
) -> impl Iterator<Item = (&'n str, &'v str)> {
    pairs.into_iter().filter(|(_, value)| !value.is_empty())
}

/// Renders fields as a query string.
pub(super) fn query_of<'n, 'v>(pairs: impl IntoIterator<Item = (&'n str, &'v str)>) -> String {
    let fields = given(pairs).map(|(name, value)| format!("{name}={}", encode(value)));
    fields.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ages() {
        for (n, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(thousands(n), text);
        }
        let at = |secs: i64| Timestamp::from_micros(secs * 1_000_000);
        for (secs, text) in [
            (-5, "now"),
            (0, "now"),
            (59, "59 s"),
            (61, "1 min"),
            (7200, "2 h"),
            (400_000, "4 d"),
        ] {
            assert_eq!(age(at(0), at(secs)), text, "{secs}");
        }
        assert_eq!(ago(at(0), at(1)), "just now");
        assert_eq!(ago(at(0), at(90)), "1 min ago");
    }

    #[test]
    fn nothing_typed_becomes_markup() {
        let text = escape("<b a='1'>&\u{1b}[31m");
        assert_eq!(text, "&lt;b a=&#39;1&#39;&gt;&amp;\u{b7}[31m");
        assert_eq!(encode("a b&c=/ü"), "a%20b%26c%3D%2F%C3%BC");
    }
}
