//! `/webhooks`: saying where events are sent, and seeing how that went.

use insta::assert_snapshot;
use registry::Role;
use serde_json::{Value, json};

use crate::desk::{Desk, each};
use crate::redact::seen;
use crate::support::{FakeProvider, Received, Reply, until};

fn hook(name: &str) -> Value {
    json!({"name": name, "url": "https://hooks.example.com/weir/0123456789abcdef", "events": ["alert.*"]})
}

async fn make(desk: &Desk, body: &Value) -> String {
    let made = desk.post("/webhooks", body).await;
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()["id"].as_str().unwrap().to_owned()
}

/// A gateway that may send to this machine, and where it sends to.
async fn open() -> (Desk, FakeProvider, String) {
    let desk = Desk::with(|config| config.webhooks.allow_private_addresses = true).await;
    let receiver = FakeProvider::start().await;
    let url = receiver.base_url();
    let id = make(&desk, &json!({"name": "pager", "url": url})).await;
    (desk, receiver, id)
}

#[tokio::test]
async fn a_webhook_shows_its_secret_once_and_its_url_never_again() {
    let desk = Desk::open().await;
    let made = desk.post("/webhooks", &hook("pager")).await;

    assert_snapshot!("made_webhook", seen(&made));
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let found = desk.get(&format!("/webhooks/{id}")).await;
    assert_snapshot!("found_webhook", seen(&found));
    let secret = made.json()["secret"].as_str().unwrap().to_owned();
    for text in [found.text(), desk.get("/webhooks").await.text()] {
        assert!(!text.contains(&secret) && !text.contains("0123456789"), "{text}");
    }
}

#[tokio::test]
async fn a_webhook_changes_and_goes() {
    let desk = Desk::open().await;
    let path = format!("/webhooks/{}", make(&desk, &hook("pager")).await);
    let slack =
        json!({"url": "https://hooks.slack.com/services/T0/B0/xyz", "events": ["*"], "enabled": false});

    assert_snapshot!("changed_webhook", seen(&desk.send("PATCH", &path, &slack).await));
    let old = desk.by(Role::Admin, "PATCH", &path).header("if-match", "\"0\"").json(&json!({"name": "x"}));
    assert_snapshot!("webhook_changed_meanwhile", seen(&old.send().await));
    assert_eq!(desk.delete(&path).await.status, 204);
    assert_snapshot!("no_such_webhook", seen(&desk.get(&path).await));
}

#[tokio::test]
async fn what_a_webhook_cannot_be_is_refused() {
    let desk = Desk::open().await;
    make(&desk, &hook("taken")).await;
    let with = |field: &str, value: Value| {
        let mut body = hook("new");
        body[field] = value;
        body
    };
    for (name, body) in [
        ("webhook_name_taken", hook("taken")),
        ("webhook_without_name", with("name", json!(""))),
        ("webhook_with_password", with("url", json!("https://user:password@example.com/"))),
        ("webhook_over_ftp", with("url", json!("ftp://example.com/"))),
        ("webhook_of_unknown_event", with("events", json!(["alert.gone"]))),
        ("webhook_of_later_event", with("events", json!(["budget.exceeded"]))),
        ("webhook_of_unknown_format", with("format", json!("xml"))),
        ("webhook_with_unknown_field", with("colour", json!(1))),
    ] {
        let answer = desk.post("/webhooks", &body).await;
        assert!(!answer.text().contains("password@"), "{}", answer.text());
        assert_snapshot!(name, seen(&answer));
    }
}

#[tokio::test]
async fn trying_a_webhook_out_says_how_that_went() {
    let (desk, receiver, id) = open().await;
    receiver.will(Reply::status(500, &json!({}))).will(Reply::json(&json!({})));

    assert_snapshot!("test_failed", seen(&desk.post(&format!("/webhooks/{id}/test"), &json!({})).await));
    assert_snapshot!("test_delivered", seen(&desk.post(&format!("/webhooks/{id}/test"), &json!({})).await));

    assert_eq!(receiver.received()[1].json()["type"], "webhook.test");
    let deliveries = desk.all(&format!("/webhooks/{id}/deliveries"), 1).await;
    assert_eq!(json!(each(&deliveries, "state")), json!(["delivered", "waiting"]));
    desk.send("PATCH", &format!("/webhooks/{id}"), &json!({"enabled": false})).await;
    let off = desk.post(&format!("/webhooks/{id}/test"), &json!({})).await;
    assert_snapshot!("test_of_disabled_webhook", seen(&off));
}

#[tokio::test]
async fn a_delivery_is_replayed_at_once() {
    let (desk, receiver, id) = open().await;
    receiver.will(Reply::json(&json!({}))).will(Reply::json(&json!({})));
    let first = desk.post(&format!("/webhooks/{id}/test"), &json!({})).await.json();

    let path = format!("/webhooks/deliveries/{}/replay", first["id"].as_str().unwrap());
    let again = desk.post(&path, &json!({})).await;

    assert_snapshot!("replayed_delivery", seen(&again));
    receiver.arrived(2).await;
    assert_eq!(receiver.received()[0].body, receiver.received()[1].body);
    let delivered = async || {
        let deliveries = desk.all(&format!("/webhooks/{id}/deliveries"), 10).await;
        each(&deliveries, "state").iter().all(|state| *state == "delivered").then_some(())
    };
    until("both to be delivered", delivered).await;
    let unknown = "/webhooks/deliveries/019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d/replay";
    assert_snapshot!("no_such_delivery", seen(&desk.post(unknown, &json!({})).await));
}

