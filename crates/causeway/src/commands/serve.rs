//! `causeway serve` and `causeway check`.

use crate::cli::Configured;
use crate::config::{Config, Mistake};
use crate::failure::Failure;
use crate::{logs, maps, run};
use std::process::ExitCode;
use std::sync::Arc;

pub(crate) fn serve(args: &Configured) -> Result<ExitCode, Failure> {
    let config = Config::read(&args.config).map_err(|mistakes| refused(&mistakes))?;
    logs::start(config.log.format, config.log.level);
    let maps = maps::load(config.maps.folder.as_deref())?;
    check_dialects(&config, &maps)?;
    let settings = run::Settings {
        data: config.data_dir.clone(),
        http: config.http.listen,
        engine: config.engine_config(),
        maps: Arc::new(maps),
        is_https: false,
        journal: config.journal.clone(),
        audit: config.audit.clone(),
    };
    run::run(settings, |_| async {})?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn check(args: &Configured) -> Result<ExitCode, Failure> {
    let config = Config::read(&args.config).map_err(|mistakes| refused(&mistakes))?;
    let maps = maps::load(config.maps.folder.as_deref())?;
    check_dialects(&config, &maps)?;
    println!(
        "{}: ok: {} flow{}, data in {}, HTTP on {}",
        args.config.display(),
        config.flows.len(),
        if config.flows.len() == 1 { "" } else { "s" },
        config.data_dir.display(),
        config.http.listen
    );
    Ok(ExitCode::SUCCESS)
}

fn refused(mistakes: &[Mistake]) -> Failure {
    let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    Failure::failed(format!(
        "the configuration is refused\n{}",
        lines.join("\n")
    ))
}

fn check_dialects(config: &Config, maps: &mapping::MapSet) -> Result<(), Failure> {
    for flow in &config.flows {
        if let Some(dialect) = &flow.map.dialect
            && !maps.dialects().any(|name| name == dialect)
        {
            return Err(Failure::failed(format!(
                "flow `{}`: there is no dialect `{dialect}`; name one of the maps' dialects, or put its file into [maps] folder",
                flow.name
            )));
        }
    }
    Ok(())
}
