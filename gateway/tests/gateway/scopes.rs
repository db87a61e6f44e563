//! What admin tokens are held to holds on Langfuse's routes too, and what is refused there leaves nothing behind.

use serde_json::{Value, json};

use crate::support::{Answer, Harness};

const PROMPTS: &str = "/api/public/v2/prompts";
const INSIDE: &str = "/api/public/v2/prompts/support%2Fx";
const OUTSIDE: &str = "/api/public/v2/prompts/billing%2Fx";

/// A token held to something.
async fn token(weir: &Harness, held: Value) -> String {
    let mut new = json!({"name": "ci", "role": "releaser"});
    new.as_object_mut().unwrap().append(&mut held.as_object().unwrap().clone());
    let made = weir.admin("POST", "/tokens").json(&new).send().await;
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()["secret"].as_str().unwrap().to_owned()
}

fn text(name: &str, text: &str, labels: &[&str]) -> Value {
    json!({"name": name, "prompt": text, "labels": labels})
}

async fn send(weir: &Harness, token: &str, (method, path): (&str, &str), body: &Value) -> Answer {
    weir.call(method, path).key(token).json(body).send().await
}

/// What there is of a prompt: its labels, its newest version, and whether it is archived.
async fn standing(weir: &Harness, name: &str) -> (Value, Value, bool) {
    let path = format!("/prompts/{}", name.replace('/', "%2F"));
    let prompt = weir.admin("GET", &path).send().await.json();
    (prompt["labels"].clone(), prompt["latest_version"].clone(), prompt["archived_at"].is_string())
}

#[tokio::test]
async fn a_token_held_to_a_folder_writes_nothing_outside() {
    let weir = Harness::start().await;
    for (words, labels) in [("one", json!(["production", "staging"])), ("two", json!([]))] {
        weir.publish("billing/x", json!({"text": words, "labels": labels})).await;
    }
    let before = standing(&weir, "billing/x").await;
    assert_eq!(before, (json!({"production": 1, "staging": 1}), json!(2), false));
    let held = token(&weir, json!({"folders": ["support"]})).await;

    let second = format!("{OUTSIDE}/versions/2");
    let new = json!({"newLabels": ["staging"]});
    for (route, body) in [
        (("POST", PROMPTS), text("billing/x", "three", &[])),
        (("POST", PROMPTS), text("billing/new", "one", &[])),
        (("POST", PROMPTS), text("support", "one", &[])),
        (("PATCH", second.as_str()), new.clone()),
        (("DELETE", &format!("{OUTSIDE}?label=staging")), json!({})),
        (("DELETE", OUTSIDE), json!({})),
    ] {
        let answer = send(&weir, &held, route, &body).await;
        let said = answer.json();
        assert_eq!((answer.status, &said["error"]), (403, &json!("ForbiddenError")), "{route:?}: {said}");
        assert!(said["message"].as_str().unwrap().contains("in `support` only"), "{route:?}: {said}");
    }
    assert_eq!(standing(&weir, "billing/x").await, before);
    for unmade in ["/prompts/billing%2Fnew", "/prompts/support"] {
        assert_eq!(weir.admin("GET", unmade).send().await.status, 404, "{unmade}");
    }

    let made = send(&weir, &held, ("POST", PROMPTS), &text("support/x", "one", &["production"])).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let moved = send(&weir, &held, ("PATCH", &format!("{INSIDE}/versions/1")), &new).await;
    assert_eq!(moved.status, 200, "{}", moved.text());
    assert_eq!(send(&weir, &held, ("DELETE", INSIDE), &json!({})).await.status, 204);
    assert_eq!(standing(&weir, "support/x").await, (json!({}), json!(1), true));
}

