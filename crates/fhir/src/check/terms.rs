//! Codes of required bindings, and references.

use crate::definitions::{Code, ElementDef, Strength, TypeRef, value_set};
use crate::json::Node;
use crate::reference::Reference;

/// An issue's code and text.
pub(super) type Finding = (&'static str, String);

/// Maximum number of codes listed in a text.
const N_NAMED: usize = 12;

/// Checks that a `code` is in the value set of its required binding.
pub(super) fn code(node: Node<'_>, element: &ElementDef) -> Result<(), Finding> {
    let Some(codes) = required(element) else {
        return Ok(());
    };
    let Some(text) = node.as_str() else {
        return Ok(());
    };
    if codes.iter().any(|code| code.code == text) {
        Ok(())
    } else {
        Err(not_one_of(codes))
    }
}

/// Checks that a Coding, or one coding of a CodeableConcept, is in the value set of a required
/// binding.
pub(super) fn coded(node: Node<'_>, element: &ElementDef, type_name: &str) -> Result<(), Finding> {
    let Some(codes) = required(element) else {
        return Ok(());
    };
    let mut codings = match type_name {
        "CodeableConcept" => node.each("coding"),
        "Coding" => crate::json::Each::One(Some(node)),
        _ => return Ok(()),
    };
    // Without a coding, the concept is text or an extension gives the reason; that is not a wrong
    // code.
    if type_name == "CodeableConcept" && node.get("coding").is_none() {
        return Ok(());
    }
    let listed = |coding: Node<'_>| {
        let (system, code) = (coding.text("system"), coding.text("code"));
        codes
            .iter()
            .any(|one| code.as_deref() == Some(one.code) && system.as_deref() == Some(one.system))
    };
    if codings.any(listed) {
        Ok(())
    } else {
        Err(not_one_of(codes))
    }
}

/// Checks that a reference is valid and points to a type that the element allows.
pub(super) fn reference(node: Node<'_>, of: &TypeRef) -> Result<(), Finding> {
    let Some(text) = node.text("reference") else {
        return Ok(());
    };
    let reference = Reference::parse(&text).map_err(|error| ("value", error.to_string()))?;
    let resource_type = match reference {
        Reference::Conditional { resource_type, .. } => Some(resource_type),
        Reference::Relative(target) | Reference::Absolute { target, .. } => {
            Some(target.resource_type)
        }
        Reference::Urn(_) | Reference::Contained(_) | Reference::Canonical { .. } => None,
    };
    let anything = of.targets.is_empty() || of.targets.contains(&"Resource");
    if anything || resource_type.is_none_or(|name| of.targets.contains(&name)) {
        return Ok(());
    }
    Err((
        "value",
        format!("expected a reference to {}", of.targets.join(" or ")),
    ))
}

fn required(element: &ElementDef) -> Option<&'static [Code]> {
    let binding = element
        .binding
        .filter(|binding| binding.strength == Strength::Required)?;
    value_set(binding.value_set)
}

fn not_one_of(codes: &[Code]) -> Finding {
    let named: Vec<&str> = codes.iter().take(N_NAMED).map(|code| code.code).collect();
    let more = if codes.len() <= N_NAMED { "" } else { "…" };
    (
        "code-invalid",
        format!("not one of the allowed codes: {}{more}", named.join(", ")),
    )
}
