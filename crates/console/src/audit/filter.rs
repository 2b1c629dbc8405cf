//! The query of the audit page: filters, order and page. Everything in it is an opaque id or a
//! fixed word, so it may appear in the address.

use super::super::fault::Fault;
use super::super::markup::{given, query_of};
use super::super::query::{known, unreadable};
use base::Timestamp;
use store::audit::{ActorKind, Column, Filter};

#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Parameters {
    who: String,
    what: String,
    outcome: String,
    since: String,
    actor: String,
    patient: String,
    /// The message's number in the journal.
    message: String,
    /// The column's name, with `-` in front for descending order.
    sort: String,
    pub(super) before: Option<u64>,
    pub(super) skip: usize,
}

/// One entry of a menu.
pub(super) struct Choice {
    pub(super) word: &'static str,
    pub(super) address: String,
    pub(super) is_on: bool,
}

/// A menu of choices, one of which is selected.
pub(super) struct Menu {
    pub(super) word: &'static str,
    pub(super) chosen: &'static str,
    /// True if a choice other than the first is selected.
    pub(super) is_on: bool,
    pub(super) choices: Vec<Choice>,
}

/// A column heading, which links to the list sorted by that column.
pub(crate) struct Heading {
    pub(crate) word: &'static str,
    /// The address of the sorted list, or none if the list cannot be sorted.
    pub(crate) address: Option<String>,
    /// The value of `aria-sort`; empty if the list is sorted by another column.
    pub(crate) sorted: &'static str,
}

const WHO: [(&str, &str, &[ActorKind]); 5] = [
    (
        "",
        "people and applications",
        &[ActorKind::Person, ActorKind::Application, ActorKind::Nobody],
    ),
    ("people", "people", &[ActorKind::Person]),
    (
        "applications",
        "applications with a token",
        &[ActorKind::Application],
    ),
    (
        "program",
        "the flows and the program",
        &[ActorKind::Program],
    ),
    ("all", "everybody and everything", &[]),
];
const WHAT: [(&str, &str, &[&str]); 5] = [
    ("", "everything", &[]),
    (
        "seen",
        "data seen",
        &[
            "read",
            "vread",
            "everything",
            "search-type",
            "search",
            "lineage",
            "person",
            "history",
            "history-instance",
            "history-type",
            "history-system",
        ],
    ),
    (
        "changed",
        "data changed",
        &[
            "create",
            "update",
            "delete",
            "patch",
            "apply",
            "transaction",
            "batch",
        ],
    ),
    (
        "worked",
        "actions on messages and flows",
        &[
            "replay", "release", "dismiss", "skip", "settle", "hold", "edit", "redirect",
            "dry-run", "stop", "start",
        ],
    ),
    (
        "logins",
        "logins and sessions",
        &[
            "login",
            "logout",
            "authenticate",
            "csrf",
            "choose-password",
            "emergency-access",
            "end-session",
        ],
    ),
];
const OUTCOMES: [(&str, &str); 2] = [("", "all"), ("failed", "refused or failed")];
const SINCE: [(&str, &str, i64); 5] = [
    ("", "any time", 0),
    ("1h", "last hour", 3600),
    ("24h", "last 24 hours", 86_400),
    ("7d", "last 7 days", 604_800),
    ("30d", "last 30 days", 2_592_000),
];
const COLUMNS: [(&str, &str, Column); 7] = [
    ("when", "When", Column::At),
    ("who", "Who", Column::Actor),
    ("what", "What", Column::Action),
    ("whom", "Whom", Column::Patient),
    ("why", "Why", Column::Purpose),
    ("from", "From where", Column::Source),
    ("outcome", "Outcome", Column::Outcome),
];
const NEWEST_FIRST: &str = "-when";

/// Returns headings that do not sort.
pub(crate) fn plain_headings() -> Vec<Heading> {
    let plain = |(_, word, _): &(&str, &'static str, Column)| Heading {
        word,
        address: None,
        sorted: "",
    };
    COLUMNS.iter().map(plain).collect()
}

// === impl Parameters ===

impl Parameters {
    pub(super) fn patient(&self) -> Option<&String> {
        (!self.patient.is_empty()).then_some(&self.patient)
    }

