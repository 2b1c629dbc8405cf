//! The proof that a decision was taken, and which rows it covers.

use crate::principal::Interaction;
use base::Purpose;
use std::collections::BTreeSet;

/// Proof that an interaction is allowed. The store asks for it with every access.
#[derive(Clone, Debug)]
pub struct Permit {
    actor: Box<str>,
    purpose: Purpose,
    interaction: Option<Interaction>,
    filter: RowFilter,
}

/// Which rows a permit covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowFilter {
    /// All of them.
    Everything,
    /// All rows of these types.
    Types(Types),
    /// Only rows in the compartments of these patients, the Patient resources themselves included.
    Patients {
        /// The logical ids of the patients.
        patients: Vec<Box<str>>,
        /// Of these types.
        types: Types,
    },
    /// None.
    Nothing,
}

/// A set of resource types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Types {
    /// Every type.
    All,
    /// These.
    Only(BTreeSet<Box<str>>),
}

/// The parts of the system that work without a user. The list is closed: a new caller is a new
/// variant here, and `cargo xtask tidy` checks where [`Permit::system`] is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SystemCaller {
    /// A flow that writes what a message says into the chart.
    Flow,
    /// `causeway import`, run by whoever may write the data directory.
    Import,
    /// Linking records to persons.
    Linking,
    /// The relay of audit entries from the chart to the audit log.
    AuditRelay,
    /// Counts for metrics and health; no PHI comes out.
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

    /// The permit of the system's own work.
    pub fn system(caller: SystemCaller) -> Self {
        Self {
            actor: format!("system:{}", caller.code()).into(),
            purpose: Purpose::Operations,
            interaction: None,
            filter: RowFilter::Everything,
        }
    }

    /// Who acts, as the audit log names it.
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// Why.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// What was asked for; `None` for the system's own work, which may do anything.
    pub fn interaction(&self) -> Option<Interaction> {
        self.interaction
    }

    /// Which rows it covers.
    pub fn filter(&self) -> &RowFilter {
        &self.filter
    }
}

// === impl RowFilter ===

impl RowFilter {
    /// True where rows of the type may be seen at all.
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
    /// True where the type is in the set.
    pub fn contains(&self, resource_type: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(types) => types.contains(resource_type),
        }
    }
}

// === impl SystemCaller ===

impl SystemCaller {
    /// The name in the audit log.
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
