//! Codes of the ledger in the words of a person.

use flow::{Attention, attention};

/// Why a message waits: the flow's code as a sentence, anything else as it stands.
pub(super) fn reason(text: &str) -> &str {
    match (Attention::parse(kind(text)), text) {
        (Some(known), _) => known.explain(),
        (None, "") => "No reason is given",
        (None, other) => other,
    }
}

/// What messages that wait for one reason have in common: the reason's code without the places in
/// the message.
pub(super) fn kind(text: &str) -> &str {
    match attention::read(text).first() {
        Some(first) => first.reason.code(),
        None => text,
    }
}
