//! Converts a field's text to an element's value.

use super::Run;
use super::build::{Build, Seg, Span};
use super::cell::{Cell, Origin, Reading};
use super::hollow;
use super::rows::Level;
use super::scope::Scope;
use crate::program::{
    CodeTable, Convert, MapRow, ReferenceKeyPart, ReferenceSpec, RowId, TextPart, Translation, bit,
};
use crate::values::{media, number, observed, time, unit};
use fhir::build::Value;
use smallvec::SmallVec;
use std::borrow::Cow;

// === impl Run ===

impl<'m> Run<'_, 'm> {
    /// Converts the value and records its traces; `None` if the text cannot be used, which is
    /// recorded too.
    pub(super) fn convert(
        &mut self,
        row: &MapRow,
        convert: Convert,
        cell: Cell<'m>,
        scope: &Scope<'_, 'm>,
        build: &mut Build,
    ) -> Option<Value> {
        if let Some(spec) = &row.reference {
            return self.reference(row, spec, cell, scope, build);
        }
        if let Convert::Type { map, codes } = convert {
            return match codes {
                Some(table) => self.coded(row, (map, table), cell, scope, build),
                None => self.typed((row.id, map), cell, scope, build, Value::Null),
            };
        }
        match convert {
            Convert::Whole
            | Convert::Lines
            | Convert::Readable
            | Convert::Phone
            | Convert::Place => {}
            Convert::Content => self.accounts.all_taken(cell),
            Convert::Media => self.accounts.taken(cell, 0b110, scope.reading),
            Convert::Endpoint | Convert::Names | Convert::Function(_) => {
                self.accounts.taken(cell, u64::MAX, scope.reading);
            }
            // Most values have no parts, so nothing can be left over.
            _ if !cell.has_separators(scope.reading) => {}
            _ if text_cell(row, cell, scope.reading).is_some() => {
                self.joined(row, cell, scope.reading);
            }
            _ => self.plain_taken(cell, scope.reading),
        }
        let value = self.primitive(row, convert, cell, scope)?;
        build.trace(cell.origin, row.id, cell.span(self.message));
        Some(value)
    }

    fn primitive(
        &mut self,
        row: &MapRow,
        convert: Convert,
        cell: Cell<'m>,
        scope: &Scope<'_, 'm>,
    ) -> Option<Value> {
        let text = match convert {
            Convert::Function(place) => return self.call(row, place, cell, scope),
            Convert::Whole | Convert::Lines => cell.whole(scope.reading),
            Convert::Readable => observed::words(scope.declared(), cell, scope.reading).into(),
            Convert::Content => match media::content(cell, scope.reading) {
                Ok(content) => content.into(),
                Err(why) => {
                    self.lost(cell, row.id, why, scope.reading);
                    return None;
                }
            },
            Convert::Media => media::forward(cell, scope.reading).into(),
            Convert::Names => crate::values::phone::name(cell, scope.reading).into(),
            Convert::Phone => crate::values::phone::forward(cell, scope.reading).into(),
            Convert::Place => crate::values::phone::place(cell, scope.reading).into(),
            _ => text_of(row, cell, scope.reading),
        };
        self.made(row, convert, &text, cell, scope)
    }

    /// Applies a function of the dialect and reads its result as the element's own type.
    fn call(
        &mut self,
        row: &MapRow,
        place: usize,
        cell: Cell<'m>,
        scope: &Scope<'_, 'm>,
    ) -> Option<Value> {
        let program = self.program;
        let function = program.functions.get(place)?;
        let text = cell.whole(scope.reading);
        let why = match function.forward.run(&text) {
            Ok(Some(made)) => return self.made(row, function.then, &made, cell, scope),
            Ok(None) => "gave nothing",
            Err(fault) => fault.why,
        };
        let why = format!("function {}: the script {why}", function.name);
        self.fail(cell, row.id, "processing", &why, scope.reading);
        None
    }

    fn made(
        &mut self,
        row: &MapRow,
        convert: Convert,
        text: &str,
        cell: Cell<'m>,
        scope: &Scope<'_, 'm>,
    ) -> Option<Value> {
        // FHIR R4 datatypes.html, string: a string of blanks is not a value.
        if text.trim().is_empty() {
            return None;
        }
        let made = match convert {
            Convert::Text
            | Convert::Words
            | Convert::Whole
            | Convert::Lines
            | Convert::Readable
            | Convert::Names
            | Convert::Media
            | Convert::Content
            | Convert::Phone
            | Convert::Place => Ok(Value::from(text)),
            Convert::Comparator => Ok(
                match number::split_comparator(text, scope.reading.decimals) {
                    Some((mark, _)) => Value::from(mark),
                    None => return None,
                },
            ),
            Convert::Compared => match number::split_comparator(text, scope.reading.decimals) {
                Some((_, number)) => number::decimal(number, scope.reading.decimals),
                None => number::decimal(text, scope.reading.decimals),
            },
            Convert::Urn(kind) => {
                let made = kind.uri(text);
                if let Some(why) = made.why {
                    self.warn(cell, row.id, "value", why, scope.reading);
                }
                Ok(Value::from(made.uri))
            }
            Convert::Date => time::date(text),
            Convert::DateTime => time::date_time(text, &self.times),
            Convert::Instant => time::instant(text, &self.times),
            Convert::Time => time::time(text),
            Convert::Number => number::decimal(text, scope.reading.decimals),
            Convert::Integer => number::integer(text, row.target.fhir_type),
            Convert::Endpoint => Ok(Value::from(self.endpoint(cell, scope))),
            Convert::Code | Convert::Uri => Ok(Value::from(text.trim())),
            Convert::Base64 => Ok(Value::from(text.split_whitespace().collect::<String>())),
            Convert::System => Ok(Value::from(self.program.systems.uri(text))),
            Convert::Codes(table) => return self.code(row, table, cell, scope),
            Convert::Authority { .. } | Convert::Function(_) | Convert::Type { .. } => {
                Err("not a primitive")
            }
        };
        match made {
            Ok(value) => {
                if matches!(
                    convert,
                    Convert::Date | Convert::DateTime | Convert::Instant
                ) {
                    self.doubts(row, convert, text, cell, scope);
                }
                Some(value)
            }
            Err(why) => {
                self.fail(cell, row.id, "value", why, scope.reading);
                None
            }
        }
    }

    /// Reports what is odd about an accepted time.
    fn doubts(
        &mut self,
        row: &MapRow,
        convert: Convert,
        text: &str,
        cell: Cell<'m>,
        scope: &Scope<'_, 'm>,
    ) {
        if let Some(why) = time::notation_issue(text) {
            self.warn(cell, row.id, "value", why, scope.reading);
        }
        let doubt = time::ambiguity(text, &self.times).filter(|_| convert != Convert::Date);
        if let Some(why) = doubt {
            self.note(cell, row.id, "value", why, scope.reading);
        }
    }

    fn endpoint(&self, cell: Cell<'m>, scope: &Scope<'_, 'm>) -> String {
        let found = crate::values::authority::forward(cell, 1, scope.reading, self.authorities);
        match (found.uri, found.name) {
            (Some(uri), _) => uri,
            (None, name) => self
                .program
                .systems
                .uri(&name.unwrap_or_default())
                .into_owned(),
        }
    }

    fn code(
        &mut self,
        row: &MapRow,
        table: usize,
        cell: Cell<'m>,
        scope: &Scope<'_, 'm>,
    ) -> Option<Value> {
        let program = self.program;
        let table = program.table(table)?;
        let text = cell.plain(scope.reading);
        let code = match (table.translate(&text), &row.otherwise) {
            (Some(found), _) => {
                // The code's own name and table come with it.
                if cell.has_parts(scope.reading) {
                    self.accounts.taken(cell, 0b111, scope.reading);
                }
                found.code.as_str()
            }
            (None, Some(otherwise)) => {
                let why = format!("no row of {} has this code: used {otherwise}", table.name);
                if row.report {
                    self.note(cell, row.id, "code-invalid", &why, scope.reading);
                }
                otherwise
            }
            (None, None) => {
                let why = format!("no row of {} has this code", table.name);
                self.fail(cell, row.id, "code-invalid", &why, scope.reading);
                return None;
            }
        };
        Some(match (row.target.fhir_type, code) {
            ("boolean", "true") => Value::Bool(true),
            ("boolean", _) => Value::Bool(false),
            ("decimal" | "integer" | "positiveInt" | "unsignedInt", digits) => {
                Value::Number(digits.into())
            }
            _ => Value::from(code),
        })
    }

    /// Runs a type map on the value; `start` holds what exists already.
    pub(super) fn typed(
        &mut self,
        (row, map): (RowId, usize),
        cell: Cell<'m>,
        scope: &Scope<'_, 'm>,
        build: &mut Build,
        start: Value,
    ) -> Option<Value> {
        let program = self.program;
        let map = program.type_map(map)?;
        let body = &map.body;
        // A bed is in a room, in a ward, on a floor, and so on: two levels each.
        if 24 < self.depth {
            return None;
        }
        let parts = cell.parts(scope.reading).map(|part| part.raw);
        let mut parts: SmallVec<[&'m [u8]; 16]> = parts.collect();
        let power = map.joins_powers && unit::join_power(cell.raw, &mut parts);
        let mut valued = 0;
        for (number, _) in (1..=u16::MAX)
            .zip(&parts)
            .filter(|(_, part)| !part.is_empty())
        {
            valued |= bit(number).unwrap_or(0);
        }
        let inner = Scope {
            cell: Some(cell),
            parts: Some(&parts),
            valued,
            members: &[],
            ..*scope
        };
        let mut value = start;
        let (traces, segs) = (build.traces.len(), build.segs.len());
        self.depth += 1;
        let used = self.rows(body, &inner, build, &mut value, Level::Inner);
        self.depth -= 1;
        // Needs count parts from bit 1, usage from bit 0.
        if power {
            let why = "a unit contains an unescaped separator: the unit was kept whole";
            self.warn(cell, row, "structure", why, scope.reading);
            self.accounts.all_taken(cell);
        } else if inner.valued >> 1 & !used.parts == 0 {
            self.accounts.used_up(cell, used.parts);
        } else {
            self.accounts.taken(cell, used.parts, scope.reading);
        }
        if value.is_empty() {
            return None;
        }
        if let Some(why) = hollow::why(body.fhir_type, &value) {
            build.traces.truncate(traces);
            build.segs.truncate(segs);
            let information = (base::Severity::Information, "value");
            self.unusable((cell, scope.reading), row, information, why, false);
            return None;
        }
        Some(value)
    }

    /// Converts to a CodeableConcept or Coding: the translated code first, the sender's own beside
    /// it.
    fn coded(
        &mut self,
        row: &MapRow,
        (map, table): (usize, usize),
        cell: Cell<'m>,
        scope: &Scope<'_, 'm>,
        build: &mut Build,
    ) -> Option<Value> {
        let program = self.program;
        let table = program.table(table)?;
        let code = cell.part(1, scope.reading).plain(scope.reading);
        let system = cell.part(3, scope.reading).plain(scope.reading);
        let own = system.is_empty() || system == table.table;
        let translation = if own && !code.is_empty() {
            table.translate(&code)
        } else {
            None
        };
        let Some(translation) = translation else {
            if own && !code.is_empty() {
                let why = format!("no row of {} has this code: kept as sent", table.name);
                self.note(cell, row.id, "code-invalid", &why, scope.reading);
            }
            return self.typed((row.id, map), cell, scope, build, Value::Null);
        };
        let coding = translated(table, translation);
        let single = row.target.fhir_type == "Coding";
        let first = Seg::Index(0);
        let below: &[Seg] = if single {
            &[]
        } else {
            &[Seg::Name("coding"), first]
        };
        for name in ["system", "code"] {
            let path: Vec<Seg> = below.iter().copied().chain([Seg::Name(name)]).collect();
            let part = cell.part(1, scope.reading);
            build.trace_at(&path, part.origin, row.id, part.span(self.message));
        }
        let valued = cell.valued_parts(scope.reading);
        if single {
            self.accounts.taken(cell, 0b111, scope.reading);
            return Some(coding);
        }
        let start = Value::object().with("coding", vec![coding]);
        if valued == 1 {
            self.accounts.taken(cell, 1, scope.reading);
            return Some(start);
        }
        self.typed((row.id, map), cell, scope, build, start)
    }

    fn reference(
        &mut self,
        row: &MapRow,
        spec: &ReferenceSpec,
        cell: Cell<'m>,
        scope: &Scope<'_, 'm>,
        build: &mut Build,
    ) -> Option<Value> {
        let same = (row.id, cell.origin.level(), cell.raw);
        if let Some(place) = self.same.get(&same).copied() {
            let url = self.refer_again(row, spec, place, cell, scope)?;
            return Some(referring(
                row,
                url,
                cell.origin,
                cell.span(self.message),
                build,
            ));
        }
        let inner = Scope {
            members: &[],
            ..scope.with_cell(Some(cell))
        };
        let key = spec
            .keys
            .iter()
            .enumerate()
            .find_map(|(place, parts)| key_of(parts, place, &inner));
        let Some(key) = key else {
            let why = format!("no part of the key of {} has a value", spec.resource_type);
            self.fail(cell, row.id, "required", &why, scope.reading);
            return None;
        };
        let url = self.referenced(row, spec, key, cell, scope)?;
        Some(referring(
            row,
            url,
            cell.origin,
            cell.span(self.message),
            build,
        ))
    }
}

