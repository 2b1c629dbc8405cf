#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mapping::fuzz::map(bytes, &hl7v2::Message::parse("MSH|^~\\&|A|B|||2026||ADT^A01|1|P|2.5.1\rPID|1||1^^^H")));
