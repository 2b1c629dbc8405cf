//! Search parameters, independent of where their definitions come from.

/// The FHIR R4 search parameter types (search.html#ptypes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ParamKind {
    /// A code, identifier or boolean: compared as a whole.
    Token,
    /// A name or text: compared by its start, folded.
    String,
    /// A date, time or period: compared as a span of time.
    Date,
    /// A plain number.
    Number,
    /// A number with a unit.
    Quantity,
    /// A reference to another resource.
    Reference,
    /// A URI, compared exactly.
    Uri,
    /// Several values of one element together.
    Composite,
    /// A parameter that needs code of its own; none is supported yet.
    Special,
}

/// The stable key of one parameter on one resource type: a hash of `Type.code`, so that it is the
/// same in every build and on every node. The store keeps it with each posting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParamKey(pub u32);

/// One search parameter on one resource type.
#[derive(Debug)]
pub struct Param {
    /// The parameter's key, as in [`crate::Posting::param`].
    pub key: ParamKey,
    /// For [`ParamKind::Reference`]: the key under which the `identifier` of such references is
    /// indexed as a token, for the modifier `:identifier`.
    pub identifier_key: ParamKey,
    /// The resource type of the parameter: `Observation`, even if it is defined for all resources.
    pub resource_type: &'static str,
    /// The name in the URL: `code-value-quantity`.
    pub code: &'static str,
    /// The canonical URL of the definition.
    pub url: &'static str,
    /// The parameter type.
    pub kind: ParamKind,
    /// For a reference: the resource types it may point to.
    pub targets: Vec<&'static str>,
    /// For a composite: its parts in order.
    pub components: Vec<Component>,
    /// The FHIRPath expression.
    pub expression: &'static str,
    /// True if the index follows the expression. False for a parameter that looks at no element
    /// (`_text`), needs code of its own (`near`) or points at a whole resource
    /// (`Bundle.composition`).
    pub is_indexed: bool,
    /// For a token that looks at `code` elements only: the value sets that define each code's
    /// system, as the element itself does not (search.html#token).
    pub implicit_sets: Vec<&'static str>,
    /// For a token that looks at plain strings only: matching is case-insensitive, and the index
    /// keeps lower case.
    pub is_caseless: bool,
}

/// One part of a composite parameter.
#[derive(Debug)]
pub struct Component {
    /// The parameter code of the part, if it has one.
    pub code: &'static str,
    /// The type by which the part's value is written and compared.
    pub kind: ParamKind,
    /// For a reference: the resource types it may point to.
    pub targets: Vec<&'static str>,
    /// The FHIRPath expression, relative to one instance of the composite's own expression.
    pub expression: &'static str,
}

// === impl ParamKind ===

impl ParamKind {
    /// Returns the FHIR code of the type.
    pub fn code(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::String => "string",
            Self::Date => "date",
            Self::Number => "number",
            Self::Quantity => "quantity",
            Self::Reference => "reference",
            Self::Uri => "uri",
            Self::Composite => "composite",
            Self::Special => "special",
        }
    }

    /// Returns the type with that FHIR code.
    pub fn from_code(code: &str) -> Option<Self> {
        Some(match code {
            "token" => Self::Token,
            "string" => Self::String,
            "date" => Self::Date,
            "number" => Self::Number,
            "quantity" => Self::Quantity,
            "reference" => Self::Reference,
            "uri" => Self::Uri,
            "composite" => Self::Composite,
            "special" => Self::Special,
            _ => return None,
        })
    }
}

// === impl ParamKey ===

impl ParamKey {
    /// Returns the key of `code` on `resource_type`: 32-bit FNV-1a of `Type.code`. A test checks
    /// that no two R4 parameters share one.
    pub fn of(resource_type: &str, code: &str) -> Self {
        Self(fnv1a(
            resource_type.bytes().chain([b'.']).chain(code.bytes()),
        ))
    }

    /// Returns the key of the identifiers within a reference parameter.
    pub fn of_identifier(resource_type: &str, code: &str) -> Self {
        let name = resource_type.bytes().chain([b'.']).chain(code.bytes());
        Self(fnv1a(name.chain(*b":identifier")))
    }
}

fn fnv1a(bytes: impl Iterator<Item = u8>) -> u32 {
    bytes.fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}