#[tokio::test]
async fn a_move_through_the_api_reaches_programs_and_slack_and_is_replayed() {
    let (desk, receiver, _) = open().await;
    for _ in 0..3 {
        receiver.will(Reply::json(&json!({})));
    }
    let url = receiver.base_url();
    let slack = json!({"name": "chat", "url": url, "format": "slack", "events": ["label.moved"]});
    let programs = json!({"name": "ci", "url": url, "events": ["prompt.version_created"]});
    let (slack, programs) = (make(&desk, &slack).await, make(&desk, &programs).await);
    let version = json!({"text": "Hi", "commit_message": "A <start>"});
    assert_eq!(desk.post("/prompts/support%2Freply/versions", &version).await.status, 201);
    let put = json!({"version": 1, "reason": "<!channel> look"});
    for _ in 0..2 {
        let moved = desk.send("PUT", "/prompts/support%2Freply/labels/production", &put).await;
        assert_eq!(moved.status, 200, "{}", moved.text());
    }

    receiver.arrived(2).await;
    let bodies: Vec<Value> =
        receiver.received().iter().map(|it| serde_json::from_slice(&it.body).unwrap()).collect();
    let told = bodies.iter().find(|body| body["type"] == "prompt.version_created").unwrap();
    assert_eq!(told["summary"], "admin published version 1 (1.0.0) of support/reply: A <start>");
    let data = &told["data"];
    assert_eq!(
        json!([data["prompt"], data["version"], data["semver"], data["who"]]),
        json!(["support/reply", 1, "1.0.0", "admin"])
    );
    let said = bodies.iter().find(|body| body["blocks"].is_array()).unwrap();
    assert_eq!(said["text"], "admin put `production` of support/reply on version 1: &lt;!channel&gt; look");

    let delivery = desk.all(&format!("/webhooks/{slack}/deliveries"), 10).await;
    assert_eq!(delivery.len(), 1, "moving it where it is already is no move");
    let replay = format!("/webhooks/deliveries/{}/replay", delivery[0]["id"].as_str().unwrap());
    assert_eq!(desk.post(&replay, &json!({})).await.status, 201);
    receiver.arrived(3).await;
    assert_eq!(receiver.received()[2].json(), *said);
    assert_eq!(desk.all(&format!("/webhooks/{programs}/deliveries"), 10).await.len(), 1);
}

/// A release that is steered and aborted, then an experiment that is started and stopped.
async fn release_and_experiment(desk: &Desk) {
    for text in ["one", "two"] {
        desk.publish("support/reply", json!({ "text": text })).await;
    }
    desk.move_label("support/reply", "production", 1).await;
    let ramp = json!({"label": "production", "version": 2, "ramp": {"steps": [10, 100]}, "note": "<!channel> warmer"});
    let release = desk.post("/prompts/support%2Freply/releases", &ramp).await.json();
    let release = format!("/releases/{}", release["id"].as_str().unwrap());
    for verb in ["release", "pause", "resume", "abort"] {
        assert_eq!(desk.post(&format!("{release}/{verb}"), &json!({})).await.status, 200, "{verb}");
    }
    let experiment = "/prompts/support%2Freply/experiments/production";
    let arm = |version: u32| json!({"name": format!("v{version}"), "version": version, "weight": 1});
    for state in ["running", "stopped"] {
        let plan = json!({"arms": [arm(1), arm(2)], "unit": "user", "state": state});
        assert_eq!(desk.send("PUT", experiment, &plan).await.status, 200);
    }
}

#[tokio::test]
async fn releases_and_experiments_are_told_by_family_logged_and_replayed() {
    let (desk, receiver, _) = open().await;
    for _ in 0..20 {
        receiver.will(Reply::json(&json!({})));
    }
    let url = receiver.base_url();
    let programs = json!({"name": "ci", "url": url, "events": ["release.*", "experiment.started"]});
    let slack = json!({"name": "chat", "url": url, "format": "slack", "events": ["release.proposed", "experiment.*"]});
    let (programs, slack) = (make(&desk, &programs).await, make(&desk, &slack).await);
    release_and_experiment(&desk).await;

    // Five of the release and one of the experiment for programs; one and two for people.
    receiver.arrived(9).await;
    let bodies: Vec<Value> = receiver.received().iter().map(Received::json).collect();
    let mut kinds: Vec<&str> = bodies.iter().filter_map(|body| body["type"].as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        [
            "experiment.started",
            "release.aborted",
            "release.paused",
            "release.proposed",
            "release.resumed",
            "release.started"
        ]
    );
    let begun = &bodies.iter().find(|body| body["type"] == "release.started").unwrap();
    assert_eq!(
        begun["summary"],
        "admin started the ramp of version 2 of support/reply for `production`, at 10 %"
    );
    let data = &begun["data"];
    assert_eq!(
        json!([data["prompt"], data["label"], data["version"], data["from"], data["percent"], data["who"]]),
        json!(["support/reply", "production", 2, 1, 10, "admin"])
    );
    let mut said: Vec<&str> = bodies.iter().filter_map(|body| body["text"].as_str()).collect();
    said.sort_unstable();
    assert_eq!(
        said,
        [
            "admin proposed version 2 of support/reply for `production`: &lt;!channel&gt; warmer",
            "admin started the experiment on `production` of support/reply",
            "admin stopped the experiment on `production` of support/reply",
        ]
    );

    let log = desk.all(&format!("/webhooks/{programs}/deliveries"), 10).await;
    assert_eq!((log.len(), &log[0]["event"]), (6, &json!("experiment.started")), "{log:?}");
    assert_eq!(desk.all(&format!("/webhooks/{slack}/deliveries"), 10).await.len(), 3);
    let replay = format!("/webhooks/deliveries/{}/replay", log[5]["id"].as_str().unwrap());
    assert_eq!(desk.post(&replay, &json!({})).await.status, 201);
    receiver.arrived(10).await;
    assert_eq!(receiver.received()[9].json()["type"], "release.proposed");
}
