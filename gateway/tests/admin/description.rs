//! The OpenAPI file: kept in `docs/`, complete, and true to what the routes take and answer.

use std::collections::BTreeSet;

use registry::Role;
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::support::{Call, ask};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");

fn description() -> Value {
    serde_json::from_str(&gateway::admin::openapi()).unwrap()
}

fn operations(description: &Value) -> Vec<(String, &Value)> {
    let mut all = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            all.push((format!("{} {path}", method.to_uppercase()), operation));
        }
    }
    all
}

/// The schema a reference names, or the schema itself.
fn schema<'d>(description: &'d Value, schema: &'d Value) -> &'d Value {
    match schema["$ref"].as_str() {
        Some(name) => description.pointer(name.strip_prefix('#').unwrap()).unwrap(),
        None => schema,
    }
}

/// The properties a schema allows, those of its parts included.
fn properties(description: &Value, of: &Value) -> BTreeSet<String> {
    let of = schema(description, of);
    let own = of["properties"].as_object().into_iter().flat_map(|fields| fields.keys().cloned());
    let parts = of["allOf"].as_array().into_iter().flatten();
    own.chain(parts.flat_map(|part| properties(description, part))).collect()
}

#[test]
fn the_file_in_docs_is_what_the_code_says() {
    let says = gateway::admin::openapi() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(FILE, &says).unwrap();
    }
    let kept = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(
        kept == says,
        "docs/openapi.json is behind the code: run `UPDATE=1 cargo test -p gateway --test admin the_file_in_docs`, \
         read the diff, and commit it"
    );
}

#[tokio::test]
async fn the_gateway_serves_the_file() {
    let desk = Desk::open().await;
    let served = Call::new(desk.admin_address(), "GET", "/api/v1/openapi.json").send().await;
    assert_eq!((served.status, served.header("content-type")), (200, "application/json"));
    assert_eq!(served.json(), description());
    assert_eq!(served.json()["openapi"], "3.1.0");
}

