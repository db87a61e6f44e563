//! `/prompts/{name}/experiments`: from the plan to what the arms' calls came to.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use registry::Role;
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::redact::seen;
use crate::support::{Answer, patiently};

const EXPERIMENT: &str = "/prompts/support%2Freply/experiments/production";

async fn with_three() -> Desk {
    let desk = Desk::open().await;
    for text in ["one", "two", "three"] {
        let version = json!({"messages": [{"role": "system", "content": text}], "model": "gpt-4o-mini"});
        desk.publish("support/reply", version).await;
    }
    desk.move_label("support/reply", "production", 1).await;
    desk
}

fn plan(state: &str) -> Value {
    json!({
        "arms": [{"name": "control", "version": 1, "weight": 1}, {"name": "warm", "version": 2, "weight": 1}],
        "unit": "user", "state": state,
    })
}

async fn put(desk: &Desk, plan: &Value) -> Answer {
    desk.by(Role::Releaser, "PUT", EXPERIMENT).json(plan).send().await
}

async fn call(desk: &Desk, weir: Value) -> Answer {
    let answer = desk.chat(&json!({"prompt": {"id": "support/reply"}, "messages": [], "weir": weir})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer
}

#[tokio::test]
async fn an_experiment_is_set_up_started_and_stopped() {
    let desk = with_three().await;

    assert_snapshot!("prepared_experiment", seen(&put(&desk, &plan("stopped")).await));
    assert!(!call(&desk, json!({"user": "ann"})).await.headers.contains_key("weir-experiment"));
    let running = put(&desk, &plan("running")).await.json();
    assert_eq!((&running["state"], &running["starts"]), (&json!("running"), &json!(1)));
    assert!(call(&desk, json!({"user": "ann"})).await.headers.contains_key("weir-experiment"));
    let list = desk.get("/prompts/support%2Freply/experiments").await.json();
    assert_eq!(list["data"][0]["name"], "support/reply/production");
    let stopped = put(&desk, &plan("stopped")).await.json();
    assert!(stopped["stopped_at"].is_string(), "{stopped}");
    assert!(!call(&desk, json!({"user": "ann"})).await.headers.contains_key("weir-experiment"));
    assert_eq!(desk.by(Role::Releaser, "DELETE", EXPERIMENT).send().await.status, 204);
    assert_snapshot!("no_such_experiment", seen(&desk.get(EXPERIMENT).await));
}

#[tokio::test]
async fn a_call_says_its_arm_and_its_record_too() {
    let desk = with_three().await;
    put(&desk, &plan("running")).await;
    let mut arms = BTreeMap::new();
    for number in 0..40 {
        let user = format!("user-{}", number % 20);
        let answer = call(&desk, json!({"user": user})).await;
        let arm =
            answer.header("weir-experiment").strip_prefix("support/reply/production=").unwrap().to_owned();
        let version = if arm == "control" { "support/reply@1" } else { "support/reply@2" };
        assert_eq!(
            (answer.header("weir-prompt"), answer.header("weir-prompt-label")),
            (version, "production")
        );
        let before = arms.insert(user.clone(), arm.clone());
        assert!(before.is_none_or(|before| before == arm), "{user} changed its arm");
    }
    call(&desk, json!({"session": "nobody in particular"})).await;
    patiently("the records", desk.app().recorder.flush()).await;

    let calls = desk.all("/calls?q=experiment:support/reply/production", 100).await;
    assert_eq!(calls.len(), 41);
    for recorded in &calls {
        let unit = if recorded["user"].is_null() { "none" } else { "user" };
        assert_eq!((&recorded["prompt_label"], &recorded["arm_unit"]), (&json!("production"), &json!(unit)));
        assert!(
            arms.get(recorded["user"].as_str().unwrap_or_default())
                .is_none_or(|arm| recorded["arm"] == **arm)
        );
    }
    assert_eq!(desk.all("/calls?q=arm_unit:none", 100).await.len(), 1);
    let found = desk.get(EXPERIMENT).await.json();
    assert_eq!((&found["exposure"]["calls"], &found["exposure"]["complete"]), (&json!(41), &json!(true)));
    let controls = calls.iter().filter(|recorded| recorded["arm"] == "control").count();
    assert_eq!(found["arms"][0]["metrics"]["calls"], controls);
    assert_eq!(found["arms"][0]["metrics"]["errors"], 0);
    assert!(found["arms"][1]["metrics"]["latency_p50"].is_u64(), "{found}");
}

#[tokio::test]
async fn an_experiment_stands_in_the_way_of_its_label() {
    let desk = with_three().await;
    put(&desk, &plan("running")).await;
    let label = "/prompts/support%2Freply/labels/production";

    assert_snapshot!("put_under_an_experiment", seen(&desk.send("PUT", label, &json!({"version": 3})).await));
    let moved = desk.send("PUT", label, &json!({"version": 3, "end": true})).await;
    assert_eq!(moved.status, 200, "{}", moved.text());
    assert_eq!(desk.get(EXPERIMENT).await.json()["state"], "stopped");
    assert_eq!(call(&desk, json!({"user": "ann"})).await.header("weir-prompt"), "support/reply@3");
    put(&desk, &plan("running")).await;
    let back = desk.by(Role::Releaser, "POST", &format!("{label}/rollback")).send().await;
    assert_eq!(back.json()["version"], 1, "{}", back.text());
    assert_eq!(desk.get(EXPERIMENT).await.json()["state"], "stopped");
}

#[tokio::test]
async fn plans_are_read_strictly() {
    let desk = with_three().await;
    let with = |field: &str, value: Value| {
        let mut plan = plan("running");
        plan[field] = value;
        plan
    };
    let arm = |version: u32, weight: i64| json!({"name": format!("v{version}"), "version": version, "weight": weight});
    for (name, plan) in [
        ("experiment_of_one_arm", with("arms", json!([arm(1, 1)]))),
        ("experiment_with_no_weight", with("arms", json!([arm(1, 1), arm(2, 0)]))),
        ("experiment_with_negative_weight", with("arms", json!([arm(1, 1), arm(2, -1)]))),
        ("experiment_with_no_such_version", with("arms", json!([arm(1, 1), arm(9, 1)]))),
        ("experiment_by_unknown_unit", with("unit", json!("tenant"))),
        ("experiment_in_unknown_state", with("state", json!("paused"))),
        ("experiment_with_unknown_exclusion", with("exclude", json!({"groups": ["x"]}))),
        ("experiment_with_unknown_field", with("salt", json!("x"))),
    ] {
        assert_snapshot!(name, seen(&put(&desk, &plan).await));
    }
    assert_eq!(desk.by(Role::Editor, "PUT", EXPERIMENT).json(&plan("running")).send().await.status, 403);
    let made = put(&desk, &plan("running")).await;
    let etag = made.header("etag").to_owned();
    put(&desk, &plan("stopped")).await;
    let lost = desk.by(Role::Releaser, "PUT", EXPERIMENT).header("if-match", &etag).json(&plan("running"));
    assert_eq!(lost.send().await.status, 412);
}

#[tokio::test]
async fn reading_a_prompt_for_a_user_gives_that_users_arm() {
    let desk = with_three().await;
    put(&desk, &plan("running")).await;
    for number in 0..10 {
        let user = format!("user-{number}");
        let called = call(&desk, json!({"user": user})).await;
        let read = desk.call("GET", "/v1/prompts/support%2Freply").header("weir-user", &user).send().await;
        assert_eq!(format!("support/reply@{}", read.json()["version"]), called.header("weir-prompt"));
        assert_eq!(read.header("weir-experiment"), called.header("weir-experiment"));
    }
    let bystander = desk.call("GET", "/v1/prompts/support%2Freply").send().await;
    assert_eq!(bystander.json()["version"], 1);
    assert!(!bystander.headers.contains_key("weir-experiment"));
}
