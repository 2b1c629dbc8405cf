//! The planner turns a query into a plan: which index drives, which rows are probed, what is
//! checked.
//!
//! Invariants:
//! - every filter of the query becomes the drive, a probe or a node; a filter that an exact row
//!   does not decide alone also becomes a node;
//! - a chain or `_has` with a small inner side runs first and becomes a list of numbers; a large
//!   one is checked resource by resource;
//! - the order never depends on the drive, so the pages of one search are consistent even if the
//!   estimates change between them.

use crate::backend::check::Check;
use crate::backend::persons::Persons;
use crate::backend::plan::{After, By, Drive, Exact, Node, OrderBy, Plan, Probe, Rows};
use crate::backend::stored::{Res, Set};
use crate::backend::{Fault, Session, resolve};
use search::{Branch, Filter, Query, SortBy, Test};

/// The number of hits above which an inner search does not run first.
const MAX_INNER: usize = 1000;
/// The limit at which counting the rows of a drive stops.
const MAX_ESTIMATE: u64 = 20_000;
/// The number of rows below which sorting is cheaper than planning around it.
const SORT_AT_ONCE: u64 = 2_000;
/// The number of alternatives above which the posting set is checked instead.
const MAX_PROBES: usize = 16;

/// The planner of one search.
pub(crate) struct Planner<'a> {
    session: &'a dyn Session,
    rows: &'a Rows,
    persons: Persons<'a>,
}

/// A filter in numbers.
struct Resolved {
    node: Option<Node>,
    /// Rows of which having one satisfies the filter.
    probe: Option<Probe>,
    drive: Option<Drive>,
}

// === impl Planner ===

impl<'a> Planner<'a> {
    /// Creates a planner for one state of the chart and one caller.
    pub(crate) fn new(persons: Persons<'a>) -> Self {
        Self {
            session: persons.session,
            rows: persons.rows,
            persons,
        }
    }

    /// Plans one page of a query.
    pub(crate) fn plan(
        &self,
        query: &Query,
        after: Option<After>,
        limit: usize,
    ) -> Result<Plan, Fault> {
        let order = query.sort.iter().map(|sort| OrderBy {
            by: match sort.by {
                SortBy::Id => By::Id,
                SortBy::LastUpdated => By::Commit,
                SortBy::Param(param) => By::Param(param.key.0),
            },
            descending: sort.descending,
        });
        let mut plan = self.plan_filters(query.resource_type, &query.filters, limit)?;
        plan.order = order.collect();
        plan.after = after;
        if query.resource_type == "Patient" {
            plan.persons = Some(self.persons.on);
        }
        self.prefer_sorted_index(query, &mut plan)?;
        Ok(plan)
    }

    fn plan_filters(
        &self,
        resource_type: &str,
        filters: &[Filter],
        limit: usize,
    ) -> Result<Plan, Fault> {
        let type_number = self
            .session
            .type_number(resource_type)
            .ok_or(Fault::Damaged("unknown type"))?;
        let mut resolved = Vec::with_capacity(filters.len() + 1);
        for filter in filters {
            resolved.push(self.resolve(resource_type, filter)?);
        }
        if let Rows::Patients { patients, .. } = self.rows {
            let rows = patients.iter().map(|&patient| Exact::Compartment {
                patient,
                type_number,
            });
            // Sets are checked again; this avoids reading rows that may not be seen.
            let rows: Vec<_> = rows.collect();
            resolved.push(Resolved {
                node: None,
                probe: Some(Probe(rows.clone())),
                drive: Some(Drive::Exact(rows)),
            });
        }
        let chosen = self.choose(type_number, &resolved)?;
        let mut plan = Plan {
            type_number,
            drive: Drive::Type,
            probes: Vec::new(),
            nodes: Vec::new(),
            rows: self.rows.clone(),
            persons: (self.persons.on && resource_type == "Patient").then_some(true),
            by_person: self.persons.on,
            order: Vec::new(),
            after: None,
            limit,
        };
        for (idx, part) in resolved.into_iter().enumerate() {
            let drives = chosen == Some(idx);
            match (part.probe, part.node) {
                // The rows of the drive decide it.
                (Some(_), _) if drives => {}
                (Some(probe), _) if probe.0.len() <= MAX_PROBES => plan.probes.push(probe),
                (_, node) => plan.nodes.extend(node),
            }
            if drives {
                plan.drive = part.drive.unwrap_or(Drive::Type);
            }
        }
        Ok(plan)
    }

