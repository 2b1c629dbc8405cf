#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| assert_eq!(hl7v2::fuzz::batch(bytes), Ok(())));
