//! Reads one line from left to right.

use crate::diagnostic::Spot;

/// The position at which a line could not be parsed further, and the reason.
#[derive(Clone, Debug)]
pub(crate) struct SyntaxError {
    pub(crate) spot: Spot,
    pub(crate) message: String,
    pub(crate) remedy: Option<String>,
}

/// The result of parsing.
pub(crate) type Parsed<T> = Result<T, SyntaxError>;

/// A position in a line.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    first_column: u32,
}

// === impl Cursor ===

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str, line: u32, first_column: u32) -> Self {
        Self {
            text,
            at: 0,
            line,
            first_column,
        }
    }

    /// Returns the position of the next token.
    pub(crate) fn spot(&mut self) -> Spot {
        self.skip_space();
        Spot {
            line: self.line,
            column: self.first_column + self.at as u32,
        }
    }

    pub(crate) fn error<T>(&mut self, message: impl Into<String>) -> Parsed<T> {
        Err(SyntaxError {
            spot: self.spot(),
            message: message.into(),
            remedy: None,
        })
    }

    pub(crate) fn error_with<T>(
        &mut self,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Parsed<T> {
        let remedy = Some(remedy.into());
        Err(SyntaxError {
            spot: self.spot(),
            message: message.into(),
            remedy,
        })
    }

    pub(crate) fn is_done(&mut self) -> bool {
        self.skip_space();
        self.rest().is_empty()
    }

    /// Returns the rest of the line.
    pub(crate) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    pub(crate) fn take_rest(&mut self) -> &'a str {
        self.skip_space();
        let rest = self.rest();
        self.at = self.text.len();
        rest
    }

    pub(crate) fn finish(&mut self) -> Parsed<()> {
        if self.is_done() {
            return Ok(());
        }
        let rest: String = self.rest().chars().take(24).collect();
        self.error(format!("expected the end of the line, found `{rest}`"))
    }

    /// Returns whether the mark comes next, after optional white space.
    pub(crate) fn next_is(&mut self, mark: &str) -> bool {
        self.skip_space();
        self.rest().starts_with(mark)
    }

    /// Returns whether the mark is at this exact position.
    pub(crate) fn touches(&self, mark: &str) -> bool {
        self.rest().starts_with(mark)
    }

    /// Takes a mark such as `<->`.
    pub(crate) fn take(&mut self, mark: &str) -> bool {
        let found = self.next_is(mark);
        if found {
            self.at += mark.len();
        }
        found
    }

    pub(crate) fn expect(&mut self, mark: &str) -> Parsed<()> {
        if self.take(mark) {
            Ok(())
        } else {
            self.error(format!("expected `{mark}`"))
        }
    }

    /// Returns whether this word comes next.
    pub(crate) fn next_word_is(&mut self, word: &str) -> bool {
        let mut ahead = self.clone();
        ahead.next_is(word) && ahead.word() == Some(word)
    }

    /// Takes a keyword. A longer word that begins with it does not match.
    pub(crate) fn keyword(&mut self, word: &str) -> bool {
        let mut ahead = self.clone();
        // Most keywords are tried where another one stands.
        let found = ahead.next_is(word) && ahead.word() == Some(word);
        if found {
            *self = ahead;
        }
        found
    }

    pub(crate) fn expect_keyword(&mut self, word: &str) -> Parsed<()> {
        if self.keyword(word) {
            Ok(())
        } else {
            self.error(format!("expected `{word}`"))
        }
    }

    /// Takes a word of letters, digits, `_` and `-` that begins with a letter or `_`.
    pub(crate) fn word(&mut self) -> Option<&'a str> {
        self.skip_space();
        let rest = self.rest();
        let is_end = |byte: u8| !(byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        let end = rest.bytes().position(is_end).unwrap_or(rest.len());
        // `a->b`: the dash belongs to the arrow.
        let end = match rest.get(..end) {
            Some(word) if rest.get(end..).is_some_and(|more| more.starts_with('>')) => {
                word.trim_end_matches('-').len()
            }
            _ => end,
        };
        let word = rest.get(..end)?;
        if !word.starts_with(|ch: char| ch.is_ascii_alphabetic() || ch == '_') {
            return None;
        }
        self.at += end;
        Some(word)
    }

    pub(crate) fn name(&mut self, what: &str) -> Parsed<String> {
        match self.word() {
            Some(word) => Ok(word.to_owned()),
            None => self.error(format!("expected {what}")),
        }
    }

    /// Takes a word of letters, digits and `_` only: an element or segment name.
    pub(crate) fn plain_word(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        let is_end = |byte: u8| !(byte.is_ascii_alphanumeric() || byte == b'_');
        let end = rest.bytes().position(is_end).unwrap_or(rest.len());
        let word = rest.get(..end).filter(|word| !word.is_empty())?;
        self.at += end;
        Some(word)
    }

    pub(crate) fn number(&mut self) -> Parsed<u32> {
        let rest = self.rest();
        let end = rest
            .find(|ch: char| !ch.is_ascii_digit())
            .unwrap_or(rest.len());
        match rest.get(..end).and_then(|digits| digits.parse().ok()) {
            Some(number) => {
                self.at += end;
                Ok(number)
            }
            None => self.error("expected a number"),
        }
    }

    /// Takes a quoted text.
    pub(crate) fn quoted(&mut self) -> Parsed<String> {
        self.expect("\"")?;
        if let Some((text, _)) = self.rest().split_once('"')
            && !text.contains('\\')
        {
            self.at += text.len() + 1;
            return Ok(text.to_owned());
        }
        let mut text = String::new();
        let mut escaped = false;
        for (offset, ch) in self.rest().char_indices() {
            match ch {
                _ if escaped => {
                    text.push(ch);
                    escaped = false;
                }
                '\\' => escaped = true,
                '"' => {
                    self.at += offset + 1;
                    return Ok(text);
                }
                _ => text.push(ch),
            }
        }
        self.error_with("the quote is not closed", "\"…\"")
    }

    /// Takes a quoted text, or characters up to white space or one of `stops`.
    pub(crate) fn value(&mut self, stops: &[char]) -> Parsed<String> {
        if self.next_is("\"") {
            return self.quoted();
        }
        let rest = self.rest();
        let end = rest
            .find(|ch: char| ch.is_whitespace() || stops.contains(&ch))
            .unwrap_or(rest.len());
        match rest.get(..end).filter(|value| !value.is_empty()) {
            Some(value) => {
                self.at += end;
                Ok(value.to_owned())
            }
            None => self.error("expected a value"),
        }
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }
}
