//! `causeway send`.

use crate::cli::Send;
use crate::failure::Failure;
use std::process::ExitCode;

pub(crate) fn run(_: &Send) -> Result<ExitCode, Failure> {
    Err(Failure::usage("not built yet"))
}
