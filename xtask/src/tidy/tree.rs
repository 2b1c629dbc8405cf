//! The tree of files: decides if cited text is one of its paths, and if the path exists.
//!
//! Invariant: text that is not one of our paths is ignored: addresses, MIME types, scopes, files of
//! a data directory or of a site, and placeholders.

use super::{files, shown};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Endings that only files of the tree have; text with another ending is recognized by its first
/// part.
const OUR_ENDINGS: [&str; 2] = [".rs", ".md"];

/// Contents of a crate's folder.
const IN_CRATE: [&str; 4] = ["src", "tests", "benches", "Cargo.toml"];

/// First parts of SMART scopes such as `system/*.rs`.
const SCOPES: [&str; 3] = ["patient", "user", "system"];

/// Folders that a build or a run creates.
const MADE: [&str; 1] = ["target/"];

/// The files and folders of the tree.
pub(super) struct Tree {
    root: PathBuf,
    paths: BTreeSet<String>,
    /// First parts by which a path is recognized as ours.
    tops: BTreeSet<String>,
    /// First parts that also name folders elsewhere: `security/token.key` is in a data directory.
    crates: BTreeSet<String>,
}

// === impl Tree ===

impl Tree {
    /// Reads the tree below the root.
    pub(super) fn read(root: &Path) -> Result<Self, String> {
        let mut paths = BTreeSet::new();
        for file in files(root, &[""])? {
            for path in file.ancestors().take_while(|path| *path != root) {
                paths.insert(shown(root, path));
            }
        }
        let first = |path: &String| path.split('/').next().unwrap_or("").to_owned();
        let tops: BTreeSet<String> = paths.iter().map(first).collect();
        let below = paths.iter().filter_map(|path| path.strip_prefix("crates/"));
        let crates = below.map(|path| first(&path.to_owned())).collect();
        Ok(Self {
            root: root.to_owned(),
            paths,
            tops,
            crates,
        })
    }

    /// Returns true where the span is not one of our paths, or exists: from the root, from
    /// `crates/`, or from one of `bases`.
    pub(super) fn has(&self, span: &str, bases: &[&Path]) -> bool {
        if !self.is_ours(span) {
            return true;
        }
        let mut prefixes = vec![String::new(), "crates/".to_owned()];
        prefixes.extend(bases.iter().map(|b| format!("{}/", shown(&self.root, b))));
        expanded(span).iter().all(|path| {
            if self.root.join(path).exists() {
                return true;
            }
            let path = path.trim_end_matches('/');
            let bare = !path.contains('/');
            self.paths.iter().any(|known| {
                // A bare name such as `config.rs` may be in any folder.
                (bare && matches(path, known.rsplit('/').next().unwrap_or("")))
                    || prefixes
                        .iter()
                        .any(|prefix| matches(&format!("{prefix}{path}"), known))
            })
        })
    }

    fn is_ours(&self, span: &str) -> bool {
        let is_path = span
            .chars()
            .all(|c| c.is_alphanumeric() || "_-./*{},".contains(c));
        let placeholder = span.split('/').any(is_placeholder);
        if !is_path || placeholder || MADE.iter().any(|made| span.starts_with(made)) {
            return false;
        }
        let Some((first, rest)) = span.split_once('/') else {
            return 3 < span.len() && OUR_ENDINGS.iter().any(|ending| span.ends_with(ending));
        };
        if SCOPES.contains(&first) {
            return false;
        }
        let inside = rest.split('/').next().unwrap_or("");
        let by_name = self.tops.contains(first) && !rest.is_empty();
        let of_crate = self.crates.contains(first) && IN_CRATE.contains(&inside);
        first == ".."
            || by_name
            || of_crate
            || OUR_ENDINGS.iter().any(|ending| span.ends_with(ending))
    }
}

/// Returns true for placeholders: `NAME` and `NAME.rs` stand for a name to be chosen; pages such as
/// `README.md` have capitals too.
fn is_placeholder(part: &str) -> bool {
    let stem = match part.split_once('.') {
        Some((stem, ending)) if ending != "md" => stem,
        _ => part,
    };
    !stem.is_empty() && stem.chars().all(|c| c.is_ascii_uppercase())
}

/// Expands `a/{b,c}` to `a/b` and `a/c`.
fn expanded(span: &str) -> Vec<String> {
    let parts = span
        .split_once('{')
        .and_then(|(before, rest)| Some((before, rest.split_once('}')?)));
    let Some((before, (choices, after))) = parts else {
        return vec![span.to_owned()];
    };
    let choices = choices.split(',');
    choices
        .flat_map(|choice| expanded(&format!("{before}{choice}{after}")))
        .collect()
}

/// Returns true where the pattern, in which `*` is any text within one part, matches this path.
fn matches(pattern: &str, path: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else {
        return pattern == path;
    };
    let Some(rest) = path.strip_prefix(before) else {
        return false;
    };
    let end = rest.find('/').unwrap_or(rest.len());
    rest.char_indices()
        .map(|(at, _)| at)
        .chain([rest.len()])
        .take_while(|at| *at <= end)
        .any(|at| rest.get(at..).is_some_and(|tail| matches(after, tail)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        let all = [
            "docs",
            "docs/A.md",
            "crates",
            "crates/flow",
            "crates/flow/src",
            "crates/flow/src/maps.rs",
            "crates/flow/src/step",
            "maps",
            "maps/v2",
            "maps/v2/pid.map",
        ];
        let names = |all: &[&str]| all.iter().map(|p| (*p).to_owned()).collect();
        Tree {
            root: PathBuf::from("/r"),
            paths: names(&all),
            tops: names(&["docs", "crates", "maps"]),
            crates: names(&["flow", "security"]),
        }
    }

    #[track_caller]
    fn check(span: &str, expected: bool) {
        assert_eq!(
            tree().has(span, &[Path::new("/r/docs")]),
            expected,
            "{span}"
        );
    }

    #[test]
    fn a_cited_path_exists() {
        for there in [
            "docs/A.md",
            "A.md",
            "flow/src/maps.rs",
            "crates/flow/src/{maps.rs,step}",
            "maps/v2/*.map",
            "maps.rs",
        ] {
            check(there, true);
        }
        for gone in [
            "docs/B.md",
            "DESIGN.md",
            "flow/src/gone.rs",
            "crates/flow/src/{maps.rs,gone}",
            "maps/*.map",
            "../shared/x",
        ] {
            check(gone, false);
        }
        for no_path in [
            "text/html",
            "/fhir/metadata",
            "security/token.key",
            "flow/",
            "docs/NAME/x",
            "flow/src/NAME.rs",
            "a b.rs",
            "target/debug",
            "$X/a.md",
        ] {
            check(no_path, true);
        }
    }
}
