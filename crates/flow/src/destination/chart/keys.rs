//! Business keys as stored in the chart.
//!
//! Invariants:
//! - a key includes the owner of the record: `scope|authority`, so that two sources that give one
//!   number to two records do not overwrite each other;
//! - the key in the *common* scope is claimed by the first record that has a number of a known
//!   authority; drafts that only link find it there.
//!
//! ```text
//! system            kind            value
//! adt|urn:oid:1.2   Patient         123        the record that flow `adt` keeps
//! *|urn:oid:1.2     Patient         123        the target for `only links` in any flow
//! adt|              Encounter.visit V7|in Patient/9f…
//! adt|              Encounter.visit |in Patient/9f…    the open visit, where none has a number
//! adt|              Encounter.!account  7c…    an account number stands for that visit's number
//! !owner            Patient         9f…        it has an owner: no other source adopts it
//! ```

use crate::topology::{FlowConfig, RecordScope};
use hl7v2::Message;
use mapping::Names;
use store::chart::BusinessKey;

/// Scope that all sources share.
const COMMON: &str = "*";

/// Resource types of another source's records to which a message may refer: a laboratory mentions a
/// clinic's patient, visit and order.
const SHARED: [&str; 3] = ["Patient", "Encounter", "ServiceRequest"];

/// Returns the scope that owns the records in the message.
pub(super) fn scope_of(flow: &FlowConfig, message: &Message) -> String {
    match flow.map.records {
        RecordScope::Flow => flow.name.clone(),
        RecordScope::Facility => format!("{}/{}", flow.name, message.header(4, 1)),
        RecordScope::Application => {
            format!(
                "{}/{}/{}",
                flow.name,
                message.header(4, 1),
                message.header(3, 1)
            )
        }
    }
}

/// Selects the numbers by which a Patient is found: the source's record numbers; if there are none,
/// numbers that identify the person everywhere; if there are none of these, numbers of a type of
/// its own.
pub(super) fn naming(keys: &[mapping::BusinessKey]) -> Vec<mapping::BusinessKey> {
    let of = |wanted: Names| -> Vec<mapping::BusinessKey> {
        let keys = keys.iter().filter(|key| key.names == wanted);
        keys.cloned().collect()
    };
    [Names::Record, Names::Person, Names::Local]
        .into_iter()
        .map(of)
        .find(|named| !named.is_empty())
        .unwrap_or_default()
}

/// Returns the key in one source's scope.
pub(super) fn own(
    scope: &str,
    resource_type: &str,
    key: &mapping::BusinessKey,
    within: Option<&str>,
) -> BusinessKey {
    let value = match within {
        Some(within) => format!("{}|in {within}", key.value),
        None => key.value.clone(),
    };
    // Senders omit the type of a record number at will: MRG-1 without it means PID-3 with it.
    // Authority and number suffice.
    let by_type = resource_type != "Patient" || key.names == Names::Person;
    let kind = if by_type {
        format!("{resource_type}.{}", key.kind)
    } else {
        resource_type.to_owned()
    };
    BusinessKey {
        system: format!("{scope}|{}", key.authority),
        kind,
        value,
    }
}

/// Returns the key in the common scope; none where the authority of the number is unknown.
pub(super) fn common(resource_type: &str, key: &mapping::BusinessKey) -> Option<BusinessKey> {
    let shared =
        SHARED.contains(&resource_type) && !key.authority.is_empty() && key.within.is_none();
    shared.then(|| own(COMMON, resource_type, key, None))
}

/// Returns the key that marks a resource as owned by a source.
pub(super) fn owner(resource_type: &str, id: &str) -> BusinessKey {
    BusinessKey {
        system: "!owner".to_owned(),
        kind: resource_type.to_owned(),
        value: id.to_owned(),
    }
}

/// Returns the key that marks a visit identified by an account number.
pub(super) fn account(scope: &str, visit: &str) -> BusinessKey {
    BusinessKey {
        system: format!("{scope}|"),
        kind: "Encounter.!account".to_owned(),
        value: visit.to_owned(),
    }
}

/// Returns true where resources of the type have an owner.
pub(super) fn has_owner(resource_type: &str) -> bool {
    SHARED.contains(&resource_type)
}

/// Returns a key for a resource that no field identifies: its content, within its source.
pub(super) fn content(scope: &str, resource_type: &str, body: &[u8]) -> BusinessKey {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(body);
    let value = hex(digest.get(..16).unwrap_or_default());
    BusinessKey {
        system: format!("{scope}|"),
        kind: format!("{resource_type}.content"),
        value,
    }
}

/// Formats bytes in lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing into a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
