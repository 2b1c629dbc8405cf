//! Functions in Rhai: the bounded escape hatch of a dialect for what no row can express.
//!
//! Invariants:
//! - a script sees the text of one field and returns one text: no files, no network, no clock, no
//!   modules, no `eval`, no state kept between calls;
//! - a call terminates: its steps, its depth and the size of every value are bounded, which bounds
//!   its memory (each step can keep one more text) and its time too, and a script cannot catch a
//!   violation of a bound;
//! - an error gives its kind and its position in the script, never the text.

use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicIteratorPackage, BasicMathPackage,
    BasicStringPackage, LogicPackage, MoreStringPackage, Package,
};
use rhai::{AST, Dynamic, Engine, EvalAltResult, ImmutableString, Position, Scope};
use std::sync::LazyLock;

/// The maximum number of steps of one call: statements, operations and calls.
const MAX_STEPS: u64 = 10_000;
/// The maximum number of bytes of all texts within one value.
const MAX_TEXT: usize = 4 * 1024;
/// The maximum number of elements of an array.
const MAX_ELEMENTS: usize = 500;
const MAX_VARIABLES: usize = 64;
const MAX_FUNCTIONS: usize = 16;
const MAX_CALLS: usize = 8;
const MAX_NESTING: usize = 32;

/// A script and the name of its one parameter.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    ast: AST,
    parameter: String,
}

/// An error and its position in the script; line and column count from 1, 0 is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) why: &'static str,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let mut engine = Engine::new_raw();
    // Not the core package: a script that sleeps takes no steps.
    ArithmeticPackage::new().register_into_engine(&mut engine);
    BasicStringPackage::new().register_into_engine(&mut engine);
    BasicIteratorPackage::new().register_into_engine(&mut engine);
    LogicPackage::new().register_into_engine(&mut engine);
    BasicMathPackage::new().register_into_engine(&mut engine);
    BasicArrayPackage::new().register_into_engine(&mut engine);
    MoreStringPackage::new().register_into_engine(&mut engine);
    // Rhai does not measure the growth of a map.
    for word in ["eval", "print", "debug", "import", "export", "#{"] {
        engine.disable_symbol(word);
    }
    // Rhai's own functions measure a text only after it was made, and one that nobody keeps not at
    // all.
    engine.register_fn("replace", replace);
    engine.register_fn(
        "replace",
        |text: &mut ImmutableString, find: char, by: &str| {
            replace(text, find.encode_utf8(&mut [0; 4]), by)
        },
    );
    engine
        .set_strict_variables(true)
        .set_max_operations(MAX_STEPS)
        .set_max_call_levels(MAX_CALLS)
        .set_max_expr_depths(MAX_NESTING, MAX_NESTING / 2)
        .set_max_string_size(MAX_TEXT)
        .set_max_array_size(MAX_ELEMENTS)
        .set_max_variables(MAX_VARIABLES)
        .set_max_functions(MAX_FUNCTIONS);
    engine
});

fn replace(text: &mut ImmutableString, find: &str, by: &str) -> Result<(), Box<EvalAltResult>> {
    let grown = text.matches(find).count().saturating_mul(by.len());
    if MAX_TEXT < grown {
        let what = String::new();
        return Err(EvalAltResult::ErrorDataTooLarge(what, Position::NONE).into());
    }
    *text = text.replace(find, by).into();
    Ok(())
}

// === impl Script ===

impl Script {
    /// Parses a script and runs it on a few texts, so that a call of an undefined function is found
    /// here.
    pub(crate) fn read(parameter: &str, text: &str) -> Result<Self, Fault> {
        let scope = scope(parameter, "");
        let ast = ENGINE
            .compile_with_scope(&scope, text)
            .map_err(|error| Fault::new(syntax(&error), error.1))?;
        let script = Self {
            ast,
            parameter: parameter.to_owned(),
        };
        for sample in ["", "A", "A-1^B", "20240105"] {
            if let Err(fault) = script.run(sample)
                && fault.why == UNKNOWN_FUNCTION
            {
                return Err(fault);
            }
        }
        Ok(script)
    }

