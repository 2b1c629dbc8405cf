//! `causeway demo`: runs an embedded store, one flow for each simulated peer, and the peers
//! themselves as real MLLP clients.

mod position;
mod traffic;

use crate::cli::Demo;
use crate::config::{LogFormat, LogLevel};
use crate::failure::Failure;
use crate::{logs, run};
use flow::{AckPolicy, EngineConfig, FlowConfig, Maps};
use mapping::MapSet;
use position::Position;
use simulate::{Options, Peer, Simulation};
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;
use traffic::Traffic;

/// The maximum rate: more than two cores can take in.
const MAX_RATE: f64 = 10_000.0;

/// The laboratory's dialect: its OBX-14 is not the time of the observation.
const LABORATORY_DIALECT: (&str, &str) = (
    "examples/maps/demo-laboratory.map",
    include_str!("../../../../examples/maps/demo-laboratory.map"),
);

/// The peers' assigning authorities, below HL7's root for examples.
const AUTHORITIES: [(&str, &str); 4] = [
    ("ZZCLINIC", "urn:oid:2.16.840.1.113883.19.5.1"),
    ("ZZLAB", "urn:oid:2.16.840.1.113883.19.5.2"),
    ("ZZPHARM", "urn:oid:2.16.840.1.113883.19.5.3"),
    ("ZZIMM", "urn:oid:2.16.840.1.113883.19.5.4"),
];

pub(crate) fn run(args: &Demo) -> Result<ExitCode, Failure> {
    if !(args.rate > 0.0 && args.rate <= MAX_RATE) {
        return Err(Failure::usage(format!(
            "--rate {} is out of range; give messages per second, above 0 and up to {MAX_RATE}",
            args.rate
        )));
    }
    logs::start(LogFormat::Text, LogLevel::Info);
    let (name, text) = LABORATORY_DIALECT;
    let maps = MapSet::with([(name, text)]).map_err(|found| {
        let lines: Vec<String> = found
            .iter()
            .filter(|one| one.is_error())
            .map(ToString::to_string)
            .collect();
        Failure::failed(format!("the demo's maps are refused\n{}", lines.join("\n")))
    })?;
    let settings = run::Settings {
        data: args.data.clone(),
        http: args.http,
        engine: EngineConfig::new(flows(args.mllp)),
        maps: Maps::Own(Arc::new(maps)).into(),
        is_https: false,
        bundles: server::BundleLimits::default(),
        journal: crate::config::JournalSettings::default(),
        audit: crate::config::AuditSettings::default(),
    };
    let options = Options {
        seed: args.seed,
        ..Options::default()
    };
    let path = args.data.join("demo.json");
    let (rate, limit, no_traffic) = (args.rate, args.messages, args.no_traffic);
    run::run(settings, move |running| async move {
        if no_traffic {
            say("no traffic is simulated; press Ctrl-C to stop");
            return;
        }
        let position = Position::open(path, options.seed);
        let n_before = position.total();
        let resumed = if n_before == 0 {
            String::new()
        } else {
            format!(", continuing after message {n_before}")
        };
        say(&format!(
            "feeding messages about {} synthetic patients over {} weeks (seed {}, {rate} per second{resumed}); press Ctrl-C to stop",
            options.n_patients, options.weeks, options.seed
        ));
        Traffic {
            simulation: Simulation::new(options),
            rate,
            limit,
            position,
        }
        .feed(running)
        .await;
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Prints a plain line after the announcement.
fn say(line: &str) {
    run::print(&format!("{line}\n"));
}

/// Returns one flow for each peer; the clinic's listens on the given address.
fn flows(mllp: SocketAddr) -> Vec<FlowConfig> {
    let authorities: BTreeMap<String, String> = AUTHORITIES
        .iter()
        .map(|&(name, oid)| (name.to_owned(), oid.to_owned()))
        .collect();
    let mut listen = mllp;
    Peer::ALL
        .into_iter()
        .map(|peer| {
            if peer != Peer::Clinic {
                listen = next_free(listen);
            }
            let mut flow = FlowConfig::mllp(peer.name(), listen);
            flow.map.zone = Some(Simulation::zone().to_owned());
            flow.map.authorities = authorities.clone();
            match peer {
                Peer::Laboratory => flow.map.dialect = Some("demo-laboratory".to_owned()),
                Peer::Immunization => flow.acknowledge = AckPolicy::Mapped,
                Peer::Clinic | Peer::Pharmacy => {}
            }
            flow
        })
        .collect()
}

/// Returns the next port if it is free, else any free one (port 0, which the listener replaces).
fn next_free(address: SocketAddr) -> SocketAddr {
    let any = SocketAddr::new(address.ip(), 0);
    match address.port().checked_add(1) {
        Some(port) if address.port() != 0 => {
            let next = SocketAddr::new(address.ip(), port);
            if TcpListener::bind(next).is_ok() {
                next
            } else {
                any
            }
        }
        Some(_) | None => any,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flows_are_valid() {
        let config = EngineConfig::new(flows("127.0.0.1:0".parse().unwrap()));
        assert_eq!(flow::topology::check(&config), []);
        let names: Vec<&str> = config.flows.iter().map(|flow| flow.name.as_str()).collect();
        assert_eq!(names, ["clinic", "laboratory", "pharmacy", "immunization"]);
    }

    #[test]
    fn a_port_in_use_is_skipped() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut before = taken.local_addr().unwrap();
        let Some(port) = before.port().checked_sub(1) else {
            return;
        };
        before.set_port(port);
        assert_eq!(next_free(before).port(), 0);
    }

    #[test]
    fn the_dialect_is_accepted() {
        let maps = MapSet::with([LABORATORY_DIALECT]).unwrap();
        assert!(maps.dialects().any(|name| name == "demo-laboratory"));
    }
}
