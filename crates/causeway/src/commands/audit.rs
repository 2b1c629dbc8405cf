//! `causeway audit`: verifies and reads the audit log.

mod read;
mod verify;

use crate::cli::{Audit, AuditAction};
use crate::failure::Failure;
use security::HeadKey;
use std::path::PathBuf;
use std::process::ExitCode;

pub(crate) fn run(args: &Audit) -> Result<ExitCode, Failure> {
    match &args.action {
        AuditAction::Verify { heads, key } => {
            verify::run(args, &folder(args)?, heads.as_deref(), key.as_deref())
        }
        AuditAction::Export { query, lines } => read::export(args, query, *lines),
        AuditAction::Report { query } => read::report(args, query),
        AuditAction::Key => {
            println!("{}", own_key(args)?.public());
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn folder(args: &Audit) -> Result<PathBuf, Failure> {
    let folder = args.data.join("audit");
    if folder.is_dir() {
        return Ok(folder);
    }
    Err(Failure::failed(format!(
        "`{}` has no audit log; give the data directory with --data",
        args.data.display()
    )))
}

fn own_key(args: &Audit) -> Result<HeadKey, Failure> {
    if !HeadKey::path(&args.data).is_file() {
        return Err(Failure::failed(format!(
            "`{}` has no key that signs heads; the server creates it at startup. Give a copy with --key",
            args.data.display()
        )));
    }
    HeadKey::load_or_create(&args.data).map_err(|error| Failure::from_error(&error))
}
