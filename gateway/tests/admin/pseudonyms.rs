//! People and sessions whose names are redacted: asked for by the names applications use, and found.

use analytics::Span;
use config::{Known, Redact};
use serde_json::{Value, json};
use vocab::Time;

use crate::desk::{Desk, encoded};
use crate::support::{ask, patiently};

const ANN: &str = "ann@example.com";
const CASE: &str = "case of ann@example.com";

/// A call by ann, a score of her session, and a span from before anything was redacted.
async fn desk() -> Desk {
    let desk = Desk::with(|config| config.records.redact = vec![Redact::Known(Known::Email)]).await;
    let mut body = ask();
    body["weir"] = json!({"session": CASE, "user": ANN});
    assert_eq!(desk.chat(&body).await.status, 200);
    let judged = desk.post("/scores", &json!({"session_id": CASE, "name": "tone", "value": 1})).await;
    assert_eq!(judged.status, 201, "{}", judged.text());
    let old = Span {
        project: "default".into(),
        trace_id: [7; 16],
        span_id: [7; 8],
        name: "ask".into(),
        started: Time(desk.app().clock.now().0 - 1_000_000),
        user: Some(ANN.into()),
        ..Span::default()
    };
    patiently("the span", desk.app().recorder.keep(vec![old])).await.unwrap();
    patiently("the records", desk.app().recorder.flush()).await;
    desk
}

fn data(answer: &Value) -> &Vec<Value> {
    answer["data"].as_array().unwrap_or_else(|| panic!("{answer}"))
}

#[tokio::test]
async fn they_are_found_by_the_names_applications_use() {
    let desk = desk().await;
    for text in [format!("user:{ANN}"), format!("session:\"{CASE}\""), format!("user:bob,{ANN} -user:bob")] {
        let found = desk.get(&format!("/calls?q={}", encoded(&text))).await.json();
        assert_eq!(data(&found).len(), 1, "{text}: {found}");
        assert_eq!(data(&found)[0]["user"].as_str().unwrap().find("ann@"), None);
    }
    let session = desk.get(&format!("/sessions/{}", encoded(CASE))).await;
    assert_eq!((session.status, data(&session.json()).len()), (200, 1), "{}", session.text());
    let scores = desk.get(&format!("/scores?session_id={}", encoded(CASE))).await.json();
    assert_eq!(data(&scores).len(), 1, "{scores}");
    let report = json!({"measures": ["calls"], "from": "-1h", "q": format!("user:{ANN}")});
    assert_eq!(data(&desk.post("/reports", &report).await.json())[0]["calls"], 1);
}

#[tokio::test]
async fn what_they_did_is_deleted_from_before_and_after_the_rules_changed() {
    let desk = desk().await;
    let trace = format!("/traces/{}", "07".repeat(16));
    assert_eq!(desk.get(&trace).await.status, 200);
    let gone = desk.delete(&format!("/calls?user={}", encoded(ANN))).await.json();
    assert_eq!(gone, json!({"user": ANN, "deleted_calls": 1}));
    assert_eq!(desk.get(&trace).await.status, 404);
}
