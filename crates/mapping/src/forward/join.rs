//! Joins the words of several places into one text: `RXE-2.2 + (RXE-25 RXE-26) ->
//! medicationCodeableConcept.text : words`.
//!
//! A group is omitted if its first field is empty: a unit without its number says nothing. A phrase
//! that the text already contains is not repeated, so that `Metformin 500 MG` stays unchanged
//! beside a strength of 500 MG.

use super::Run;
use super::build::{Build, put};
use super::cell::Cell;
use super::scope::Scope;
use crate::program::{Convert, MapRow, Piece, Source};
use fhir::build::Value;

/// The parts of a coded field that name it: code, text and system, and the original text.
const NAMING: u64 = 0b1_0000_0111;

/// The cells that were read, and whether each has no parts.
type Read<'m> = Vec<(Cell<'m>, bool)>;

// === impl Run ===

impl<'m> Run<'_, 'm> {
    /// Runs the row and returns whether something was set and whether something was deleted.
    pub(super) fn join_row(
        &mut self,
        row: &MapRow,
        scope: &Scope<'_, 'm>,
        build: &mut Build,
        here: &mut Value,
    ) -> (bool, bool) {
        if row
            .when
            .as_ref()
            .is_some_and(|when| !scope.holds(when, None))
        {
            return (false, false);
        }
        let separator = if row.convert == Convert::Lines {
            "\n"
        } else {
            " "
        };
        let mut text = String::new();
        let mut read = Vec::new();
        for group in &row.joined {
            for phrase in phrases(group, scope, &mut read) {
                if says(&text, &phrase) {
                    continue;
                }
                if !text.is_empty() {
                    text.push_str(separator);
                }
                text.push_str(&phrase);
            }
        }
        for (cell, whole) in &read {
            self.accounts.mapped(cell.origin, row.id);
            if *whole && cell.origin.is_field() && cell.is_divided(scope.reading) {
                self.joined(row, *cell, scope.reading);
            } else if *whole || !cell.origin.is_field() {
                self.accounts.all_taken(*cell);
            } else {
                self.accounts.taken(*cell, NAMING, scope.reading);
            }
        }
        if text.is_empty() {
            return (false, read.iter().any(|(cell, _)| cell.is_null()));
        }
        let before = build.trail.len();
        build.walk(here, &row.target.hops);
        let done = put(here, &row.target, Value::from(text)).is_ok();
        for (cell, _) in read.iter().filter(|_| done) {
            build.trace(cell.origin, row.id, cell.span(self.message));
        }
        build.trail.truncate(before);
        (done, false)
    }
}

/// Returns the phrases of a group: one, or one for each repeat if the group is only a field with
/// all its repeats.
fn phrases<'m>(group: &[Piece], scope: &Scope<'_, 'm>, read: &mut Read<'m>) -> Vec<String> {
    if let [Piece::Source { source, whole }] = group {
        return words_of((*source, *whole), scope, read);
    }
    let mut phrase = String::new();
    let mut pending: Option<&str> = None;
    let mut is_first = true;
    for piece in group {
        let source = match piece {
            Piece::Text(text) => {
                pending = Some(text);
                continue;
            }
            Piece::Source { source, whole } => (*source, *whole),
        };
        let words = words_of(source, scope, read).join(" ");
        if words.is_empty() && is_first {
            return Vec::new();
        }
        is_first = false;
        if words.is_empty() {
            continue;
        }
        for word in pending.take().into_iter().chain([words.as_str()]) {
            if !phrase.is_empty() {
                phrase.push(' ');
            }
            phrase.push_str(word);
        }
    }
    vec![phrase]
}

/// Returns the words of each non-empty value of a source.
fn words_of<'m>(
    (source, whole): (Source, bool),
    scope: &Scope<'_, 'm>,
    read: &mut Read<'m>,
) -> Vec<String> {
    let mut found = Vec::new();
    for cell in scope.cells(source) {
        if cell.is_empty(scope.reading) {
            continue;
        }
        let whole = whole || !cell.origin.is_field();
        read.push((cell, whole));
        if cell.is_null() {
            continue;
        }
        let words = if whole {
            cell.joined(scope.reading).trim().to_owned()
        } else {
            crate::values::phone::name(cell, scope.reading)
        };
        if !words.is_empty() {
            found.push(words);
        }
    }
    found
}

/// Returns whether the text already contains the phrase, ignoring case and blanks. `25 MG` and `5
/// MGX` do not contain `5 MG`.
fn says(text: &str, phrase: &str) -> bool {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let sought = phrase.to_lowercase();
    let sought: Vec<char> = sought.chars().filter(|ch| !ch.is_whitespace()).collect();
    let (Some(first), Some(last)) = (sought.first(), sought.last()) else {
        return true;
    };
    (0..text.len()).any(|from| {
        let Some(end) = matched(&text, from, &sought) else {
            return false;
        };
        let before = from.checked_sub(1).and_then(|at| text.get(at));
        before.is_none_or(|before| begins_apart(*before, *first))
            && ends_apart(*last, text.get(end..).unwrap_or_default())
    })
}

/// Returns the end of the match that begins at `from`; blanks inside are skipped.
fn matched(text: &[char], from: usize, sought: &[char]) -> Option<usize> {
    let mut at = from;
    for wanted in sought {
        while from < at && text.get(at)?.is_whitespace() {
            at += 1;
        }
        if text.get(at)? != wanted {
            return None;
        }
        at += 1;
    }
    Some(at)
}

/// Returns whether the match is not the tail of a longer number or word.
fn begins_apart(before: char, first: char) -> bool {
    if first.is_numeric() {
        !before.is_numeric() && !matches!(before, '.' | ',' | '/' | '-')
    } else {
        !before.is_alphabetic()
    }
}

/// Returns whether no number, word or "per …" continues after the match.
fn ends_apart(last: char, after: &[char]) -> bool {
    let (Some(next), then) = (after.first(), after.get(1)) else {
        return true;
    };
    if last.is_numeric() {
        let joins = matches!(next, '.' | ',' | '/' | '-');
        let goes_on = joins && then.is_some_and(|ch| ch.is_numeric());
        return !(next.is_numeric() || goes_on);
    }
    !next.is_alphabetic() && *next != '/'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_already() {
        for (text, phrase) in [
            ("Metformin 500 MG", "500 MG"),
            ("aspirin 81 mg", "81 mg"),
            ("Warfarin 5mg tablet", "5 MG"),
            ("Take with food", "take  with food"),
            ("x", ""),
        ] {
            assert!(says(text, phrase), "{text}: {phrase}");
        }
        for (text, phrase) in [
            ("Warfarin 25 MG", "5 MG"),
            ("Warfarin 1.5 MG", "5 MG"),
            ("Warfarin 5 MGX", "5 MG"),
            ("Amoxicillin 250 MG/5 ML", "250 MG"),
            ("Warfarin", "5 MG"),
            ("1/2 TAB", "2 TAB"),
            ("5.5", "5"),
            ("", "5"),
        ] {
            assert!(!says(text, phrase), "{text}: {phrase}");
        }
    }
}
