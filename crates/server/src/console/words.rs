//! Codes of the ledger in the words of a person.

/// Why a message waits: the flow's code as a sentence, anything else as it stands.
pub(super) fn reason(code: &str) -> &str {
    match code {
        "" => "no reason given",
        "no_message" => "The bytes are no HL7 v2 message",
        "no_message_type" => "MSH-9, the message type, is missing",
        "no_control_id" => "MSH-10, the control id, is missing",
        "no_processing_id" => "MSH-11, the processing id, is missing",
        "wrong_processing_id" => "MSH-11 is not one that this flow takes (training or debugging)",
        "no_map" => "No map takes this type and event",
        "unknown_version" => "No map takes this version of HL7",
        "map_failed" => "The map found nothing that it could apply",
        "chart_refused" => "The chart refused what the map made",
        "ambiguous" => "Two records claim what this message names",
        "merge_with_itself" => "A patient was to be merged with itself",
        "merge_circle" => "The merge would close a circle",
        "merge_unknown" => "The merge names a patient that nobody has told us of",
        "too_many_attempts" => "Tried as often as the flow allows",
        other => other,
    }
}
