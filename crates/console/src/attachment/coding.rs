//! Binary data encoded as text: HL7 v2 table 0299, and FHIR's base64Binary.

/// Decodes by table 0299: `Base64`, `Hex`, or `A` for plain text.
pub(crate) fn decode(encoding: &str, text: &str) -> Vec<u8> {
    match encoding.to_ascii_lowercase().as_str() {
        "base64" => base64(text),
        "hex" => hex(text),
        _ => text.as_bytes().to_vec(),
    }
}

/// Decodes the standard alphabet, ignoring white space, and stops at the first invalid character.
pub(crate) fn base64(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut n_bits) = (0_u32, 0_u32);
    for byte in text.bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            _ => break,
        };
        bits = bits << 6 | u32::from(digit);
        n_bits += 6;
        if 8 <= n_bits {
            n_bits -= 8;
            bytes.push((bits >> n_bits & 0xff) as u8);
        }
    }
    bytes
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|c| c.to_digit(16))
        .filter_map(|digit| u8::try_from(digit).ok())
        .collect();
    digits
        .chunks_exact(2)
        .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_table_0299_has_them() {
        for (encoding, text, bytes) in [
            ("Base64", "", ""),
            ("Base64", "Zg==", "f"),
            ("Base64", "Zm8=", "fo"),
            ("base64", "Zm9v\nYmFy", "foobar"),
            ("Base64", "Zm9v!", "foo"),
            ("Hex", "666F 6f", "foo"),
            ("A", "foo", "foo"),
            ("", "foo", "foo"),
        ] {
            assert_eq!(
                decode(encoding, text),
                bytes.as_bytes(),
                "{encoding} {text}"
            );
        }
    }
}
