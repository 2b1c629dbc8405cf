//! The tables match FHIR R4 (4.0.1).

use fhir::definitions::{
    SearchKind, Strength, TypeKind, compartment, resource_types, search_parameters,
    search_parameters_for, type_named, types, value_set,
};

#[test]
fn every_table_is_whole() {
    let n_elements: usize = types().map(|def| def.elements.len()).sum();
    assert_eq!(resource_types().count(), 146);
    assert_eq!(
        types()
            .filter(|def| def.kind == TypeKind::Primitive)
            .count(),
        20
    );
    assert!(7000 < n_elements, "{n_elements}");
    assert_eq!(search_parameters().len(), 1375);
    for def in types() {
        for element in &def.elements {
            for type_ref in &element.types {
                let known = type_ref
                    .definition()
                    .is_some_and(|found| found.name == type_ref.name);
                assert!(known, "{}.{}: {}", def.name, element.name, type_ref.name);
                let (back, _) = def.element_for(type_ref.json_name).unwrap();
                assert_eq!(back.name, element.name);
            }
        }
    }
}

#[test]
fn elements_by_their_json_names() {
    let observation = type_named("Observation").unwrap();
    for (json_name, element, type_name) in [
        ("valueQuantity", "value", "Quantity"),
        ("valueDateTime", "value", "dateTime"),
        ("status", "status", "code"),
        ("component", "component", "Observation.component"),
        ("id", "id", "id"),
        ("text", "text", "Narrative"),
    ] {
        let (found, type_ref) = observation.element_for(json_name).unwrap();
        assert_eq!((found.name, type_ref.name), (element, type_name));
    }
    assert!(observation.element_for("value").is_none());
    assert!(observation.element_for("valueAddress").is_none());
    assert!(observation.element("value").unwrap().choice);
    assert!(observation.is_a("DomainResource") && observation.is_a("Resource"));
    let (range, range_type) = type_named("Observation.component")
        .unwrap()
        .element_for("referenceRange")
        .unwrap();
    assert!(range.is_array());
    assert_eq!(
        range_type.name, "Observation.referenceRange",
        "a content reference"
    );
    assert_eq!(
        type_named("Extension")
            .unwrap()
            .element("value")
            .unwrap()
            .types
            .len(),
        50
    );
    assert_eq!(
        type_named("HumanName")
            .unwrap()
            .element("given")
            .unwrap()
            .max,
        None
    );
    assert_eq!(
        type_named("Extension")
            .unwrap()
            .element_for("url")
            .unwrap()
            .1
            .name,
        "uri"
    );
    assert!(type_named("patient").is_none());
}

#[test]
fn bindings_and_their_codes() {
    let gender = type_named("Patient")
        .unwrap()
        .element("gender")
        .unwrap()
        .binding
        .unwrap();
    assert_eq!(gender.strength, Strength::Required);
    let codes: Vec<&str> = value_set(gender.value_set)
        .unwrap()
        .iter()
        .map(|c| c.code)
        .collect();
    assert_eq!(codes, ["male", "female", "other", "unknown"]);
    let class = type_named("Encounter")
        .unwrap()
        .element("class")
        .unwrap()
        .binding
        .unwrap();
    assert_eq!(class.strength, Strength::Extensible);
    assert!(
        value_set(class.value_set)
            .unwrap()
            .iter()
            .any(|c| c.code == "AMB")
    );
    assert!(value_set("http://hl7.org/fhir/ValueSet/mimetypes").is_none());
    for def in types() {
        for element in def
            .elements
            .iter()
            .filter(|e| e.types.iter().any(|t| t.name == "code"))
        {
            let Some(binding) = element.binding else {
                continue;
            };
            let unlisted = [
                "mimetypes",
                "currencies",
                "ucum-units",
                "languages",
                "all-languages",
            ];
            if binding.strength == Strength::Required
                && !unlisted
                    .iter()
                    .any(|name| binding.value_set.ends_with(name))
            {
                let place = format!("{}.{} {}", def.name, element.name, binding.value_set);
                assert!(value_set(binding.value_set).is_some(), "{place}");
            }
        }
    }
}

#[test]
fn search_parameters_with_what_they_look_at() {
    let of = |resource_type: &str, code: &str| {
        search_parameters_for(resource_type)
            .find(|param| param.code == code)
            .unwrap()
    };
    assert_eq!(of("Patient", "birthdate").kind, SearchKind::Date);
    assert!(
        of("Patient", "birthdate")
            .expression
            .contains("Patient.birthDate")
    );
    assert_eq!(
        of("Observation", "_lastUpdated").expression,
        "Resource.meta.lastUpdated"
    );
    let pair = of("Observation", "code-value-quantity");
    assert_eq!(pair.components.len(), 2);
    for component in &pair.components {
        assert!(
            search_parameters()
                .iter()
                .any(|param| param.url == component.definition)
        );
    }
    assert!(of("Observation", "subject").targets.contains(&"Patient"));
}

#[test]
fn compartments() {
    let patient = compartment("Patient").unwrap();
    assert_eq!(patient.params("Observation"), ["subject", "performer"]);
    assert!(patient.params("Organization").is_empty());
    for name in ["Encounter", "Practitioner", "RelatedPerson", "Device"] {
        assert!(compartment(name).is_some(), "{name}");
    }
}
