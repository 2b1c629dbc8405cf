//! Citations: every cited file and item must exist.
//!
//! Invariants:
//! - a file that a page or a module header cites is in the tree: the target of a link, and a path in
//!   backticks; `*` and `{a,b}` are expanded;
//! - an item that a page cites as `krate::path::Item` is defined in that crate's sources;
//! - text that is not one of our paths is ignored: addresses, MIME types, files of a data directory
//!   or of a site, and placeholders (a part in capitals, `<name>`, `$VARIABLE`).

use super::tree::Tree;
use super::{Finding, files, read, shown};
use std::path::{Path, PathBuf};

/// Checks that pages and module headers cite files that exist.
pub(super) fn paths(root: &Path) -> Result<Vec<Finding>, String> {
    let tree = Tree::read(root)?;
    let mut findings = Vec::new();
    for page in pages(root)? {
        let text = read(&page)?;
        let folder = page.parent().unwrap_or(root);
        for (line, word) in words(&text) {
            if !tree.has(&word, &[folder]) {
                findings.push(missing(root, &page, line, &word));
            }
        }
        for (line, target) in links(&text) {
            if !folder.join(&target).exists() {
                findings.push(missing(root, &page, line, &target));
            }
        }
        for (line, span) in spans(&text) {
            if !tree.has(&span, &[folder]) {
                findings.push(missing(root, &page, line, &span));
            }
        }
    }
    for source in [
        sources(&root.join("crates"))?,
        sources(&root.join("xtask"))?,
    ]
    .concat()
    {
        let header = header(&read(&source)?);
        let bases: Vec<&Path> = source
            .ancestors()
            .skip(1)
            .take_while(|folder| *folder != root)
            .collect();
        for (line, span) in spans(&header).into_iter().chain(words(&header)) {
            if !tree.has(&span, &bases) {
                findings.push(missing(root, &source, line, &span));
            }
        }
    }
    Ok(findings)
}

/// Checks that items cited with their crate are defined there.
pub(super) fn items(root: &Path) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    for page in pages(root)? {
        for (line, span) in spans(&read(&page)?) {
            let Some((krate, path)) = span.split_once("::") else {
                continue;
            };
            let crate_folder = root.join("crates").join(krate);
            if !crate_folder.is_dir() || !span.chars().all(is_path_of_item) {
                continue;
            }
            let mut code = String::new();
            for source in files(&crate_folder.join("src"), &[".rs"])? {
                code.push_str(&read(&source)?);
            }
            let unknown = path.split("::").find(|name| !defines(&code, name));
            if let Some(unknown) = unknown {
                findings.push(format!(
                    "{}:{line}: cites `{span}`, but crate `{krate}` defines no `{unknown}`; name what is there",
                    shown(root, &page)
                ));
            }
        }
    }
    Ok(findings)
}

fn missing(root: &Path, file: &Path, line: usize, cited: &str) -> Finding {
    format!(
        "{}:{line}: cites `{cited}`, which is not in the repository; name the file that is",
        shown(root, file)
    )
}

/// Returns the pages people read: those at the root that describe the current state, `docs/` and
/// the templates.
pub(super) fn pages(root: &Path) -> Result<Vec<PathBuf>, String> {
    let mut pages: Vec<PathBuf> = ["README.md", "CONTRIBUTING.md", "RELEASING.md"]
        .iter()
        .map(|name| root.join(name))
        .filter(|page| page.is_file())
        .collect();
    for folder in ["docs", ".github"] {
        pages.extend(files(&root.join(folder), &[".md"])?);
    }
    Ok(pages)
}

/// Returns every source below a folder.
pub(super) fn sources(folder: &Path) -> Result<Vec<PathBuf>, String> {
    files(folder, &[".rs"])
}

/// Returns the lines of a module header, each at its own line number.
fn header(source: &str) -> String {
    let lines = source.lines().take_while(|line| line.starts_with("//!"));
    lines
        .map(|line| line.trim_start_matches("//!"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Returns each text in backticks outside of code blocks, with its line.
pub(super) fn spans(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut in_block = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            let inside = line.split('`').skip(1).step_by(2);
            found.extend(inside.map(|span| (at + 1, span.to_owned())));
        }
    }
    found
}

/// Returns each word outside of backticks and links that is the name of a page, with its line.
fn words(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let without_links: String = line
            .split("](")
            .enumerate()
            .map(|(at, part)| match at {
                0 => part,
                _ => part.split_once(')').map_or("", |(_, rest)| rest),
            })
            .collect();
        for prose in without_links.split('`').step_by(2) {
            let words = prose.split(|c: char| c.is_whitespace() || "()[],;:*#\"'".contains(c));
            let pages = words
                .map(|word| word.trim_end_matches('.'))
                .filter(|word| word.strip_suffix(".md").is_some() && !word.contains("//"));
            found.extend(pages.map(|page| (at + 1, page.to_owned())));
        }
    }
    found
}

/// Returns the target of each Markdown link to a file, with its line.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        for rest in line.split("](").skip(1) {
            let target = rest.split([')', '#']).next().unwrap_or("");
            if !target.is_empty() && !target.contains(':') {
                found.push((at + 1, target.to_owned()));
            }
        }
    }
    found
}

fn is_path_of_item(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// Returns true where the code defines the name: as an item, a file's module, a variant or a
/// function.
fn defines(code: &str, name: &str) -> bool {
    let kinds = [
        "mod",
        "fn",
        "struct",
        "enum",
        "trait",
        "type",
        "const",
        "static",
        "macro_rules!",
    ];
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    code.lines().any(|line| {
        let line = line.trim_start();
        let as_variant = name.starts_with(char::is_uppercase)
            && line
                .strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with([',', '(', ' ']));
        let as_item = line.match_indices(name).any(|(at, _)| {
            let before = line.get(..at).unwrap_or("").trim_end();
            let last = before.rsplit(' ').next().unwrap_or("");
            kinds.contains(&last) && line.get(at + name.len()..).is_some_and(ends)
        });
        as_item || as_variant
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cited_item_is_defined() {
        let code = "pub(crate) struct Maps<T>(T);\nmod join;\nenum A {\n    Held,\n}\n    pub async fn run(\n// fn gone\nuse b::Other;";
        for name in ["Maps", "join", "Held", "run"] {
            assert!(defines(code, name), "{name}");
        }
        for name in ["Map", "Other", "held", "joi"] {
            assert!(!defines(code, name), "{name}");
        }
    }

    #[test]
    fn spans_and_links_have_their_lines() {
        let page = "a `b/c.rs`\n```\n`not this`\n```\n[x](../y.md#z) [w](https://a.b/c.md) `d`";
        let expected = vec![(1, "b/c.rs".to_owned()), (5, "d".to_owned())];
        assert_eq!(spans(page), expected);
        assert_eq!(
            words("see DESIGN.md, or `b.md`"),
            [(1, "DESIGN.md".to_owned())]
        );
        assert_eq!(links(page), [(5, "../y.md".to_owned())]);
    }
}
