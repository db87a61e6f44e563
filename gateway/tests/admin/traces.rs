//! `/traces` and `/sessions`: calls and reported spans, as they belong together.

use analytics::Span;
use analytics::span::SpanKind;
use insta::assert_snapshot;
use serde_json::{Value, json};
use vocab::Time;

use crate::desk::{Desk, each};
use crate::redact::seen;
use crate::support::{ask, patiently};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn trace_id() -> [u8; 16] {
    u128::from_str_radix(TRACE, 16).unwrap().to_be_bytes()
}

async fn call_under(desk: &Desk, parent: &str, session: &str) {
    let mut body = ask();
    body["weir"] = json!({"session": session, "user": "ann"});
    let call =
        desk.call("POST", "/v1/chat/completions").header("traceparent", &format!("00-{TRACE}-{parent}-01"));
    assert_eq!(call.json(&body).send().await.status, 200);
}

/// An agent's span with a call under it, and a call whose parent nobody reported.
async fn traced() -> Desk {
    let desk = Desk::open().await;
    let now = desk.app().clock.now();
    let agent = Span {
        project: "default".into(),
        trace_id: trace_id(),
        span_id: 1_u64.to_be_bytes(),
        name: "answer ticket".into(),
        kind: SpanKind::Agent,
        started: Time(now.0 - 1_000_000),
        duration_us: 9_000_000,
        input: Some("\"Where is my order?\"".into()),
        input_tokens: Some(7),
        attributes: Some(r#"{"step": 1}"#.into()),
        ..Span::default()
    };
    patiently("the span", desk.app().recorder.keep(vec![agent])).await.unwrap();
    call_under(&desk, "0000000000000001", "s-4").await;
    call_under(&desk, "00000000000000ff", "s-4").await;
    patiently("the records", desk.app().recorder.flush()).await;
    desk
}

#[tokio::test]
async fn a_trace_is_a_tree_of_spans_and_calls() {
    let desk = traced().await;
    let answer = desk.get(&format!("/traces/{TRACE}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let trace = answer.json();
    assert_eq!((&trace["trace_id"], &trace["calls"], &trace["spans"]), (&json!(TRACE), &json!(2), &json!(1)));
    assert_eq!((&trace["user"], &trace["session"]), (&json!("ann"), &json!("s-4")));
    let roots = trace["roots"].as_array().unwrap();
    assert_eq!(each(roots, "name"), ["answer ticket"]);
    let agent = &roots[0];
    assert_eq!((&agent["kind"], &agent["input"]), (&json!("agent"), &json!("Where is my order?")));
    assert_eq!(agent["span"]["attributes"], json!({"step": 1}));
    let children = agent["children"].as_array().unwrap();
    assert_eq!(each(children, "orphan"), [false, true]);
    for child in children {
        assert_eq!((&child["kind"], &child["name"]), (&json!("call"), &json!("chat_completions")));
        assert_eq!(child["input"], child_body(&desk, child, "request_body").await);
        assert_eq!(child["output"], child_body(&desk, child, "response_body").await);
        assert_eq!(child["call"]["attempts"].as_array().unwrap().len(), 1);
    }
    let sum = |field: &str| children.iter().map(|child| child[field].as_i64().unwrap()).sum::<i64>();
    for field in ["input_tokens", "output_tokens", "cost_nanousd"] {
        assert!(sum(field) > 0, "{field}");
        assert_eq!((&trace[field], &agent[field]), (&json!(sum(field)), &json!(sum(field))), "{field}");
    }
    assert_eq!(desk.get(&format!("/traces/{}", TRACE.to_uppercase())).await.json()["calls"], 2);
}

async fn child_body(desk: &Desk, node: &Value, field: &str) -> Value {
    desk.get(&format!("/calls/{}", node["call"]["id"].as_str().unwrap())).await.json()[field].clone()
}

#[tokio::test]
async fn traces_are_listed_with_their_sums() {
    let desk = traced().await;
    desk.chat(&ask()).await;
    patiently("the records", desk.app().recorder.flush()).await;
    let all = desk.all("/traces", 1).await;
    assert_eq!(all.len(), 2, "{all:?}");
    let found = desk.all("/traces?q=session:s-4", 10).await;
    assert_eq!(each(&found, "trace_id"), [TRACE]);
    assert_eq!(
        (&found[0]["name"], &found[0]["calls"], &found[0]["spans"]),
        (&json!("answer ticket"), &json!(2), &json!(1))
    );
}

#[tokio::test]
async fn a_trace_that_is_not_there_is_said_to_be_missing() {
    let desk = Desk::open().await;
    assert_snapshot!("no_such_trace", seen(&desk.get(&format!("/traces/{TRACE}")).await));
    for odd in ["x", "0", &"0".repeat(32), &format!("{TRACE}0")] {
        assert_eq!(desk.get(&format!("/traces/{odd}")).await.status, 404, "{odd}");
    }
    assert_snapshot!("traces_unknown_field", seen(&desk.get("/traces?q=colour:red").await));
}

#[tokio::test]
async fn a_session_is_its_calls_in_order() {
    let desk = traced().await;
    call_under(&desk, "0000000000000001", "S-4").await;
    patiently("the records", desk.app().recorder.flush()).await;

    let listed = desk.all("/sessions", 10).await;
    assert_eq!(each(&listed, "id"), ["S-4", "s-4"]);
    let session = desk.get("/sessions/s-4").await.json();
    assert_eq!(
        (&session["id"], &session["calls"], &session["traces"]),
        (&json!("s-4"), &json!(2), &json!(1))
    );
    let calls = session["data"].as_array().unwrap();
    assert_eq!(each(calls, "session"), ["s-4", "s-4"]);
    assert!(calls.is_sorted_by(|one, next| one["started_at"].as_str() <= next["started_at"].as_str()));
    assert_eq!(session["page_traces"], json!([TRACE]));

    let page = desk.get("/sessions/s-4?limit=1").await.json();
    assert_eq!(page["data"][0]["id"], calls[1]["id"]);
    let before =
        desk.get(&format!("/sessions/s-4?limit=1&cursor={}", page["next_cursor"].as_str().unwrap())).await;
    assert_eq!(before.json()["data"][0]["id"], calls[0]["id"]);
    assert_snapshot!("no_such_session", seen(&desk.get("/sessions/s%2F5").await));
}
