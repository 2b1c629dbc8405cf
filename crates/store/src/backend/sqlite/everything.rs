//! The `$everything` of some patients: the Patients, their compartments and the resources to which
//! those refer.

use super::session::SqliteSession;
use crate::backend::pass::visible;
use crate::backend::persons::{self, Persons};
use crate::backend::plan::{After, Rows};
use crate::backend::stored::{Res, Set, Stored, decode_value};
use crate::backend::{Fault, Index, Session, cursor};
use crate::chart::{EverythingPage, Page};
use std::collections::BTreeSet;

/// The mark of its cursors.
const EVERYTHING: u32 = 0x6576_7279;
/// The sort position of persons among the numbers of types.
const PERSONS: i64 = -1;
/// The sort position of source Patients.
const RECORDS: i64 = 0;

// === impl SqliteSession ===

impl SqliteSession<'_> {
    /// Returns a page in this order: persons, source Patients, the rest by type, then by number. A
    /// person stands for its records.
    pub(crate) fn everything(
        &self,
        rows: &Rows,
        patients: &[String],
        page: &EverythingPage,
    ) -> Result<Page, Fault> {
        let count = if page.count == 0 {
            100
        } else {
            page.count as usize
        };
        let mut all: BTreeSet<(i64, Res)> = BTreeSet::new();
        let mut persons = Persons {
            session: self,
            rows,
            on: false,
        };
        for patient in patients {
            let Some(patient) = self.resource("Patient", patient)? else {
                continue;
            };
            for res in persons.patients(patient)? {
                self.compartment(res, &mut all)?;
            }
            if let Some(person) = persons::living(self, patient)? {
                all.remove(&(RECORDS, person));
                all.insert((PERSONS, person));
                persons.on = true;
            }
        }
        if let Some(text) = &page.cursor {
            all = all.split_off(&position_after(&cursor::read(self, EVERYTHING, text)?)?);
        }
        let types: Vec<i64> = page
            .types
            .iter()
            .filter_map(|name| self.type_number(name))
            .collect();
        let mut hits: Vec<(i64, Res)> = Vec::new();
        let mut answer = Page::default();
        let mut around = BTreeSet::new();
        for (type_number, res) in all {
            if !self.is_wanted(res, &types, page)? {
                continue;
            }
            let Some(bytes) = self.set(res)? else {
                continue;
            };
            let Some(set) = Set::read(&bytes).filter(|set| visible(rows, set)) else {
                continue;
            };
            if hits.len() == count {
                let last = hits.last().copied().unwrap_or_default();
                answer.next = Some(cursor::write(self, EVERYTHING, &after(last))?);
                break;
            }
            hits.push((type_number, res));
            around.extend(
                set.postings()
                    .filter_map(|(_, value)| match decode_value(value) {
                        Some(Stored::Local(target)) => Some(target),
                        _ => None,
                    }),
            );
        }
        let found: Vec<Res> = hits.into_iter().map(|(_, res)| res).collect();
        answer.matches = self.load(&found)?;
        let around: Result<Vec<Res>, Fault> = around
            .into_iter()
            .filter_map(|res| {
                self.stands_alone(rows, res)
                    .map(|yes| yes.then_some(res))
                    .transpose()
            })
            .collect();
        let around = around?;
        answer.included = self.load(&around)?;
        answer.persons = persons.stand_ins(&[found, around].concat())?;
        Ok(answer)
    }

    fn compartment(&self, patient: Res, all: &mut BTreeSet<(i64, Res)>) -> Result<(), Fault> {
        let patients = self.type_number("Patient").unwrap_or_default();
        let mut statement = self
            .conn
            .prepare_cached("SELECT type, res FROM compartment WHERE patient = ?")?;
        let mut rows = statement.query([patient])?;
        while let Some(row) = rows.next()? {
            let type_number: i64 = row.get(0)?;
            let place = if type_number == patients {
                RECORDS
            } else {
                type_number
            };
            all.insert((place, row.get(1)?));
        }
        Ok(())
    }

    fn is_wanted(&self, res: Res, types: &[i64], page: &EverythingPage) -> Result<bool, Fault> {
        if !types.is_empty() {
            let (name, _) = self.name(res)?;
            if !self
                .type_number(name)
                .is_some_and(|number| types.contains(&number))
            {
                return Ok(false);
            }
        }
        match page.since {
            Some(since) => Ok(since.micros() <= self.newest(res)?.1),
            None => Ok(true),
        }
    }

    /// Returns true for practitioners, organizations and medications, which are in no patient's
    /// compartment and thus not among the matches of any page.
    fn stands_alone(&self, rows: &Rows, res: Res) -> Result<bool, Fault> {
        let bytes = self.set(res)?.unwrap_or_default();
        let set = Set::read(&bytes);
        Ok(set.is_some_and(|set| set.patients().next().is_none() && visible(rows, &set)))
    }
}

fn after((place, res): (i64, Res)) -> After {
    use crate::backend::plan::SortValue;
    After {
        keys: vec![Some(SortValue::Number(place))],
        res,
    }
}

fn position_after(after: &After) -> Result<(i64, Res), Fault> {
    use crate::backend::plan::SortValue;
    match after.keys.as_slice() {
        [Some(SortValue::Number(place))] => Ok((*place, after.res + 1)),
        _ => Err(Fault::Cursor),
    }
}
