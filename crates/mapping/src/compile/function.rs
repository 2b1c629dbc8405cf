//! Binds functions of a dialect, and rows that call them.

use super::Binder;
use crate::diagnostic::Spot;
use crate::program::{Convert, Function};
use crate::script::Script;
use crate::syntax::{FunctionRow, Quoted};
use std::sync::Arc;

/// A function that no row has called yet.
#[derive(Clone)]
pub(super) struct Declared {
    forward: Arc<Script>,
    back: Option<Arc<Script>>,
}

/// Names that rows use for other converters.
const TAKEN: [&str; 20] = [
    "text",
    "words",
    "whole",
    "code",
    "date",
    "dateTime",
    "instant",
    "time",
    "number",
    "integer",
    "uri",
    "endpoint",
    "base64",
    "system",
    "authority",
    "entity",
    "phone",
    "place",
    "lines",
    "media",
];

// === impl Binder ===

impl Binder<'_> {
    pub(super) fn declare_function(&mut self, row: &FunctionRow) {
        let name = &row.name;
        if TAKEN.contains(&name.as_str()) || self.functions.contains_key(name) {
            return self.error_with(
                row.spot,
                format!("a converter {name} exists already"),
                "another name",
            );
        }
        let Some(forward) = self.script(row, &row.forward) else {
            return;
        };
        let back = match &row.back {
            Some(text) => match self.script(row, text) {
                Some(script) => Some(script),
                None => return,
            },
            None => None,
        };
        self.functions
            .insert(name.clone(), Declared { forward, back });
    }

    fn script(&mut self, row: &FunctionRow, quoted: &Quoted) -> Option<Arc<Script>> {
        match Script::read(&row.parameter, &quoted.text) {
            Ok(script) => Some(Arc::new(script)),
            Err(fault) => {
                let spot = quoted.place(fault.column);
                let message = format!("function {}: the script {}", row.name, fault.why);
                self.error(spot, message);
                None
            }
        }
    }

    pub(super) fn is_function(&self, name: &str) -> bool {
        self.functions.contains_key(name)
    }

    /// Returns the converter of a row that calls the function.
    pub(super) fn call(
        &mut self,
        spot: Spot,
        name: &str,
        fhir_type: &'static str,
    ) -> Option<Convert> {
        let declared = self.functions.get(name).cloned()?;
        let then = self.usual(spot, fhir_type)?;
        self.program.functions.push(Function {
            name: name.to_owned(),
            forward: declared.forward,
            back: declared.back,
            then,
        });
        Some(Convert::Function(self.program.functions.len() - 1))
    }
}
