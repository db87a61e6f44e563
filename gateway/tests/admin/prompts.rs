//! `/prompts`: names, descriptions, aliases, archiving.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::desk::{Desk, each, encoded};
use crate::redact::seen;
use registry::Role;

const PROMPT: &str = "/prompts/support%2Freply";

fn reply() -> Value {
    json!({
        "name": "support/reply",
        "description": "Answers a customer's mail",
        "tags": ["support", "mail"],
        "aliases": [{"id": "pmpt_68ab", "versions": {"7": 1}, "default": 1}],
    })
}

#[tokio::test]
async fn a_prompt_is_created_and_found_again() {
    let desk = Desk::open().await;

    assert_snapshot!("created", seen(&desk.post("/prompts", &reply()).await));
    assert_snapshot!("found", seen(&desk.get(PROMPT).await));
    assert_eq!(desk.get("/prompts/pmpt_68ab").await.json()["name"], "support/reply");
}

#[tokio::test]
async fn a_name_that_is_taken_is_refused_whoever_has_it() {
    let desk = Desk::open().await;
    desk.post("/prompts", &reply()).await;

    assert_snapshot!("name_taken", seen(&desk.post("/prompts", &json!({"name": "support/reply"})).await));
    assert_snapshot!("alias_taken", seen(&desk.post("/prompts", &json!({"name": "pmpt_68ab"})).await));
}

#[tokio::test]
async fn names_may_hold_slashes_spaces_and_any_letters() {
    let desk = Desk::open().await;
    for name in ["a/b/c", "Größe 2/über x", "日本語/返信", "a.b_c-d 1", "versions", "a/versions"] {
        let path = format!("/prompts/{}", encoded(name));

        let made = desk.post("/prompts", &json!({"name": name})).await;

        assert_eq!(made.status, 201, "{}", made.text());
        let location = made.header("location").strip_prefix("/api/v1").unwrap().to_owned();
        assert_eq!(desk.get(&location).await.json()["name"], name);
        assert_eq!(desk.get(&path).await.json()["name"], name);
        assert_eq!(desk.get(&format!("{path}/versions")).await.json()["data"], json!([]));
    }
}

#[tokio::test]
async fn wrong_names_are_refused_with_the_rule() {
    let desk = Desk::open().await;
    for name in ["", "/a", "a//b", "a@b", "a|b", "a\nb"] {
        let answer = desk.post("/prompts", &json!({"name": name})).await;
        assert_eq!((answer.status, &answer.json()["error"]["param"]), (400, &json!("name")), "{name:?}");
    }
    assert_snapshot!("wrong_name_in_the_path", seen(&desk.get("/prompts/a%40b").await));
    assert_snapshot!("no_utf8_in_the_path", seen(&desk.get("/prompts/a%FFb").await));
}

#[tokio::test]
async fn prompts_are_listed_by_folder_tag_and_text() {
    let desk = Desk::open().await;
    for (name, tags) in
        [("a/x", json!(["hot"])), ("a/b/y", json!([])), ("ab", json!(["hot"])), ("c", json!([]))]
    {
        desk.post("/prompts", &json!({"name": name, "tags": tags})).await;
    }
    for (query, names) in [
        ("", json!(["a/b/y", "a/x", "ab", "c"])),
        ("?folder=a", json!(["a/b/y", "a/x"])),
        ("?folder=a%2Fb", json!(["a/b/y"])),
        ("?tag=hot", json!(["a/x", "ab"])),
        ("?q=X", json!(["a/x"])),
        ("?q=%25", json!([])),
        ("?folder=a&tag=hot&project=default", json!(["a/x"])),
        ("?archived=true", json!([])),
    ] {
        let answer = desk.get(&format!("/prompts{query}")).await;
        assert_eq!(json!(each(answer.json()["data"].as_array().unwrap(), "name")), names, "{query}");
    }
}

#[tokio::test]
async fn pages_lead_to_the_end_of_the_list() {
    let desk = Desk::open().await;
    let names: Vec<String> = (0..7).map(|n| format!("folder/{n}")).collect();
    for name in &names {
        desk.post("/prompts", &json!({ "name": name })).await;
    }
    for limit in [1, 3, 7, 8] {
        assert_eq!(json!(each(&desk.all("/prompts", limit).await, "name")), json!(names), "{limit}");
    }
    assert_snapshot!("first_page", seen(&desk.get("/prompts?limit=1").await));
}

#[tokio::test]
async fn a_query_is_read_strictly() {
    let desk = Desk::open().await;
    for (name, query) in [
        ("unknown_parameter", "colour=red"),
        ("limit_too_small", "limit=0"),
        ("limit_too_large", "limit=1001"),
        ("limit_no_number", "limit=ten"),
        ("foreign_cursor", "cursor=%21"),
        ("twice", "tag=a&tag=b"),
        ("no_such_project", "project=other"),
        ("two_projects", "project=default&project=default"),
    ] {
        assert_snapshot!(name, seen(&desk.get(&format!("/prompts?{query}")).await));
    }
}

#[tokio::test]
async fn a_renamed_prompt_still_answers_to_its_old_name() {
    let desk = Desk::open().await;
    desk.post("/prompts", &reply()).await;

    let patch = json!({"name": "mail/answer", "tags": ["mail"], "description": "New words"});
    assert_snapshot!("renamed", seen(&desk.send("PATCH", PROMPT, &patch).await));

    assert_eq!(desk.get(PROMPT).await.json()["name"], "mail/answer");
}