#[test]
fn every_operation_has_a_name_words_and_a_tag() {
    let description = description();
    let tags: BTreeSet<_> =
        description["tags"].as_array().unwrap().iter().map(|tag| tag["name"].clone().to_string()).collect();
    let mut names = BTreeSet::new();
    for (route, operation) in operations(&description) {
        assert!(names.insert(operation["operationId"].as_str().unwrap()), "{route}: a name used twice");
        assert!(operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{route}");
        assert!(tags.contains(&operation["tags"][0].to_string()), "{route}");
    }
}

#[test]
fn every_operation_shows_examples_and_refusals() {
    let description = description();
    for (route, operation) in operations(&description) {
        let shows = |content: &Value| {
            let content = &content["application/json"];
            let optional = content["schema"]["oneOf"]
                .as_array()
                .and_then(|ways| ways.iter().find(|way| way.get("$ref").is_some()));
            let schema = schema(&description, optional.unwrap_or(&content["schema"]));
            let of_items = || self::schema(&description, &schema["properties"]["data"]["items"]);
            [&content["example"], &schema["example"], &of_items()["example"]]
                .iter()
                .any(|example| !example.is_null())
        };
        if let Some(body) = operation["requestBody"]["content"].as_object() {
            assert!(shows(&json!(body)), "{route}: no example of its body");
        }
        let responses = operation["responses"].as_object().unwrap();
        let (successes, refusals): (Vec<_>, Vec<_>) =
            responses.iter().partition(|(status, _)| status.starts_with('2'));
        assert!(!successes.is_empty(), "{route}");
        for (status, response) in successes {
            let content = &response["content"];
            let plain = content.get("application/json").is_none();
            assert!(plain || shows(content), "{route} {status}: no example of its answer");
        }
        if operation["security"] == json!([{}]) {
            continue;
        }
        let said: BTreeSet<_> = refusals.iter().map(|(status, _)| status.as_str()).collect();
        assert!(BTreeSet::from(["400", "401", "403", "404", "503"]).is_subset(&said), "{route}: {said:?}");
        for (status, response) in refusals {
            let response = schema(&description, response);
            let error = &response["content"]["application/json"]["example"]["error"];
            assert!(
                error["message"].is_string() && error["code"].is_string(),
                "{route} {status}: {response}"
            );
        }
    }
}

#[test]
fn references_lead_somewhere() {
    fn walk(description: &Value, at: &Value) {
        if let Some(name) = at["$ref"].as_str() {
            assert!(description.pointer(name.strip_prefix('#').unwrap()).is_some(), "{name}");
        }
        at.as_object()
            .into_iter()
            .flat_map(|fields| fields.values())
            .for_each(|inner| walk(description, inner));
        at.as_array().into_iter().flatten().for_each(|inner| walk(description, inner));
    }
    let description = description();
    walk(&description, &description);
}

/// Sends the example of a route's body, to the route with these names in its path.
async fn try_example(desk: &Desk, route: &str, path: &str) -> Value {
    let description = description();
    let all = operations(&description);
    let (_, operation) = all.iter().find(|(at, _)| at == route).unwrap();
    let content = &operation["requestBody"]["content"]["application/json"];
    let named = schema(&description, &content["schema"]);
    let example =
        [&content["example"], &named["example"]].into_iter().find(|example| !example.is_null()).unwrap();
    let (method, _) = route.split_once(' ').unwrap();
    // Where an example names a webhook, the newest one there is stands in for it.
    let mut example = example.clone();
    if let Some(webhook) = example.pointer_mut("/notify/0/webhook") {
        *webhook = desk.get("/webhooks").await.json()["data"][0]["id"].take();
    }
    let answer = desk.send(method, path, &example).await;
    assert!((200..300).contains(&answer.status), "{route} with {example}: {}", answer.text());
    let documented =
        &operation["responses"][answer.status.to_string()]["content"]["application/json"]["schema"];
    let answered: BTreeSet<_> = answer.json().as_object().unwrap().keys().cloned().collect();
    let described = properties(&description, documented);
    assert!(answered.is_subset(&described), "{route} answers {answered:?}, described are {described:?}");
    answer.json()
}

#[tokio::test]
async fn the_examples_of_bodies_are_taken() {
    let desk = Desk::open().await;
    let versions = "/prompts/support%2Freply/versions";

    try_example(&desk, "POST /api/v1/prompts", "/prompts").await;
    try_example(&desk, "POST /api/v1/prompts/{name}/versions", versions).await;
    for text in ["two", "three"] {
        desk.post(versions, &json!({"messages": [{"role": "system", "content": text}]})).await;
    }
    desk.move_label("support/reply", "production", 2).await;
    try_example(
        &desk,
        "PUT /api/v1/prompts/{name}/labels/{label}",
        "/prompts/support%2Freply/labels/production",
    )
    .await;
    try_example(&desk, "PUT /api/v1/labels/{label}/policy", "/labels/beta/policy").await;
    desk.move_label("support/reply", "production", 2).await;
    let releases = "/prompts/support%2Freply/releases";
    let release = try_example(&desk, "POST /api/v1/prompts/{name}/releases", releases).await;
    for verb in ["approve", "release", "pause", "resume", "advance", "abort"] {
        let path = format!("/releases/{}/{verb}", release["id"].as_str().unwrap());
        // The admin wrote the version and proposed the release: somebody else approves it.
        let by = if verb == "approve" { Role::Releaser } else { Role::Admin };
        let answer =
            desk.by(by, "POST", &path).json(&json!({"note": "tried it on ten tickets"})).send().await;
        assert_eq!(answer.status, 200, "{verb}: {}", answer.text());
    }
    let experiment = "/prompts/support%2Freply/experiments/production";
    try_example(&desk, "PUT /api/v1/prompts/{name}/experiments/{label}", experiment).await;
    try_example(&desk, "POST /api/v1/prompts/{name}/render", "/prompts/support%2Freply/render").await;
    try_example(&desk, "POST /api/v1/templates/check", "/templates/check").await;
    try_example(&desk, "PATCH /api/v1/prompts/{name}", "/prompts/support%2Freply").await;
    let key = try_example(&desk, "POST /api/v1/keys", "/keys").await;
    try_example(&desk, "PATCH /api/v1/keys/{id}", &format!("/keys/{}", key["id"].as_str().unwrap())).await;
    try_example(&desk, "POST /api/v1/tokens", "/tokens").await;
    let view = try_example(&desk, "POST /api/v1/views", "/views").await;
    let path = format!("/views/{}", view["id"].as_str().unwrap());
    try_example(&desk, "PATCH /api/v1/views/{id}", &path).await;
    try_example(&desk, "POST /api/v1/reports", "/reports").await;
    let path = |list: &str, made: &Value| format!("/{list}/{}", made["id"].as_str().unwrap());
    let webhook = try_example(&desk, "POST /api/v1/webhooks", "/webhooks").await;
    let alert = path("alerts", &try_example(&desk, "POST /api/v1/alerts", "/alerts").await);
    try_example(&desk, "PATCH /api/v1/webhooks/{id}", &path("webhooks", &webhook)).await;
    try_example(&desk, "PATCH /api/v1/alerts/{id}", &alert).await;
    try_example(&desk, "POST /api/v1/alerts/{id}/mute", &format!("{alert}/mute")).await;
}

#[tokio::test]
async fn calls_have_exactly_the_fields_that_are_described() {
    let desk = Desk::open().await;
    let answer = desk.chat(&ask()).await;
    let id = answer.header("x-request-id").to_owned();
    desk.record(&id).await;
    let description = description();
    let fields = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let described = |name: &str| properties(&description, &description["components"]["schemas"][name]);

    let call = desk.get(&format!("/calls/{id}")).await.json();
    assert_eq!(fields(&call), described("Call"));
    assert_eq!(fields(&call["attempts"][0]), described("Attempt"));
    let page = desk.get("/calls").await.json();
    assert_eq!(fields(&page["data"][0]), described("CallSummary"));
    assert!(fields(&page).is_subset(&described("CallPage")));
}
