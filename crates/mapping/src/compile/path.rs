//! Binds paths to the FHIR definitions.

use super::{Binder, intern};
use crate::diagnostic::Spot;
use crate::program::{Discriminator, Element, Hop, Literal, Slice, Target};
use crate::syntax::{self, Many, Path, Step, StepName};
use fhir::definitions::{TypeDef, TypeKind, type_named};

const CORE_EXTENSION: &str = "http://hl7.org/fhir/StructureDefinition/";
const US_CORE_EXTENSION: &str = "http://hl7.org/fhir/us/core/StructureDefinition/";

/// The point that a path has reached.
struct At {
    def: &'static TypeDef,
    target: Target,
}

// === impl Binder ===

impl Binder<'_> {
    /// Binds a path that starts from a type.
    pub(super) fn target(&mut self, base: &'static str, path: &Path) -> Option<Target> {
        let def = type_named(base)?;
        let target = Target {
            fhir_type: def.name,
            ..Target::default()
        };
        let mut at = At { def, target };
        for step in &path.steps {
            match &step.name {
                StepName::Element(name) => self.element(&mut at, step, name)?,
                StepName::Extension(name) => self.extension(&mut at, step, name)?,
            }
        }
        Some(at.target)
    }

    fn element(&mut self, at: &mut At, step: &Step, name: &str) -> Option<()> {
        let Some((element, type_ref)) = at.def.element_for(name) else {
            self.unknown_element(at.def, step.spot, name);
            return None;
        };
        let json_name = type_ref.json_name;
        let def = type_named(type_ref.name)?;
        let hop = if element.is_array() {
            let slice = self.slice(at.def, def, step)?;
            match step.many {
                Many::One => Hop::One(json_name.into(), slice),
                Many::All | Many::New => Hop::Many(json_name.into(), slice),
            }
        } else if step.many != Many::One {
            let message = format!("{}.{name} occurs once and takes no [*] or [+]", at.def.name);
            self.error_with(step.spot, message, name);
            return None;
        } else if !step.discriminators.is_empty() {
            let message = format!(
                "{}.{name} occurs once: there is nothing to distinguish",
                at.def.name
            );
            self.error_with(step.spot, message, name);
            return None;
        } else {
            Hop::Field(json_name.into())
        };
        at.target.rivals.clear();
        if element.choice {
            let others = element.types.iter().map(|other| other.json_name);
            at.target.rivals = others
                .filter(|other| *other != json_name)
                .map(Element::from)
                .collect();
        }
        at.target.hops.push(hop);
        at.target.fhir_type = def.name;
        at.def = def;
        Some(())
    }

    fn unknown_element(&mut self, def: &TypeDef, spot: Spot, name: &str) {
        let message = format!("{} has no element {name}", def.name);
        let choice = def
            .elements
            .iter()
            .find(|element| element.choice && element.name == name);
        let remedy = if let Some(choice) = choice {
            let names: Vec<&str> = choice.types.iter().map(|each| each.json_name).collect();
            names.join(" or ")
        } else {
            let names: Vec<&str> = def.elements.iter().map(|element| element.name).collect();
            format!("one of {}", names.join(", "))
        };
        self.error_with(spot, message, remedy);
    }

    fn extension(&mut self, at: &mut At, step: &Step, name: &str) -> Option<()> {
        if at.def.kind == TypeKind::Primitive {
            // `_birthDate` holds the extensions of `birthDate`.
            let Some(Hop::Field(last)) = at.target.hops.last_mut() else {
                self.error(step.spot, "an extension needs an element that occurs once");
                return None;
            };
            *last = intern(&format!("_{last}")).into();
        }
        let url = self.extension_url(name);
        let mut slice = self.slice(type_named("Element")?, type_named("Extension")?, step)?;
        slice.discriminators.push(Discriminator {
            path: vec!["url"],
            values: vec![Literal::Text(url.into())],
            default: false,
            absent: false,
            is_list: false,
            text: None,
        });
        at.target.hops.push(match step.many {
            Many::One => Hop::One("extension".into(), slice),
            Many::All | Many::New => Hop::Many("extension".into(), slice),
        });
        at.def = type_named("Extension")?;
        at.target.fhir_type = at.def.name;
        at.target.rivals.clear();
        Some(())
    }

    fn extension_url(&self, name: &str) -> String {
        if name.contains(':') {
            return name.to_owned();
        }
        if let Some(url) = self.extensions.get(name) {
            return url.clone();
        }
        // The parts of a complex extension have plain words as URLs (`ombCategory`, `text`).
        if !name.contains('-') {
            return name.to_owned();
        }
        let base = if name.starts_with("us-core-") {
            US_CORE_EXTENSION
        } else {
            CORE_EXTENSION
        };
        format!("{base}{name}")
    }

    fn slice(
        &mut self,
        parent: &'static TypeDef,
        def: &'static TypeDef,
        step: &Step,
    ) -> Option<Slice> {
        let mut discriminators = Vec::new();
        for each in &step.discriminators {
            discriminators.push(self.discriminator(parent, def, each)?);
        }
        Some(Slice {
            discriminators,
            others: Vec::new(),
        })
    }

    fn discriminator(
        &mut self,
        parent: &'static TypeDef,
        def: &'static TypeDef,
        discriminator: &syntax::Discriminator,
    ) -> Option<Discriminator> {
        let mut at = def;
        let mut path = Vec::new();
        let mut is_list = false;
        for step in &discriminator.path.steps {
            let StepName::Element(name) = &step.name else {
                self.error(step.spot, "an extension cannot distinguish elements");
                return None;
            };
            let Some((element, type_ref)) = at.element_for(name) else {
                self.unknown_element(at, step.spot, name);
                return None;
            };
            is_list = element.is_array();
            path.push(type_ref.json_name);
            at = type_named(type_ref.name)?;
        }
        let owner = if discriminator.path.steps.len() == 1 {
            def
        } else {
            parent
        };
        let mut values = Vec::new();
        for value in &discriminator.values {
            values.push(self.literal(discriminator.path.spot, owner.name, at, value)?);
        }
        if discriminator.text.is_some() && at.name != "CodeableConcept" {
            self.error(
                discriminator.path.spot,
                "only a CodeableConcept has a text beside its code",
            );
            return None;
        }
        Some(Discriminator {
            path,
            values,
            default: discriminator.default,
            absent: discriminator.absent,
            is_list,
            text: discriminator.text.as_deref().map(Into::into),
        })
    }

    /// Returns a constant for the element of type `def` that `owner` has.
    pub(super) fn literal(
        &mut self,
        spot: Spot,
        owner: &str,
        def: &TypeDef,
        value: &str,
    ) -> Option<Literal> {
        let text = || Literal::Text(value.into());
        if value == "absent" {
            return Some(Literal::Absent);
        }
        match def.name {
            "CodeableConcept" | "Coding" => {
                let (system, code) = match value.split_once('|') {
                    Some((system, code)) => (self.program.systems.short(system), code),
                    None => (self.usual_system(spot, owner, value)?, value),
                };
                let (system, code) = (system.into(), code.into());
                Some(if def.name == "Coding" {
                    Literal::Coding { system, code }
                } else {
                    Literal::Concept { system, code }
                })
            }
            "boolean" => match value {
                "true" => Some(Literal::Bool(true)),
                "false" => Some(Literal::Bool(false)),
                _ => {
                    self.error_with(spot, "a boolean is true or false", "true");
                    None
                }
            },
            "integer" | "positiveInt" | "unsignedInt" | "decimal" => {
                Some(Literal::Number(value.into()))
            }
            "uri" | "url" | "canonical" if !value.contains(':') => {
                Some(Literal::Text(self.program.systems.short(value).into()))
            }
            _ if def.kind == TypeKind::Primitive => Some(text()),
            other => {
                self.error(spot, format!("a constant cannot be a {other}"));
                None
            }
        }
    }

    fn usual_system(&mut self, spot: Spot, owner: &str, code: &str) -> Option<String> {
        if owner == "Identifier" {
            return Some(self.program.systems.short("v2-0203"));
        }
        if owner.ends_with(".participant") {
            return Some(self.program.systems.short("v3-ParticipationType"));
        }
        let message = format!("the code system of {code} is unknown here");
        self.error_with(spot, message, format!("SYSTEM|{code}"));
        None
    }
}
