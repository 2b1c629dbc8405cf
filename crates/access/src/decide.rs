//! The only place that makes access decisions.

use crate::permit::{Permit, RowFilter, Types};
use crate::principal::{Action, Need, Principal};
use crate::scope::{Context, Letter, Scope, Scopes};
use base::Purpose;

/// The reason for denying access.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The caller may not know whether the resource exists: HTTP 404.
    #[error("not found")]
    Hidden,
    /// The caller may know that access is denied: HTTP 403.
    #[error("{what} is not allowed; {remedy}")]
    Forbidden {
        /// The interaction and type, in FHIR's terms.
        what: String,
        /// The permission that would allow it.
        remedy: String,
    },
}

/// Decides whether `principal` may perform `action` for `purpose`, and on which rows.
///
/// A permit for reading also carries the types that includes and chains may reach, so that a token
/// for observations does not see patients through `_include`.
pub fn decide(
    principal: &Principal,
    action: Action<'_>,
    purpose: Purpose,
) -> Result<Permit, Refusal> {
    let filter = match principal {
        Principal::Administrator { .. } => RowFilter::Everything,
        Principal::Token {
            scopes, patients, ..
        } => rows(scopes, patients, action)?,
    };
    Ok(Permit::new(
        principal.actor(),
        purpose,
        action.interaction,
        filter,
    ))
}

fn rows(scopes: &Scopes, patients: &[String], action: Action<'_>) -> Result<RowFilter, Refusal> {
    let letter = match action.interaction.need() {
        Need::Letter(letter) => letter,
        Need::Administrator => return Err(forbidden(action, "only an administrator can do this")),
    };
    let granted: Vec<&Scope> = scopes.iter().filter(|scope| scope.has(letter)).collect();
    let on_type: Vec<&&Scope> = granted
        .iter()
        // Without a type, the whole system is meant; the row filter then limits it to the granted
        // types.
        .filter(|scope| {
            action
                .resource_type
                .is_none_or(|name| scope.grants(letter, Some(name)))
        })
        .collect();
    if on_type.is_empty() {
        return Err(forbidden(action, &remedy(letter, action)));
    }
    // The widest grant on the requested type decides which rows: a user or system scope covers all.
    if on_type
        .iter()
        .any(|scope| scope.context() != Context::Patient)
    {
        let wide = granted
            .iter()
            .filter(|scope| scope.context() != Context::Patient);
        return Ok(match types(wide) {
            Types::All => RowFilter::Everything,
            only @ Types::Only(_) => RowFilter::Types(only),
        });
    }
    if patients.is_empty() {
        return Err(Refusal::Hidden);
    }
    Ok(RowFilter::Patients {
        patients: patients.iter().map(|id| id.as_str().into()).collect(),
        types: types(granted.iter()),
    })
}

fn types<'a>(scopes: impl Iterator<Item = &'a &'a Scope>) -> Types {
    let named: Option<_> = scopes
        .map(|scope| scope.resource_type().map(Box::from))
        .collect();
    named.map_or(Types::All, Types::Only)
}

fn forbidden(action: Action<'_>, remedy: &str) -> Refusal {
    let target = action.resource_type.unwrap_or("the whole system");
    Refusal::Forbidden {
        what: format!("{} on {target}", action.interaction.code()),
        remedy: remedy.to_owned(),
    }
}

fn remedy(letter: Letter, action: Action<'_>) -> String {
    let target = action.resource_type.unwrap_or("*");
    format!(
        "a scope such as `system/{target}.{}` would allow it",
        letter.as_char()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::principal::Interaction;

    fn token(scopes: &str, patients: &[&str]) -> Principal {
        Principal::Token {
            id: "t1".to_owned(),
            scopes: scopes.parse().unwrap(),
            patients: patients.iter().map(|&id| id.to_owned()).collect(),
        }
    }

    fn answer(principal: &Principal, interaction: Interaction, on: Option<&str>) -> String {
        let action = Action {
            interaction,
            resource_type: on,
        };
        match decide(principal, action, Purpose::Treatment) {
            Ok(permit) => match permit.filter() {
                RowFilter::Everything => "everything".to_owned(),
                RowFilter::Types(types) => format!("types {}", names(types)),
                RowFilter::Patients { patients, types } => {
                    format!("patients {} types {}", patients.join(","), names(types))
                }
                RowFilter::Nothing => "nothing".to_owned(),
            },
            Err(Refusal::Hidden) => "hidden".to_owned(),
            Err(Refusal::Forbidden { .. }) => "forbidden".to_owned(),
        }
    }

    fn names(types: &Types) -> String {
        match types {
            Types::All => "*".to_owned(),
            Types::Only(names) => names.iter().map(|n| &**n).collect::<Vec<_>>().join(","),
        }
    }

    #[test]
    fn matrix() {
        use Interaction::{
            Audit, Create, Delete, HistorySystem, Messages, Read, SearchType, Update,
        };
        for (scopes, patients, interaction, on, expected) in [
            ("system/*.rs", "", Read, Some("Patient"), "everything"),
            ("system/*.rs", "", SearchType, Some("Patient"), "everything"),
            ("system/*.rs", "", Create, Some("Patient"), "forbidden"),
            ("system/*.rs", "", HistorySystem, None, "everything"),
            ("system/*.cruds", "", Delete, Some("Patient"), "everything"),
            ("system/*.cruds", "", Messages, None, "forbidden"),
            ("system/*.cruds", "", Audit, None, "forbidden"),
            (
                "user/Observation.rs",
                "",
                Read,
                Some("Observation"),
                "types Observation",
            ),
            (
                "user/Observation.rs",
                "",
                Read,
                Some("Patient"),
                "forbidden",
            ),
            (
                "user/Observation.rs user/Patient.r",
                "",
                Read,
                Some("Patient"),
                "types Observation,Patient",
            ),
            (
                "user/Observation.rs user/Patient.r",
                "",
                SearchType,
                Some("Patient"),
                "forbidden",
            ),
            (
                "user/Observation.rs",
                "",
                HistorySystem,
                None,
                "types Observation",
            ),
            (
                "user/Observation.u",
                "",
                Update,
                Some("Observation"),
                "types Observation",
            ),
            (
                "patient/*.rs",
                "p1",
                SearchType,
                Some("Observation"),
                "patients p1 types *",
            ),
            (
                "patient/*.rs",
                "",
                SearchType,
                Some("Observation"),
                "hidden",
            ),
            (
                "patient/*.rs user/Practitioner.r",
                "p1",
                Read,
                Some("Practitioner"),
                "types Practitioner",
            ),
            ("", "", Read, Some("Patient"), "forbidden"),
        ] {
            let patients: Vec<&str> = patients.split_terminator(',').collect();
            let found = answer(&token(scopes, &patients), interaction, on);
            assert_eq!(found, expected, "{scopes} {interaction:?} {on:?}");
        }
    }

    #[test]
    fn the_administrator_may_do_everything() {
        let admin = Principal::Administrator {
            name: "zztest".to_owned(),
        };
        assert_eq!(answer(&admin, Interaction::Messages, None), "everything");
        let permit = decide(
            &admin,
            Action::system(Interaction::Audit),
            Purpose::Operations,
        )
        .unwrap();
        assert_eq!(
            (permit.actor(), permit.purpose()),
            ("user:zztest", Purpose::Operations)
        );
    }
}
