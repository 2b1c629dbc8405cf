//! Reads values from one element, by the rules of search.html for the parameter's type.
//!
//! Invariant: nothing is invented. An unreadable element yields no value and one fault.

use crate::param::ParamKind;
use crate::posting::{Quantity, Range, Span, Text, Token, Value};
use crate::reference;
use base::{DateTime, Timestamp, Zone};
use fhir::definitions;
use fhir::json::Node;

/// The way a data type is read for a kind of parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Coding,
    CodeableConcept,
    Identifier,
    ContactPoint,
    /// A primitive whose text is the code.
    Code,
    /// A plain string as a code: case-insensitive (search.html#token).
    CaselessCode,
    Boolean,
    HumanName,
    Address,
    Text,
    Instant,
    Period,
    Timing,
    Number,
    NumberRange,
    Quantity,
    QuantityRange,
    Money,
    Reference,
    Canonical,
    Uri,
    /// The extension's value, whatever its type.
    Extension(ParamKind),
}

/// Collector for the values of one element.
#[derive(Debug, Default)]
pub(crate) struct Reading<'b> {
    /// The server's own base URL.
    pub(crate) base: Option<&'b str>,
    pub(crate) values: Vec<Value>,
    /// Identifiers of references, for `:identifier`.
    pub(crate) identifiers: Vec<Token>,
    /// The reason why an element gave no value.
    pub(crate) fault: Option<&'static str>,
}

// === impl Shape ===

impl Shape {
    /// Returns how to read that type for that kind; `None` if the kind has no rule for the type.
    pub(crate) fn of(kind: ParamKind, type_name: &str) -> Option<Self> {
        if type_name == "Extension" {
            return Some(Self::Extension(kind));
        }
        match kind {
            ParamKind::Token => token_shape(type_name),
            ParamKind::String => Some(match type_name {
                "HumanName" => Self::HumanName,
                "Address" => Self::Address,
                "string" | "markdown" | "code" | "id" | "uri" => Self::Text,
                _ => return None,
            }),
            ParamKind::Date => Some(match type_name {
                "date" | "dateTime" | "instant" => Self::Instant,
                "Period" => Self::Period,
                "Timing" => Self::Timing,
                _ => return None,
            }),
            ParamKind::Number => Some(match type_name {
                "decimal" | "integer" | "positiveInt" | "unsignedInt" => Self::Number,
                "Range" => Self::NumberRange,
                _ => return None,
            }),
            ParamKind::Quantity => Some(match type_name {
                "Range" => Self::QuantityRange,
                "Money" => Self::Money,
                _ if is_a(type_name, "Quantity") => Self::Quantity,
                _ => return None,
            }),
            ParamKind::Reference => Some(match type_name {
                "Reference" => Self::Reference,
                "canonical" | "uri" | "url" => Self::Canonical,
                _ => return None,
            }),
            ParamKind::Uri => Some(match type_name {
                "uri" | "url" | "canonical" | "oid" | "uuid" => Self::Uri,
                _ => return None,
            }),
            ParamKind::Composite | ParamKind::Special => None,
        }
    }
}

fn token_shape(type_name: &str) -> Option<Shape> {
    Some(match type_name {
        "Coding" => Shape::Coding,
        "CodeableConcept" => Shape::CodeableConcept,
        "Identifier" => Shape::Identifier,
        "ContactPoint" => Shape::ContactPoint,
        "boolean" => Shape::Boolean,
        "string" => Shape::CaselessCode,
        "code" | "id" | "uri" | "url" | "canonical" | "oid" | "uuid" => Shape::Code,
        _ => return None,
    })
}

fn is_a(type_name: &str, ancestor: &str) -> bool {
    definitions::type_named(type_name).is_some_and(|def| def.is_a(ancestor))
}

// === impl Reading ===

