//! Parser: builds the tree from tokens (FHIRPath N1 §Grammar, §Precedence).
//!
//! Invariants: never panics; recursion is bounded by [`MAX_DEPTH`], the text by [`MAX_BYTES`].

use crate::ast::{
    Arithmetic, Ast, AstKind, Chain, Comparison, Literal, MAX_DEPTH, Operator, TypeName,
};
use crate::error::{SyntaxError, SyntaxErrorKind};
use crate::lexer::{Token, TokenKind, tokens};
use crate::quantity::{CalendarUnit, Quantity, Unit};
use rust_decimal::Decimal;

/// Maximum length of an expression; none in any specification comes close.
const MAX_BYTES: usize = 64 * 1024;

/// Parses a whole expression.
pub(crate) fn parse(text: &str) -> Result<Ast, SyntaxError> {
    if MAX_BYTES < text.len() {
        return Err(SyntaxError {
            offset: MAX_BYTES,
            kind: SyntaxErrorKind::TooLong,
        });
    }
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
        depth: 0,
    };
    let tree = parser.expression(0)?;
    if *parser.peek() != TokenKind::End {
        return Err(parser.unexpected("an operator or the end"));
    }
    Ok(tree)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: u16,
}

/// The effect of an infix token.
#[derive(Clone, Copy)]
enum Infix {
    Binary(Operator),
    Chain(Chain),
    Is,
    As,
}

/// Returns the binding power and the effect of an infix token.
fn infix(token: &TokenKind) -> Option<(u8, Infix)> {
    use Operator as O;
    let (TokenKind::Mark(_) | TokenKind::Name(_)) = token else {
        return None;
    };
    let text = match token {
        TokenKind::Mark(mark) => mark,
        TokenKind::Name(name) => name.as_str(),
        _ => return None,
    };
    Some(match text {
        "*" => (11, Infix::Binary(O::Arithmetic(Arithmetic::Multiply))),
        "/" => (11, Infix::Binary(O::Arithmetic(Arithmetic::Divide))),
        "div" => (11, Infix::Binary(O::Arithmetic(Arithmetic::Div))),
        "mod" => (11, Infix::Binary(O::Arithmetic(Arithmetic::Mod))),
        "+" => (10, Infix::Binary(O::Arithmetic(Arithmetic::Add))),
        "-" => (10, Infix::Binary(O::Arithmetic(Arithmetic::Subtract))),
        "&" => (10, Infix::Binary(O::Arithmetic(Arithmetic::Concatenate))),
        "is" => (9, Infix::Is),
        "as" => (9, Infix::As),
        "|" => (8, Infix::Chain(Chain::Union)),
        "<" => (7, Infix::Binary(O::Compare(Comparison::Less))),
        "<=" => (7, Infix::Binary(O::Compare(Comparison::LessOrEqual))),
        ">" => (7, Infix::Binary(O::Compare(Comparison::Greater))),
        ">=" => (7, Infix::Binary(O::Compare(Comparison::GreaterOrEqual))),
        "=" => (6, Infix::Binary(O::Equal)),
        "!=" => (6, Infix::Binary(O::NotEqual)),
        "~" => (6, Infix::Binary(O::Equivalent)),
        "!~" => (6, Infix::Binary(O::NotEquivalent)),
        "in" => (5, Infix::Binary(O::In)),
        "contains" => (5, Infix::Binary(O::Contains)),
        "and" => (4, Infix::Chain(Chain::And)),
        "or" => (3, Infix::Chain(Chain::Or)),
        "xor" => (3, Infix::Binary(O::Xor)),
        "implies" => (2, Infix::Binary(O::Implies)),
        _ => return None,
    })
}

// === impl Parser ===

impl Parser {
    fn peek(&self) -> &TokenKind {
        self.tokens
            .get(self.at)
            .map_or(&TokenKind::End, |token| &token.kind)
    }

    fn offset(&self) -> usize {
        self.tokens
            .get(self.at)
            .or(self.tokens.last())
            .map_or(0, |token| token.offset)
    }

    fn next(&mut self) -> TokenKind {
        let kind = self.peek().clone();
        self.at += 1;
        kind
    }

    fn take(&mut self, mark: &str) -> bool {
        let found = matches!(self.peek(), TokenKind::Mark(found) if *found == mark);
        if found {
            self.at += 1;
        }
        found
    }

    fn expect(&mut self, mark: &'static str) -> Result<(), SyntaxError> {
        if self.take(mark) {
            Ok(())
        } else {
            Err(self.unexpected(mark))
        }
    }

