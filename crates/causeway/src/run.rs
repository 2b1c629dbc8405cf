//! The life cycle of the process: open, bind, announce, wait for a signal, drain, close.

use crate::config::{AuditSettings, JournalSettings};
use crate::disk::{DiskWatch, Resumable};
use crate::failure::Failure;
use crate::heads::Heads;
use crate::http::address_file;
use crate::relay::Relay;
use base::{Clock, SystemClock};
use flow::{
    ChartDestination, Engine, EngineConfig, Events, Handles, LiveMaps, Metrics, SourceConfig,
    StartError,
};
use security::{Administrator, HeadKey, Sessions, SessionsPolicy, SigningKey, Throttle, Tokens};
use server::{App, BundleLimits, Listener, Measures, Parts};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::audit::AuditLog;
use store::chart::Chart;
use store::journal::Journal;
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// The time limit of a drain; the rest is left for the next start.
const DRAIN_DEADLINE: Duration = Duration::from_secs(30);

/// The settings of a site or the demo.
pub(crate) struct Settings {
    pub(crate) data: PathBuf,
    pub(crate) http: SocketAddr,
    pub(crate) engine: EngineConfig,
    pub(crate) maps: LiveMaps,
    pub(crate) is_https: bool,
    pub(crate) bundles: BundleLimits,
    pub(crate) journal: JournalSettings,
    pub(crate) audit: AuditSettings,
}

/// The running server, as seen by code that sends traffic to it.
pub(crate) struct Running {
    pub(crate) mllp: Vec<(String, SocketAddr)>,
    /// Becomes true when the process should stop.
    pub(crate) stop: watch::Receiver<bool>,
}

/// Runs until Ctrl-C or SIGTERM. `background` runs concurrently until then: the demo's senders.
pub(crate) fn run<F, B>(settings: Settings, background: F) -> Result<(), Failure>
where
    F: FnOnce(Running) -> B,
    B: Future<Output = ()> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("could not start the runtime: {error}")))?;
    // HTTP has a runtime of its own: requests may wait for acknowledgements but never delay them.
    let http_runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name("http")
        .on_thread_start(|| store::Priority::Chart.take())
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("could not start the runtime: {error}")))?;
    let ended = runtime.block_on(serve(settings, http_runtime.handle(), background));
    http_runtime.shutdown_background();
    ended
}

async fn serve<F, B>(
    settings: Settings,
    http_runtime: &Handle,
    background: F,
) -> Result<(), Failure>
where
    F: FnOnce(Running) -> B,
    B: Future<Output = ()> + Send + 'static,
{
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    // Bind before opening anything, so that a port in use leaves the data untouched.
    let listener = Listener::bind(settings.http)
        .await
        .map_err(|e| Failure::from_error(&e))?;
    probe(&settings.engine)?;
    crate::private::restrict(&settings.data);
    let base_url = format!("http://{}", listener.address());

    let chart_options = store::chart::Options {
        clock: clock.clone(),
        ..Default::default()
    };
    let chart = Chart::open(&settings.data, chart_options).map_err(|e| Failure::from_error(&e))?;
    let journal_options = store::journal::Options {
        clock: clock.clone(),
        duplicate_window: Duration::from_secs(settings.journal.repeats_window_seconds),
        text_index: settings.journal.text_index,
        ..Default::default()
    };
    let journal =
        Journal::open(&settings.data, journal_options).map_err(|e| Failure::from_error(&e))?;
    flow::join(&chart, &journal).map_err(|e| Failure::from_error(&e))?;
    let audit_options = store::audit::Options {
        clock: clock.clone(),
        reserve_bytes: settings.audit.reserve_mb << 20,
        // A quarter of the reserve is for emergencies.
        emergency_bytes: settings.audit.reserve_mb << 18,
        ..Default::default()
    };
    let audit = AuditLog::open(&settings.data.join("audit"), audit_options)
        .map_err(|e| Failure::from_error(&e))?;
    let key = SigningKey::load_or_create(&settings.data).map_err(|e| Failure::from_error(&e))?;
    let head_key = HeadKey::load_or_create(&settings.data).map_err(|e| Failure::from_error(&e))?;
    let (administrator, secret) =
        Administrator::open(&settings.data).map_err(|e| Failure::from_error(&e))?;

    let metrics = Metrics::default();
    let measures = Measures::register(&metrics);
    let handles = Handles {
        journal: journal.clone(),
        destination: Arc::new(ChartDestination::new(
            chart.clone(),
            settings.maps.clone(),
            Events::new(metrics.clone()),
        )),
        clock: clock.clone(),
        metrics,
    };
    let engine = Engine::start(settings.engine, handles)
        .await
        .map_err(|e| Failure::from_error(&e))?;
    let engine = Arc::new(engine);
    let relay = Relay::start(chart.clone(), audit.clone());
    let heads = Heads::start(audit.clone(), head_key, clock.clone(), &settings.audit);
    let disk = DiskWatch::start(Resumable {
        data: settings.data.clone(),
        audit: audit.clone(),
        journal: journal.clone(),
        chart: chart.clone(),
        engine: engine.clone(),
        remembered: std::sync::Mutex::default(),
        no_room: base::LogThrottle::default(),
    });

    let administrator_name = administrator.name();
    let maps = settings.maps.clone();
    let hangup = Hangup {
        audit: audit.clone(),
        clock: clock.clone(),
    };
    let app = App::new(Parts {
        started: clock.now(),
        data: settings.data.clone(),
        clock,
        chart: chart.clone(),
        journal: journal.clone(),
        audit,
        engine: engine.clone(),
        measures,
        maps: settings.maps,
        administrator,
        sessions: Sessions::new(SessionsPolicy::default()),
        tokens: Tokens::new(key),
        throttle: Throttle::default(),
        base_url: base_url.clone(),
        is_https: settings.is_https,
        bundles: settings.bundles,
    });
    let (stop, stopped) = watch::channel(false);
    let mut http_stop = stopped.clone();
    let http = http_runtime.spawn(server::serve(listener, app, async move {
        let _ = http_stop.wait_for(|stop| *stop).await;
    }));
    let mllp = engine.addresses();
    let mut signals = Signals::listen()
        .map_err(|error| Failure::failed(format!("could not listen for signals: {error}")))?;
    hangup
        .listen(maps)
        .map_err(|error| Failure::failed(format!("could not listen for signals: {error}")))?;
    announce(&base_url, &mllp, secret.as_deref(), &administrator_name);
    let address = address_file(&settings.data);
    if let Err(error) = std::fs::write(&address, &base_url) {
        tracing::warn!(%error, "the address file could not be written; the commands will need --url");
    }
    let background = tokio::spawn(background(Running {
        mllp,
        stop: stopped,
    }));

    signals.one().await;
    let _ = stop.send(true);
    disk.finish();
    tracing::info!("stopping: no new messages are accepted; finishing those already received");
    let _ = background.await;
    let drained = tokio::task::spawn_blocking({
        let handle = tokio::runtime::Handle::current();
        move || handle.block_on(async move { engine.drain(DRAIN_DEADLINE).await })
    });
    match drained.await {
        Ok(drained) => tracing::info!(?drained, "flows are drained"),
        Err(error) => {
            tracing::error!(%error, "draining failed; the rest is processed at the next start");
        }
    }
    // Console pages keep a stream open indefinitely, so the wait is short.
    let _ = tokio::time::timeout(Duration::from_secs(3), http).await;
    relay.finish();
    // The last head is sent once nothing more is added to the log.
    heads.finish();
    flow::remember(&chart, &journal);
    chart.close();
    let _ = std::fs::remove_file(address);
    Ok(())
}

