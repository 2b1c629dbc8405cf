//! Tests of [`check`] and of parsing TOML.

use super::*;

fn problems(text: &str) -> Vec<String> {
    let config: EngineConfig = toml::from_str(text).unwrap();
    check(&config)
        .into_iter()
        .map(|problem| problem.at)
        .collect()
}

#[test]
fn a_site_writes_little() {
    let text = "[[flow]]\nname = 'adt'\n[flow.source.mllp]\nlisten = '127.0.0.1:2575'\n";
    assert_eq!(problems(text), Vec::<String>::new());
    let config: EngineConfig = toml::from_str(text).unwrap();
    let flow = &config.flows[0];
    assert_eq!(
        (flow.acknowledge, flow.partition),
        (AckPolicy::Received, PartitionKey::Patient)
    );
    assert!(config.production);
}

#[test]
fn every_way_to_acknowledge_is_taken() {
    for (word, policy) in [
        ("received", AckPolicy::Received),
        ("mapped", AckPolicy::Mapped),
        ("delivered", AckPolicy::Delivered),
    ] {
        let text = format!(
            "[[flow]]\nname = 'a'\nacknowledge = '{word}'\nsource.mllp.listen = '127.0.0.1:0'\n"
        );
        assert_eq!(problems(&text), Vec::<String>::new(), "{word}");
        let config: EngineConfig = toml::from_str(&text).unwrap();
        assert_eq!(config.flows[0].acknowledge, policy);
    }
}

#[test]
fn what_is_in_the_chart_may_be_only_counted() {
    let flow = |reasons: &str| {
        let text = format!(
            "[[flow]]\nname = 'a'\nsource.mllp.listen = '127.0.0.1:0'\nattention.count_only = {reasons}\n"
        );
        toml::from_str::<EngineConfig>(&text)
    };
    let config = flow("['unusable_value']").unwrap();
    let policy = &config.flows[0].attention;
    assert!(
        !policy.applies_to(Attention::UnusableValue) && policy.applies_to(Attention::Incomplete)
    );
    for (clause, reasons) in [
        ("it is not in the chart", "['no_map']"),
        ("no such reason", "['whatever']"),
    ] {
        let error = flow(reasons).unwrap_err().to_string();
        assert!(
            error.contains("accepted: number_of_another"),
            "{clause}: {error}"
        );
    }
}

#[test]
fn what_check_refuses() {
    for (clause, line, expected) in [
        (
            "T in production",
            "processing_ids = ['P', 'T']",
            "flow.a.processing_ids",
        ),
        (
            "nothing taken",
            "processing_ids = []",
            "flow.a.processing_ids",
        ),
        (
            "an unknown zone",
            "map = { zone = 'America/Nowhere' }",
            "flow.a.map.zone",
        ),
    ] {
        let text =
            format!("[[flow]]\nname = 'a'\n{line}\n[flow.source.mllp]\nlisten = '127.0.0.1:0'\n");
        assert_eq!(problems(&text), [expected], "{clause}");
    }
    let two = "[[flow]]\nname='a'\nsource.mllp.listen='127.0.0.1:9'\n\
               [[flow]]\nname='a'\nsource.mllp.listen='127.0.0.1:9'\n";
    assert_eq!(problems(two), ["flow.a.name", "flow.a.source.mllp.listen"]);
    let test_system = "production = false\n[[flow]]\nname='a'\nprocessing_ids=['T']\n\
                       source.mllp.listen='127.0.0.1:9'\n";
    assert_eq!(problems(test_system), Vec::<String>::new());
}
