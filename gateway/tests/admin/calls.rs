//! `/calls`: searching and looking up.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::desk::{Desk, each, encoded};
use crate::redact::{self, seen};
use crate::support::ask;

/// What of a call differs from run to run beside ids and times.
const VARYING: [&str; 8] = [
    "duration_us",
    "overhead_us",
    "ttft_us",
    "trace_id",
    "span_id",
    "node",
    "upstream_request_id",
    "price_id",
];

fn still(call: Value) -> Value {
    let mut call = redact::value(call);
    if let Some(attempts) = call.get_mut("attempts").and_then(Value::as_array_mut) {
        for attempt in attempts {
            *attempt = still(attempt.take());
        }
    }
    for field in VARYING {
        if call.get(field).is_some_and(|value| !value.is_null()) {
            call[field] = format!("[{field}]").into();
        }
    }
    call
}

#[tokio::test]
async fn a_call_is_found_with_its_bodies_and_attempts() {
    let desk = Desk::open().await;
    desk.publish_saying("support/reply", "Be kind.").await;
    let answer = desk.chat(&json!({"prompt": {"id": "support/reply"}, "user": "ann"})).await;
    let id = answer.header("x-request-id").to_owned();
    desk.record(&id).await;

    let found = desk.get(&format!("/calls/{id}")).await;

    assert_eq!(found.status, 200, "{}", found.text());
    insta::assert_json_snapshot!("call", still(found.json()));
    let listed = desk.get("/calls?q=prompt:support/reply").await.json();
    assert_eq!((&listed["complete"], &listed["next_cursor"]), (&json!(true), &Value::Null));
    insta::assert_json_snapshot!("listed_call", still(listed["data"][0].clone()));
}

#[tokio::test]
async fn calls_are_searched_and_paged_to_the_end() {
    let desk = Desk::open().await;
    for _ in 0..3 {
        desk.chat(&ask()).await;
    }
    desk.chat(&json!({"prompt": {"id": "nothing"}})).await;
    desk.records(4).await;

    for (q, found) in
        [("", 4), ("status:200", 3), ("-status:200", 1), ("model:gpt-4o-mini", 3), ("\"no such words\"", 0)]
    {
        for limit in [1, 2, 4, 5] {
            let path = format!("/calls?q={}", encoded(q));
            assert_eq!(desk.all(&path, limit).await.len(), found, "{q} by {limit}");
        }
    }
    let newest = desk.all("/calls?from=-1h&to=now", 10).await;
    assert!(newest.is_sorted_by(|one, next| one["started_at"].as_str() >= next["started_at"].as_str()));
    assert_eq!(desk.all("/calls?to=-1h", 10).await.len(), 0);
    assert_eq!(each(&newest, "status")[0], 404);
}

#[tokio::test]
async fn a_search_that_cannot_be_read_says_where() {
    let desk = Desk::open().await;
    for (name, query) in [
        ("unknown_search_field", "q=status%3A200%20colour%3Ared"),
        ("wrong_from", "from=yesterday"),
        ("wrong_cursor", "cursor=abc"),
        ("wrong_limit", "limit=0"),
        ("unknown_call_parameter", "query=x"),
    ] {
        assert_snapshot!(name, seen(&desk.get(&format!("/calls?{query}")).await));
    }
}

#[tokio::test]
async fn a_call_that_is_not_there_is_said_to_be_missing() {
    let desk = Desk::open().await;
    assert_snapshot!("no_such_call", seen(&desk.get("/calls/019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d").await));
    assert_eq!(desk.get("/calls/not-an-id").await.status, 404);
}
