//! Message filters as chips, kept in the address. Anything that identifies a patient appears there
//! as a handle.

use super::super::fault::Fault;
use super::super::handles::Handles;
use super::super::markup::{given, query_of};
use super::super::query::{known, unreadable};
use super::super::visitor::{Form, Visitor};
use axum::Extension;
use axum::response::{IntoResponse, Redirect, Response};
use base::{DateTime, Timestamp, Zone};
use std::sync::Arc;
use store::journal::{Filter, Sequence, State};

/// The message types that the menu offers; an address may contain any.
pub(super) const TYPES: [&str; 12] = [
    "ADT", "ADT^A01", "ADT^A03", "ADT^A04", "ADT^A08", "ADT^A40", "ORU^R01", "RDE^O11", "SIU^S12",
    "VXU^V04", "MDM^T02", "ORM^O01",
];

/// The time spans that the menu offers.
pub(super) const SPANS: [(&str, &str, i64); 4] = [
    ("1h", "last hour", 3600),
    ("24h", "last 24 hours", 86_400),
    ("7d", "last 7 days", 604_800),
    ("30d", "last 30 days", 2_592_000),
];

/// The query of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ListQuery {
    pub(crate) flow: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// One state, or several separated by commas.
    pub(crate) state: String,
    pub(crate) control: String,
    /// Handles of the reason why a message waits (it may contain typed text), of a record number,
    /// of an order number and of words in the text.
    pub(crate) reason: String,
    pub(crate) patient: String,
    pub(crate) order: String,
    pub(crate) text: String,
    pub(crate) issues: String,
    pub(crate) since: String,
    /// The instants, in FHIR's format.
    pub(crate) from: String,
    pub(crate) until: String,
    /// The `next` value of the previous page.
    pub(crate) before: Option<u64>,
    /// A path to evaluate on the open message.
    pub(crate) path: String,
    /// For polling: the newest message of the list, and its rows.
    pub(super) after: Option<u64>,
    pub(super) rows: String,
}

/// A chip: the filter, and the address without it.
pub(crate) struct Chip {
    pub(crate) label: String,
    /// The instant that the filter names.
    pub(crate) moment: Option<Timestamp>,
    pub(crate) without: String,
}

/// One entry of a menu.
pub(crate) struct Choice {
    pub(crate) label: String,
    pub(crate) address: String,
    pub(crate) is_on: bool,
}

// === impl ListQuery ===

impl ListQuery {
    /// Returns the query string without the page; empty without filters.
    pub(crate) fn query(&self) -> String {
        self.query_with("", "")
    }

    /// Returns the query string with one field changed; an empty value removes it.
    pub(crate) fn query_with(&self, field: &str, value: &str) -> String {
        let own = self.pairs().into_iter();
        query_of(own.map(|(name, own)| (name, if name == field { value } else { own })))
    }

    pub(crate) fn pairs(&self) -> [(&'static str, &str); 12] {
        [
            ("flow", &self.flow),
            ("type", &self.kind),
            ("state", &self.state),
            ("reason", &self.reason),
            ("control", &self.control),
            ("patient", &self.patient),
            ("order", &self.order),
            ("text", &self.text),
            ("issues", &self.issues),
            ("since", &self.since),
            ("from", &self.from),
            ("until", &self.until),
        ]
    }

    /// Returns the names of the active filters without their values, for the audit log.
    pub(super) fn names(&self) -> Vec<&'static str> {
        given(self.pairs()).map(|(name, _)| name).collect()
    }

    /// Reads the filters that a form of the list carries.
    pub(super) fn of_form(form: &Form) -> Self {
        let own = |name: &str| form.get(name).to_owned();
        Self {
            flow: own("flow"),
            kind: own("type"),
            state: own("state"),
            reason: own("reason"),
            control: own("control"),
            patient: own("patient"),
            order: own("order"),
            text: own("text"),
            issues: own("issues"),
            since: own("since"),
            from: own("from"),
            until: own("until"),
            ..Self::default()
        }
    }

    /// Fixes a relative time span to an absolute one, so that it does not move while somebody
    /// reads: `last hour` becomes an instant.
    pub(super) fn at(mut self, now: Timestamp) -> Self {
        let span = SPANS.iter().find(|(code, ..)| *code == self.since);
        if let Some((_, _, secs)) = span {
            let since = Timestamp::from_micros(now.micros() - secs * 1_000_000);
            // An unreadable value is reported later.
            let from = instant(&self.from, &Zone::utc()).map_or(since, |from| from.max(since));
            if self.from.is_empty() || instant(&self.from, &Zone::utc()).is_some() {
                self.from = from.to_fhir();
                self.since = String::new();
            }
        }
        self
    }