impl Reading<'_> {
    /// Reads one element, which is neither an array nor `null`.
    pub(crate) fn read(&mut self, shape: Shape, node: Node<'_>) {
        match shape {
            Shape::Coding => self.token(node, "system", "code"),
            Shape::CodeableConcept => {
                for coding in node.each("coding") {
                    self.token(coding, "system", "code");
                }
            }
            Shape::Identifier => self.token(node, "system", "value"),
            // search.html#token: for a ContactPoint the system is its use.
            Shape::ContactPoint => self.token(node, "use", "value"),
            Shape::Code => self.code(node),
            Shape::CaselessCode => match node.as_str() {
                Some(text) => self.push_code(&text.to_lowercase()),
                None => self.fault = Some("not a text"),
            },
            Shape::Boolean => match node.as_bool() {
                Some(value) => self.push_code(if value { "true" } else { "false" }),
                None => self.fault = Some("not a boolean"),
            },
            Shape::HumanName => self.texts(node, &["text", "family", "given", "prefix", "suffix"]),
            Shape::Address => self.texts(
                node,
                &[
                    "text",
                    "line",
                    "city",
                    "district",
                    "state",
                    "postalCode",
                    "country",
                ],
            ),
            Shape::Text => self.text(node),
            Shape::Instant => match span(node) {
                Some(span) => self.values.push(Value::Date(span)),
                None => self.fault = Some("not a date or time"),
            },
            Shape::Period => self.period(node),
            Shape::Timing => self.timing(node),
            Shape::Number => match number(node) {
                Some(value) => self.values.push(Value::Number(Range::point(value))),
                None => self.fault = Some("not a number"),
            },
            Shape::NumberRange => {
                if let Some(range) = self.range(node) {
                    self.values.push(Value::Number(range));
                }
            }
            Shape::Quantity => self.quantity(node),
            Shape::QuantityRange => self.quantity_range(node),
            Shape::Money => self.money(node),
            Shape::Reference => self.reference(node),
            Shape::Canonical => match node.as_str() {
                Some(text) => self.target(&text),
                None => self.fault = Some("not a URL"),
            },
            Shape::Uri => match node.as_str() {
                Some(text) => self.values.push(Value::Uri(text.into())),
                None => self.fault = Some("not a URI"),
            },
            Shape::Extension(kind) => self.extension(kind, node),
        }
    }

    fn token(&mut self, node: Node<'_>, system: &str, code: &str) {
        let (system, code) = (node.text(system), node.text(code));
        if system.is_none() && code.is_none() {
            // A display or text alone has nothing to compare: neither a fault nor a value.
            return;
        }
        let code = code.unwrap_or_default().into();
        self.values.push(Value::Token(Token {
            system: system.map(Into::into),
            code,
        }));
    }

    fn code(&mut self, node: Node<'_>) {
        match node.as_str() {
            Some(text) => self.push_code(&text),
            None => self.fault = Some("not a text"),
        }
    }

    fn push_code(&mut self, code: &str) {
        self.values.push(Value::Token(Token {
            system: None,
            code: code.into(),
        }));
    }

    fn texts(&mut self, node: Node<'_>, names: &[&str]) {
        for name in names {
            for part in node.each(name) {
                self.text(part);
            }
        }
    }

    fn text(&mut self, node: Node<'_>) {
        match node.as_str() {
            Some(text) => {
                self.values.push(Value::String(Text::of(&text)));
            }
            None => self.fault = Some("not a text"),
        }
    }

    fn period(&mut self, node: Node<'_>) {
        if let Some(span) = period(node, &mut self.fault) {
            self.values.push(Value::Date(span));
        }
    }

    /// Reads a Timing, of which only the outer limits count (search.html#date).
    fn timing(&mut self, node: Node<'_>) {
        let mut outer: Option<Span> = None;
        for event in node.each("event") {
            match span(event) {
                Some(span) => outer = Some(outer.map_or(span, |outer| outer.around(span))),
                None => self.fault = Some("not a date or time"),
            }
        }
        let bounds = node
            .get("repeat")
            .and_then(|repeat| repeat.get("boundsPeriod"));
        if let Some(span) = bounds.and_then(|bounds| period(bounds, &mut self.fault)) {
            outer = Some(outer.map_or(span, |outer| outer.around(span)));
        }
        if let Some(span) = outer {
            self.values.push(Value::Date(span));
        }
    }

    fn range(&mut self, node: Node<'_>) -> Option<Range> {
        let mut end = |name: &str| -> Option<f64> {
            let value = node.get(name)?.get("value")?;
            let read = number(value);
            if read.is_none() {
                self.fault = Some("not a number");
            }
            read
        };
        let (low, high) = (end("low"), end("high"));
        if low.is_none() && high.is_none() {
            return None;
        }
        let range = Range {
            low: low.unwrap_or(f64::NEG_INFINITY),
            high: high.unwrap_or(f64::INFINITY),
        };
        if range.high < range.low {
            self.fault = Some("the low end is above the high end");
            return None;
        }
        Some(range)
    }

    fn quantity(&mut self, node: Node<'_>) {
        let Some(value) = node.get("value") else {
            return;
        };
        let Some(value) = number(value) else {
            self.fault = Some("not a number");
            return;
        };
        let range = match node.text("comparator").as_deref() {
            Some("<" | "<=") => Range {
                low: f64::NEG_INFINITY,
                high: value,
            },
            Some(">" | ">=") => Range {
                low: value,
                high: f64::INFINITY,
            },
            _ => Range::point(value),
        };
        self.push_quantity(range, node);
    }

    fn quantity_range(&mut self, node: Node<'_>) {
        if let Some(range) = self.range(node)
            && let Some(end) = node.get("low").or_else(|| node.get("high"))
        {
            self.push_quantity(range, end);
        }
    }

    fn push_quantity(&mut self, range: Range, unit: Node<'_>) {
        let text = |name: &str| unit.text(name).map(Into::into);
        self.values.push(Value::Quantity(Quantity {
            range,
            system: text("system"),
            code: text("code"),
            unit: text("unit"),
        }));
    }

    /// Reads Money, whose currency is a code of ISO 4217 (datatypes.html#Money).
    fn money(&mut self, node: Node<'_>) {
        let Some(value) = node.get("value") else {
            return;
        };
        match number(value) {
            Some(value) => self.values.push(Value::Quantity(Quantity {
                range: Range::point(value),
                system: Some("urn:iso:std:iso:4217".into()),
                code: node.text("currency").map(Into::into),
                unit: None,
            })),
            None => self.fault = Some("not a number"),
        }
    }

    fn reference(&mut self, node: Node<'_>) {
        if let Some(text) = node.text("reference") {
            self.target(&text);
        }
        if let Some(identifier) = node.get("identifier") {
            let (system, value) = (identifier.text("system"), identifier.text("value"));
            if system.is_some() || value.is_some() {
                let code = value.unwrap_or_default().into();
                self.identifiers.push(Token {
                    system: system.map(Into::into),
                    code,
                });
            }
        }
    }

    fn target(&mut self, text: &str) {
        if let Some(target) = reference::target(text, self.base) {
            self.values.push(Value::Reference(target));
        }
    }

    fn extension(&mut self, kind: ParamKind, node: Node<'_>) {
        let Some(def) = definitions::type_named("Extension") else {
            return;
        };
        for field in node.fields() {
            let typed = field.name().and_then(|name| def.element_for(name));
            if let Some((element, branch)) = typed
                && element.name == "value"
                && let Some(shape) = Shape::of(kind, branch.name)
            {
                self.read(shape, field);
            }
        }
    }
}

