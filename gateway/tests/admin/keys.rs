//! `/keys`: issuing, listing, changing and revoking virtual keys.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::desk::{Desk, each};
use crate::redact::seen;
use crate::support::{Answer, ask};
use registry::Role;

async fn issue(desk: &Desk, key: Value) -> (String, String) {
    let made = desk.post("/keys", &key).await.json();
    (made["id"].as_str().unwrap().to_owned(), made["secret"].as_str().unwrap().to_owned())
}

async fn call(desk: &Desk, secret: &str) -> Answer {
    desk.call("POST", "/v1/chat/completions").key(secret).json(&ask()).send().await
}

#[tokio::test]
async fn an_issued_key_works_and_shows_its_secret_once() {
    let desk = Desk::open().await;
    let key = json!({
        "name": "checkout service", "models": ["gpt-*"], "prompts": ["checkout/*"], "labels": ["production"],
        "read_prompts": false, "passthrough": true, "registered_prompts_only": false, "expires_at": "2999-01-01T00:00:00Z",
    });
    let made = desk.post("/keys", &key).await;

    assert_snapshot!("issued", seen(&made));
    let (id, secret) = (made.json()["id"].clone(), made.json()["secret"].clone());
    assert_eq!(call(&desk, secret.as_str().unwrap()).await.status, 200);
    let found = desk.get(&format!("/keys/{}", id.as_str().unwrap())).await;
    assert_snapshot!("found_key", seen(&found));
    for answer in [found, desk.get("/keys").await] {
        assert!(!answer.text().contains(secret.as_str().unwrap()) && !answer.text().contains("\"secret\""));
    }
}

#[tokio::test]
async fn a_key_with_a_name_only_may_do_everything() {
    let desk = Desk::open().await;
    assert_snapshot!("plain_key", seen(&desk.post("/keys", &json!({"name": "all", "rates": null})).await));
}

#[tokio::test]
async fn a_revoked_key_is_refused_on_the_next_call_and_stays_in_the_list() {
    let desk = Desk::open().await;
    let (id, secret) = issue(&desk, json!({"name": "k"})).await;
    assert_eq!(call(&desk, &secret).await.status, 200);

    let revoked = desk.delete(&format!("/keys/{id}")).await;

    assert_snapshot!("revoked", seen(&revoked));
    assert_eq!(call(&desk, &secret).await.status, 401);
    assert_eq!(
        desk.delete(&format!("/keys/{id}")).await.json(),
        revoked.json(),
        "revoking again changes nothing"
    );
    assert_eq!(desk.all("/keys", 10).await.len(), 2);
    assert_snapshot!(
        "revoked_for_good",
        seen(&desk.send("PATCH", &format!("/keys/{id}"), &json!({"name": "x"})).await)
    );
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_nothing_else() {
    let desk = Desk::open().await;
    let (id, secret) = issue(
        &desk,
        json!({"name": "k", "models": [], "prompts": ["a/*"], "expires_at": "2999-01-01T00:00:00Z"}),
    )
    .await;
    assert_eq!(call(&desk, &secret).await.status, 403);

    let patch = json!({"models": null, "registered_prompts_only": false, "expires_at": null});
    let patched = desk.send("PATCH", &format!("/keys/{id}"), &patch).await;

    assert_snapshot!("patched_key", seen(&patched));
    assert_eq!(call(&desk, &secret).await.status, 200, "it holds from the next call on");
}

#[tokio::test]
async fn a_key_is_changed_only_while_it_is_what_the_caller_saw() {
    let desk = Desk::open().await;
    let made = desk.post("/keys", &json!({"name": "k"})).await;
    let (etag, path) =
        (made.header("etag").to_owned(), format!("/keys/{}", made.json()["id"].as_str().unwrap()));
    let change = |method: &str, tag: &str| {
        desk.by(Role::Admin, method, &path).header("if-match", tag).json(&json!({"name": "other"})).send()
    };

    let changed = change("PATCH", &etag).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert_snapshot!("lost_key_update", seen(&change("PATCH", &etag).await));
    let delete = desk.by(Role::Admin, "DELETE", &path).header("if-match", &etag).send().await;
    assert_eq!(delete.status, 412, "{}", delete.text());
    let known =
        desk.by(Role::Viewer, "GET", &path).header("if-none-match", changed.header("etag")).send().await;
    assert_eq!((known.status, known.body.len()), (304, 0));
}

#[tokio::test]
async fn keys_are_listed_newest_first_to_the_end() {
    let desk = Desk::open().await;
    for name in ["one", "two", "three"] {
        issue(&desk, json!({ "name": name })).await;
    }
    for limit in [1, 3, 4, 5] {
        let found = desk.all("/keys", limit).await;
        let names = each(&found, "name");
        let ours: Vec<_> =
            names.iter().filter(|name| ["one", "two", "three"].contains(&name.as_str().unwrap())).collect();
        assert_eq!((names.len(), ours.len()), (4, 3), "{limit}: {names:?}");
    }
}

#[tokio::test]
async fn what_a_key_cannot_be_is_refused() {
    let desk = Desk::open().await;
    for (name, key) in [
        ("no_name", json!({})),
        ("empty_name", json!({"name": " "})),
        ("rates", json!({"name": "k", "rates": {"requests_per_minute": 10}})),
        ("budget", json!({"name": "k", "budget": {"usd": 10}})),
        ("unknown_key_field", json!({"name": "k", "model": "gpt-4o"})),
        ("star_in_the_middle", json!({"name": "k", "models": ["gpt-*-mini"]})),
        ("expired_already", json!({"name": "k", "expires_at": "2020-01-01T00:00:00Z"})),
        ("not_a_time", json!({"name": "k", "expires_at": "tomorrow"})),
        ("unknown_project", json!({"name": "k", "project": "other"})),
    ] {
        assert_snapshot!(name, seen(&desk.post("/keys", &key).await));
    }
    assert_eq!(desk.all("/keys", 10).await.len(), 1, "nothing was made");
}

#[tokio::test]
async fn a_patch_with_what_is_not_done_yet_is_refused() {
    let desk = Desk::open().await;
    let (id, _) = issue(&desk, json!({"name": "k"})).await;
    for patch in [json!({"rates": {}}), json!({"budget": 1})] {
        let answer = desk.send("PATCH", &format!("/keys/{id}"), &patch).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]["code"]),
            (400, &json!("not_supported")),
            "{patch}"
        );
    }
}

#[tokio::test]
async fn a_key_that_is_not_there_is_said_to_be_missing() {
    let desk = Desk::open().await;
    assert_snapshot!("no_such_key", seen(&desk.get("/keys/019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d").await));
    for method in ["GET", "PATCH", "DELETE"] {
        let answer = desk.send(method, "/keys/no-id-at-all", &json!({})).await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (404, &json!("not_found")), "{method}");
    }
}
