//! The steps of a path.

use super::{Evaluator, Scope, Sink, Stop};
use crate::element::Element;
use crate::error::EvaluationError;
use crate::item::{Item, Items};
use crate::program::{Member, Op, Step};
use crate::types::{Shape, element_at};
use fhir::definitions::{TypeDef, type_named};
use fhir::json::{Kind, Node};
use std::borrow::Cow;
use std::sync::LazyLock;

static EXTENSION: LazyLock<Option<&'static TypeDef>> = LazyLock::new(|| type_named("Extension"));

impl<'a> Evaluator<'_, 'a> {
    /// Evaluates everything that a path leads to.
    pub(super) fn path(
        &self,
        start: &'a Op,
        steps: &'a [Step],
        scope: Scope<'_, 'a>,
        sink: Sink<'_, 'a>,
    ) -> Result<(), Stop> {
        self.each(start, scope, &mut |item| {
            self.walk(item, steps, scope, sink)
        })
    }

    fn walk(
        &self,
        item: Item<'a>,
        steps: &'a [Step],
        scope: Scope<'_, 'a>,
        sink: Sink<'_, 'a>,
    ) -> Result<(), Stop> {
        let Some((step, rest)) = steps.split_first() else {
            return sink(item);
        };
        self.burn(1)?;
        match step {
            Step::Member(member) => match &item {
                Item::Element(element) => member_elements(element, member, &mut |child| {
                    self.walk(child, rest, scope, sink)
                }),
                item => match type_member(item, &member.name) {
                    Some(text) => self.walk(text, rest, scope, sink),
                    None => Ok(()),
                },
            },
            Step::Root(def) if item.element().is_some_and(|element| element.is_a(def)) => {
                self.walk(item, rest, scope, sink)
            }
            Step::Where(criteria) => {
                let inner = Scope {
                    this: Some(&item),
                    index: None,
                    ..scope
                };
                match self.condition(criteria, inner, "where")? {
                    Some(true) => self.walk(item, rest, scope, sink),
                    Some(false) | None => Ok(()),
                }
            }
            Step::OfType(spec) if spec.selects(&item) => self.walk(item, rest, scope, sink),
            Step::Root(_) | Step::OfType(_) => Ok(()),
            Step::Extension(url) => match &item {
                Item::Element(element) => extensions(element, url, &mut |extension| {
                    self.walk(extension, rest, scope, sink)
                }),
                _ => Ok(()),
            },
        }
    }

    /// Evaluates all children of an element, in document order.
    pub(super) fn children(&self, element: &Element<'a>, sink: Sink<'_, 'a>) -> Result<(), Stop> {
        let Some(holder) = element.holder() else {
            return Ok(());
        };
        for field in holder.fields() {
            self.burn(1)?;
            let Some(name) = field.name().filter(|name| *name != "resourceType") else {
                continue;
            };
            if field.is_primitive_extension() && holder.get(name.trim_start_matches('_')).is_some()
            {
                continue;
            }
            let known = element
                .type_def()
                .and_then(|def| def.element_for(name.trim_start_matches('_')))
                .and_then(|(_, type_ref)| type_named(type_ref.name));
            field_elements(field, known, sink)?;
        }
        Ok(())
    }

    /// Evaluates all descendants, each before its own children.
    pub(super) fn descendants(
        &self,
        element: &Element<'a>,
        sink: Sink<'_, 'a>,
    ) -> Result<(), Stop> {
        // Not recursive: the depth of the document must not be limited by the stack.
        let mut open: Vec<Item<'a>> = vec![Item::Element(*element)];
        let mut is_self = true;
        while let Some(item) = open.pop() {
            if !std::mem::take(&mut is_self) {
                sink(item.clone())?;
            }
            if let Item::Element(element) = &item {
                let first_new = open.len();
                self.children(element, &mut |child| {
                    open.push(child);
                    Ok(())
                })?;
                open.get_mut(first_new..).unwrap_or_default().reverse();
            }
        }
        Ok(())
    }

    /// Collects the extensions of the items with this URL.
    pub(super) fn extension_by_url(
        &self,
        items: Items<'a>,
        url: &str,
        out: &mut Items<'a>,
    ) -> Result<(), EvaluationError> {
        for item in items {
            self.burn(1)?;
            if let Item::Element(element) = &item {
                super::settle(extensions(element, url, &mut |extension| {
                    out.push(extension);
                    Ok(())
                }))?;
            }
        }
        Ok(())
    }
}