// === impl Span ===

impl Span {
    fn around(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
        }
    }
}

fn period(node: Node<'_>, fault: &mut Option<&'static str>) -> Option<Span> {
    let (start, end) = (node.get("start"), node.get("end"));
    if start.is_none() && end.is_none() {
        return None;
    }
    let mut read = |end: Option<Node<'_>>| -> Option<Option<Span>> {
        match end {
            None => Some(None),
            Some(node) => {
                let read = span(node);
                if read.is_none() {
                    *fault = Some("not a date or time");
                }
                read.map(Some)
            }
        }
    };
    let (start, end) = (read(start)?, read(end)?);
    let low = start.map_or(Span::OPEN_LOW, |span| span.low);
    let high = end.map_or(Span::OPEN_HIGH, |span| span.high);
    if high < low {
        *fault = Some("the period ends before it starts");
        return None;
    }
    Some(Span { low, high })
}

/// Returns the bounds of a date or time; one without an offset is read as UTC, in resources and in
/// queries alike.
fn span(node: Node<'_>) -> Option<Span> {
    date_span(&node.as_str()?)
}

/// Returns the bounds of a date or time given as text.
pub(crate) fn date_span(text: &str) -> Option<Span> {
    let (low, high): (Timestamp, Timestamp) = DateTime::parse_fhir(text).ok()?.bounds(&Zone::utc());
    Some(Span { low, high })
}

fn number(node: Node<'_>) -> Option<f64> {
    node.number_text()?
        .parse()
        .ok()
        .filter(|value: &f64| value.is_finite())
}
