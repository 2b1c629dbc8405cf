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
    /// Start a demo with an embedded store and synthetic traffic from a clinic, a laboratory, a
    /// pharmacy and an immunization clinic
    Demo(Demo),
    /// Start the server with a site's configuration
    Serve(Configured),
    /// Check the configuration, flows and maps without starting, and run the tests in map files
    Check(Check),
    /// Translate between HL7 v2 and FHIR; HL7 v2 segments end in CR, on a terminal in line feeds
    Convert(Convert),
    /// Evaluate a FHIRPath expression on a resource and print one JSON value per line
    Fhirpath(Fhirpath),
    /// Load bundles, NDJSON, and HL7 v2 history under a flow's settings
    Import(Import),
    /// Send files to an MLLP or HTTP address, with each segment ending in CR, and print each
    /// acknowledgement, one segment per line
    Send(Send),
    /// Inspect, replay and release received messages
    Messages(Messages),
    /// Inspect flows and try a message without storing it
    Flows(Flows),
    /// Inspect the maps in use and reload them without a restart
    Maps(Maps),
    /// Create a bearer token for scripts; needs write access to the data directory
    Token(Token),
    /// Verify and read the audit log
    Audit(Audit),
    /// Check a data directory for damage: every message, every resource and the audit log
    Verify(Verify),
    /// Benchmark this build on this machine
    Bench(Bench),
}

/// The output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns, for people
    Table,
    /// One JSON document, for programs
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// The data directory
    #[arg(long, value_name = "DIR", default_value = "causeway-data")]
    pub(crate) data: PathBuf,
    /// The address of the console and the FHIR API
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub(crate) http: SocketAddr,
    /// The address of HL7 v2 over MLLP
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:2575")]
    pub(crate) mllp: SocketAddr,
    /// The random seed; the same seed gives the same patients and messages
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Messages per second
    #[arg(long, value_name = "X", default_value_t = 4.0)]
    pub(crate) rate: f64,
    /// Stop after this many messages; by default, when the simulated weeks end
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
    /// The output format
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
    /// The input format; detected by default
    #[arg(long, value_name = "F")]
    pub(crate) from: Option<Syntax>,
    /// The output format; the other one by default
    #[arg(long, value_name = "F")]
    pub(crate) to: Option<Syntax>,
    /// A map file or a folder of them, on top of the built-in maps, or the name of a dialect
    #[arg(long, value_name = "M")]
    pub(crate) map: Option<String>,
    /// A site's configuration: its maps and dialects, and its flow's time zone, authorities and
    /// dialect
    #[arg(
        short = 'c',
        long = "config",
        value_name = "FILE",
        conflicts_with = "map"
    )]
    pub(crate) config: Option<PathBuf>,
    /// The flow of --config whose settings apply; not needed if there is only one flow
    #[arg(long, value_name = "NAME", requires = "config")]
    pub(crate) flow: Option<String>,
    /// The sender's time zone, for times without an offset; by default UTC, or the flow's time zone
    #[arg(long, value_name = "ZONE")]
    pub(crate) zone: Option<String>,
    /// The message structure to write when converting FHIR to HL7 v2, such as ORU_R01
    #[arg(long, value_name = "NAME")]
    pub(crate) structure: Option<String>,
    /// Print the lineage of each value instead
    #[arg(long, conflicts_with = "report")]
    pub(crate) explain: bool,
    /// Print what was mapped, dropped (with the reason) and left unmapped instead
    #[arg(long)]
    pub(crate) report: bool,
    /// The output format of --explain and --report
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
    /// A site's configuration: its data directory, maps and flows. If its server is running, the
    /// import goes through that server
    #[arg(
        short = 'c',
        long = "config",
        value_name = "FILE",
        conflicts_with = "url"
    )]
    pub(crate) config: Option<PathBuf>,
    /// The flow that takes HL7 v2 messages as if they had arrived over its connection: with its maps,
    /// dialect, time zone, authorities and refusals. Required with --url, and with --config if there
    /// is more than one flow; without either, a flow named `import` with default settings
    #[arg(long, value_name = "NAME")]
    pub(crate) flow: Option<String>,
    /// The FHIR base URL of a running server, such as `http://127.0.0.1:8080/fhir`
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The bearer token for --url, or set CAUSEWAY_TOKEN. HL7 v2 needs an administrator's token
    #[arg(
        long,
        value_name = "TOKEN",
        env = "CAUSEWAY_TOKEN",
        hide_env_values = true
    )]
    pub(crate) token: Option<String>,
    /// The output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(crate) format: Format,
    /// Bundles (.json, .json.gz), NDJSON, HL7 v2 files (.hl7), or folders of them; `-` is standard input
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Send {
    /// `mllp://host:port`, or a FHIR base URL `http://host:port/fhir`
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
    /// Send a batch file as one MLLP frame instead of sending its messages one by one
    #[arg(long)]
    pub(crate) batch: bool,
    /// Messages, batch files or bundles; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
}

