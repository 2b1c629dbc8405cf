//! A search, parsed and checked.
//!
//! Invariants:
//! - every parameter in a [`Query`] exists for its resource type and is of the right kind; values
//!   are parsed; nothing in here needs a second check;
//! - all of [`Query::filters`] must hold (AND); within one [`Filter::Any`] one test suffices (OR);
//! - a test holds for a resource if it holds for at least one posting under the key;
//! - parameters that were not understood are in [`Query::unknown`], and nowhere else.

use crate::param::{Param, ParamKey};
use crate::posting::Span;

/// A search on one resource type.
#[derive(Clone, Debug)]
pub struct Query {
    /// The resource type.
    pub resource_type: &'static str,
    /// The filters, all of which must hold.
    pub filters: Vec<Filter>,
    /// Sort keys, most significant first. Empty: the server's own order.
    pub sort: Vec<Sort>,
    /// `_count`, if given. Zero means the same as `_summary=count`.
    pub count: Option<u32>,
    /// `_include`.
    pub includes: Vec<Include>,
    /// `_revinclude`.
    pub revincludes: Vec<Include>,
    /// `_total`, if given.
    pub total: Option<Total>,
    /// `_summary`.
    pub summary: Summary,
    /// `_elements`: top-level element names.
    pub elements: Vec<String>,
    /// `_person=true`: return persons, each as a whole.
    pub person: bool,
    /// `_cursor`: the start of the page. Opaque here.
    pub cursor: Option<String>,
    /// Parameters that were not understood and are not part of the search.
    pub unknown: Vec<Unknown>,
    /// The parameters used, as `name=value` not yet percent-encoded; see [`Query::link`].
    pub(crate) used: Vec<(String, String)>,
}

/// One condition on a resource.
#[derive(Clone, Debug)]
pub enum Filter {
    /// At least one posting under `key` passes at least one test.
    Any {
        /// The parameter, for messages and plans.
        param: &'static Param,
        /// The key to look under: the parameter's key, or its identifier key.
        key: ParamKey,
        /// The tests, one of which must pass.
        tests: Vec<Test>,
    },
    /// `:not`: no posting under `key` passes any test. Holds if there is no posting at all.
    None {
        /// The parameter.
        param: &'static Param,
        /// The key to look under.
        key: ParamKey,
        /// The tests, none of which may pass.
        tests: Vec<Test>,
    },
    /// `:missing=true` (no posting under any of the keys) or `:missing=false` (at least one).
    Missing {
        /// The parameter.
        param: &'static Param,
        /// The keys to look under.
        keys: Vec<ParamKey>,
        /// True if there must be no posting.
        missing: bool,
    },
    /// A chain: a reference under `link` points to a resource on this server that passes one of the
    /// branches.
    Chain {
        /// The reference parameter.
        link: &'static Param,
        /// The branches, one for each possible target type; at least one.
        branches: Vec<Branch>,
    },
    /// `_has`: some resource of `source_type` refers to this one under `link` and passes `filter`.
    Has {
        /// The type of the referring resources.
        source_type: &'static str,
        /// The reference parameter on `source_type`.
        link: &'static Param,
        /// The condition on a referring resource.
        filter: Box<Filter>,
    },
    /// `_id`: one of these ids.
    Id(Vec<String>),
    /// `_lastUpdated`: one test must pass; the resource's value is a point in time.
    LastUpdated(Vec<DateTest>),
}

/// A chain's condition for one target type.
#[derive(Clone, Debug)]
pub struct Branch {
    /// The type of the resource that the reference points to.
    pub resource_type: &'static str,
    /// The condition on that resource.
    pub filter: Filter,
}

/// One value of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Test for a [`crate::Value::Token`].
    Token(TokenTest),
    /// Test for a [`crate::Value::String`].
    String(StringTest),
    /// Test for a [`crate::Value::Date`].
    Date(DateTest),
    /// Test for a [`crate::Value::Number`].
    Number(NumberTest),
    /// Test for a [`crate::Value::Quantity`].
    Quantity(QuantityTest),
    /// Test for a [`crate::Value::Reference`].
    Reference(ReferenceTest),
    /// Test for a [`crate::Value::Uri`]: equality.
    Uri(String),
    /// Test for a [`crate::Value::Composite`]: each part passes its test, within one posting.
    Composite(Vec<Test>),
}

/// A token: `code`, `system|code`, `|code`, `system|`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenTest {
    /// The condition on the system.
    pub system: SystemTest,
    /// The code to match; `None` for `system|`.
    pub code: Option<String>,
}

/// The condition on the system of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SystemTest {
    /// Any, or none: `code`.
    Any,
    /// No system: `|code`.
    Absent,
    /// This one: `system|code`.
    Is(String),
}

/// A text to match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StringTest {
    /// The comparison mode.
    pub mode: StringMode,
    /// The text, folded except for [`StringMode::Exact`].
    pub text: String,
}

/// The modes of text comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StringMode {
    /// No modifier: the folded value starts with the text.
    Starts,
    /// `:contains`: the text is anywhere in the folded value.
    Contains,
    /// `:exact`: the value as written equals the text.
    Exact,
}

/// A span of time and how to compare with it; see [`DateTest::holds`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTest {
    /// The comparison prefix.
    pub prefix: Prefix,
    /// The span that the value may mean; for [`Prefix::Ap`] already widened.
    pub span: Span,
}

