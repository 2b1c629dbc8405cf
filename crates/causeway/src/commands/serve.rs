//! `causeway serve`: starts the server with a site's configuration.

use crate::cli::Configured;
use crate::config::{Config, Mistake};
use crate::failure::Failure;
use crate::maps::SiteMaps;
use crate::{logs, run};
use std::process::ExitCode;

pub(crate) fn serve(args: &Configured) -> Result<ExitCode, Failure> {
    let config = Config::read(&args.config).map_err(|mistakes| refused(&mistakes))?;
    logs::start(config.log.format, config.log.level);
    let site = SiteMaps::of(&config);
    let maps = site.at_start()?;
    let settings = run::Settings {
        data: config.data_dir.clone(),
        http: config.http.listen,
        engine: config.engine_config(),
        maps: site.live(maps),
        is_https: false,
        bundles: config.http.bundles(),
        journal: config.journal.clone(),
        audit: config.audit.clone(),
    };
    run::run(settings, |_| async {})?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the failure for an unusable configuration, with every mistake on a line of its own.
pub(crate) fn refused(mistakes: &[Mistake]) -> Failure {
    let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    Failure::failed(format!(
        "the configuration is refused\n{}",
        lines.join("\n")
    ))
}
