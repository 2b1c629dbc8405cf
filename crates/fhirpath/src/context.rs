//! The context in which an expression is evaluated.

use crate::element::Element;
use crate::item::Item;
use crate::temporal::DateTime;
use fhir::definitions::type_named;
use fhir::json::Node;

/// Lookups that only the surrounding program can answer.
pub trait Host {
    /// Returns the resource that a reference points to, outside of the current document. Not called
    /// for references to contained resources.
    fn resolve(&self, reference: &str) -> Option<Node<'_>> {
        let _ = reference;
        None
    }

    /// Returns whether the code, Coding or CodeableConcept is in the value set, or `None` if
    /// unknown.
    fn member_of(&self, item: &Item<'_>, value_set: &str) -> Option<bool> {
        let _ = (item, value_set);
        None
    }

    /// Returns whether the element conforms to the profile, or `None` if the profile is unknown.
    fn conforms_to(&self, element: &Element<'_>, profile: &str) -> Option<bool> {
        let _ = (element, profile);
        None
    }

    /// Receives the arguments of `trace`.
    fn trace(&self, name: &str, items: &[Item<'_>]) {
        let _ = (name, items);
    }
}

/// A host that answers nothing.
#[derive(Clone, Copy, Debug)]
pub struct NoHost;

impl Host for NoHost {}

/// Default maximum number of evaluation steps: about a second.
const DEFAULT_FUEL: u64 = 10_000_000;

/// The context in which an expression is evaluated.
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
    /// Creates a context for a resource, whose type is the one it names.
    pub fn new(resource: Node<'a>) -> Self {
        Self::of(Element::resource(resource))
    }

    /// Creates a context for a resource or element of a known type: `HumanName`, `Patient.contact`.
    pub fn typed(node: Node<'a>, type_name: &str) -> Self {
        Self::of(Element::new(node, type_named(type_name)))
    }

    /// Creates a context for an element.
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

    /// Starts the expression at an item inside the resource.
    #[must_use]
    pub fn at(mut self, focus: Item<'a>) -> Self {
        self.focus = focus;
        self
    }

    /// Sets `%rootResource`: the resource that contains this one.
    #[must_use]
    pub fn inside(mut self, root_resource: Element<'a>) -> Self {
        self.root_resource = root_resource;
        self
    }

    /// Sets the host.
    #[must_use]
    pub fn with_host(mut self, host: &'a dyn Host) -> Self {
        self.host = host;
        self
    }

    /// Sets the time for `now()`, `today()` and `timeOfDay()`. Without it they are an error: the
    /// clock is the caller's.
    #[must_use]
    pub fn with_now(mut self, now: DateTime) -> Self {
        self.now = Some(now);
        self
    }

    /// Limits the number of steps.
    #[must_use]
    pub fn with_fuel(mut self, fuel: u64) -> Self {
        self.fuel = fuel;
        self
    }

    /// Defines `%name`.
    #[must_use]
    pub fn with_variable(mut self, name: &'a str, items: Vec<Item<'a>>) -> Self {
        self.variables.push((name, items));
        self
    }
}
