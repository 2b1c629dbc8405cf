//! The proof of a decision, with the rows it covers.

use crate::principal::Interaction;
use base::Purpose;
use std::collections::BTreeSet;

/// Proof that an interaction is allowed. The store requires one for every access.
#[derive(Clone, Debug)]
pub struct Permit {
    actor: Box<str>,
    purpose: Purpose,
    interaction: Option<Interaction>,
    filter: RowFilter,
}

/// The rows that a permit covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowFilter {
    /// All rows.
    Everything,
    /// All rows of these types.
    Types(Types),
    /// Only rows in the compartments of these patients, including the Patient resources themselves.
    Patients {
        /// The logical ids of the patients.
        patients: Vec<Box<str>>,
        /// The resource types covered.
        types: Types,
    },
    /// No rows.
    Nothing,
}

/// A set of resource types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Types {
    /// Every type.
    All,
    /// Only these types.
    Only(BTreeSet<Box<str>>),
}

/// The parts of the system that act without a user. The list is closed: a new caller is a new
/// variant here, and `cargo xtask tidy` checks where [`Permit::system`] is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SystemCaller {
    /// A flow that writes the content of a message into the chart.
    Flow,
    /// `causeway import`, run by a user with write access to the data directory.
    Import,
    /// Linking records to persons.
    Linking,
    /// The relay of audit entries from the chart to the audit log.
    AuditRelay,
    /// Counts for metrics and health checks; no PHI is returned.
    Metrics,
    /// `causeway bench` on a store of its own.
    Bench,
}

// === impl Permit ===

impl Permit {
    pub(crate) fn new(
        actor: String,
        purpose: Purpose,
        interaction: Interaction,
        filter: RowFilter,
    ) -> Self {
        Self {
            actor: actor.into(),
            purpose,
            interaction: Some(interaction),
            filter,
        }
    }

    /// Returns the permit for the system's own work.
    pub fn system(caller: SystemCaller) -> Self {
        Self {
            actor: format!("system:{}", caller.code()).into(),
            purpose: Purpose::Operations,
            interaction: None,
            filter: RowFilter::Everything,
        }
    }

    /// Returns the actor's name in the audit log.
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// Returns the purpose.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Returns the permitted interaction; `None` for the system's own work, which may do anything.
    pub fn interaction(&self) -> Option<Interaction> {
        self.interaction
    }

    /// Returns the rows that the permit covers.
    pub fn filter(&self) -> &RowFilter {
        &self.filter
    }
}

// === impl RowFilter ===

impl RowFilter {
    /// Returns true if any rows of the type may be visible.
    pub fn covers_type(&self, resource_type: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Types(types) | Self::Patients { types, .. } => types.contains(resource_type),
            Self::Nothing => false,
        }
    }
}

// === impl Types ===

impl Types {
    /// Returns true if the type is in the set.
    pub fn contains(&self, resource_type: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(types) => types.contains(resource_type),
        }
    }
}

// === impl SystemCaller ===

impl SystemCaller {
    /// Returns the caller's name in the audit log.
    pub fn code(self) -> &'static str {
        match self {
            Self::Flow => "flow",
            Self::Import => "import",
            Self::Linking => "linking",
            Self::AuditRelay => "audit-relay",
            Self::Metrics => "metrics",
            Self::Bench => "bench",
        }
    }
}
