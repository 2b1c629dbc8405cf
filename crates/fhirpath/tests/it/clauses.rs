//! FHIRPath N1 (http://hl7.org/fhirpath/N1) and FHIR R4 fhirpath.html, clause by clause.

use fhir::json::{Document, Node};
use fhirpath::{
    Context, DateTime, Element, EvaluationError, Expression, Host, Item, SyntaxErrorKind,
};

const PATIENT: &str = r##"{"resourceType":"Patient","id":"zztest","active":true,
"text":{"status":"generated","div":"<div>TESTPATIENT</div>"},
"contained":[{"resourceType":"Organization","id":"org","name":"ZZTEST Clinic"}],
"name":[{"use":"official","family":"TESTPATIENT","given":["ANNA","B"]},{"use":"usual","given":["ANN"]}],
"birthDate":"1980-02-03","_birthDate":{"extension":[{"url":"http://example.org/t","valueTime":"10:30"}]},
"_gender":{"extension":[{"url":"http://example.org/unknown","valueBoolean":true}]},
"deceasedBoolean":false,
"contact":[{"name":{"family":"ZZTEST"}}],
"managingOrganization":{"reference":"#org"},
"generalPractitioner":[{"reference":"Practitioner/p1"},{"reference":"http://example.org/Organization/o1/_history/2"}]}"##;

/// A host that knows one practitioner and one value set.
struct OnePractitioner(Document);

impl Host for OnePractitioner {
    fn resolve(&self, reference: &str) -> Option<Node<'_>> {
        (reference == "Practitioner/p1").then(|| self.0.root())
    }

    fn member_of(&self, item: &Item<'_>, value_set: &str) -> Option<bool> {
        (value_set == "http://example.org/vs").then(|| item.as_str().as_deref() == Some("official"))
    }

    fn conforms_to(&self, element: &Element<'_>, profile: &str) -> Option<bool> {
        (profile == "http://example.org/profile").then(|| element.type_name() == Some("Patient"))
    }
}