/// The SIGHUP handler, which reloads the maps. The demo has its own maps and no handler, so SIGHUP
/// ends it as usual.
struct Hangup {
    audit: AuditLog,
    clock: Arc<dyn Clock>,
}

impl Hangup {
    fn listen(self, maps: LiveMaps) -> std::io::Result<()> {
        if !maps.can_reload() {
            return Ok(());
        }
        let mut hangups = signal(SignalKind::hangup())?;
        tokio::spawn(async move {
            while hangups.recv().await.is_some() {
                let (audit, clock, maps) = (self.audit.clone(), self.clock.clone(), maps.clone());
                let done = tokio::task::spawn_blocking(move || reload(&audit, &*clock, &maps));
                if let Err(error) = done.await {
                    tracing::error!(%error, "reloading the maps failed; the current maps stay in use");
                }
            }
        });
        Ok(())
    }
}

/// Reloads the maps. The result is in the log and on the console's maps page.
fn reload(audit: &AuditLog, clock: &dyn Clock, maps: &LiveMaps) {
    let entry = store::audit::Entry {
        actor: "system:SIGHUP".to_owned(),
        action: "reload".to_owned(),
        resource_type: "maps".to_owned(),
        target: "reload".to_owned(),
        purpose: "HOPERAT".to_owned(),
        source: "signal".to_owned(),
        ..Default::default()
    };
    match audit.record(entry).wait() {
        Ok(_) => drop(maps.reload("SIGHUP", clock.now())),
        Err(error) => {
            tracing::error!(%error, "maps are not reloaded: the reload cannot be recorded in the audit log");
        }
    }
}

/// Checks that every flow's address can be bound. The engine binds them once the journal is open;
/// checked here, an address in use leaves no trace on the disk.
fn probe(engine: &EngineConfig) -> Result<(), Failure> {
    for flow in &engine.flows {
        let SourceConfig::Mllp(mllp) = &flow.source;
        if let Err(source) = std::net::TcpListener::bind(mllp.listen) {
            return Err(Failure::from_error(&StartError::Listen {
                flow: flow.name.clone(),
                address: mllp.listen,
                source,
            }));
        }
    }
    Ok(())
}

/// Prints one `name: url` per line, then `ready`. Scripts rely on this format.
fn announce(base_url: &str, mllp: &[(String, SocketAddr)], secret: Option<&str>, name: &str) {
    let mut lines = vec![
        format!("console: {base_url}/"),
        format!("fhir: {base_url}/fhir"),
    ];
    lines.extend(
        mllp.iter()
            .enumerate()
            .map(|(idx, (flow, address))| match idx {
                0 => format!("mllp: mllp://{address}"),
                _ => format!("mllp-{flow}: mllp://{address}"),
            }),
    );
    lines.push("ready".to_owned());
    lines.extend(secret.map(|secret| {
        format!("first login: user `{name}`, password `{secret}` (valid until you choose your own)")
    }));
    print(&(lines.join("\n") + "\n"));
}

/// Prints to standard output. If nobody reads it any more, the server keeps running.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    if out
        .write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .is_err()
    {
        tracing::debug!("nobody reads standard output");
    }
}

/// Ctrl-C and SIGTERM, registered before `ready` is printed, because one may arrive right after it.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

// === impl Signals ===

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn one(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
