//! Binds converters: by name, or by the element's own type.

use super::Binder;
use crate::diagnostic::Spot;
use crate::program::Convert;
use crate::syntax;
use crate::values::universal::Kind;
use fhir::definitions::{TypeKind, type_named};

// === impl Binder ===

impl Binder<'_> {
    /// Returns the converter of a row whose path ends at that type.
    pub(super) fn convert(
        &mut self,
        spot: Spot,
        asked: &syntax::Convert,
        fhir_type: &'static str,
        assigner: bool,
    ) -> Option<Convert> {
        let codes = match &asked.codes {
            Some(name) => Some(self.table(asked.spot, name)?),
            None => None,
        };
        let Some(name) = &asked.name else {
            return match codes {
                Some(table) => self.only_codes(asked.spot, fhir_type, table),
                None => self.usual(spot, fhir_type),
            };
        };
        let built_in = match name.as_str() {
            "text" => Some(Convert::Text),
            "words" => Some(Convert::Words),
            "whole" => Some(Convert::Whole),
            "code" => Some(Convert::Code),
            "date" => Some(Convert::Date),
            "dateTime" => Some(Convert::DateTime),
            "instant" => Some(Convert::Instant),
            "time" => Some(Convert::Time),
            "number" => Some(Convert::Number),
            "integer" => Some(Convert::Integer),
            "uri" => Some(Convert::Uri),
            "endpoint" => Some(Convert::Endpoint),
            "base64" => Some(Convert::Base64),
            "system" => Some(Convert::System),
            "authority" => Some(Convert::Authority { assigner, first: 1 }),
            "entity" => Some(Convert::Authority { assigner, first: 2 }),
            "agency" => Some(Convert::Authority { assigner, first: 9 }),
            "phone" => Some(Convert::Phone),
            "place" => Some(Convert::Place),
            "lines" => Some(Convert::Lines),
            "names" => Some(Convert::Names),
            "oid" => Some(Convert::Urn(Kind::Oid)),
            "uuid" => Some(Convert::Urn(Kind::Uuid)),
            "media" => Some(Convert::Media),
            "content" => Some(Convert::Content),
            "readable" => Some(Convert::Readable),
            "comparator" => Some(Convert::Comparator),
            "comparand" => Some(Convert::Compared),
            _ => None,
        };
        if let Some(built_in) = built_in {
            self.fits(asked.spot, name, built_in, fhir_type)?;
            return Some(built_in);
        }
        if self.is_function(name) {
            return self.call(asked.spot, name, fhir_type);
        }
        if let Some(map) = self.type_map(name, fhir_type) {
            return Some(Convert::Type { map, codes });
        }
        self.error_with(
            asked.spot,
            format!("there is no converter {name} for a {fhir_type}"),
            format!("type {name} <-> {fhir_type}, or another converter"),
        );
        None
    }

    /// Returns the index of a `type` map by its name and the element's type or the type that it
    /// specializes.
    pub(super) fn type_map(&self, name: &str, fhir_type: &'static str) -> Option<usize> {
        let mut at = type_named(fhir_type);
        while let Some(def) = at {
            if let Some(place) = self.types.get(&(name.to_owned(), def.name)) {
                return Some(*place);
            }
            at = def.base.and_then(type_named);
        }
        None
    }

    fn only_codes(&mut self, spot: Spot, fhir_type: &str, table: usize) -> Option<Convert> {
        let def = type_named(fhir_type)?;
        if def.kind == TypeKind::Primitive {
            return Some(Convert::Codes(table));
        }
        self.error_with(
            spot,
            format!("a {fhir_type} is more than a code"),
            "the data type before the table: CWE codes NAME",
        );
        None
    }

    pub(super) fn usual(&mut self, spot: Spot, fhir_type: &str) -> Option<Convert> {
        Some(match fhir_type {
            "string" | "markdown" | "xhtml" => Convert::Text,
            "code" | "id" => Convert::Code,
            "date" => Convert::Date,
            "dateTime" => Convert::DateTime,
            "instant" => Convert::Instant,
            "time" => Convert::Time,
            "decimal" => Convert::Number,
            "integer" | "positiveInt" | "unsignedInt" => Convert::Integer,
            "uri" | "url" | "canonical" | "oid" | "uuid" => Convert::Uri,
            "base64Binary" => Convert::Base64,
            "boolean" => {
                self.error_with(spot, "a boolean needs a code table", ": codes YesNo");
                return None;
            }
            other => {
                let message = format!("a {other} needs the data type that makes it");
                self.error_with(spot, message, ": CWE, : XPN, …");
                return None;
            }
        })
    }

    fn fits(&mut self, spot: Spot, name: &str, convert: Convert, fhir_type: &str) -> Option<()> {
        let primitive = type_named(fhir_type).is_some_and(|def| def.kind == TypeKind::Primitive);
        let fits = match convert {
            Convert::Date => matches!(fhir_type, "date" | "dateTime"),
            Convert::DateTime => fhir_type == "dateTime",
            Convert::Instant => fhir_type == "instant",
            Convert::Time => fhir_type == "time",
            Convert::Number | Convert::Compared => fhir_type == "decimal",
            Convert::Comparator => fhir_type == "code",
            Convert::Integer => matches!(fhir_type, "integer" | "positiveInt" | "unsignedInt"),
            Convert::Base64 | Convert::Content => fhir_type == "base64Binary",
            Convert::System | Convert::Authority { .. } | Convert::Uri | Convert::Endpoint => {
                matches!(fhir_type, "uri" | "url" | "canonical" | "oid")
            }
            Convert::Text
            | Convert::Readable
            | Convert::Phone
            | Convert::Place
            | Convert::Lines
            | Convert::Names
            | Convert::Urn(_)
            | Convert::Media
            | Convert::Whole
            | Convert::Words
            | Convert::Code => {
                primitive && !matches!(fhir_type, "boolean" | "decimal" | "integer" | "date")
            }
            Convert::Codes(_) | Convert::Function(_) | Convert::Type { .. } => true,
        };
        if fits {
            return Some(());
        }
        self.error(spot, format!("{name} does not make a {fhir_type}"));
        None
    }
}
