//! Field anchors shared by raw text, parsed tree and lineage, so that one can highlight the other.

use hl7v2::{Message, Path};

/// Returns the anchor of a field on the page: `PID.1-5` is the fifth field of the first PID.
pub(super) fn key(segment: &str, occurrence: usize, field: usize) -> String {
    format!("{segment}.{occurrence}-{field}")
}

/// Returns the anchor of the field that a path leads to: `OBX[3]-5[1].2` gives `OBX.3-5`. A path
/// with groups needs the message and has no anchor without it.
pub(crate) fn anchor(path: &str, message: Option<&Message>) -> Option<String> {
    let path = Path::parse(path).ok()?;
    let field = path.field?.get() as usize;
    if path.groups.is_empty() {
        let occurrence = match path.segment.which {
            hl7v2::path::Which::At(n) => n.get() as usize,
            hl7v2::path::Which::Unspecified | hl7v2::path::Which::Each => 1,
        };
        return Some(key(&path.segment.name, occurrence, field));
    }
    let message = message?;
    let offset = message.get(&path)?.offset();
    let segment = message
        .segments()
        .rfind(|segment| segment.offset() <= offset)?;
    Some(key(segment.name(), segment.occurrence(), field))
}

/// Returns the address that opens a message at a field.
pub(crate) fn link_to_field(sequence: u64, source: &str) -> String {
    match anchor(source, None) {
        Some(anchor) => format!("/messages/{sequence}#f-{anchor}"),
        None => format!("/messages/{sequence}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_fields() {
        let message = Message::parse(
            &b"MSH|^~\\&|A|B|||20240101||ORU^R01^ORU_R01|1|P|2.5.1\rPID|1||7\rOBR|1|||1\rOBX|1|ST|a||x\rOBR|2|||2\rOBX|1|ST|b||y\r"[..],
        );
        for (path, expected) in [
            ("PID-5[1].1", Some("PID.1-5")),
            ("OBX[3]-5", Some("OBX.3-5")),
            ("ORDER_OBSERVATION[2].OBR-4.1", Some("OBR.2-4")),
            ("PID", None),
            ("no path", None),
        ] {
            assert_eq!(anchor(path, Some(&message)).as_deref(), expected, "{path}");
        }
        assert_eq!(link_to_field(7, "PID-3.1"), "/messages/7#f-PID.1-3");
    }
}
