//! A search from query to page: the plan, its hits, the included resources, the cursor of the next
//! page.

use crate::backend::include::{self, Included};
use crate::backend::persons::Persons;
use crate::backend::plan::{After, Drive, Plan, Rows};
use crate::backend::planner::Planner;
use crate::backend::stored::Res;
use crate::backend::{Fault, Index, Session, cursor};
use crate::chart::{Count, Limits};
use search::{Query, SortBy, Summary, Total};
use std::collections::BTreeMap;

/// A page, in numbers.
#[derive(Debug, Default)]
pub(crate) struct Hits {
    pub(crate) matches: Vec<Res>,
    pub(crate) included: Included,
    pub(crate) total: Option<Count>,
    pub(crate) next: Option<String>,
    /// The person of each record; see [`crate::chart::Page::persons`].
    pub(crate) persons: BTreeMap<String, String>,
}

/// Returns one page of a query's results.
pub(crate) fn page(
    index: &dyn Index,
    rows: &Rows,
    query: &Query,
    limits: Limits,
) -> Result<Hits, Fault> {
    let persons = Persons::of_query(index, rows, query)?;
    let planner = Planner::new(persons);
    let marks = marks(query);
    let after = match &query.cursor {
        Some(text) => Some(cursor::read(index, marks, text)?),
        None => None,
    };
    let only_count = query.summary == Summary::Count || query.count == Some(0);
    let count = query
        .count
        .unwrap_or(limits.default_count)
        .min(limits.max_count) as usize;
    let mut page = Hits::default();
    if only_count || matches!(query.total, Some(Total::Accurate | Total::Estimate)) {
        let plan = planner.plan(query, None, limits.max_total as usize)?;
        page.total = Some(count_all(index, plan)?);
    }
    if only_count {
        return Ok(page);
    }
    let plan = planner.plan(query, after, count)?;
    let found = index.execute(&plan)?;
    if let (true, Some(last)) = (found.more, found.hits.last()) {
        let after = After {
            keys: last.keys.clone(),
            res: last.res,
        };
        page.next = Some(cursor::write(index, marks, &after)?);
    }
    page.matches = found.hits.iter().map(|hit| hit.res).collect();
    let around = include::Around {
        index,
        persons: &persons,
        max: limits.max_included,
    };
    page.included = include::gather(&around, query, &page.matches)?;
    let mut answered = page.matches.clone();
    answered.extend(&page.included.found);
    page.persons = persons.stand_ins(&answered)?;
    Ok(page)
}

/// Counts without ordering, up to the plan's limit.
fn count_all(index: &dyn Session, mut plan: Plan) -> Result<Count, Fault> {
    plan.order.clear();
    if matches!(plan.drive, Drive::Commits { .. } | Drive::Dates { .. }) {
        plan.drive = Drive::Type;
    }
    let found = index.execute(&plan)?;
    let n_found = found.hits.len() as u64;
    Ok(if found.more {
        Count::AtLeast(n_found)
    } else {
        Count::Exact(n_found)
    })
}

/// Returns a hash (FNV-1a) of the parts of the query on which the keys in a cursor depend.
fn marks(query: &Query) -> u32 {
    let hash = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    let mut marks = query.resource_type.bytes().fold(0x811c_9dc5, hash);
    for sort in &query.sort {
        let by = match sort.by {
            SortBy::Id => 1,
            SortBy::LastUpdated => 2,
            SortBy::Param(param) => param.key.0,
        };
        marks = by.to_le_bytes().into_iter().fold(marks, hash);
        marks = hash(marks, u8::from(sort.descending));
    }
    marks
}
