//! Lexer: splits text into tokens (FHIRPath N1 §Lexical Elements).
//!
//! Invariants: every token has the byte offset at which it begins; the lexer never panics and reads
//! each byte once; it decides what number or date literal a token is, never what it means in
//! context.

use crate::error::{SyntaxError, SyntaxErrorKind};
use crate::temporal::{Date, DateTime, Time};
use rust_decimal::Decimal;

/// A token and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) offset: usize,
}

/// The kinds of token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenKind {
    /// `name`, also a keyword: keywords are names in most places.
    Name(String),
    /// `` `name` ``, never a keyword.
    Quoted(String),
    /// `'text'`
    Text(String),
    /// `12`
    Integer(i32),
    /// `1.20`, or an integer too large for 32 bits.
    Decimal(Decimal),
    /// `@2024-05`
    Date(Date),
    /// `@2024-05T`, `@2024-05-17T14:30`
    DateTime(DateTime),
    /// `@T14:30`
    Time(Time),
    /// `$this`
    Dollar(String),
    /// `%name`, `` %`vs-x` ``, `%'x'`
    Percent(String),
    /// An operator or bracket.
    Mark(&'static str),
    /// The end of the text.
    End,
}

/// Operators and brackets, longest first.
const MARKS: &[&str] = &[
    "!=", "!~", "<=", ">=", "(", ")", "[", "]", "{", "}", ".", ",", "+", "-", "*", "/", "&", "|",
    "<", ">", "=", "~",
];

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

/// Returns all tokens of the text; the last is [`TokenKind::End`].
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, SyntaxError> {
    let mut lexer = Lexer { text, at: 0 };
    let mut found = Vec::new();
    loop {
        lexer.skip_blanks()?;
        let offset = lexer.at;
        let kind = lexer.token()?;
        let is_end = kind == TokenKind::End;
        found.push(Token { kind, offset });
        if is_end {
            return Ok(found);
        }
    }
}

