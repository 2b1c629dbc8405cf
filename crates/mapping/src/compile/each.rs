//! Binds `each` rows.

use super::{Binder, segment_name, source};
use crate::program::{EachRow, Hop, Over, Source};
use crate::syntax;
use std::sync::Arc;

// === impl Binder ===

impl Binder<'_> {
    pub(super) fn each_row(
        &mut self,
        base: &'static str,
        row: &syntax::EachRow,
        of_type: bool,
    ) -> Option<EachRow> {
        let target = self.target(base, &row.target)?;
        // One of many may also fill an element that occurs once: `where` says which.
        let one = row.filter.is_some() && row.by.is_none();
        if !one && !matches!(target.hops.last(), Some(Hop::Many(..))) {
            self.error_with(
                row.target.spot,
                "`each` makes elements of a list",
                "component[+]",
            );
            return None;
        }
        let over = match &row.over {
            syntax::Over::Segment(name) => Over::Segment(segment_name(name)?),
            syntax::Over::Repeats(from) => Over::Repeats(source(from).all_repeats()),
            syntax::Over::Groups(groups) => {
                let bind = |group: &Vec<syntax::Source>| group.iter().map(source).collect();
                Over::Groups(groups.iter().map(bind).collect())
            }
        };
        let by = row.by.as_ref().map(source);
        if let Some(by) = by {
            self.groups_segments(row, &over, by)?;
        }
        if row.further && (row.arrow.back() || matches!(over, Over::Groups(_)) || by.is_some()) {
            let message =
                "`each further` reads all segments or repeats but the first, forward only";
            self.error_with(row.spot, message, "each further RXR -> …");
            return None;
        }
        let when = self.optional(row.clauses.when.as_ref())?;
        let (_, when_resource) =
            self.optional_resource(base, &row.target, row.clauses.when_resource.as_ref())?;
        let filter = self.optional(row.filter.as_ref())?;
        let body = self.body(target.fhir_type, &row.rows, of_type);
        Some(EachRow {
            id: self.row_id(row.spot),
            further: row.further,
            over,
            by,
            filter,
            arrow: row.arrow,
            target: Arc::new(target),
            when,
            when_resource,
            body,
        })
    }

    /// Checks that `by` follows a segment and names one of its fields.
    fn groups_segments(&mut self, row: &syntax::EachRow, over: &Over, by: Source) -> Option<()> {
        let own = match (over, by) {
            (Over::Segment(name), Source::Field { segment, .. }) => *name == segment,
            _ => false,
        };
        if own {
            return Some(());
        }
        let spot = row.by.as_ref().map_or(row.spot, syntax::Source::spot);
        self.error_with(
            spot,
            "`by` names a field of the segments that it groups",
            "each OBX by OBX-4",
        );
        None
    }
}
