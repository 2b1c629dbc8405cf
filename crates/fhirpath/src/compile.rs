//! Compiles the syntax tree into the form that is evaluated.

use crate::ast::{Ast, AstKind, Chain, Literal, Operator, TypeName};
use crate::error::{SyntaxError, SyntaxErrorKind};
use crate::function::Function;
use crate::program::{Call, Member, Op, Step, Test, Variable};
use crate::types::TypeSpec;
use fhir::definitions::type_named;
use regex::{Regex, RegexBuilder};

/// Maximum size of a compiled pattern, in bytes.
const REGEX_BYTES: usize = 1 << 20;

/// The meaning of `as`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `as` requires a single item.
    Normative,
    /// `as` filters, and its type names are loose: search parameters are written this way.
    Search,
}

/// Compiles a tree.
pub(crate) fn compile(tree: &Ast, dialect: Dialect) -> Result<Op, SyntaxError> {
    Compiler { dialect }.op(tree)
}

/// Compiles a pattern: `.` matches line ends, and the size is limited.
pub(crate) fn pattern(text: &str) -> Option<Regex> {
    let mut builder = RegexBuilder::new(text);
    builder
        .dot_matches_new_line(true)
        .size_limit(REGEX_BYTES)
        .dfa_size_limit(REGEX_BYTES);
    builder.build().ok()
}

/// Compiles a pattern that must match the whole text.
pub(crate) fn whole_pattern(text: &str) -> Option<Regex> {
    pattern(&format!("^(?:{text})$"))
}

struct Compiler {
    dialect: Dialect,
}

// === impl Compiler ===

impl Compiler {
    fn op(&self, tree: &Ast) -> Result<Op, SyntaxError> {
        Ok(match &tree.kind {
            AstKind::Literal(literal) => Op::Literal(literal.clone()),
            AstKind::This => Op::This,
            AstKind::Index => Op::Index,
            AstKind::Total => Op::Total,
            AstKind::Variable(name) => Op::Variable(Variable::named(name.clone())),
            AstKind::Name(name) => step(Op::This, first_step(name)),
            AstKind::Member(..) => self.path(tree)?,
            AstKind::Call {
                input,
                name,
                arguments,
            } => {
                let input = match input {
                    Some(input) => self.op(input)?,
                    None => Op::This,
                };
                self.call(input, name, arguments, tree.offset)?
            }
            AstKind::Indexer(input, index) => {
                Op::Indexer(Box::new(self.op(input)?), Box::new(self.op(index)?))
            }
            AstKind::Negate(operand) => match self.op(operand)? {
                Op::Literal(Literal::Integer(i)) => Op::Literal(Literal::Integer(-i)),
                Op::Literal(Literal::Decimal(d)) => Op::Literal(Literal::Decimal(-d)),
                operand => Op::Negate(Box::new(operand)),
            },
            AstKind::Plus(operand) => Op::Plus(Box::new(self.op(operand)?)),
            AstKind::Binary(operator, left, right) => binary(
                *operator,
                Box::new(self.op(left)?),
                Box::new(self.op(right)?),
            ),
            AstKind::Chain(chain, operands) => {
                let operands = self.ops(operands)?;
                match chain {
                    Chain::Union => Op::Union(operands),
                    Chain::And => Op::Test(Test::And(operands)),
                    Chain::Or => Op::Test(Test::Or(operands)),
                }
            }
            AstKind::Is(operand, name) => is(self.op(operand)?, TypeSpec::resolve(name)?),
            AstKind::As(operand, name) => {
                let operand = self.op(operand)?;
                self.cast(operand, name)?
            }
        })
    }

    fn ops(&self, trees: &[Ast]) -> Result<Vec<Op>, SyntaxError> {
        trees.iter().map(|tree| self.op(tree)).collect()
    }