    /// Runs the script on a text and returns its text; `None` if it returns nothing.
    pub(crate) fn run(&self, text: &str) -> Result<Option<String>, Fault> {
        if MAX_TEXT < text.len() {
            return Err(Fault::new(TOO_LARGE, Position::NONE));
        }
        let mut scope = scope(&self.parameter, text);
        let made = ENGINE
            .eval_ast_with_scope::<Dynamic>(&mut scope, &self.ast)
            .map_err(|error| runtime(&error))?;
        if made.is_unit() {
            return Ok(None);
        }
        let is_plain = made.is_string()
            || made.is_char()
            || made.is_int()
            || made.is_float()
            || made.is_bool();
        if !is_plain {
            return Err(Fault::new(
                "returned neither a text nor a number",
                Position::NONE,
            ));
        }
        Ok(Some(made.to_string()).filter(|text| !text.is_empty()))
    }
}

fn scope(parameter: &str, text: &str) -> Scope<'static> {
    let mut scope = Scope::new();
    scope.push(parameter.to_owned(), text.to_owned());
    scope
}

const UNKNOWN_FUNCTION: &str = "calls a function that does not exist for these values";
const TOO_LARGE: &str = "works on a value that is too large";

fn syntax(error: &rhai::ParseError) -> &'static str {
    use rhai::ParseErrorType as Kind;
    match &*error.0 {
        Kind::UnexpectedEOF => "ends unexpectedly",
        Kind::VariableUndefined(_) => "reads a variable that does not exist",
        Kind::ExprTooDeep => "nests too deep",
        Kind::TooManyFunctions => "has too many functions",
        Kind::LiteralTooLarge(..) => "holds a value that is too large",
        Kind::Reserved(_) | Kind::BadInput(_) => "uses a word or a symbol that is not allowed",
        _ => "is not Rhai",
    }
}

fn runtime(error: &EvalAltResult) -> Fault {
    let inner = error.unwrap_inner();
    let why = match inner {
        EvalAltResult::ErrorTooManyOperations(_) => "takes too many steps",
        EvalAltResult::ErrorDataTooLarge(..) => TOO_LARGE,
        EvalAltResult::ErrorStackOverflow(_) => "recurses too deeply",
        EvalAltResult::ErrorTooManyVariables(_) => "has too many variables",
        EvalAltResult::ErrorFunctionNotFound(..) => UNKNOWN_FUNCTION,
        EvalAltResult::ErrorArithmetic(..) => "fails in an arithmetic operation",
        EvalAltResult::ErrorArrayBounds(..) | EvalAltResult::ErrorStringBounds(..) => {
            "reads an index that does not exist"
        }
        EvalAltResult::ErrorRuntime(..) => "gave up",
        _ => "failed",
    };
    Fault::new(why, inner.position())
}

// === impl Fault ===

