//! The chart under load: import, point reads, patient-scoped search, updates of one element.
//!
//! `cargo bench -p store --bench chart -- [N]` with N resources (default 100,000). A plain program: it grows
//! one chart and measures along the way, which a sampling harness cannot do. The directory is
//! `CAUSEWAY_BENCH_DIR` or the system's temporary one; on a RAM disk an `fsync` costs nothing, and the
//! figures say so little.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a bench prints, and ends where something is wrong"
)]

use access::{Permit, SystemCaller};
use fhir::json::Document;
use search::{Handling, Query};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use store::chart::{Batch, Change, Chart, Lane, Limits, Options, Prepared, Read};

/// Resources per patient: as in Synthea, most are observations.
const PER_PATIENT: usize = 500;
/// Resources in one import batch.
const BATCH: usize = 256;
/// Import batches in flight.
const UNDER_WAY: usize = 48;

fn main() {
    let n_all: usize = std::env::args()
        .find_map(|arg| arg.parse().ok())
        .unwrap_or(100_000);
    let base = std::env::var_os("CAUSEWAY_BENCH_DIR").map_or_else(std::env::temp_dir, Into::into);
    let dir = tempfile::tempdir_in(base).unwrap();
    let chart = Chart::open(dir.path(), Options::default()).unwrap();
    println!("chart in {}, {n_all} resources", dir.path().display());
    prepare_only();
    import(&chart, n_all);
    reads(&chart, n_all);
    let n_patients = n_all.div_ceil(PER_PATIENT);
    for text in [
        "patient={p}&code=8302-2&_sort=-date&_count=50",
        "patient={p}&_sort=-date&_count=50",
        "patient={p}&category=laboratory&date=ge2022&_count=50",
        "code=8302-2&value-quantity=gt150&_count=50",
        "patient.identifier=urn:zztest|{p}&code=8302-2&_count=50",
        "code=8302-2&_sort=-date&_count=50",
    ] {
        searches(&chart, text, n_patients);
    }
    updates(&chart, n_all);
    one_by_one(&chart);
    let statistics = chart.statistics().unwrap();
    let per_version = statistics.bytes / statistics.versions.max(1);
    println!(
        "disk: {} MB for {} versions, {per_version} bytes each; RSS {}",
        statistics.bytes >> 20,
        statistics.versions,
        resident()
    );
}

fn prepare_only() {
    let bodies: Vec<String> = (0..2000).map(|n| body(n, 0)).collect();
    let n_bytes: usize = bodies.iter().map(String::len).sum();
    let mut n_postings = 0;
    let started = Instant::now();
    for body in &bodies {
        n_postings += prepared(body).extraction().postings.len();
    }
    let each = started.elapsed() / bodies.len() as u32;
    println!(
        "prepare (parse, extract, compress), one thread: {each:?} each, {} bytes, {:.1} postings",
        n_bytes / bodies.len(),
        n_postings as f64 / bodies.len() as f64
    );
}

