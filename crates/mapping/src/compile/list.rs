//! Binds the lists of a message map.

use super::Binder;
use crate::program::{End, Hop, Key, ListSpec};
use crate::syntax::{self, Ownership};
use std::collections::HashSet;
use std::sync::Arc;

// === impl Binder ===

impl Binder<'_> {
    /// Returns the list of an item; `None` if it has none or an invalid one.
    pub(super) fn list(
        &mut self,
        base: &'static str,
        item: &syntax::ResourceItem,
        key: &Key,
        labels: &HashSet<String>,
    ) -> Option<Arc<ListSpec>> {
        let lines = &item.list;
        let Some(snapshot) = &lines.snapshot else {
            let stray = lines.ends.first().map(|end| end.row.spot);
            let stray = stray.or(lines.none.as_ref().map(|(spot, _)| *spot));
            if let Some(spot) = stray.or(lines.ended.as_ref().map(|(spot, _)| *spot)) {
                self.error_with(
                    spot,
                    "`end`, `none when` and `ended when` belong to a list, and this item has none",
                    "snapshot of patient",
                );
            }
            return None;
        };
        for (spot, label) in &snapshot.within {
            if !labels.contains(label) {
                self.error(*spot, format!("no resource is labelled {label}"));
                return None;
            }
        }
        if item.ownership.is_some_and(|own| own != Ownership::Owns) {
            self.error_with(
                snapshot.spot,
                "a list may end its entries, so its sender must own them",
                "owns, snapshot of patient",
            );
            return None;
        }
        if key.alternatives.is_empty() {
            self.error_with(
                snapshot.spot,
                "an entry of a list is identified by its key, and this item has none",
                "key patient, AL1-3",
            );
            return None;
        }
        if lines.ends.is_empty() {
            self.error_with(
                snapshot.spot,
                "nothing says what happens to an entry that is no longer listed",
                "end clinicalStatus = allergyintolerance-clinical|inactive",
            );
            return None;
        }
        let ends = lines.ends.iter().filter_map(|end| {
            let row = self.set_row(base, &end.row)?;
            let [Hop::Field(_)] = row.target.hops.as_slice() else {
                let message =
                    "`end` sets an element of the resource itself, not one within another";
                self.error_with(end.row.spot, message, "end status = cancelled");
                return None;
            };
            let name = row.target.hops.first()?.name();
            let again = match &end.again {
                Some(again) => Some(self.set_row(base, again)?.value),
                None => None,
            };
            Some(End {
                element: name,
                value: row.value,
                again,
            })
        });
        let ends = ends.collect();
        Some(Arc::new(ListSpec {
            id: self.row_id(snapshot.spot),
            within: snapshot
                .within
                .iter()
                .map(|(_, label)| label.as_str().into())
                .collect(),
            when: self.optional(snapshot.when.as_ref())?,
            ends,
            none: self.optional(lines.none.as_ref().map(|(_, when)| when))?,
            ended: self.optional(lines.ended.as_ref().map(|(_, when)| when))?,
        }))
    }
}
