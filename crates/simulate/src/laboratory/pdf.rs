//! A one-page document: the smallest PDF (ISO 32000-1) that every reader opens.

use std::fmt::Write as _;

/// Builds a page with these lines, in ASCII.
pub(super) fn document(lines: &[String]) -> Vec<u8> {
    let mut content = String::from("BT /F1 12 Tf 72 720 Td 16 TL\n");
    for line in lines {
        let _ = writeln!(content, "({}) Tj T*", escape(line));
    }
    content.push_str("ET");
    let page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R \
                /Resources << /Font << /F1 5 0 R >> >> >>";
    let stream = format!(
        "<< /Length {} >>\nstream\n{content}\nendstream",
        content.len()
    );
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        page,
        &stream,
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ];
    let mut out = String::from("%PDF-1.4\n");
    let mut table = String::from("0000000000 65535 f \n");
    for (idx, object) in objects.iter().enumerate() {
        let _ = writeln!(table, "{:010} 00000 n ", out.len());
        let _ = write!(out, "{} 0 obj\n{object}\nendobj\n", idx + 1);
    }
    let (at, n) = (out.len(), objects.len() + 1);
    let _ = write!(
        out,
        "xref\n0 {n}\n{table}trailer\n<< /Size {n} /Root 1 0 R >>\nstartxref\n{at}\n%%EOF\n"
    );
    out.into_bytes()
}

fn escape(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '(' => "\\(".to_owned(),
            ')' => "\\)".to_owned(),
            '\\' => "\\\\".to_owned(),
            c if c.is_ascii_graphic() || c == ' ' => c.to_string(),
            _ => "?".to_owned(),
        })
        .collect()
}

/// Encodes base64 (RFC 4648, section 4).
pub(super) fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_points_at_the_objects() {
        let bytes = document(&["A (test) line".to_owned(), "é".to_owned()]);
        let text = String::from_utf8(bytes).unwrap();
        let start: usize = text
            .split("startxref\n")
            .nth(1)
            .unwrap()
            .lines()
            .next()
            .unwrap()
            .parse()
            .unwrap();
        assert!(text[start..].starts_with("xref\n0 6\n"));
        for (idx, row) in text[start..].lines().skip(3).take(5).enumerate() {
            assert_eq!(row.len(), 19, "an entry is 20 bytes with its line feed");
            let at: usize = row[..10].parse().unwrap();
            assert!(text[at..].starts_with(&format!("{} 0 obj", idx + 1)));
        }
        assert!(text.contains("(A \\(test\\) line) Tj"));
    }
}