// === impl Lexer ===

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn error(&self, offset: usize, kind: SyntaxErrorKind) -> SyntaxError {
        debug_assert!(offset <= self.text.len());
        SyntaxError { offset, kind }
    }

    /// Consumes the longest run of matching characters.
    fn run(&mut self, matches: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let length = rest.find(|c| !matches(c)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or("")
    }

    fn skip_blanks(&mut self) -> Result<(), SyntaxError> {
        loop {
            self.run(char::is_whitespace);
            let start = self.at;
            if self.rest().starts_with("//") {
                self.run(|c| c != '\n' && c != '\r');
            } else if self.rest().starts_with("/*") {
                let end = self.rest().find("*/").filter(|&end| 2 <= end).or_else(|| {
                    // `/*/` does not end the comment that it begins.
                    self.rest()
                        .get(2..)
                        .and_then(|rest| rest.find("*/"))
                        .map(|end| end + 2)
                });
                match end {
                    Some(end) => self.at += end + 2,
                    None => return Err(self.error(start, SyntaxErrorKind::Unterminated)),
                }
            } else {
                return Ok(());
            }
        }
    }

    fn token(&mut self) -> Result<TokenKind, SyntaxError> {
        let start = self.at;
        let Some(first) = self.peek() else {
            return Ok(TokenKind::End);
        };
        match first {
            'A'..='Z' | 'a'..='z' | '_' => Ok(TokenKind::Name(self.name().to_owned())),
            '0'..='9' => self.number(),
            '\'' => self.quoted('\'').map(TokenKind::Text),
            '`' => self.quoted('`').map(TokenKind::Quoted),
            // R4 search parameters and invariants still quote names with `"` (FHIRPath before N1).
            '"' => self.quoted('"').map(TokenKind::Quoted),
            '@' => self.moment(),
            '$' => {
                self.at += 1;
                let name = self.name();
                if name.is_empty() {
                    return Err(self.error(start, SyntaxErrorKind::UnexpectedCharacter('$')));
                }
                Ok(TokenKind::Dollar(name.to_owned()))
            }
            '%' => self.percent(),
            other => {
                let rest = self.rest();
                let Some(mark) = MARKS.iter().find(|mark| rest.starts_with(**mark)) else {
                    return Err(self.error(start, SyntaxErrorKind::UnexpectedCharacter(other)));
                };
                self.at += mark.len();
                Ok(TokenKind::Mark(mark))
            }
        }
    }

    fn name(&mut self) -> &'t str {
        self.run(|c| c.is_ascii_alphanumeric() || c == '_')
    }

    fn percent(&mut self) -> Result<TokenKind, SyntaxError> {
        let start = self.at;
        self.at += 1;
        let name = match self.peek() {
            Some(quote @ ('`' | '\'' | '"')) => self.quoted(quote)?,
            _ => self.name().to_owned(),
        };
        if name.is_empty() {
            return Err(self.error(start, SyntaxErrorKind::UnexpectedCharacter('%')));
        }
        Ok(TokenKind::Percent(name))
    }

    fn number(&mut self) -> Result<TokenKind, SyntaxError> {
        let start = self.at;
        self.run(|c| c.is_ascii_digit());
        let mut after = self.rest().chars();
        let is_decimal =
            after.next() == Some('.') && after.next().is_some_and(|c| c.is_ascii_digit());
        if is_decimal {
            self.at += 1;
            self.run(|c| c.is_ascii_digit());
        }
        let digits = self.text.get(start..self.at).unwrap_or("");
        if !is_decimal && let Ok(integer) = digits.parse() {
            return Ok(TokenKind::Integer(integer));
        }
        match digits.parse() {
            Ok(decimal) => Ok(TokenKind::Decimal(decimal)),
            Err(_) => Err(self.error(start, SyntaxErrorKind::BadNumber)),
        }
    }

    fn moment(&mut self) -> Result<TokenKind, SyntaxError> {
        let start = self.at;
        self.at += 1;
        let date = self.run(|c| c.is_ascii_digit() || c == '-');
        let has_time = self.peek() == Some('T');
        if has_time {
            self.at += 1;
            self.clock();
            if !date.is_empty() {
                self.offset();
            }
        }
        let literal = self.text.get(start + 1..self.at).unwrap_or("");
        let parsed = match (date.is_empty(), has_time) {
            (true, false) => None,
            (true, true) => Time::parse(literal.get(1..).unwrap_or("")).map(TokenKind::Time),
            (false, false) => Date::parse(literal).map(TokenKind::Date),
            (false, true) => DateTime::parse(literal).map(TokenKind::DateTime),
        };
        parsed.ok_or_else(|| self.error(start, SyntaxErrorKind::BadDate))
    }

    /// Consumes `14:30:05.120`; a point without a digit after it belongs to the path that follows.
    fn clock(&mut self) {
        self.run(|c| c.is_ascii_digit() || c == ':');
        let mut after = self.rest().chars();
        if after.next() == Some('.') && after.next().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
            self.run(|c| c.is_ascii_digit());
        }
    }

    /// Consumes `Z` or `+02:00`; a sign without `HH:MM` after it is an operator.
    fn offset(&mut self) {
        match self.peek() {
            Some('Z') => self.at += 1,
            Some('+' | '-') => {
                let looks_right = self.rest().get(1..6).is_some_and(|text| {
                    text.char_indices()
                        .all(|(i, c)| if i == 2 { c == ':' } else { c.is_ascii_digit() })
                });
                if looks_right {
                    self.at += 6;
                }
            }
            _ => {}
        }
    }

    /// Returns the text between two quotes, with its escapes resolved.
    fn quoted(&mut self, quote: char) -> Result<String, SyntaxError> {
        let start = self.at;
        self.at += quote.len_utf8();
        let mut text = String::new();
        loop {
            text.push_str(self.run(|c| c != quote && c != '\\'));
            match self.peek() {
                None => return Err(self.error(start, SyntaxErrorKind::Unterminated)),
                Some('\\') => text.push(self.escape()?),
                Some(_) => {
                    self.at += quote.len_utf8();
                    return Ok(text);
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, SyntaxError> {
        let start = self.at;
        let bad = self.error(start, SyntaxErrorKind::BadEscape);
        self.at += 1;
        let Some(escaped) = self.peek() else {
            return Err(bad);
        };
        self.at += escaped.len_utf8();
        match escaped {
            '\'' | '"' | '`' | '\\' | '/' => Ok(escaped),
            'f' => Ok('\u{c}'),
            'n' => Ok('\n'),
            'r' => Ok('\r'),
            't' => Ok('\t'),
            'u' => self.unicode().ok_or(bad),
            _ => Err(bad),
        }
    }

    /// Reads four hexadecimal digits, or two such escapes that form a surrogate pair.
    fn unicode(&mut self) -> Option<char> {
        let high = self.hexadecimal()?;
        if !(0xD800..0xDC00).contains(&high) {
            return char::from_u32(high);
        }
        self.at += self.rest().starts_with("\\u").then_some(2)?;
        let low = self
            .hexadecimal()
            .filter(|low| (0xDC00..0xE000).contains(low))?;
        char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00))
    }

    fn hexadecimal(&mut self) -> Option<u32> {
        let digits = self
            .rest()
            .get(..4)
            .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<TokenKind> {
        tokens(text)
            .unwrap()
            .into_iter()
            .map(|token| token.kind)
            .collect()
    }

    #[test]
    fn a_point_after_a_number_is_a_path_unless_a_digit_follows() {
        use TokenKind::{Decimal as D, End, Integer, Mark, Name};
        assert_eq!(
            kinds("1.abs"),
            [Integer(1), Mark("."), Name("abs".into()), End]
        );
        assert_eq!(kinds("1.5"), [D("1.5".parse().unwrap()), End]);
    }

    #[test]
    fn escapes() {
        let text = r"'\'\\\/\f\r\n\t\u0041\ud83d\ude00'";
        let plain = "'\\/\u{c}\r\n\tA\u{1f600}";
        assert_eq!(kinds(text), [TokenKind::Text(plain.into()), TokenKind::End]);
    }

    #[test]
    fn refused() {
        for (text, offset) in [
            ("'a", 0),
            ("a `b", 2),
            ("1 /* x", 2),
            ("@", 0),
            ("a # b", 2),
            ("'\\x'", 1),
            ("/*/", 0),
        ] {
            assert_eq!(tokens(text).unwrap_err().offset, offset, "{text}");
        }
    }
}
