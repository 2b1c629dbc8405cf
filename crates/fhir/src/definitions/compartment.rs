//! Compartments: the resources that belong to a patient, an encounter, a practitioner, a device…

use super::tables::COMPARTMENTS;

/// A compartment.
#[derive(Debug)]
pub struct Compartment {
    /// The type whose instances have a compartment: `Patient`.
    pub name: &'static str,
    /// The resource types in the compartment, each with the search parameters that link it; `{def}`
    /// is the resource itself.
    pub members: Vec<(&'static str, Vec<&'static str>)>,
}

/// Returns the compartment of a type.
pub fn compartment(name: &str) -> Option<&'static Compartment> {
    COMPARTMENTS
        .iter()
        .find(|compartment| compartment.name == name)
}

// === impl Compartment ===

impl Compartment {
    /// Returns the search parameters that link a resource type to the compartment; none if the type
    /// is never in it.
    pub fn params(&self, resource_type: &str) -> &[&'static str] {
        let found = self.members.iter().find(|(name, _)| *name == resource_type);
        found.map_or(&[], |(_, params)| params)
    }
}
