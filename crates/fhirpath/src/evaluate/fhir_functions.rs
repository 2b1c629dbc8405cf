//! FHIR's own functions (FHIR R4 fhirpath.html#functions).

use super::{Evaluator, Scope, html};
use crate::element::Element;
use crate::error::EvaluationError;
use crate::function::Function as F;
use crate::item::{Item, Items};
use crate::program::Call;
use crate::types::TypeSpec;
use fhir::definitions::{TypeKind, type_named};
use fhir::json::Node;
use std::borrow::Cow;

const STRUCTURES: &str = "http://hl7.org/fhir/StructureDefinition/";

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn fhir(
        &self,
        call: &'a Call,
        scope: Scope<'_, 'a>,
        out: &mut Items<'a>,
    ) -> Result<(), EvaluationError> {
        let name = call.function.name();
        match call.function {
            F::GetValue => {
                let item = self.single(&call.input, scope, name)?;
                out.extend(item.and_then(|item| match item {
                    Item::Element(element) if !element.has_value() => None,
                    item => item.value(),
                }));
                return Ok(());
            }
            F::Resolve => {
                for item in self.items(&call.input, scope)? {
                    out.extend(self.resolve(&item).map(Item::Element));
                }
                return Ok(());
            }
            F::HtmlChecks => {
                let text = self.text(&call.input, scope, name)?;
                out.extend(text.map(|text| Item::Boolean(html::is_narrative(&text))));
                return Ok(());
            }
            _ => {}
        }
        let Some(argument) = call.arguments.first() else {
            return Ok(());
        };
        let Some(url) = self.text(argument, scope, name)? else {
            return Ok(());
        };
        match call.function {
            F::Extension => {
                let items = self.items(&call.input, scope)?;
                self.extension_by_url(items, &url, out)
            }
            F::MemberOf => {
                let Some(item) = self.single(&call.input, scope, name)? else {
                    return Ok(());
                };
                let answer = self.context.host.member_of(&item, &url);
                out.push(Item::Boolean(
                    answer.ok_or(EvaluationError::NotSupported(name))?,
                ));
                Ok(())
            }
            _ => {
                let Some(item) = self.single(&call.input, scope, name)? else {
                    return Ok(());
                };
                let Item::Element(element) = &item else {
                    return Err(EvaluationError::WrongType(name));
                };
                let answer = self.context.host.conforms_to(element, &url);
                let answer = answer.or_else(|| is_of_base_type(element, &url));
                out.push(Item::Boolean(
                    answer.ok_or(EvaluationError::NotSupported(name))?,
                ));
                Ok(())
            }
        }
    }

    /// Evaluates `resolve() is Type`: a contained resource, or one that the host knows, gives its
    /// own type; otherwise the reference's text does.
    pub(super) fn resolves_to(&self, item: &Item<'a>, spec: TypeSpec) -> Option<bool> {
        let reference = reference_text(item)?;
        if let Some(target) = self.target(&reference) {
            return Some(spec.holds(&Item::Element(target)));
        }
        let named = match &item {
            Item::Element(element) if element.node().is_object() => element.node().text("type"),
            _ => None,
        };
        let named = named.as_deref().or_else(|| type_in(&reference))?;
        let (TypeSpec::Fhir(wanted) | TypeSpec::Either(wanted, _)) = spec else {
            return Some(false);
        };
        if named == wanted.name {
            return Some(true);
        }
        let def = type_named(named).filter(|def| def.kind == TypeKind::Resource)?;
        Some(def.is_a(wanted.name))
    }

    fn resolve(&self, item: &Item<'a>) -> Option<Element<'a>> {
        self.target(&reference_text(item)?)
    }

    fn target(&self, reference: &str) -> Option<Element<'a>> {
        let Some(id) = reference.strip_prefix('#') else {
            return self.context.host.resolve(reference).map(Element::resource);
        };
        let container = self.context.root_resource;
        if id.is_empty() {
            return Some(container);
        }
        let is_meant = |node: &Node<'a>| node.text("id").is_some_and(|known| known == id);
        container
            .node()
            .each("contained")
            .find(is_meant)
            .map(Element::resource)
    }
}

/// Returns the text that an item refers to: a `Reference`'s, or that of a uri or string.
fn reference_text<'a>(item: &Item<'a>) -> Option<Cow<'a, str>> {
    match item {
        Item::Element(element) if element.node().is_object() => element.node().text("reference"),
        item => item.as_str(),
    }
}

/// Returns `Patient` for `Patient/1`, `http://example.org/Patient/1` and `Patient/1/_history/2`.
fn type_in(reference: &str) -> Option<&str> {
    let whole = reference
        .split_once("/_history/")
        .map_or(reference, |(before, _)| before);
    let (before, _) = whole.rsplit_once('/')?;
    Some(before.rsplit_once('/').map_or(before, |(_, name)| name))
}

/// Checks conformance to a base definition: every instance conforms to the definition of its type
/// and of that type's ancestors.
fn is_of_base_type(element: &Element<'_>, url: &str) -> Option<bool> {
    let wanted = type_named(url.strip_prefix(STRUCTURES)?)?;
    Some(element.is_a(wanted))
}
