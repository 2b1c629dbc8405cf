//! Laws over arbitrary bytes.

use proptest::prelude::*;

proptest! {
    #[test]
    fn any_bytes_are_a_message(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert_eq!(hl7v2::fuzz::message(&bytes), Ok(()));
    }
}
