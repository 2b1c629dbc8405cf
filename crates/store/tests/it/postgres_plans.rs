//! Named plans: both engines return the same pages, and PostgreSQL uses the index that the plan names.

use crate::chart_fixture::{at, permit, query};
use crate::postgres_both::{Both, of_patient, put};
use crate::postgres_server::Server;
use std::time::Instant;
use store::chart::{Change, Limits};

/// A plan: its name, the search, and the index that must drive it.
const PLANS: &[(&str, (&str, &str), &str)] = &[
    (
        "token",
        ("Observation", "code=http://loinc.org|8302-2"),
        "token_pkey",
    ),
    (
        "token, several",
        ("Observation", "code=8302-2,29463-7&status=final"),
        "token_pkey",
    ),
    (
        "string prefix",
        ("Patient", "family=testpatient1"),
        "string_pkey",
    ),
    (
        "string, then exact",
        ("Patient", "family:exact=TESTPATIENT17"),
        "string_pkey",
    ),
    (
        "date range",
        ("Observation", "date=2024-03-02"),
        "date_pkey",
    ),
    (
        "date, two ends",
        ("Encounter", "date=sa2024-02-20&date=lt2024-03"),
        "date_pkey",
    ),
    (
        "number",
        ("RiskAssessment", "probability=0.25"),
        "number_pkey",
    ),
    (
        "quantity",
        ("Observation", "value-quantity=sa198||mg/dL"),
        "number_pkey",
    ),
    (
        "reference",
        ("Encounter", "patient=Patient/p7"),
        "reference_pkey",
    ),
    (
        "uri",
        ("ValueSet", "url=http://zztest.example/vs/41"),
        "uri_pkey",
    ),
    (
        "composite",
        (
            "Observation",
            "code-value-quantity=http://loinc.org|8302-2$gt190",
        ),
        "composite_pkey",
    ),
    (
        "chain",
        ("Observation", "patient.identifier=urn:zztest|7"),
        "reference_pkey",
    ),
    (
        "chain, two steps",
        (
            "Observation",
            "patient.organization.name=zztest&code=2339-0",
        ),
        "token_pkey",
    ),
    (
        "chain, large inside",
        ("Observation", "patient.gender=female&code=8302-2"),
        "token_pkey",
    ),
    (
        "_has",
        ("Patient", "_has:RiskAssessment:patient:probability=0.25"),
        "number_pkey",
    ),
    (
        "_has, large inside",
        (
            "Patient",
            "_has:Observation:patient:status=final&gender=male",
        ),
        "token_pkey",
    ),
    (
        "a patient's code, newest first",
        ("Observation", "patient=p7&code=8302-2&_sort=-date"),
        "reference_pkey",
    ),
    (
        "all, newest first",
        ("Observation", "_sort=-date"),
        "date_pkey",
    ),
    (
        "all, by code then date",
        ("Observation", "_sort=code,-date&date=2024-03"),
        "date_pkey",
    ),
    (
        "in commit order",
        ("Observation", "_sort=-_lastUpdated"),
        "resource_commit",
    ),
    (
        "_lastUpdated",
        ("Patient", "_lastUpdated=ge2024-05-01T00:00:05Z"),
        "resource_type",
    ),
    ("_id", ("Patient", "_id=p3,p1,p99,nobody"), ""),
    ("the type", ("Patient", ""), "resource_type"),
    (
        "not",
        ("Observation", "code:not=8302-2&date=2024-03-02"),
        "date_pkey",
    ),
    (
        "_include",
        (
            "Encounter",
            "patient=p7&_include=Encounter:patient&_include:iterate=Patient:organization",
        ),
        "reference_pkey",
    ),
    (
        "_revinclude",
        ("Patient", "_id=p7&_revinclude=Encounter:patient"),
        "reference_pkey",
    ),
    (
        "count",
        ("Observation", "code=8302-2&_total=accurate"),
        "token_pkey",
    ),
];

const N_PATIENTS: usize = 120;
const PER_PATIENT: usize = 40;

