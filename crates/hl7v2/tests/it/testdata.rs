//! `testdata/hl7v2`: a file under `ok` has no issue; one under `err` has the issue in its file
//! name.

use std::path::{Path, PathBuf};

use hl7v2::Message;

fn files(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/hl7v2")
        .join(folder);
    let mut found: Vec<PathBuf> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

fn issues(path: &Path) -> Vec<String> {
    let bytes = std::fs::read(path).unwrap();
    assert_eq!(hl7v2::fuzz::message(&bytes), Ok(()), "{}", path.display());
    let message = Message::from(&bytes[..]);
    let all = message.issues().iter().chain(message.structure().issues());
    all.map(|issue| format!("{:?} {}", issue.kind, issue.place))
        .collect()
}

#[test]
fn ok_files_have_no_issue() {
    for path in files("ok") {
        assert_eq!(issues(&path), [""; 0], "{}", path.display());
    }
}

#[test]
fn err_files_have_the_issue_of_their_name() {
    for path in files("err") {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let (_, expected) = name.split_once('.').unwrap();
        let found = issues(&path);
        let has_it = found.iter().any(|issue| issue.starts_with(expected));
        assert!(has_it, "{}: {found:?}", path.display());
    }
}
