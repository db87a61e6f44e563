//! Snippets through the admin API: included, rendered, found by who uses them.

use insta::assert_snapshot;
use serde_json::json;

use crate::desk::Desk;
use crate::redact::seen;

async fn desk() -> Desk {
    let desk = Desk::open().await;
    desk.publish("snippets/tone", json!({"text": "Be {{how}}.", "labels": ["production"]})).await;
    desk
}

#[tokio::test]
async fn a_version_pins_what_it_includes_and_renders_it() {
    let desk = desk().await;
    let chat = json!({
        "messages": [{"include": "snippets/tone", "role": "system"}, {"role": "user", "content": "Hello"}],
        "labels": ["production"],
    });
    let made = desk.publish("support/reply", chat).await;
    assert_eq!(made["messages"][0], json!({"include": "snippets/tone@1", "role": "system"}));

    let rendered = desk.post("/prompts/support%2Freply/render", &json!({"variables": {"how": "kind"}})).await;
    assert_eq!(rendered.json()["messages"][0], json!({"role": "system", "content": "Be kind."}));
    assert_snapshot!("used_by", seen(&desk.get("/prompts/snippets%2Ftone/used-by").await));
    assert_eq!(desk.get("/prompts/snippets%2Ftone/used-by?version=2").await.json()["data"], json!([]));
    assert_eq!(desk.get("/prompts/nobody/used-by").await.status, 404);
}

#[tokio::test]
async fn a_call_sends_what_the_version_includes() {
    let desk = desk().await;
    let text = "{% include \"snippets/tone\" %} Thanks.";
    let version = json!({
        "messages": [{"role": "system", "content": text}], "engine": "jinja", "model": "gpt-4o-mini",
        "labels": ["production"],
    });
    desk.publish("support/reply", version).await;
    desk.publish("snippets/tone", json!({"text": "Be stern.", "labels": ["production"]})).await;

    let call = json!({"model": "prompt:support/reply", "prompt_variables": {"how": "kind"}});
    assert_eq!(desk.chat(&call).await.status, 200);
    let sent = desk.provider.only().json();
    assert_eq!(sent["messages"], json!([{"role": "system", "content": "Be kind. Thanks."}]));
}

#[tokio::test]
async fn a_check_finds_snippets_and_says_when_there_is_none() {
    let desk = desk().await;
    let including = |reference: &str| json!({"messages": [{"include": reference}]});
    let found = desk.post("/templates/check", &including("snippets/tone")).await.json();
    assert_eq!((&found["valid"], &found["variables"][0]["name"]), (&json!(true), &json!("how")));
    assert_snapshot!(
        "no_such_snippet",
        seen(&desk.post("/templates/check", &including("snippets/none")).await)
    );
    let refused = desk.post("/prompts/a/versions", &including("snippets/none")).await;
    assert_snapshot!("no_such_snippet_to_publish", seen(&refused));
}
