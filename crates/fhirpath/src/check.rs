//! Strict mode: rejects expressions that can never be right on a type.
//!
//! Invariant: only certain errors are rejected. Where a type is unknown (`resolve()`, `contained`,
//! `children()`…), everything is accepted.

use crate::ast::{Ast, AstKind, Chain, TypeName};
use crate::compile::type_name;
use crate::error::{SyntaxError, SyntaxErrorKind};
use crate::types::TypeSpec;
use fhir::definitions::{TypeDef, TypeKind, type_named};

/// Static knowledge of a collection.
#[derive(Clone, Debug)]
struct Known {
    /// The FHIR types that the items may have; `None` means any.
    types: Option<Vec<&'static TypeDef>>,
    ordered: bool,
}

type Checked = Result<Known, SyntaxError>;

/// Checks an expression against the type that it starts from.
pub(crate) fn check(tree: &Ast, root: &'static TypeDef) -> Result<(), SyntaxError> {
    infer(tree, &Known::of(vec![root])).map(|_| ())
}

// === impl Known ===

impl Known {
    const ANYTHING: Self = Self {
        types: None,
        ordered: true,
    };

    fn of(types: Vec<&'static TypeDef>) -> Self {
        Self {
            types: Some(types),
            ordered: true,
        }
    }

    fn named(name: &str) -> Self {
        type_named(name).map_or(Self::ANYTHING, |def| Self::of(vec![def]))
    }
}

fn infer(tree: &Ast, focus: &Known) -> Checked {
    match &tree.kind {
        AstKind::Literal(_) | AstKind::Index | AstKind::Total | AstKind::Variable(_) => {
            Ok(Known::ANYTHING)
        }
        AstKind::This => Ok(focus.clone()),
        AstKind::Name(name) => first_name(tree, name, focus),
        AstKind::Member(..) => {
            // The stack does not grow with the length of a path.
            let mut names = Vec::new();
            let mut at = tree;
            while let AstKind::Member(input, name) = &at.kind {
                names.push(name);
                at = input;
            }
            let start = infer(at, focus)?;
            names
                .iter()
                .rev()
                .try_fold(start, |input, name| member(tree, &input, name))
        }
        AstKind::Call {
            input,
            name,
            arguments,
        } => {
            let input = match input {
                Some(input) => infer(input, focus)?,
                None => focus.clone(),
            };
            call(tree, &input, name, arguments, focus)
        }
        AstKind::Indexer(input, index) => {
            let input = infer(input, focus)?;
            infer(index, focus)?;
            ordered(tree, &input, "[]")?;
            Ok(input)
        }
        AstKind::Negate(operand) | AstKind::Plus(operand) | AstKind::Is(operand, _) => {
            infer(operand, focus)?;
            Ok(Known::ANYTHING)
        }
        AstKind::Binary(_, left, right) => {
            infer(left, focus)?;
            infer(right, focus)?;
            Ok(Known::ANYTHING)
        }
        AstKind::Chain(chain, operands) => operators(*chain, operands, focus),
        AstKind::As(operand, name) => {
            infer(operand, focus)?;
            cast(name)
        }
    }
}

fn operators(chain: Chain, operands: &[Ast], focus: &Known) -> Checked {
    let mut union = Some(Vec::new());
    for operand in operands {
        let known = infer(operand, focus)?;
        union = union.zip(known.types).map(|(mut union, types)| {
            union.extend(types);
            union
        });
    }
    match chain {
        Chain::Union => Ok(Known {
            types: union,
            ordered: true,
        }),
        Chain::And | Chain::Or => Ok(Known::ANYTHING),
    }
}

/// Resolves a leading name: either a type that the focus can have, or an element.
fn first_name(tree: &Ast, name: &str, focus: &Known) -> Checked {
    let is_type = name.starts_with(|c: char| c.is_ascii_uppercase());
    let Some(def) = type_named(name).filter(|_| is_type) else {
        return member(tree, focus, name);
    };
    let fits = |own: &&TypeDef| own.is_a(def.name) || def.is_a(own.name);
    match &focus.types {
        Some(types) if !types.iter().any(fits) => Err(unknown(tree, types, name)),
        _ => Ok(Known::of(vec![def])),
    }
}

fn member(tree: &Ast, input: &Known, name: &str) -> Checked {
    let Some(types) = &input.types else {
        return Ok(Known::ANYTHING);
    };
    let mut found = Vec::new();
    for def in types {
        // The elements of an abstract type's concrete subtypes are unknown.
        if def.is_abstract || def.kind == TypeKind::Primitive {
            return Ok(Known::ANYTHING);
        }
        let choices = def.element(name).map_or(&[][..], |element| &element.types);
        found.extend(choices.iter().filter_map(|choice| type_named(choice.name)));
    }
    if found.is_empty() && !types.is_empty() {
        return Err(unknown(tree, types, name));
    }
    Ok(Known {
        types: Some(found),
        ordered: input.ordered,
    })
}

fn call(tree: &Ast, input: &Known, name: &str, arguments: &[Ast], focus: &Known) -> Checked {
    match name {
        "is" | "as" | "ofType" => {
            let Some(argument) = arguments.first() else {
                return Ok(Known::ANYTHING);
            };
            let known = cast(&type_name(argument)?)?;
            return Ok(if name == "is" { Known::ANYTHING } else { known });
        }
        "first" | "last" | "tail" | "skip" | "take" => ordered(tree, input, name)?,
        _ => {}
    }
    let is_projection = matches!(
        name,
        "where" | "select" | "exists" | "all" | "repeat" | "iif" | "aggregate" | "sort" | "trace"
    );
    let inner = if is_projection { input } else { focus };
    let mut projected = Known::ANYTHING;
    for argument in arguments {
        projected = infer(argument, inner)?;
    }
    Ok(match name {
        "where" | "first" | "last" | "tail" | "skip" | "take" | "single" | "distinct" | "trace"
        | "exclude" | "intersect" | "sort" => input.clone(),
        "select" => projected,
        "children" | "descendants" => Known {
            types: None,
            ordered: false,
        },
        "extension" => Known::named("Extension"),
        _ => Known::ANYTHING,
    })
}

fn cast(name: &TypeName) -> Checked {
    Ok(match TypeSpec::resolve(name)? {
        TypeSpec::Fhir(def) | TypeSpec::Either(def, _) => Known::of(vec![def]),
        TypeSpec::System(_) | TypeSpec::Nothing => Known::ANYTHING,
    })
}

fn ordered(tree: &Ast, input: &Known, name: &str) -> Result<(), SyntaxError> {
    if input.ordered {
        return Ok(());
    }
    Err(SyntaxError {
        offset: tree.offset,
        kind: SyntaxErrorKind::Unordered(name.to_owned()),
    })
}

fn unknown(tree: &Ast, types: &[&'static TypeDef], element: &str) -> SyntaxError {
    let names: Vec<&str> = types.iter().map(|def| def.name).collect();
    let kind = SyntaxErrorKind::UnknownElement {
        type_name: names.join(" or "),
        element: element.to_owned(),
    };
    SyntaxError {
        offset: tree.offset,
        kind,
    }
}
