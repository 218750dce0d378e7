//! The API as it is promised: committed, complete, with an example of everything, and kept.

use std::{collections::BTreeSet, path::PathBuf};

use serde_json::{Map, Value, json};
use torv::{error::Problem, http::problems};

use crate::support::on_both;

/// Set to 1, the committed documents are rewritten instead of compared.
const UPDATE_VARIABLE: &str = "TORV_UPDATE";
/// What a schema must not be called: it says nothing, and two of them would be taken for one.
const EMPTY_NAMES: &[&str] = &["Body", "Data", "In", "Input", "Item", "Object", "Output", "Query", "Response", "View"];

fn document() -> Value {
    serde_json::from_str(&torv::cli::openapi_text().expect("the document")).expect("JSON")
}

fn problems_text() -> String {
    format!("{}\n", serde_json::to_string_pretty(&problems::registry()).expect("JSON"))
}

fn is_committed(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("openapi").join(name);
    if std::env::var(UPDATE_VARIABLE).is_ok_and(|value| value == "1") {
        std::fs::write(&path, text).expect("the document is written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let place = committed.lines().zip(text.lines()).position(|(old, new)| old != new);
    assert!(
        committed == text,
        "openapi/{name} is not what the code says (line {}). If the change is meant, run:\n    \
         {UPDATE_VARIABLE}=1 cargo test contract\nand commit what it wrote.",
        place.map_or_else(|| "count differs".to_owned(), |line| (line + 1).to_string()),
    );
}

/// One operation of the document.
struct Operation {
    id: String,
    place: String,
    body: Value,
}

fn operations(document: &Value) -> Vec<Operation> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, body) in item.as_object().expect("operations") {
            let id = body["operationId"].as_str().unwrap_or_default().to_owned();
            found.push(Operation { id, place: format!("{method} {path}"), body: body.clone() });
        }
    }
    found
}

impl Operation {
    fn responses(&self) -> &Map<String, Value> {
        self.body["responses"].as_object().expect("responses")
    }
}

/// What a `$ref` points at, or the thing itself.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(pointer) => document.pointer(pointer.trim_start_matches('#')).unwrap_or_else(|| panic!("no {pointer}")),
        None => value,
    }
}

/// True when a reader is shown an example: at the place itself, at its schema, or at that of its items.
fn has_example(document: &Value, media: &Value) -> bool {
    let schema = resolved(document, &media["schema"]);
    let items = ["/items", "/properties/items/items"].into_iter().filter_map(|pointer| schema.pointer(pointer));
    let places = [media, schema].into_iter().chain(items.map(|items| resolved(document, items)));
    places.into_iter().any(|place| place.get("example").is_some() || place.get("examples").is_some())
}

fn none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}: {} places\n{}", found.len(), found.join("\n"));
}

#[test]
fn the_committed_openapi_document_is_what_the_code_says() {
    is_committed("openapi.json", &torv::cli::openapi_text().expect("the document"));
}

#[test]
fn the_committed_problem_registry_is_what_the_code_says() {
    is_committed("problems.json", &problems_text());
}

#[test]
fn the_document_is_openapi_3_1_and_says_what_it_is() {
    let document = document();
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")), "{}", document["openapi"]);
    for pointer in ["/info/title", "/info/version", "/info/description", "/info/license/name"] {
        let text = document.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        assert!(!text.is_empty(), "{pointer}");
    }
}

#[test]
fn every_operation_has_a_name_of_its_own_in_snake_case() {
    let document = document();
    let mut seen = BTreeSet::new();
    for Operation { id, place, .. } in operations(&document) {
        let snake = !id.is_empty() && id.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit());
        assert!(snake && id.contains('_'), "{place}: {id:?}");
        assert!(seen.insert(id.clone()), "{id} names two operations");
    }
}

