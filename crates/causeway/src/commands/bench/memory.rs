//! Benchmarks in memory, without disk or socket: parsing and mapping on one core.

use super::Setting;
use super::figures::Figure;
use crate::failure::Failure;
use hl7v2::{Message, Path};
use mapping::{MapSet, Source};
use std::hint::black_box;
use std::time::{Duration, Instant};

const TEN_FIELDS: [&str; 10] = [
    "MSH-10",
    "PID-3.1",
    "PID-5.1",
    "PID-7",
    "OBR-4.1",
    "OBX[1]-5",
    "OBX[5]-5",
    "OBX[10]-6",
    "OBX[15]-7",
    "OBX[20]-11",
];

pub(super) fn parse(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let messages: Vec<bytes::Bytes> = simulate::bench::oru(1, 64, 20).map(Into::into).collect();
    let paths: Vec<Path> = TEN_FIELDS
        .iter()
        .map(|path| Path::parse(path).map_err(|error| Failure::failed(format!("{path}: {error}"))))
        .collect::<Result<_, _>>()?;
    let n_bytes: usize = messages.iter().map(bytes::Bytes::len).sum();
    let rate = per_second(setting, || {
        for bytes in &messages {
            let message = Message::parse(bytes.clone());
            black_box(message.structure());
            for path in &paths {
                black_box(message.get(path).map(|piece| piece.text().len()));
            }
        }
    });
    let average = n_bytes / messages.len().max(1);
    Ok(vec![
        Figure::new(
            "HL7 v2 parse, structure, issues, ten fields",
            rate * n_bytes as f64 / 1e6,
            "MB/s",
            "≥ 300",
        )
        .with(format!("one core, ORU of {average} bytes")),
    ])
}

#[expect(clippy::unnecessary_wraps, reason = "every benchmark has this shape")]
pub(super) fn map(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let maps = MapSet::builtin();
    let source = Source::default();
    let mut figures = Vec::new();
    let sets = [
        (
            "ADT",
            "≥ 10,000",
            simulate::bench::adt(1, 256).collect::<Vec<_>>(),
        ),
        (
            "ORU (20 OBX)",
            "≥ 3,000",
            simulate::bench::oru(1, 64, 20).collect(),
        ),
    ];
    for (name, goal, messages) in sets {
        let messages: Vec<bytes::Bytes> = messages.into_iter().map(Into::into).collect();
        let rate = per_second(setting, || {
            for bytes in &messages {
                let conversion = maps.forward(&Message::parse(bytes.clone()), &source);
                for draft in &conversion.drafts {
                    black_box(draft.apply(None).value.to_bytes());
                }
            }
        });
        figures.push(
            Figure::new(
                format!("HL7 v2 to FHIR in memory, {name}"),
                rate * messages.len() as f64,
                "messages/s",
                goal,
            )
            .with("one core; bytes to drafts to JSON bytes, with lineage"),
        );
    }
    Ok(figures)
}

/// Measures rounds per second, after a warm-up.
fn per_second(setting: &Setting, mut round: impl FnMut()) -> f64 {
    round();
    let least = Duration::from_secs_f64(3.0 * setting.scale.min(1.0));
    let started = Instant::now();
    let mut n_rounds = 0_u32;
    while started.elapsed() < least {
        round();
        n_rounds += 1;
    }
    f64::from(n_rounds) / started.elapsed().as_secs_f64()
}
