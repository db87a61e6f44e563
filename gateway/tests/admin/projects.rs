//! `/projects`: made, described, archived; and nothing crosses one.

use insta::assert_snapshot;
use registry::Role;
use serde_json::{Value, json};

use crate::desk::{Desk, each};
use crate::redact::seen;
use crate::support::{Answer, Call, ask, patiently};

async fn make(desk: &Desk, name: &str) {
    let made = desk.post("/projects", &json!({"name": name})).await;
    assert_eq!(made.status, 201, "{}", made.text());
}

/// The secret of a token of this kind.
async fn token(desk: &Desk, token: &Value) -> String {
    let made = desk.post("/tokens", token).await;
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()["secret"].as_str().unwrap().to_owned()
}

async fn with(desk: &Desk, secret: &str, (method, path): (&str, &str), body: &Value) -> Answer {
    let path = format!("/api/v1{path}");
    Call::new(desk.admin_address(), method, &path).key(secret).json(body).send().await
}

#[tokio::test]
async fn a_project_is_made_described_and_archived() {
    let desk = Desk::open().await;
    let new = json!({"name": "checkout", "description": "The shop's checkout"});

    assert_snapshot!("made_project", seen(&desk.post("/projects", &new).await));
    let patch = json!({"description": "Checkout and basket"});
    assert_snapshot!("changed_project", seen(&desk.send("PATCH", "/projects/checkout", &patch).await));
    assert_snapshot!("archived_project", seen(&desk.delete("/projects/checkout").await));
    assert_snapshot!("acting_on_an_archived_project", seen(&desk.get("/prompts?project=checkout").await));
    let listed = desk.all("/projects", 1).await;
    assert_eq!(json!(each(&listed, "name")), json!(["default"]));
    assert_eq!(desk.all("/projects?archived=true", 1).await.len(), 1);
    let back = desk.send("PATCH", "/projects/checkout", &json!({"archived": false})).await;
    assert_eq!((back.status, back.json()["archived_at"].clone()), (200, Value::Null));
    assert_eq!(desk.get("/prompts?project=checkout").await.status, 200);
}

#[tokio::test]
async fn what_a_project_cannot_be_is_refused() {
    let desk = Desk::open().await;
    make(&desk, "taken").await;
    for (name, body) in [
        ("project_without_name", json!({})),
        ("project_of_odd_name", json!({"name": "Check Out"})),
        ("project_name_taken", json!({"name": "taken"})),
        ("project_with_unknown_field", json!({"name": "x", "colour": 1})),
    ] {
        assert_snapshot!(name, seen(&desk.post("/projects", &body).await));
    }
    assert_snapshot!("no_such_project", seen(&desk.get("/projects/nowhere").await));
    assert_snapshot!("archiving_the_default_project", seen(&desk.delete("/projects/default").await));
    let key = desk.post("/keys", &json!({"name": "k", "project": "taken"})).await;
    assert_eq!(key.status, 201);
    assert_snapshot!("archiving_a_project_in_use", seen(&desk.delete("/projects/taken").await));
    let stale = desk.by(Role::Admin, "PATCH", "/projects/taken").header("if-match", "\"0\"");
    assert_eq!(stale.json(&json!({"description": "x"})).send().await.status, 412);
}

