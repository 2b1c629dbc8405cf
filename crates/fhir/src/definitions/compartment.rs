//! Compartments: what belongs to a patient, an encounter, a practitioner, a device…

use super::tables::COMPARTMENTS;

/// A compartment.
#[derive(Debug)]
pub struct Compartment {
    /// The type whose instances have one: `Patient`.
    pub name: &'static str,
    /// Each resource type in it with the search parameters that tie it; `{def}` is the resource
    /// itself.
    pub members: Vec<(&'static str, Vec<&'static str>)>,
}

/// The compartment of a type.
pub fn compartment(name: &str) -> Option<&'static Compartment> {
    COMPARTMENTS
        .iter()
        .find(|compartment| compartment.name == name)
}

// === impl Compartment ===

impl Compartment {
    /// The search parameters that tie a resource type to it; none if it is never in it.
    pub fn params(&self, resource_type: &str) -> &[&'static str] {
        let found = self.members.iter().find(|(name, _)| *name == resource_type);
        found.map_or(&[], |(_, params)| params)
    }
}
