//! The reference matcher: decides whether a resource matches a query, without an index or a plan.
//!
//! The store's property tests compare its SQL with this matcher; subscriptions use it on the one
//! resource that changed.

use crate::posting::{Extraction, Posting, Target, Value};
use crate::query::{Branch, DateTest, Filter, Query};
use crate::{Param, ParamKey, Span, Test};

/// The resources visible to chains and `_has`.
pub trait World {
    /// Returns the resource with that type and id, if it exists.
    fn resource(&self, resource_type: &str, id: &str) -> Option<&Extraction>;

    /// Returns all resources of that type.
    fn all(&self, resource_type: &str) -> Vec<&Extraction>;
}

/// Matcher for the resources of a world.
#[derive(Clone, Copy)]
pub struct Matcher<'w> {
    world: &'w dyn World,
}

/// A world without resources: chains and `_has` find nothing.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

// === impl Matcher ===

impl<'w> Matcher<'w> {
    /// Creates a matcher whose chains look into `world`.
    pub fn new(world: &'w dyn World) -> Self {
        Self { world }
    }

    /// Returns true if the resource has the query's type and passes all filters.
    pub fn matches(&self, query: &Query, resource: &Extraction) -> bool {
        resource.resource_type == query.resource_type
            && query
                .filters
                .iter()
                .all(|filter| self.passes(filter, resource))
    }

    /// Returns true if the resource passes the filter.
    pub fn passes(&self, filter: &Filter, resource: &Extraction) -> bool {
        match filter {
            Filter::Any { key, tests, .. } => any(resource, *key, tests),
            Filter::None { key, tests, .. } => !any(resource, *key, tests),
            Filter::Missing { keys, missing, .. } => {
                let found = resource
                    .postings
                    .iter()
                    .any(|posting| keys.contains(&posting.param));
                found != *missing
            }
            Filter::Chain { link, branches } => {
                targets(resource, link).any(|(name, id)| self.one_branch(branches, name, id))
            }
            Filter::Has {
                source_type,
                link,
                filter,
            } => self
                .world
                .all(source_type)
                .into_iter()
                .any(|source| refers_to(source, link, resource) && self.passes(filter, source)),
            Filter::Id(ids) => resource.id.as_ref().is_some_and(|id| ids.contains(id)),
            Filter::LastUpdated(tests) => updated(resource, tests),
        }
    }

    fn one_branch(&self, branches: &[Branch], resource_type: &str, id: &str) -> bool {
        let Some(target) = self.world.resource(resource_type, id) else {
            return false;
        };
        branches.iter().any(|branch| {
            branch.resource_type == resource_type && self.passes(&branch.filter, target)
        })
    }
}

fn any(resource: &Extraction, key: ParamKey, tests: &[Test]) -> bool {
    let under_key = resource
        .postings
        .iter()
        .filter(|posting| posting.param == key);
    under_key
        .into_iter()
        .any(|posting| tests.iter().any(|test| test.holds(&posting.value)))
}

fn targets<'e>(
    resource: &'e Extraction,
    link: &Param,
) -> impl Iterator<Item = (&'static str, &'e str)> {
    let key = link.key;
    resource
        .postings
        .iter()
        .filter_map(move |posting| match posting {
            Posting {
                param,
                value: Value::Reference(Target::Local { resource_type, id }),
            } if *param == key => Some((*resource_type, &**id)),
            _ => None,
        })
}

fn refers_to(source: &Extraction, link: &Param, resource: &Extraction) -> bool {
    let own = (resource.resource_type, resource.id.as_deref());
    targets(source, link).any(|(name, id)| (name, Some(id)) == own)
}

fn updated(resource: &Extraction, tests: &[DateTest]) -> bool {
    let Some(at) = resource.last_updated else {
        return false;
    };
    tests
        .iter()
        .any(|test| test.holds(Span { low: at, high: at }))
}

// === impl World ===

impl World for Nothing {
    fn resource(&self, _: &str, _: &str) -> Option<&Extraction> {
        None
    }

    fn all(&self, _: &str) -> Vec<&Extraction> {
        Vec::new()
    }
}

impl World for Vec<Extraction> {
    fn resource(&self, resource_type: &str, id: &str) -> Option<&Extraction> {
        self.iter()
            .find(|one| one.resource_type == resource_type && one.id.as_deref() == Some(id))
    }

    fn all(&self, resource_type: &str) -> Vec<&Extraction> {
        self.iter()
            .filter(|one| one.resource_type == resource_type)
            .collect()
    }
}