#[tokio::test]
async fn a_token_held_to_a_project_sees_and_changes_that_one_only() {
    let desk = Desk::open().await;
    make(&desk, "shop").await;
    make(&desk, "other").await;
    let held = token(&desk, &json!({"name": "held", "role": "admin", "project": "shop"})).await;
    let ask = async |route, body: &Value| with(&desk, &held, route, body).await;
    let empty = json!({});

    let listed = ask(("GET", "/projects"), &empty).await.json();
    assert_eq!(json!(each(listed["data"].as_array().unwrap(), "name")), json!(["shop"]));
    assert_eq!(ask(("GET", "/projects/other"), &empty).await.status, 404);
    assert_eq!(ask(("PATCH", "/projects/shop"), &json!({"description": "ours"})).await.status, 200);
    assert_snapshot!(
        "making_a_project_while_held",
        seen(&ask(("POST", "/projects"), &json!({"name": "x"})).await)
    );
    for route in [
        ("DELETE", "/projects/shop"),
        ("GET", "/outbox/poisoned"),
        ("DELETE", "/outbox/poisoned"),
        ("POST", "/outbox/poisoned/retry"),
        ("POST", "/records/compact"),
    ] {
        assert_eq!(ask(route, &empty).await.status, 403, "{route:?} is not one project's matter");
    }
    assert_eq!(ask(("POST", "/prompts"), &json!({"name": "a"})).await.json()["project"], "shop");
    assert_eq!(desk.get("/prompts/a").await.status, 404);
    let webhook = desk.post("/webhooks", &json!({"name": "w", "url": "https://example.com/x"})).await.json();
    let path = format!("/webhooks/{}", webhook["id"].as_str().unwrap());
    assert_eq!(ask(("GET", &path), &empty).await.status, 404);
}

#[tokio::test]
async fn keys_call_the_prompts_of_their_project_and_their_calls_stay_there() {
    let desk = Desk::open().await;
    make(&desk, "shop").await;
    for (project, text) in [("default", "here"), ("shop", "there")] {
        let version = json!({"text": text, "labels": ["production"]});
        let made = desk.post(&format!("/prompts/greeting/versions?project={project}"), &version).await;
        assert_eq!(made.status, 201, "{}", made.text());
    }
    let key = desk.post("/keys", &json!({"name": "k", "project": "shop"})).await.json();
    let secret = key["secret"].as_str().unwrap();
    let read = desk.call("GET", "/v1/prompts/greeting").key(secret).send().await;
    assert_eq!(read.json()["text"], "there");
    let called = desk.call("POST", "/v1/chat/completions").key(secret).json(&ask()).send().await;
    assert_eq!(called.status, 200, "{}", called.text());
    patiently("the records", desk.app().recorder.flush()).await;
    assert_eq!(desk.all("/calls?project=shop", 10).await.len(), 1);
    assert_eq!(desk.all("/calls", 10).await.len(), 0);
    let call = called.header("weir-call-id");
    assert_eq!(desk.get(&format!("/calls/{call}")).await.status, 404);
    assert_eq!(desk.get(&format!("/calls/{call}?project=shop")).await.status, 200);
}

#[tokio::test]
async fn a_token_held_to_folders_and_labels_is_refused_outside() {
    let desk = Desk::open().await;
    let version = json!({"text": "Hi", "labels": ["production"]});
    for prompt in ["support%2Freply", "sales%2Foffer"] {
        assert_eq!(desk.post(&format!("/prompts/{prompt}/versions"), &version).await.status, 201);
    }
    let scope = json!({"name": "ci", "role": "releaser", "folders": ["support"], "labels": ["staging"]});
    let made = desk.post("/tokens", &scope).await;
    assert_snapshot!("issued_scoped_token", seen(&made));
    let secret = made.json()["secret"].as_str().unwrap().to_owned();
    let ask = async |route, body: &Value| with(&desk, &secret, route, body).await;

    let put = json!({"version": 1});
    assert_eq!(ask(("PUT", "/prompts/support%2Freply/labels/staging"), &put).await.status, 200);
    assert_snapshot!(
        "outside_its_folders",
        seen(&ask(("PUT", "/prompts/sales%2Foffer/labels/staging"), &put).await)
    );
    assert_snapshot!(
        "outside_its_labels",
        seen(&ask(("DELETE", "/prompts/support%2Freply/labels/production"), &json!({})).await)
    );
    assert_eq!(ask(("DELETE", "/prompts/sales%2Foffer"), &json!({})).await.status, 403);
    let text = json!({"text": "Ho"});
    assert_eq!(ask(("POST", "/prompts/support%2Freply/versions"), &text).await.status, 201);
    assert_eq!(ask(("POST", "/prompts/sales%2Foffer/versions"), &text).await.status, 403);
    assert_eq!(
        ask(("GET", "/prompts/sales%2Foffer"), &json!({})).await.status,
        200,
        "reading is not divided"
    );
}
