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
