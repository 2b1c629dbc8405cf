//! Walks a resource alongside its definition.

use super::contained::Scope;
use super::{MAX_ISSUES, primitive, terms};
use crate::definitions::{ElementDef, TypeDef, TypeKind, TypeRef, type_named};
use crate::json::{Node, Symbol};
use base::{Issue, Severity};
use std::fmt::Write as _;

/// The position of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// On its own, in an entry of a Bundle, or in a parameter.
    Whole,
    /// In another resource's `contained`.
    Contained,
}

/// One step of the location.
struct Step<'a> {
    name: &'a str,
    place: Option<usize>,
}

/// A walk in progress.
pub(super) struct Walk<'a> {
    steps: Vec<Step<'a>>,
    issues: Vec<Issue>,
    more: bool,
    /// One scope per open whole resource, for its contained resources.
    scopes: Vec<Scope<'a>>,
}

/// The elements seen in an object.
#[derive(Default)]
struct Seen {
    places: Vec<(usize, Symbol)>,
}

// === impl Walk ===

impl<'a> Walk<'a> {
    pub(super) fn new() -> Self {
        Self {
            steps: Vec::new(),
            issues: Vec::new(),
            more: false,
            scopes: Vec::new(),
        }
    }

    /// Copies the document's own issues that lie inside the node.
    pub(super) fn duplicates(&mut self, node: Node<'a>) {
        if node.index() == 0 {
            self.issues.extend_from_slice(node.document().issues());
        }
    }

    pub(super) fn finish(mut self) -> Vec<Issue> {
        if self.more {
            let text = "there are too many issues; the rest are not listed";
            let severity = Severity::Information;
            self.issues.push(Issue {
                severity,
                code: "incomplete",
                location: String::new(),
                text: text.into(),
            });
        }
        self.issues
    }

    pub(super) fn resource(&mut self, node: Node<'a>, role: Role) {
        let Some(name) = node.resource_type() else {
            let text = "expected a resource: an object with a `resourceType`";
            return self.error("structure", text);
        };
        let known = type_named(name).filter(|def| def.kind == TypeKind::Resource);
        let Some(def) = known.filter(|def| !def.is_abstract) else {
            return self.error("structure", "`resourceType` is not a FHIR R4 resource type");
        };
        if self.steps.is_empty() {
            self.steps.push(Step {
                name: def.name,
                place: None,
            });
        }
        match role {
            Role::Whole => {
                self.scopes.push(Scope::of(node));
                self.object(node, def);
                let scope = self.scopes.pop().unwrap_or_default();
                scope.close(|severity, code, location, text| {
                    let here = self.location();
                    let location = location.unwrap_or(here);
                    self.push(Issue {
                        severity,
                        code,
                        location,
                        text: text.into(),
                    });
                });
            }
            Role::Contained => {
                self.contained(node);
                self.object(node, def);
            }
        }
    }

    /// Checks R4 dom-2, dom-4, dom-5 and the rule that a contained resource needs an id.
    fn contained(&mut self, node: Node<'a>) {
        if node.get("id").is_none() {
            self.error("required", "a contained resource needs an `id`");
        }
        if node.get("contained").is_some() {
            self.error("structure", "a contained resource must not contain others");
        }
        let meta = node.get("meta");
        for name in ["versionId", "lastUpdated", "security"] {
            if meta.is_some_and(|meta| meta.get(name).is_some()) {
                self.error(
                    "structure",
                    format!("a contained resource must not have `meta.{name}`"),
                );
            }
        }
    }

    /// Checks ext-1, which R4 defines on every extension.
    fn extension(&mut self, node: Node<'a>) {
        let is_value = |name: &str| name.trim_start_matches('_').starts_with("value");
        let has_value = node
            .fields()
            .any(|field| field.name().is_some_and(is_value));
        if has_value == node.get("extension").is_some() {
            let text = "ext-1: an extension must have either a value or nested extensions";
            self.error("invariant", text);
        }
    }

    /// Checks an object of a type, including resources.
    fn object(&mut self, node: Node<'a>, def: &'static TypeDef) {
        if !node.is_object() {
            return self.error("structure", format!("expected an object ({})", def.name));
        }
        if node.is_empty() {
            return self.error("structure", "an object must not be empty; omit it");
        }
        if def.name == "Extension" {
            self.extension(node);
        }
        let mut seen = Seen::default();
        for field in node.fields() {
            self.field(field, def, &mut seen);
        }
        for (place, element) in def.elements.iter().enumerate() {
            if element.min != 0 && !seen.places.iter().any(|(other, _)| *other == place) {
                let choice = if element.choice { "[x]" } else { "" };
                let text = format!("`{}{choice}` is required in {}", element.name, def.name);
                self.at(element.name, None, |walk| walk.error("required", text));
            }
        }
    }

    fn field(&mut self, field: Node<'a>, def: &'static TypeDef, seen: &mut Seen) {
        let name = field.name().unwrap_or_default();
        if name == "resourceType" && def.kind == TypeKind::Resource {
            return;
        }
        let found = field.symbol().and_then(|symbol| {
            let place = def.place_of(symbol)?;
            let (element, type_ref) = def.element_for_symbol(symbol)?;
            Some((symbol, place, element, type_ref))
        });
        let Some((symbol, place, element, type_ref)) = found else {
            let text = unknown(name, def);
            return self.at(name, None, |walk| walk.error("structure", text));
        };
        self.at(element.name, None, |walk| {
            let same_place = |&(other, which): &(usize, Symbol)| other == place && which != symbol;
            if seen.places.iter().any(same_place) {
                walk.error(
                    "structure",
                    format!("`{}[x]` must have only one value", element.name),
                );
            }
            seen.places.push((place, symbol));
            let extension = field.is_primitive_extension();
            walk.value(field, element, type_ref, extension);
        });
    }

