//! `/prompts/{name}/draft`, and publishing it.

use insta::assert_snapshot;
use registry::Role;
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::redact::seen;

const DRAFT: &str = "/prompts/support%2Freply/draft";
const VERSIONS: &str = "/prompts/support%2Freply/versions";

fn saying(text: &str) -> Value {
    json!({"messages": [{"role": "system", "content": text}]})
}

async fn desk() -> Desk {
    let desk = Desk::open().await;
    assert_eq!(desk.post(VERSIONS, &saying("Be kind.")).await.status, 201);
    desk
}

#[tokio::test]
async fn a_draft_is_kept_read_and_thrown_away() {
    let desk = desk().await;
    let mut draft = saying("Be kind, {{name}}");
    draft["commit_message"] = "Say the name".into();
    draft["examples"] = json!([{"variables": {"name": "Ann"}, "expect": {"contains": "Ann"}}]);

    assert_snapshot!("kept", seen(&desk.send("PUT", DRAFT, &draft).await));
    let read = desk.get(DRAFT).await;
    assert_eq!(read.json()["messages"][0]["content"], "Be kind, {{name}}");
    let known = desk.by(Role::Admin, "GET", DRAFT).header("if-none-match", read.header("etag")).send().await;
    assert_eq!(known.status, 304);
    assert_snapshot!("somebody_elses", seen(&desk.by(Role::Editor, "GET", DRAFT).send().await));
    assert_eq!(desk.delete(DRAFT).await.status, 204);
    assert_eq!(desk.get(DRAFT).await.status, 404);
}

#[tokio::test]
async fn a_draft_says_what_is_wrong_with_it_and_whether_it_is_stale() {
    let desk = desk().await;
    let broken = json!({"messages": [{"role": "user", "content": "a\n{% if %}"}], "engine": "jinja"});
    let kept = desk.send("PUT", DRAFT, &broken).await.json();
    assert_eq!((&kept["problems"][0]["line"], &kept["stale"]), (&json!(2), &json!(false)));
    desk.by(Role::Editor, "POST", VERSIONS).json(&saying("Be very kind.")).send().await;
    assert_eq!(desk.get(DRAFT).await.json()["stale"], true);
    let refused = desk.post(VERSIONS, &json!({"draft": true})).await;
    assert_eq!(refused.json()["error"]["code"], "template_error", "{}", refused.text());
}

#[tokio::test]
async fn two_windows_do_not_overwrite_each_other() {
    let desk = desk().await;
    let first = desk.send("PUT", DRAFT, &saying("one")).await;
    let etag = first.header("etag").to_owned();
    let put = |text: &str| desk.by(Role::Admin, "PUT", DRAFT).header("if-match", &etag).json(&saying(text));
    assert_eq!(put("two").send().await.status, 200);
    let late = put("three").send().await;
    assert_eq!((late.status, &late.json()["error"]["code"]), (412, &json!("stale")), "{}", late.text());
    let gone = desk.by(Role::Admin, "DELETE", DRAFT).header("if-match", &etag).send().await;
    assert_eq!(gone.status, 412);
    assert_eq!(desk.get(DRAFT).await.json()["messages"][0]["content"], "two");
}

#[tokio::test]
async fn a_draft_is_published_as_a_version() {
    let desk = desk().await;
    let mut draft = saying("Be kind, {{name}}");
    draft["commit_message"] = "Say the name".into();
    desk.send("PUT", DRAFT, &draft).await;

    let published = desk.post(VERSIONS, &json!({"draft": true, "labels": ["staging"]})).await;

    assert_eq!(published.status, 201, "{}", published.text());
    let version = published.json();
    assert_eq!(
        (&version["version"], &version["commit_message"], &version["labels"]),
        (&json!(2), &json!("Say the name"), &json!(["staging"]))
    );
    assert_eq!(desk.get(DRAFT).await.status, 404, "it went into the version");
    let again = desk.post(VERSIONS, &json!({"draft": true})).await;
    assert_snapshot!("no_draft_to_publish", seen(&again));
}

#[tokio::test]
async fn a_draft_that_conflicts_stays_and_the_winner_is_named() {
    let desk = desk().await;
    desk.send("PUT", DRAFT, &saying("mine")).await;
    desk.by(Role::Editor, "POST", VERSIONS).json(&saying("theirs")).send().await;

    assert_snapshot!("conflict", seen(&desk.post(VERSIONS, &json!({"draft": true})).await));
    let kept = desk.get(DRAFT).await.json();
    assert_eq!((&kept["parent"], &kept["stale"]), (&json!(1), &json!(true)));
    let onto = desk.post(VERSIONS, &json!({"draft": true, "expected_parent": 2})).await;
    assert_eq!((onto.status, &onto.json()["version"]), (201, &json!(3)), "{}", onto.text());
}

#[tokio::test]
async fn drafts_are_read_strictly() {
    let desk = desk().await;
    for (body, param) in [
        (json!({}), Value::Null),
        (json!({"text": "x"}), json!("text")),
        (json!({"messages": [], "colour": 1}), json!("colour")),
        (json!({"messages": [], "labels": []}), json!("labels")),
        (json!({"messages": [], "expected_parent": 7}), json!("expected_parent")),
    ] {
        let answer = desk.send("PUT", DRAFT, &body).await;
        assert_eq!((answer.status, &answer.json()["error"]["param"]), (400, &param), "{}", answer.text());
    }
    assert_eq!(desk.send("PUT", "/prompts/nobody/draft", &saying("x")).await.status, 404);
}

#[tokio::test]
async fn a_draft_is_rendered_as_it_would_be_published() {
    let desk = desk().await;
    desk.publish("snippets/tone", json!({"text": "Be {{how}}.", "labels": ["production"]})).await;
    let draft = json!({"messages": [{"include": "snippets/tone"}], "model": "gpt-4o-mini"});
    desk.send("PUT", DRAFT, &draft).await;
    let render = "/prompts/support%2Freply/render";

    let asked = json!({"version": "draft", "variables": {"how": "kind"}});
    assert_snapshot!("rendered", seen(&desk.post(render, &asked).await));
    let lacks = desk.post(render, &json!({"version": "draft"})).await;
    assert_eq!(lacks.json()["error"]["code"], "missing_variables", "{}", lacks.text());
    let label = desk.post(render, &json!({"label": "draft"})).await;
    assert_eq!(label.status, 404, "a label of that name is none: {}", label.text());

    let broken = json!({"messages": [{"role": "user", "content": "a\n{% if %}"}], "engine": "jinja"});
    desk.send("PUT", DRAFT, &broken).await;
    let told = desk.post(render, &json!({"version": "draft"})).await;
    assert_eq!(
        (told.status, &told.json()["error"]["problems"][0]["line"]),
        (422, &json!(2)),
        "{}",
        told.text()
    );
    desk.delete(DRAFT).await;
    assert_eq!(desk.post(render, &json!({"version": "draft"})).await.status, 404);
}