    /// Compiles a run of members, however long: the tree leans to the left.
    fn path(&self, tree: &Ast) -> Result<Op, SyntaxError> {
        let mut names = Vec::new();
        let mut at = tree;
        while let AstKind::Member(input, name) = &at.kind {
            names.push(name);
            at = input;
        }
        let mut op = self.op(at)?;
        for name in names.into_iter().rev() {
            op = step(op, Step::Member(Member::new(name.clone())));
        }
        Ok(op)
    }

    fn cast(&self, input: Op, name: &TypeName) -> Result<Op, SyntaxError> {
        Ok(match self.dialect {
            Dialect::Normative => Op::As(Box::new(input), TypeSpec::resolve(name)?),
            Dialect::Search => step(input, Step::OfType(TypeSpec::resolve_loosely(name)?)),
        })
    }

    fn call(
        &self,
        input: Op,
        name: &str,
        arguments: &[Ast],
        offset: usize,
    ) -> Result<Op, SyntaxError> {
        let count_error = || {
            Err(SyntaxError {
                offset,
                kind: SyntaxErrorKind::WrongArgumentCount(name.to_owned()),
            })
        };
        let op = match (name, arguments) {
            ("where", [criteria]) => return self.filter(input, criteria),
            ("exists", []) => Test::Exists(Box::new(input), None),
            ("exists", [criteria]) => {
                Test::Exists(Box::new(input), Some(Box::new(self.op(criteria)?)))
            }
            ("all", [criteria]) => Test::All(Box::new(input), Box::new(self.op(criteria)?)),
            ("empty", []) => Test::Empty(Box::new(input)),
            ("not", []) => Test::Not(Box::new(input)),
            ("hasValue", []) => Test::HasValue(Box::new(input)),
            ("is", [name]) => return Ok(is(input, TypeSpec::resolve(&type_name(name)?)?)),
            ("as", [name]) => return self.cast(input, &type_name(name)?),
            ("ofType", [name]) => {
                let name = type_name(name)?;
                let spec = match self.dialect {
                    Dialect::Normative => TypeSpec::resolve(&name)?,
                    Dialect::Search => TypeSpec::resolve_loosely(&name)?,
                };
                return Ok(step(input, Step::OfType(spec)));
            }
            (
                "where" | "exists" | "all" | "empty" | "not" | "hasValue" | "is" | "as" | "ofType",
                _,
            ) => {
                return count_error();
            }
            _ => return self.function(input, name, arguments, offset),
        };
        Ok(Op::Test(op))
    }

    fn filter(&self, input: Op, criteria: &Ast) -> Result<Op, SyntaxError> {
        let compiled = self.op(criteria)?;
        if !mentions_index(criteria) {
            return Ok(step(input, Step::Where(compiled)));
        }
        // `$index` needs the whole collection to be counted.
        let call = Call {
            function: Function::Where,
            input,
            arguments: vec![compiled],
            regex: None,
        };
        Ok(Op::Call(Box::new(call)))
    }

    fn function(
        &self,
        input: Op,
        name: &str,
        arguments: &[Ast],
        offset: usize,
    ) -> Result<Op, SyntaxError> {
        let Some((function, least, most)) = Function::named(name) else {
            let kind = SyntaxErrorKind::UnknownFunction(name.to_owned());
            return Err(SyntaxError { offset, kind });
        };
        if !(least..=most).contains(&arguments.len()) {
            let kind = SyntaxErrorKind::WrongArgumentCount(name.to_owned());
            return Err(SyntaxError { offset, kind });
        }
        let first_text = match arguments.first().map(|argument| &argument.kind) {
            Some(AstKind::Literal(Literal::Text(text))) => Some(text.as_str()),
            _ => None,
        };
        if let (Function::Extension, Some(url)) = (function, first_text) {
            return Ok(step(input, Step::Extension(url.to_owned())));
        }
        let regex = match (function, first_text) {
            (Function::Matches | Function::ReplaceMatches, Some(text)) => Some(pattern(text)),
            (Function::MatchesFull, Some(text)) => Some(whole_pattern(text)),
            _ => None,
        };
        if matches!(regex, Some(None)) {
            return Err(SyntaxError {
                offset,
                kind: SyntaxErrorKind::BadRegex,
            });
        }
        let arguments = self.ops(arguments)?;
        Ok(Op::Call(Box::new(Call {
            function,
            input,
            arguments,
            regex: regex.flatten(),
        })))
    }
}

