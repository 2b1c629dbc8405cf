//! Accounts for each field of a message: the basis of the report.

use super::cell::{Cell, Origin, Reading};
use crate::program::{RowId, bit};
use crate::received::Received;
use crate::report::{Entry, Report, Unusable};
use hl7v2::Message;
use std::sync::Arc;

/// Segments that each make or change something: one that no row reads is lost.
const FACTS: [&str; 16] = [
    "AL1", "DG1", "FT1", "IAM", "OBR", "OBX", "ODS", "ORC", "PR1", "RXA", "RXD", "RXE", "RXG",
    "RXO", "SCH", "TXA",
];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Untouched,
    Dropped,
    Mapped,
}

#[derive(Clone, Copy, Debug, Default)]
struct Account {
    state: State,
    row: RowId,
    /// A bit for each repeat that was read: bit 0 is the first, all bits mean every repeat.
    repeats: u64,
    /// A bit for each component that was read by name; zero means the whole.
    components: u64,
    whole: bool,
}

/// A value that a `type` map split: which parts it has and which were used.
#[derive(Clone, Copy, Debug)]
struct Taken {
    origin: Origin,
    used: u64,
    valued: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Accounts {
    /// The fields of all segments, one after the other; each segment has an entry for field 0.
    fields: Vec<Account>,
    /// The start of each segment's fields, and the end of the last.
    starts: Vec<u32>,
    taken: Vec<Taken>,
    pub(crate) unusable: Vec<Unusable>,
    /// Issues of whole segments.
    pub(crate) issues: Vec<base::Issue>,
    reasons: Vec<(RowId, Arc<str>)>,
}

// === impl Accounts ===

impl Accounts {
    pub(crate) fn new(message: &Message) -> Self {
        let mut starts = vec![0];
        let mut n_fields = 0;
        for segment in message.segments() {
            n_fields += segment.field_count() + 1;
            starts.push(n_fields as u32);
        }
        Self {
            fields: vec![Account::default(); n_fields],
            starts,
            ..Self::default()
        }
    }

    /// Returns the range of a segment's fields.
    fn span(&self, segment: u32) -> Option<std::ops::Range<usize>> {
        let at = segment as usize;
        let (start, end) = (self.starts.get(at)?, self.starts.get(at + 1)?);
        Some(*start as usize..*end as usize)
    }

    fn fields_of(&self, segment: u32) -> &[Account] {
        let own = self.span(segment).and_then(|span| self.fields.get(span));
        own.unwrap_or_default()
    }

    fn account(&mut self, origin: Origin) -> Option<&mut Account> {
        let own = self.span(origin.segment)?;
        self.fields.get_mut(own)?.get_mut(usize::from(origin.field))
    }

    /// Records that a row took the value.
    pub(crate) fn mapped(&mut self, origin: Origin, row: RowId) {
        let Some(account) = self.account(origin) else {
            return;
        };
        if account.state != State::Mapped {
            account.row = row;
        }
        account.state = State::Mapped;
        account.note(origin);
    }

    pub(crate) fn dropped(&mut self, origin: Origin, row: RowId, reason: &Arc<str>) {
        let Some(account) = self.account(origin) else {
            return;
        };
        if account.state == State::Untouched {
            account.state = State::Dropped;
            account.row = row;
        }
        account.note(origin);
        if !self.reasons.iter().any(|(own, _)| *own == row) {
            self.reasons.push((row, Arc::clone(reason)));
        }
    }

    /// Returns whether a value of the segment is lost.
    pub(crate) fn has_error(&self, received: &Received, index: u32) -> bool {
        let own = received.place(super::cell::Origin {
            segment: index,
            ..super::cell::Origin::default()
        });
        self.unusable.iter().any(|one| {
            let place = one.place;
            let is_own = place.segment == own.segment && place.occurrence == own.occurrence;
            is_own && one.severity == base::Severity::Error
        })
    }

