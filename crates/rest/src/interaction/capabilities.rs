//! The interaction `GET [base]/metadata`: what this server supports, and nothing that it does not.

use crate::preference::check_format;
use crate::{Failure, answer};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use fhir::build::Value;
use search::{ParamKind, Registry};
use web::App;

const RESOURCE_INTERACTIONS: [&str; 8] = [
    "read",
    "vread",
    "update",
    "delete",
    "history-instance",
    "history-type",
    "create",
    "search-type",
];

/// A reference with more target types than this may point to any type.
const MAX_TARGETS: usize = 100;

/// Serves the CapabilityStatement. Public, as FHIR requires.
pub(crate) async fn metadata(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let pairs = web::parameters::parse(query.as_deref().unwrap_or(""));
    check_format(&headers, web::parameters::value(&pairs, "_format"))?;
    Ok(answer::json(
        StatusCode::OK,
        statement(&app.fhir_base()).to_bytes(),
    ))
}

/// Builds the CapabilityStatement of a server at `base`.
pub fn statement(base: &str) -> Value {
    let registry = Registry::r4();
    let mut types: Vec<_> = registry.resource_types().collect();
    types.sort_unstable();
    let resources: Value = types
        .into_iter()
        .map(|name| resource(registry, name))
        .collect();
    let rest = Value::object()
        .with("mode", "server")
        .with(
            "security",
            Value::object().with(
                "description",
                "A bearer token (`causeway token`) or a console session. Without one, only this \
                 statement is served.",
            ),
        )
        .with("resource", resources)
        .with(
            "interaction",
            codes(&["transaction", "batch", "history-system"]),
        )
        .with("searchParam", vec![person_view()]);
    Value::resource("CapabilityStatement")
        .with("status", "active")
        // The date on which this list of capabilities last changed.
        .with("date", "2026-11-26")
        .with("kind", "instance")
        .with(
            "software",
            Value::object()
                .with("name", "Causeway")
                .with("version", env!("CARGO_PKG_VERSION")),
        )
        .with(
            "implementation",
            Value::object()
                .with("description", "Causeway FHIR API")
                .with("url", base),
        )
        .with("fhirVersion", "4.0.1")
        .with(
            "format",
            vec![Value::from("application/fhir+json"), Value::from("json")],
        )
        .with("rest", vec![rest])
}

fn resource(registry: &'static Registry, name: &'static str) -> Value {
    // Parameters that are not indexed cannot be searched and are not declared.
    let params: Vec<_> = registry
        .params(name)
        .iter()
        .filter(|param| param.is_indexed)
        .collect();
    let search: Value = params
        .iter()
        .map(|param| {
            Value::object()
                .with("name", param.code)
                .with("type", param.kind.code())
        })
        .collect();
    let includes: Value = params
        .iter()
        .filter(|param| param.kind == ParamKind::Reference)
        .map(|param| Value::from(format!("{name}:{}", param.code)))
        .collect();
    let mut resource = Value::object()
        .with("type", name)
        .with("interaction", codes(&RESOURCE_INTERACTIONS))
        .with("versioning", "versioned-update")
        .with("readHistory", Value::Bool(true))
        .with("updateCreate", Value::Bool(true))
        .with("conditionalCreate", Value::Bool(true))
        .with("conditionalRead", "full-support")
        .with("conditionalUpdate", Value::Bool(true))
        .with("conditionalDelete", "single")
        .with(
            "referencePolicy",
            // Not `enforced`: the target of a reference exists at the time of the write and may be
            // deleted later.
            vec![Value::from("literal"), Value::from("logical")],
        );
    if !includes.is_empty() {
        resource.set("searchInclude", includes);
    }
    let reverse = reverse_includes(registry, name);
    if !reverse.is_empty() {
        resource.set("searchRevInclude", reverse);
    }
    if !search.is_empty() {
        resource.set("searchParam", search);
    }
    if name == "Patient" {
        let operation = |name: &str, definition: &str| {
            Value::object()
                .with("name", name)
                .with("definition", definition)
        };
        resource.set(
            "operation",
            vec![
                operation(
                    "everything",
                    "http://hl7.org/fhir/OperationDefinition/Patient-everything",
                ),
                operation("person", "urn:causeway:operation:patient-person"),
            ],
        );
    }
    resource
}

/// Describes the view in which persons stand for their records.
fn person_view() -> Value {
    Value::object()
        .with("name", "_person")
        .with("type", "token")
        .with(
            "documentation",
            "`true`: in requests and responses, every source's Patient is replaced by the person \
             that it belongs to. A search that names a person (`patient=`, `Patient?_id=`) is \
             answered this way without it. Each reference keeps the source's own in the \
             extension urn:causeway:source-reference; Patient/[id]/$person leads from a record \
             to its person.",
        )
}

/// Lists the references of other types that point to this one. References that may point anywhere
/// are left out, since they would be listed for every type.
fn reverse_includes(registry: &'static Registry, name: &str) -> Value {
    let mut all: Vec<String> = registry
        .resource_types()
        .flat_map(|source| registry.params(source))
        .filter(|param| param.is_indexed && param.kind == ParamKind::Reference)
        .filter(|param| param.targets.len() < MAX_TARGETS && param.targets.contains(&name))
        .map(|param| format!("{}:{}", param.resource_type, param.code))
        .collect();
    all.sort_unstable();
    all.into_iter().map(Value::from).collect()
}

fn codes(codes: &[&str]) -> Value {
    codes
        .iter()
        .map(|code| Value::object().with("code", *code))
        .collect()
}
