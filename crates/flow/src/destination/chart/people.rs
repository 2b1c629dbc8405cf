//! Practitioner numbers that come without a name.
//!
//! The map identifies a person by number, authority and family name, because one number with two
//! names is two people. A mention without a name refers to the one named person with that number,
//! where exactly one is known in the message or the chart; where there are two or none, it stays a
//! separate person, since any match would be a guess.
//!
//! ```text
//! kind                    value        names
//! Practitioner.named      1234|NORTH   the first person with a name who has that number
//! Practitioner.another    1234|NORTH   a second one: the number alone no longer identifies anybody
//! ```

use super::plan::{Planner, Unfit};
use mapping::{Draft, Ownership};
use store::chart::BusinessKey;

const PERSON: &str = "Practitioner";

/// A person's number with its authority, and if a name accompanies it.
struct Number<'a> {
    text: &'a str,
    has_name: bool,
}

/// Returns the number with which a draft's key begins; none where the draft is not a person or has
/// none.
fn number(draft: &Draft) -> Option<Number<'_>> {
    let [key] = draft.keys.as_slice() else {
        return None;
    };
    // A key with a name alone is marked by its position among the alternatives.
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

/// Returns true where a draft is a number alone: it is placed after all drafts with names.
pub(super) fn is_number_alone(draft: &Draft) -> bool {
    number(draft).is_some_and(|number| !number.has_name)
}

// === impl Planner ===

impl Planner<'_> {
    /// Records the owner of a number, so that the number alone leads to it.
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

    /// Returns the one named person to whom a number alone refers.
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

    /// Returns the id of the resource that a mark names, in this message or in the chart.
    fn named_by(&self, mark: &BusinessKey) -> Result<Option<String>, Unfit> {
        if let Some(slot) = self.known_slot(mark) {
            return Ok(self.id_of_slot(slot).map(str::to_owned));
        }
        self.finder.id_of(mark).map_err(Unfit::Read)
    }
}