    /// Accounts for the second segment as for the first, where it has the same content or the first
    /// is not read.
    pub(crate) fn follow(&mut self, message: &Message, (first, second): (u32, u32)) {
        let known = self.fields_of(first).to_vec();
        let segments = [first, second].map(|index| message.segment_at(index as usize));
        let [Some(one), Some(other)] = segments else {
            return;
        };
        let own = self.span(second);
        let own = own.and_then(|span| self.fields.get_mut(span));
        for (number, account) in own.into_iter().flatten().enumerate().skip(1) {
            let Some(like) = known.get(number) else { break };
            let is_same = one.field_bytes(number).0 == other.field_bytes(number).0;
            if account.state == State::Untouched && (is_same || like.state == State::Dropped) {
                *account = *like;
            }
        }
    }

    /// Records that a value was split and which of its parts were used.
    pub(crate) fn taken(&mut self, cell: Cell<'_>, used: u64, reading: &Reading) {
        if used == u64::MAX {
            return self.all_taken(cell);
        }
        let valued = cell.valued_parts(reading);
        self.taken.push(Taken {
            origin: cell.origin,
            used,
            valued,
        });
    }

    /// Records that a value was split and that all parts present were used.
    pub(crate) fn used_up(&mut self, cell: Cell<'_>, used: u64) {
        self.taken.push(Taken {
            origin: cell.origin,
            used,
            valued: 0,
        });
    }

    /// Records that a value was used as a whole.
    pub(crate) fn all_taken(&mut self, cell: Cell<'_>) {
        self.used_up(cell, u64::MAX);
    }

    pub(crate) fn unusable(&mut self, unusable: Unusable) {
        self.unusable.push(unusable);
    }

    /// Builds the report: every field of every segment once, and the parts that no row used.
    pub(crate) fn report(
        mut self,
        message: &Message,
        received: &Received,
        reading: &Reading,
    ) -> Report {
        let mut report = Report {
            issues: std::mem::take(&mut self.issues),
            ..Report::default()
        };
        let leftovers = self.leftovers();
        for segment in message.segments() {
            let index = segment.index() as u32;
            let fields = self.fields_of(index);
            let valued = segment.valued_fields();
            let is_msh = segment.raw().starts_with(b"MSH");
            let (mut says, mut is_taken) = (false, false);
            for (number, account) in fields.iter().enumerate().skip(1) {
                if bit(number as u16).is_some_and(|bit| valued & bit == 0) {
                    continue;
                }
                let is_header = is_msh && number <= 2;
                let (raw, _) = segment.field_bytes(number);
                if is_header || raw.is_empty() {
                    continue;
                }
                let origin = Origin {
                    segment: index,
                    field: number as u16,
                    ..Origin::default()
                };
                let cell = Cell::new(raw, origin);
                // A set ID only counts, and `""` empties a list: neither carries information of its
                // own.
                says |= 1 < number && !cell.is_null();
                is_taken |= account.state != State::Untouched;
                self.enter(&mut report, received, *account, cell, reading);
            }
            if says && !is_taken && FACTS.contains(&segment.name()) {
                let origin = Origin {
                    segment: index,
                    ..Origin::default()
                };
                report.issues.push(base::Issue::error(
                    "not-supported",
                    received.place(origin).to_string(),
                    "no row of the map takes this segment, so nothing of it is in the chart",
                ));
            }
        }
        for origin in leftovers {
            let raw = raw_at(message, origin, reading);
            report
                .unmapped
                .push(Entry::new(received.place(origin)).with_raw(raw));
        }
        for unusable in &self.unusable {
            let known = report
                .unmapped
                .iter()
                .any(|entry| entry.place == unusable.place);
            if !known && !unusable.replaced {
                let entry = Entry {
                    raw: unusable.raw.clone(),
                    ..Entry::new(unusable.place)
                };
                report.unmapped.push(Entry {
                    row: Some(unusable.row),
                    ..entry
                });
            }
        }
        report.unusable = std::mem::take(&mut self.unusable);
        report
    }