#[test]
fn every_operation_has_a_summary_and_a_tag_that_is_explained() {
    let document = document();
    let tags: BTreeSet<_> =
        document["tags"].as_array().expect("tags").iter().map(|tag| &tag["name"]).map(Value::to_string).collect();
    for Operation { place, body, .. } in operations(&document) {
        assert!(body["summary"].as_str().is_some_and(|text| text.len() > 5), "{place} has no summary");
        let named = body["tags"].as_array().unwrap_or_else(|| panic!("{place} has no tag"));
        assert_eq!(named.len(), 1, "{place}");
        assert!(tags.contains(&named[0].to_string()), "{place}: {}", named[0]);
    }
}

#[test]
fn every_body_and_every_good_answer_has_an_example() {
    let document = document();
    let mut missing = Vec::new();
    for operation in operations(&document) {
        let request = operation.body.get("requestBody").map(|body| ("request".to_owned(), body));
        let good = operation.responses().iter().filter(|(status, _)| status.starts_with('2'));
        for (name, holder) in request.into_iter().chain(good.map(|(status, answer)| (status.clone(), answer))) {
            let media = holder["content"].as_object().cloned().unwrap_or_default();
            for (kind, media) in media.iter().filter(|(kind, _)| kind.contains("json") || name == "request") {
                if !has_example(&document, media) {
                    missing.push(format!("{}: {name} ({kind})", operation.id));
                }
            }
        }
    }
    none("without an example", &missing);
}

#[test]
fn every_failure_is_a_problem_document() {
    let document = document();
    for Operation { id, body, .. } in operations(&document) {
        for (status, answer) in body["responses"].as_object().expect("responses") {
            assert!(answer["description"].as_str().is_some_and(|text| !text.is_empty()), "{id} {status}");
            if !status.starts_with(['4', '5']) {
                continue;
            }
            let kinds: Vec<_> = answer["content"].as_object().into_iter().flat_map(Map::keys).collect();
            assert_eq!(kinds, ["application/problem+json"], "{id} {status}");
            let schema = &answer["content"]["application/problem+json"]["schema"];
            assert_eq!(schema, &json!({"$ref": "#/components/schemas/Problem"}), "{id} {status}");
        }
    }
}

#[test]
fn every_status_of_the_document_is_one_the_registry_knows() {
    let document = document();
    let known: BTreeSet<String> = Problem::ALL.iter().map(|problem| problem.status().to_string()).collect();
    for Operation { id, body, .. } in operations(&document) {
        for status in body["responses"].as_object().expect("responses").keys() {
            assert!(!status.starts_with(['4', '5']) || known.contains(status), "{id}: {status}");
        }
    }
}

#[test]
fn every_request_that_waits_says_for_how_long() {
    let document = document();
    for Operation { id, body, .. } in operations(&document) {
        for status in ["429", "503"] {
            let Some(answer) = body["responses"].get(status) else { continue };
            let headers = answer["headers"].as_object().cloned().unwrap_or_default();
            assert!(headers.keys().any(|name| name.eq_ignore_ascii_case("retry-after")), "{id}: {status}");
        }
    }
}

#[test]
fn every_schema_has_a_name_that_says_something() {
    let document = document();
    for name in document["components"]["schemas"].as_object().expect("schemas").keys() {
        assert!(!EMPTY_NAMES.contains(&name.as_str()), "{name} says nothing");
        assert!(name.starts_with(|c: char| c.is_ascii_uppercase()), "{name}");
    }
}

#[test]
fn no_input_takes_what_it_does_not_name() {
    let document = document();
    for operation in operations(&document) {
        // A protocol of others, which grows: its clients send what this exchange does not know yet.
        if operation.id == "query_table" {
            continue;
        }
        let Some(schema) = operation.body.pointer("/requestBody/content/application~1json/schema") else { continue };
        let schema = resolved(&document, schema);
        if schema["type"] == "object" {
            assert_eq!(schema["additionalProperties"], json!(false), "{}", operation.id);
        }
    }
}

