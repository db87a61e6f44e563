//! `/alerts`: rules as people write them, refused by the field at fault, muted, tried out.

use insta::assert_snapshot;
use registry::Role;
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::redact::seen;

fn errors(name: &str) -> Value {
    json!({
        "name": name,
        "condition": {"kind": "threshold", "measure": "error_rate", "comparison": "above", "value": 0.05, "window": "5m"},
        "group_by": ["provider"],
        "for": "120s",
        "severity": "critical",
    })
}

async fn make(desk: &Desk, body: &Value) -> String {
    let made = desk.post("/alerts", body).await;
    assert_eq!(made.status, 201, "{}", made.text());
    format!("/alerts/{}", made.json()["id"].as_str().unwrap())
}

#[tokio::test]
async fn an_alert_is_shown_as_it_was_written() {
    let desk = Desk::open().await;
    let made = desk.post("/alerts", &errors("errors")).await;

    assert_snapshot!("made_alert", seen(&made));
    let path = format!("/alerts/{}", made.json()["id"].as_str().unwrap());
    assert_eq!(desk.get(&path).await.json(), made.json());
    assert_eq!(desk.all("/alerts", 1).await, [made.json()]);
    assert_eq!(desk.get(&format!("{path}/history")).await.json()["data"], json!([]));
}

#[tokio::test]
async fn every_kind_of_condition_is_taken() {
    let desk = Desk::open().await;
    for (name, condition) in [
        (
            "slower",
            json!({"kind": "change", "measure": "latency_p95", "comparison": "above", "value": 50, "window": "1h"}),
        ),
        (
            "quiet",
            json!({"kind": "change", "measure": "calls", "comparison": "at_most", "value": 0.5, "unit": "factor", "window": "7d"}),
        ),
        ("budget", json!({"kind": "cost", "amount_usd": 50, "per": "day", "at_percent": 80})),
        (
            "unpriced",
            json!({"kind": "threshold", "measure": "unpriced", "comparison": "at_least", "value": 1, "window": "1d"}),
        ),
    ] {
        let made = desk.post("/alerts", &json!({"name": name, "condition": condition})).await;
        assert_snapshot!(format!("alert_{name}"), seen(&made));
    }
}

#[tokio::test]
async fn an_alert_changes_field_by_field() {
    let desk = Desk::open().await;
    let path = make(&desk, &errors("errors")).await;
    let change = json!({"q": "tag:checkout", "for": "1h", "renotify": "4h", "missing": "keep"});

    assert_snapshot!("changed_alert", seen(&desk.send("PATCH", &path, &change).await));
    let back = desk.send("PATCH", &path, &json!({"renotify": null})).await.json();
    assert_eq!((&back["renotify"], &back["for"]), (&Value::Null, &json!("1h")));
    let old = desk.by(Role::Editor, "PATCH", &path).header("if-match", "\"0\"").json(&json!({"name": "x"}));
    assert_eq!(old.send().await.status, 412);
    assert_eq!(desk.delete(&path).await.status, 204);
    assert_snapshot!("no_such_alert", seen(&desk.get(&path).await));
}

#[tokio::test]
async fn what_cannot_be_watched_is_refused() {
    let desk = Desk::open().await;
    make(&desk, &errors("taken")).await;
    let with = |pointer: &str, value: Value| {
        let mut body = errors("new");
        match body.pointer_mut(pointer) {
            Some(place) => *place = value,
            None => body[pointer.trim_start_matches('/')] = value,
        }
        body
    };
    for (name, body) in [
        ("alert_name_taken", errors("taken")),
        ("alert_of_unknown_measure", with("/condition/measure", json!("speed"))),
        ("alert_of_unknown_kind", with("/condition/kind", json!("anomaly"))),
        ("alert_of_unknown_comparison", with("/condition/comparison", json!(">"))),
        ("alert_with_odd_window", with("/condition/window", json!("5 minutes"))),
        ("alert_with_short_window", with("/condition/window", json!("10s"))),
        ("alert_by_unknown_field", with("/group_by", json!(["colour"]))),
        ("alert_with_wrong_search", with("/q", json!("colour:red"))),
        ("alert_with_unknown_field", with("/colour", json!(1))),
        (
            "alert_to_no_webhook",
            with("/notify", json!([{"webhook": "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d"}])),
        ),
        ("alert_by_mail_without_a_server", with("/notify", json!([{"email": "ops@example.com"}]))),
        ("alert_to_something_else", with("/notify", json!([{"pager": "1"}]))),
    ] {
        assert_snapshot!(name, seen(&desk.post("/alerts", &body).await));
    }
}

#[tokio::test]
async fn a_mute_ends_in_the_future_or_now() {
    let desk = Desk::open().await;
    let path = make(&desk, &errors("errors")).await;
    let mute = async |until: Value| desk.post(&format!("{path}/mute"), &json!({"until": until})).await;

    assert_eq!(
        mute(json!("2999-01-01T00:00:00Z")).await.json()["muted_until"],
        "2999-01-01T00:00:00.000000Z"
    );
    assert_eq!(mute(Value::Null).await.json()["muted_until"], Value::Null);
    assert_snapshot!("muted_until_yesterday", seen(&mute(json!("2020-01-01T00:00:00Z")).await));
}

#[tokio::test]
async fn another_projects_token_sees_no_alert() {
    let desk = Desk::open().await;
    let path = make(&desk, &errors("errors")).await;
    assert_eq!(desk.get(&format!("{path}?project=other")).await.status, 404);
}
