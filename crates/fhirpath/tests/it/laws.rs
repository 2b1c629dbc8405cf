//! Laws that hold for any input.

use fhir::json::Document;
use fhirpath::{Context, EvaluationError, Expression, SyntaxErrorKind, fuzz};
use proptest::prelude::*;

/// Expressions to mutate; together they cover the whole grammar.
const SEEDS: &[&str] = &[
    "Patient.name.where(use = 'official' and given.exists()).given.first() | 'x'",
    "iif(birthDate < today() - 3 years, 1.5 'mg' ~ 2 'mg', {}).not() implies @T10:30 is Time",
    "(1 | 2 | -3).aggregate($this + $total, 0) div 2 >= %context.`name`[0].count() // end",
    "'a\\u0041'.matches('^[a-z]+$') xor @2024-02-29T10:30:00.5+02:00 != now() /* c */",
];

#[test]
fn deep_nesting_is_refused() {
    for n in [1_000, 10_000] {
        let texts = [
            format!("{}1{}", "(".repeat(n), ")".repeat(n)),
            format!("{}1", "-".repeat(n)),
            format!("{}1{}", "iif(true, ".repeat(n), ")".repeat(n)),
            format!("1{}", " + 1".repeat(n)),
            format!("1{}", "[0]".repeat(n)),
            format!("1{}", ".abs()".repeat(n)),
            format!("1{}", " is Integer".repeat(n / 10)),
            format!("{}true", "true implies ".repeat(n / 10)),
        ];
        for text in texts {
            let kind = Expression::compile(&text).unwrap_err().kind;
            let refused = [SyntaxErrorKind::TooDeep, SyntaxErrorKind::TooLong];
            assert!(refused.contains(&kind), "{kind}");
        }
    }
}

#[test]
fn what_is_long_but_flat_is_taken() {
    let document = Document::parse(r#"{"resourceType":"Patient","active":true}"#).unwrap();
    for text in [
        format!("a{}", ".b".repeat(5_000)),
        format!("active{}", " and active".repeat(2_000)),
        format!("'a' in ('a'{})", " | 'b'".repeat(2_000)),
    ] {
        let expression = Expression::compile(&text).unwrap();
        assert!(Expression::compile_strict(&text, "Bundle").is_err() || text.starts_with('\''));
        expression.evaluate(&Context::new(document.root())).unwrap();
    }
}

#[test]
fn the_deepest_that_is_taken_is_evaluated() {
    let document = Document::parse(r#"{"resourceType":"Patient","active":true}"#).unwrap();
    for (open, close) in [
        ("iif(true, ", ")"),
        ("select($this.active.select(%resource.", "))"),
        ("where(active.exists(%resource.exists($this.", ")))"),
        ("active.trace('x', %resource.", ")"),
        ("(true and (false or ", "))"),
        ("active.union(%resource.", ")"),
        ("active.aggregate(%resource.", ", 1)"),
        ("-(1 + ", ")"),
    ] {
        let nested = |n: usize| format!("{}active{}", open.repeat(n), close.repeat(n));
        let n = (1..200)
            .rfind(|n| Expression::compile(&nested(*n)).is_ok())
            .unwrap();
        assert!(20 < n, "{open}: {n}");
        let expression = Expression::compile(&nested(n)).unwrap();
        let _ = expression.evaluate(&Context::new(document.root()));
    }
}

#[test]
fn fuel_ends_endless_expressions() {
    let document = Document::parse(r#"{"resourceType":"Patient","active":true}"#).unwrap();
    let grows = format!("'{}'.repeat($this.replace('a', $this))", "a".repeat(100));
    let doubles = format!("({}).aggregate($total.combine($total), 1)", numbers(64));
    for text in [
        "1.repeat($this + 1)",
        "'a'.repeat($this & 'a')",
        "'a'.repeat($this + $this)",
        "'a'.repeat($this.replaceMatches('.+', '$0$0'))",
        "('a' | 'b').repeat($this.select($this + %resource.id.join('')) | $this + 'x')",
        &grows,
        &doubles,
    ] {
        let expression = Expression::compile(text).unwrap();
        let context = Context::new(document.root()).with_fuel(200_000);
        assert_eq!(
            expression.evaluate(&context).unwrap_err(),
            EvaluationError::OutOfFuel
        );
    }
}

fn numbers(n: usize) -> String {
    let numbers: Vec<String> = (0..n).map(|i| i.to_string()).collect();
    numbers.join(" | ")
}

/// A plain xorshift generator: the same mutations every time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

#[test]
fn mutated_expressions_never_panic() {
    let document =
        Document::parse(r#"{"resourceType":"Patient","name":[{"given":["ZZTEST"]}]}"#).unwrap();
    let mut random = Random(0x5EED);
    for round in 0..4_000 {
        let mut bytes = SEEDS[round % SEEDS.len()].as_bytes().to_vec();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len());
            match random.below(4) {
                0 => bytes[at] = random.below(256) as u8,
                1 => bytes.truncate(at.max(1)),
                2 => bytes.insert(at, b"()[]{}'`@$%.|-~<"[random.below(16)]),
                _ => {
                    let from = random.below(bytes.len());
                    bytes.swap(at, from);
                }
            }
        }
        fuzz(&bytes);
        if let Ok(expression) = Expression::compile(&String::from_utf8_lossy(&bytes)) {
            let _ = expression.evaluate(&Context::new(document.root()).with_fuel(10_000));
        }
    }
}

proptest! {
    #[test]
    fn any_text_compiles_or_is_refused(text in "\\PC*") {
        fuzz(text.as_bytes());
    }

    #[test]
    fn any_bytes_compile_or_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        fuzz(&bytes);
    }

    #[test]
    fn tokens_in_any_order(words in proptest::collection::vec(prop::sample::select(vec![
        "name", "(", ")", "[", "]", ".", ",", "'a'", "1", "1.5", "@2024", "@T10", "{}", "+", "-",
        "|", "and", "is", "as", "in", "$this", "%context", "where", "Patient", "days", "~", "div",
    ]), 0..40)) {
        fuzz(words.join(" ").as_bytes());
        fuzz(words.concat().as_bytes());
    }

    /// Integer arithmetic agrees with Rust's.
    #[test]
    fn integer_arithmetic(a in -1000_i32..1000, b in -1000_i32..1000) {
        let document = Document::parse("{}").unwrap();
        let text = format!("({a} + {b}) | ({a} - {b}) * 10000 | ({a} < {b})");
        let expression = Expression::compile(&text).unwrap();
        let found = expression.evaluate(&Context::new(document.root())).unwrap();
        let expected = [(a + b).to_string(), ((a - b) * 10_000).to_string(), (a < b).to_string()];
        let found: Vec<String> = found.iter().map(fhirpath::Item::to_json).collect();
        let distinct = if expected[0] == expected[1] { &expected[1..] } else { &expected[..] };
        prop_assert_eq!(found, distinct);
    }
}
