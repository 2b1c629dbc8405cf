//! Benchmark of searching a patient's observations of one code, newest first, in a chart of a million
//! resources.

use super::Setting;
use super::child::Server;
use super::client::{Http, runtime, token};
use super::figures::{Figure, percentile};
use crate::failure::Failure;
use access::{Permit, SystemCaller};
use fhir::json::Document;
use std::time::{Duration, Instant};
use store::chart::{Batch, Change, Chart, Lane, Options, Prepared};

const OBSERVATIONS_EACH: usize = 199;

pub(super) fn search(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let folder = setting.scratch.join("search");
    let n_patients = ((5_000.0 * setting.scale) as usize).max(20);
    let n_resources = n_patients * (OBSERVATIONS_EACH + 1);
    let started = Instant::now();
    load(&folder.join("data"), n_patients)?;
    let loaded = n_resources as f64 / started.elapsed().as_secs_f64();
    let server = Server::start(&folder, "received")?;
    let token = token(&server.data)?;
    let n_searches = 2_000;
    let mut latencies = Vec::with_capacity(n_searches);
    let runtime = runtime()?;
    let outcome: std::io::Result<()> = runtime.block_on(async {
        let mut http = Http::connect(&server.http, &token).await?;
        for turn in 0..n_searches {
            let patient = turn * 7919 % n_patients;
            let code = turn % 20;
            let path = format!(
                "/fhir/Observation?patient=p{patient}&code=http://loinc.org|{code}-1&_sort=-date&_count=50"
            );
            let sent = Instant::now();
            let (status, _) = http.get(&path.replace('|', "%7C")).await?;
            if status != 200 {
                return Err(std::io::Error::other(format!("status {status}")));
            }
            latencies.push(sent.elapsed());
        }
        Ok(())
    });
    outcome.map_err(|error| Failure::failed(format!("bench search: {error}")))?;
    let ms = |span: Duration| span.as_secs_f64() * 1e3;
    Ok(vec![
        Figure::new(
            "Observation?patient=&code=&_sort=-date, p99",
            ms(percentile(&mut latencies, 0.99)),
            "ms",
            "≤ 5",
        )
        .with(format!(
            "{n_resources} resources, one connection, p50 {:.2} ms, audited",
            ms(percentile(&mut latencies, 0.5))
        )),
        Figure::new(
            "loading those, extraction included",
            loaded,
            "resources/s",
            "",
        )
        .with("one thread prepares"),
    ])
}

fn load(data: &std::path::Path, n_patients: usize) -> Result<(), Failure> {
    let chart =
        Chart::open(data, Options::default()).map_err(|error| Failure::from_error(&error))?;
    let permit = Permit::system(SystemCaller::Bench);
    let mut waiting = std::collections::VecDeque::new();
    for number in 0..n_patients {
        let mut batch = Batch::default();
        let patient = format!(
            r#"{{"resourceType":"Patient","id":"p{number}","name":[{{"family":"Zzbench{number}","given":["Test"]}}],"birthDate":"1980-02-03","gender":"female"}}"#
        );
        batch
            .changes
            .push(Change::put(format!("p{number}"), prepared(&patient)?));
        for place in 0..OBSERVATIONS_EACH {
            let (code, day, month) = (place % 20, place % 28 + 1, place / 28 % 12 + 1);
            let observation = format!(
                r#"{{"resourceType":"Observation","id":"o{number}-{place}","status":"final","category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}}]}}],"code":{{"coding":[{{"system":"http://loinc.org","code":"{code}-1","display":"Test {code}"}}]}},"subject":{{"reference":"Patient/p{number}"}},"effectiveDateTime":"2025-{month:02}-{day:02}T10:00:00Z","issued":"2025-{month:02}-{day:02}T11:00:00Z","valueQuantity":{{"value":{place}.5,"unit":"g/dL","system":"http://unitsofmeasure.org","code":"g/dL"}}}}"#
            );
            batch.changes.push(Change::put(
                format!("o{number}-{place}"),
                prepared(&observation)?,
            ));
        }
        waiting.push_back(chart.apply(&permit, batch, Lane::Import));
        if 32 <= waiting.len()
            && let Some(pending) = waiting.pop_front()
        {
            pending
                .wait()
                .map_err(|error| Failure::from_error(&error))?;
        }
    }
    for pending in waiting {
        pending
            .wait()
            .map_err(|error| Failure::from_error(&error))?;
    }
    chart.close();
    Ok(())
}

fn prepared(text: &str) -> Result<Prepared, Failure> {
    let document = Document::parse(text).map_err(|error| Failure::from_error(&error))?;
    Prepared::new(&document).map_err(|error| Failure::from_error(&error))
}
