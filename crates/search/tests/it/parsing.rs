//! Accepted and refused queries, with the errors for the latter.

use search::{Handling, Query, QueryError, SortBy, Summary, Total, parse};

fn read(resource_type: &str, query: &str, handling: Handling) -> Result<Query, QueryError> {
    let pairs: Vec<(String, String)> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    parse(resource_type, &pairs, handling)
}

#[track_caller]
fn refused(resource_type: &str, query: &str, words: &[&str]) {
    // Lenient handling is lenient only about unknown names.
    let error = read(resource_type, query, Handling::Lenient).unwrap_err();
    for word in words {
        assert!(error.to_string().contains(word), "{query}: {error}: {word}");
    }
}

#[test]
fn errors_name_parameter_value_and_what_is_accepted() {
    for (query, words) in [
        (
            "birthdate=1970-13",
            &["birthdate", "1970-13", "not a date", "ge2024"][..],
        ),
        ("birthdate=", &["birthdate", "not a date"]),
        ("name=--", &["name", "--", "letters"]),
        ("name:phonetic=x", &["name", ":phonetic", "exact, contains"]),
        ("gender:text=x", &["gender", ":text", "missing, not"]),
        ("gender:missing=x", &["missing", "true, false"]),
        ("gender=|", &["gender", "system|code"]),
        ("birthdate:exact=2020", &["birthdate", ":exact", "missing"]),
        ("_id=a b", &["_id", "a b", "1 to 64"]),
        ("_content=x", &["_content", "full-text"]),
        ("_filter=x", &["_filter"]),
        ("_sort=nonsense", &["_sort", "nonsense"]),
        ("_sort:desc=name", &["_sort", ":desc"]),
        ("_count=many", &["_count", "many", "whole number"]),
        ("_count=1&_count=2", &["_count", "twice"]),
        ("_summary=x", &["_summary", "count"]),
        ("_total=x", &["_total", "accurate"]),
        ("_elements=nonsense", &["_elements", "nonsense"]),
        ("_include=x", &["_include", "Type:parameter"]),
        (
            "_include=Patient:name",
            &["_include", "reference parameter"],
        ),
        ("_revinclude=*", &["_revinclude", "*"]),
        (
            "_revinclude=Observation:encounter",
            &["_revinclude", "does not point to that type"],
        ),
        (
            "_include=Patient:link:Encounter",
            &["_include", "does not point to that type"],
        ),
        ("_include:deep=*", &["_include", ":deep", "iterate"]),
        ("_person=maybe", &["_person", "true, false"]),
        (
            "general-practitioner:Patient=1",
            &["general-practitioner", ":Patient"],
        ),
        (
            "general-practitioner:Patient.name=x",
            &["general-practitioner", "Patient"],
        ),
        ("name.given=x", &["name", "not a reference"]),
        (
            "_has:Observation:patient=x",
            &["_has:Type:reference:parameter"],
        ),
        (
            "_has:Observation:encounter:code=x",
            &["does not point to Patient"],
        ),
        ("_has:Nonsense:patient:code=x", &["Nonsense"]),
        (
            "link.link.link.link.link.name=x",
            &["depth of a chain", "4"],
        ),
    ] {
        refused("Patient", query, words);
    }
    refused(
        "Observation",
        "value-quantity=x",
        &["value-quantity", "not a number"],
    );
    refused(
        "Observation",
        "value-quantity=5|http://u|",
        &["without a code"],
    );
    refused("Observation", "code-value-quantity=a", &["separated by $"]);
    refused("Location", "near=1|2", &["near"]);
    refused("Nonsense", "", &["Nonsense"]);
    refused("Provenance", "target.identifier=x", &["many types"]);
}

#[test]
fn unknown_parameters_are_never_ignored_in_silence() {
    // search.html#errors: strict refuses, lenient reports what it ignored
    for name in [
        "nonsense",
        "nonsense:exact",
        "general-practitioner:Practitioner.nonsense",
    ] {
        let query = format!("gender=male&{name}=1");
        let error = read("Patient", &query, Handling::Strict).unwrap_err();
        assert!(
            matches!(error, QueryError::UnknownParameter { .. }),
            "{error}"
        );
        let lenient = read("Patient", &query, Handling::Lenient).unwrap();
        assert_eq!(lenient.unknown.len(), 1);
        assert_eq!(lenient.unknown[0].name, name);
        assert_eq!(lenient.link(None), "gender=male");
    }
}

#[test]
fn result_parameters() {
    let query = "_sort=-birthdate,_id,-_lastUpdated&_count=5&_total=accurate&_summary=data\
        &_elements=name,birthDate&_person=true&_cursor=abc&_format=json&_pretty=true\
        &_include=Patient:general-practitioner:Practitioner&_include:iterate=Practitioner:nonsense";
    assert!(read("Patient", query, Handling::Strict).is_err());
    let query = query.replace("Practitioner:nonsense", "Patient:organization");
    let read = read("Patient", &query, Handling::Strict).unwrap();
    let sort: Vec<(String, bool)> = read
        .sort
        .iter()
        .map(|sort| match sort.by {
            SortBy::Id => ("_id".to_owned(), sort.descending),
            SortBy::LastUpdated => ("_lastUpdated".to_owned(), sort.descending),
            SortBy::Param(param) => (param.code.to_owned(), sort.descending),
        })
        .collect();
    let expected = [("birthdate", true), ("_id", false), ("_lastUpdated", true)];
    assert_eq!(
        sort,
        expected.map(|(code, descending)| (code.to_owned(), descending))
    );
    assert_eq!(read.count, Some(5));
    assert_eq!(read.total, Some(Total::Accurate));
    assert_eq!(read.summary, Summary::Data);
    assert_eq!(read.elements, ["name", "birthDate"]);
    assert!(read.person);
    assert_eq!(read.cursor.as_deref(), Some("abc"));
    assert_eq!(read.includes.len(), 2);
    assert_eq!(read.includes[0].target_type, Some("Practitioner"));
    assert!(!read.includes[0].iterate && read.includes[1].iterate);
    assert!(read.filters.is_empty() && read.unknown.is_empty());
}

#[test]
fn wildcard_includes_are_each_reference() {
    let all = read("Observation", "_include=*", Handling::Strict).unwrap();
    assert!(
        all.includes
            .iter()
            .any(|include| include.param.code == "encounter")
    );
    let back = read("Patient", "_revinclude=Observation:*", Handling::Strict).unwrap();
    assert!(
        back.revincludes
            .iter()
            .any(|include| include.param.code == "subject")
    );
    assert!(
        back.revincludes
            .iter()
            .all(|include| include.param.targets.contains(&"Patient"))
    );
}

#[test]
fn count_of_zero_is_summary_count() {
    // search.html#count
    let query = read("Patient", "_count=0", Handling::Strict).unwrap();
    assert_eq!(query.summary, Summary::Count);
}

#[test]
fn the_link_says_what_was_used() {
    let query = "name=a b\\,c&identifier=http://s|1&_cursor=old&_count=2&nonsense=1";
    let query = read("Patient", query, Handling::Lenient).unwrap();
    assert_eq!(
        query.link(None),
        "name=a%20b%5C,c&identifier=http://s%7C1&_count=2"
    );
    assert_eq!(
        query.link(Some("n/1")),
        "name=a%20b%5C,c&identifier=http://s%7C1&_count=2&_cursor=n/1"
    );
}