/// Returns the text that the row reads, if it contains separators. A caller that knows that the
/// value has none can skip this.
pub(super) fn text_cell<'m>(row: &MapRow, cell: Cell<'m>, reading: &Reading) -> Option<Cell<'m>> {
    let text = match row.text {
        TextPart::None => return None,
        TextPart::Whole => cell,
        TextPart::First => cell.part(1, reading),
    };
    text.is_divided(reading).then_some(text)
}

/// Returns the text of the first part, or of the whole if the row reads a text.
pub(super) fn text_of<'m>(row: &MapRow, cell: Cell<'m>, reading: &Reading) -> Cow<'m, str> {
    if row.text == TextPart::None || !cell.has_separators(reading) {
        return cell.plain(reading);
    }
    match text_cell(row, cell, reading) {
        Some(text) => text.joined(reading),
        None => cell.plain(reading),
    }
}

/// Returns the text of a key; `None` if its first part is empty.
fn key_of(parts: &[ReferenceKeyPart], place: usize, scope: &Scope<'_, '_>) -> Option<String> {
    // A name is not the same as a number with the same digits.
    let mut key = match place {
        0 => String::new(),
        place => format!("{place}:"),
    };
    for (number, part) in parts.iter().enumerate() {
        if number != 0 {
            key.push('|');
        }
        let before = key.len();
        match part {
            ReferenceKeyPart::Source(source) => {
                let cell = scope.cell(*source);
                key.push_str(
                    &cell
                        .map(|cell| cell.whole(scope.reading))
                        .unwrap_or_default(),
                );
            }
            ReferenceKeyPart::Text(text) => key.push_str(text),
        }
        if number == 0 && key.len() == before {
            return None;
        }
    }
    key.truncate(key.trim_end_matches('|').len());
    Some(key)
}

fn referring(row: &MapRow, url: String, origin: Origin, raw: Span, build: &mut Build) -> Value {
    let depth = build.trail.len();
    build.trail.push(Seg::Name("reference"));
    build.trace(origin, row.id, raw);
    build.trail.truncate(depth);
    Value::object().with("reference", url)
}

pub(crate) fn translated(table: &CodeTable, translation: &Translation) -> Value {
    let mut coding = Value::object()
        .with("system", table.system_of(translation))
        .with("code", translation.code.as_str());
    if let Some(display) = &translation.display {
        coding.set("display", display.as_str());
    }
    coding
}
