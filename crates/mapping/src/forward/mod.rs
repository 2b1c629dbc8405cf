//! Converts a message to drafts of resources.
//!
//! Invariants:
//! - a run has no side effects: the same message with the same map gives the same drafts, and no
//!   row reads the clock;
//! - a row that cannot use its value records that, and the other rows continue.

pub(crate) mod accounts;
pub(crate) mod build;
pub(crate) mod cell;
mod convert;
mod each;
mod hollow;
mod join;
mod keys;
mod lines;
mod list;
mod message;
mod reference;
mod rows;
pub(crate) mod scope;
mod text;

pub use keys::identifier_keys;

use crate::draft::{BusinessKey, Draft};
use crate::list::List;
use crate::program::{MapRow, Program, ReferenceSpec, RowId};
use crate::received::Received;
use crate::report::Unusable;
use crate::values::authority::Registered;
use crate::values::number::Decimals;
use crate::values::time::{self, Times};
use accounts::Accounts;
use base::{DateTime, Severity, Zone};
use build::Build;
use cell::{Cell, Reading};
use fhir::build::Value;
use hl7v2::Message;
use scope::{Bound, Scope};
use std::collections::HashMap;
use std::sync::Arc;

pub(crate) use message::{convert, segments};

/// The conversion of one message.
pub(crate) struct Run<'a, 'm> {
    pub(crate) program: &'a Arc<Program>,
    message: &'m Message,
    accounts: Accounts,
    times: Times,
    authorities: Registered<'a>,
    drafts: Vec<Draft>,
    /// The lists that the message has.
    lists: Vec<List>,
    /// Resources made by `=>`, by type and key.
    referenced: HashMap<(&'static str, String), usize>,
    /// Resources made by `=>`, by row, level and bytes, if the key is within the value.
    same: HashMap<(RowId, u8, &'m [u8]), usize>,
    /// A bit for each non-empty field of each segment.
    valued: Vec<u64>,
    fingerprint: u128,
    event_time: Option<DateTime>,
    depth: u8,
    received: Arc<Received>,
}

// === impl Run ===

impl<'a, 'm> Run<'a, 'm> {
    fn new(program: &'a Arc<Program>, message: &'m Message, source: &'a crate::Source) -> Self {
        let zone = program.zone.as_deref().and_then(Zone::named);
        let header = time::read(&message.header(7, 1)).ok();
        let times = Times {
            header: header.and_then(|time| time.offset()),
            zone: zone.unwrap_or_else(|| source.zone.clone()),
        };
        let event_time = event_time(message)
            .or(header)
            .map(|time| match times.header {
                Some(offset) if time.offset().is_none() => time.with_offset(offset),
                _ => time,
            });
        Self {
            program,
            message,
            accounts: Accounts::new(message),
            times,
            authorities: Registered {
                program: &program.authorities,
                source: &source.authorities,
            },
            drafts: Vec::new(),
            lists: Vec::new(),
            referenced: HashMap::new(),
            same: HashMap::new(),
            valued: message
                .segments()
                .map(|segment| segment.valued_fields())
                .collect(),
            fingerprint: fingerprint(message.raw()),
            event_time,
            depth: 0,
            received: Arc::new(Received::new(message)),
        }
    }

    fn unusable(
        &mut self,
        (cell, reading): (Cell<'m>, &Reading),
        row: RowId,
        (severity, code): (Severity, &'static str),
        why: &str,
        replaced: bool,
    ) {
        self.accounts.unusable(Unusable {
            place: self.received.place(cell.origin),
            row,
            severity,
            code,
            why: why.to_owned(),
            raw: cell.raw_text(reading),
            replaced,
        });
    }

    /// Returns the full URL of the resource that a `=>` leads to; equal keys make one resource.
    fn referenced(
        &mut self,
        row: &MapRow,
        spec: &ReferenceSpec,
        key: String,
        cell: Cell<'m>,
        scope: &Scope<'_, 'm>,
    ) -> Option<String> {
        let name = (spec.resource_type, key.clone());
        if let Some(at) = self.referenced.get(&name).copied() {
            return self.refer_again(row, spec, at, cell, scope);
        }
        let place = self.drafts.len();
        let label = spec.resource_type.into();
        let mut draft = self.draft(spec.resource_type, label, Value::Null, Build::default());
        draft.ownership = spec.ownership;
        draft.keys = vec![BusinessKey {
            authority: String::new(),
            kind: spec.resource_type.to_owned(),
            value: key,
            ..BusinessKey::default()
        }];
        let url = draft.full_url.clone();
        // The draft takes its index before its own rows run, because they may refer to further
        // resources.
        self.drafts.push(draft);
        self.referenced.insert(name, place);
        let mut build = Build::for_resource();
        let start = Value::resource(spec.resource_type);
        let mut value = match spec.type_map {
            Some(map) => self.typed((row.id, map), cell, scope, &mut build, start)?,
            None => start,
        };
        self.below(&spec.body, cell, scope, &mut build, &mut value);
        if let Some(draft) = self.drafts.get_mut(place) {
            draft.value = value;
            draft.build = build;
            draft.whole = true;
        }
        if spec.own_key {
            self.same
                .insert((row.id, cell.origin.level(), cell.raw), place);
        }
        Some(url)
    }

    /// Returns the full URL of a resource that was referred to before.
    fn refer_again(
        &mut self,
        row: &MapRow,
        spec: &ReferenceSpec,
        place: usize,
        cell: Cell<'m>,
        scope: &Scope<'_, 'm>,
    ) -> Option<String> {
        let url = self.drafts.get(place)?.full_url.clone();
        // The resource was made from the same field, so its parts are accounted for in the same
        // way.
        self.accounts.all_taken(cell);
        self.account_below(&spec.body, &scope.with_cell(Some(cell)));
        if spec.own_key {
            self.same
                .insert((row.id, cell.origin.level(), cell.raw), place);
        }
        Some(url)
    }
}

/// Returns EVN-6, else EVN-2.
fn event_time(message: &Message) -> Option<DateTime> {
    let event = message.first("EVN")?;
    [6, 2]
        .into_iter()
        .find_map(|field| time::read(&event.field(field).value()).ok())
}

/// Returns `urn:uuid:…`, the same for the same message and index (a version 8 UUID).
pub(crate) fn full_url(fingerprint: u128, place: usize) -> String {
    let mixed = mix(fingerprint as u64 ^ (place as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let low = mix(mixed ^ (fingerprint >> 64) as u64);
    let bits = (u128::from(mixed) << 64 | u128::from(low)) & !(0xF_u128 << 76) & !(0x3_u128 << 62);
    let bits = bits | 0x8_u128 << 76 | 0x2_u128 << 62;
    let mut url = String::with_capacity(45);
    url.push_str("urn:uuid:");
    for (place, byte) in bits.to_be_bytes().into_iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            url.push('-');
        }
        for half in [byte >> 4, byte & 15] {
            url.push(char::from(if half < 10 {
                b'0' + half
            } else {
                b'a' + half - 10
            }));
        }
    }
    url
}

fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// Returns a number for the bytes of a message, the same on every machine.
fn fingerprint(bytes: &[u8]) -> u128 {
    let (mut a, mut b) = (0x243F_6A88_85A3_08D3_u64, 0x1319_8A2E_0370_7344_u64);
    for chunk in bytes.chunks(8) {
        let mut word = [0_u8; 8];
        for (to, from) in word.iter_mut().zip(chunk) {
            *to = *from;
        }
        let word = u64::from_le_bytes(word);
        a = (a ^ word)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .rotate_left(29);
        b = (b ^ word.rotate_left(32))
            .wrapping_mul(0xC2B2_AE3D_27D4_EB4F)
            .rotate_left(31);
    }
    let length = bytes.len() as u64;
    u128::from(mix(a ^ length)) << 64 | u128::from(mix(b ^ length.rotate_left(17)))
}

/// Returns the settings for reading a message's bytes.
pub(crate) fn reading(message: &Message) -> Reading {
    Reading {
        delimiters: *message.delimiters(),
        charset: message.charset(),
        decimals: Decimals::default(),
    }
}

/// Creates a scope without a current value.
pub(crate) fn scope<'a, 'm>(
    message: &'m Message,
    reading: &'a Reading,
    bound: &'a Bound,
) -> Scope<'a, 'm> {
    Scope {
        message,
        reading,
        bound,
        current: None,
        cell: None,
        parts: None,
        valued: u64::MAX,
        members: &[],
        observed: None,
    }
}
