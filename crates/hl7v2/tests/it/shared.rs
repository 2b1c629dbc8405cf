//! Third-party messages: the HL7 v2 files beside the checkout.

use std::path::{Path, PathBuf};

use hl7v2::Message;

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "hl7") {
            found.push(path);
        }
    }
}

#[test]
fn each_file_has_its_structure_and_keeps_its_bytes() {
    let test = "each_file_has_its_structure_and_keeps_its_bytes";
    let Some(folder) = testkit::shared(test, "hl7v2-pairs") else {
        return;
    };
    let mut found = Vec::new();
    files(&folder, &mut found);
    assert!(!found.is_empty());
    for path in &found {
        let bytes = std::fs::read(path).unwrap();
        assert_eq!(hl7v2::fuzz::message(&bytes), Ok(()), "{}", path.display());
        let message = Message::from(&bytes[..]);
        assert!(!message.structure().name().is_empty(), "{}", path.display());
    }
}