/// Makes a synthetic site: a patient, then resources about the patient, repeatedly.
fn site() -> Vec<String> {
    let mut all = Vec::new();
    for n in 0..6 {
        let name = ["ZZTEST North", "Testville Clinic"][n % 2];
        all.push(format!(
            r#"{{"resourceType":"Organization","id":"org{n}","name":"{name} {n}"}}"#
        ));
    }
    for n in 0..600 {
        all.push(format!(r#"{{"resourceType":"ValueSet","id":"vs{n}","status":"draft","url":"http://zztest.example/vs/{n}"}}"#));
    }
    for p in 0..N_PATIENTS {
        let gender = ["female", "male"][p % 2];
        all.push(format!(
            r#"{{"resourceType":"Patient","id":"p{p}","identifier":[{{"system":"urn:zztest","value":"{p}"}}],"name":[{{"family":"TESTPATIENT{p}","given":["ZZTest","Ünal"]}}],"gender":"{gender}","birthDate":"19{:02}-02-03","managingOrganization":{{"reference":"Organization/org{}"}}}}"#,
            p % 100, p % 6
        ));
        for n in 0..PER_PATIENT {
            all.push(about(p, n, 0));
        }
    }
    all
}

pub(crate) fn about(p: usize, n: usize, edition: usize) -> String {
    let (month, day) = (1 + (p + n) % 6, 1 + (p * 5 + n / 3) % 28);
    if n.is_multiple_of(8) {
        return format!(
            r#"{{"resourceType":"Encounter","id":"e{p}-{n}","status":"finished","class":{{"code":"AMB"}},"subject":{{"reference":"Patient/p{p}"}},"period":{{"start":"2024-{month:02}-{day:02}T08:00:00Z","end":"2024-{month:02}-{day:02}T0{}:00:00Z"}}}}"#,
            9 - edition % 2
        );
    }
    if n % 8 == 1 {
        let probability = ["0.25", "0.5", "0.250", "0.75", "1"][(p + n) % 5];
        return format!(
            r#"{{"resourceType":"RiskAssessment","id":"r{p}-{n}","status":"final","subject":{{"reference":"Patient/p{p}"}},"prediction":[{{"probabilityDecimal":{probability}}}]}}"#
        );
    }
    let code = ["8302-2", "29463-7", "8480-6", "2339-0", "é-1"][n % 5];
    let date = match n % 13 {
        0 => String::new(),
        _ => format!(r#","effectiveDateTime":"2024-{month:02}-{day:02}""#),
    };
    format!(
        r#"{{"resourceType":"Observation","id":"o{p}-{n}","status":"{}","code":{{"coding":[{{"system":"http://loinc.org","code":"{code}"}}]}},"subject":{{"reference":"Patient/p{p}"}},"encounter":{{"reference":"Encounter/e{p}-{}"}}{date},"valueQuantity":{{"value":{}.{edition},"unit":"mg/dL","system":"http://unitsofmeasure.org","code":"mg/dL"}}}}"#,
        ["final", "amended"][n % 9 / 8],
        n / 8 * 8,
        50 + (p * 31 + n * 17) % 150
    )
}

/// Fills the charts, then changes them: new values, unchanged rewrites, deletes, and some restored.
fn grow(both: &Both) {
    for (second, chunk) in site().chunks(256).enumerate() {
        both.clock.set(at(second as i64));
        both.apply(chunk.iter().map(|body| put(body)).collect());
    }
    both.clock.set(at(60));
    let touched = (0..N_PATIENTS).step_by(3);
    both.apply(touched.clone().map(|p| put(&about(p, 2, 1))).collect());
    // The clock goes back, and the chart does not.
    both.clock.set(at(30));
    both.apply(touched.clone().map(|p| put(&about(p, 3, p % 2))).collect());
    let delete = |p: usize| Change::delete("Observation", format!("o{p}-4"));
    both.apply(touched.clone().map(delete).collect());
    both.apply(touched.step_by(2).map(|p| put(&about(p, 4, 2))).collect());
}

#[test]
fn named_plans_agree_page_by_page_and_go_by_their_index() {
    let test = "named_plans_agree_page_by_page_and_go_by_their_index";
    let Some(server) = Server::start(test) else {
        return;
    };
    let both = Both::open(&server.database("plans"));
    grow(&both);
    // As autovacuum does in time: statistics, and pages marked all-visible.
    server.run("plans", "VACUUM ANALYZE");
    let all = permit();
    let own = of_patient("p7");
    let mut figures = String::new();
    for &(name, (resource_type, text), index) in PLANS {
        let gap = if text.is_empty() { "" } else { "&" };
        let paged = |count| format!("{text}{gap}_count={count}");
        let whole = both.pages(&all, (resource_type, &paged(1000)));
        assert!(!whole.is_empty(), "{name} finds something");
        let some = if 200 < whole.len() { 97 } else { 7 };
        let plain = !text.contains("include");
        let pieces = both.pages(&all, (resource_type, &paged(some)));
        assert!(!plain || pieces == whole, "{name}: pages make the whole");
        figures.push_str(&figure(&both, name, (resource_type, &paged(50))));
        both.pages(&own, (resource_type, &paged(7)));
        explain(&both, name, (resource_type, &paged(50)), index);
    }
    eprintln!("{figures}");
}

/// Returns the minimum and the median time of a first page, warm, over several tries.
fn figure(both: &Both, name: &str, (resource_type, text): (&str, &str)) -> String {
    let query = query(resource_type, text);
    let limits = Limits::default();
    let measure = |search: &dyn Fn() -> usize| {
        let mut times: Vec<u128> = (0..15)
            .map(|_| {
                let started = Instant::now();
                assert!(0 < search());
                started.elapsed().as_micros()
            })
            .collect();
        times.sort_unstable();
        format!("{} µs, median {}", times[0], times[7])
    };
    let on_sqlite = || {
        both.sqlite
            .search(&permit(), &query, limits)
            .unwrap()
            .matches
            .len()
    };
    let on_postgres = || {
        both.postgres
            .search(&permit(), &query, limits)
            .unwrap()
            .matches
            .len()
    };
    let (sqlite, postgres) = (measure(&on_sqlite), measure(&on_postgres));
    format!("{name}: SQLite {sqlite}; PostgreSQL {postgres}\n")
}

/// Checks that no posting table is read from end to end, and that the driving one uses its index.
fn explain(both: &Both, name: &str, (resource_type, text): (&str, &str), index: &str) {
    let query = query(resource_type, text);
    let plans = both.postgres.explain(&permit(), &query, Limits::default());
    let plans = plans.unwrap();
    let tables = [
        "token",
        "string",
        "date",
        "number",
        "reference",
        "uri",
        "composite",
        "compartment",
    ];
    for plan in &plans {
        for table in tables {
            let scan = format!("Seq Scan on {table} ");
            assert!(!plan.contains(&scan), "{name}: {plan}");
        }
    }
    let by_index = plans.iter().any(|plan| {
        plan.contains(&format!("using {index} ")) || plan.contains(&format!("Scan on {index}\n"))
    });
    assert!(index.is_empty() || by_index, "{name}: {plans:#?}");
}
