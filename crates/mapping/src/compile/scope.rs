//! Determines how the rows of one resource or data type affect each other: which elements other
//! rows distinguish, and which row is the first for a place.

use crate::program::{Body, Discriminator, Hop, Program, Row, Target};
use std::collections::HashMap;
use std::sync::Arc;

/// A list, identified by its path.
type Place = String;

/// The distinguishing values of each list.
type Apart = HashMap<Place, Vec<Vec<Discriminator>>>;

/// The places to which earlier rows have written, by path.
type Seen = HashMap<Place, Vec<Arc<Target>>>;

pub(super) fn settle(program: &mut Program) {
    for map in &mut program.types {
        settle_body(&mut map.body);
    }
    let mut by_type: HashMap<&'static str, Vec<usize>> = HashMap::new();
    for (place, map) in program.segments.iter().enumerate() {
        by_type.entry(map.body.fhir_type).or_default().push(place);
    }
    for places in by_type.values() {
        let mut apart = Apart::new();
        for map in places
            .iter()
            .filter_map(|place| program.segments.get(*place))
        {
            collect(&map.body, &mut apart);
        }
        let mut seen = Seen::new();
        for place in places {
            if let Some(map) = program.segments.get_mut(*place) {
                apply(&mut map.body, &apart, &mut seen);
            }
        }
    }
}

fn settle_body(body: &mut Body) {
    let mut apart = Apart::new();
    collect(body, &mut apart);
    apply(body, &apart, &mut Seen::new());
}

fn collect(body: &Body, apart: &mut Apart) {
    for row in &body.rows {
        let target = match row {
            Row::Map(row) => &row.target,
            Row::Each(row) => &row.target,
            Row::Set(row) => &row.target,
            Row::Drop(_) => continue,
        };
        let mut place = Place::new();
        for hop in &target.hops {
            place.push('.');
            place.push_str(hop.name());
            let (Hop::One(_, slice) | Hop::Many(_, slice)) = hop else {
                continue;
            };
            if slice.discriminators.is_empty() {
                continue;
            }
            match apart.get_mut(&place) {
                Some(list) => list.push(slice.discriminators.clone()),
                None => {
                    apart.insert(place.clone(), vec![slice.discriminators.clone()]);
                }
            }
        }
    }
}

fn apply(body: &mut Body, apart: &Apart, seen: &mut Seen) {
    for row in &mut body.rows {
        match row {
            Row::Map(row) => {
                let target = Arc::make_mut(&mut row.target);
                let place = others(target, apart);
                let known = seen.entry(place).or_default();
                target.principal = !known.iter().any(|own| own.hops == target.hops);
                if target.principal {
                    known.push(Arc::clone(&row.target));
                }
                if let Some(reference) = &mut row.reference {
                    settle_body(&mut reference.body);
                }
            }
            Row::Set(row) => {
                others(Arc::make_mut(&mut row.target), apart);
            }
            Row::Each(row) => {
                others(Arc::make_mut(&mut row.target), apart);
                Arc::make_mut(&mut row.target).principal = true;
                settle_body(&mut row.body);
            }
            Row::Drop(_) => {}
        }
    }
    body.settle();
}

/// Adds to each slice of the target the values that other rows distinguish in its list, and returns
/// the target's path.
fn others(target: &mut Target, apart: &Apart) -> Place {
    let mut place = Place::new();
    for hop in &mut target.hops {
        place.push('.');
        place.push_str(hop.name());
        let (Hop::One(_, slice) | Hop::Many(_, slice)) = hop else {
            continue;
        };
        slice.others = apart.get(&place).cloned().unwrap_or_default();
    }
    place
}
