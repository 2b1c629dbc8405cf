//! Consistency of journal, ledger and chart at startup: each must be the store that the others
//! remember.
//!
//! A disk may be replaced, one file restored from a backup, or a file deleted. Each store therefore
//! has an identity and a position, and remembers those of the others. They are compared here before
//! anything is processed. What can be rebuilt is rebuilt, what is lost is reported, and no store
//! passes for another.
//!
//! | lost or older | detected by | action |
//! |---|---|---|
//! | journal | chart and ledger remember higher messages, or another journal | numbering continues
//! above them; the ledger forgets what is gone |
//! | ledger | it is new, or the journal remembers a later one | its states are rebuilt from journal
//! and chart |
//! | chart | it is another one, or ledger and journal remember a later one | missing messages are
//! applied again from the journal |

use crate::attention::{self, Concern};
use store::Position;
use store::chart::{Applied, Chart, KnownJournal};
use store::journal::{Doubt, Journal, Reconciled, Sequence, WriteError};

/// The result of joining the stores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// Losses found in the stores, for a person to read. Empty where everything is as it was left.
    /// The ledger keeps the notices until somebody has seen them.
    pub notices: Vec<String>,
    /// Messages that the chart lacks and that are applied again.
    pub n_again: u64,
}

/// An error that prevented the stores from being joined.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The journal or its ledger could not be read or written.
    #[error("the journal could not be reconciled with the chart")]
    Journal(#[from] store::journal::ReadError),
    /// The chart could not be read or written.
    #[error("the chart could not be reconciled with the journal")]
    Chart(#[from] store::chart::ReadError),
    /// The ledger could not be written.
    #[error("the ledger could not be reconciled with journal and chart")]
    Ledger(#[from] WriteError),
}

/// Number of the newest messages, mapped according to the ledger, that are looked up in the chart.
const SAMPLE: usize = 64;

/// The state found in the three stores.
struct Found<'a> {
    chart: &'a Chart,
    journal: &'a Journal,
    /// Messages of this journal as the chart remembers them.
    known: Option<KnownJournal>,
    /// Earlier journals from which the chart has messages.
    earlier: Vec<KnownJournal>,
    notices: Vec<String>,
}

/// Compares the three stores, repairs what can be repaired, and reports losses. Call it once, after
/// all stores are opened and before anything is processed.
pub fn join(chart: &Chart, journal: &Journal) -> Result<Joined, JoinError> {
    let mut found = Found::look(chart, journal)?;
    let journal_lost = found.journal_lost()?;
    let doubt = found.ledger_lost();
    let chart_lost = found.chart_lost()?;
    let is_trouble = journal_lost || doubt.is_some() || chart_lost;
    let mut done = Reconciled::default();
    if is_trouble || (journal.ledger().opened().is_empty && Sequence::ZERO < journal.last()) {
        done = reconcile(chart, journal, doubt.unwrap_or(Doubt::None))?;
    }
    found.report_actions(&done, chart_lost);
    for notice in &found.notices {
        tracing::warn!("{notice}");
        // On a full disk the notice is repeated at the next start.
        if let Err(error) = journal.ledger().notice(notice.clone()).wait() {
            tracing::warn!(%error, "could not record a notice");
        }
    }
    remember(chart, journal);
    Ok(Joined {
        notices: found.notices,
        n_again: done.n_again,
    })
}

/// Records in each store the positions of the others. Call it periodically and at shutdown.
pub fn remember(chart: &Chart, journal: &Journal) {
    // If this fails, an older copy may pass for a newer one whose position was never recorded;
    // nothing worse.
    if let Err(error) = journal.remember(&chart.position()) {
        tracing::debug!(%error, "could not record the stores' positions");
    }
}

fn reconcile(chart: &Chart, journal: &Journal, doubt: Doubt) -> Result<Reconciled, JoinError> {
    let mut failed = None;
    let mut applied = |sequence: Sequence| {
        let marks = chart.applied(&chart.key_of(sequence));
        let marks = marks.unwrap_or_else(|error| {
            failed.get_or_insert(error);
            Vec::new()
        });
        let newest = marks.into_iter().next();
        Ok(newest.map(|mark| {
            let mut concerns = mark.concerns;
            if !mark.contradictions.is_empty() {
                let mut all = attention::read(concerns.as_deref().unwrap_or_default());
                all.extend(mark.contradictions.iter().map(Concern::of_contradiction));
                concerns = attention::write(&all);
            }
            store::journal::Applied {
                map_version: mark.map_version,
                concerns,
            }
        }))
    };
    let done = journal.reconcile(&mut applied, doubt)?;
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(done),
    }
}