    /// Chooses the filter with the fewest rows.
    fn choose(&self, type_number: i64, resolved: &[Resolved]) -> Result<Option<usize>, Fault> {
        let mut best = None;
        let mut cap = MAX_ESTIMATE;
        for (idx, part) in resolved.iter().enumerate() {
            let Some(drive) = &part.drive else { continue };
            let estimate = self.session.estimate(type_number, drive, cap)?;
            // An index that yields numbers in order can stop early, however many rows it has.
            if estimate < cap || best.is_none() && drive.is_by_number() {
                best = Some(idx);
                cap = estimate.min(cap);
            }
            if cap == 0 {
                break;
            }
        }
        Ok(best)
    }

    /// Prefers an index in the requested order if much would have to be sorted: it may fill a page
    /// sooner.
    fn prefer_sorted_index(&self, query: &Query, plan: &mut Plan) -> Result<(), Fault> {
        let [only] = plan.order.as_slice() else {
            return Ok(());
        };
        let descending = only.descending;
        let sorted = match query.sort.first().map(|sort| sort.by) {
            Some(SortBy::LastUpdated) => Drive::Commits { descending },
            Some(SortBy::Param(param)) if param.kind == search::ParamKind::Date => Drive::Dates {
                param: param.key.0,
                descending,
            },
            Some(SortBy::Id | SortBy::Param(_)) | None => return Ok(()),
        };
        let n_all = self.session.census(plan.type_number)?;
        let n_rows = match &plan.drive {
            Drive::Type => n_all,
            drive => self
                .session
                .estimate(plan.type_number, drive, MAX_ESTIMATE)?,
        };
        // Assumes that the wanted rows are evenly distributed.
        let n_read = (plan.limit as u64).saturating_mul(n_all) / n_rows.max(1);
        if SORT_AT_ONCE < n_rows && n_read < n_rows {
            // The condition that the drive decided has to be checked once it no longer drives.
            // Checking the others twice costs little compared with finding out which one it was.
            plan.drive = sorted;
            plan.nodes.clear();
            for filter in &query.filters {
                plan.nodes
                    .extend(self.resolve(query.resource_type, filter)?.node);
            }
        }
        Ok(())
    }

    fn resolve(&self, resource_type: &str, filter: &Filter) -> Result<Resolved, Fault> {
        match filter {
            Filter::Any { key, tests, .. } => {
                let checks = self.checks(tests)?;
                Ok(any(key.0, checks))
            }
            Filter::None { key, tests, .. } => {
                let node = Node::None {
                    param: key.0,
                    checks: self.checks(tests)?,
                };
                Ok(Resolved::checked(node))
            }
            Filter::Missing { keys, missing, .. } => {
                let params = keys.iter().map(|key| key.0).collect();
                Ok(Resolved::checked(Node::Missing {
                    params,
                    missing: *missing,
                }))
            }
            Filter::Chain { link, branches } => self.chain(link.key.0, branches),
            Filter::Has {
                source_type,
                link,
                filter,
            } => self.has(resource_type, (source_type, link.key.0), filter),
            Filter::Id(ids) => Ok(Resolved::these(self.ids(resource_type, ids)?)),
            Filter::LastUpdated(tests) => Ok(Resolved::checked(Node::Updated(tests.clone()))),
        }
    }

    fn checks(&self, tests: &[Test]) -> Result<Vec<Check>, Fault> {
        tests
            .iter()
            .map(|test| resolve::check(&self.persons, test))
            .collect()
    }

    fn chain(&self, param: u32, branches: &[Branch]) -> Result<Resolved, Fault> {
        let mut targets = Vec::new();
        for Branch {
            resource_type,
            filter,
        } in branches
        {
            match self.inner(resource_type, filter)? {
                Some(found) if self.persons.on && *resource_type == "Patient" => {
                    for person in found {
                        targets.extend(self.persons.patients(person)?);
                    }
                }
                Some(found) => targets.extend(found),
                None => return self.chain_by_resource(param, branches),
            }
        }
        targets.sort_unstable();
        targets.dedup();
        Ok(any(param, vec![Check::Local(targets)]))
    }

