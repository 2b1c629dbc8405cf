//! Converts an element's value to a field's text.

use super::Back;
use super::out::OutCell;
use super::scope::OutScope;
use crate::program::{CodeTable, Convert, MapRow};
use crate::values::number::Decimals;
use crate::values::time;
use fhir::build::Value;

// === impl Back ===

impl Back<'_> {
    pub(super) fn convert(&self, row: &MapRow, leaf: &Value) -> Option<OutCell> {
        if let Convert::Function(place) = row.convert {
            return self.call(place, leaf);
        }
        self.primitive(row.convert, leaf)
    }

    /// Applies the `back` script of a function to the text of the element's type.
    fn call(&self, place: usize, leaf: &Value) -> Option<OutCell> {
        let function = self.program.functions.get(place)?;
        let text = self.primitive(function.then, leaf)?.text;
        let made = function.back.as_ref()?.run(&text).ok()??;
        Some(OutCell::of(made))
    }

    fn primitive(&self, convert: Convert, leaf: &Value) -> Option<OutCell> {
        let text = || leaf.as_str().map(OutCell::of);
        match convert {
            Convert::Text
            | Convert::Lines
            | Convert::Whole
            | Convert::Words
            | Convert::Code
            | Convert::Uri
            | Convert::Base64 => text(),
            Convert::Urn(kind) => Some(OutCell::of(kind.id(leaf.as_str()?))),
            Convert::Phone
            | Convert::Comparator
            | Convert::Content
            | Convert::Readable
            | Convert::Names
            | Convert::Place
            | Convert::Media
            | Convert::Endpoint
            | Convert::Function(_)
            | Convert::Authority { .. } => None,
            Convert::Date | Convert::DateTime | Convert::Instant => {
                time::back(leaf.as_str()?).map(OutCell::of)
            }
            Convert::Time => time::time_back(leaf.as_str()?).map(OutCell::of),
            Convert::Integer => leaf.number_text().map(OutCell::of),
            Convert::Number | Convert::Compared => {
                let text = leaf.number_text()?;
                // Use the source's decimal mark: it would read a point as a thousands separator.
                Some(OutCell::of(match self.program.decimals {
                    Decimals::Comma => text.replace('.', ","),
                    Decimals::Standard | Decimals::Point => text.to_owned(),
                }))
            }
            Convert::System => Some(OutCell::of(
                self.program.systems.name(leaf.as_str()?).into_owned(),
            )),
            Convert::Codes(table) => {
                let table = self.program.table(table)?;
                let code = match leaf {
                    Value::Bool(true) => "true",
                    Value::Bool(false) => "false",
                    other => other.as_str()?,
                };
                table.back(code, None).map(OutCell::of)
            }
            Convert::Type { map, codes: None } => self.typed(map, leaf),
            Convert::Type {
                map,
                codes: Some(table),
            } => self.coded(map, self.program.table(table)?, leaf),
        }
    }

    pub(super) fn typed(&self, map: usize, leaf: &Value) -> Option<OutCell> {
        let body = &self.program.type_map(map)?.body;
        let mut inner = OutScope::default();
        self.rows(body, leaf, &mut inner);
        Some(inner.cell)
    }

    /// Returns the sender's own coding if it stands beside the translated one, otherwise the
    /// table's code.
    fn coded(&self, map: usize, table: &CodeTable, leaf: &Value) -> Option<OutCell> {
        let own = |coding: &Value| -> Option<String> {
            let system = coding.text("system");
            table
                .back(coding.text("code")?, Some(system?))
                .map(str::to_owned)
        };
        let Some(Value::Array(codings)) = leaf.get("coding") else {
            return match own(leaf) {
                Some(code) => Some(OutCell::of(code)),
                None => self.typed(map, leaf),
            };
        };
        let translated = codings.iter().position(|coding| own(coding).is_some());
        let Some(at) = translated else {
            return self.typed(map, leaf);
        };
        let code = codings.get(at).and_then(own)?;
        let target = codings.get(at).and_then(|coding| coding.text("code"));
        let is_source = |coding: &Value| {
            let system = coding
                .text("system")
                .map(|uri| self.program.systems.name(uri));
            let fits = system.is_none_or(|name| name == table.table);
            let leads = coding.text("code").and_then(|code| table.translate(code));
            fits && leads.is_some_and(|found| Some(found.code.as_str()) == target)
        };
        let mut rest: Vec<Value> = codings.clone();
        rest.remove(at);
        if !rest.iter().any(is_source) {
            if rest.is_empty() && leaf.get("text").is_none() {
                return Some(OutCell::of(code));
            }
            rest.insert(0, Value::object().with("code", code));
        }
        let mut sent = leaf.clone();
        sent.set("coding", Value::Array(rest));
        self.typed(map, &sent)
    }
}