// === impl Found ===

impl<'a> Found<'a> {
    fn look(chart: &'a Chart, journal: &'a Journal) -> Result<Self, JoinError> {
        let identity = journal.identity();
        // A journal with messages and a chart that both predate identities belong together.
        chart.bind(identity, !journal.is_new())?;
        let (known, earlier): (Vec<_>, Vec<_>) = chart
            .journals()?
            .into_iter()
            .partition(|known| known.identity.as_ref() == Some(identity));
        let earlier = earlier
            .into_iter()
            .filter(|earlier| Sequence::ZERO < earlier.highest)
            .collect();
        Ok(Self {
            chart,
            journal,
            known: known.into_iter().next(),
            earlier,
            notices: Vec::new(),
        })
    }

    /// Detects that the journal is another one, or ends before the position that others remember.
    fn journal_lost(&mut self) -> Result<bool, JoinError> {
        let ledger = self.journal.ledger().opened();
        for path in self.journal.set_aside() {
            self.notices.push(format!(
                "The journal file `{}` could not be read and was set aside. Its messages are no longer in the \
                 journal. Restore the file from a backup under its own name (without `.damaged-…`) while the \
                 server is stopped, or have the senders send again.",
                path.display()
            ));
        }
        let last = self.journal.last();
        let is_other = ledger
            .journal
            .as_ref()
            .is_some_and(|known| known != self.journal.identity());
        let in_chart = self.known.iter().map(|known| known.highest).max();
        let before = self.earlier.iter().map(|known| known.highest).max();
        let in_ledger = if is_other {
            Sequence::ZERO
        } else {
            ledger.highest
        };
        let own = in_chart.unwrap_or(Sequence::ZERO).max(in_ledger);
        let all = own
            .max(before.unwrap_or(Sequence::ZERO))
            .max(ledger.highest);
        // A ledger that knows this journal has already reported this.
        let is_unknown = ledger.journal.is_none() && in_chart.is_none_or(|at| at == Sequence::ZERO);
        let is_replaced = is_other || (is_unknown && before.is_some());
        if is_other {
            self.journal.forget_states()?;
        }
        if last < own {
            self.notices.push(format!(
                "The journal is older than chart and ledger remember: its last message is {last}, but they know of \
                 message {own}. Messages in between are in the chart if they were applied, but their \
                 original bytes are lost here. Restore the newest backup of `journal/`, or have the senders \
                 send these messages again. New messages are numbered from {} on.",
                own.get() + 1
            ));
        } else if is_replaced {
            self.notices.push(format!(
                "The journal is a new one: the journal whose messages the chart has (up to message {all}) is gone. \
                 Messages that were received and not applied yet are lost; applied ones stay in the chart. \
                 Stop the server and restore `journal/` from a backup, or have the senders send again. New \
                 messages are numbered from {} on.",
                all.get() + 1
            ));
        }
        if last < all {
            self.journal.skip_to(all)?;
        }
        Ok(last < own || is_replaced || !self.journal.set_aside().is_empty())
    }