/// Appends a step to a path, or creates one.
fn step(input: Op, step: Step) -> Op {
    match input {
        Op::Path(start, mut steps) => {
            steps.push(step);
            Op::Path(start, steps)
        }
        start => Op::Path(Box::new(start), vec![step]),
    }
}

/// Compiles a name at the start of a path: the root's type or an element. No element begins with a
/// capital letter.
fn first_step(name: &str) -> Step {
    let is_type = name.starts_with(|c: char| c.is_ascii_uppercase());
    match type_named(name).filter(|_| is_type) {
        Some(def) => Step::Root(def),
        None => Step::Member(Member::new(name.to_owned())),
    }
}

fn is(input: Op, spec: TypeSpec) -> Op {
    match input {
        Op::Call(call) if call.function == Function::Resolve => {
            Op::Test(Test::ResolvesTo(Box::new(call.input), spec))
        }
        input => Op::Test(Test::Is(Box::new(input), spec)),
    }
}

fn binary(operator: Operator, left: Box<Op>, right: Box<Op>) -> Op {
    use Operator as O;
    Op::Test(match operator {
        O::Arithmetic(arithmetic) => return Op::Arithmetic(arithmetic, left, right),
        O::Compare(comparison) => Test::Compare(comparison, left, right),
        O::Equal => Test::Equal {
            negated: false,
            left,
            right,
        },
        O::NotEqual => Test::Equal {
            negated: true,
            left,
            right,
        },
        O::Equivalent => Test::Equivalent {
            negated: false,
            left,
            right,
        },
        O::NotEquivalent => Test::Equivalent {
            negated: true,
            left,
            right,
        },
        O::In => Test::In(left, right),
        O::Contains => Test::In(right, left),
        O::Xor => Test::Xor(left, right),
        O::Implies => Test::Implies(left, right),
    })
}

/// Returns an argument that names a type: `Patient`, `FHIR.Patient`.
pub(crate) fn type_name(argument: &Ast) -> Result<TypeName, SyntaxError> {
    let offset = argument.offset;
    match &argument.kind {
        AstKind::Name(name) => Ok(TypeName {
            namespace: None,
            name: name.clone(),
            offset,
        }),
        AstKind::Member(input, name) => match &input.kind {
            AstKind::Name(namespace) => {
                let namespace = Some(namespace.clone());
                Ok(TypeName {
                    namespace,
                    name: name.clone(),
                    offset,
                })
            }
            _ => Err(no_type(offset)),
        },
        _ => Err(no_type(offset)),
    }
}

fn no_type(offset: usize) -> SyntaxError {
    let found = "expression".to_owned();
    SyntaxError {
        offset,
        kind: SyntaxErrorKind::Unexpected {
            found,
            expected: "a type",
        },
    }
}

pub(crate) fn mentions_index(tree: &Ast) -> bool {
    match &tree.kind {
        AstKind::Index => true,
        AstKind::Literal(_)
        | AstKind::This
        | AstKind::Total
        | AstKind::Variable(_)
        | AstKind::Name(_) => false,
        AstKind::Member(input, _) => mentions_index(input),
        AstKind::Call {
            input, arguments, ..
        } => input.as_deref().is_some_and(mentions_index) || arguments.iter().any(mentions_index),
        AstKind::Indexer(a, b) | AstKind::Binary(_, a, b) => mentions_index(a) || mentions_index(b),
        AstKind::Negate(a) | AstKind::Plus(a) | AstKind::Is(a, _) | AstKind::As(a, _) => {
            mentions_index(a)
        }
        AstKind::Chain(_, operands) => operands.iter().any(mentions_index),
    }
}
