//! Paths of names and indices: `name[0].given[1]`.

/// One step of a path.
pub(super) enum Step<'p> {
    /// A field.
    Name(&'p str),
    /// An item, from 0.
    Place(usize),
}

/// Splits a path into steps. A part that is not an index is a name, so that nothing is skipped.
pub(super) fn steps(path: &str) -> impl Iterator<Item = Step<'_>> {
    path.split('.').flat_map(|part| {
        let (name, places) = part.find('[').map_or((part, ""), |at| part.split_at(at));
        let places = places
            .split(['[', ']'])
            .filter_map(|place| place.parse().ok());
        let name = (!name.is_empty()).then_some(Step::Name(name));
        name.into_iter().chain(places.map(Step::Place))
    })
}
