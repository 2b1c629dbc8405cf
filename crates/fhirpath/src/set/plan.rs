//! The expressions of a set as one tree of links.
//!
//! Invariants: expressions share the links of their common prefix; a link is one step from an
//! element to elements, decided by the element alone.

use crate::ast::{Ast, AstKind, Chain, Literal, Operator, TypeName};
use crate::compile::type_name;
use crate::error::SyntaxError;
use crate::types::{Shape, TypeSpec};
use fhir::definitions::{TypeDef, TypeKind};

/// A step from an element to the next ones.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Link {
    /// The elements with a name.
    Member(String),
    /// The element, if it is of the type.
    OfType(TypeName),
    /// The element, if it meets the criteria.
    Where(Ast),
}

/// A place in the tree.
#[derive(Debug)]
pub(super) struct Place<T> {
    /// The expressions that end here.
    pub(super) tags: Vec<T>,
    /// The outgoing links, with the index of the next place.
    pub(super) links: Vec<(Link, usize)>,
}

/// All places; the first is the root.
#[derive(Debug)]
pub(super) struct Plan<T> {
    pub(super) places: Vec<Place<T>>,
}

/// The role of one side of a `|` in a set.
pub(super) enum Side {
    /// A side that begins with the name of another type.
    Foreign,
    /// Links from the root.
    Links(Vec<Link>),
    /// A side that must be evaluated on its own.
    Other,
}

/// Returns the sides of an expression's outermost `|`.
pub(super) fn sides(tree: &Ast) -> Vec<&Ast> {
    match &tree.kind {
        AstKind::Chain(Chain::Union, operands) => operands.iter().flat_map(sides).collect(),
        _ => vec![tree],
    }
}

/// Classifies a side for instances of a type.
pub(super) fn side(tree: &Ast, root: &'static TypeDef) -> Result<Side, SyntaxError> {
    let mut links = Vec::new();
    let mut at = tree;
    loop {
        at = match &at.kind {
            AstKind::This => break,
            AstKind::Name(name) => {
                match fhir::definitions::type_named(name).filter(|_| starts_upper(name)) {
                    Some(def) if root.is_a(def.name) => {}
                    Some(_) => return Ok(Side::Foreign),
                    None => links.push(Link::Member(name.clone())),
                }
                break;
            }
            AstKind::Member(input, name) => {
                links.push(Link::Member(name.clone()));
                input
            }
            AstKind::As(input, name) => {
                links.push(Link::OfType(name.clone()));
                input
            }
            AstKind::Call {
                input: Some(input),
                name,
                arguments,
            } => {
                match (name.as_str(), arguments.as_slice()) {
                    ("as" | "ofType", [argument]) => links.push(Link::OfType(type_name(argument)?)),
                    ("where", [criteria]) if !crate::compile::mentions_index(criteria) => {
                        links.push(Link::Where(criteria.clone()));
                    }
                    ("extension", [url]) if is_text(url) => {
                        links.push(Link::Where(url_is(url)));
                        links.push(Link::Member("extension".to_owned()));
                    }
                    _ => return Ok(Side::Other),
                }
                input
            }
            AstKind::Literal(_)
            | AstKind::Index
            | AstKind::Total
            | AstKind::Variable(_)
            | AstKind::Call { .. }
            | AstKind::Indexer(..)
            | AstKind::Negate(_)
            | AstKind::Plus(_)
            | AstKind::Binary(..)
            | AstKind::Chain(..)
            | AstKind::Is(..) => return Ok(Side::Other),
        };
    }
    links.reverse();
    let types_are_known = types_are_known(&links, root)?;
    Ok(if types_are_known {
        Side::Links(links)
    } else {
        Side::Other
    })
}

fn starts_upper(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
}

fn is_text(tree: &Ast) -> bool {
    matches!(tree.kind, AstKind::Literal(Literal::Text(_)))
}

/// Builds `url = '…'`.
fn url_is(url: &Ast) -> Ast {
    let name = Ast {
        kind: AstKind::Name("url".to_owned()),
        offset: url.offset,
        depth: 1,
    };
    let kind = AstKind::Binary(Operator::Equal, Box::new(name), Box::new(url.clone()));
    Ast {
        kind,
        offset: url.offset,
        depth: 2,
    }
}

/// Returns whether every element's type is known statically. Not so below `contained` and the like.
fn types_are_known(links: &[Link], root: &'static TypeDef) -> Result<bool, SyntaxError> {
    let mut types = vec![root];
    for link in links {
        if types
            .iter()
            .any(|def| def.kind == TypeKind::Resource && def.is_abstract)
        {
            return Ok(false);
        }
        match link {
            Link::Member(name) => {
                let fields = types.iter().flat_map(|def| Shape::of(def, name).fields);
                types = fields.filter_map(|(_, def)| def).collect();
            }
            Link::OfType(name) => {
                let spec = TypeSpec::resolve_loosely(name)?;
                types.retain(|def| spec.selects_def(def));
            }
            Link::Where(_) => {}
        }
    }
    Ok(true)
}

// === impl Plan ===

impl<T: Copy> Plan<T> {
    pub(super) fn new() -> Self {
        Self {
            places: vec![Place {
                tags: Vec::new(),
                links: Vec::new(),
            }],
        }
    }

    /// Adds a side, following existing links as far as they match.
    pub(super) fn add(&mut self, links: Vec<Link>, tag: T) {
        let mut at = 0;
        for link in links {
            let next = self.places.len();
            let Some(place) = self.places.get_mut(at) else {
                return;
            };
            if let Some((_, target)) = place.links.iter().find(|(known, _)| *known == link) {
                at = *target;
                continue;
            }
            place.links.push((link, next));
            self.places.push(Place {
                tags: Vec::new(),
                links: Vec::new(),
            });
            at = next;
        }
        if let Some(place) = self.places.get_mut(at) {
            place.tags.push(tag);
        }
    }
}
