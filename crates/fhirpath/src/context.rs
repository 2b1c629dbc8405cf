//! What an expression is evaluated against.

use crate::element::Element;
use crate::item::Item;
use crate::temporal::DateTime;
use fhir::definitions::type_named;
use fhir::json::Node;

/// What only the program around it can answer.
pub trait Host {
    /// The resource that a reference points to, outside of the document at hand. References to
    /// contained resources do not come here.
    fn resolve(&self, reference: &str) -> Option<Node<'_>> {
        let _ = reference;
        None
    }

    /// Is the code, Coding or CodeableConcept in the value set? `None`: not known.
    fn member_of(&self, item: &Item<'_>, value_set: &str) -> Option<bool> {
        let _ = (item, value_set);
        None
    }

    /// Does the element conform to the profile? `None`: the profile is not known.
    fn conforms_to(&self, element: &Element<'_>, profile: &str) -> Option<bool> {
        let _ = (element, profile);
        None
    }

    /// Takes what `trace` was given.
    fn trace(&self, name: &str, items: &[Item<'_>]) {
        let _ = (name, items);
    }
}

/// A host that knows nothing.
#[derive(Clone, Copy, Debug)]
pub struct NoHost;

impl Host for NoHost {}

/// How many steps an evaluation may take unless told otherwise: a second or so.
const DEFAULT_FUEL: u64 = 10_000_000;

/// What an expression is evaluated against.
#[derive(Clone)]
pub struct Context<'a> {
    pub(crate) focus: Item<'a>,
    pub(crate) resource: Element<'a>,
    pub(crate) root_resource: Element<'a>,
    pub(crate) host: &'a dyn Host,
    pub(crate) now: Option<DateTime>,
    pub(crate) fuel: u64,
    pub(crate) variables: Vec<(&'a str, Vec<Item<'a>>)>,
}

// === impl Context ===

impl<'a> Context<'a> {
    /// A resource; its type is the one it names.
    pub fn new(resource: Node<'a>) -> Self {
        Self::of(Element::resource(resource))
    }

    /// A resource or element of a known type: `HumanName`, `Patient.contact`.
    pub fn typed(node: Node<'a>, type_name: &str) -> Self {
        Self::of(Element::new(node, type_named(type_name)))
    }

    /// An element.
    pub fn of(element: Element<'a>) -> Self {
        Self {
            focus: Item::Element(element),
            resource: element,
            root_resource: element,
            host: &NoHost,
            now: None,
            fuel: DEFAULT_FUEL,
            variables: Vec::new(),
        }
    }

    /// The same, with the expression starting at an item inside of the resource.
    #[must_use]
    pub fn at(mut self, focus: Item<'a>) -> Self {
        self.focus = focus;
        self
    }

    /// The same, with `%rootResource`: what contains the resource.
    #[must_use]
    pub fn inside(mut self, root_resource: Element<'a>) -> Self {
        self.root_resource = root_resource;
        self
    }

    /// The same with a host.
    #[must_use]
    pub fn with_host(mut self, host: &'a dyn Host) -> Self {
        self.host = host;
        self
    }

    /// The same with the time that `now()`, `today()` and `timeOfDay()` say. Without it they are
    /// an error: the clock is the caller's.
    #[must_use]
    pub fn with_now(mut self, now: DateTime) -> Self {
        self.now = Some(now);
        self
    }

    /// The same with at most so many steps.
    #[must_use]
    pub fn with_fuel(mut self, fuel: u64) -> Self {
        self.fuel = fuel;
        self
    }

    /// The same with `%name`.
    #[must_use]
    pub fn with_variable(mut self, name: &'a str, items: Vec<Item<'a>>) -> Self {
        self.variables.push((name, items));
        self
    }
}
