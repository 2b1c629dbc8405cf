//! A set finds what its expressions find one by one.

use fhir::definitions::{resource_types, search_parameters_for};
use fhir::json::Document;
use fhirpath::{Context, Expression, Item, Set};

const DOCUMENTS: &[&str] = &[
    r#"{"resourceType":"Patient","id":"zztest","active":true,"meta":{"profile":["http://example.org/p"]},
    "name":[{"use":"official","family":"TESTPATIENT","given":["ANNA",null],"_given":[null,{"extension":[{"url":"http://example.org/x","valueString":"y"}]}]}],
    "telecom":[{"system":"phone","value":"555-0101"},{"system":"email","value":"zz@example.org"}],
    "_gender":{"extension":[{"url":"http://example.org/x","valueCode":"y"}]},
    "birthDate":"1980-02-03","deceasedDateTime":"2020-01-01","address":[{"city":"Testville"}],
    "generalPractitioner":[{"reference":"Practitioner/p1"},{"reference":"Organization/o1"}],
    "link":[{"other":{"reference":"Patient/p2"},"type":"seealso"}]}"#,
    r#"{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"1-1"}]},
    "subject":{"reference":"Patient/p1"},"effectivePeriod":{"start":"2024-01-01"},
    "valueQuantity":{"value":1.0,"unit":"mg"},"component":[{"code":{"text":"x"},"valueCodeableConcept":{"text":"y"}},
    {"code":{"text":"z"},"valueQuantity":{"value":2}}],"performer":[{"reference":"Practitioner/p1"}]}"#,
    r#"{"resourceType":"Condition","subject":{"reference":"Group/g1"},"onsetAge":{"value":3,"unit":"a"},"abatementString":"gone"}"#,
    r#"{"resourceType":"Bundle","type":"message","entry":[{"resource":{"resourceType":"MessageHeader","id":"m"}}]}"#,
    r#"{"resourceType":"Group","characteristic":[{"valueCodeableConcept":{"text":"a"}},{"valueBoolean":true}]}"#,
];

/// Each expression of a search parameter also forms a set of one; together they must find the same.
#[test]
fn together_as_alone_for_all_search_parameters() {
    for source in DOCUMENTS {
        let document = Document::parse(source).unwrap();
        let name = document.resource_type().unwrap();
        let context = Context::new(document.root());
        let params: Vec<(&str, usize)> = search_parameters_for(name)
            .zip(0..)
            .filter(|(param, _)| !param.expression.is_empty())
            .map(|(param, tag)| (param.expression, tag))
            .collect();
        let set = Set::compile(name, &params).unwrap();
        let mut together =
            vec![Vec::new(); params.iter().map(|(_, tag)| tag + 1).max().unwrap_or(0)];
        set.evaluate(&context, |tag, item: Item<'_>| {
            together[tag].push(show(&item));
        })
        .unwrap();
        for (text, tag) in &params {
            let mut alone = alone(text, &context);
            together[*tag].sort();
            together[*tag].dedup();
            alone.sort();
            alone.dedup();
            assert_eq!(together[*tag], alone, "{name}: {text}");
        }
        assert!(together.iter().any(|found| !found.is_empty()), "{name}");
    }
}

/// Evaluates with [`Expression`] alongside; `as` filters, which is what `ofType` does.
fn alone(text: &str, context: &Context<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for side in text.split(" | ") {
        let mut side = side
            .replace(".as(", ".ofType(")
            .replace("ofType(DateTime)", "ofType(dateTime)");
        while let Some(at) = side.find(" as ") {
            let open = side[..at].rfind('(').unwrap();
            let close = at + side[at..].find(')').unwrap();
            let (path, name) = (&side[open + 1..at], &side[at + 4..close]);
            side = format!(
                "{}{path}.ofType({name}){}",
                &side[..open],
                &side[close + 1..]
            );
        }
        let expression = Expression::compile(&side).unwrap_or_else(|e| panic!("{side}: {e}"));
        let items = expression.evaluate(context).unwrap();
        found.extend(items.iter().map(show));
    }
    found
}

fn show(item: &Item<'_>) -> String {
    let place = item.element().map(|element| element.node().index());
    format!("{} {place:?} {}", item.type_info().name, item.to_json())
}

#[test]
fn every_search_parameter_of_r4_compiles() {
    for name in resource_types() {
        let params: Vec<(&str, ())> = search_parameters_for(name)
            .map(|p| (p.expression, ()))
            .filter(|p| !p.0.is_empty())
            .collect();
        assert!(Set::compile(name, &params).is_ok(), "{name}");
    }
}

#[test]
fn paths_share_their_beginning_and_tags_stay_apart() {
    let document = Document::parse(DOCUMENTS[0]).unwrap();
    let set = Set::compile(
        "Patient",
        &[
            ("Patient.name.given", 'g'),
            (
                "Patient.name.where(use = 'official').family | Practitioner.name.family",
                'f',
            ),
            ("Patient.extension('http://example.org/x').value", 'x'),
            ("name.given.extension('http://example.org/x').value", 'y'),
            (
                "Patient.deceased.exists() and Patient.deceased != false",
                'd',
            ),
        ],
    )
    .unwrap();
    let mut found = Vec::new();
    set.evaluate(&Context::new(document.root()), |tag, item| {
        found.push((tag, item.to_json()));
    })
    .unwrap();
    found.sort();
    let expected = [
        ('d', "true"),
        ('f', "\"TESTPATIENT\""),
        ('g', "\"ANNA\""),
        ('g', "null"),
        ('y', "\"y\""),
    ];
    assert_eq!(found, expected.map(|(tag, json)| (tag, json.to_owned())));
}

#[test]
fn an_instance_of_another_type_has_nothing() {
    let document = Document::parse(DOCUMENTS[1]).unwrap();
    let set = Set::compile("Patient", &[("Resource.id", ()), ("id.exists()", ())]).unwrap();
    set.evaluate(&Context::new(document.root()), |(), _| {
        panic!("found something")
    })
    .unwrap();
}
