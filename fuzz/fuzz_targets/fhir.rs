#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| assert!(fhir::fuzz::fuzz(bytes)));