    fn unexpected(&self, expected: &'static str) -> SyntaxError {
        let found = match self.peek() {
            TokenKind::Name(name) | TokenKind::Quoted(name) => format!("`{name}`"),
            TokenKind::Text(_) => "string".to_owned(),
            TokenKind::Integer(_) | TokenKind::Decimal(_) => "number".to_owned(),
            TokenKind::Date(_) | TokenKind::DateTime(_) | TokenKind::Time(_) => "date".to_owned(),
            TokenKind::Dollar(name) => format!("`${name}`"),
            TokenKind::Percent(name) => format!("`%{name}`"),
            TokenKind::Mark(mark) => format!("`{mark}`"),
            TokenKind::End => "end".to_owned(),
        };
        let kind = SyntaxErrorKind::Unexpected { found, expected };
        SyntaxError {
            offset: self.offset(),
            kind,
        }
    }

    fn node(kind: AstKind, offset: usize) -> Result<Ast, SyntaxError> {
        let depth = kind.depth();
        if MAX_DEPTH < depth {
            return Err(SyntaxError {
                offset,
                kind: SyntaxErrorKind::TooDeep,
            });
        }
        Ok(Ast {
            kind,
            offset,
            depth,
        })
    }

    /// Parses everything that binds at least as tightly as `minimum`.
    fn expression(&mut self, minimum: u8) -> Result<Ast, SyntaxError> {
        self.depth += 1;
        if MAX_DEPTH < self.depth {
            return Err(SyntaxError {
                offset: self.offset(),
                kind: SyntaxErrorKind::TooDeep,
            });
        }
        let mut left = self.unary()?;
        while let Some((strength, what)) = infix(self.peek()).filter(|(s, _)| minimum <= *s) {
            self.at += 1;
            left = self.infix(left, strength, what)?;
        }
        self.depth -= 1;
        Ok(left)
    }

    fn infix(&mut self, left: Ast, strength: u8, what: Infix) -> Result<Ast, SyntaxError> {
        let offset = left.offset;
        let kind = match what {
            Infix::Is => AstKind::Is(Box::new(left), self.type_name()?),
            Infix::As => AstKind::As(Box::new(left), self.type_name()?),
            Infix::Binary(operator) => {
                let right = self.expression(strength + 1)?;
                AstKind::Binary(operator, Box::new(left), Box::new(right))
            }
            Infix::Chain(chain) => {
                let right = self.expression(strength + 1)?;
                match left.kind {
                    AstKind::Chain(same, mut operands) if same == chain => {
                        operands.push(right);
                        AstKind::Chain(chain, operands)
                    }
                    kind => AstKind::Chain(chain, vec![Ast { kind, ..left }, right]),
                }
            }
        };
        Self::node(kind, offset)
    }

    fn unary(&mut self) -> Result<Ast, SyntaxError> {
        let offset = self.offset();
        let is_minus = self.take("-");
        if !is_minus && !self.take("+") {
            return self.postfix();
        }
        self.depth += 1;
        if MAX_DEPTH < self.depth {
            return Err(SyntaxError {
                offset,
                kind: SyntaxErrorKind::TooDeep,
            });
        }
        let operand = Box::new(self.unary()?);
        self.depth -= 1;
        let kind = if is_minus {
            AstKind::Negate(operand)
        } else {
            AstKind::Plus(operand)
        };
        Self::node(kind, offset)
    }

    fn postfix(&mut self) -> Result<Ast, SyntaxError> {
        let mut left = self.term()?;
        loop {
            let offset = left.offset;
            let kind = if self.take(".") {
                self.invocation(left)?
            } else if self.take("[") {
                let index = self.expression(0)?;
                self.expect("]")?;
                AstKind::Indexer(Box::new(left), Box::new(index))
            } else {
                return Ok(left);
            };
            left = Self::node(kind, offset)?;
        }
    }

    /// Parses what follows a point.
    fn invocation(&mut self, input: Ast) -> Result<AstKind, SyntaxError> {
        match self.peek().clone() {
            TokenKind::Name(name) | TokenKind::Quoted(name) => {
                self.at += 1;
                if self.take("(") {
                    let arguments = self.arguments()?;
                    return Ok(AstKind::Call {
                        input: Some(Box::new(input)),
                        name,
                        arguments,
                    });
                }
                Ok(AstKind::Member(Box::new(input), name))
            }
            // The grammar allows `.$this`; it is the same as its input.
            TokenKind::Dollar(name) if name == "this" => {
                self.at += 1;
                Ok(input.kind)
            }
            _ => Err(self.unexpected("a name")),
        }
    }

