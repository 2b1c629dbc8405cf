//! Applies a dialect's changes before its rows are bound.

use super::Binder;
use crate::diagnostic::Spot;
use crate::syntax::{Block, DialectBlock, DialectRow, File, MapBlock, MapKind, Row, Source};
use crate::values::number::Decimals;
use crate::visits::Visits;
use std::sync::Arc;

/// The name of the only base.
const BASE: &str = "v2";

// === impl Binder ===

impl Binder<'_> {
    /// Applies the zone, the authorities and the code systems.
    pub(super) fn settings(&mut self, dialect: &DialectBlock) {
        if dialect.extends != BASE {
            let message = format!("there is no base {}", dialect.extends);
            self.error_with(
                dialect.spot,
                message,
                format!("dialect {} extends {BASE}", dialect.name),
            );
        }
        for row in &dialect.rows {
            match row {
                DialectRow::Zone(spot, name) => {
                    if base::Zone::named(name).is_none() {
                        self.error_with(*spot, "no such time zone", "zone \"America/Chicago\"");
                    }
                    self.program.zone = Some(name.clone());
                }
                DialectRow::Decimal(spot, mark) => match mark.as_str() {
                    "comma" => self.program.decimals = Decimals::Comma,
                    "point" => self.program.decimals = Decimals::Point,
                    _ => self.error_with(
                        *spot,
                        "the decimal mark is a comma or a point",
                        "decimal comma",
                    ),
                },
                DialectRow::Authority(name, uri) => {
                    self.program.authorities.push((name.clone(), uri.clone()));
                }
                DialectRow::System(name, uri) => {
                    self.program.systems.learn(name, uri);
                    self.program.systems.names.insert(uri.clone(), name.clone());
                }
                DialectRow::Numbers(types) => {
                    self.program.patient_numbers = Some(types.clone());
                }
                DialectRow::Visits(spot, word) => self.visits(*spot, word),
                DialectRow::Function(row) => self.declare_function(row),
                DialectRow::Means { .. }
                | DialectRow::Choice { .. }
                | DialectRow::Change { .. } => {}
            }
        }
    }

    fn visits(&mut self, spot: Spot, word: &str) {
        let known = Visits::WORDS.into_iter().find(|(own, _)| *own == word);
        match known {
            Some((_, visits)) => self.program.visits = visits,
            None => self.error_with(
                spot,
                format!("a visit without a number cannot be identified by {word}"),
                "visits by account, visits by admission, visits by either or visits by none",
            ),
        }
    }

    pub(super) fn choose(&mut self, dialect: &DialectBlock) {
        for row in &dialect.rows {
            let DialectRow::Choice { spot, name, option } = row else {
                continue;
            };
            match self.choices.get_mut(name) {
                Some((options, chosen)) if options.contains(option) => chosen.clone_from(option),
                Some((options, _)) => {
                    let known = options.join(" or ");
                    self.error_with(
                        *spot,
                        format!("choice {name} has no option {option}"),
                        known,
                    );
                }
                None => self.error(*spot, format!("there is no choice {name}")),
            }
        }
    }

    pub(super) fn change(
        &mut self,
        maps: &mut [(Arc<str>, MapBlock)],
        files: &[File],
        dialect: &DialectBlock,
    ) {
        for row in &dialect.rows {
            match row {
                DialectRow::Means {
                    spot,
                    source,
                    meaning,
                } => {
                    self.means(maps, files, *spot, (source, meaning));
                }
                DialectRow::Change {
                    spot,
                    replace,
                    on,
                    row,
                } => {
                    self.exchange(maps, *spot, (*replace, on.as_deref()), row);
                }
                DialectRow::Zone(..)
                | DialectRow::Decimal(..)
                | DialectRow::Authority(..)
                | DialectRow::System(..)
                | DialectRow::Numbers(_)
                | DialectRow::Visits(..)
                | DialectRow::Function(_)
                | DialectRow::Choice { .. } => {}
            }
        }
    }

    fn means(
        &mut self,
        maps: &mut [(Arc<str>, MapBlock)],
        files: &[File],
        spot: Spot,
        (source, meaning): (&Source, &str),
    ) {
        let mut found = false;
        for (_, map) in maps {
            for row in &mut map.rows {
                let Row::Map(row) = row else { continue };
                let here = row.sources.iter().any(|own| is_same_field(own, source));
                let meant = meaning_of(files, &map.fhir_type, meaning);
                if let (true, Some((path, convert))) = (here, meant) {
                    row.target = path;
                    row.convert = convert;
                    found = true;
                }
            }
        }
        if !found {
            self.error_with(
                spot,
                format!("no map says what `{meaning}` means for this field"),
                format!("meaning TYPE with a row: {meaning} = element : converter"),
            );
        }
    }

    fn exchange(
        &mut self,
        maps: &mut [(Arc<str>, MapBlock)],
        spot: Spot,
        (replace, on): (bool, Option<&str>),
        row: &Row,
    ) {
        let Some(source) = source_of(row) else {
            self.error(spot, "a dialect changes rows that begin with a field");
            return;
        };
        let Source::Field { segment, .. } = &source else {
            self.error(spot, "a dialect changes rows that begin with a field");
            return;
        };
        let foreign = Row::Foreign {
            file: Arc::clone(&self.file),
            row: Box::new(row.clone()),
        };
        let mut found = false;
        for (_, map) in maps.iter_mut() {
            let MapKind::Segments(segments) = &map.kind else {
                continue;
            };
            let fits = segments.contains(segment) && on.is_none_or(|on| on == map.fhir_type);
            if !fits {
                continue;
            }
            let is_old = |old: &Row| source_of(old).is_some_and(|own| is_same_field(&own, &source));
            let at = map.rows.iter().position(is_old);
            match (replace, at) {
                (true, Some(at)) => {
                    map.rows.retain(|old| !is_old(old));
                    map.rows.insert(at.min(map.rows.len()), foreign.clone());
                    found = true;
                }
                (false, _) if !found => {
                    map.rows.push(foreign.clone());
                    found = true;
                }
                (true, None) | (false, _) => {}
            }
        }
        if !found {
            self.error(spot, "the base has no such row to replace");
        }
    }
}

fn meaning_of(
    files: &[File],
    fhir_type: &str,
    meaning: &str,
) -> Option<(crate::syntax::Path, crate::syntax::Convert)> {
    let blocks = files.iter().flat_map(|file| &file.blocks);
    let meanings = blocks.filter_map(|block| match block {
        Block::Meaning(block) if block.fhir_type == fhir_type => Some(block),
        _ => None,
    });
    let mut rows = meanings.flat_map(|block| &block.rows);
    let (_, path, convert) = rows.find(|(name, ..)| name == meaning)?;
    Some((path.clone(), convert.clone()))
}

fn source_of(row: &Row) -> Option<Source> {
    match row {
        Row::Map(row) => row.sources.first().cloned(),
        Row::Drop { source, .. } => Some(source.clone()),
        Row::Set(_) | Row::SetField { .. } | Row::Each(_) => None,
        Row::Foreign { row, .. } => source_of(row),
    }
}

fn is_same_field(one: &Source, other: &Source) -> bool {
    match (one, other) {
        (
            Source::Field { segment, field, .. },
            Source::Field {
                segment: other_segment,
                field: other_field,
                ..
            },
        ) => segment == other_segment && field == other_field,
        _ => false,
    }
}