    fn value(&mut self, field: Node<'a>, element: &ElementDef, of: &TypeRef, extension: bool) {
        let Some(def) = of.definition() else { return };
        if extension && def.kind != TypeKind::Primitive {
            let text = "a name with `_` is only for primitives; put the extension into the object";
            return self.error("structure", text);
        }
        if !element.is_array() {
            if field.is_array() {
                let text = "expected a single value, not an array";
                return self.error("structure", text);
            }
            return self.either(field, element, of, extension);
        }
        if !field.is_array() {
            return self.error("structure", "expected an array");
        }
        let n_items = field.len();
        if n_items == 0 {
            return self.error("structure", "an array must not be empty; omit it");
        }
        if element.max.is_some_and(|max| (max as usize) < n_items) {
            let text = format!("at most {} items are allowed", element.max.unwrap_or(0));
            self.error("structure", text);
        }
        if field
            .extension_sibling()
            .is_some_and(|other| other.is_array() && other.len() != n_items)
        {
            let text = "the array and its `_` array must have the same length, with `null` for absent items";
            self.error("structure", text);
        }
        for (place, item) in field.items().enumerate() {
            if let Some(last) = self.steps.last_mut() {
                last.place = Some(place);
            }
            let gap = item.is_null() && def.kind == TypeKind::Primitive;
            if gap && (extension || item.extension_sibling().is_some()) {
                continue;
            }
            self.either(item, element, of, extension);
        }
    }

    /// Checks one value, or the primitive's `_x` in its place.
    fn either(&mut self, node: Node<'a>, element: &ElementDef, of: &TypeRef, extension: bool) {
        let def = if extension {
            type_named("Element")
        } else {
            of.definition()
        };
        let Some(def) = def else { return };
        if node.is_null() {
            let text = "`null` is allowed only in an array, beside its `_` array";
            self.error("structure", text);
        } else if extension {
            self.object(node, def);
        } else {
            self.one(node, element, of, def);
        }
    }

    /// Checks one value: an item, or the field if it is not repeated.
    fn one(&mut self, node: Node<'a>, element: &ElementDef, of: &TypeRef, def: &'static TypeDef) {
        match def.kind {
            TypeKind::Primitive => self.primitive(node, element, of, def),
            TypeKind::Resource => {
                let contained = element.name == "contained";
                self.resource(
                    node,
                    if contained {
                        Role::Contained
                    } else {
                        Role::Whole
                    },
                );
            }
            TypeKind::Complex | TypeKind::Backbone => {
                self.object(node, def);
                if let Err((code, text)) = terms::coded(node, element, def.name) {
                    self.error(code, text);
                }
                if def.name == "Reference" {
                    self.reference(node, of);
                }
            }
        }
    }

    fn primitive(&mut self, node: Node<'a>, element: &ElementDef, of: &TypeRef, def: &TypeDef) {
        if let Err((code, text)) = primitive::check(node, def.name) {
            return self.error(code, text);
        }
        if def.name == "code"
            && let Err((code, text)) = terms::code(node, element)
        {
            self.error(code, text);
        }
        if of.name == "canonical" {
            let location = self.location();
            if let Some(scope) = self.scopes.last_mut() {
                scope.mention(node, location);
            }
        }
    }

    fn reference(&mut self, node: Node<'a>, of: &TypeRef) {
        if let Err((code, text)) = terms::reference(node, of) {
            self.at("reference", None, |walk| walk.error(code, text));
        }
        let location = self.location();
        if let (Some(text), Some(scope)) = (node.get("reference"), self.scopes.last_mut()) {
            scope.mention(text, location);
        }
    }

    // --- locations and issues ---

    fn at(&mut self, name: &'a str, place: Option<usize>, inside: impl FnOnce(&mut Self)) {
        self.steps.push(Step { name, place });
        inside(self);
        self.steps.pop();
    }

    fn location(&self) -> String {
        let mut location = String::new();
        for (n, step) in self.steps.iter().enumerate() {
            if n != 0 {
                location.push('.');
            }
            location.extend(step.name.chars().take(64));
            if let Some(place) = step.place {
                let _ = write!(location, "[{place}]");
            }
        }
        location
    }

    fn error(&mut self, code: &'static str, text: impl Into<std::borrow::Cow<'static, str>>) {
        let issue = Issue::error(code, self.location(), text);
        self.push(issue);
    }

    fn push(&mut self, issue: Issue) {
        if self.issues.len() < MAX_ISSUES {
            self.issues.push(issue);
        } else {
            self.more = true;
        }
    }
}

fn unknown(name: &str, def: &TypeDef) -> String {
    let plain = name.trim_start_matches('_');
    let short: String = plain.chars().take(64).collect();
    match def.element(plain).filter(|element| element.choice) {
        Some(element) => {
            let names: Vec<&str> = element
                .types
                .iter()
                .take(4)
                .map(|of| of.json_name)
                .collect();
            format!("`{short}` must include its type: {}…", names.join(", "))
        }
        None => format!("{} has no element `{short}`", def.name),
    }
}
