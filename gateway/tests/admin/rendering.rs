//! `/prompts/{name}/render` and `/templates/check`.

use insta::assert_snapshot;
use serde_json::json;

use crate::desk::Desk;
use crate::redact::seen;

const RENDER: &str = "/prompts/support%2Freply/render";

async fn desk() -> Desk {
    let desk = Desk::open().await;
    let version = json!({
        "messages": [
            {"role": "system", "content": "Answer {{name}} as {{tone}} as you can."},
            {"placeholder": "history"},
        ],
        "variables": {"tone": {"type": "string", "default": "kindly"}, "name": {"type": "string"}},
        "model": "gpt-4o-mini",
        "parameters": {"temperature": 0.2},
        "labels": ["production"],
    });
    desk.publish("support/reply", version).await;
    desk.publish(
        "support/reply",
        json!({"messages": [{"role": "system", "content": "Two."}], "labels": ["staging"]}),
    )
    .await;
    desk
}

#[tokio::test]
async fn a_rendering_shows_what_a_call_would_send() {
    let desk = desk().await;
    let variables = json!({"name": "Ann", "colour": "red"});

    assert_snapshot!("rendered", seen(&desk.post(RENDER, &json!({ "variables": variables })).await));
    assert!(desk.provider.received().is_empty(), "nothing goes upstream");
}

#[tokio::test]
async fn a_version_is_rendered_by_label_or_selector() {
    let desk = desk().await;
    for selector in [
        json!({"label": "staging"}),
        json!({"version": 2}),
        json!({"version": "2"}),
        json!({"label": "latest"}),
        json!({"version": "2.0.0"}),
    ] {
        let answer = desk.post(RENDER, &selector).await;
        assert_eq!(answer.json()["messages"][0]["content"], "Two.", "{selector}: {}", answer.text());
    }
}

#[tokio::test]
async fn variables_and_selectors_that_do_not_fit_are_refused() {
    let desk = desk().await;
    for (name, body) in [
        ("missing_variables", json!({})),
        ("variable_of_another_type", json!({"variables": {"name": 7, "tone": ["x"]}})),
        ("label_and_version", json!({"label": "staging", "version": 2})),
        ("no_label_there", json!({"label": "beta"})),
        ("number_as_label", json!({"label": "2"})),
        ("no_version_there", json!({"version": 9})),
        ("unknown_render_field", json!({"messages": []})),
    ] {
        assert_snapshot!(name, seen(&desk.post(RENDER, &body).await));
    }
}

#[tokio::test]
async fn a_template_that_fails_on_these_values_says_where() {
    let desk = Desk::open().await;
    let version = json!({
        "messages": [{"role": "system", "content": "Hello\n{{ user.name.first }}"}], "engine": "jinja", "labels": ["production"],
    });
    desk.publish("support/reply", version).await;

    let answer = desk.post(RENDER, &json!({"variables": {"user": {}}})).await;

    assert_snapshot!("template_failure", seen(&answer));
}

#[tokio::test]
async fn a_check_finds_everything_that_is_wrong_and_keeps_nothing() {
    let desk = Desk::open().await;
    let content = json!({
        "messages": [
            {"role": "system", "content": "fine {{ x }}"},
            {"role": "user", "content": "one\n{% if x %}"},
        ],
        "engine": "jinja",
    });

    assert_snapshot!("problems_found", seen(&desk.post("/templates/check", &content).await));
    let holds = json!({"text": "Dear {{name}}, {{tone}}", "variables": {"tone": {"type": "string", "default": "hi"}}});
    assert_snapshot!("check_holds", seen(&desk.post("/templates/check", &holds).await));
    assert_snapshot!("check_of_no_content", seen(&desk.post("/templates/check", &json!({})).await));
    assert_eq!(desk.get("/prompts").await.json()["data"], json!([]));
}
