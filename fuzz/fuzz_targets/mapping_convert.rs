#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| assert_eq!(mapping::fuzz::convert(bytes), Ok(())));
