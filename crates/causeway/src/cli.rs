//! The command line. Names and flags are a contract that scripts rely on: add freely, rename nothing.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Puts the right patient data in the right place: HL7 v2 in, one FHIR record per patient, API and
/// console out.
#[derive(Debug, Parser)]
#[command(name = "causeway", version, about, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start with an embedded store and synthetic traffic from a clinic, a laboratory, a pharmacy
    /// and an immunization clinic
    Demo(Demo),
    /// Start with a site's configuration
    Serve(Configured),
    /// Check configuration, flows and maps without starting, and run the tests in map files
    Check(Check),
    /// Translate between HL7 v2 and FHIR; HL7 v2 is written with a CR behind each segment, on a terminal with line feeds
    Convert(Convert),
    /// Evaluate a FHIRPath expression on a resource, one JSON value a line
    Fhirpath(Fhirpath),
    /// Load bundles and NDJSON, and HL7 v2 history under a flow's settings
    Import(Import),
    /// Send files to an MLLP or HTTP address, with a CR behind each segment, and print each acknowledgement, one segment a line
    Send(Send),
    /// Look at received messages, replay and release them
    Messages(Messages),
    /// Look at the flows and try a message without storing it
    Flows(Flows),
    /// Look at the maps in use and read them again without a restart
    Maps(Maps),
    /// Make a bearer token for scripts; needs write access to the data directory
    Token(Token),
    /// Check and read the audit log
    Audit(Audit),
    /// Find what is damaged in a data directory: every message, every resource, the audit log
    Verify(Verify),
    /// Measure this build on this machine
    Bench(Bench),
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people
    Table,
    /// One JSON document for programs
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// The data directory
    #[arg(long, value_name = "DIR", default_value = "causeway-data")]
    pub(crate) data: PathBuf,
    /// Console and FHIR API
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub(crate) http: SocketAddr,
    /// HL7 v2 over MLLP
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:2575")]
    pub(crate) mllp: SocketAddr,
    /// The same seed gives the same patients and messages
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Messages a second
    #[arg(long, value_name = "X", default_value_t = 4.0)]
    pub(crate) rate: f64,
    /// Stop after so many messages; without it the weeks go on until they end
    #[arg(long, value_name = "N")]
    pub(crate) messages: Option<u64>,
    /// Start without the simulated senders
    #[arg(long)]
    pub(crate) no_traffic: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Configured {
    /// The configuration file
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    pub(crate) config: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The configuration file
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// How what was found is printed
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(crate) format: Format,
}

/// A format that can be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Syntax {
    /// HL7 v2, ER7 encoding
    Hl7v2,
    /// FHIR R4 JSON
    Fhir,
}

#[derive(Debug, Args)]
pub(crate) struct Convert {
    /// The input's format; guessed where it is not given
    #[arg(long, value_name = "F")]
    pub(crate) from: Option<Syntax>,
    /// The output's format; the other one where it is not given
    #[arg(long, value_name = "F")]
    pub(crate) to: Option<Syntax>,
    /// A map file or a folder of them, on top of the built-in maps; or the name of a dialect
    #[arg(long, value_name = "M")]
    pub(crate) map: Option<String>,
    /// A site's configuration: its maps and dialects, and what its flow says of zone, authorities and
    /// dialect
    #[arg(
        short = 'c',
        long = "config",
        value_name = "FILE",
        conflicts_with = "map"
    )]
    pub(crate) config: Option<PathBuf>,
    /// The flow of --config to convert as; not needed where there is one flow only
    #[arg(long, value_name = "NAME", requires = "config")]
    pub(crate) flow: Option<String>,
    /// The sender's time zone, for times without an offset; UTC, or the zone of the flow, where it is
    /// not given
    #[arg(long, value_name = "ZONE")]
    pub(crate) zone: Option<String>,
    /// The message structure to write, such as ORU_R01, where FHIR becomes HL7 v2
    #[arg(long, value_name = "NAME")]
    pub(crate) structure: Option<String>,
    /// Print the lineage of each value instead
    #[arg(long, conflicts_with = "report")]
    pub(crate) explain: bool,
    /// Print what was mapped, dropped with a reason, and left unmapped instead
    #[arg(long)]
    pub(crate) report: bool,
    /// How --explain and --report are printed
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(crate) format: Format,
    /// The message or bundle; `-` is standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Fhirpath {
    /// The expression
    #[arg(value_name = "EXPR")]
    pub(crate) expression: String,
    /// The resource; `-` is standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The data directory; no server may be running on it
    #[arg(
        long,
        value_name = "DIR",
        default_value = "causeway-data",
        conflicts_with_all = ["url", "config"]
    )]
    pub(crate) data: PathBuf,
    /// A site's configuration: its data directory, maps and flows. Where its server runs, HL7 v2 goes
    /// through that server
    #[arg(
        short = 'c',
        long = "config",
        value_name = "FILE",
        conflicts_with = "url"
    )]
    pub(crate) config: Option<PathBuf>,
    /// The flow that HL7 v2 messages are taken by, as if they had come over its wire: with its maps,
    /// dialect, zone, authorities and refusals. Needed with --url, and with --config where there is
    /// more than one flow; without both a plain flow `import`
    #[arg(long, value_name = "NAME")]
    pub(crate) flow: Option<String>,
    /// A running server's FHIR base, such as `http://127.0.0.1:8080/fhir`
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The bearer token for --url, or set CAUSEWAY_TOKEN. HL7 v2 needs an administrator's
    #[arg(
        long,
        value_name = "TOKEN",
        env = "CAUSEWAY_TOKEN",
        hide_env_values = true
    )]
    pub(crate) token: Option<String>,
    /// How the result is printed
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(crate) format: Format,
    /// Bundles (.json, .json.gz), NDJSON, HL7 v2 files (.hl7), or folders of them; `-` is standard input
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Send {
    /// `mllp://host:port`, or a FHIR base `http://host:port/fhir`
    #[arg(value_name = "URL")]
    pub(crate) url: String,
    /// The bearer token for http, or set CAUSEWAY_TOKEN
    #[arg(
        long,
        value_name = "TOKEN",
        env = "CAUSEWAY_TOKEN",
        hide_env_values = true
    )]
    pub(crate) token: Option<String>,
    /// Seconds to wait for each acknowledgement
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) timeout: u64,
    /// Send a batch file as it is, in one MLLP frame, instead of its messages one by one
    #[arg(long)]
    pub(crate) batch: bool,
    /// Messages, batch files or bundles; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
}

