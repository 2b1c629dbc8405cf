//! Many expressions on one resource type, evaluated in one walk over the resource.
//!
//! Invariants: each field of the resource is visited once, however many expressions go through it;
//! all types are known at compile time, so evaluation compares field names as numbers and looks
//! nothing up. An expression that is not a plain path (`a.exists() and …`, `entry[0]`) is evaluated
//! on its own.

mod plan;

use crate::ast::Ast;
use crate::compile::{Dialect, compile};
use crate::context::Context;
use crate::element::Element;
use crate::error::{EvaluationError, SyntaxError, SyntaxErrorKind};
use crate::evaluate::{Evaluator, Scope, field_elements, settle};
use crate::item::Item;
use crate::parser;
use crate::program::Op;
use crate::types::{Shape, TypeSpec};
use fhir::definitions::{TypeDef, type_named};
use fhir::json::Symbol;
use plan::{Link, Plan, Side, side, sides};

/// Many compiled expressions, each with a tag, evaluated together.
///
/// Designed for search parameters, a set differs from [`crate::Expression`] in two ways: `as`
/// filters instead of rejecting several items and accepts `DateTime` for `dateTime`, and an item
/// found by both sides of a `|` occurs twice.
#[derive(Debug)]
pub struct Set<T> {
    root: &'static TypeDef,
    stops: Vec<Stop<T>>,
    others: Vec<(Op, T)>,
}

/// The work at an element of one type at one place of the plan.
#[derive(Debug)]
struct Stop<T> {
    type_def: &'static TypeDef,
    tags: Vec<T>,
    /// Fields to follow, by symbol, and the stop at each.
    fields: Vec<(Symbol, usize)>,
    /// Criteria, and the stop for elements that meet them.
    criteria: Vec<(Op, usize)>,
}

/// The root is the first stop.
const ROOT: usize = 0;

// === impl Set ===

impl<T: Copy> Set<T> {
    /// Compiles the expressions for instances of `root_type`. Sides of a `|` that begin with
    /// another type's name are dropped. An error gives the offset in its own expression.
    pub fn compile(root_type: &str, expressions: &[(&str, T)]) -> Result<Self, SyntaxError> {
        let Some(root) = type_named(root_type) else {
            let kind = SyntaxErrorKind::UnknownType(root_type.to_owned());
            return Err(SyntaxError { offset: 0, kind });
        };
        let mut plan = Plan::new();
        let mut set = Self {
            root,
            stops: Vec::new(),
            others: Vec::new(),
        };
        for (text, tag) in expressions {
            let tree = parser::parse(text)?;
            for tree in sides(&tree) {
                match side(tree, root)? {
                    Side::Foreign => {}
                    Side::Links(links) => plan.add(links, *tag),
                    Side::Other => set.others.push((compile(tree, Dialect::Search)?, *tag)),
                }
            }
        }
        set.stop(&plan, vec![0], root)?;
        Ok(set)
    }

