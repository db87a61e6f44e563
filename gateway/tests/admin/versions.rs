//! `/prompts/{name}/versions`: publishing and reading.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::desk::{Desk, each};
use crate::redact::seen;
use registry::Role;

const VERSIONS: &str = "/prompts/support%2Freply/versions";

fn saying(text: &str) -> Value {
    json!({"messages": [{"role": "system", "content": text}], "model": "gpt-4o-mini"})
}

#[tokio::test]
async fn publishing_makes_the_prompt_and_answers_the_version() {
    let desk = Desk::open().await;
    let version = json!({
        "messages": [
            {"role": "system", "content": "Answer as {{tone}} as you can."},
            {"placeholder": "history"},
            {"role": "user", "content": [{"type": "text", "text": "{{question}}"}]},
        ],
        "variables": {"tone": {"type": "string", "default": "kindly", "description": "How to sound"}},
        "model": "gpt-4o-mini",
        "parameters": {"temperature": 0.2, "max_tokens": 200},
        "tools": [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}],
        "tool_choice": "auto",
        "response_format": {"type": "json_object"},
        "locked": ["temperature"],
        "commit_message": "First words",
        "metadata": {"ticket": 12},
        "examples": [{"variables": {"question": "?"}, "expect": {"contains": "!"}}],
        "labels": ["staging", "production"],
        "expected_parent": 0,
    });

    assert_snapshot!("first", seen(&desk.by(Role::Releaser, "POST", VERSIONS).json(&version).send().await));
    assert_snapshot!("its_prompt", seen(&desk.get("/prompts/support%2Freply").await));
}

#[tokio::test]
async fn a_second_version_says_what_changed() {
    let desk = Desk::open().await;
    desk.post(VERSIONS, &saying("Be kind.")).await;

    let second = desk.post(VERSIONS, &json!({"text": "x"})).await;
    assert_eq!(second.status, 400, "a chat prompt stays one: {}", second.text());
    let mut next = saying("Be kind, {{name}}.");
    next["impact"] = "major".into();

    assert_snapshot!("second", seen(&desk.post(VERSIONS, &next).await));
}

#[tokio::test]
async fn the_same_content_makes_no_new_version_but_takes_the_labels() {
    let desk = Desk::open().await;
    desk.post(VERSIONS, &saying("Be kind.")).await;
    let mut again = saying("Be kind.");
    again["labels"] = json!(["staging"]);

    let answer = desk.post(VERSIONS, &again).await;

    assert_eq!(answer.status, 200, "{}", answer.text());
    let version = answer.json();
    assert_eq!((&version["version"], &version["labels"]), (&json!(1), &json!(["staging"])));
    assert_eq!(answer.header("location"), format!("/api/v1{VERSIONS}/1"));
}

#[tokio::test]
async fn whoever_started_from_an_older_version_is_told_who_was_first() {
    let desk = Desk::open().await;
    for text in ["one", "two"] {
        desk.by(Role::Editor, "POST", VERSIONS).json(&saying(text)).send().await;
    }
    let mut late = saying("three");
    late["expected_parent"] = 1.into();

    assert_snapshot!("stale_parent", seen(&desk.post(VERSIONS, &late).await));
}

#[tokio::test]
async fn impact_is_raised_and_never_lowered() {
    let desk = Desk::open().await;
    desk.post(VERSIONS, &saying("Be {{tone}}.")).await;
    let mut lowered = saying("Be kind.");
    lowered["impact"] = "patch".into();

    assert_snapshot!("lowered_impact", seen(&desk.post(VERSIONS, &lowered).await));
}

#[tokio::test]
async fn templates_that_do_not_hold_are_refused_with_every_problem() {
    let desk = Desk::open().await;
    let broken = json!({
        "messages": [
            {"role": "system", "content": "fine"},
            {"role": "user", "content": "line one\nand {% if x %}"},
            {"role": "user", "content": "{{ x | nothing }}"},
        ],
        "engine": "jinja",
    });

    assert_snapshot!("template_problems", seen(&desk.post(VERSIONS, &broken).await));
    assert_eq!(desk.get("/prompts/support%2Freply").await.status, 404, "nothing is left behind");
}

#[tokio::test]
async fn contents_are_read_strictly() {
    let desk = Desk::open().await;
    for (name, body) in [
        ("no_content", json!({"labels": []})),
        ("both_kinds", json!({"messages": [], "text": "x"})),
        ("unknown_content_field", json!({"text": "x", "colour": "red"})),
        ("wrong_engine", json!({"text": "x", "engine": "mustache"})),
        ("message_without_role", json!({"messages": [{"content": "x"}]})),
        ("label_that_reads_as_a_version", json!({"text": "x", "labels": ["7"]})),
        ("wrong_expected_parent", json!({"text": "x", "expected_parent": -1})),
        ("draft_and_content", json!({"text": "x", "draft": true})),
        ("wrong_example", json!({"text": "x", "examples": [{"expect": {"starts_with": "x"}}]})),
        ("include", json!({"messages": [{"include": "snippets/x@3"}]})),
        ("fallbacks", json!({"text": "x", "fallbacks": ["gpt-4o"]})),
    ] {
        assert_snapshot!(name, seen(&desk.post(VERSIONS, &body).await));
    }
}

#[tokio::test]
async fn a_version_is_found_by_every_kind_of_selector() {
    let desk = Desk::open().await;
    desk.post(VERSIONS, &saying("one")).await;
    let mut two = saying("two");
    two["labels"] = json!(["production"]);
    let digest = desk.post(VERSIONS, &two).await.json()["digest"].as_str().unwrap().to_owned();
    desk.post(VERSIONS, &saying("three")).await;

    let digits: String = digest.chars().take(12).collect();
    let prefix = format!("sha256%3A{digits}");
    for (selector, version) in [("1", 1), ("production", 2), ("1.0.1", 2), ("latest", 3), (&*prefix, 2)] {
        let answer = desk.get(&format!("{VERSIONS}/{selector}")).await;
        assert_eq!(answer.json()["version"], version, "{selector}");
    }
    assert_snapshot!("no_such_version", seen(&desk.get(&format!("{VERSIONS}/9")).await));
    assert_snapshot!("no_such_label", seen(&desk.get(&format!("{VERSIONS}/staging")).await));
    assert_snapshot!("no_selector", seen(&desk.get(&format!("{VERSIONS}/Prod")).await));
}

#[tokio::test]
async fn versions_are_listed_newest_first_to_the_end() {
    let desk = Desk::open().await;
    for text in ["one", "two", "three"] {
        desk.post(VERSIONS, &saying(text)).await;
    }
    for limit in [1, 2, 3, 4] {
        assert_eq!(json!(each(&desk.all(VERSIONS, limit).await, "version")), json!([3, 2, 1]), "{limit}");
    }
}

#[tokio::test]
async fn publishing_onto_production_takes_a_releaser() {
    let desk = Desk::open().await;
    let mut version = saying("one");
    version["labels"] = json!(["production"]);

    assert_snapshot!(
        "editor_onto_production",
        seen(&desk.by(Role::Editor, "POST", VERSIONS).json(&version).send().await)
    );
    version["labels"] = json!(["staging"]);
    assert_eq!(desk.by(Role::Editor, "POST", VERSIONS).json(&version).send().await.status, 201);
}
