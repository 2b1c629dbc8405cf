//! Codes of the ledger in plain words.

use flow::{Attention, attention};

/// Returns the reason why a message waits: a flow's code as a sentence, anything else unchanged.
pub(super) fn reason(text: &str) -> &str {
    match (Attention::parse(kind(text)), text) {
        (Some(known), _) => known.explain(),
        (None, "") => "No reason is given",
        (None, other) => other,
    }
}

/// Returns what messages that wait for one reason have in common: the reason's code, without
/// locations in the message.
pub(super) fn kind(text: &str) -> &str {
    match attention::read(text).first() {
        Some(first) => first.reason.code(),
        None => text,
    }
}
