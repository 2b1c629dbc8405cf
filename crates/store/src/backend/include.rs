//! Resources added to the matches: `_include` and `_revinclude`.
//!
//! Invariant: a resource that the row filter does not cover is not included; nothing is included
//! twice, nor if it is already a match.

use super::pass::visible;
use super::sql;
use crate::backend::persons::{self, Persons};
use crate::backend::plan::{Exact, Rows};
use crate::backend::stored::{PERSON, Res, Set};
use crate::backend::{Fault, Index};
use search::{Include, Query};
use std::collections::HashSet;

/// The maximum number of rounds of `:iterate`.
const MAX_ROUNDS: usize = 8;

/// The included resources.
#[derive(Debug, Default)]
pub(crate) struct Included {
    pub(crate) found: Vec<Res>,
    /// True if there were more than the limit.
    pub(crate) cut: bool,
}

/// The scope of gathering: the chart, the caller and the limit.
pub(crate) struct Around<'a> {
    pub(crate) index: &'a dyn Index,
    pub(crate) persons: &'a Persons<'a>,
    pub(crate) max: usize,
}

struct Gather<'a> {
    index: &'a dyn Index,
    rows: &'a Rows,
    persons: &'a Persons<'a>,
    max: usize,
    seen: HashSet<Res>,
    included: Included,
}

/// Returns all resources that a query includes for its matches.
pub(crate) fn gather(
    around: &Around<'_>,
    query: &Query,
    matches: &[Res],
) -> Result<Included, Fault> {
    if query.includes.is_empty() && query.revincludes.is_empty() {
        return Ok(Included::default());
    }
    let seen = matches.iter().copied().collect();
    let mut gather = Gather {
        index: around.index,
        rows: around.persons.rows,
        persons: around.persons,
        max: around.max,
        seen,
        included: Included::default(),
    };
    let mut from = 0;
    gather.round(query, matches, false)?;
    for _ in 1..MAX_ROUNDS {
        let fresh = gather
            .included
            .found
            .get(from..)
            .unwrap_or_default()
            .to_vec();
        from = gather.included.found.len();
        if fresh.is_empty() {
            break;
        }
        gather.round(query, &fresh, true)?;
    }
    Ok(gather.included)
}

// === impl Gather ===

impl Gather<'_> {
    fn round(&mut self, query: &Query, from: &[Res], iterate: bool) -> Result<(), Fault> {
        self.index.announce(from)?;
        for &res in from {
            let Some(bytes) = self.index.set(res)? else {
                continue;
            };
            let Some(set) = Set::read(&bytes) else {
                continue;
            };
            for include in query
                .includes
                .iter()
                .filter(|include| include.iterate || !iterate)
            {
                self.forward(include, &set)?;
            }
            for include in query
                .revincludes
                .iter()
                .filter(|include| include.iterate || !iterate)
            {
                self.backward(include, res, &set)?;
            }
        }
        Ok(())
    }

    fn forward(&mut self, include: &Include, set: &Set<'_>) -> Result<(), Fault> {
        if self.index.type_number(include.source_type) != Some(set.type_number) {
            return Ok(());
        }
        let values = set.values(include.param.key.0);
        let mut targets: Vec<Res> = values.filter_map(|value| value.local()).collect();
        if persons::names_persons(include.source_type) {
            for target in &mut targets {
                *target = self.persons.shown(*target)?;
            }
        }
        self.index.announce(&targets)?;
        for target in targets {
            self.add(target, include.target_type)?;
        }
        Ok(())
    }

    fn backward(&mut self, include: &Include, res: Res, set: &Set<'_>) -> Result<(), Fault> {
        let asked = include.target_type.map(|name| self.index.type_number(name));
        if asked.is_some_and(|asked| asked != Some(set.type_number)) {
            return Ok(());
        }
        let targets = if self.persons.on && set.flags & PERSON != 0 {
            self.persons.patients(res)?
        } else {
            vec![res]
        };
        let mut sources = Vec::new();
        for target in targets {
            let param = include.param.key.0;
            let mut rows = sql::exact_rows(&Exact::Reference { param, target });
            rows.sql.push_str(" LIMIT ?");
            rows.params.push((self.max as i64 + 1).into());
            sources.extend(self.index.numbers(&rows)?);
        }
        self.index.announce(&sources)?;
        for source in sources {
            self.add(source, Some(include.source_type))?;
        }
        Ok(())
    }

    fn add(&mut self, res: Res, resource_type: Option<&str>) -> Result<(), Fault> {
        if self.seen.contains(&res) || self.included.cut {
            return Ok(());
        }
        let Some(bytes) = self.index.set(res)? else {
            return Ok(());
        };
        let Some(set) = Set::read(&bytes) else {
            return Ok(());
        };
        let wanted = resource_type.map(|name| self.index.type_number(name));
        if wanted.is_some_and(|wanted| wanted != Some(set.type_number)) || !visible(self.rows, &set)
        {
            return Ok(());
        }
        if self.max <= self.included.found.len() {
            self.included.cut = true;
            return Ok(());
        }
        self.seen.insert(res);
        self.included.found.push(res);
        Ok(())
    }
}
