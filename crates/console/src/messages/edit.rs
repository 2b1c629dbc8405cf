//! Edit and resend: the text, its issues, what it would change, and only then the button to send
//! it.
//!
//! Invariants:
//! - the original is never changed: what is sent is a message of its own ([`flow::Resend`]);
//! - nothing is sent before its effect has been shown: if the text has changed since, it is shown
//!   again.

use super::super::fault::Fault;
use super::super::flows::Run;
use super::super::frame::{Frame, Place, page};
use super::super::markup::hex;
use super::super::visitor::{Form, Visitor};
use super::fields::{place_of, words};
use super::filter::ListQuery;
use super::open::audited_open;
use access::Interaction;
use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use flow::Resend;
use hl7v2::Message;
use sha2::{Digest, Sha256};
use store::journal::{Sequence, Stored};
use web::App;
use web::trail::Touched;

#[derive(Template)]
#[template(path = "messages/edit.html")]
struct EditPage {
    frame: Frame,
    sequence: u64,
    draft: Draft,
    flows: Vec<String>,
    checked: Option<Checked>,
    /// The reason why it was not sent.
    failed: Option<String>,
}

/// The text being edited.
struct Draft {
    text: String,
    flow: String,
    why: String,
}

/// The result of checking a draft.
struct Checked {
    /// The characters that the message's charset lacks. They would become question marks.
    lost: Vec<char>,
    /// A digest of the text and the flow that were checked.
    digest: String,
    /// True if the copy goes to another flow than the original.
    is_elsewhere: bool,
    /// True if the draft differs from what was checked before.
    is_newer: bool,
    /// The segments before and after, where they differ.
    lines: Vec<(Option<String>, Option<String>)>,
    /// The location and text of each issue.
    issues: Vec<(String, String)>,
    run: Run,
}

// === impl Draft ===

impl Draft {
    fn of_form(form: &Form) -> Self {
        Self {
            text: form.get("text").to_owned(),
            flow: form.get("flow").to_owned(),
            why: form.get("why").trim().to_owned(),
        }
    }

    /// Returns the bytes to send: CR after each segment, in the charset of the original.
    fn bytes(&self, original: &Message) -> Vec<u8> {
        let text = self.text.replace("\r\n", "\n").replace('\r', "\n");
        let text = text.trim_end_matches('\n').replace('\n', "\r") + "\r";
        original.charset().encode(&text).into_owned()
    }

    /// Returns the characters that the charset of the original lacks.
    fn lost(&self, original: &Message) -> Vec<char> {
        let charset = original.charset();
        let mut lost: Vec<char> = Vec::new();
        for c in self.text.chars().filter(|c| !c.is_ascii()) {
            let text = c.to_string();
            let back = charset.decode(&charset.encode(&text)).into_owned();
            if back != text && !lost.contains(&c) {
                lost.push(c);
            }
        }
        lost
    }

    fn digest(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(&self.flow);
        hash.update([0]);
        hash.update(self.text.replace("\r\n", "\n"));
        hex(&hash.finalize(), 16)
    }
}

// === impl Checked ===

impl Checked {
    /// Returns true if the flow would accept the draft and it is not identical to the original.
    fn can_be_sent(&self) -> bool {
        self.lost.is_empty()
            && self.run.failed.is_none()
            && self.run.refused.is_none()
            && (self.is_elsewhere || !self.lines.is_empty())
    }
}

/// Handles `GET /messages/{sequence}/edit`.
pub(crate) async fn edit(
    State(app): State<App>,
    visitor: Visitor,
    Path(sequence): Path<u64>,
) -> Result<Response, Fault> {
    let (text, flow) = text_of(&app, &visitor, sequence).await?;
    let draft = Draft {
        text,
        flow,
        why: String::new(),
    };
    show(&app, &visitor, sequence, (draft, None, None))
}

/// Handles `POST /messages/{sequence}/edit`: shows what the text would change, or sends what was
/// shown.
pub(crate) async fn send(
    State(app): State<App>,
    Path(sequence): Path<u64>,
    form: Form,
) -> Result<Response, Fault> {
    let visitor = &form.visitor;
    visitor.permit(&app, Interaction::Operate, None).await?;
    let draft = Draft::of_form(&form);
    let stored = read(&app, sequence).await?;
    let body = draft.bytes(&Message::parse(stored.body.clone()));
    let (was_shown, wants_to_send) = (form.get("checked"), form.get("action") == "send");
    let is_newer = wants_to_send && was_shown != draft.digest();
    let is_lossy = !draft.lost(&Message::parse(stored.body.clone())).is_empty();
    if !wants_to_send || is_newer || is_lossy || draft.why.is_empty() {
        record(&app, visitor, "dry-run", sequence).await?;
        let checked = check(&app, &draft, &stored, (body, is_newer)).await?;
        return show(&app, visitor, sequence, (draft, Some(checked), None));
    }
    record(&app, visitor, "edit", sequence).await?;
    let (work, by) = (app.clone(), visitor.user().to_owned());
    let (flow, why, sent) = (draft.flow.clone(), draft.why.clone(), body.clone());
    let made = tokio::task::spawn_blocking(move || {
        work.engine.resend(&Resend {
            of: Sequence::new(sequence),
            body: Some(&sent),
            flow: Some(&flow),
            by: &by,
            why: &why,
        })
    });
    match made.await.map_err(|error| Fault::internal(&error))? {
        Ok(made) => Ok(Redirect::to(&format!("/messages/{}", made.sequence)).into_response()),
        // A failed attempt to send must not lose the edited text.
        Err(error) => {
            let checked = check(&app, &draft, &stored, (body, false)).await?;
            let failed = Some(error.to_string());
            show(&app, visitor, sequence, (draft, Some(checked), failed))
        }
    }
}

