//! Entry points for the fuzzer and for an ordinary test with seeded mutations. The properties hold
//! for any bytes.

use crate::{MapSet, Source, Target};
use hl7v2::Message;

/// Reads the bytes as a map file beside the built-in ones: this must neither panic nor run without
/// bound, and every finding must print. If the map is accepted, converts a message with it.
pub fn map(bytes: &[u8], message: &Message) {
    let text = String::from_utf8_lossy(bytes);
    match MapSet::with([("fuzz.map", text.as_ref())]) {
        Ok(maps) => {
            let dialect = maps.dialects().next().map(str::to_owned);
            let source = Source {
                dialect,
                ..Source::default()
            };
            drop(maps.forward(message, &source).bundle().to_bytes());
        }
        Err(found) => found.iter().for_each(|one| drop(one.to_string())),
    }
}

/// Converts any message to FHIR and back. Returns an `Err` that names the broken law.
pub fn convert(bytes: &[u8]) -> Result<(), &'static str> {
    let message = Message::from(bytes);
    let maps = MapSet::builtin();
    let source = Source::default();
    let conversion = maps.forward(&message, &source);
    let bundle = conversion.bundle();
    let again = maps.forward(&message, &source).bundle();
    if bundle.to_bytes() != again.to_bytes() {
        return Err("the same message under the same map gives the same resources");
    }
    if bundle.to_document().is_err() {
        return Err("what is made is JSON");
    }
    // A structure without a map returns an error.
    drop(maps.back(&bundle, conversion.structure, &Target::default()));
    Ok(())
}
