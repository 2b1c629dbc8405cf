//! SMART scopes, in the syntax of version 1 (`user/*.read`) and version 2 (`system/*.rs`).
//!
//! Invariant: a parsed [`Scope`] grants at least one letter; its letters are in the order `cruds`.

use std::fmt;
use std::str::FromStr;

/// The context whose access the scope grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Context {
    /// The patients that the token is bound to.
    Patient,
    /// Everything that the user may see.
    User,
    /// Everything that the system may see, without a user.
    System,
}

/// One of the letters `cruds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Letter {
    /// `c`
    Create,
    /// `r`
    Read,
    /// `u`
    Update,
    /// `d`
    Delete,
    /// `s`
    Search,
}

/// One scope, such as `patient/Observation.rs`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    context: Context,
    /// `None` is `*`.
    resource_type: Option<Box<str>>,
    letters: u8,
    /// The granular condition (`?category=…`), which is not enforced yet.
    condition: Option<Box<str>>,
}

/// The scopes of one token, in the given order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Vec<Scope>);

/// The error for text that is not a resource scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a scope; write patient, user or system, `/`, a resource type or `*`, `.`, and \
     letters of `cruds` in that order (or `read`, `write`, `*`), such as `system/*.rs`"
)]
pub struct InvalidScope(pub String);

const LETTERS: [(Letter, char); 5] = [
    (Letter::Create, 'c'),
    (Letter::Read, 'r'),
    (Letter::Update, 'u'),
    (Letter::Delete, 'd'),
    (Letter::Search, 's'),
];

// === impl Context ===

impl Context {
    fn word(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::User => "user",
            Self::System => "system",
        }
    }
}

// === impl Letter ===

impl Letter {
    /// Returns the letter as written in a scope.
    pub fn as_char(self) -> char {
        match self {
            Self::Create => 'c',
            Self::Read => 'r',
            Self::Update => 'u',
            Self::Delete => 'd',
            Self::Search => 's',
        }
    }

    fn bit(self) -> u8 {
        match self {
            Self::Create => 1,
            Self::Read => 2,
            Self::Update => 4,
            Self::Delete => 8,
            Self::Search => 16,
        }
    }
}

// === impl Scope ===

impl Scope {
    /// Returns the context of the scope.
    pub fn context(&self) -> Context {
        self.context
    }

    /// Returns the resource type; `None` for all.
    pub fn resource_type(&self) -> Option<&str> {
        self.resource_type.as_deref()
    }

    /// Returns true if the scope grants the letter on the type; `None` asks for all types at once.
    pub fn grants(&self, letter: Letter, resource_type: Option<&str>) -> bool {
        let type_ok = match (&self.resource_type, resource_type) {
            (None, _) => true,
            (Some(own), Some(asked)) => **own == *asked,
            (Some(_), None) => false,
        };
        type_ok && self.has(letter)
    }

    /// Returns true if the scope grants the letter on some type. An unenforced condition grants
    /// nothing.
    pub(crate) fn has(&self, letter: Letter) -> bool {
        self.letters & letter.bit() != 0 && self.condition.is_none()
    }
}

impl FromStr for Scope {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        parse(text).ok_or_else(|| InvalidScope(text.to_owned()))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resource_type = self.resource_type.as_deref().unwrap_or("*");
        write!(f, "{}/{resource_type}.", self.context.word())?;
        for (letter, name) in LETTERS {
            if self.letters & letter.bit() != 0 {
                write!(f, "{name}")?;
            }
        }
        match &self.condition {
            Some(condition) => write!(f, "?{condition}"),
            None => Ok(()),
        }
    }
}

fn parse(text: &str) -> Option<Scope> {
    let (context, rest) = text.split_once('/')?;
    let context = [Context::Patient, Context::User, Context::System]
        .into_iter()
        .find(|known| known.word() == context)?;
    let (rest, condition) = match rest.split_once('?') {
        Some((_, "")) => return None,
        Some((rest, condition)) => (rest, Some(condition.into())),
        None => (rest, None),
    };
    let (resource_type, letters) = rest.split_once('.')?;
    let resource_type = match resource_type {
        "*" => None,
        name if is_type_name(name) => Some(name.into()),
        _ => return None,
    };
    let letters = letters_of(letters)?;
    Some(Scope {
        context,
        resource_type,
        letters,
        condition,
    })
}

/// Parses the letters. SMART App Launch 1: `read` is read and search, `write` is create, update and
/// delete.
fn letters_of(text: &str) -> Option<u8> {
    match text {
        "read" => return letters_of("rs"),
        "write" => return letters_of("cud"),
        "*" => return letters_of("cruds"),
        "" => return None,
        _ => {}
    }
    let mut set = 0;
    for given in text.chars() {
        let (letter, _) = LETTERS.into_iter().find(|(_, name)| *name == given)?;
        // A letter not above all previous ones is repeated or out of order.
        if letter.bit() <= set {
            return None;
        }
        set |= letter.bit();
    }
    Some(set)
}

fn is_type_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.len() <= 64
        && text.bytes().all(|b| b.is_ascii_alphabetic())
}

// === impl Scopes ===

impl Scopes {
    /// Returns the scopes.
    pub fn iter(&self) -> std::slice::Iter<'_, Scope> {
        self.0.iter()
    }

    /// Returns true if there are no scopes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a Scopes {
    type Item = &'a Scope;
    type IntoIter = std::slice::Iter<'a, Scope>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

impl FromStr for Scopes {
    type Err = InvalidScope;

    /// Parses scopes separated by spaces, as in OAuth 2.
    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        text.split_ascii_whitespace().map(str::parse).collect()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (idx, scope) in self.0.iter().enumerate() {
            let gap = if idx == 0 { "" } else { " " };
            write!(f, "{gap}{scope}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn smart_v1_and_v2_spelling() {
        for (text, normal) in [
            ("system/*.rs", "system/*.rs"),
            ("user/*.cruds", "user/*.cruds"),
            ("patient/Observation.read", "patient/Observation.rs"),
            ("user/Patient.write", "user/Patient.cud"),
            ("user/*.*", "user/*.cruds"),
            (
                "patient/Observation.rs?category=laboratory",
                "patient/Observation.rs?category=laboratory",
            ),
        ] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), normal, "{text}");
        }
    }

    #[test]
    fn refuses_text_that_is_not_a_scope() {
        for text in [
            "",
            "openid",
            "system/*",
            "system/*.",
            "system/*.sr",
            "system/*.rr",
            "system/*.x",
            "root/*.rs",
            "user/patient.rs",
            "user/Pat ient.rs",
            "user/Patient.rs?",
        ] {
            assert!(text.parse::<Scope>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_unenforced_condition_grants_nothing() {
        let scope: Scope = "user/Observation.rs?category=laboratory".parse().unwrap();
        assert!(!scope.grants(Letter::Read, Some("Observation")));
    }

    proptest! {
        #[test]
        fn takes_any_text(text in "\\PC*") {
            let _ = text.parse::<Scopes>();
        }

        #[test]
        fn writing_and_reading_again_is_the_same(text in "(patient|user|system)/(\\*|[A-Z][a-z]{1,9})\\.c?r?u?d?s") {
            let scope: Scope = text.parse().unwrap();
            prop_assert_eq!(scope.to_string(), text);
        }
    }
}