    fn enter(
        &self,
        report: &mut Report,
        received: &Received,
        account: Account,
        cell: Cell<'_>,
        reading: &Reading,
    ) {
        let entry = Entry {
            row: Some(account.row),
            ..Entry::new(received.place(cell.origin))
        };
        match account.state {
            State::Untouched => {
                let entry = Entry { row: None, ..entry }.with_raw(cell.raw_text(reading));
                report.unmapped.push(entry);
            }
            State::Dropped => {
                let reason = self.reasons.iter().find(|(row, _)| *row == account.row);
                let reason = reason.map(|(_, reason)| Arc::clone(reason));
                report.dropped.push(Entry { reason, ..entry });
            }
            State::Mapped => {
                let field_failed = self.unusable.iter().any(|unusable| {
                    unusable.place == entry.place
                        && !unusable.replaced
                        && unusable.row == account.row
                });
                if field_failed {
                    return;
                }
                report.mapped.push(entry);
                Self::unread(report, received, account, cell, reading);
            }
        }
    }

    /// Returns the repeats that no row read and the components that no row named.
    fn unread(
        report: &mut Report,
        received: &Received,
        account: Account,
        cell: Cell<'_>,
        reading: &Reading,
    ) {
        let repeat = reading.delimiters.repeat;
        if account.repeats != u64::MAX && cell.raw.contains(&repeat) {
            for (place, raw) in cell.raw.split(|&byte| byte == repeat).enumerate().take(64) {
                if account.repeats & (1 << place) == 0 && !raw.is_empty() {
                    let origin = Origin {
                        repeat: place as u16 + 1,
                        ..cell.origin
                    };
                    let raw = Cell::new(raw, origin).raw_text(reading);
                    report
                        .unmapped
                        .push(Entry::new(received.place(origin)).with_raw(raw));
                }
            }
        }
        if account.whole || account.components == 0 {
            return;
        }
        let first = cell
            .raw
            .split(|&byte| byte == repeat)
            .next()
            .unwrap_or_default();
        let cell = Cell::new(
            first,
            Origin {
                repeat: 1,
                ..cell.origin
            },
        );
        for part in cell.parts(reading).take(64) {
            let bit = 1_u64 << (part.origin.component - 1);
            if account.components & bit == 0 && !part.is_empty(reading) {
                let raw = part.raw_text(reading);
                report
                    .unmapped
                    .push(Entry::new(received.place(part.origin)).with_raw(raw));
            }
        }
    }

    fn leftovers(&self) -> Vec<Origin> {
        let mut found: Vec<Origin> = Vec::new();
        for taken in self
            .taken
            .iter()
            .filter(|taken| taken.valued & !taken.used != 0)
        {
            let same = self
                .taken
                .iter()
                .filter(|other| other.origin == taken.origin);
            let used = same.fold(0, |used, other| used | other.used);
            for place in 0..64_u8 {
                if taken.valued & !used & (1 << place) == 0 {
                    continue;
                }
                let origin = match taken.origin.component {
                    0 => Origin {
                        component: place + 1,
                        ..taken.origin
                    },
                    _ => Origin {
                        sub: place + 1,
                        ..taken.origin
                    },
                };
                if !found.contains(&origin) {
                    found.push(origin);
                }
            }
        }
        found
    }
}

// === impl Account ===

impl Account {
    fn note(&mut self, origin: Origin) {
        self.repeats |= match origin.repeat {
            0 => u64::MAX,
            n => 1_u64.checked_shl(u32::from(n) - 1).unwrap_or(0),
        };
        match origin.component {
            0 => self.whole = true,
            n => self.components |= 1_u64.checked_shl(u32::from(n) - 1).unwrap_or(0),
        }
    }
}

fn raw_at(message: &Message, origin: Origin, reading: &Reading) -> Box<str> {
    let Some(segment) = message.segment_at(origin.segment as usize) else {
        return "".into();
    };
    let repeat = segment
        .field(usize::from(origin.field))
        .repeat(usize::from(origin.repeat.max(1)));
    let place = Origin {
        component: 0,
        sub: 0,
        ..origin
    };
    let mut cell = Cell::new(repeat.raw(), place);
    for part in [origin.component, origin.sub] {
        if part != 0 {
            cell = cell.part(part, reading);
        }
    }
    cell.raw_text(reading)
}