    /// Returns the type whose instances the set evaluates.
    pub fn root_type(&self) -> &'static str {
        self.root.name
    }

    /// Evaluates all expressions, passing on each item with the tag of its expression; the order
    /// between tags is unspecified. An instance of another type yields nothing.
    pub fn evaluate<'a>(
        &'a self,
        context: &Context<'a>,
        mut found: impl FnMut(T, Item<'a>),
    ) -> Result<(), EvaluationError> {
        let Item::Element(root) = &context.focus else {
            return Ok(());
        };
        if !root.is_a(self.root) {
            return Ok(());
        }
        let evaluator = Evaluator::new(context);
        self.walk(&evaluator, ROOT, root, &mut found)?;
        for (op, tag) in &self.others {
            let items = evaluator.items(op, evaluator.scope())?;
            items.into_iter().for_each(|item| found(*tag, item));
        }
        Ok(())
    }

    fn walk<'a>(
        &'a self,
        evaluator: &Evaluator<'_, 'a>,
        at: usize,
        element: &Element<'a>,
        found: &mut dyn FnMut(T, Item<'a>),
    ) -> Result<(), EvaluationError> {
        let Some(stop) = self.stops.get(at) else {
            return Ok(());
        };
        evaluator.burn(1)?;
        for tag in &stop.tags {
            found(*tag, Item::Element(*element));
        }
        for (criteria, next) in &stop.criteria {
            let item = Item::Element(*element);
            let scope = Scope {
                this: Some(&item),
                index: None,
                total: None,
            };
            if evaluator.condition(criteria, scope, "where")? == Some(true) {
                self.walk(evaluator, *next, element, found)?;
            }
        }
        if stop.fields.is_empty() {
            return Ok(());
        }
        let Some(holder) = element.holder() else {
            return Ok(());
        };
        for field in holder.fields() {
            let Some(symbol) = field.symbol() else {
                continue;
            };
            let Ok(place) = stop
                .fields
                .binary_search_by_key(&symbol, |(known, _)| *known)
            else {
                continue;
            };
            // An `_x` represents its element only if there is no `x`.
            if field.is_primitive_extension() && holder.get_symbol(symbol).is_some() {
                continue;
            }
            let Some((_, next)) = stop.fields.get(place) else {
                continue;
            };
            let type_def = self.stops.get(*next).map(|stop| stop.type_def);
            settle(field_elements(field, type_def, &mut |item| match &item {
                Item::Element(element) => Ok(self.walk(evaluator, *next, element, found)?),
                _ => Ok(()),
            }))?;
        }
        Ok(())
    }

    /// Builds the stop for elements of a type at the given places of the plan.
    fn stop(
        &mut self,
        plan: &Plan<T>,
        places: Vec<usize>,
        type_def: &'static TypeDef,
    ) -> Result<usize, SyntaxError> {
        let own = self.stops.len();
        let stop = Stop {
            type_def,
            tags: Vec::new(),
            fields: Vec::new(),
            criteria: Vec::new(),
        };
        self.stops.push(stop);
        let here = gather(plan, places, type_def)?;
        let (mut fields, mut criteria) = (Vec::new(), Vec::new());
        for (tree, target) in here.criteria {
            let next = self.stop(plan, vec![target], type_def)?;
            criteria.push((compile(tree, Dialect::Search)?, next));
        }
        for (name, targets) in here.members {
            for (symbol, type_def) in Shape::of(type_def, name).fields {
                let Some(type_def) = type_def else { continue };
                fields.push((symbol, self.stop(plan, targets.clone(), type_def)?));
            }
        }
        fields.sort_by_key(|(symbol, _)| *symbol);
        if let Some(stop) = self.stops.get_mut(own) {
            (stop.tags, stop.fields, stop.criteria) = (here.tags, fields, criteria);
        }
        Ok(own)
    }
}

/// The work that places of the plan require at an element.
struct Here<'p, T> {
    tags: Vec<T>,
    criteria: Vec<(&'p Ast, usize)>,
    members: Vec<(&'p str, Vec<usize>)>,
}

/// Gathers the work of the places, and of those behind type filters that the type passes.
fn gather<'p, T: Copy>(
    plan: &'p Plan<T>,
    places: Vec<usize>,
    type_def: &'static TypeDef,
) -> Result<Here<'p, T>, SyntaxError> {
    let mut here = Here {
        tags: Vec::new(),
        criteria: Vec::new(),
        members: Vec::new(),
    };
    let mut open = places;
    while let Some(place) = open.pop().and_then(|place| plan.places.get(place)) {
        here.tags.extend_from_slice(&place.tags);
        for (link, target) in &place.links {
            match link {
                Link::OfType(name) => {
                    let passes = TypeSpec::resolve_loosely(name)?.selects_def(type_def);
                    open.extend(passes.then_some(*target));
                }
                Link::Where(tree) => here.criteria.push((tree, *target)),
                Link::Member(name) => match here.members.iter_mut().find(|(n, _)| n == name) {
                    Some((_, targets)) => targets.push(*target),
                    None => here.members.push((name, vec![*target])),
                },
            }
        }
    }
    Ok(here)
}
