//! One transaction of the journal's writer.

use super::day::Term;
use super::entry::{self, join};
use super::large;
use super::state::rated_code;
use super::writer::{Order, Prepared};
use super::{Acknowledgement, Appended, Entry, Rated, Sequence};
use base::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};

/// The contents of one transaction; the index rows are written last, sorted.
pub(super) struct Batch<'a> {
    next: u64,
    now: Timestamp,
    window_start: i64,
    /// The other files of the class within the duplicate window.
    others: &'a [&'a Connection],
    terms: Vec<(Term, Vec<u8>, u64)>,
    minutes: BTreeMap<(&'a str, i64), u64>,
    /// Identity → bodies of this transaction, whose terms are not written yet.
    identities: HashMap<[u8; 8], Vec<([u8; 16], u64)>>,
    answers: Vec<Appended>,
}

/// The results of one transaction.
pub(super) struct Done {
    pub(super) next: u64,
    pub(super) answers: Vec<Appended>,
}

/// An earlier message with the same identity.
enum Earlier {
    Repeated(u64, Option<Acknowledgement>),
    Reused(u64),
}

// === impl Batch ===

impl<'a> Batch<'a> {
    pub(super) fn new(
        next: u64,
        now: Timestamp,
        window_start: i64,
        others: &'a [&'a Connection],
    ) -> Self {
        Self {
            next,
            now,
            window_start,
            others,
            terms: Vec::new(),
            minutes: BTreeMap::new(),
            identities: HashMap::new(),
            answers: Vec::new(),
        }
    }

    /// Writes the orders and waits for the disk. Returns one answer per append, in order.
    pub(super) fn write(
        mut self,
        connection: &Connection,
        orders: &'a [Order],
    ) -> rusqlite::Result<Done> {
        let transaction = connection.unchecked_transaction()?;
        for order in orders {
            match order {
                Order::Append(prepared, _) => self.append(connection, prepared)?,
                Order::Acknowledge(sequence, acknowledgement) => {
                    acknowledge(connection, sequence.get(), acknowledgement)?;
                }
            }
        }
        self.index(connection)?;
        transaction.commit()?;
        Ok(Done {
            next: self.next,
            answers: self.answers,
        })
    }

    fn append(&mut self, connection: &Connection, prepared: &'a Prepared) -> rusqlite::Result<()> {
        let entry = &prepared.entry;
        let identity = identity(&prepared.entry, &prepared.hash);
        let earlier = match identity {
            Some(identity) => self.earlier(connection, identity, &prepared.hash)?,
            None => None,
        };
        let reused = match earlier {
            Some(Earlier::Repeated(original, acknowledgement)) => {
                connection
                    .prepare_cached(
                        "INSERT INTO repeat(seq, received, connection) VALUES(?1,?2,?3)",
                    )?
                    .execute(params![
                        original as i64,
                        self.now.micros(),
                        entry.connection
                    ])?;
                *self
                    .minutes
                    .entry((&entry.flow, rated_code(Rated::Repeated)))
                    .or_default() += 1;
                let original = Sequence::new(original);
                self.answers.push(Appended::Repeated {
                    original,
                    acknowledgement,
                });
                return Ok(());
            }
            Some(Earlier::Reused(sequence)) => Some(sequence),
            None => None,
        };
        let sequence = self.next;
        self.next += 1;
        insert(connection, sequence, self.now, prepared, reused)?;
        if let Some(acknowledgement) = &entry.acknowledgement {
            acknowledge(connection, sequence, acknowledgement)?;
        }
        if let Some(identity) = identity {
            let body = body_half(&prepared.hash);
            self.identities
                .entry(identity)
                .or_default()
                .push((body, sequence));
            let key = [&identity[..], &body[..]].concat();
            self.terms.push((Term::Identity, key, sequence));
        }
        self.gather_terms(prepared, sequence);
        *self
            .minutes
            .entry((&entry.flow, rated_code(Rated::Received)))
            .or_default() += 1;
        self.answers.push(Appended::New {
            sequence: Sequence::new(sequence),
            received: self.now,
            reused_control_id: reused.map(Sequence::new),
        });
        Ok(())
    }

    /// Looks in this transaction, then in today's file, then in the others of the window.
    fn earlier(
        &self,
        connection: &Connection,
        identity: [u8; 8],
        hash: &[u8; 32],
    ) -> rusqlite::Result<Option<Earlier>> {
        let body = body_half(hash);
        let mut reused = None;
        for (known, sequence) in self.identities.get(&identity).into_iter().flatten().rev() {
            if *known == body {
                let acknowledgement = acknowledgement(connection, *sequence)?;
                return Ok(Some(Earlier::Repeated(*sequence, acknowledgement)));
            }
            reused = reused.or(Some(*sequence));
        }
        for file in std::iter::once(&connection).chain(self.others) {
            let Some(sequence) = any_with(file, identity)? else {
                continue;
            };
            let key = [&identity[..], &body[..]].concat();
            if let Some(original) = repeated_in(file, &key, self.window_start)? {
                let acknowledgement = acknowledgement(file, original)?;
                return Ok(Some(Earlier::Repeated(original, acknowledgement)));
            }
            reused = reused.or(Some(sequence));
        }
        Ok(reused.map(Earlier::Reused))
    }

    fn gather_terms(&mut self, prepared: &Prepared, sequence: u64) {
        let (entry, header) = (&prepared.entry, &prepared.entry.header);
        let patients = header.patients.iter().map(|value| (Term::Patient, value));
        let accessions = header
            .accessions
            .iter()
            .map(|value| (Term::Accession, value));
        let single = [
            (Term::Control, &header.control_id),
            (Term::Visit, &header.visit),
            (Term::Type, &header.message_type),
            (Term::Flow, &entry.flow),
        ];
        let all = single.into_iter().chain(patients).chain(accessions);
        let terms = all.filter(|(_, value)| !value.is_empty());
        self.terms
            .extend(terms.map(|(kind, value)| (kind, value.clone().into_bytes(), sequence)));
    }

    fn index(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.terms.sort_unstable();
        let mut term = connection
            .prepare_cached("INSERT OR IGNORE INTO term(kind, value, seq) VALUES(?1,?2,?3)")?;
        for (kind, value, sequence) in &self.terms {
            term.execute(params![*kind as i64, value, *sequence as i64])?;
        }
        let mut minute = connection.prepare_cached(
            "INSERT INTO minute(minute, flow, rated, n) VALUES(?1,?2,?3,?4)
             ON CONFLICT DO UPDATE SET n = n + excluded.n",
        )?;
        let this_minute = self.now.micros().div_euclid(60_000_000);
        for ((flow, rated), n) in &self.minutes {
            minute.execute(params![this_minute, flow, rated, *n as i64])?;
        }
        Ok(())
    }
}