#[test]
fn every_kind_of_problem_has_a_name_of_its_own() {
    let slugs: BTreeSet<_> = Problem::ALL.iter().map(|problem| problem.slug()).collect();
    assert_eq!(slugs.len(), Problem::ALL.len());
    assert!(slugs.iter().all(|slug| slug.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')), "{slugs:?}");
}

on_both! {
    async fn the_type_of_every_problem_is_an_address_that_explains_it(app) {
        for kind in problems::registry() {
            let shown = app.get(&kind.kind).await.expect(200).json();
            assert_eq!(shown, json!({"type": kind.kind, "title": kind.title, "status": kind.status}));
        }
        assert_eq!(app.get("/problems").await.expect(200).text(), serde_json::to_string(&problems::registry()).unwrap());
        app.get("/problems/none-of-ours").await.expect(404);
    }

    async fn the_document_is_served_as_it_is_committed(app) {
        assert_eq!(app.get("/openapi.json").await.expect(200).json(), document());
        let page = app.get("/docs/").await.expect(200).text();
        assert!(!page.contains("http://") && !page.contains("https://"), "the page loads something from elsewhere");
    }

    async fn limits_of_parameters_that_the_document_names_are_kept(app) {
        let granted = app.granted(entity::states::Coverage::Snapshot, 1).await;
        for (parameter, length) in [("resource", 80), ("action", 64)] {
            let path = |length: usize| format!("/api/v1/audit-events?{parameter}={}", "0".repeat(length));
            app.as_org(&granted.buyer, "GET", &path(length)).send().await.expect(200);
            app.as_org(&granted.buyer, "GET", &path(length + 1)).send().await.expect(422);
        }
        for (number, status) in [(1, 200), (0, 422), (-1, 422)] {
            let path = format!("/api/v1/grants/{}/files?revision={number}", granted.grant);
            app.as_org(&granted.buyer, "GET", &path).send().await.expect(status);
        }
    }

    async fn a_list_is_not_taken_for_an_object(app) {
        let operator = app.operator().await;
        let path = "/api/v1/reconciliations";
        let answer = app.as_org(&operator, "POST", path).json(&json!([null, null])).send().await.expect(422);
        assert_eq!(answer.json()["errors"][0]["pointer"], "");
        app.as_org(&operator, "POST", path).json(&json!({})).send().await.expect(201);
    }

    /// Each operation is tried without credentials and with nonsense in body and parameters.
    async fn every_answer_to_nonsense_is_a_documented_problem(app) {
        let (org, document) = (app.operator().await, document());
        for operation in operations(&document) {
            let (method, path) = operation.place.split_once(' ').expect("a method");
            let nonsense = path.replace('{', "%7B").replace('}', "%7D");
            let request = |query: &str| app.request(&method.to_uppercase(), &format!("{nonsense}{query}"));
            let json = |text: &str| request("").header("content-type", "application/json").bearer(&org.key).body(text.to_owned());
            for answer in [
                request("").send().await,
                request("").bearer("nonsense").send().await,
                request("").bearer(&org.key).send().await,
                request("?unknown=1&limit=0").bearer(&org.key).send().await,
                request("").header("content-type", "text/plain").bearer(&org.key).body("a").send().await,
                json("").send().await,
                json("{").send().await,
                json("[]").send().await,
                json("{\"unknown\": 1}").send().await,
                json(&" ".repeat(1_200_000)).send().await,
            ] {
                let (id, status) = (&operation.id, answer.status.to_string());
                let documented = operation.responses().get(&status).unwrap_or_else(|| panic!("{id}: {status} {}", answer.text()));
                assert!(answer.status < 500, "{id}: {}", answer.text());
                if answer.status >= 400 && method != "head" {
                    assert_eq!(answer.header("content-type"), "application/problem+json", "{id}: {status}");
                    let problem = answer.json();
                    assert_eq!(problem["status"], answer.status, "{id}");
                    assert!(problem["instance"].as_str().is_some_and(|text| text == answer.header("x-request-id")), "{id}");
                    assert!(problem["detail"].as_str().is_some_and(|text| text.len() > 10), "{id}");
                } else if let Some(content) = documented["content"].as_object().filter(|_| method != "head") {
                    let essence = answer.header("content-type").split(';').next().unwrap_or_default();
                    assert!(content.contains_key(essence), "{id}: {status} {essence}");
                }
            }
        }
    }
}
