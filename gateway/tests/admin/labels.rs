//! `/prompts/{name}/labels`: moving, rolling back, removing, and the history of it.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::desk::{Desk, each};
use crate::redact::seen;
use crate::support::Answer;
use registry::Role;

const LABELS: &str = "/prompts/support%2Freply/labels";

async fn with_versions(texts: &[&str]) -> Desk {
    let desk = Desk::open().await;
    for text in texts {
        desk.publish("support/reply", json!({"messages": [{"role": "system", "content": text}]})).await;
    }
    desk
}

async fn put(desk: &Desk, label: &str, body: Value) -> Answer {
    desk.by(Role::Releaser, "PUT", &format!("{LABELS}/{label}")).json(&body).send().await
}

#[tokio::test]
async fn a_moved_label_answers_where_it_stands_and_where_it_stood() {
    let desk = with_versions(&["one", "two"]).await;

    assert_snapshot!("new_label", seen(&put(&desk, "production", json!({"version": 1})).await));
    let moved = json!({"version": 2, "expected_version": 1, "reason": "approved in the weekly review"});
    assert_snapshot!("moved_label", seen(&put(&desk, "production", moved).await));
    assert_snapshot!("listed_labels", seen(&desk.get(LABELS).await));
    assert_snapshot!("history", seen(&desk.get(&format!("{LABELS}/production/history")).await));
}

#[tokio::test]
async fn moving_a_label_where_it_stands_changes_nothing() {
    let desk = with_versions(&["one", "two"]).await;
    put(&desk, "production", json!({"version": 1})).await;
    let moved = put(&desk, "production", json!({"version": 2})).await.json();

    assert_eq!(put(&desk, "production", json!({"version": 2})).await.json(), moved);
    assert_eq!(desk.all(&format!("{LABELS}/production/history"), 10).await.len(), 2);
}

#[tokio::test]
async fn a_label_that_moved_meanwhile_is_not_moved_over() {
    let desk = with_versions(&["one", "two"]).await;
    put(&desk, "production", json!({"version": 2})).await;

    let stale = json!({"version": 1, "expected_version": 1});
    assert_snapshot!("stale_label", seen(&put(&desk, "production", stale).await));
    let stale = json!({"version": 1, "expected_version": 0});
    assert_eq!(put(&desk, "production", stale).await.status, 409, "it is there already");
    let removal = desk.send("DELETE", &format!("{LABELS}/production"), &json!({"expected_version": 1})).await;
    assert_eq!(removal.json()["error"]["current_version"], 2);
    let rollback = json!({"expected_version": 1});
    assert_eq!(desk.post(&format!("{LABELS}/production/rollback"), &rollback).await.status, 409);
}

#[tokio::test]
async fn production_takes_a_releaser_and_other_labels_an_editor() {
    let desk = with_versions(&["one"]).await;
    let by_editor = |method: &str, label: &str| {
        desk.by(Role::Editor, method, &format!("{LABELS}/{label}")).json(&json!({"version": 1})).send()
    };

    assert_snapshot!("editor_moves_production", seen(&by_editor("PUT", "production").await));
    assert_eq!(by_editor("PUT", "staging").await.status, 200);
    put(&desk, "production", json!({"version": 1})).await;
    let removal = desk.by(Role::Editor, "DELETE", &format!("{LABELS}/production")).send().await;
    assert_eq!(removal.status, 403, "{}", removal.text());
    assert_eq!(desk.by(Role::Editor, "DELETE", &format!("{LABELS}/staging")).send().await.status, 204);
}

#[tokio::test]
async fn rolling_back_walks_back_through_what_served() {
    let desk = with_versions(&["one", "two", "three"]).await;
    for version in [1, 3, 2] {
        put(&desk, "production", json!({ "version": version })).await;
    }
    let path = format!("{LABELS}/production/rollback");
    let reason = json!({"expected_version": 2, "reason": "too many wrong answers"});

    assert_snapshot!("rolled_back", seen(&desk.post(&path, &reason).await));
    let again = desk.by(Role::Releaser, "POST", &path).send().await;
    assert_eq!((again.status, &again.json()["version"]), (200, &json!(1)), "the body may be left out");
    assert_snapshot!("nothing_before", seen(&desk.post(&path, &json!({})).await));
    let history = desk.all(&format!("{LABELS}/production/history"), 2).await;
    assert_eq!(json!(each(&history, "action")), json!(["rollback", "rollback", "move", "move", "move"]));
    assert_eq!(json!(each(&history, "to")), json!([1, 3, 2, 3, 1]));
}

#[tokio::test]
async fn a_removed_label_is_gone_and_its_history_stays() {
    let desk = with_versions(&["one"]).await;
    put(&desk, "staging", json!({"version": 1})).await;

    assert_snapshot!("removed", seen(&desk.delete(&format!("{LABELS}/staging")).await));
    assert_snapshot!("removed_again", seen(&desk.delete(&format!("{LABELS}/staging")).await));
    assert_eq!(desk.get(LABELS).await.json()["data"], json!([]));
    assert_eq!(desk.all(&format!("{LABELS}/staging/history"), 10).await.len(), 2);
}

#[tokio::test]
async fn labels_and_their_bodies_are_read_strictly() {
    let desk = with_versions(&["one"]).await;
    for (name, label, body) in [
        ("label_latest", "latest", json!({"version": 1})),
        ("label_with_capitals", "Prod", json!({"version": 1})),
        ("no_such_version_to_label", "staging", json!({"version": 9})),
        ("no_version", "staging", json!({})),
        ("version_as_text", "staging", json!({"version": "1"})),
        ("unknown_label_field", "staging", json!({"version": 1, "force": true})),
    ] {
        assert_snapshot!(name, seen(&put(&desk, label, body).await));
    }
}

#[tokio::test]
async fn a_moved_label_serves_on_the_next_call() {
    let desk = with_versions(&["one", "two"]).await;
    for version in [1, 2, 1] {
        put(&desk, "production", json!({ "version": version })).await;
        let body = json!({"model": "gpt-4o-mini", "prompt": {"id": "support/reply"}});
        assert_eq!(desk.chat(&body).await.header("weir-prompt"), format!("support/reply@{version}"));
    }
}