    /// Converts the query into a journal filter. A forgotten handle is an error.
    pub(crate) fn filter(
        &self,
        handles: &Handles,
        user: &str,
        now: Timestamp,
    ) -> Result<Filter, Fault> {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let typed = |handle: &str| {
            if handle.is_empty() {
                return Ok(None);
            }
            handles.find(user, handle).map(Some).ok_or_else(forgotten)
        };
        known("since", &self.since, SPANS.map(|(code, ..)| code))?;
        known("issues", &self.issues, ["1"])?;
        let moment = |name: &str, text: &str| match text {
            "" => Ok(None),
            text => instant(text, &Zone::utc())
                .map(Some)
                .ok_or_else(|| unreadable(name, text, MOMENT)),
        };
        let span = SPANS.iter().find(|(code, ..)| *code == self.since);
        let since =
            span.map(|(_, _, secs)| Timestamp::from_micros(now.micros() - secs * 1_000_000));
        let from = moment("from", &self.from)?;
        Ok(Filter {
            flow: given(&self.flow),
            message_type: given(&self.kind),
            control_id: given(&self.control),
            patient: typed(&self.patient)?,
            visit: None,
            accession: typed(&self.order)?,
            state: None,
            any_of: self.states()?,
            reason: typed(&self.reason)?,
            has_issues: !self.issues.is_empty(),
            from: from.max(since),
            until: moment("until", &self.until)?,
            text: typed(&self.text)?,
        })
    }

    /// Returns the selected states; none means all.
    fn states(&self) -> Result<Vec<State>, Fault> {
        let read = |word: &str| {
            let words = || State::ALL.map(State::word).join(", ");
            State::from_word(word).ok_or_else(|| unreadable("state", word, &words()))
        };
        match self.state.as_str() {
            "" => Ok(Vec::new()),
            words => words.split(',').map(read).collect(),
        }
    }

    pub(super) fn before(&self) -> Option<Sequence> {
        self.before.map(Sequence::new)
    }

    /// Returns the chips of the active filters.
    pub(super) fn chips(&self, handles: &Handles, user: &str) -> Vec<Chip> {
        let typed = |handle: &str| handles.find(user, handle).unwrap_or_default();
        let span = SPANS.iter().find(|(code, ..)| *code == self.since);
        let shown = [
            ("flow", format!("flow {}", self.flow)),
            ("type", self.kind.clone()),
            ("state", in_short(&self.state)),
            (
                "reason",
                super::super::words::reason(&typed(&self.reason)).to_owned(),
            ),
            ("control", format!("control id {}", self.control)),
            (
                "patient",
                format!("patient number {}", typed(&self.patient)),
            ),
            ("order", format!("order number {}", typed(&self.order))),
            (
                "text",
                format!("text \u{201c}{}\u{201d}", typed(&self.text)),
            ),
            ("issues", "with issues".to_owned()),
            (
                "since",
                span.map_or(String::new(), |(_, words, _)| (*words).to_owned()),
            ),
            ("from", "from".to_owned()),
            ("until", "until".to_owned()),
        ];
        let pairs = self.pairs();
        let is_on = |name: &str| {
            pairs
                .iter()
                .any(|(own, value)| *own == name && !value.is_empty())
        };
        shown
            .into_iter()
            .filter(|(name, _)| is_on(name))
            .map(|(name, label)| Chip {
                label,
                moment: match name {
                    "from" => instant(&self.from, &Zone::utc()),
                    "until" => instant(&self.until, &Zone::utc()),
                    _ => None,
                },
                without: format!("/messages?{}", self.query_with(name, "")),
            })
            .collect()
    }

    /// Returns the menu of one field.
    pub(super) fn choices<'a>(
        &self,
        field: &str,
        options: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Vec<Choice> {
        let now = self
            .pairs()
            .into_iter()
            .find(|(name, _)| *name == field)
            .map_or("", |(_, on)| on);
        options
            .into_iter()
            .map(|(value, label)| Choice {
                label: label.to_owned(),
                is_on: now == value,
                address: format!("/messages?{}", self.query_with(field, value)),
            })
            .collect()
    }
}

/// The states that wait for a person, as they appear in an address; the ones that *Needs attention*
/// counts.
pub(crate) const OPEN: &str = "needs attention,dead,held,parked";

/// Returns the short text of a filter by state.
fn in_short(states: &str) -> String {
    match states {
        OPEN => "waits for a person".to_owned(),
        states => states.replace(',', ", "),
    }
}

const MOMENT: &str = "a date or a time such as 2026-01-31T12:00:00Z";

/// Parses an instant from an address or a form; one without an offset is read in `zone`.
fn instant(text: &str, zone: &Zone) -> Option<Timestamp> {
    // A form field gives minutes; FHIR requires seconds.
    let text = match text.len() {
        16 => format!("{text}:00"),
        _ => text.to_owned(),
    };
    let parsed = DateTime::parse_fhir(&text).ok()?;
    Some(parsed.timestamp(zone))
}

fn forgotten() -> Fault {
    Fault::new(
        axum::http::StatusCode::GONE,
        "This search has ended",
        "Search text is kept in memory only, so that no address names a patient; it is forgotten \
         after a restart.",
        "Go to the list and search again.",
    )
}

