//! `Idempotency-Key`: sending a POST again does not do it again.

use insta::assert_snapshot;
use registry::Role;
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::redact::seen;
use crate::support::Answer;

async fn post(desk: &Desk, role: Role, path: &str, key: &str, body: &Value) -> Answer {
    desk.by(role, "POST", path).header("idempotency-key", key).json(body).send().await
}

#[tokio::test]
async fn the_same_request_gets_the_same_answer_secret_and_all() {
    let desk = Desk::open().await;
    let key = json!({"name": "k"});

    let first = post(&desk, Role::Admin, "/keys", "once", &key).await;
    let again = post(&desk, Role::Admin, "/keys", "once", &key).await;

    assert_eq!((first.status, &first.body), (again.status, &again.body));
    assert!(first.headers.get("idempotent-replayed").is_none());
    assert_snapshot!("replayed", seen(&again));
    assert_eq!(desk.all("/keys", 10).await.len(), 2, "the first start's and this one");
}

#[tokio::test]
async fn another_body_under_the_same_key_is_refused() {
    let desk = Desk::open().await;
    post(&desk, Role::Admin, "/keys", "once", &json!({"name": "k"})).await;

    assert_snapshot!(
        "another_body",
        seen(&post(&desk, Role::Admin, "/keys", "once", &json!({"name": "l"})).await)
    );
}

#[tokio::test]
async fn other_tokens_and_other_paths_are_other_requests() {
    let desk = Desk::open().await;
    let body = json!({"name": "same"});
    for (role, path) in
        [(Role::Admin, "/keys"), (Role::Admin, "/keys?project=default"), (Role::Admin, "/prompts")]
    {
        let answer = post(&desk, role, path, "once", &body).await;
        assert_eq!((answer.status, answer.headers.get("idempotent-replayed")), (201, None), "{path}");
    }
    let taken = post(&desk, Role::Editor, "/prompts", "once", &body).await;
    assert_eq!(taken.status, 409, "{}", taken.text());
    assert!(taken.text().contains("already"), "{}", taken.text());
}

#[tokio::test]
async fn a_refused_request_may_be_mended_and_sent_again() {
    let desk = Desk::open().await;
    let refused = post(&desk, Role::Admin, "/keys", "once", &json!({"name": ""})).await;
    assert_eq!(refused.status, 400, "{}", refused.text());

    assert_eq!(post(&desk, Role::Admin, "/keys", "once", &json!({"name": "k"})).await.status, 201);
}

#[tokio::test]
async fn requests_at_the_same_time_are_done_once() {
    let desk = Desk::open().await;
    let body = json!({"name": "k"});
    let ask = || post(&desk, Role::Admin, "/keys", "once", &body);

    let answers = futures_util::future::join_all((0..8).map(|_| ask())).await;

    for answer in &answers {
        assert!(matches!(answer.status, 201 | 409), "{}", answer.text());
    }
    assert_eq!(ask().await.status, 201);
    assert_eq!(desk.all("/keys", 10).await.len(), 2);
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let desk = Desk::open().await;
    assert_snapshot!(
        "empty_idempotency_key",
        seen(&post(&desk, Role::Admin, "/keys", "", &json!({"name": "k"})).await)
    );
    let long = post(&desk, Role::Admin, "/keys", &"x".repeat(256), &json!({"name": "k"})).await;
    assert_eq!(long.status, 400);
}

#[tokio::test]
async fn a_revoked_token_gets_no_old_answers() {
    let desk = Desk::open().await;
    let made = desk.post("/tokens", &json!({"name": "t", "role": "admin"})).await.json();
    let again = || {
        let secret = made["secret"].as_str().unwrap();
        desk.admin("POST", "/keys")
            .key(secret)
            .header("idempotency-key", "once")
            .json(&json!({"name": "k"}))
            .send()
    };
    assert_eq!(again().await.status, 201);

    desk.delete(&format!("/tokens/{}", made["id"].as_str().unwrap())).await;

    assert_eq!(again().await.status, 401);
}