impl Fault {
    fn new(why: &'static str, position: Position) -> Self {
        Self {
            why,
            line: position.line().unwrap_or(0),
            column: position.position().unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn run(script: &str, text: &str) -> Result<Option<String>, Fault> {
        Script::read("text", script).and_then(|script| script.run(text))
    }

    #[test]
    fn what_scripts_are_for() {
        let rows = [
            ("text.to_upper()", "ab", Some("AB")),
            ("text.split(\"-\")[0]", "W3-12", Some("W3")),
            (
                "if text.len() < 3 { () } else { text.sub_string(0, 3) }",
                "ab",
                None,
            ),
            ("parse_int(text) * 2", "21", Some("42")),
            (
                "fn half(n) { n / 2 } half(parse_int(text))",
                "10",
                Some("5"),
            ),
            ("text.replace(\"x\", \"\"); text", "x", None),
        ];
        for (script, text, expected) in rows {
            assert_eq!(
                run(script, text),
                Ok(expected.map(str::to_owned)),
                "{script}"
            );
        }
    }

    /// Every one of these scripts ends in an error, quickly and within its memory limit.
    #[test]
    fn hostile_scripts() {
        let rows = [
            ("loop {}", "takes too many steps"),
            (
                "while true { try { loop {} } catch {} }",
                "takes too many steps",
            ),
            ("for i in 0..9000000000000 { i; }", "takes too many steps"),
            ("let s = text + \"x\"; loop { s += s; }", TOO_LARGE),
            ("let a = []; loop { a.push(a); }", TOO_LARGE),
            ("let a = []; a.pad(1000000000, 0); a.len()", TOO_LARGE),
            ("let s = \"\"; s.pad(1000000000, \"x\"); s", TOO_LARGE),
            (
                "let m = #{}; m",
                "uses a word or a symbol that is not allowed",
            ),
            ("blob(1000000000, 0)", UNKNOWN_FUNCTION),
            (
                "let s = \"\"; s.pad(4000, \"a\"); loop { s.append(s); }",
                TOO_LARGE,
            ),
            (
                "let s = \"\"; s.pad(4000, \"a\"); s.replace(\"a\", s); 1",
                TOO_LARGE,
            ),
            (
                "let s = \"\"; s.pad(4000, \"a\"); s.replace('a', s); 1",
                TOO_LARGE,
            ),
            (
                "let s = \"\"; s.pad(4000, \"a\"); loop { (s + \"\").replace(\"a\", s); }",
                TOO_LARGE,
            ),
            ("let a = [1, 2]; loop { a.append(a); }", TOO_LARGE),
            ("let a = [1, 2]; loop { a += a; }", TOO_LARGE),
            ("fn f(n) { f(n + 1) } f(0)", "recurses too deeply"),
            (
                "fn f(n) { g(n) } fn g(n) { f(n) } f(0)",
                "recurses too deeply",
            ),
            ("let f = |x| x; f", "returned neither a text nor a number"),
            (
                "9223372036854775807 + 1",
                "fails in an arithmetic operation",
            ),
            ("1 / 0", "fails in an arithmetic operation"),
            ("text[99]", "reads an index that does not exist"),
            ("[][0]", "reads an index that does not exist"),
            ("throw text", "gave up"),
            ("sleep(60)", UNKNOWN_FUNCTION),
            ("exit(text)", UNKNOWN_FUNCTION),
            ("timestamp()", UNKNOWN_FUNCTION),
            ("open_file(\"/etc/passwd\")", UNKNOWN_FUNCTION),
            (
                "eval(\"loop {}\")",
                "uses a word or a symbol that is not allowed",
            ),
            (
                "import \"os\" as os; 1",
                "uses a word or a symbol that is not allowed",
            ),
            ("print(text)", "uses a word or a symbol that is not allowed"),
            ("other", "reads a variable that does not exist"),
            ("text +", "ends unexpectedly"),
        ];
        for (script, why) in rows {
            let begin = Instant::now();
            let fault = run(script, "ZZTEST").expect_err(script);
            assert_eq!(fault.why, why, "{script}");
            assert!(begin.elapsed() < Duration::from_secs(2), "{script}");
        }
        let nested = format!("{}1{}", "(".repeat(5_000), ")".repeat(5_000));
        assert_eq!(run(&nested, "A").unwrap_err().why, "nests too deep");
        assert_eq!(run("text", &"x".repeat(20_000)).unwrap_err().why, TOO_LARGE);
    }

    #[test]
    fn a_call_leaves_nothing_behind() {
        let script = Script::read("text", "text += \"!\"; let kept = text; kept").unwrap();
        for _ in 0..3 {
            assert_eq!(script.run("A"), Ok(Some("A!".to_owned())));
        }
    }
}