fn insert(
    connection: &Connection,
    sequence: u64,
    now: Timestamp,
    prepared: &Prepared,
    reused: Option<u64>,
) -> rusqlite::Result<()> {
    let (entry, header) = (&prepared.entry, &prepared.entry.header);
    let (patients, accessions) = (join(&header.patients), join(&header.accessions));
    let texts = [
        &*entry.flow,
        &*entry.connection,
        &*header.sending_application,
        &*header.sending_facility,
        &*header.message_type,
        &*header.structure,
        &*header.control_id,
        &*header.processing_id,
        &*header.version,
        &*patients,
        &*header.visit,
        &*accessions,
    ];
    let numbers = (sequence, now.micros(), entry.body.len() as i64);
    let sum = entry::sum(numbers, texts, entry.no_message.as_deref(), reused);
    connection
        .prepare_cached(
            "INSERT INTO entry(seq, received, flow, connection, application, facility, type,
               structure, control, processing, version, patients, visit, accessions, n_bytes, hash,
               no_message, reused, sum)
             VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19)",
        )?
        .execute(params![
            sequence as i64,
            now.micros(),
            entry.flow,
            entry.connection,
            header.sending_application,
            header.sending_facility,
            header.message_type,
            header.structure,
            header.control_id,
            header.processing_id,
            header.version,
            patients,
            header.visit,
            accessions,
            entry.body.len() as i64,
            prepared.hash,
            entry.no_message,
            reused.map(|sequence| sequence as i64),
            sum,
        ])?;
    let bytes: &[u8] = prepared.compressed.as_deref().unwrap_or(&entry.body);
    large::write(connection, sequence, prepared.coding, bytes)
}

