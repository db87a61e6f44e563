//! `/labels/{label}/policy` and `/releases`: what stands before a label, and how a version gets past it.

use insta::assert_snapshot;
use registry::Role;
use serde_json::{Value, json};

use crate::desk::{Desk, each};
use crate::redact::seen;
use crate::support::{Answer, patiently};

const POLICY: &str = "/labels/production/policy";
const RELEASES: &str = "/prompts/support%2Freply/releases";

/// Three versions by the admin, the first in production.
async fn with_three() -> Desk {
    let desk = Desk::open().await;
    for text in ["one", "two", "three"] {
        let version = json!({"messages": [{"role": "system", "content": text}], "model": "gpt-4o-mini"});
        let made =
            desk.by(Role::Admin, "POST", "/prompts/support%2Freply/versions").json(&version).send().await;
        assert_eq!(made.status, 201, "{}", made.text());
    }
    desk.move_label("support/reply", "production", 1).await;
    desk
}

async fn propose(desk: &Desk, body: &Value) -> Answer {
    desk.by(Role::Editor, "POST", RELEASES).json(body).send().await
}

async fn act(desk: &Desk, role: Role, release: &Value, verb: &str) -> Answer {
    let path = format!("/releases/{}/{verb}", release["id"].as_str().unwrap());
    desk.by(role, "POST", &path).send().await
}