/// The running server to address.
#[derive(Debug, Args)]
pub(crate) struct Server {
    /// The data directory of a server on this machine; provides its address and a token
    #[arg(
        long,
        value_name = "DIR",
        default_value = "causeway-data",
        global = true
    )]
    pub(crate) data: PathBuf,
    /// The address of the server, if not the one of --data
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
    /// The output format
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
    /// List the newest messages
    List {
        #[command(flatten)]
        which: Which,
        /// Only messages with this control id (MSH-10)
        #[arg(long)]
        control_id: Option<String>,
        /// The maximum number of messages
        #[arg(long, default_value_t = 50)]
        count: u32,
    },
    /// Show one message: raw text, state, findings, replays and acknowledgement
    Show {
        /// The message's number in the journal
        sequence: u64,
        /// Print only this value, such as `PID-5[1].1` or `ORDER_OBSERVATION[2].OBR-4.1`
        #[arg(long)]
        path: Option<String>,
    },
    /// Apply messages to the chart again under the current maps: the given ones, or all that match
    /// the options, oldest first
    Replay {
        /// The messages' numbers in the journal
        #[arg(required_unless_present_any = ["flow", "state", "type", "from", "until"])]
        sequences: Vec<u64>,
        #[command(flatten)]
        which: Which,
        /// The reason, for the audit log. Required when messages are selected by options; a terminal prompts
        /// for it
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Release held messages for processing
    Release {
        /// The messages' numbers in the journal
        #[arg(required = true)]
        sequences: Vec<u64>,
    },
    /// Hold messages that are not applied yet until they are released
    Hold {
        /// The messages' numbers in the journal
        #[arg(required = true)]
        sequences: Vec<u64>,
        /// The reason, shown with the message
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Skip messages without applying any part of them; messages waiting behind them proceed
    Skip {
        /// The messages' numbers in the journal
        #[arg(required = true)]
        sequences: Vec<u64>,
        /// The reason, shown with the message
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Mark messages that are in the chart and need attention as reviewed
    Settle {
        /// The messages' numbers in the journal
        #[arg(required = true)]
        sequences: Vec<u64>,
        /// The reason, shown with the message
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Send an edited copy of a message; the original is kept as received
    Edit {
        /// The message's number in the journal
        sequence: u64,
        /// The edited message; `-` is standard input. `flows dry-run` shows what it would change
        file: PathBuf,
        /// The flow to send it to, if not the original's
        #[arg(long)]
        flow: Option<String>,
        /// The reason, recorded in the journal
        #[arg(long)]
        reason: String,
    },
    /// Send copies of messages to another flow
    Redirect {
        /// The messages' numbers in the journal
        #[arg(required = true)]
        sequences: Vec<u64>,
        /// The flow to send them to
        #[arg(long)]
        flow: String,
        /// The reason, recorded in the journal
        #[arg(long)]
        reason: String,
    },
}

/// The filter that selects messages.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Only messages of this flow
    #[arg(long)]
    pub(crate) flow: Option<String>,
    /// Only messages in this state, such as `mapped` or `needs attention`; separate several with commas
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// Only messages of this type, such as `ORU^R01`
    #[arg(long = "type", id = "type")]
    pub(crate) message_type: Option<String>,
    /// Only messages received at or after this time, such as `2026-01-31T12:00:00Z`
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Only messages received before this time
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
    /// List every flow with its state and counts
    List,
    /// Stop taking messages on a flow until it is started; those already received are processed
    Stop {
        /// The flows
        #[arg(required = true)]
        flows: Vec<String>,
        /// The reason, for the audit log and shown with the flow. Required; a terminal prompts for it
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Start taking messages on a stopped flow again
    Start {
        /// The flows
        #[arg(required = true)]
        flows: Vec<String>,
    },
    /// Show what a message would change if it were received now; nothing is stored
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
    /// Show the version, files and dialects of the maps in use, and the result of the last reload
    Show,
    /// Reload the [maps] folder (SIGHUP does the same): either all of its maps take effect or, if one
    /// is refused or a test fails, none does and the current maps stay in use
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
    /// The id of a patient that `patient/` scopes are bound to; may be repeated
    #[arg(long, value_name = "ID")]
    pub(crate) patient: Vec<String>,
    /// The token's lifetime, such as `90s`, `30m`, `8h`, `30d`
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
    /// The output format
    #[arg(long, value_name = "FORMAT", default_value = "table", global = true)]
    pub(crate) format: Format,
    #[command(subcommand)]
    pub(crate) action: AuditAction,
}

/// The format of exported entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// One JSON document per line
    Ndjson,
    /// Comma-separated values
    Csv,
}

/// The filter that selects audit entries, and the server to ask.
#[derive(Debug, Args)]
pub(crate) struct AuditQuery {
    /// Only entries by this actor, such as `user:admin`
    #[arg(long)]
    pub(crate) actor: Option<String>,
    /// Only entries about this patient, by id
    #[arg(long)]
    pub(crate) patient: Option<String>,
    /// Only entries at or after this time, such as `2024-05-17` or `2024-05-17T12:00:00Z`
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Only entries before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// The address of the server, if not the one of --data
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
    /// Check the log for changed, missing, reordered or truncated entries
    Verify {
        /// Signed heads kept off this machine; the log must contain each of them
        #[arg(long, value_name = "FILE")]
        heads: Option<PathBuf>,
        /// The public key for the heads, from a copy kept off this machine; by default the data
        /// directory's key
        #[arg(long, value_name = "KEY", requires = "heads")]
        key: Option<String>,
    },
    /// Print the public key that signs the heads; keep a copy off this machine
    Key,
    /// Print entries, newest first; the export is itself audited
    Export {
        #[command(flatten)]
        query: AuditQuery,
        /// The output format: one JSON document per line, or comma-separated values
        #[arg(long = "as", value_name = "FORMAT", default_value = "ndjson")]
        lines: ExportFormat,
    },
    /// Count entries by actor, action and outcome; the report is itself audited
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
    /// The output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// The benchmark to run; by default all of them. `list` prints the names
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// The directory for scratch data, which is deleted afterwards
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// A folder of transaction bundles (.json, .json.gz) for `import`, such as Synthea's
    #[arg(long, value_name = "DIR")]
    pub(crate) bundles: Option<PathBuf>,
    /// The share of the full load: 0.1 runs ten times faster but is less conclusive
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    pub(crate) scale: f64,
    /// The output format
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