async fn check(
    app: &App,
    draft: &Draft,
    stored: &Stored,
    (body, is_newer): (Vec<u8>, bool),
) -> Result<Checked, Fault> {
    let message = Message::parse(body.clone());
    let issues = message.issues().iter().chain(message.structure().issues());
    let issues = issues
        .map(|issue| (place_of(issue).1, words(issue)))
        .collect();
    let (work, flow) = (app.clone(), draft.flow.clone());
    let run = tokio::task::spawn_blocking(move || work.engine.dry_run(&flow, &body));
    let run = run.await.map_err(|error| Fault::internal(&error))?;
    let original = Message::parse(stored.body.clone());
    Ok(Checked {
        lost: draft.lost(&original),
        digest: draft.digest(),
        is_elsewhere: draft.flow != stored.summary.flow,
        is_newer,
        lines: differing(&segments(&original), &segments(&message)),
        issues,
        run: run.map_or_else(|error| Run::not_run(&error), Run::of),
    })
}

fn show(
    app: &App,
    visitor: &Visitor,
    sequence: u64,
    (draft, checked, failed): (Draft, Option<Checked>, Option<String>),
) -> Result<Response, Fault> {
    page(&EditPage {
        frame: Frame::new(visitor, Place::Messages, format!("Edit message {sequence}")),
        sequence,
        draft,
        flows: super::list::flow_names(app),
        checked,
        failed,
    })
}

/// Returns a message with one segment per line, and its flow. Audits the access.
pub(crate) async fn text_of(
    app: &App,
    visitor: &Visitor,
    sequence: u64,
) -> Result<(String, String), Fault> {
    audited_open(app, visitor, sequence, &ListQuery::default()).await?;
    let stored = read(app, sequence).await?;
    let message = Message::parse(stored.body.clone());
    let text = message.charset().decode(&stored.body).into_owned();
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    Ok((text, stored.summary.flow))
}

async fn record(app: &App, visitor: &Visitor, what: &str, sequence: u64) -> Result<(), Fault> {
    let touched = Touched {
        resource_type: "message".to_owned(),
        target: sequence.to_string(),
        patients: Vec::new(),
    };
    visitor.record(app, what, touched).await
}

async fn read(app: &App, sequence: u64) -> Result<Stored, Fault> {
    let work = app.clone();
    tokio::task::spawn_blocking(move || work.journal.read(Sequence::new(sequence)))
        .await
        .map_err(|error| Fault::internal(&error))??
        .ok_or_else(|| Fault::not_found("message"))
}

fn segments(message: &Message) -> Vec<String> {
    message
        .segments()
        .map(|segment| message.charset().decode(segment.raw()).into_owned())
        .collect()
}

/// Returns the segments that differ between the common beginning and the common end: an edit
/// usually changes a few segments in one place.
fn differing(before: &[String], after: &[String]) -> Vec<(Option<String>, Option<String>)> {
    let same = |(one, other): &(&String, &String)| one == other;
    let head = before.iter().zip(after).take_while(same).count();
    let (old, new) = (
        before.get(head..).unwrap_or_default(),
        after.get(head..).unwrap_or_default(),
    );
    let tail = old.iter().rev().zip(new.iter().rev());
    let tail = tail.take_while(same).count();
    let old = old.get(..old.len() - tail).unwrap_or_default();
    let new = new.get(..new.len() - tail).unwrap_or_default();
    let longest = old.len().max(new.len());
    let pairs = (0..longest).map(|idx| (old.get(idx).cloned(), new.get(idx).cloned()));
    pairs.filter(|(old, new)| old != new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_shown() {
        let lines = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for (before, after, expected) in [
            ("a b c", "a b c", vec![]),
            ("a b c", "a x c", vec![(Some("b"), Some("x"))]),
            ("a b c", "a c", vec![(Some("b"), None)]),
            ("a c", "a b c", vec![(None, Some("b"))]),
        ] {
            let found = differing(&lines(before), &lines(after));
            let found: Vec<_> = found
                .iter()
                .map(|(one, other)| (one.as_deref(), other.as_deref()))
                .collect();
            assert_eq!(found, expected, "{before} {after}");
        }
    }

    #[test]
    fn the_text_becomes_segments_in_the_charset_of_the_original() {
        let original = Message::parse(
            &b"MSH|^~\\&|A|B|||1||ADT^A08|1|P|2.5.1||||||8859/1\rPID|1||7||J\xf6rg\r"[..],
        );
        let draft = Draft {
            text: "MSH|a\r\nPID|1||7||J\u{f6}rg\n\n".to_owned(),
            flow: String::new(),
            why: String::new(),
        };
        assert_eq!(draft.bytes(&original), b"MSH|a\rPID|1||7||J\xf6rg\r");
        assert_eq!(draft.lost(&original), []);
        // ISO 8859-1 has no such letter: it is reported, and nothing is sent with a `?` in its
        // place.
        let greek = Draft {
            text: "PID|1||7||\u{3b1}\u{3b2}\u{3b1}".to_owned(),
            ..draft
        };
        assert_eq!(greek.lost(&original), ['\u{3b1}', '\u{3b2}']);
    }
}