/// A number and how to compare with it; see [`NumberTest::holds`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NumberTest {
    /// The comparison prefix.
    pub prefix: Prefix,
    /// The number.
    pub value: f64,
    /// The smallest number that is equal at the given significant digits (inclusive); for
    /// [`Prefix::Ap`] ten per cent less.
    pub low: f64,
    /// The end of the same range (exclusive); for [`Prefix::Ap`] ten per cent more, inclusive.
    pub high: f64,
}

/// A number with a unit.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantityTest {
    /// The number.
    pub number: NumberTest,
    /// The unit.
    pub unit: UnitTest,
}

/// The condition on the unit of a quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnitTest {
    /// Any: `5.4`.
    Any,
    /// `5.4|http://unitsofmeasure.org|mg`: system and code.
    Code {
        /// The system.
        system: String,
        /// The code.
        code: String,
    },
    /// `5.4||mg`: the code or the unit.
    CodeOrUnit(String),
}

/// The condition on the target of a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferenceTest {
    /// `subject=23`: a resource on this server with that id, of any of these types.
    Id {
        /// The types that the parameter may refer to.
        types: Vec<&'static str>,
        /// The id.
        id: String,
    },
    /// `subject=Patient/23`, `subject:Patient=23`, or absolute on our base.
    Local {
        /// The type.
        resource_type: &'static str,
        /// The id.
        id: String,
    },
    /// Anything else by URL; a canonical without a version matches every version.
    Url {
        /// The URL without `|version`.
        url: String,
        /// The required version, if given.
        version: Option<String>,
    },
}

/// The comparison prefixes (search.html#prefix).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Prefix {
    /// Equal; the default.
    Eq,
    /// Not equal.
    Ne,
    /// Greater.
    Gt,
    /// Less.
    Lt,
    /// Greater or equal.
    Ge,
    /// Less or equal.
    Le,
    /// Starts after.
    Sa,
    /// Ends before.
    Eb,
    /// Approximately.
    Ap,
}

/// One sort key.
#[derive(Clone, Copy, Debug)]
pub struct Sort {
    /// The value to sort by.
    pub by: SortBy,
    /// `-name`: greatest first.
    pub descending: bool,
}

/// The value to sort by.
#[derive(Clone, Copy, Debug)]
pub enum SortBy {
    /// The logical id.
    Id,
    /// The time of the last change.
    LastUpdated,
    /// The smallest (ascending) or greatest (descending) posting of a parameter; resources without
    /// one sort last.
    Param(&'static Param),
}

/// `_include=Type:param[:target]` or `_revinclude=…`.
#[derive(Clone, Debug)]
pub struct Include {
    /// The type of the resource that holds the reference.
    pub source_type: &'static str,
    /// The reference parameter on that type; `Type:*` becomes one include for each.
    pub param: &'static Param,
    /// If set, only references to this type.
    pub target_type: Option<&'static str>,
    /// `:iterate`: applies to included resources too.
    pub iterate: bool,
}

/// `_summary`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Summary {
    /// The whole resource.
    #[default]
    False,
    /// Only the elements marked as summary.
    True,
    /// Only text, id, meta and the mandatory elements.
    Text,
    /// Everything except the text.
    Data,
    /// Only the count of matches.
    Count,
}

/// `_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Total {
    /// No total.
    None,
    /// An estimate is sufficient.
    Estimate,
    /// The exact number.
    Accurate,
}

/// The value of `Prefer: handling=…`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Handling {
    /// An unknown parameter is an error.
    Strict,
    /// An unknown parameter is ignored and reported in [`Query::unknown`].
    #[default]
    Lenient,
}

/// A parameter that is not part of the search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// The name as given, with its modifier.
    pub name: String,
    /// The value as given.
    pub value: String,
}

// === impl Query ===

impl Query {
    /// Creates a query for all resources of a type.
    pub fn all_of(resource_type: &'static str) -> Self {
        Self {
            resource_type,
            filters: Vec::new(),
            sort: Vec::new(),
            count: None,
            includes: Vec::new(),
            revincludes: Vec::new(),
            total: None,
            summary: Summary::False,
            elements: Vec::new(),
            person: false,
            cursor: None,
            unknown: Vec::new(),
            used: Vec::new(),
        }
    }

    /// Returns the parameters used, as `name=value` pairs not yet percent-encoded, in the given
    /// order. Unknown parameters are excluded.
    pub fn used(&self) -> &[(String, String)] {
        &self.used
    }

    /// Returns the query string of the self link: the parameters used, percent-encoded, in the
    /// given order, with this cursor instead of the one received.
    pub fn link(&self, cursor: Option<&str>) -> String {
        let pairs = self.used.iter().filter(|(name, _)| name != "_cursor");
        let pairs = pairs.map(|(name, value)| (name.as_str(), value.as_str()));
        let mut link = String::new();
        for (name, value) in pairs.chain(cursor.map(|cursor| ("_cursor", cursor))) {
            if !link.is_empty() {
                link.push('&');
            }
            encode(name, &mut link);
            link.push('=');
            encode(value, &mut link);
        }
        link
    }
}

/// Percent-encodes everything except characters that are allowed in a query and that people often
/// read (RFC 3986, 3.4).
fn encode(text: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~:/,$*".contains(&byte);
        if plain {
            out.push(char::from(byte));
            continue;
        }
        out.push('%');
        for digit in [byte >> 4, byte & 15] {
            out.extend(HEX.get(usize::from(digit)).map(|&hex| char::from(hex)));
        }
    }
}
