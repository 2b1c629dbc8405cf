//! `causeway token`: issues a bearer token to anyone with write access to the data directory.

use crate::cli::Token;
use crate::failure::Failure;
use base::{Clock, SystemClock};
use security::{SigningKey, Tokens};
use std::process::ExitCode;
use std::time::Duration;

pub(crate) fn run(args: &Token) -> Result<ExitCode, Failure> {
    args.scope
        .parse::<access::Scopes>()
        .map_err(|error| Failure::usage(error.to_string()))?;
    check_binding(&args.scope, &args.patient)?;
    if !args.data.is_dir() {
        return Err(Failure::failed(format!(
            "there is no data directory `{}`; start `causeway demo` or `causeway serve` first, or give --data",
            args.data.display()
        )));
    }
    crate::private::restrict(&args.data);
    let key =
        SigningKey::load_or_create(&args.data).map_err(|error| Failure::from_error(&error))?;
    println!(
        "{}",
        Tokens::new(key).issue_for(&args.scope, &args.patient, args.ttl, SystemClock.now())
    );
    Ok(ExitCode::SUCCESS)
}

/// Checks that a bound patient has only `patient/` scopes: with a `system/` scope the token would
/// grant access to everything while appearing to be limited to one patient.
fn check_binding(scope: &str, patients: &[String]) -> Result<(), Failure> {
    let unbound = scope
        .split_whitespace()
        .find(|own| !own.starts_with("patient/"));
    match unbound.filter(|_| !patients.is_empty()) {
        Some(unbound) => Err(Failure::usage(format!(
            "--patient does not restrict the scope `{unbound}`; give patient scopes only: --scope 'patient/*.rs'"
        ))),
        None => Ok(()),
    }
}

/// Parses a duration such as `90s`, `30m`, `8h` or `30d`.
pub(crate) fn parse_ttl(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!("`{text}` is not a duration; write a number followed by s, m, h or d, such as `8h`")
    };
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number = text.strip_suffix(unit).unwrap_or("");
    let secs_each = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let secs = number
        .checked_mul(secs_each)
        .filter(|secs| (1..=3650 * 86_400).contains(secs));
    secs.map(Duration::from_secs)
        .ok_or_else(|| format!("`{text}` is not between 1 second and 10 years"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patient_binds_only_patient_scopes() {
        let one = ["p1".to_owned()];
        for (scope, patients, fits) in [
            ("patient/*.rs", &one[..], true),
            ("system/*.cruds", &one[..], false),
            ("patient/*.rs system/*.rs", &one[..], false),
            ("system/*.cruds", &[], true),
        ] {
            assert_eq!(check_binding(scope, patients).is_ok(), fits, "{scope}");
        }
    }

    #[test]
    fn durations() {
        assert_eq!(parse_ttl("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_ttl("8h"), Ok(Duration::from_hours(8)));
        for wrong in ["", "h", "8", "0s", "-1h", "8w", "99999999d", "8 h", "१h"] {
            assert!(parse_ttl(wrong).is_err(), "{wrong}");
        }
    }
}