#[tokio::test]
async fn a_folder_is_judged_by_the_name_a_prompt_has_not_by_the_one_it_is_called_by() {
    let weir = Harness::start().await;
    weir.publish("support/x", json!({"text": "one", "labels": ["staging"]})).await;
    let renamed = json!({"name": "billing/x"});
    assert_eq!(weir.admin("PATCH", "/prompts/support%2Fx").json(&renamed).send().await.status, 200);
    let before = standing(&weir, "billing/x").await;
    let held = token(&weir, json!({"folders": ["support"]})).await;

    for (route, body) in [
        (("POST", PROMPTS), text("support/x", "two", &[])),
        (("PATCH", &*format!("{INSIDE}/versions/1")), json!({"newLabels": ["dev"]})),
        (("DELETE", INSIDE), json!({})),
    ] {
        assert_eq!(send(&weir, &held, route, &body).await.status, 403, "{route:?}");
    }
    assert_eq!(standing(&weir, "billing/x").await, before);
}

#[tokio::test]
async fn a_token_held_to_labels_does_nothing_halfway() {
    let weir = Harness::start().await;
    let labelled = json!({"text": "one", "labels": ["production", "dev", "staging"]});
    weir.publish("support/x", labelled).await;
    weir.publish("support/x", json!({"text": "two"})).await;
    let standing_before = standing(&weir, "support/x").await;
    let held = token(&weir, json!({"labels": ["dev*", "production"]})).await;

    let second = format!("{INSIDE}/versions/2");
    for (route, body) in [
        (("PATCH", second.as_str()), json!({"newLabels": ["dev", "staging"]})),
        (("POST", PROMPTS), text("support/x", "three", &["dev", "staging"])),
        (("DELETE", &format!("{INSIDE}?label=staging")), json!({})),
        (("DELETE", INSIDE), json!({})),
    ] {
        let answer = send(&weir, &held, route, &body).await;
        assert_eq!(answer.status, 403, "{route:?}: {}", answer.text());
        assert!(answer.text().contains("not `staging`"), "{route:?}: {}", answer.text());
        assert_eq!(standing(&weir, "support/x").await, standing_before, "{route:?}");
    }
    let moved = send(&weir, &held, ("PATCH", &second), &json!({"newLabels": ["dev", "dev-2"]})).await;
    assert_eq!(moved.status, 200, "{}", moved.text());

    assert_eq!(send(&weir, weir.admin_token(), ("DELETE", INSIDE), &json!({})).await.status, 204);
    let back = send(&weir, &held, ("POST", PROMPTS), &text("support/x", "three", &["staging"])).await;
    assert_eq!(back.status, 403, "{}", back.text());
    assert_eq!(standing(&weir, "support/x").await, (json!({}), json!(2), true), "it stays archived");
}

#[tokio::test]
async fn a_token_held_to_a_project_reaches_no_other() {
    let weir = Harness::start().await;
    assert_eq!(weir.admin("POST", "/projects").json(&json!({"name": "shop"})).send().await.status, 201);
    weir.publish("support/x", json!({"text": "here", "labels": ["production"]})).await;
    let before = standing(&weir, "support/x").await;
    let held = token(&weir, json!({"project": "shop"})).await;

    let own = send(&weir, &held, ("GET", "/api/public/projects"), &json!({})).await.json();
    assert_eq!(own["data"][0]["id"], "shop");
    for route in [
        ("GET", INSIDE),
        ("PATCH", &*format!("{INSIDE}/versions/1")),
        ("DELETE", &*format!("{INSIDE}?label=production")),
        ("DELETE", INSIDE),
    ] {
        let answer = send(&weir, &held, route, &json!({"newLabels": ["dev"]})).await;
        assert_eq!(answer.status, 404, "{route:?}: {}", answer.text());
    }
    let made = send(&weir, &held, ("POST", PROMPTS), &text("support/x", "there", &["production"])).await;
    assert_eq!((made.status, &made.json()["projectId"]), (201, &json!("shop")), "{}", made.text());
    assert_eq!(send(&weir, &held, ("GET", INSIDE), &json!({})).await.json()["prompt"], "there");
    assert_eq!(standing(&weir, "support/x").await, before);
    assert_eq!(send(&weir, &held, ("DELETE", INSIDE), &json!({})).await.status, 204);
    assert_eq!(standing(&weir, "support/x").await, before);
}