pub(crate) fn run(text: &str) -> Result<String, EvaluationError> {
    let document = Document::parse(PATIENT).unwrap();
    let other =
        Document::parse(r#"{"resourceType":"Practitioner","id":"p1","active":true}"#).unwrap();
    let host = OnePractitioner(other);
    let expression = Expression::compile(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let context = Context::new(document.root())
        .with_now(DateTime::parse("2026-03-04T05:06:07.008Z").unwrap())
        .with_host(&host)
        .with_variable("given", vec![Item::Integer(7)]);
    let items = expression.evaluate(&context)?;
    Ok(items
        .iter()
        .map(Item::to_json)
        .collect::<Vec<_>>()
        .join(" "))
}

/// Asserts that each expression gives these JSON values, joined by spaces.
#[track_caller]
pub(crate) fn gives(clause: &str, rows: &[(&str, &str)]) {
    for (text, expected) in rows {
        assert_eq!(run(text).as_deref(), Ok(*expected), "{clause}: {text}");
    }
}

#[track_caller]
pub(crate) fn fails(clause: &str, rows: &[(&str, EvaluationError)]) {
    for (text, expected) in rows {
        assert_eq!(run(text).as_ref(), Err(expected), "{clause}: {text}");
    }
}

#[test]
fn literals_and_precedence() {
    gives(
        "N1 §Literals",
        &[
            ("{}", ""),
            ("'it\\'s \\u0041'", "\"it's A\""),
            ("1.50", "1.50"),
            ("@2024-02-29", "\"2024-02-29\""),
            ("@T10:30", "\"10:30\""),
            ("4 'mg'", "{\"value\":4,\"unit\":\"mg\"}"),
            ("2 days", "{\"value\":2,\"unit\":\"day\"}"),
            ("`Patient`.name.`given`.count()", "3"),
            ("Patient.name[0].given[1]", "\"B\""),
        ],
    );
    gives(
        "N1 §Precedence",
        &[
            ("2 + 3 * 4", "14"),
            ("(2 + 3) * 4", "20"),
            ("-2 + 3", "1"),
            ("1 | 2 + 3", "1 5"),
            ("true or false and false", "true"),
            ("false implies false and false", "true"),
            ("1 + 1 = 2 and 3 > 2", "true"),
            ("'a' in 'a' | 'b'", "true"),
            ("7 - 2 - 1", "4"),
            ("12 / 2 / 3", "2"),
        ],
    );
}

#[test]
fn paths() {
    gives(
        "N1 §Path Selection",
        &[
            ("name.given", "\"ANNA\" \"B\" \"ANN\""),
            ("Patient.id", "\"zztest\""),
            ("Resource.id", "\"zztest\""),
            ("Observation.id", ""),
            ("name.nothing", ""),
            ("$this.active", "true"),
        ],
    );
    gives(
        "R4 §Polymorphism",
        &[
            ("deceased", "false"),
            ("deceased is boolean", "true"),
            ("deceasedBoolean", ""),
            (
                "birthDate.extension('http://example.org/t').value",
                "\"10:30\"",
            ),
            ("birthDate.extension.value + 1 hour", "\"11:30\""),
        ],
    );
    gives(
        "R4 §Extensions of primitives",
        &[
            ("gender.exists()", "true"),
            ("gender.hasValue()", "false"),
            ("gender.getValue()", ""),
            ("gender.extension.value", "true"),
            ("active.hasValue() and active.getValue()", "true"),
        ],
    );
}

#[test]
fn existence_and_filtering() {
    gives(
        "N1 §Existence",
        &[
            ("name.exists(use = 'usual')", "true"),
            ("link.empty() and link.exists().not()", "true"),
            ("name.all(given.exists())", "true"),
            ("link.all(false)", "true"),
            ("(true | false).allTrue()", "false"),
            ("(true | false).anyTrue()", "true"),
            ("(true | false).anyFalse()", "true"),
            ("false.allFalse()", "true"),
            ("(1 | 2).subsetOf(1 | 2 | 3)", "true"),
            ("(1 | 2).supersetOf(3)", "false"),
            ("name.given.count()", "3"),
            ("(1).combine(1).distinct()", "1"),
            ("(1).combine(1).isDistinct()", "false"),
        ],
    );
    gives(
        "N1 §Filtering and projection",
        &[
            ("name.where(use = 'official').family", "\"TESTPATIENT\""),
            ("name.where($index = 1).use", "\"usual\""),
            ("name.select(given.first())", "\"ANNA\" \"ANN\""),
            ("name.select($index)", "0 1"),
            (
                "name.given.select($this & '!')",
                "\"ANNA!\" \"B!\" \"ANN!\"",
            ),
            ("repeat(name | contact).count()", "4"),
            ("descendants().ofType(HumanName).count()", "3"),
            ("(1 | 'a' | true).ofType(Integer)", "1"),
        ],
    );
    gives(
        "N1 §Aggregates",
        &[
            ("(1 | 2 | 3).aggregate($this + $total, 0)", "6"),
            (
                "(3 | 1 | 2).aggregate(iif($total.empty() or $this < $total, $this, $total))",
                "1",
            ),
        ],
    );
}

#[test]
fn subsetting_and_combining() {
    gives(
        "N1 §Subsetting",
        &[
            ("(1 | 2 | 3).first()", "1"),
            ("(1 | 2 | 3).last()", "3"),
            ("(1 | 2 | 3).tail()", "2 3"),
            ("(1 | 2 | 3).skip(2)", "3"),
            ("(1 | 2 | 3).take(2)", "1 2"),
            ("(1 | 2 | 3).take(-1)", ""),
            ("(1 | 2 | 3).intersect(3 | 1 | 4)", "1 3"),
            ("(1 | 2 | 3).exclude(2)", "1 3"),
            ("(1 | 2)[5]", ""),
            ("{}.single()", ""),
        ],
    );
    gives(
        "N1 §Combining",
        &[
            ("1.combine(1 | 2)", "1 1 2"),
            ("1.union(1 | 2)", "1 2"),
            (
                "name.given | contact.name.family | 'B'",
                "\"ANNA\" \"B\" \"ANN\" \"ZZTEST\"",
            ),
        ],
    );
    gives(
        "Sort",
        &[
            ("(3 | 1 | 2).sort()", "1 2 3"),
            ("('a' | 'c' | 'b').sort(-$this)", "\"c\" \"b\" \"a\""),
            (
                "name.sort(use.length(), given.count()).given.first()",
                "\"ANN\"",
            ),
        ],
    );
    fails(
        "N1 §Subsetting single",
        &[
            ("name.single()", EvaluationError::NotSingle("single")),
            ("name.given.length()", EvaluationError::NotSingle("length")),
        ],
    );
}

#[test]
fn types() {
    gives(
        "N1 §Types",
        &[
            ("Patient is DomainResource and Patient is Resource", "true"),
            (
                "Patient.is(FHIR.Patient) and Patient.is(System.Patient).not()",
                "true",
            ),
            ("active is boolean and (active is Boolean).not()", "true"),
            (
                "1 is Integer and 1 is System.Integer and (1 is Decimal).not()",
                "true",
            ),
            ("4 days is Quantity", "true"),
            ("(name[0] as HumanName).family", "\"TESTPATIENT\""),
            ("active as string", ""),
            ("name.ofType(Address)", ""),
            (
                "active.type().namespace & '.' & active.type().name",
                "\"FHIR.boolean\"",
            ),
            (
                "1.type()",
                "{\"namespace\":\"System\",\"name\":\"Integer\"}",
            ),
            ("contact.type().name", "\"BackboneElement\""),
        ],
    );
    fails(
        "N1 §as",
        &[("name as HumanName", EvaluationError::NotSingle("as"))],
    );
}

#[test]
fn variables_clock_and_host() {
    gives(
        "N1 §Environment variables",
        &[
            (
                "%resource.id = %context.id and %rootResource.id = id",
                "true",
            ),
            ("name.where(%resource.active).count()", "2"),
            ("%loinc", "\"http://loinc.org\""),
            ("%`vs-x`", "\"http://hl7.org/fhir/ValueSet/x\""),
            (
                "%\"ext-x\"",
                "\"http://hl7.org/fhir/StructureDefinition/x\"",
            ),
            ("%given + 1", "8"),
        ],
    );
    gives(
        "N1 §Utility",
        &[
            ("now()", "\"2026-03-04T05:06:07.008Z\""),
            ("today() - 3 days", "\"2026-03-01\""),
            ("timeOfDay()", "\"05:06:07.008\""),
            ("name.trace('names', given).count()", "2"),
        ],
    );
    gives(
        "R4 §Functions",
        &[
            ("managingOrganization.resolve().name", "\"ZZTEST Clinic\""),
            ("generalPractitioner.resolve().active", "true"),
            (
                "generalPractitioner.where(resolve() is Practitioner).count()",
                "1",
            ),
            (
                "generalPractitioner.where(resolve() is Organization).count()",
                "1",
            ),
            ("managingOrganization.resolve() is Organization", "true"),
            ("name[0].use.memberOf('http://example.org/vs')", "true"),
            ("conformsTo('http://example.org/profile')", "true"),
            (
                "conformsTo('http://hl7.org/fhir/StructureDefinition/DomainResource')",
                "true",
            ),
            ("text.div.htmlChecks()", "true"),
        ],
    );
    fails(
        "Nothing is guessed",
        &[
            (
                "%unknown",
                EvaluationError::UndefinedVariable("unknown".to_owned()),
            ),
            (
                "name[0].use.memberOf('http://example.org/other')",
                EvaluationError::NotSupported("memberOf"),
            ),
            (
                "elementDefinition()",
                EvaluationError::NotSupported("elementDefinition"),
            ),
            ("slice('a', 'b')", EvaluationError::NotSupported("slice")),
        ],
    );
    let document = Document::parse(PATIENT).unwrap();
    let now = Expression::compile("now()").unwrap();
    let error = now.evaluate(&Context::new(document.root())).unwrap_err();
    assert_eq!(error, EvaluationError::NoClock);
}

#[test]
fn strict_mode_refuses_what_can_never_be_right() {
    let refused = |text: &str| {
        Expression::compile_strict(text, "Patient")
            .unwrap_err()
            .kind
    };
    let unknown = |type_name: &str, element: &str| SyntaxErrorKind::UnknownElement {
        type_name: type_name.to_owned(),
        element: element.to_owned(),
    };
    assert_eq!(refused("name.first().famly"), unknown("HumanName", "famly"));
    assert_eq!(
        refused("name.where(given1 = 'x')"),
        unknown("HumanName", "given1")
    );
    assert_eq!(
        refused("deceasedBoolean"),
        unknown("Patient", "deceasedBoolean")
    );
    assert_eq!(refused("Observation.id"), unknown("Patient", "Observation"));
    assert_eq!(
        refused("children()[0]"),
        SyntaxErrorKind::Unordered("[]".to_owned())
    );
    for right in [
        "contained.anything",
        "contact.name.family",
        "deceased.as(dateTime)",
        "link.other.resolve().x",
    ] {
        assert!(
            Expression::compile_strict(right, "Patient").is_ok(),
            "{right}"
        );
    }
}

#[test]
fn json_is_one_line_and_programs_are_shared() {
    fn is_shared<T: Send + Sync>(_: &T) {}
    let document = Document::parse(
        "{\"resourceType\":\"Patient\",\n \"name\" : [ {\"text\" : \"A \\\" \\\\\"} ]}",
    );
    let document = document.unwrap();
    let expression = Expression::compile("name").unwrap();
    is_shared(&expression);
    let items = expression.evaluate(&Context::new(document.root())).unwrap();
    assert_eq!(items[0].to_json(), "{\"text\":\"A \\\" \\\\\"}");
}

#[test]
fn text_that_is_not_an_expression() {
    for (text, offset) in [
        ("", 0),
        ("1 +", 3),
        ("name.", 5),
        ("name..given", 5),
        ("(1", 2),
        ("f(1", 0),
        ("nosuch()", 0),
        ("name.where()", 0),
        ("1 is Nosuch", 5),
        ("'a'.matches('(')", 0),
        ("$that", 0),
        ("1 2", 2),
        ("@2024-13", 0),
    ] {
        let error = Expression::compile(text).unwrap_err();
        assert!(error.offset == offset || text == "f(1", "{text}: {error}");
    }
}
