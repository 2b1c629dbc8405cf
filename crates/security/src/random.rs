//! Unguessable random text.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Returns `N_BYTES` from the operating system's generator as URL-safe text.
///
/// # Panics
/// Never: if the operating system has no randomness, nothing safe can be done, so the text is
/// empty, which no check in this crate accepts.
pub fn random_text<const N_BYTES: usize>() -> String {
    let mut bytes = [0_u8; N_BYTES];
    match getrandom::fill(&mut bytes) {
        Ok(()) => URL_SAFE_NO_PAD.encode(bytes),
        Err(_) => String::new(),
    }
}
