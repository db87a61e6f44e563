//! `/tokens`: issuing, listing and revoking admin tokens.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::desk::{Desk, each};
use crate::redact::seen;
use crate::support::{Answer, Call};
use registry::Role;

async fn issue(desk: &Desk, token: Value) -> (String, String) {
    let made = desk.post("/tokens", &token).await;
    let made = made.json();
    (made["id"].as_str().unwrap().to_owned(), made["secret"].as_str().unwrap().to_owned())
}

async fn with(desk: &Desk, secret: &str, method: &str, path: &str) -> Answer {
    Call::new(desk.admin_address(), method, &format!("/api/v1{path}")).key(secret).body("{}").send().await
}

#[tokio::test]
async fn an_issued_token_works_and_shows_its_secret_once() {
    let desk = Desk::open().await;
    let made = desk
        .post("/tokens", &json!({"name": "ci", "role": "editor", "expires_at": "2999-01-01T00:00:00Z"}))
        .await;

    assert_snapshot!("issued_token", seen(&made));
    let made = made.json();
    assert_eq!(with(&desk, made["secret"].as_str().unwrap(), "GET", "/prompts").await.status, 200);
    let found = desk.get(&format!("/tokens/{}", made["id"].as_str().unwrap())).await;
    assert_snapshot!("found_token", seen(&found));
    assert!(!desk.get("/tokens").await.text().contains(made["secret"].as_str().unwrap()));
}

#[tokio::test]
async fn a_revoked_token_is_refused_on_the_next_request() {
    let desk = Desk::open().await;
    let (id, secret) = issue(&desk, json!({"name": "ci", "role": "admin"})).await;

    assert_snapshot!("revoked_token", seen(&desk.delete(&format!("/tokens/{id}")).await));
    assert_snapshot!("with_a_revoked_token", seen(&with(&desk, &secret, "GET", "/prompts").await));
}

#[tokio::test]
async fn a_token_does_not_revoke_itself() {
    let desk = Desk::open().await;
    let (id, secret) = issue(&desk, json!({"name": "ci", "role": "admin"})).await;

    assert_snapshot!(
        "revoking_itself",
        seen(&with(&desk, &secret, "DELETE", &format!("/tokens/{id}")).await)
    );
    assert_eq!(with(&desk, &secret, "GET", "/prompts").await.status, 200);
}

#[tokio::test]
async fn a_token_is_owned_by_whoever_is_named_or_made_it() {
    let desk = Desk::open().await;
    let owner = |answer: Answer| answer.json()["owner"].clone();

    assert_eq!(
        owner(desk.post("/tokens", &json!({"name": "a", "role": "viewer", "owner": "ann"})).await),
        "ann"
    );
    assert_eq!(owner(desk.post("/tokens", &json!({"name": "b", "role": "viewer"})).await), "admin");
    let first = desk.admin("POST", "/tokens").json(&json!({"name": "c", "role": "viewer"})).send().await;
    assert_eq!(owner(first), "c", "the first start's token stands for nobody");
}

#[tokio::test]
async fn a_token_held_to_a_project_reaches_no_further() {
    let desk = Desk::open().await;
    let (_, secret) = issue(&desk, json!({"name": "held", "role": "admin", "project": "default"})).await;
    let new = json!({"name": "child", "role": "admin"});

    let child = desk.admin("POST", "/tokens").key(&secret).json(&new).send().await;
    assert_eq!(child.json()["project"], "default");
    assert_snapshot!(
        "beyond_its_project",
        seen(&with(&desk, &secret, "GET", "/prompts?project=other").await)
    );
    let listed = with(&desk, &secret, "GET", "/tokens").await.json();
    assert_eq!(json!(each(listed["data"].as_array().unwrap(), "name")), json!(["child", "held"]));
    let bootstrap =
        desk.all("/tokens", 100).await.into_iter().find(|token| token["project"].is_null()).unwrap();
    let path = format!("/tokens/{}", bootstrap["id"].as_str().unwrap());
    assert_eq!(with(&desk, &secret, "DELETE", &path).await.status, 404);
}

#[tokio::test]
async fn tokens_are_listed_to_the_end() {
    let desk = Desk::open().await;
    for limit in [1, 2, 5, 6] {
        assert_eq!(desk.all("/tokens", limit).await.len(), 5, "{limit}: the first and one of each role");
    }
}

#[tokio::test]
async fn what_a_token_cannot_be_is_refused() {
    let desk = Desk::open().await;
    for (name, token) in [
        ("no_role", json!({"name": "t"})),
        ("wrong_role", json!({"name": "t", "role": "root"})),
        ("token_folders", json!({"name": "t", "role": "editor", "folders": ["a*b"]})),
        ("token_labels", json!({"name": "t", "role": "admin", "labels": ["a"]})),
        ("unknown_token_field", json!({"name": "t", "role": "editor", "colour": 1})),
        ("token_of_no_project", json!({"name": "t", "role": "editor", "project": "other"})),
        (
            "token_expired_already",
            json!({"name": "t", "role": "editor", "expires_at": "2020-01-01T00:00:00Z"}),
        ),
    ] {
        assert_snapshot!(name, seen(&desk.post("/tokens", &token).await));
    }
    assert_snapshot!("no_such_token", seen(&desk.get("/tokens/019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d").await));
    assert_eq!(desk.by(Role::Admin, "PATCH", "/tokens/x").send().await.status, 405);
}