    /// Detects a ledger that is new although there are messages, or older than the journal
    /// remembers.
    fn ledger_lost(&mut self) -> Option<Doubt> {
        let opened = self.journal.ledger().opened();
        let remembered = self.journal.seen("ledger");
        let now = self.journal.ledger().position();
        let applied = self
            .known
            .as_ref()
            .map_or(Sequence::ZERO, |known| known.highest);
        let is_lost = opened.is_new && (remembered.is_some() || opened.set_aside.is_some());
        // For data that predates these positions, only the chart shows that there was a ledger.
        let is_gone = opened.is_new && opened.is_empty && Sequence::ZERO < applied;
        let is_older = remembered
            .as_ref()
            .is_some_and(|then| is_behind(&now, then));
        if let Some(path) = &opened.set_aside {
            self.notices.push(format!(
                "The ledger `flow.db` could not be read and was set aside as `{}`.",
                path.display()
            ));
        }
        if !(is_lost || is_gone || is_older) {
            return None;
        }
        let what = if is_older {
            "is an older copy"
        } else {
            "was lost"
        };
        self.notices.push(format!(
            "The ledger (`flow.db`: the state of each message, messages held or skipped, stopped flows) {what}. It \
             was rebuilt from journal and chart. Review the messages that are held now, and stop again \
             the flows that were stopped."
        ));
        Some(Doubt::UpTo(applied))
    }

    /// Detects a chart that is another one, is older than others remember, or lacks messages that
    /// the ledger has as mapped.
    fn chart_lost(&mut self) -> Result<bool, JoinError> {
        let now = self.chart.position();
        let memories = [
            self.journal.ledger().opened().chart.clone(),
            self.journal.seen("chart"),
        ];
        let mut memories = memories.into_iter().flatten();
        let is_other = memories.clone().any(|then| then.identity != now.identity);
        let is_older = memories.any(|then| is_behind(&now, &then));
        let mut lacks = false;
        for sequence in self.journal.ledger().newest_mapped(SAMPLE)? {
            // Messages not in the journal cannot be applied again: they were another journal's.
            if sequence <= self.journal.last() {
                lacks |= self.chart.applied(&self.chart.key_of(sequence))?.is_empty();
            }
        }
        if is_other || is_older || lacks {
            let what = if is_other || self.chart.is_new() {
                "is a new one: the chart that journal and ledger remember is gone"
            } else {
                "is older than journal and ledger remember"
            };
            self.notices.push(format!(
                "The chart (`chart.db`) {what}. Messages that it lacks are applied to it again from the journal. Data \
                 written through the API or imported as FHIR since, and messages whose journal days are \
                 pruned, cannot be restored this way: restore the newest backup of `chart.db` where that matters."
            ));
            return Ok(true);
        }
        Ok(false)
    }

    fn report_actions(&mut self, done: &Reconciled, chart_lost: bool) {
        let mut said = Vec::new();
        if chart_lost || 0 < done.n_again {
            said.push(format!("{} messages are applied again", done.n_again));
        }
        if 0 < done.n_held {
            said.push(format!(
                "{} messages are held because it is unknown if a person had decided about them",
                done.n_held
            ));
        }
        if 0 < done.n_gone {
            said.push(format!(
                "{} messages that the ledger knew are no longer in the journal",
                done.n_gone
            ));
        }
        if let Some(last) = self.notices.last_mut()
            && !said.is_empty()
        {
            last.push(' ');
            last.push_str(&said.join("; "));
            last.push('.');
        }
    }
}

/// Returns true where this is the same store at an earlier position.
fn is_behind(now: &Position, then: &Position) -> bool {
    now.identity == then.identity && now.mark < then.mark
}

/// Returns the key by which the chart knows a message, with the maps that read it.
pub(crate) fn mark(chart: &Chart, sequence: Sequence, map_version: &str) -> Applied {
    Applied {
        message: chart.key_of(sequence),
        map_version: map_version.to_owned(),
        concerns: None,
    }
}
