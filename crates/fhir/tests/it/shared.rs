//! Reading the packages of the shared test data.

use std::io::Read;

/// Returns a gzipped file's contents.
pub(crate) fn gunzip(path: &std::path::Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).unwrap();
    flate2::read::GzDecoder::new(file)
        .read_to_end(&mut bytes)
        .unwrap();
    bytes
}

/// Returns the names and contents of the files in a tar.
pub(crate) fn files(tar: &[u8]) -> Vec<(String, &[u8])> {
    let mut files = Vec::new();
    let mut at = 0;
    while at + 512 <= tar.len() && tar[at] != 0 {
        let text = |from: usize, n: usize| {
            let field = &tar[at + from..at + from + n];
            let end = field.iter().position(|&b| b == 0).unwrap_or(n);
            String::from_utf8_lossy(&field[..end]).trim().to_owned()
        };
        let size = usize::from_str_radix(&text(124, 12), 8).unwrap();
        files.push((text(0, 100), &tar[at + 512..at + 512 + size]));
        at += 512 + size.next_multiple_of(512);
    }
    files
}
