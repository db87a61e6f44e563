//! `/prompts/{name}/diff`.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::redact::seen;

const VERSIONS: &str = "/prompts/support%2Freply/versions";
const DIFF: &str = "/prompts/support%2Freply/diff";

async fn desk() -> Desk {
    let desk = Desk::open().await;
    let version = |tone: &str, temperature: f64| {
        json!({
            "messages": [
                {"role": "system", "content": format!("You help customers.\nAnswer as {tone} as you can.")},
                {"placeholder": "history"},
            ],
            "parameters": {"temperature": temperature},
        })
    };
    for next in [version("kindly", 0.2), version("warmly", 0.4)] {
        assert_eq!(desk.post(VERSIONS, &next).await.status, 201);
    }
    desk
}

#[tokio::test]
async fn two_versions_are_compared_as_data_and_as_text() {
    let desk = desk().await;

    assert_snapshot!("as_data", seen(&desk.get(DIFF).await));
    let text = desk.get(&format!("{DIFF}?from=1&to=2&format=text")).await;
    assert_eq!(text.header("content-type"), "text/plain; charset=utf-8");
    assert_snapshot!("as_text", text.text());
}

#[tokio::test]
async fn a_draft_is_compared_with_what_it_was_begun_from() {
    let desk = desk().await;
    let draft = json!({"messages": [{"role": "system", "content": "You help {{who}}."}]});
    assert_eq!(desk.send("PUT", "/prompts/support%2Freply/draft", &draft).await.status, 200);

    let diff = desk.get(&format!("{DIFF}?to=draft")).await.json();

    assert_eq!((&diff["from"]["version"], &diff["to"]["owner"]), (&json!(2), &json!("admin")));
    assert_eq!(diff["impact"], "major");
    let reasons: Vec<&Value> =
        diff["impact_reasons"].as_array().unwrap().iter().map(|it| &it["reason"]).collect();
    assert!(reasons.contains(&&json!("required variable `who` added")), "{diff}");
}

#[tokio::test]
async fn what_is_the_same_has_no_difference() {
    let desk = desk().await;
    let same = desk.get(&format!("{DIFF}?from=2&to=latest")).await.json();
    assert_eq!((&same["same"], &same["impact"]), (&json!(true), &Value::Null));
    assert_eq!(desk.get(&format!("{DIFF}?from=2&to=2&format=text")).await.text(), "");
    let first = desk.get(&format!("{DIFF}?to=1")).await.json();
    assert_eq!((&first["from"], &first["messages"][0]["change"]), (&Value::Null, &json!("added")));
}

#[tokio::test]
async fn what_cannot_be_compared_is_refused() {
    let desk = desk().await;
    for (query, status, says) in [
        ("from=9", 404, "has no version `9`"),
        ("to=beta", 404, "has no version `beta`"),
        ("to=draft", 404, "admin has no draft"),
        ("from=a%20b", 400, "a b"),
        ("format=html", 400, "html"),
        ("with=1", 400, "unknown field"),
    ] {
        let answer = desk.get(&format!("{DIFF}?{query}")).await;
        assert_eq!(answer.status, status, "{query}: {}", answer.text());
        assert!(answer.text().contains(says), "{query}: {}", answer.text());
    }
    assert_eq!(desk.get("/prompts/nobody/diff").await.json()["error"]["code"], "prompt_not_found");
}

/// Two versions that differ in everything a version holds.
fn everything(first: bool) -> Value {
    let pick = |one: Value, two: Value| if first { one } else { two };
    json!({
        "messages": [
            {"include": pick(json!("snippets/tone@1"), json!("snippets/tone@2")), "role": "system"},
            {"include": pick(json!("snippets/tone@staging"), json!("snippets/tone@1"))},
            {"role": "system", "content": pick(json!("Line one.\nBe kind and brief.\nEnd."), json!("Line one.\nBe kind and very brief.\nEnd."))},
            {"role": "user", "content": [
                {"type": "text", "text": "Look:"},
                {"type": "image_url", "image_url": {"url": pick(json!("https://weir.example/a.png"), json!("https://weir.example/b.png"))}},
            ]},
            {"placeholder": "history"},
        ],
        "variables": {
            "how": pick(json!({"type": "string"}), json!({"type": "string", "default": "kind"})),
            pick(json!("old"), json!("new")).as_str().unwrap(): {"required": false},
        },
        "model": pick(json!("gpt-4o"), json!("gpt-5")),
        "fallbacks": pick(json!(["gpt-4o-mini"]), json!([{"model": "o3", "parameters": {"temperature": null}}])),
        "parameters": pick(json!({"temperature": 0.2, "seed": 7}), json!({"temperature": 0.4, "top_p": 1})),
        "tools": [{"type": "function", "function": {"name": "look_up", "description": pick(json!("Looks up"), json!("Looks something up"))}}],
        "tool_choice": pick(json!("auto"), json!("required")),
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": pick(json!("object"), json!("array"))}}},
        "locked": pick(json!(["model"]), json!(["model", "tools"])),
        "metadata": {"owner": pick(json!("ann"), json!("ben"))},
        "examples": [{"variables": {"how": "kind"}, "expect": {"max_tokens": pick(json!(90), json!(99))}}],
    })
}

#[tokio::test]
async fn every_field_of_a_version_is_compared() {
    let desk = Desk::open().await;
    desk.publish("snippets/tone", json!({"text": "Be {{how}}.", "labels": ["staging"]})).await;
    desk.publish("snippets/tone", json!({"text": "Stay {{how}}."})).await;
    for first in [true, false] {
        let made = desk.post(VERSIONS, &everything(first)).await;
        assert_eq!(made.status, 201, "{}", made.text());
    }

    assert_snapshot!("everything_as_text", desk.get(&format!("{DIFF}?format=text")).await.text());
    assert_snapshot!("everything_as_data", seen(&desk.get(DIFF).await));
    assert_snapshot!("everything_back", desk.get(&format!("{DIFF}?from=2&to=1&format=text")).await.text());
    let mut draft = everything(true);
    desk.send("PUT", "/prompts/snippets%2Ftone/labels/production", &json!({"version": 1})).await;
    draft["messages"][0]["include"] = json!("snippets/tone");
    assert_eq!(desk.send("PUT", "/prompts/support%2Freply/draft", &draft).await.status, 200);
    let onto = desk.get(&format!("{DIFF}?from=1.0.0&to=draft")).await.json();
    assert_eq!(onto["same"], true, "{onto}");
    assert_snapshot!("everything_in_a_draft", desk.get(&format!("{DIFF}?to=draft&format=text")).await.text());
}