    fn chain_by_resource(&self, param: u32, branches: &[Branch]) -> Result<Resolved, Fault> {
        let mut nodes = Vec::new();
        for Branch {
            resource_type,
            filter,
        } in branches
        {
            let type_number = self.session.type_number(resource_type);
            let node = self.node(resource_type, filter)?;
            nodes.extend(type_number.map(|type_number| (type_number, node)));
        }
        Ok(Resolved::checked(Node::Chain {
            param,
            branches: nodes,
        }))
    }

    fn has(
        &self,
        resource_type: &str,
        (source_type, param): (&str, u32),
        filter: &Filter,
    ) -> Result<Resolved, Fault> {
        let Some(sources) = self.inner(source_type, filter)? else {
            let type_number = self
                .session
                .type_number(source_type)
                .ok_or(Fault::Damaged("unknown type"))?;
            let node = Box::new(self.node(source_type, filter)?);
            return Ok(Resolved::checked(Node::Has {
                param,
                type_number,
                node,
            }));
        };
        let mut targets = Vec::new();
        for source in sources {
            let bytes = self.session.set(source)?.unwrap_or_default();
            let Some(set) = Set::read(&bytes) else {
                continue;
            };
            targets.extend(set.values(param).filter_map(|value| value.local()));
        }
        if resource_type == "Patient" {
            for target in &mut targets {
                *target = self.persons.shown(*target)?;
            }
        }
        Ok(Resolved::these(targets))
    }

    /// Returns all hits of an inner search, if they are few.
    fn inner(&self, resource_type: &str, filter: &Filter) -> Result<Option<Vec<Res>>, Fault> {
        if !self
            .session
            .type_number(resource_type)
            .is_some_and(|n| self.rows.covers_type(n))
        {
            return Ok(Some(Vec::new()));
        }
        let plan = self.plan_filters(resource_type, std::slice::from_ref(filter), MAX_INNER)?;
        let few = match &plan.drive {
            Drive::Type => self.session.census(plan.type_number)?,
            drive => self
                .session
                .estimate(plan.type_number, drive, MAX_INNER as u64 * 4)?,
        };
        if MAX_INNER as u64 * 4 <= few {
            return Ok(None);
        }
        let found = self.session.execute(&plan)?;
        Ok((!found.more).then(|| found.hits.into_iter().map(|hit| hit.res).collect()))
    }

    fn node(&self, resource_type: &str, filter: &Filter) -> Result<Node, Fault> {
        self.resolve(resource_type, filter)?
            .node
            .ok_or(Fault::Damaged("a filter without a node"))
    }

    fn ids(&self, resource_type: &str, ids: &[String]) -> Result<Vec<Res>, Fault> {
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            let Some(res) = self.session.resource(resource_type, id)? else {
                continue;
            };
            found.push(if resource_type == "Patient" {
                self.persons.shown(res)?
            } else {
                res
            });
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }
}

fn any(param: u32, checks: Vec<Check>) -> Resolved {
    let exact: Option<Vec<_>> = checks
        .iter()
        .map(|check| resolve::exact(param, check))
        .collect();
    let (probe, drive) = match exact {
        Some(parts) => {
            let whole = parts.iter().all(|(_, whole)| *whole);
            let rows: Vec<Exact> = parts.into_iter().flat_map(|(rows, _)| rows).collect();
            (whole.then(|| Probe(rows.clone())), Some(Drive::Exact(rows)))
        }
        None => (None, range(param, &checks)),
    };
    Resolved {
        node: Some(Node::Any { param, checks }),
        probe,
        drive,
    }
}

fn range(param: u32, checks: &[Check]) -> Option<Drive> {
    let prefixes: Option<Vec<_>> = checks.iter().map(resolve::prefix).collect();
    if let Some(prefixes) = prefixes {
        return Some(Drive::Prefixes { param, prefixes });
    }
    let dates: Option<Vec<_>> = checks.iter().map(resolve::date_range).collect();
    if let Some(ranges) = dates {
        return Some(Drive::DateRanges { param, ranges });
    }
    let numbers: Option<Vec<_>> = checks.iter().map(resolve::number_range).collect();
    numbers.map(|ranges| Drive::NumberRanges { param, ranges })
}

// === impl Resolved ===

impl Resolved {
    fn checked(node: Node) -> Self {
        Self {
            node: Some(node),
            probe: None,
            drive: None,
        }
    }

    fn these(mut found: Vec<Res>) -> Self {
        found.sort_unstable();
        found.dedup();
        Self {
            node: Some(Node::These(found.iter().copied().collect())),
            probe: None,
            drive: Some(Drive::These(found)),
        }
    }
}
