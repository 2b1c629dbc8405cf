//! The caller, and the requested interaction.

use crate::scope::{Letter, Scopes};

/// The caller, after authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The operator of the installation, logged in at the console.
    Administrator {
        /// The login name.
        name: String,
    },
    /// A client with a bearer token.
    Token {
        /// The token's public id, never its secret.
        id: String,
        /// The scopes granted to the token.
        scopes: Scopes,
        /// The ids of the patients that the token's `patient/` scopes are bound to.
        patients: Vec<String>,
    },
}

/// The kind of access requested: the FHIR interactions, and the console's own views.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interaction {
    /// `GET [type]/[id]`
    Read,
    /// `GET [type]/[id]/_history/[vid]`
    Vread,
    /// `GET [type]/[id]/_history`
    HistoryInstance,
    /// `GET [type]/_history`
    HistoryType,
    /// `GET _history`
    HistorySystem,
    /// `GET [type]?…`
    SearchType,
    /// `GET ?…`
    SearchSystem,
    /// `POST [type]`
    Create,
    /// `PUT [type]/[id]`
    Update,
    /// `PATCH [type]/[id]`
    Patch,
    /// `DELETE [type]/[id]`
    Delete,
    /// `Patient/[id]/$everything`
    Everything,
    /// The stored messages, queues and acknowledgements, raw and parsed.
    Messages,
    /// Replaying, releasing or dropping messages, starting and stopping flows.
    Operate,
    /// The origin of a value.
    Lineage,
    /// The audit log.
    Audit,
}

/// One interaction on one resource type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action<'a> {
    /// The interaction requested.
    pub interaction: Interaction,
    /// The resource type; `None` for the whole system.
    pub resource_type: Option<&'a str>,
}

/// The permission that an interaction needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// This letter of a scope on the type.
    Letter(Letter),
    /// More than any scope grants.
    Administrator,
}

// === impl Principal ===

impl Principal {
    /// Returns the name recorded in the audit log.
    pub fn actor(&self) -> String {
        match self {
            Self::Administrator { name } => format!("user:{name}"),
            Self::Token { id, .. } => format!("token:{id}"),
        }
    }
}

// === impl Interaction ===

impl Interaction {
    /// Returns the code: that of FHIR's `restful-interaction` if it has one.
    pub fn code(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Vread => "vread",
            Self::HistoryInstance => "history-instance",
            Self::HistoryType => "history-type",
            Self::HistorySystem => "history-system",
            Self::SearchType => "search-type",
            Self::SearchSystem => "search-system",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::Everything => "everything",
            Self::Messages => "messages",
            Self::Operate => "operate",
            Self::Lineage => "lineage",
            Self::Audit => "audit",
        }
    }

    /// Returns the permission needed (SMART App Launch 2.0, "Scopes for requesting FHIR
    /// resources"): `r` is read, vread and instance history; `s` is search and the other histories;
    /// `u` is update and patch.
    pub(crate) fn need(self) -> Need {
        match self {
            Self::Read | Self::Vread | Self::HistoryInstance | Self::Everything => {
                Need::Letter(Letter::Read)
            }
            Self::HistoryType | Self::HistorySystem | Self::SearchType | Self::SearchSystem => {
                Need::Letter(Letter::Search)
            }
            Self::Create => Need::Letter(Letter::Create),
            Self::Update | Self::Patch => Need::Letter(Letter::Update),
            Self::Delete => Need::Letter(Letter::Delete),
            Self::Messages | Self::Operate | Self::Lineage | Self::Audit => Need::Administrator,
        }
    }
}

// === impl Action ===

impl<'a> Action<'a> {
    /// Creates an action on a type.
    pub fn on(interaction: Interaction, resource_type: &'a str) -> Self {
        Self {
            interaction,
            resource_type: Some(resource_type),
        }
    }

    /// Creates an action on the whole system.
    pub fn system(interaction: Interaction) -> Self {
        Self {
            interaction,
            resource_type: None,
        }
    }
}