/// Returns the elements of a name below an element.
fn member_elements<'a>(
    element: &Element<'a>,
    member: &'a Member,
    sink: Sink<'_, 'a>,
) -> Result<(), Stop> {
    let Some(holder) = element.holder() else {
        return Ok(());
    };
    let Some(parent) = element.type_def() else {
        return match holder.element(&member.name) {
            Some(field) => field_elements(field, None, sink),
            None => Ok(()),
        };
    };
    let shape = member.shape.get_or_init(|| Shape::of(parent, &member.name));
    if std::ptr::eq(shape.parent, parent) {
        return shape_elements(holder, shape, sink);
    }
    shape_elements(holder, &Shape::of(parent, &member.name), sink)
}

fn type_member<'a>(item: &Item<'a>, name: &str) -> Option<Item<'a>> {
    let Item::Type(info) = item else { return None };
    match name {
        "name" => Some(Item::String(Cow::Borrowed(info.name))),
        "namespace" => Some(Item::String(Cow::Borrowed(info.namespace))),
        _ => None,
    }
}

fn extensions<'a>(element: &Element<'a>, url: &str, sink: Sink<'_, 'a>) -> Result<(), Stop> {
    let Some(field) = element.holder().and_then(|holder| holder.get("extension")) else {
        return Ok(());
    };
    field_elements(field, *EXTENSION, &mut |extension| match &extension {
        Item::Element(found) if found.node().text("url").is_some_and(|known| known == url) => {
            sink(extension)
        }
        _ => Ok(()),
    })
}

/// Evaluates the elements below an object that a shape describes: the value if present, else its
/// `_x`.
fn shape_elements<'a>(holder: Node<'a>, shape: &Shape, sink: Sink<'_, 'a>) -> Result<(), Stop> {
    let (Some(&first), Some(&last)) = (shape.fields.first(), shape.fields.last()) else {
        return Ok(());
    };
    let mut only_extended = None;
    for field in holder.fields() {
        let Some(symbol) = field.symbol().filter(|s| first.0 <= *s && *s <= last.0) else {
            continue;
        };
        let Ok(place) = shape
            .fields
            .binary_search_by_key(&symbol, |(known, _)| *known)
        else {
            continue;
        };
        let type_def = shape.fields.get(place).and_then(|(_, def)| *def);
        if field.is_primitive_extension() {
            only_extended = Some((field, type_def));
        } else {
            return field_elements(field, type_def, sink);
        }
    }
    match only_extended {
        Some((field, type_def)) => field_elements(field, type_def, sink),
        None => Ok(()),
    }
}

/// Evaluates the element at a field, or each element of its array.
pub(crate) fn field_elements<'a>(
    field: Node<'a>,
    type_def: Option<&'static TypeDef>,
    sink: Sink<'_, 'a>,
) -> Result<(), Stop> {
    match field.kind() {
        Kind::Array => {
            for item in field.items() {
                // A null in an array stands in for an element that has only extensions.
                if !item.is_null() || item.extension_sibling().is_some() {
                    sink(Item::Element(element_at(item, type_def)))?;
                }
            }
            Ok(())
        }
        Kind::Null => Ok(()),
        Kind::Bool | Kind::Number | Kind::String | Kind::Object => {
            sink(Item::Element(element_at(field, type_def)))
        }
    }
}
