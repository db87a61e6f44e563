//! `/scores` and `/feedback-links`: judgements, given and listed.

use insta::assert_snapshot;
use registry::Role;
use serde_json::{Value, json};

use crate::desk::{Desk, each};
use crate::redact::{self, seen};
use crate::support::ask;

const ELSEWHERE: &str = "01890000-5a00-7c3e-9d5b-0f6c2a1b3c4d";

async fn called(desk: &Desk) -> String {
    desk.chat(&ask()).await.header("x-request-id").to_owned()
}

#[tokio::test]
async fn a_score_is_given_and_listed() {
    let desk = Desk::open().await;
    let call = called(&desk).await;
    let given = desk
        .post("/scores", &json!({"call_id": call, "name": "helpful", "value": true, "comment": "yes"}))
        .await;
    assert_snapshot!("given_score", seen(&given));
    let by_editor = desk.by(Role::Editor, "POST", "/scores");
    let body = json!({"session_id": "s-4", "name": "accuracy", "value": 0.25});
    assert_eq!(by_editor.json(&body).send().await.json()["author"], "the editor");

    let all = desk.all("/scores", 1).await;
    assert_eq!(each(&all, "name"), ["accuracy", "helpful"]);
    for (query, found) in [
        (format!("call_id={call}"), vec!["helpful"]),
        ("session_id=s-4".to_owned(), vec!["accuracy"]),
        ("name=accuracy".to_owned(), vec!["accuracy"]),
        ("to=-1h".to_owned(), vec![]),
        (format!("trace_id={}", "1".repeat(32)), vec![]),
    ] {
        assert_eq!(each(&desk.all(&format!("/scores?{query}"), 10).await, "name"), found, "{query}");
    }
    assert_eq!(redact::value(all[1].clone()), redact::value(given.json()));
}

#[tokio::test]
async fn a_list_of_scores_is_given_at_once_and_one_id_is_one_score() {
    let desk = Desk::open().await;
    let call = called(&desk).await;
    let score =
        |name: &str, value: f64| json!({"call_id": call, "name": name, "value": value, "id": ELSEWHERE});
    let given =
        desk.post("/scores", &json!([score("a", 1.0), {"session_id": "s", "name": "b", "value": 2}])).await;
    assert_eq!(
        (given.status, each(given.json()["data"].as_array().unwrap(), "name")),
        (201, vec![&json!("a"), &json!("b")])
    );
    assert_eq!(desk.post("/scores", &score("a", 5.0)).await.status, 201);
    let kept = desk.all("/scores?name=a", 10).await;
    assert_eq!(each(&kept, "value"), [1.0], "the first stays");

    let many: Vec<Value> =
        (0..1_000).map(|n| json!({"session_id": "many", "name": "n", "value": n})).collect();
    assert_eq!(desk.post("/scores", &json!(many)).await.status, 201);
    assert_eq!(desk.all("/scores?session_id=many", 1_000).await.len(), 1_000);
}

#[tokio::test]
async fn what_is_no_score_is_refused() {
    let desk = Desk::open().await;
    for (name, body) in [
        ("score_of_nothing", json!({"name": "a", "value": 1})),
        (
            "score_of_two_things",
            json!({"session_id": "s", "trace_id": "1".repeat(32), "name": "a", "value": 1}),
        ),
        ("score_of_an_unknown_call", json!({"call_id": ELSEWHERE, "name": "a", "value": 1})),
        ("score_without_a_number", json!({"session_id": "s", "name": "a", "value": "good"})),
        ("score_with_an_unknown_field", json!({"session_id": "s", "name": "a", "value": 1, "colour": "red"})),
        ("empty_list_of_scores", json!([])),
        (
            "score_in_a_list_at_fault",
            json!([{"session_id": "s", "name": "a", "value": 1}, {"session_id": "s"}]),
        ),
        ("too_many_scores", json!(vec![json!({"session_id": "s", "name": "a", "value": 1}); 1_001])),
    ] {
        assert_snapshot!(name, seen(&desk.post("/scores", &body).await));
    }
    assert_eq!(desk.all("/scores", 10).await.len(), 0, "a list is taken whole or not at all");
}

#[tokio::test]
async fn a_link_is_made_for_the_data_plane() {
    let desk = Desk::with(|config| config.public_url = Some("https://weir.example/".to_owned())).await;
    let call = called(&desk).await;
    let made = desk.post("/feedback-links", &json!({"call_id": call, "name": "helpful"})).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let url = made.json()["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with("https://weir.example/v1/feedback/ey"), "{url}");
    for (name, body) in [
        ("link_for_nothing", json!({"name": "helpful"})),
        ("link_without_a_name", json!({"session_id": "s"})),
        (
            "link_that_has_ended",
            json!({"session_id": "s", "name": "a", "expires_at": "2020-01-01T00:00:00Z"}),
        ),
        ("link_with_one_value_twice", json!({"session_id": "s", "name": "a", "values": [1, true]})),
        ("link_with_an_odd_value", json!({"session_id": "s", "name": "a", "values": ["good"]})),
        ("link_of_one_name_twice", json!({"session_id": "s", "names": ["a", " a"]})),
    ] {
        assert_snapshot!(name, seen(&desk.post("/feedback-links", &body).await));
    }
}