async fn served(desk: &Desk, user: &str) -> String {
    let body = json!({"prompt": {"id": "support/reply"}, "messages": [], "weir": {"user": user}});
    let answer = desk.chat(&body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("weir-prompt").to_owned()
}

#[tokio::test]
async fn a_policy_is_read_set_and_reset() {
    let desk = Desk::open().await;

    assert_snapshot!("initial_policy", seen(&desk.get(POLICY).await));
    assert_eq!(desk.get("/labels/staging/policy").await.json()["protected"], false);
    let rules = json!({
        "approvals": 1, "after_label": {"label": "staging", "hours": 24},
        "freeze": [{"from": "2026-12-23T00:00:00Z", "to": "2027-01-02T00:00:00Z", "reason": "holidays"}],
    });
    let set = desk.send("PUT", POLICY, &rules).await;
    assert_snapshot!("set_policy", seen(&set));
    assert_eq!(desk.get(POLICY).await.json(), set.json());
    let listed = desk.get("/labels").await.json();
    assert_eq!(json!(each(listed["data"].as_array().unwrap(), "label")), json!(["production"]));
    let stale = desk.by(Role::Admin, "PUT", POLICY).header("if-match", "\"0\"").json(&rules).send().await;
    assert_eq!(stale.status, 412, "{}", stale.text());
    assert_eq!(desk.delete(POLICY).await.status, 204);
    assert_eq!(desk.get(POLICY).await.json()["approvals"], 0);
}

#[tokio::test]
async fn policies_are_read_strictly() {
    let desk = Desk::open().await;
    for (name, body) in [
        ("policy_of_too_many", json!({"approvals": 11})),
        ("policy_after_itself", json!({"after_label": {"label": "production"}})),
        ("policy_with_unknown_field", json!({"approvers": 1})),
        (
            "policy_frozen_backwards",
            json!({"freeze": [
                {"from": "2027-01-02T00:00:00Z", "to": "2026-12-23T00:00:00Z"},
            ]}),
        ),
    ] {
        assert_snapshot!(name, seen(&desk.send("PUT", POLICY, &body).await));
    }
    assert_eq!(desk.by(Role::Releaser, "PUT", POLICY).json(&json!({})).send().await.status, 403);
}

#[tokio::test]
async fn a_release_goes_through_four_eyes() {
    let desk = with_three().await;
    desk.send("PUT", POLICY, &json!({"approvals": 1})).await;
    let put = desk.send("PUT", "/prompts/support%2Freply/labels/production", &json!({"version": 2})).await;
    assert_snapshot!("put_without_approval", seen(&put));

    let proposed =
        propose(&desk, &json!({"label": "production", "version": 2, "note": "sounds warmer"})).await;
    assert_snapshot!("proposed_release", seen(&proposed));
    let release = proposed.json();
    assert_snapshot!("approved_by_its_author", seen(&act(&desk, Role::Admin, &release, "approve").await));
    let second = json!({"name": "second", "role": "releaser", "owner": "editor"});
    let second = desk.post("/tokens", &second).await.json()["secret"].as_str().unwrap().to_owned();
    let approve = format!("/releases/{}/approve", release["id"].as_str().unwrap());
    let own = desk.by(Role::Releaser, "POST", &approve).key(&second).send().await;
    assert_eq!(own.status, 403, "two tokens of one owner are one person: {}", own.text());
    assert_snapshot!("released_too_early", seen(&act(&desk, Role::Releaser, &release, "release").await));
    assert_eq!(act(&desk, Role::Releaser, &release, "approve").await.json()["state"], "approved");
    assert_eq!(served(&desk, "ann").await, "support/reply@1", "nothing releases itself");
    let released = act(&desk, Role::Admin, &release, "release").await;
    assert_snapshot!("released_release", seen(&released));
    assert_eq!(served(&desk, "ann").await, "support/reply@2");
    assert_snapshot!("released_twice", seen(&act(&desk, Role::Admin, &release, "release").await));
    let found = desk.get(&format!("/releases/{}", release["id"].as_str().unwrap())).await;
    assert_eq!(found.json(), released.json());
    let rolled_back = desk.by(Role::Releaser, "POST", "/prompts/support%2Freply/labels/production/rollback");
    assert_eq!(rolled_back.send().await.json()["version"], 1, "rolling back takes no approval");
}

#[tokio::test]
async fn a_release_is_stale_when_its_label_moved_meanwhile() {
    let desk = with_three().await;
    let release = propose(&desk, &json!({"label": "production", "version": 2})).await.json();
    desk.move_label("support/reply", "production", 3).await;

    let stale = act(&desk, Role::Releaser, &release, "release").await;
    assert_snapshot!("stale_release", seen(&stale));
    assert_eq!(act(&desk, Role::Editor, &release, "withdraw").await.json()["state"], "withdrawn");
}

#[tokio::test]
async fn releases_are_listed_and_their_bodies_read_strictly() {
    let desk = with_three().await;
    for version in [2, 3] {
        propose(&desk, &json!({"label": "production", "version": version})).await;
    }
    let release = propose(&desk, &json!({"label": "staging", "version": 3})).await.json();
    act(&desk, Role::Releaser, &release, "reject").await;

    let versions = |list: &[Value]| json!(each(list, "version"));
    assert_eq!(versions(&desk.all("/releases", 2).await), json!([3, 3, 2]));
    assert_eq!(versions(&desk.all("/releases?state=rejected", 2).await), json!([3]));
    let narrow = "/releases?prompt=support/reply&label=production&state=approved";
    assert_eq!(versions(&desk.all(narrow, 2).await), json!([3, 2]));
    for (name, body) in [
        ("release_of_no_version", json!({"label": "production", "version": 9})),
        ("release_to_where_it_is", json!({"label": "production", "version": 1})),
        (
            "release_with_odd_ramp",
            json!({"label": "production", "version": 2, "ramp": {"steps": [50, 10, 100]}}),
        ),
        (
            "release_with_hasty_ramp",
            json!({
                "label": "production", "version": 2, "ramp": {"steps": [50, 100], "every": "1s"},
            }),
        ),
        ("release_with_unknown_field", json!({"label": "production", "version": 2, "force": true})),
    ] {
        assert_snapshot!(name, seen(&propose(&desk, &body).await));
    }
    assert_snapshot!("no_such_release", seen(&desk.get("/releases/x").await));
    assert_eq!(desk.get("/releases?state=done").await.status, 400);
}

#[tokio::test]
async fn a_ramp_serves_a_growing_part_of_the_users() {
    let desk = with_three().await;
    let ramp = json!({"steps": [10, 50, 100], "every": "1h"});
    let release = propose(&desk, &json!({"label": "production", "version": 2, "ramp": ramp})).await.json();
    let begun = act(&desk, Role::Releaser, &release, "release").await;
    assert_snapshot!("ramping_release", seen(&begun));

    let mut before = 0;
    for (percent, most) in [(10, 30), (50, 80)] {
        let mut reached = 0;
        for user in 0..100 {
            reached += usize::from(served(&desk, &format!("user-{user}")).await == "support/reply@2");
        }
        assert!(before < reached && reached < most, "{percent} %: {reached} of 100");
        before = reached;
        if percent == 10 {
            assert_eq!(act(&desk, Role::Releaser, &release, "advance").await.json()["percent"], 50);
        }
    }
    let put = desk.send("PUT", "/prompts/support%2Freply/labels/production", &json!({"version": 3})).await;
    assert_snapshot!("put_under_a_ramp", seen(&put));
    assert_eq!(act(&desk, Role::Releaser, &release, "pause").await.json()["next_at"], Value::Null);
    assert_eq!(act(&desk, Role::Releaser, &release, "resume").await.json()["state"], "ramping");
    let aborted = act(&desk, Role::Releaser, &release, "abort").await.json();
    assert_eq!((&aborted["state"], &aborted["percent"]), (&json!("aborted"), &json!(0)));
    assert_eq!(served(&desk, "user-1").await, "support/reply@1");
    let again =
        propose(&desk, &json!({"label": "production", "version": 3, "ramp": {"steps": [1, 100]}})).await;
    act(&desk, Role::Releaser, &again.json(), "release").await;
    let ended = json!({"version": 2, "end": true});
    let moved = desk.send("PUT", "/prompts/support%2Freply/labels/production", &ended).await;
    assert_eq!((moved.status, served(&desk, "user-1").await.as_str()), (200, "support/reply@2"));
}

#[tokio::test]
async fn a_version_that_would_break_a_live_caller_is_refused() {
    let desk = Desk::open().await;
    let saying =
        |text: &str| json!({"messages": [{"role": "user", "content": text}], "model": "gpt-4o-mini"});
    desk.publish("support/reply", saying("hello {{name}}")).await;
    desk.publish("support/reply", saying("hello {{name}}, be {{tone}}")).await;
    desk.move_label("support/reply", "production", 1).await;
    let (_, careless) = desk.make_key(&json!({"name": "checkout"})).await;
    let (_, careful) = desk.make_key(&json!({"name": "careful"})).await;
    for (key, variables) in
        [(&careless, json!({"name": "Ann"})), (&careful, json!({"name": "Bo", "tone": "kind"}))]
    {
        let body = json!({"prompt": {"id": "support/reply", "variables": variables}, "messages": []});
        let answer = desk.call("POST", "/v1/chat/completions").key(key).json(&body).send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    patiently("the records", desk.app().recorder.flush()).await;
    assert_eq!(
        desk.send("PUT", POLICY, &json!({"contract_check": true, "contract_days": 2})).await.status,
        200
    );

    let label = "/prompts/support%2Freply/labels/production";
    assert_snapshot!("broken_contract", seen(&desk.send("PUT", label, &json!({"version": 2})).await));
    let same = desk.publish("support/reply", saying("dear {{name}}")).await;
    let moved = desk.send("PUT", label, &json!({"version": same["version"]})).await;
    assert_eq!(moved.status, 200, "it wants nothing new: {}", moved.text());
    let said = json!({"version": 2, "override": "checkout is switched off"});
    assert_eq!(desk.send("PUT", label, &said).await.status, 200);
    let history = desk.all(&format!("{label}/history"), 10).await;
    assert_eq!(history[0]["reason"], "callers may break: checkout is switched off");
}