/// Where the running server is.
#[derive(Debug, Args)]
pub(crate) struct Server {
    /// The data directory of a server on this machine; its address and a token are found there
    #[arg(
        long,
        value_name = "DIR",
        default_value = "causeway-data",
        global = true
    )]
    pub(crate) data: PathBuf,
    /// The address of the server, where it is not the one of --data
    #[arg(long, value_name = "URL", global = true)]
    pub(crate) url: Option<String>,
    /// The bearer token for --url, or set CAUSEWAY_TOKEN
    #[arg(
        long,
        value_name = "TOKEN",
        env = "CAUSEWAY_TOKEN",
        hide_env_values = true,
        global = true
    )]
    pub(crate) token: Option<String>,
    /// How results are printed
    #[arg(long, value_name = "FORMAT", default_value = "table", global = true)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Messages {
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(subcommand)]
    pub(crate) action: MessagesAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MessagesAction {
    /// The newest messages
    List {
        #[command(flatten)]
        which: Which,
        /// Only this control id (MSH-10)
        #[arg(long)]
        control_id: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        count: u32,
    },
    /// One message: raw text, state, acknowledgement, what it became
    Show {
        /// The journal's number
        sequence: u64,
        /// Only this value, such as `PID-5[1].1` or `ORDER_OBSERVATION[2].OBR-4.1`
        #[arg(long)]
        path: Option<String>,
    },
    /// Apply messages to the chart again, under the maps as they are now: those named, or all that
    /// the options choose, oldest first
    Replay {
        /// The journal's numbers
        #[arg(required_unless_present_any = ["flow", "state", "type", "from", "until"])]
        sequences: Vec<u64>,
        #[command(flatten)]
        which: Which,
        /// Why; it stands in the audit log. Needed where the options choose; on a terminal it is asked for
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Let held messages go on
    Release {
        /// The journal's numbers
        #[arg(required = true)]
        sequences: Vec<u64>,
    },
    /// Set messages aside that are not applied yet, until they are released
    Hold {
        /// The journal's numbers
        #[arg(required = true)]
        sequences: Vec<u64>,
        /// Why; it stands beside the message
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Mark messages as done with: nothing of them is applied, and what waits behind them goes on
    Skip {
        /// The journal's numbers
        #[arg(required = true)]
        sequences: Vec<u64>,
        /// Why; it stands beside the message
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Mark messages that are in the chart and need attention as looked at
    Settle {
        /// The journal's numbers
        #[arg(required = true)]
        sequences: Vec<u64>,
        /// Why; it stands beside the message
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Send a changed copy of a message; the original is kept as it came
    Edit {
        /// The journal's number
        sequence: u64,
        /// The changed message; `-` is standard input. `flows dry-run` shows what it would change
        file: PathBuf,
        /// Another flow than the original's
        #[arg(long)]
        flow: Option<String>,
        /// Why; it stands in the journal
        #[arg(long)]
        reason: String,
    },
    /// Send copies of messages to another flow
    Redirect {
        /// The journal's numbers
        #[arg(required = true)]
        sequences: Vec<u64>,
        /// The flow
        #[arg(long)]
        flow: String,
        /// Why; it stands in the journal
        #[arg(long)]
        reason: String,
    },
}

/// Which messages.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Only this flow
    #[arg(long)]
    pub(crate) flow: Option<String>,
    /// Only this state, such as `mapped` or `needs attention`; several with commas between them
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// Only this type, such as `ORU^R01`
    #[arg(long = "type", id = "type")]
    pub(crate) message_type: Option<String>,
    /// Only those received at or after this time, such as `2026-01-31T12:00:00Z`
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Only those received before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Flows {
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(subcommand)]
    pub(crate) action: FlowsAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FlowsAction {
    /// Every flow with its state and numbers
    List,
    /// Take no more messages by a flow until it is started; what it has is finished
    Stop {
        /// The flows
        #[arg(required = true)]
        flows: Vec<String>,
        /// Why; it stands in the audit log and beside the flow. Needed; on a terminal it is asked for
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Take messages by a stopped flow again
    Start {
        /// The flows
        #[arg(required = true)]
        flows: Vec<String>,
    },
    /// What a message would change, were it received now; nothing is stored
    DryRun {
        /// The flow
        flow: String,
        /// The message; `-` is standard input
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Maps {
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(subcommand)]
    pub(crate) action: MapsAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MapsAction {
    /// Version, files and dialects of the maps in use, and how the last reading went
    Show,
    /// Read the [maps] folder again (SIGHUP does the same): all of its maps are in use afterwards, or,
    /// where one is refused or its test fails, none, and those in use stay
    Reload,
}

#[derive(Debug, Args)]
pub(crate) struct Token {
    /// The data directory
    #[arg(long, value_name = "DIR", default_value = "causeway-data")]
    pub(crate) data: PathBuf,
    /// Space-separated scopes
    #[arg(long, value_name = "S", default_value = "system/*.cruds")]
    pub(crate) scope: String,
    /// The id of a patient that `patient/` scopes are bound to; may be given again
    #[arg(long, value_name = "ID")]
    pub(crate) patient: Vec<String>,
    /// How long it is valid, such as `90s`, `30m`, `8h`, `30d`
    #[arg(long, value_name = "T", default_value = "8h", value_parser = crate::commands::token::parse_ttl)]
    pub(crate) ttl: std::time::Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// The data directory
    #[arg(
        long,
        value_name = "DIR",
        default_value = "causeway-data",
        global = true
    )]
    pub(crate) data: PathBuf,
    /// How results are printed
    #[arg(long, value_name = "FORMAT", default_value = "table", global = true)]
    pub(crate) format: Format,
    #[command(subcommand)]
    pub(crate) action: AuditAction,
}

/// How entries are exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// One JSON document a line
    Ndjson,
    /// Comma-separated values
    Csv,
}

/// Which entries, and from which server.
#[derive(Debug, Args)]
pub(crate) struct AuditQuery {
    /// Only of this actor, such as `user:admin`
    #[arg(long)]
    pub(crate) actor: Option<String>,
    /// Only those that touched this patient, by id
    #[arg(long)]
    pub(crate) patient: Option<String>,
    /// Only at or after this time, such as `2024-05-17` or `2024-05-17T12:00:00Z`
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Only before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// The address of the server, where it is not the one of --data
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The bearer token for --url, or set CAUSEWAY_TOKEN
    #[arg(
        long,
        value_name = "TOKEN",
        env = "CAUSEWAY_TOKEN",
        hide_env_values = true
    )]
    pub(crate) token: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditAction {
    /// Find any changed, missing, reordered or cut-off entry
    Verify {
        /// Signed heads that were kept off this machine: the log must hold each of them
        #[arg(long, value_name = "FILE")]
        heads: Option<PathBuf>,
        /// The key that signed them, from a copy off this machine; else the data directory's
        #[arg(long, value_name = "KEY", requires = "heads")]
        key: Option<String>,
    },
    /// Print the public key that signs the heads; keep a copy off this machine
    Key,
    /// Print entries, newest first; that it was asked is in the log
    Export {
        #[command(flatten)]
        query: AuditQuery,
        /// One JSON document a line, or comma-separated values
        #[arg(long = "as", value_name = "FORMAT", default_value = "ndjson")]
        lines: ExportFormat,
    },
    /// Count entries by actor, action and outcome; that it was asked is in the log
    Report {
        #[command(flatten)]
        query: AuditQuery,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The data directory; a server may be running on it
    #[arg(long, value_name = "DIR", default_value = "causeway-data")]
    pub(crate) data: PathBuf,
    /// How results are printed
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// One benchmark; without a name, all of them. `list` prints the names
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Where scratch data goes; it is deleted afterwards
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// A folder of transaction bundles (.json, .json.gz) for `import`, such as Synthea's
    #[arg(long, value_name = "DIR")]
    pub(crate) bundles: Option<PathBuf>,
    /// The load generator's share: a tenth runs ten times faster and says less
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    pub(crate) scale: f64,
    /// How results are printed
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(crate) format: Format,
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
