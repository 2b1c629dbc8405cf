//! The test of a candidate against the plan, by its posting set, and its sort keys.

use super::execute::{FIRST_CHUNK, Run, Stream};
use crate::backend::check::Check;
use crate::backend::persons::Persons;
use crate::backend::plan::{By, Exact, Node, OrderBy, Rows, SortKey, SortValue};
use crate::backend::stored::{PERSON, RETIRED, Res, Set, Stored, decode_value};
use crate::backend::{Fault, resolve};
use base::Timestamp;
use search::{Span, Value};

/// Returns true if the row filter covers a resource, according to its set.
pub(crate) fn visible(rows: &Rows, set: &Set<'_>) -> bool {
    rows.covers_type(set.type_number)
        && match rows {
            Rows::Everything | Rows::Types(_) => true,
            Rows::Patients { patients, .. } => set.patients().any(|own| patients.contains(&own)),
            Rows::Nothing => false,
        }
}

/// Returns true for living persons in the person view, and for source records in the plain view.
fn is_wanted(persons: bool, flags: u8) -> bool {
    match flags & (PERSON | RETIRED) {
        0 => !persons,
        PERSON => persons,
        _ => false,
    }
}

// === impl Run ===

impl Run<'_> {
    /// Returns false if the rows of drive and probes decide everything.
    pub(super) fn needs_sets(&self) -> bool {
        let all_rows = matches!(self.plan.rows, Rows::Everything | Rows::Types(_));
        !all_rows || !self.plan.nodes.is_empty() || self.plan.persons.is_some()
    }

    /// Announces the sets that will be needed to the engine: those of a chunk of candidates, then
    /// those to which their chains lead.
    pub(super) fn announce(&self, found: &[Res]) -> Result<(), Fault> {
        self.index.announce(found)?;
        for node in &self.plan.nodes {
            self.announce_targets(node, found)?;
        }
        Ok(())
    }

    fn announce_targets(&self, node: &Node, found: &[Res]) -> Result<(), Fault> {
        let Node::Chain { param, branches } = node else {
            return Ok(());
        };
        if !self.index.is_remote() {
            return Ok(());
        }
        let mut targets = Vec::new();
        for res in found {
            let bytes = self.index.set(*res)?.unwrap_or_default();
            if let Some(set) = Set::read(&bytes) {
                targets.extend(set.values(*param).filter_map(|value| value.local()));
            }
        }
        targets.sort_unstable();
        targets.dedup();
        self.index.announce(&targets)?;
        for (_, node) in branches {
            self.announce_targets(node, &targets)?;
        }
        Ok(())
    }

    pub(super) fn passes(&self, res: Res) -> Result<bool, Fault> {
        if !self.needs_sets() {
            // The rows decide everything, and only live resources have rows.
            return Ok(true);
        }
        let Some(bytes) = self.index.set(res)? else {
            return Ok(false);
        };
        let set = Set::read(&bytes).ok_or(Fault::Damaged("a posting set"))?;
        self.set_passes(res, &set)
    }

    pub(super) fn set_passes(&self, res: Res, set: &Set<'_>) -> Result<bool, Fault> {
        if set.type_number != self.plan.type_number || !visible(&self.plan.rows, set) {
            return Ok(false);
        }
        if self
            .plan
            .persons
            .is_some_and(|persons| !is_wanted(persons, set.flags))
        {
            return Ok(false);
        }
        for node in &self.plan.nodes {
            if !self.holds(node, res, set)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn holds(&self, node: &Node, res: Res, set: &Set<'_>) -> Result<bool, Fault> {
        Ok(match node {
            Node::Any { param, checks } => Check::any(checks, set, *param),
            Node::None { param, checks } => !Check::any(checks, set, *param),
            Node::Missing { params, missing } => {
                let has_one = params.iter().any(|param| set.raw(*param).next().is_some());
                has_one != *missing
            }
            Node::These(found) => found.contains(&res),
            Node::Updated(tests) => {
                let (_, updated) = self.index.newest(res)?;
                let at = Timestamp::from_micros(updated);
                tests
                    .iter()
                    .any(|test| test.holds(Span { low: at, high: at }))
            }
            Node::Chain { param, branches } => {
                for value in set.values(*param) {
                    if let Stored::Local(target) = value
                        && self.target_passes(target, branches)?
                    {
                        return Ok(true);
                    }
                }
                false
            }
            Node::Has {
                param,
                type_number,
                node,
            } => {
                let targets = if self.plan.by_person && set.flags & PERSON != 0 {
                    self.persons().patients(res)?
                } else {
                    vec![res]
                };
                for target in targets {
                    if self.has(*param, *type_number, node, target)? {
                        return Ok(true);
                    }
                }
                false
            }
        })
    }

    fn persons(&self) -> Persons<'_> {
        Persons {
            session: self.index,
            rows: &self.plan.rows,
            on: self.plan.by_person,
        }
    }

    fn target_passes(&self, target: Res, branches: &[(i64, Node)]) -> Result<bool, Fault> {
        let target = self.persons().shown(target)?;
        let key = (branches.as_ptr().addr(), target);
        if let Some(known) = self.memo.borrow().get(&key) {
            return Ok(*known);
        }
        let bytes = self.index.set(target)?.unwrap_or_default();
        let mut passes = false;
        let seen = |set: &Set<'_>| {
            let is_patient = self.index.type_number("Patient") == Some(set.type_number);
            visible(&self.plan.rows, set)
                && (!self.plan.by_person || !is_patient || is_wanted(true, set.flags))
        };
        if let Some(set) = Set::read(&bytes).filter(seen) {
            for (type_number, node) in branches {
                if *type_number == set.type_number && self.holds(node, target, &set)? {
                    passes = true;
                    break;
                }
            }
        }
        self.memo.borrow_mut().insert(key, passes);
        Ok(passes)
    }

    fn has(&self, param: u32, type_number: i64, node: &Node, res: Res) -> Result<bool, Fault> {
        let row = Exact::Reference { param, target: res };
        let mut stream = Stream::new(Some(&row), 0, FIRST_CHUNK);
        stream.advance(self, &[])?;
        while let Some(source) = stream.head {
            let bytes = self.index.set(source)?.unwrap_or_default();
            if let Some(set) = Set::read(&bytes)
                && set.type_number == type_number
                && visible(&self.plan.rows, &set)
                && self.holds(node, source, &set)?
            {
                return Ok(true);
            }
            stream.advance(self, &[])?;
        }
        Ok(false)
    }

    pub(super) fn sort_keys(&self, res: Res, set: &Set<'_>) -> Result<Vec<SortKey>, Fault> {
        self.plan
            .order
            .iter()
            .map(|by| self.sort_key(*by, res, set))
            .collect()
    }

    fn sort_key(&self, by: OrderBy, res: Res, set: &Set<'_>) -> Result<SortKey, Fault> {
        Ok(match by.by {
            By::Commit => Some(SortValue::Number(self.index.newest(res)?.0)),
            By::Id => Some(SortValue::Id(self.index.name(res)?.1.into())),
            By::Param(param) => self
                .extreme(param, by.descending, set)?
                .map(SortValue::Value),
        })
    }

    /// Returns the smallest or greatest value of a parameter.
    fn extreme(&self, param: u32, greatest: bool, set: &Set<'_>) -> Result<Option<Value>, Fault> {
        let mut best: Option<Value> = None;
        for mut stored in set.raw(param).filter_map(decode_value) {
            if let Stored::Local(target) = &mut stored {
                *target = self.persons().shown(*target)?;
            }
            let value = resolve::value(self.index, &stored)?;
            best = Some(match best {
                Some(best) if greatest => best.max(value),
                Some(best) => best.min(value),
                None => value,
            });
        }
        Ok(best)
    }
}
