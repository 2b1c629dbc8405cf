//! Codes of the ledger in the words of a person.

use flow::Attention;

/// Why a message waits: the flow's code as a sentence, anything else as it stands.
pub(super) fn reason(code: &str) -> &str {
    match (Attention::parse(code), code) {
        (Some(known), _) => known.explain(),
        (None, "") => "No reason is given",
        (None, other) => other,
    }
}