fn import(chart: &Chart, n_all: usize) {
    let started = Instant::now();
    let next = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let (chart, next) = (chart.clone(), Arc::clone(&next));
            std::thread::spawn(move || {
                let mut waiting = std::collections::VecDeque::new();
                loop {
                    let from = next.fetch_add(BATCH, Ordering::Relaxed);
                    if n_all <= from {
                        break;
                    }
                    let changes = (from..n_all.min(from + BATCH))
                        .map(|n| Change::put(id(n), prepared(&body(n, 0))))
                        .collect();
                    let batch = Batch {
                        changes,
                        ..Batch::default()
                    };
                    waiting.push_back(chart.apply(&permit(), batch, Lane::Import));
                    if UNDER_WAY / 2 < waiting.len() {
                        waiting.pop_front().unwrap().wait().unwrap();
                    }
                }
                for pending in waiting {
                    pending.wait().unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let took = started.elapsed();
    let rate = n_all as f64 / took.as_secs_f64();
    println!(
        "import, extraction included, durable: {rate:.0}/s ({took:.1?}); RSS {}",
        resident()
    );
}

fn reads(chart: &Chart, n_all: usize) {
    let n_reads = 100_000;
    let started = Instant::now();
    for n in 0..n_reads {
        let n = scatter(n) % n_all;
        let found = chart.read(&permit(), kind(n), &id(n)).unwrap();
        assert!(matches!(found, Read::Found(_)));
    }
    let rate = f64::from(n_reads as u32) / started.elapsed().as_secs_f64();
    println!("point reads with body, one thread: {rate:.0}/s");
}

fn searches(chart: &Chart, text: &str, n_patients: usize) {
    let n_searches = 1000;
    let mut times: Vec<Duration> = Vec::with_capacity(n_searches);
    let mut n_found = 0;
    for n in 0..n_searches {
        let patient = format!("p{}", scatter(n) % n_patients);
        let query = query(&text.replace("{p}", &patient));
        let started = Instant::now();
        let page = chart.search(&permit(), &query, Limits::default()).unwrap();
        times.push(started.elapsed());
        n_found += page.matches.len();
        if 20 < times.len() && times.iter().sum::<Duration>() > Duration::from_secs(10) {
            break;
        }
    }
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    let found = n_found / times.len();
    println!(
        "Observation?{text}: p50 {:.1?}, p99 {:.1?}, {found} found",
        at(50),
        at(99)
    );
}

fn updates(chart: &Chart, n_all: usize) {
    let n_updates = 20_000.min(n_all);
    let started = Instant::now();
    let mut waiting = std::collections::VecDeque::new();
    for chunk in 0..n_updates / 64 {
        let changes = (0..64)
            .map(|n| scatter(chunk * 64 + n) % n_all)
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .map(|n| Change::put(id(n), prepared(&body(n, 1 + chunk))))
            .collect();
        let batch = Batch {
            changes,
            ..Batch::default()
        };
        waiting.push_back(chart.apply(&permit(), batch, Lane::Interactive));
        if 16 < waiting.len() {
            waiting.pop_front().unwrap().wait().unwrap();
        }
    }
    for pending in waiting {
        pending.wait().unwrap();
    }
    let rate = n_updates as f64 / started.elapsed().as_secs_f64();
    println!("updates of one element, 64 a batch, one caller: {rate:.0}/s");
}

fn one_by_one(chart: &Chart) {
    for n_threads in [1, 8, 32] {
        let started = Instant::now();
        let threads: Vec<_> = (0..n_threads)
            .map(|thread| {
                let chart = chart.clone();
                std::thread::spawn(move || {
                    for n in 0..200 {
                        let id = format!("c{n_threads}-{thread}-{n}");
                        let change = Change::create(id, prepared(&body(1, n)));
                        let lane = Lane::Interactive;
                        chart
                            .apply(&permit(), Batch::of(change), lane)
                            .wait()
                            .unwrap();
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        let rate = f64::from(n_threads * 200) / started.elapsed().as_secs_f64();
        println!("creates one by one, {n_threads} callers: {rate:.0}/s");
    }
}

fn permit() -> Permit {
    Permit::system(SystemCaller::Bench)
}

fn prepared(body: &str) -> Prepared {
    Prepared::new(&Document::parse(body).unwrap()).unwrap()
}

fn query(text: &str) -> Query {
    let pairs: Vec<_> = text
        .split('&')
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    search::parse("Observation", &pairs, Handling::Strict).unwrap()
}

/// Scatters numbers evenly.
fn scatter(n: usize) -> usize {
    ((n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) as usize
}

fn kind(n: usize) -> &'static str {
    match n % PER_PATIENT {
        0 => "Patient",
        k if k % 10 == 1 => "Encounter",
        _ => "Observation",
    }
}

/// Makes ids as in production: random, so that writes are spread over their index.
fn id(n: usize) -> String {
    if n.is_multiple_of(PER_PATIENT) {
        return format!("p{}", n / PER_PATIENT);
    }
    let a = scatter(n) as u64;
    format!(
        "{:08x}-{:04x}-4000-8000-{:012x}",
        a as u32,
        n & 0xffff,
        (a << 16) ^ n as u64
    )
}

fn body(n: usize, edition: usize) -> String {
    let (id, patient) = (id(n), n / PER_PATIENT);
    let day = format!(
        "20{:02}-{:02}-{:02}",
        14 + n % 11,
        n / 11 % 12 + 1,
        n / 7 % 28 + 1
    );
    match kind(n) {
        "Patient" => format!(
            r#"{{"resourceType":"Patient","id":"{id}","identifier":[{{"system":"urn:zztest","value":"p{patient}"}}],"active":true,"name":[{{"use":"official","family":"TESTPATIENT{patient}","given":["ZZTEST{edition}"]}}],"gender":"female","birthDate":"19{:02}-03-04","address":[{{"line":["1 Test Street"],"city":"Testville","state":"MA","postalCode":"00000"}}]}}"#,
            patient % 100
        ),
        "Encounter" => format!(
            r#"{{"resourceType":"Encounter","id":"{id}","status":"finished","class":{{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"}},"type":[{{"coding":[{{"system":"http://snomed.info/sct","code":"185349003","display":"Encounter for check up (procedure)"}}],"text":"Encounter for check up (procedure)"}}],"subject":{{"reference":"Patient/p{patient}","display":"ZZTEST TESTPATIENT{patient}"}},"period":{{"start":"{day}T08:{:02}:00Z","end":"{day}T09:00:00Z"}}}}"#,
            edition % 60
        ),
        _ => {
            let code = [
                "8302-2", "29463-7", "8480-6", "8462-4", "2339-0", "6299-2", "2947-0", "4548-4",
            ][n % 8];
            format!(
                r#"{{"resourceType":"Observation","id":"{id}","status":"final","category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory","display":"Laboratory"}}]}}],"code":{{"coding":[{{"system":"http://loinc.org","code":"{code}","display":"A measurement of something"}}],"text":"A measurement of something"}},"subject":{{"reference":"Patient/p{patient}"}},"encounter":{{"reference":"Encounter/{}"}},"effectiveDateTime":"{day}T10:{:02}:00-05:00","issued":"{day}T10:{:02}:00.123-05:00","valueQuantity":{{"value":{}.{},"unit":"mg/dL","system":"http://unitsofmeasure.org","code":"mg/dL"}}}}"#,
                self::id(n / 10 * 10 + 1),
                n % 60,
                n % 60,
                50 + n % 150,
                (n + edition) % 100
            )
        }
    }
}

fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    line.map_or_else(String::new, |line| {
        line.trim_start_matches("VmRSS:").trim().to_owned()
    })
}