#[tokio::test]
async fn what_a_patch_leaves_out_stays() {
    let desk = Desk::open().await;
    let before = desk.post("/prompts", &reply()).await.json();

    let after = desk.send("PATCH", PROMPT, &json!({"description": "New words", "tags": null})).await.json();

    assert_eq!(after["description"], "New words");
    for field in ["id", "name", "tags", "aliases", "created_at", "archived_at"] {
        assert_eq!(after[field], before[field], "{field}");
    }
}

#[tokio::test]
async fn a_prompt_is_changed_only_while_it_is_what_the_caller_saw() {
    let desk = Desk::open().await;
    let etag = desk.post("/prompts", &reply()).await.header("etag").to_owned();
    let patch = |tag: &str| {
        desk.by(Role::Admin, "PATCH", PROMPT).header("if-match", tag).json(&json!({"tags": ["new"]})).send()
    };

    let changed = patch(&etag).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert_ne!(changed.header("etag"), etag);
    assert_snapshot!("lost_update", seen(&patch(&etag).await));
    assert_eq!(patch("*").await.status, 200);

    let delete = desk.by(Role::Admin, "DELETE", PROMPT).header("if-match", &etag).send().await;
    assert_eq!(delete.status, 412, "{}", delete.text());
    assert_eq!(desk.get(PROMPT).await.json()["archived_at"], Value::Null);
}

#[tokio::test]
async fn a_prompt_that_is_known_already_is_not_sent_again() {
    let desk = Desk::open().await;
    let etag = desk.post("/prompts", &reply()).await.header("etag").to_owned();
    let get = || desk.by(Role::Admin, "GET", PROMPT).header("if-none-match", &etag).send();

    let known = get().await;
    assert_eq!((known.status, known.body.len(), known.header("etag")), (304, 0, &*etag));

    desk.send("PATCH", PROMPT, &json!({"tags": []})).await;
    assert_eq!(get().await.status, 200);
}

#[tokio::test]
async fn archiving_takes_a_prompt_out_of_service_and_keeps_it() {
    let desk = Desk::open().await;
    desk.publish_saying("support/reply", "Be kind.").await;

    assert_snapshot!("still_labelled", seen(&desk.delete(PROMPT).await));
    desk.delete(&format!("{PROMPT}/labels/production")).await;
    assert_snapshot!("archived", seen(&desk.delete(PROMPT).await));
    assert_eq!(desk.delete(PROMPT).await.status, 200, "archiving again changes nothing");

    assert_eq!(desk.get("/prompts").await.json()["data"], json!([]));
    assert_eq!(desk.all("/prompts?archived=true", 10).await.len(), 1);
    assert_eq!(desk.get(&format!("{PROMPT}/versions/1")).await.status, 200);
    let called = desk.chat(&json!({"prompt": {"id": "support/reply", "version": "1"}})).await;
    assert_eq!(called.status, 404, "{}", called.text());
    assert_snapshot!(
        "archived_is_not_written",
        seen(&desk.send("PATCH", PROMPT, &json!({"tags": []})).await)
    );

    assert_eq!(
        desk.send("PATCH", PROMPT, &json!({"archived": false})).await.json()["archived_at"],
        Value::Null
    );
}

#[tokio::test]
async fn what_is_not_there_is_said_to_be_missing() {
    let desk = Desk::open().await;
    assert_snapshot!("missing", seen(&desk.get("/prompts/nothing").await));
    for (method, path) in [
        ("PATCH", "/prompts/nothing"),
        ("DELETE", "/prompts/nothing"),
        ("GET", "/prompts/nothing/versions"),
        ("GET", "/prompts/nothing/versions/1"),
        ("GET", "/prompts/nothing/labels"),
        ("GET", "/prompts/nothing/labels/a/history"),
        ("POST", "/prompts/nothing/labels/a/rollback"),
        ("DELETE", "/prompts/nothing/labels/a"),
        ("POST", "/prompts/nothing/render"),
    ] {
        let answer = desk.send(method, path, &json!({})).await;
        let code = answer.json()["error"]["code"].clone();
        assert_eq!((answer.status, code), (404, json!("prompt_not_found")), "{method} {path}");
    }
}

#[tokio::test]
async fn bodies_are_read_strictly() {
    let desk = Desk::open().await;
    for (name, body) in [
        ("unknown_field", r#"{"name": "a", "colour": "red"}"#),
        ("missing_field", r"{}"),
        ("empty_body", ""),
        ("wrong_type", r#"{"name": "a", "tags": ["x", 7]}"#),
        ("not_json", r#"{"name": "a""#),
        ("not_an_object", r#"["a"]"#),
        ("two_values", r#"{"name": "a"} {}"#),
        ("field_twice", r#"{"name": "a", "name": "b"}"#),
        ("unknown_field_in_an_alias", r#"{"name": "a", "aliases": [{"id": "x", "version": 1}]}"#),
    ] {
        assert_snapshot!(name, seen(&desk.by(Role::Admin, "POST", "/prompts").body(body).send().await));
    }
}