/// Handles `POST /messages/narrow`: filters that somebody types.
pub(crate) async fn narrow(
    Extension(handles): Extension<Arc<Handles>>,
    form: Form,
) -> Result<Response, Fault> {
    let user = form.visitor.user();
    let typed = |name: &str, earlier: String| match form.get(name).trim() {
        "" => earlier,
        text => handles.keep(user, text),
    };
    // The page's script sends the time zone of the fields.
    let zone = Zone::named(form.get("zone")).unwrap_or_else(Zone::utc);
    let moment = |name: &str, earlier: String| match form.get(name).trim() {
        "" => Ok(earlier),
        text => instant(text, &zone)
            .map(Timestamp::to_fhir)
            .ok_or_else(|| unreadable(name.trim_start_matches("new-"), text, MOMENT)),
    };
    let earlier = ListQuery::of_form(&form);
    let wanted = ListQuery {
        control: match form.get("new-control").trim() {
            "" => earlier.control,
            control => control.to_owned(),
        },
        patient: typed("new-patient", earlier.patient),
        order: typed("new-order", earlier.order),
        text: typed("new-text", earlier.text),
        from: moment("new-from", earlier.from)?,
        until: moment("new-until", earlier.until)?,
        ..earlier
    };
    Ok(Redirect::to(&format!("/messages?{}", wanted.query())).into_response())
}

/// Returns a page's filter for a visitor.
pub(super) fn of_visitor(
    wanted: &ListQuery,
    handles: &Handles,
    visitor: &Visitor,
    now: Timestamp,
) -> Result<Filter, Fault> {
    wanted.filter(handles, visitor.user(), now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_their_zone() {
        let chicago = Zone::named("America/Chicago").unwrap();
        for (text, zone, expected) in [
            (
                "2026-01-31T12:00",
                &chicago,
                Some("2026-01-31T18:00:00.000Z"),
            ),
            (
                "2026-01-31T12:00:00.000Z",
                &chicago,
                Some("2026-01-31T12:00:00.000Z"),
            ),
            ("2026-01-31", &Zone::utc(), Some("2026-01-31T00:00:00.000Z")),
            ("yesterday", &chicago, None),
            ("", &chicago, None),
        ] {
            let found = instant(text, zone).map(Timestamp::to_fhir);
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }

    /// Every value in an address is either understood or reported: no filter is dropped.
    #[test]
    fn a_wrong_filter_is_never_everything() {
        let handles = Handles::default();
        let filter =
            |wanted: ListQuery| wanted.filter(&handles, "admin", Timestamp::from_micros(0));
        let of_state = |state: &str| {
            filter(ListQuery {
                state: state.to_owned(),
                ..ListQuery::default()
            })
        };
        for state in State::ALL {
            assert_eq!(of_state(state.word()).unwrap().any_of, [state]);
        }
        assert_eq!(of_state(OPEN).unwrap().any_of.len(), 4);
        for wrong in ["helt", "held,helt", "Held", ",", "held, dead"] {
            let fault = of_state(wrong).unwrap_err();
            assert!(fault.why.contains("`state`"), "{wrong}: {}", fault.why);
        }
        let wrong: [fn(&mut ListQuery) -> &mut String; 4] = [
            |wanted| &mut wanted.from,
            |wanted| &mut wanted.until,
            |wanted| &mut wanted.since,
            |wanted| &mut wanted.issues,
        ];
        for (field, name) in wrong.into_iter().zip(["from", "until", "since", "issues"]) {
            let mut wanted = ListQuery::default();
            "2026-13-41".clone_into(field(&mut wanted));
            let fault = filter(wanted).unwrap_err();
            assert!(fault.why.contains(name), "{name}: {}", fault.why);
        }
    }

    #[test]
    fn an_address_holds_no_typed_words() {
        let handles = Handles::default();
        let wanted = ListQuery {
            flow: "lab".to_owned(),
            patient: handles.keep("admin", "ZZ-4711"),
            issues: "1".to_owned(),
            ..ListQuery::default()
        };
        assert!(!wanted.query().contains("4711"), "{}", wanted.query());
        let filter = wanted
            .filter(&handles, "admin", Timestamp::from_micros(0))
            .unwrap();
        assert_eq!(filter.patient.as_deref(), Some("ZZ-4711"));
        assert!(filter.has_issues);
        assert!(
            wanted
                .filter(&handles, "other", Timestamp::from_micros(0))
                .is_err()
        );
        assert_eq!(
            wanted.query_with("flow", ""),
            wanted.query().replace("flow=lab&", "")
        );
        let chips: Vec<String> = wanted
            .chips(&handles, "admin")
            .into_iter()
            .map(|chip| chip.label)
            .collect();
        assert_eq!(chips, ["flow lab", "patient number ZZ-4711", "with issues"]);
    }
}