    fn arguments(&mut self) -> Result<Vec<Ast>, SyntaxError> {
        let mut arguments = Vec::new();
        if self.take(")") {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.expression(0)?);
            if !self.take(",") {
                self.expect(")")?;
                return Ok(arguments);
            }
        }
    }

    fn term(&mut self) -> Result<Ast, SyntaxError> {
        let offset = self.offset();
        let kind = match self.peek().clone() {
            TokenKind::Mark("(") => {
                self.at += 1;
                let inner = self.expression(0)?;
                self.expect(")")?;
                return Ok(inner);
            }
            TokenKind::Mark("{") => {
                self.at += 1;
                self.expect("}")?;
                AstKind::Literal(Literal::Empty)
            }
            TokenKind::Name(name) | TokenKind::Quoted(name) => self.name(name)?,
            TokenKind::Dollar(name) => {
                let kind = match name.as_str() {
                    "this" => AstKind::This,
                    "index" => AstKind::Index,
                    "total" => AstKind::Total,
                    _ => return Err(self.unexpected("$this, $index or $total")),
                };
                self.at += 1;
                kind
            }
            TokenKind::Percent(name) => {
                self.at += 1;
                AstKind::Variable(name)
            }
            _ => AstKind::Literal(self.literal()?),
        };
        Self::node(kind, offset)
    }

    fn name(&mut self, name: String) -> Result<AstKind, SyntaxError> {
        let quoted = matches!(self.peek(), TokenKind::Quoted(_));
        self.at += 1;
        if self.take("(") {
            let arguments = self.arguments()?;
            return Ok(AstKind::Call {
                input: None,
                name,
                arguments,
            });
        }
        Ok(match name.as_str() {
            "true" if !quoted => AstKind::Literal(Literal::Boolean(true)),
            "false" if !quoted => AstKind::Literal(Literal::Boolean(false)),
            _ => AstKind::Name(name),
        })
    }

    fn literal(&mut self) -> Result<Literal, SyntaxError> {
        let number = match self.peek().clone() {
            TokenKind::Text(text) => {
                self.at += 1;
                return Ok(Literal::Text(text));
            }
            TokenKind::Date(date) => {
                self.at += 1;
                return Ok(Literal::Date(date));
            }
            TokenKind::DateTime(date_time) => {
                self.at += 1;
                return Ok(Literal::DateTime(date_time));
            }
            TokenKind::Time(time) => {
                self.at += 1;
                return Ok(Literal::Time(time));
            }
            number @ (TokenKind::Integer(_) | TokenKind::Decimal(_)) => number,
            _ => return Err(self.unexpected("an expression")),
        };
        self.at += 1;
        let unit = self.unit();
        Ok(match (number, unit) {
            (TokenKind::Integer(integer), Some(unit)) => {
                Literal::Quantity(Quantity::new(Decimal::from(integer), unit))
            }
            (TokenKind::Decimal(decimal), Some(unit)) => {
                Literal::Quantity(Quantity::new(decimal, unit))
            }
            (TokenKind::Integer(integer), None) => Literal::Integer(integer),
            (TokenKind::Decimal(decimal), None) => Literal::Decimal(decimal),
            _ => return Err(self.unexpected("a number")),
        })
    }

    /// Parses `'mg'` or `days` after a number.
    fn unit(&mut self) -> Option<Unit> {
        let unit = match self.peek() {
            TokenKind::Text(unit) => Unit::Ucum(unit.as_str().into()),
            TokenKind::Name(name) => Unit::Calendar(CalendarUnit::named(name)?),
            _ => return None,
        };
        self.at += 1;
        Some(unit)
    }

    /// Parses a type after `is` or `as`.
    fn type_name(&mut self) -> Result<TypeName, SyntaxError> {
        let offset = self.offset();
        let first = self.type_part()?;
        if !self.take(".") {
            return Ok(TypeName {
                namespace: None,
                name: first,
                offset,
            });
        }
        let name = self.type_part()?;
        Ok(TypeName {
            namespace: Some(first),
            name,
            offset,
        })
    }

    fn type_part(&mut self) -> Result<String, SyntaxError> {
        match self.peek() {
            TokenKind::Name(_) | TokenKind::Quoted(_) => match self.next() {
                TokenKind::Name(name) | TokenKind::Quoted(name) => Ok(name),
                _ => Err(self.unexpected("a type")),
            },
            _ => Err(self.unexpected("a type")),
        }
    }
}
