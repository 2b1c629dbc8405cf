//! A number without a name beside it.
//!
//! The map names a person behind a number by number, authority and family name, because one number
//! with two names is two people. A mention that leaves the name out is the one named person of that
//! number, where exactly one is known in the message or the chart; where there are two, or none, it
//! stays a person of its own: whom it means would be a guess.
//!
//! ```text
//! kind                    value        names
//! Practitioner.named      1234|NORTH   the first person with a name who has that number
//! Practitioner.another    1234|NORTH   a second one: from now on the number alone means nobody
//! ```

use super::plan::{Planner, Unfit};
use mapping::{Draft, Ownership};
use store::chart::BusinessKey;

const PERSON: &str = "Practitioner";

/// The number of a person and who gave it, and whether a name stands beside it.
struct Number<'a> {
    text: &'a str,
    has_name: bool,
}

/// The number that a draft's key begins with; none where the draft is no person or has none.
fn number(draft: &Draft) -> Option<Number<'_>> {
    let [key] = draft.keys.as_slice() else {
        return None;
    };
    // The key that is a name alone is marked by its place among the alternatives.
    if draft.resource_type != PERSON || key.kind != PERSON || key.value.starts_with("1:") {
        return None;
    }
    let mut bars = key.value.match_indices('|').map(|(at, _)| at);
    let end = bars.nth(1);
    Some(Number {
        text: end.map_or(key.value.as_str(), |end| {
            key.value.get(..end).unwrap_or_default()
        }),
        has_name: end.is_some(),
    })
}

/// True where a draft is a number alone: it is placed when all that have names are.
pub(super) fn is_number_alone(draft: &Draft) -> bool {
    number(draft).is_some_and(|number| !number.has_name)
}

// === impl Planner ===

impl Planner<'_> {
    /// Remembers who has a number, so that the number alone leads there.
    pub(super) fn note_name(&mut self, draft: &Draft, slot: usize) -> Result<(), Unfit> {
        let Some(number) = number(draft).filter(|number| number.has_name) else {
            return Ok(());
        };
        let first = self.mark("named", &number);
        match self.named_by(&first)? {
            Some(holder) if self.id_of_slot(slot) == Some(holder.as_str()) => Ok(()),
            None => {
                self.claim(vec![first.clone()], slot);
                self.know(vec![first], slot);
                Ok(())
            }
            Some(_) => {
                let second = self.mark("another", &number);
                if self.named_by(&second)?.is_none() {
                    self.claim(vec![second.clone()], slot);
                    self.know(vec![second], slot);
                }
                Ok(())
            }
        }
    }

    /// The one person with a name whom a number alone means.
    pub(super) fn person_of(&mut self, draft: &Draft) -> Result<Option<usize>, Unfit> {
        let Some(number) = number(draft).filter(|number| !number.has_name) else {
            return Ok(None);
        };
        let first = self.mark("named", &number);
        if self.named_by(&self.mark("another", &number))?.is_some() {
            return Ok(None);
        }
        if let Some(slot) = self.known_slot(&first) {
            return Ok(Some(slot));
        }
        let hit = self.finder.find(PERSON, &[first], Ownership::OnlyLinks)?;
        match hit.existing {
            Some(_) => self.slot(PERSON, hit).map(Some),
            None => Ok(None),
        }
    }

    fn mark(&self, what: &str, number: &Number<'_>) -> BusinessKey {
        BusinessKey {
            system: format!("{}|", self.scope),
            kind: format!("{PERSON}.{what}"),
            value: number.text.to_owned(),
        }
    }

    /// The id of the resource that a mark names, in this message or in the chart.
    fn named_by(&self, mark: &BusinessKey) -> Result<Option<String>, Unfit> {
        if let Some(slot) = self.known_slot(mark) {
            return Ok(self.id_of_slot(slot).map(str::to_owned));
        }
        self.finder.id_of(mark).map_err(Unfit::Read)
    }
}
