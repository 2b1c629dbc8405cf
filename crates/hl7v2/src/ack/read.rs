//! Reads the acknowledgement that a receiver sent us.

use super::{AckCode, AckError, Condition, ErrorSeverity};
use crate::issue::Place;
use crate::message::{Message, Segment};
use crate::piece::Repeat;

/// A receiver's acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// MSA-1.
    pub code: AckCode,
    /// MSA-2: the control id of the acknowledged message.
    pub control_id: String,
    /// MSA-3.
    pub text: String,
    /// The ERR segments, in either form.
    pub errors: Vec<AckError>,
}

// === impl Acknowledgement ===

impl Acknowledgement {
    /// Reads MSA and ERR. Returns `None` if there is no MSA with a known code.
    pub fn read(message: &Message) -> Option<Self> {
        let msa = message.first("MSA")?;
        let code = msa.field(1).value();
        // Some old receivers write words in MSA-1.
        let code = AckCode::named(code.trim().to_ascii_uppercase().as_str())?;
        let errors = message.named("ERR").flat_map(errors).collect();
        let (control_id, text) = (
            msa.field(2).text().into_owned(),
            msa.field(3).text().into_owned(),
        );
        Some(Self {
            code,
            control_id,
            text,
            errors,
        })
    }
}

fn errors(err: Segment<'_>) -> Vec<AckError> {
    if err.field(3).is_empty() {
        return err.field(1).repeats().map(old_error).collect();
    }
    let place = err.field(2).repeats().next().map(|repeat| place(repeat, 6));
    let severity = match &*err.field(4).value() {
        "W" => ErrorSeverity::Warning,
        "I" => ErrorSeverity::Information,
        _ => ErrorSeverity::Error,
    };
    let condition = Condition::named(&err.field(3).value());
    let texts = [
        err.field(8).text(),
        err.field(7).text(),
        err.field(3).component(2).text(),
    ];
    let text = texts
        .into_iter()
        .find(|text| !text.is_empty())
        .unwrap_or_default()
        .into_owned();
    vec![AckError {
        condition,
        severity,
        place,
        text,
    }]
}

fn old_error(repeat: Repeat<'_>) -> AckError {
    let what = repeat.component(4);
    let located = !repeat.component(1).is_empty();
    AckError {
        condition: Condition::named(&what.subcomponent(1).text()),
        severity: ErrorSeverity::Error,
        place: located.then(|| place(repeat, 3)),
        text: what.subcomponent(2).text().into_owned(),
    }
}

/// Reads segment, sequence and field, and from 2.5 on repeat, component and subcomponent.
fn place(repeat: Repeat<'_>, n_parts: usize) -> Place {
    let text = |n: usize| {
        if n <= n_parts {
            repeat.component(n).text()
        } else {
            "".into()
        }
    };
    let number = |n: usize| text(n).trim().parse().unwrap_or(0);
    Place {
        segment: u32::MAX,
        name: repeat.component(1).raw().first_chunk().copied(),
        occurrence: number(2),
        field: number(3),
        repeat: number(4),
        component: number(5),
        subcomponent: number(6),
        offset: 0,
    }
}