fn acknowledge(
    connection: &Connection,
    sequence: u64,
    acknowledgement: &Acknowledgement,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO acknowledgement(seq, code, bytes, sum) VALUES(?1,?2,?3,?4)",
        )?
        .execute(params![
            sequence as i64,
            acknowledgement.code,
            &acknowledgement.bytes[..],
            acknowledgement.sum(sequence),
        ])?;
    Ok(())
}

/// Returns the acknowledgement that a message got, if it is known. A damaged one is not returned: it is
/// worked out again.
pub(super) fn acknowledgement(
    connection: &Connection,
    sequence: u64,
) -> rusqlite::Result<Option<Acknowledgement>> {
    let read = |row: &Row<'_>| {
        let found = Acknowledgement {
            code: row.get(0)?,
            bytes: row.get::<_, Vec<u8>>(1)?.into(),
        };
        let sum: Option<i64> = row.get(2)?;
        let is_whole = sum.is_none_or(|sum| sum == found.sum(sequence));
        Ok(is_whole.then_some(found))
    };
    let found = connection
        .prepare_cached("SELECT code, bytes, sum FROM acknowledgement WHERE seq = ?1")?
        .query_row([sequence as i64], read)
        .optional()?;
    Ok(found.flatten())
}

/// Returns any message with that identity. For most messages there is none, and this query is their whole
/// cost.
fn any_with(connection: &Connection, identity: [u8; 8]) -> rusqlite::Result<Option<u64>> {
    let above = [&identity[..], &[0xff; 17][..]].concat();
    connection
        .prepare_cached(
            "SELECT seq FROM term WHERE kind = ?1 AND ?2 <= value AND value < ?3
             ORDER BY value DESC, seq DESC LIMIT 1",
        )?
        .query_row(
            params![Term::Identity as i64, &identity[..], above],
            |row| row.get::<_, i64>(0).map(|sequence| sequence as u64),
        )
        .optional()
}

fn repeated_in(
    connection: &Connection,
    key: &[u8],
    window_start: i64,
) -> rusqlite::Result<Option<u64>> {
    connection
        .prepare_cached(
            "SELECT e.seq FROM term t CROSS JOIN entry e ON e.seq = t.seq
             WHERE t.kind = ?1 AND t.value = ?2 AND ?3 <= e.received
             ORDER BY t.seq DESC LIMIT 1",
        )?
        .query_row(params![Term::Identity as i64, key, window_start], |row| {
            row.get::<_, i64>(0).map(|sequence| sequence as u64)
        })
        .optional()
}

/// Hashes flow, MSH-3, -4 and -10. Returns none for a message without a control id: it cannot be a repeat.
/// Bytes that are not a message, such as a batch envelope that does not fit, are identified by their content,
/// so that a sender that sends them again and again needs attention only once.
fn identity(entry: &Entry, body: &[u8; 32]) -> Option<[u8; 8]> {
    let header = &entry.header;
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    };
    add(entry.flow.as_bytes());
    if let Some(reason) = &entry.no_message {
        add(reason.as_bytes());
        add(body);
    } else if header.control_id.is_empty() {
        return None;
    } else {
        add(header.sending_application.as_bytes());
        add(header.sending_facility.as_bytes());
        add(header.control_id.as_bytes());
    }
    hash.finalize().first_chunk().copied()
}

/// Returns the key that finds the same message of the same sender again; none where nothing distinguishes it
/// from others.
pub(super) fn repeat_key(entry: &Entry) -> Option<Vec<u8>> {
    let hash = Sha256::digest(&entry.body).into();
    let identity = identity(entry, &hash)?;
    Some([&identity[..], &body_half(&hash)[..]].concat())
}

fn body_half(hash: &[u8; 32]) -> [u8; 16] {
    hash.first_chunk().copied().unwrap_or_default()
}
