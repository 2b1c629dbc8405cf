//! Numbered citations: a law or promise cited by number must have that number on its page.

use super::citations::{pages, sources};
use super::{Finding, read, shown};
use std::collections::BTreeSet;
use std::path::Path;

const LAWS: &str = "docs/reference/maps.md";
const PROMISES: &str = "docs/PROMISES.md";

/// Checks citations such as `law 2a`, `Laws 1, 2 and 4`, `promise 1`.
pub(super) fn cited(root: &Path) -> Result<Vec<Finding>, String> {
    let laws = numbered(&read(&root.join(LAWS))?, "## Laws");
    let promises = numbered(&read(&root.join(PROMISES))?, "# Promises");
    let mut findings = Vec::new();
    let mut all = pages(root)?;
    all.extend(sources(&root.join("crates"))?);
    for file in all {
        let text = read(&file)?.to_lowercase();
        for (word, known, page) in [("law", &laws, LAWS), ("promise", &promises, PROMISES)] {
            for (line, number) in citations(&text, word) {
                if !known.contains(&number) {
                    let file = shown(root, &file);
                    findings.push(format!(
                        "{file}:{line}: cites {word} {number}, which is not on {page}"
                    ));
                }
            }
        }
    }
    Ok(findings)
}

/// Returns the numbers below a heading: `1. **…`, `- **2a.** …` and `## 1. …`.
fn numbered(page: &str, heading: &str) -> BTreeSet<String> {
    page.lines()
        .skip_while(|line| *line != heading)
        .filter_map(|line| {
            let line = line.trim_start_matches(['#', '-', '*', ' ']);
            let (number, _) = line.split_once('.')?;
            is_number(number).then(|| number.to_owned())
        })
        .collect()
}

/// Returns each number after the word, in lists too, with its line.
fn citations(text: &str, word: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let plural = format!("{word}s");
    for (at, line) in text.lines().enumerate() {
        let mut words = line.split_whitespace().peekable();
        while let Some(part) = words.next() {
            // A colon after the word marks a field of that name.
            let part = part.trim_start_matches(|c: char| !c.is_alphanumeric());
            if part != word && part != plural {
                continue;
            }
            while let Some(number) = words.next_if(|next| is_number(bare(next)) || *next == "and") {
                if is_number(bare(number)) {
                    found.push((at + 1, bare(number).to_owned()));
                }
                if part == word {
                    break;
                }
            }
        }
    }
    found
}

/// Removes the punctuation around a word.
fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric())
}

/// Returns true for numbers such as `4` or `2a`.
fn is_number(text: &str) -> bool {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_lowercase());
    !digits.is_empty()
        && text.len() <= digits.len() + 1
        && digits.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_page() {
        let page = "1. no\n## Laws\n1. **A.** x\n   - **2a.** y\nno. 3\n## 7. Z\n";
        let numbers: Vec<String> = numbered(page, "## Laws").into_iter().collect();
        assert_eq!(numbers, ["1", "2a", "7"]);
    }

    #[test]
    fn numbers_that_are_cited() {
        let text =
            "see law 2a, and 9 others\nlaws 1, 2 and 4 (page 3)\nin-laws of 5\npromise: 3, law: 7";
        let found: Vec<(usize, String)> = citations(text, "law");
        let found: Vec<(usize, &str)> = found.iter().map(|(at, n)| (*at, n.as_str())).collect();
        assert_eq!(found, [(1, "2a"), (2, "1"), (2, "2"), (2, "4")]);
    }
}