    /// Checks that the page knows every value. An unknown value must never show everything.
    pub(super) fn check(&self) -> Result<(), Fault> {
        known("who", &self.who, WHO.map(|(code, ..)| code))?;
        known("what", &self.what, WHAT.map(|(code, ..)| code))?;
        known("outcome", &self.outcome, OUTCOMES.map(|(code, _)| code))?;
        known("since", &self.since, SINCE.map(|(code, ..)| code))?;
        let column = self.sort.strip_prefix('-').unwrap_or(&self.sort);
        known("sort", column, COLUMNS.map(|(code, ..)| code))?;
        let is_number = self.message.bytes().all(|byte| byte.is_ascii_digit());
        if is_number {
            Ok(())
        } else {
            Err(unreadable("message", &self.message, "a message's number"))
        }
    }

    pub(super) fn filter(&self, now: Timestamp) -> Filter {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let of = |list: &[(&'static str, &'static str, &'static [&'static str])], code: &str| {
            list.iter()
                .find(|(known, ..)| *known == code)
                .map_or(Vec::new(), |(_, _, actions)| actions.to_vec())
        };
        let secs = SINCE
            .iter()
            .find(|(code, ..)| *code == self.since)
            .map_or(0, |(.., secs)| *secs);
        Filter {
            patient: given(&self.patient),
            actor: given(&self.actor),
            kinds: self.kinds().to_vec(),
            actions: of(&WHAT, &self.what),
            about: given(&self.message).map(|number| ("message".to_owned(), number)),
            failed_only: self.outcome == "failed",
            from: (0 < secs).then(|| Timestamp::from_micros(now.micros() - secs * 1_000_000)),
            until: None,
        }
    }

    /// Returns the kinds of actors to list. A filter by actor name covers all of them.
    fn kinds(&self) -> &'static [ActorKind] {
        if !self.actor.is_empty() {
            return &[];
        }
        WHO.iter()
            .find(|(code, ..)| *code == self.who)
            .map_or(&[], |(.., kinds)| kinds)
    }

    /// Returns the names of the active filters without their values, for the audit log.
    pub(super) fn names(&self) -> Vec<&'static str> {
        given(self.pairs()).map(|(name, _)| name).collect()
    }

    pub(super) fn sort(&self) -> (Column, bool) {
        let word = if self.sort.is_empty() {
            NEWEST_FIRST
        } else {
            &self.sort
        };
        let (word, descending) = word
            .strip_prefix('-')
            .map_or((word, false), |word| (word, true));
        let column = COLUMNS.iter().find(|(code, ..)| *code == word);
        column.map_or((Column::At, true), |(.., column)| (*column, descending))
    }

    pub(super) fn is_newest_first(&self) -> bool {
        self.sort() == (Column::At, true)
    }

    pub(super) fn is_by_time(&self) -> bool {
        self.sort().0 == Column::At
    }

    /// Returns the order in words: `newest first`, `by who`.
    pub(super) fn order(&self) -> String {
        match self.sort() {
            (Column::At, true) => "newest first".to_owned(),
            (Column::At, false) => "oldest first".to_owned(),
            (column, descending) => {
                let word = COLUMNS
                    .iter()
                    .find(|(.., known)| *known == column)
                    .map_or("", |(_, word, _)| word);
                format!(
                    "by {}{}",
                    word.to_lowercase(),
                    if descending { ", descending" } else { "" }
                )
            }
        }
    }

    pub(super) fn headings(&self) -> Vec<Heading> {
        let (by, descending) = self.sort();
        let heading = |(code, word, column): &(&str, &'static str, Column)| {
            let is_by = *column == by;
            // Times start with the newest, names with A.
            let turned = if is_by {
                !descending
            } else {
                *column == Column::At
            };
            let sort = format!("{}{code}", if turned { "-" } else { "" });
            Heading {
                word,
                address: Some(self.with("sort", if sort == NEWEST_FIRST { "" } else { &sort })),
                sorted: match (is_by, descending) {
                    (false, _) => "",
                    (true, false) => "ascending",
                    (true, true) => "descending",
                },
            }
        };
        COLUMNS.iter().map(heading).collect()
    }

    pub(super) fn menus(&self) -> Vec<Menu> {
        let menu = |word, name, own: &str, choices: Vec<(&'static str, &'static str)>| {
            let choice = |(code, word): &(&'static str, &'static str)| Choice {
                word,
                address: self.with(name, code),
                is_on: *code == own,
            };
            let choices: Vec<Choice> = choices.iter().map(choice).collect();
            let chosen = choices.iter().position(|choice| choice.is_on).unwrap_or(0);
            Menu {
                word,
                chosen: choices.get(chosen).map_or("", |choice| choice.word),
                is_on: 0 < chosen,
                choices,
            }
        };
        let what = WHAT.map(|(code, word, _)| (code, word)).to_vec();
        let since = SINCE.map(|(code, word, _)| (code, word)).to_vec();
        let who = WHO.map(|(code, word, _)| (code, word)).to_vec();
        let mut menus = vec![
            menu("What", "what", &self.what, what),
            menu("Outcome", "outcome", &self.outcome, OUTCOMES.to_vec()),
            menu("Time", "since", &self.since, since),
        ];
        // A filter by actor name makes the menu of kinds unnecessary.
        if self.actor.is_empty() {
            menus.insert(0, menu("Who", "who", &self.who, who));
        }
        menus
    }

    pub(super) fn chips(&self) -> Vec<(String, String)> {
        let mut chips = Vec::new();
        for (name, value, words) in [
            ("actor", &self.actor, "who: "),
            ("patient", &self.patient, "patient "),
            ("message", &self.message, "message "),
        ] {
            if !value.is_empty() {
                let short = super::super::patients::short(value);
                chips.push((format!("{words}{short}"), self.with(name, "")));
            }
        }
        chips
    }

    /// Returns the address with one field changed. Changing a filter or the order starts at the
    /// first page.
    pub(super) fn with(&self, field: &str, value: &str) -> String {
        let page = matches!(field, "before" | "skip").then_some((field, value));
        let own = self.pairs().into_iter().chain([("sort", &*self.sort)]);
        let asked = own.map(|(name, own)| (name, if name == field { value } else { own }));
        let query = query_of(asked.chain(page));
        let mark = if query.is_empty() { "" } else { "?" };
        format!("/audit{mark}{query}")
    }

    fn pairs(&self) -> [(&'static str, &str); 7] {
        [
            ("who", &self.who),
            ("what", &self.what),
            ("outcome", &self.outcome),
            ("since", &self.since),
            ("actor", &self.actor),
            ("patient", &self.patient),
            ("message", &self.message),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_what_was_asked_for() {
        let asked = Parameters {
            who: "people".to_owned(),
            actor: "user:ann".to_owned(),
            sort: "who".to_owned(),
            before: Some(7),
            ..Parameters::default()
        };
        assert_eq!(
            asked.with("since", "7d"),
            "/audit?who=people&since=7d&actor=user%3Aann&sort=who"
        );
        assert_eq!(
            asked.with("skip", "100"),
            "/audit?who=people&actor=user%3Aann&sort=who&skip=100"
        );
        assert_eq!(asked.names(), ["who", "actor"]);
        assert!(
            asked.kinds().is_empty(),
            "whom one asks for by name is found whatever it is"
        );
    }

    #[test]
    fn a_second_click_reverses_the_order() {
        let sorted = |sort: &str| {
            let asked = Parameters {
                sort: sort.to_owned(),
                ..Parameters::default()
            };
            let headings = asked.headings();
            (
                asked.order(),
                headings[0].address.clone().unwrap(),
                headings[1].address.clone().unwrap(),
            )
        };
        let (order, when, who) = sorted("");
        assert_eq!(
            (order.as_str(), when.as_str(), who.as_str()),
            ("newest first", "/audit?sort=when", "/audit?sort=who")
        );
        let (order, when, who) = sorted("who");
        assert_eq!(
            (order.as_str(), when.as_str(), who.as_str()),
            ("by who", "/audit", "/audit?sort=%2Dwho")
        );
        assert_eq!(sorted("-who").0, "by who, descending");
        assert_eq!(sorted("nonsense").0, "newest first");
    }
}
